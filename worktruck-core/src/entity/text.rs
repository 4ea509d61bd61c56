use serde_json::{Map, Value};

use crate::{Error, Result};

use super::contact::{MAX_TEXT_CHARS, MAX_URL_CHARS};

/// The longest text, in bytes of UTF-8.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Checks a name: not blank, not too long, no NUL.
pub(super) fn check_name(pointer: &str, name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid("the name must not be empty").at(pointer));
    }
    if name.chars().nth(MAX_TEXT_CHARS).is_some() {
        return Err(Error::invalid(format!("the name is longer than {MAX_TEXT_CHARS} characters")).at(pointer));
    }
    no_nul(pointer, name)
}

/// Checks a text of some length: not too long, no NUL.
pub(super) fn check_text(pointer: &str, text: &str) -> Result<()> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::invalid(format!("the text is longer than {MAX_TEXT_BYTES} bytes")).at(pointer));
    }
    no_nul(pointer, text)
}

/// Checks a short text that may be absent: not blank, not too long, no NUL.
pub(super) fn check_optional(pointer: &str, text: Option<&str>) -> Result<()> {
    text.map_or(Ok(()), |text| check_name(pointer, text))
}

/// Checks a text of some length that may be absent.
pub(super) fn check_optional_text(pointer: &str, text: Option<&str>) -> Result<()> {
    text.map_or(Ok(()), |text| check_text(pointer, text))
}

/// Checks an address of the web that may be absent.
pub(super) fn check_url(pointer: &str, url: Option<&str>) -> Result<()> {
    let Some(url) = url else { return Ok(()) };
    no_nul(pointer, url)?;
    let has_place = url.split_once(':').is_some_and(|(scheme, rest)| {
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        is_scheme && !rest.trim_start_matches('/').is_empty()
    });
    if !has_place || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::invalid(format!("{url:?} is not a web address; it begins with https://")).at(pointer));
    }
    if url.chars().nth(MAX_URL_CHARS).is_some() {
        return Err(Error::invalid(format!("the address is longer than {MAX_URL_CHARS} characters")).at(pointer));
    }
    Ok(())
}

/// Checks that no text in `object` has a NUL, at whatever depth.
pub(crate) fn check_object(pointer: &str, object: &Map<String, Value>) -> Result<()> {
    object.iter().try_for_each(|(key, value)| {
        no_nul(pointer, key)?;
        check_value(&format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), value)
    })
}

fn check_value(pointer: &str, value: &Value) -> Result<()> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) => no_nul(pointer, text),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(at, item)| check_value(&format!("{pointer}/{at}"), item))
        }
        Value::Object(object) => check_object(pointer, object),
    }
}

fn no_nul(pointer: &str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid("the text contains a NUL character").at(pointer));
    }
    Ok(())
}
