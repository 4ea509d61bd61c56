//! Values that must not be shown.

use std::fmt;

use serde_json::Value;
use zeroize::Zeroize;

/// A secret text: it cannot be printed, compared or serialised, and is wiped when dropped.
///
/// # Examples
///
/// ```
/// use worktruck_core::Secret;
///
/// let key = Secret::new("sk-ant-api03-abcd");
/// assert_eq!(format!("{key:?}"), "Secret(..)");
/// assert_eq!(key.hint(), "abcd");
/// ```
#[derive(Clone)]
pub struct Secret(String);

/// What stands in the place of a secret in a journal, an event or an error.
const REPLACEMENT: &str = "[secret]";
/// A shorter value is not looked for: it would turn up by chance.
const SHORTEST_REPLACED: usize = 8;

impl Secret {
    /// Takes `value` into custody.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The last four characters, or nothing if that would show more than a quarter of it.
    #[must_use]
    pub fn hint(&self) -> &str {
        let count = self.0.chars().count();
        if count < 16 {
            return "";
        }
        self.0.char_indices().nth(count - 4).map_or("", |(at, _)| &self.0[at..])
    }

    /// Replaces every occurrence of the secret in `text`, unless it has fewer than 8 bytes.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        if self.0.len() < SHORTEST_REPLACED { text.to_owned() } else { text.replace(&self.0, REPLACEMENT) }
    }
}

/// Replaces every occurrence of every secret in the texts of `value`, names of members included.
pub(crate) fn redact(secrets: &[Secret], value: &mut Value) {
    if secrets.is_empty() {
        return;
    }
    match value {
        Value::String(text) => redact_text(secrets, text),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(secrets, item)),
        Value::Object(members) => {
            if members.keys().any(|name| secrets.iter().any(|secret| name.contains(&secret.0))) {
                let named = std::mem::take(members).into_iter().map(|(mut name, member)| {
                    redact_text(secrets, &mut name);
                    (name, member)
                });
                *members = named.collect();
            }
            members.values_mut().for_each(|member| redact(secrets, member));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn redact_text(secrets: &[Secret], text: &mut String) {
    for secret in secrets {
        if text.contains(&secret.0) {
            *text = secret.redact(text);
        }
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_replaced_in_texts_and_in_names_of_members() {
        let mut value = json!({ "ok": ["a hunter22 b"], "token hunter22": { "hunter22": "hunter22" } });
        redact(&[Secret::new("hunter22")], &mut value);
        assert_eq!(value, json!({ "ok": ["a [secret] b"], "token [secret]": { "[secret]": "[secret]" } }));
    }
}
