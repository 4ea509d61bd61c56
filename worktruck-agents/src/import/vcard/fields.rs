//! Properties that become fields.

use calcard::vcard::VCardProperty;
use worktruck_core::entity::contact::{ChannelKind, ContactKind};

use super::Reader;
use super::property::{Property, Used};
use crate::import::intake::{add_note, keep};

impl Reader<'_, '_> {
    /// Puts a property whose components are texts into the contact; false if it must be kept as it is.
    pub(super) fn understand_text(&mut self, property: &Property, components: &[String]) -> bool {
        match property.name() {
            VCardProperty::Email => return self.channel(ChannelKind::Email, property),
            VCardProperty::Tel => return self.channel(ChannelKind::Phone, property),
            VCardProperty::Url => return self.channel(ChannelKind::Url, property),
            VCardProperty::Adr => return self.address(property, components),
            _ => {}
        }
        let Some(text) = property.text() else { return !property.has_more(&[]) };
        let mut used = Vec::new();
        let contact = &mut self.contact;
        let is_taken_in = match property.name() {
            VCardProperty::Fn => {
                let is_first = contact.display_name.is_empty();
                if is_first {
                    contact.display_name = text;
                }
                is_first
            }
            VCardProperty::N => {
                let fields = [
                    &mut contact.family_name,
                    &mut contact.given_name,
                    &mut contact.middle_name,
                    &mut contact.prefix,
                    &mut contact.suffix,
                ];
                let is_set =
                    fields.into_iter().zip(components).fold(true, |all, (field, text)| set(field, text) && all);
                is_set && !property.has_lists() && components.iter().skip(5).all(String::is_empty)
            }
            VCardProperty::Nickname => set(&mut contact.nickname, &components.join(", ")),
            VCardProperty::Uid => set(&mut contact.vcard_uid, &text),
            VCardProperty::Note => {
                add_note(contact, &text);
                true
            }
            VCardProperty::Categories => {
                contact.tags.extend(components.iter().filter(|tag| !tag.is_empty()).cloned());
                true
            }
            VCardProperty::Kind => match text.to_ascii_lowercase().as_str() {
                "individual" => true,
                "org" | "organization" => {
                    contact.kind = ContactKind::Organization;
                    true
                }
                "group" => {
                    contact.kind = ContactKind::Group;
                    true
                }
                _ => false,
            },
            VCardProperty::Org => {
                let is_first = !contact.metadata.contains_key("organization");
                if is_first && let Some(name) = components.iter().find(|name| !name.is_empty()) {
                    keep(&mut contact.metadata, "organization", name);
                }
                is_first && components.iter().skip(1).all(String::is_empty)
            }
            VCardProperty::Title => {
                let is_first = !contact.metadata.contains_key("title");
                if is_first {
                    keep(&mut contact.metadata, "title", &text);
                }
                is_first
            }
            VCardProperty::Lang => {
                used.push(Used::Preference);
                let preference = property.preference().unwrap_or(u32::MAX);
                Some(preference) == self.best_language && is_one_word(&text) && set(&mut contact.language, &text)
            }
            // An offset from UTC is no time zone.
            VCardProperty::Tz => {
                let is_zone = is_one_word(&text) && text.starts_with(|c: char| c.is_ascii_alphabetic());
                is_zone && set(&mut contact.timezone, &text)
            }
            _ => false,
        };
        is_taken_in && !property.has_more(&used)
    }

    pub(super) fn photo(&mut self, property: &Property) -> bool {
        let address = property.raw_value().trim();
        let starts = |scheme: &str| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        let is_address = (property.is_uri() || starts("http://") || starts("https://"))
            && !starts("data:")
            && !address.is_empty()
            && self.contact.avatar_url.is_none();
        if is_address {
            self.contact.avatar_url = Some(address.to_owned());
        }
        is_address && !property.has_more(&[])
    }

    /// What Apple says about the kind of a card.
    pub(super) fn kind_of_apple(&mut self, property: &Property, wanted: &str, kind: &str) -> bool {
        let is_meant = property.raw_value().trim().eq_ignore_ascii_case(wanted);
        if is_meant {
            self.contact.kind = if kind == "group" { ContactKind::Group } else { ContactKind::Organization };
        }
        is_meant && !property.has_more(&[])
    }
}

fn is_one_word(text: &str) -> bool {
    !text.contains(char::is_whitespace)
}

/// Whether `text` is in the field now, or is nothing.
fn set(field: &mut Option<String>, text: &str) -> bool {
    let is_free = field.is_none();
    if is_free && !text.is_empty() {
        *field = Some(text.to_owned());
    }
    is_free || text.is_empty()
}
