//! Validation of a contact, and its canonical form.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::canonical::is_scheme;
use super::{Address, Channel, ChannelKind, Contact, ContactDate, Region, canonical_value};
use crate::{Error, ItemId, Result};

/// The longest name, label or other short text, in characters.
pub const MAX_TEXT_CHARS: usize = 512;
/// The longest bio, in bytes of UTF-8.
pub const MAX_BIO_BYTES: usize = 1 << 20;
/// The longest web address, in characters.
pub const MAX_URL_CHARS: usize = 2048;

pub(super) fn normalise(contact: &mut Contact, region: Option<Region>) -> Result<()> {
    required("/display_name", &contact.display_name)?;
    for (name, text) in [
        ("given_name", &contact.given_name),
        ("middle_name", &contact.middle_name),
        ("family_name", &contact.family_name),
        ("prefix", &contact.prefix),
        ("suffix", &contact.suffix),
        ("nickname", &contact.nickname),
        ("vcard_uid", &contact.vcard_uid),
    ] {
        optional(text.as_deref(), || format!("/{name}"))?;
    }
    if let Some(bio) = &contact.bio {
        no_nul(bio).map_err(|e| e.at("/bio"))?;
        if bio.len() > MAX_BIO_BYTES {
            return Err(Error::invalid(format!("the text is longer than {MAX_BIO_BYTES} bytes")).at("/bio"));
        }
    }
    if let Some(address) = &contact.avatar_url {
        web_address(address).map_err(|e| e.at("/avatar_url"))?;
    }
    for (pointer, tag) in [("/language", &contact.language), ("/timezone", &contact.timezone)] {
        if let Some(tag) = tag {
            required(pointer, tag)?;
            if tag.contains(char::is_whitespace) {
                return Err(Error::invalid(format!("{tag:?} has white space in it")).at(pointer));
            }
        }
    }
    channels(&mut contact.channels, region)?;
    for (index, address) in contact.addresses.iter_mut().enumerate() {
        check_address(address, index)?;
    }
    for (index, date) in contact.dates.iter().enumerate() {
        check_date(date, index)?;
    }
    item_ids(contact)?;
    tags(&mut contact.tags)?;
    metadata(&contact.metadata, "/metadata")
}

fn channels(channels: &mut [Channel], region: Option<Region>) -> Result<()> {
    for (index, channel) in channels.iter_mut().enumerate() {
        let at = |field: &str| format!("/channels/{index}/{field}");
        channel_value(channel).map_err(|e| e.at(at("value")))?;
        optional(channel.label.as_deref(), || at("label"))?;
        channel.canonical_value = canonical_value(channel.kind, &channel.value, region);
        if channel.canonical_value.is_empty() {
            return Err(Error::invalid(format!("{:?} names nobody", channel.value)).at(at("value")));
        }
    }
    let mut seen = HashSet::new();
    let mut primary = HashSet::new();
    for (index, channel) in channels.iter().enumerate() {
        // The label of a custom channel says what it is: one handle at two services is no duplicate.
        let kind = (channel.kind, channel.label.as_deref().filter(|_| channel.kind == ChannelKind::Custom));
        if !seen.insert((kind, channel.canonical_value.as_str())) {
            let message = format!("the contact has the {} channel {:?} already", channel.kind, channel.canonical_value);
            return Err(Error::conflict(message).at(format!("/channels/{index}/value")));
        }
        if channel.is_primary && !primary.insert(kind) {
            let message = format!("only one {} channel can be the primary one", channel.kind);
            return Err(Error::invalid(message).at(format!("/channels/{index}/is_primary")));
        }
    }
    Ok(())
}

fn channel_value(channel: &Channel) -> Result<()> {
    let value = channel.value.as_str();
    if channel.kind == ChannelKind::Url {
        return web_address(value);
    }
    text(value)?;
    let refused = |what: &str| Err(Error::invalid(format!("{value:?} is not {what}")));
    match channel.kind {
        ChannelKind::Email if !is_email(&canonical_value(channel.kind, value, None)) => refused("an e-mail address"),
        ChannelKind::Phone if !value.contains(char::is_numeric) => refused("a phone number"),
        ChannelKind::Twitter | ChannelKind::Linkedin
            if canonical_value(channel.kind, value, None).contains(char::is_whitespace) =>
        {
            refused("a handle: it has white space in it")
        }
        _ if value.trim().is_empty() => Err(Error::invalid("the value is empty")),
        _ => Ok(()),
    }
}

fn is_email(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let is_quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let is_local = is_quoted
        || !local.is_empty()
            && !local.contains(|c: char| c.is_whitespace() || c.is_control() || "()<>[]:;@\\,\"".contains(c));
    let is_literal = domain.len() > 2 && domain.starts_with('[') && domain.ends_with(']');
    let is_domain = is_literal
        || domain.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| {
                    c.is_alphanumeric()
                        || c == '-'
                        || c == '_'
                        || (!c.is_ascii() && !c.is_whitespace() && !c.is_control())
                })
        });
    is_local && is_domain
}

fn web_address(address: &str) -> Result<()> {
    no_nul(address)?;
    short_enough(address, MAX_URL_CHARS)?;
    let address = address.trim();
    let has_place = match address.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => !rest.trim_start_matches('/').is_empty(),
        _ => !address.trim_start_matches('/').is_empty(),
    };
    if has_place && !address.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Ok(())
    } else {
        Err(Error::invalid(format!("{address:?} is not a web address")))
    }
}

