use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// How a secret may be written.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The forms of a secret: as it is, in hexadecimal, in base64 from each of the three places in a group that it
/// can begin at, escaped in URLs and in JSON, and as `Debug` writes texts and bytes.
pub(crate) fn forms(secret: &[u8]) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>| {
        assert!(bytes.len() >= 8, "{name} is long enough not to turn up by chance");
        forms.push(Form { name: name.to_owned(), bytes });
    };
    add("as it is", secret.to_vec());
    let hex = |upper: bool| {
        secret.iter().fold(String::new(), |mut text, byte| {
            let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
            text
        })
    };
    add("in hexadecimal", hex(false).into_bytes());
    add("in hexadecimal capitals", hex(true).into_bytes());
    for shift in 0..3 {
        let shifted = [&vec![0; shift][..], secret].concat();
        for (name, text) in
            [("base64", STANDARD_NO_PAD.encode(&shifted)), ("base64 of URLs", URL_SAFE_NO_PAD.encode(&shifted))]
        {
            // The first and the last characters depend on what stands beside it.
            let sure = &text[(shift * 8).div_ceil(6)..shifted.len() * 8 / 6];
            add(&format!("in {name}, shifted by {shift}"), sure.as_bytes().to_vec());
        }
    }
    let escaped = |upper: bool| {
        secret.iter().fold(String::new(), |mut text, byte| {
            let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
            let _ = match (is_plain, upper) {
                (true, _) => write!(text, "{}", char::from(*byte)),
                (false, true) => write!(text, "%{byte:02X}"),
                (false, false) => write!(text, "%{byte:02x}"),
            };
            text
        })
    };
    add("escaped for URLs", escaped(true).into_bytes());
    add("escaped for URLs in small letters", escaped(false).into_bytes());
    add("as a list of bytes", format!("{secret:?}").trim_matches(['[', ']']).as_bytes().to_vec());
    if let Ok(text) = str::from_utf8(secret) {
        let json = serde_json::to_string(text).unwrap();
        add("escaped for JSON", json.trim_matches('"').as_bytes().to_vec());
        let twice = serde_json::to_string(&json).unwrap();
        add("escaped for JSON twice", twice.trim_matches(['"', '\\']).as_bytes().to_vec());
        let debug = format!("{text:?}");
        add("as Debug writes it", debug.as_bytes()[1..debug.len() - 1].to_vec());
    }
    forms
}

/// A text with a secret in every form but as a list of bytes, which nobody writes into a text.
pub(crate) fn written(secret: &str) -> String {
    let forms = forms(secret.as_bytes()).into_iter().filter(|form| form.name != "as a list of bytes");
    let texts: Vec<String> = forms.map(|form| String::from_utf8(form.bytes).unwrap()).collect();
    format!("[{}]", texts.join(" | "))
}

/// Places that were looked at.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    places: Vec<(String, Vec<u8>)>,
}

impl Scan {
    pub(crate) fn look(&mut self, place: &str, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "{place} is empty");
        self.places.push((place.to_owned(), bytes.to_vec()));
    }

    /// The places that were looked at, each once.
    pub(crate) fn places(&self) -> BTreeSet<&str> {
        self.places.iter().map(|(place, _)| place.as_str()).collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.places.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Whether a place has a text.
    pub(crate) fn has(&self, place: &str, text: &str) -> bool {
        self.places.iter().any(|(known, bytes)| known == place && String::from_utf8_lossy(bytes).contains(text))
    }

    /// Where which form is.
    pub(crate) fn found(&self, forms: &[Form]) -> Vec<String> {
        let has = |bytes: &[u8], text: &str, part: &[u8]| match str::from_utf8(part) {
            // No less exact, and much faster: what is no text around it does not change it.
            Ok(part) => text.contains(part),
            Err(_) => bytes.windows(part.len()).any(|window| window == part),
        };
        let texts = self.places.iter().map(|(place, bytes)| (place, bytes, String::from_utf8_lossy(bytes)));
        let found = texts.flat_map(|(place, bytes, text)| {
            let found = forms.iter().filter(move |form| has(bytes, &text, &form.bytes));
            found.map(move |form| format!("{place}: {}", form.name))
        });
        found.collect()
    }

    pub(crate) fn expect_none_of(&self, forms: &[Form]) {
        let found = self.found(forms);
        assert!(found.is_empty(), "a secret is in the clear:\n{}", found.join("\n"));
    }
}
