use serde_json::{Map, Value};

use crate::{Error, Result};

use super::contact::MAX_TEXT_CHARS;

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

/// Checks that no text in `object` has a NUL, at whatever depth.
pub(super) fn check_object(pointer: &str, object: &Map<String, Value>) -> Result<()> {
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
