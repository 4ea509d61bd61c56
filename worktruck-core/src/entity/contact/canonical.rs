//! Canonical values: two spellings of one address, number or handle become the same text.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat};

use super::{ChannelKind, Region};

/// The form in which a channel's value is compared and looked up.
///
/// It never fails: what cannot be understood is only trimmed, so that a lookup by a nonsensical value
/// finds nothing instead of failing. The canonical form of a value that a contact may have is its own.
///
/// | kind | canonical form |
/// |---|---|
/// | e-mail | lower case, without `mailto:` |
/// | phone | E.164 if it parses in `region` and has a possible length (an extension is dropped); else its digits, with a leading `+` if it has one |
/// | url | scheme and host in lower case, `https` if no scheme is given, no default port, no lone trailing `/` |
/// | twitter | the handle in lower case, without `@` or address |
/// | linkedin | the path below linkedin.com in lower case, such as `in/ada` |
/// | custom | single spaces, none around |
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::contact::{ChannelKind, canonical_value};
///
/// let us = Some("US".parse()?);
/// assert_eq!(canonical_value(ChannelKind::Phone, "(415) 555-0100", us), "+14155550100");
/// assert_eq!(canonical_value(ChannelKind::Email, " Ada@Example.ORG ", None), "ada@example.org");
/// assert_eq!(canonical_value(ChannelKind::Twitter, "https://x.com/Ada", None), "ada");
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[must_use]
pub fn canonical_value(kind: ChannelKind, value: &str, region: Option<Region>) -> String {
    let value = value.trim();
    match kind {
        ChannelKind::Email => email(value),
        ChannelKind::Phone => phone(value, region),
        ChannelKind::Url => url(value),
        ChannelKind::Twitter => twitter(value),
        ChannelKind::Linkedin => linkedin(value),
        ChannelKind::Custom => single_spaced(value),
    }
}

fn email(value: &str) -> String {
    without_prefix(value, "mailto:").trim().to_lowercase()
}

fn phone(value: &str, region: Option<Region>) -> String {
    if let Some(number) = e164(value, region) {
        return number;
    }
    let value = without_prefix(value, "tel:").trim();
    let mut digits = String::with_capacity(value.len());
    for char in value.chars() {
        match char {
            '+' | '\u{ff0b}' if digits.is_empty() => digits.push('+'),
            '0'..='9' | '*' | '#' => digits.push(char),
            _ => digits.extend(decimal(char)),
        }
    }
    if digits.bytes().any(|b| b.is_ascii_digit()) {
        // Without the words around it, it may parse after all.
        e164(&digits, region).unwrap_or(digits)
    } else {
        single_spaced(value).to_lowercase()
    }
}

fn e164(value: &str, region: Option<Region>) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(value, region.map(Region::numbering_plan)).ok()?;
    // A number that is too short to be dialled from elsewhere (911, a desk's extension) is not one of the
    // region's plan: E.164 would make another number of it.
    let is_whole =
        matches!(PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number), Ok(NumberLengthType::IsPossible));
    is_whole.then(|| PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
}

/// The value of a full-width or Arabic digit, as these are what people's keyboards have.
fn decimal(char: char) -> Option<char> {
    let zero = match char {
        '\u{ff10}'..='\u{ff19}' => 0xff10,
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        _ => return None,
    };
    char::from_digit(u32::from(char) - zero, 10)
}

fn url(value: &str) -> String {
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => match value.split_once(':') {
            // An address such as `mailto:…` or `urn:…`; a port or a dotted host name is not a scheme.
            Some((scheme, rest))
                if is_scheme(scheme) && !scheme.contains('.') && !rest.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                return format!("{}:{rest}", scheme.to_ascii_lowercase());
            }
            _ => ("https".to_owned(), value.trim_start_matches('/')),
        },
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{user}@"), host),
        None => (String::new(), authority),
    };
    let host = host.to_lowercase();
    let default_port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    let path = if path == "/" { "" } else { path };
    format!("{scheme}://{user}{host}{path}")
}

pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn twitter(value: &str) -> String {
    let handle = site_path(value, &["twitter.com", "x.com"]).unwrap_or(value).trim_start_matches("#!");
    let handle = handle.trim_start_matches(|c: char| matches!(c, '/' | '@') || c.is_whitespace());
    let end = handle.find(['/', '?', '#']).unwrap_or(handle.len());
    handle[..end].trim().to_lowercase()
}

fn linkedin(value: &str) -> String {
    let path = site_path(value, &["linkedin.com"]).unwrap_or(value);
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let is_around = |c: char| matches!(c, '/' | '@') || c.is_whitespace();
    let path = path[..end].trim_matches(is_around).to_lowercase();
    if path.is_empty() || path.contains('/') { path } else { format!("in/{path}") }
}

/// What follows the host name, if `value` is an address on one of `sites` or below.
fn site_path<'a>(value: &'a str, sites: &[&str]) -> Option<&'a str> {
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.to_ascii_lowercase();
    let is_on = |site: &&str| host.strip_suffix(*site).is_some_and(|below| below.is_empty() || below.ends_with('.'));
    sites.iter().any(is_on).then(|| path.trim_start_matches('/'))
}

fn without_prefix<'a>(value: &'a str, prefix: &str) -> &'a str {
    match value.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &value[prefix.len()..],
        _ => value,
    }
}

fn single_spaced(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for word in value.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}
