//! Values that must not be shown.

use std::fmt;
use std::fmt::Write as _;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
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
pub struct Secret {
    value: String,
    /// How it may be written, the longest first; made when they are first looked for.
    forms: OnceLock<Vec<String>>,
}

/// What stands in the place of a secret in a journal, an event or an error.
const REPLACEMENT: &str = "[secret]";
/// A shorter value is not looked for: it would turn up by chance.
const SHORTEST_REPLACED: usize = 8;

impl Secret {
    /// Takes `value` into custody.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), forms: OnceLock::new() }
    }

    /// The value itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// The last four characters, or nothing if that would show more than a quarter of it.
    #[must_use]
    pub fn hint(&self) -> &str {
        let count = self.value.chars().count();
        if count < 16 {
            return "";
        }
        self.value.char_indices().nth(count - 4).map_or("", |(at, _)| &self.value[at..])
    }

    /// Replaces every occurrence of the secret in `text`, unless it has fewer than 8 bytes: as it is, escaped for JSON
    /// (also twice), for URLs or by `Debug`, in hexadecimal, and in base64 wherever in it the secret begins.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::Secret;
    ///
    /// let key = Secret::new("sk-live/1234");
    /// assert_eq!(key.redact("no such key sk-live/1234"), "no such key [secret]");
    /// assert_eq!(key.redact("GET /?key=sk-live%2F1234"), "GET /?key=[secret]");
    /// assert_eq!(key.redact("Basic dXNlcjpzay1saXZlLzEyMzQ="), "Basic dXNlcjp[secret]Q=");
    /// ```
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.forms_in(text).fold(text.to_owned(), |text, form| text.replace(form, REPLACEMENT))
    }

    fn is_in(&self, text: &str) -> bool {
        self.forms_in(text).next().is_some()
    }

    /// The forms of the secret that a text has.
    fn forms_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a String> {
        // No form is shorter than the secret.
        let may_be = self.value.len() >= SHORTEST_REPLACED && text.len() >= self.value.len();
        let forms = if may_be { &**self.forms.get_or_init(|| forms(&self.value)) } else { &[] };
        forms.iter().filter(move |form| text.contains(form.as_str()))
    }
}

/// How a secret may be written, the longest first.
fn forms(secret: &str) -> Vec<String> {
    let debug = format!("{secret:?}");
    let mut forms = vec![secret.to_owned(), debug[1..debug.len() - 1].to_owned()];
    let json = Value::from(secret).to_string();
    let twice = Value::from(&*json).to_string();
    forms.push(json[1..json.len() - 1].to_owned());
    // Within the quotes of the second time are those of the first, escaped.
    forms.push(twice[3..twice.len() - 3].to_owned());
    let (mut url, mut hex) = (String::new(), String::new());
    for byte in secret.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        // Writing to a string cannot fail.
        let _ = if is_plain { write!(url, "{}", char::from(byte)) } else { write!(url, "%{byte:02X}") };
        let _ = write!(hex, "{byte:02x}");
    }
    forms.extend([in_small_escapes(&url), url, hex.to_uppercase(), hex]);
    for shift in 0..3 {
        let shifted = [&[0; 2][..shift], secret.as_bytes()].concat();
        // The first and the last characters depend on what stands beside it.
        let sure = (shift * 8).div_ceil(6)..shifted.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.push(text[sure.clone()].to_owned());
        }
    }
    forms.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    forms.dedup();
    forms
}

/// `%2f` for `%2F`.
fn in_small_escapes(url: &str) -> String {
    let mut after = 2;
    let small = url.chars().map(|c| {
        after = if c == '%' { 0 } else { (after + 1).min(3) };
        if after <= 2 { c.to_ascii_lowercase() } else { c }
    });
    small.collect()
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
            if members.keys().any(|name| secrets.iter().any(|secret| secret.is_in(name))) {
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
        if secret.is_in(text) {
            *text = secret.redact(text);
        }
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.value.zeroize();
        if let Some(forms) = self.forms.get_mut() {
            forms.zeroize();
        }
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

    const KEY: &str = "planted+/=%\"\\key-\u{c4}~9f3b";

    #[test]
    fn a_secret_is_replaced_in_texts_and_in_names_of_members() {
        let mut value = json!({ "ok": ["a hunter22 b"], "token hunter22": { "hunter22": "hunter22" } });
        redact(&[Secret::new("hunter22")], &mut value);
        assert_eq!(value, json!({ "ok": ["a [secret] b"], "token [secret]": { "[secret]": "[secret]" } }));
    }

    #[test]
    fn a_secret_is_replaced_however_it_is_written() {
        let secret = Secret::new(KEY);
        let json = json!(KEY).to_string();
        let escaped = "planted%2B%2F%3D%25%22%5Ckey-%C3%84~9f3b";
        let hex = KEY.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        for form in [
            KEY.to_owned(),
            format!("{KEY:?}"),
            json.clone(),
            json!(json).to_string(),
            escaped.to_owned(),
            escaped.replace("%2B%2F%3D", "%2b%2f%3d").replace("%5C", "%5c").replace("%C3", "%c3"),
            hex.to_uppercase(),
            hex,
        ] {
            let text = secret.redact(&format!("before {form} and {form} after"));
            let rest = text.replace(REPLACEMENT, "");
            assert_eq!(text.matches(REPLACEMENT).count(), 2, "{form}: {text}");
            assert_eq!(rest.replace(['"', '\\'], ""), "before  and  after", "{form}");
        }
        for before in ["", "a", "ab", "user:"] {
            for after in ["", "b", "bc"] {
                let plain = format!("{before}{KEY}{after}");
                for text in [STANDARD_NO_PAD.encode(&plain), URL_SAFE_NO_PAD.encode(&plain)] {
                    let left = secret.redact(&text).replace(REPLACEMENT, "").len();
                    assert!(left <= (before.len() + after.len()) * 4 / 3 + 4, "{left} of {text} are left");
                }
            }
        }
    }

    #[test]
    fn nothing_else_is_replaced() {
        let secret = Secret::new("sk-live-0123456789");
        for text in ["", "sk-live-012345678", "SK-LIVE-0123456789", "c2stbGl2ZS0wMTIzNDU2Nzg"] {
            assert_eq!(secret.redact(text), text);
        }
        assert_eq!(Secret::new("short").redact("short"), "short");
    }
}
