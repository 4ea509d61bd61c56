//! Properties that become channels, addresses and dates.

use calcard::vcard::VCardParameterName;
use worktruck_core::entity::contact::{Address, ChannelKind, canonical_value};

use super::property::{Property, Used};
use super::{Reader, geo, names, own_parameters};
use crate::import::date::{self, Parts};
use crate::import::intake::quoted;
use crate::import::rank::Rank;

impl Reader<'_, '_> {
    pub(super) fn channel(&mut self, kind: ChannelKind, property: &Property) -> bool {
        let Some(text) = property.text() else { return !property.has_more(&[Used::Types]) };
        let text = without_scheme(&text).to_owned();
        self.add_channel(kind, property, &text, property.types());
        !property.has_more(&self.used(property))
    }

    pub(super) fn custom_channel(&mut self, property: &Property) -> bool {
        self.add_channel(ChannelKind::Custom, property, &property.plain(), property.types());
        !property.has_more(&self.used(property))
    }

    /// A profile of Twitter or LinkedIn; others are kept as they are.
    pub(super) fn social_profile(&mut self, property: &Property) -> bool {
        let mut types = property.types();
        let service = property.known_parameter(&VCardParameterName::ServiceType).map(str::to_ascii_lowercase);
        let is_old = super::is_named(property, "X-TWITTER");
        let is = |name: &str| service.as_deref() == Some(name) || types.iter().any(|known| known == name);
        let kind = match () {
            () if is("twitter") || is_old => ChannelKind::Twitter,
            () if is("linkedin") => ChannelKind::Linkedin,
            () => return false,
        };
        types.retain(|name| name != kind.as_str());
        let text = property.text_of_extension();
        let address = text.trim();
        if address.is_empty() {
            return !property.has_more(&[Used::Types]);
        }
        let mut used = self.used(property);
        used.push(Used::Known(VCardParameterName::ServiceType));
        let user = property.known_parameter(&VCardParameterName::Username).or_else(|| property.parameter(names::USER));
        let mut value = address;
        if let Some(user) = user
            && canonical_value(kind, user, None) == canonical_value(kind, address, None)
        {
            // An address that can be made of the name says nothing more than the name.
            if names::profile(kind, user) == address {
                value = user;
            }
            used.extend([Used::Known(VCardParameterName::Username), Used::Other(names::USER)]);
        }
        self.add_channel(kind, property, value, types);
        !property.has_more(&used)
    }

    fn add_channel(&mut self, kind: ChannelKind, property: &Property, text: &str, types: Vec<String>) {
        let mut channel = self.intake.channel(kind, text);
        channel.label = self.group_label(property).or_else(|| type_label(types));
        channel.is_verified =
            property.parameter(names::VERIFIED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        self.contact.channels.push(channel);
        let order = property.parameter(names::ORDER).and_then(|order| order.parse().ok());
        self.ranks.push(Rank { preference: property.preference(), order });
    }

    pub(super) fn address(&mut self, property: &Property, components: &[String]) -> bool {
        let mut address = Address::new(self.intake.item_id());
        let fields = [
            &mut address.po_box,
            &mut address.extended,
            &mut address.street,
            &mut address.city,
            &mut address.region,
            &mut address.postal_code,
            &mut address.country,
        ];
        for (field, text) in fields.into_iter().zip(components) {
            *field = Some(text.clone()).filter(|text| !text.is_empty());
        }
        let is_whole = !property.has_lists() && components.iter().skip(7).all(String::is_empty);
        let place = geo(property);
        if components.iter().all(String::is_empty) && place.is_none() {
            return !property.has_more(&[Used::Types]);
        }
        let mut used = self.used(property);
        if let Some((latitude, longitude)) = place {
            (address.latitude, address.longitude) = (Some(latitude), Some(longitude));
            used.push(Used::Known(VCardParameterName::Geo));
        }
        let code = property.known_parameter(&VCardParameterName::Cc);
        address.country_code = match code {
            Some(code) if code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic()) => {
                used.push(Used::Known(VCardParameterName::Cc));
                Some(code.to_ascii_uppercase())
            }
            _ => property.group().and_then(|group| self.groups.country(group)),
        };
        address.label = self.group_label(property).or_else(|| type_label(property.types()));
        address.is_primary = property.preference().is_some() && !self.contact.addresses.iter().any(|a| a.is_primary);
        self.contact.addresses.push(address);
        is_whole && !property.has_more(&used)
    }

    pub(super) fn date(&mut self, line: u64, property: &Property, date_type: &str) -> bool {
        let value = property.raw_value().trim();
        if value.is_empty() {
            return !property.has_more(&[]);
        }
        let mut used = own_parameters();
        let mut parts = date::read(value, None);
        // Apple writes a year that means that it is not known.
        if let (Some(parts), Some(omitted)) = (&mut parts, property.parameter("X-APPLE-OMIT-YEAR"))
            && parts.year.is_some_and(|year| omitted.parse() == Ok(year))
        {
            *parts = Parts { year: None, ..*parts };
            used.push(Used::Other("X-APPLE-OMIT-YEAR"));
        }
        match self.intake.date(date_type, parts) {
            Ok(mut date) => {
                date.label = property.parameter(names::LABEL).map(str::to_owned);
                self.contact.dates.push(date);
                !property.has_more(&used)
            }
            Err(reason) => {
                let title = property.title();
                self.intake.warn(
                    line,
                    Some(&title),
                    format_args!("{title} {} {reason}; kept in metadata", quoted(value)),
                );
                false
            }
        }
    }

    fn group_label(&mut self, property: &Property) -> Option<String> {
        property.group().and_then(|group| self.groups.label(group))
    }

    /// The parameters that become part of a channel or an address: types only if they are its label.
    fn used(&mut self, property: &Property) -> Vec<Used> {
        let mut used = own_parameters();
        let says_nothing = |name: &String| matches!(name.as_str(), "internet" | "voice" | "twitter" | "linkedin");
        if self.group_label(property).is_none() || property.types().iter().all(says_nothing) {
            used.push(Used::Types);
        }
        used
    }
}

fn without_scheme(text: &str) -> &str {
    text.strip_prefix("tel:").or_else(|| text.strip_prefix("mailto:")).unwrap_or(text)
}

/// The types that say something about the channel.
fn type_label(mut types: Vec<String>) -> Option<String> {
    types.retain(|name| name != "internet");
    if types.len() > 1 {
        types.retain(|name| name != "voice");
    }
    (!types.is_empty()).then(|| types.join(", "))
}