fn check_address(address: &mut Address, index: usize) -> Result<()> {
    let at = |field: &str| format!("/addresses/{index}/{field}");
    for (name, text) in [
        ("label", &address.label),
        ("street", &address.street),
        ("extended", &address.extended),
        ("po_box", &address.po_box),
        ("city", &address.city),
        ("region", &address.region),
        ("postal_code", &address.postal_code),
        ("country", &address.country),
    ] {
        optional(text.as_deref(), || at(name))?;
    }
    if let Some(code) = &mut address.country_code {
        if code.len() != 2 || !code.bytes().all(|b| b.is_ascii_alphabetic()) {
            let message = format!("{code:?} is not a country code; give the two letters of ISO 3166-1");
            return Err(Error::invalid(message).at(at("country_code")));
        }
        code.make_ascii_uppercase();
    }
    for (name, degrees, limit) in [("latitude", address.latitude, 90.0), ("longitude", address.longitude, 180.0)] {
        // Written so that NaN is refused too.
        if degrees.is_some_and(|degrees| !(-limit..=limit).contains(&degrees)) {
            return Err(Error::invalid(format!("degrees must lie between -{limit} and {limit}")).at(at(name)));
        }
    }
    Ok(())
}

fn check_date(date: &ContactDate, index: usize) -> Result<()> {
    let at = |field: &str| format!("/dates/{index}{field}");
    required(&at("/date_type"), &date.date_type)?;
    optional(date.label.as_deref(), || at("/label"))?;
    date_parts(date.year, date.month, date.day).map_err(|(field, message)| Error::invalid(message).at(at(field)))
}

/// Refuses a date that no calendar has; the parts that may be left out are those of RFC 6350 section 4.3.1.
pub(super) fn date_parts(year: Option<u16>, month: Option<u8>, day: Option<u8>) -> Result<(), (&'static str, String)> {
    if year.is_none() && month.is_none() && day.is_none() {
        return Err(("", "a date needs a year, a month or a day".to_owned()));
    }
    if let Some(year) = year
        && !(1..=9999).contains(&year)
    {
        return Err(("/year", "a year must lie between 1 and 9999".to_owned()));
    }
    if let Some(month) = month
        && !(1..=12).contains(&month)
    {
        return Err(("/month", "a month must lie between 1 and 12".to_owned()));
    }
    let Some(day) = day else { return Ok(()) };
    if year.is_some() && month.is_none() {
        return Err(("/day", "a day of a year needs its month".to_owned()));
    }
    let last = match month {
        Some(2) if year.is_none_or(is_leap) => 29,
        Some(2) => 28,
        Some(4 | 6 | 9 | 11) => 30,
        _ => 31,
    };
    if (1..=last).contains(&day) { Ok(()) } else { Err(("/day", format!("the day must lie between 1 and {last}"))) }
}

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn item_ids(contact: &Contact) -> Result<()> {
    fn unique<'a>(seen: &mut HashSet<ItemId>, list: &str, ids: impl Iterator<Item = &'a ItemId>) -> Result<()> {
        for (index, id) in ids.enumerate() {
            if !seen.insert(*id) {
                let message = format!("the id {id} is used twice in the contact");
                return Err(Error::invalid(message).at(format!("/{list}/{index}/id")));
            }
        }
        Ok(())
    }
    let mut seen = HashSet::new();
    unique(&mut seen, "channels", contact.channels.iter().map(|item| &item.id))?;
    unique(&mut seen, "addresses", contact.addresses.iter().map(|item| &item.id))?;
    unique(&mut seen, "dates", contact.dates.iter().map(|item| &item.id))
}

fn tags(tags: &mut Vec<String>) -> Result<()> {
    for (index, tag) in tags.iter_mut().enumerate() {
        required(&format!("/tags/{index}"), tag)?;
        if tag.trim().len() != tag.len() {
            *tag = tag.trim().to_owned();
        }
    }
    tags.sort_unstable();
    tags.dedup();
    Ok(())
}

fn metadata(object: &Map<String, Value>, pointer: &str) -> Result<()> {
    for (key, value) in object {
        if key.contains('\0') {
            return no_nul(key).map_err(|e| e.at(pointer));
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) if !text.contains('\0') => {}
            _ => metadata_value(value, &format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")))?,
        }
    }
    Ok(())
}

fn metadata_value(value: &Value, pointer: &str) -> Result<()> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) => no_nul(text).map_err(|e| e.at(pointer)),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| metadata_value(item, &format!("{pointer}/{index}")))
        }
        Value::Object(object) => metadata(object, pointer),
    }
}

fn required(pointer: &str, value: &str) -> Result<()> {
    if value.trim().is_empty() {
        return Err(Error::invalid("the text is empty").at(pointer));
    }
    text(value).map_err(|e| e.at(pointer))
}

fn optional(value: Option<&str>, pointer: impl FnOnce() -> String) -> Result<()> {
    value.map_or(Ok(()), text).map_err(|e| e.at(pointer()))
}

fn text(value: &str) -> Result<()> {
    no_nul(value)?;
    short_enough(value, MAX_TEXT_CHARS)
}

fn short_enough(value: &str, limit: usize) -> Result<()> {
    if value.len() > limit && value.chars().nth(limit).is_some() {
        return Err(Error::invalid(format!("the text is longer than {limit} characters")));
    }
    Ok(())
}

fn no_nul(value: &str) -> Result<()> {
    if value.contains('\0') { Err(Error::invalid("the text contains a NUL character")) } else { Ok(()) }
}
