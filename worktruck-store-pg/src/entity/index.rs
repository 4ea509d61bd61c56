//! How the tables keep what entities are found by, sorted by and searched for.

use std::collections::{BTreeMap, HashSet};

use worktruck_core::entity::Kind;
use worktruck_core::{Digest, Error, Result, TenantId, Timestamp};

/// A value as a key of an index: its bytes, which PostgreSQL compares one by one. An index has no
/// room for longer ones; those are told apart by a digest, and sort by their beginning.
pub(super) fn key_bytes(value: &str) -> Vec<u8> {
    if value.len() <= LONGEST_KEY {
        return value.as_bytes().to_vec();
    }
    let mut key = value.as_bytes().get(..BEGINNING).unwrap_or_default().to_vec();
    key.extend_from_slice(Digest::of_bytes(value.as_bytes()).as_bytes());
    key
}

const LONGEST_KEY: usize = 2_100;
const BEGINNING: usize = LONGEST_KEY - 32;

/// The key in SQL of the value whose hexadecimal digits `hex` is.
pub(super) fn hex_key(hex: &str) -> String {
    let (longest, beginning) = (2 * LONGEST_KEY, 2 * BEGINNING);
    format!(
        "CASE WHEN length({hex}) <= {longest} THEN decode({hex}, 'hex')
             ELSE decode(left({hex}, {beginning}), 'hex') || sha256(decode({hex}, 'hex')) END"
    )
}

/// A moment as a key of an index: its bytes sort as it does.
pub(super) fn time_key(at: Timestamp) -> Vec<u8> {
    let micros = at.as_micros();
    // The sign comes first and is turned over, so that what is negative is less.
    (micros ^ i64::MIN).to_be_bytes().to_vec()
}

/// The name under which the time of the newest write is a sort key.
pub(super) const UPDATED_AT: &str = "updated_at";

/// Texts as hexadecimal digits, which sort as the bytes of the texts do and have none that
/// PostgreSQL cannot keep.
pub(super) fn to_hex(sort: &BTreeMap<String, String>) -> BTreeMap<&str, String> {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    sort.iter().map(|(name, value)| (name.as_str(), hex(value))).collect()
}

pub(super) fn from_hex(sort: BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    sort.into_iter().map(|(name, value)| Ok((name, text_of(&value)?))).collect()
}

/// The text whose bytes these digits are.
pub(super) fn text_of(hex: &str) -> Result<String> {
    let damaged = || Error::internal("the store holds a damaged sort key");
    let digits: Vec<u8> = hex
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()
        .ok_or_else(damaged)?;
    let bytes = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit)).collect();
    String::from_utf8(bytes).map_err(|_| damaged())
}

/// What leads each word of a tenant's entities of a kind.
pub(super) fn mark(tenant: TenantId, kind: Kind) -> String {
    let mut bytes = tenant.as_uuid().as_bytes().to_vec();
    bytes.extend_from_slice(kind.as_str().as_bytes());
    let digest = Digest::of_bytes(&bytes);
    digest.as_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Longer words are found by their beginning.
const LONGEST_WORD: usize = 200;
/// PostgreSQL keeps no more of one text, in bytes. A text with more words is among what is found for
/// any words, and whether it has them is seen when it is read.
const LONGEST_TEXT: usize = 700_000;
/// Follows the mark instead of a word where words were left out; no word begins like this.
pub(super) const MORE: &str = "~";

/// The words of a folded text, each with the mark before it and once, spaces between. What comes
/// first in the text is the first to be kept.
pub(super) fn lexemes(mark: &str, folded: &str) -> String {
    let mut seen = HashSet::new();
    let words = folded.split(' ').filter(|word| !word.is_empty()).map(shorten);
    let mut lexemes = String::with_capacity(2 * folded.len());
    for word in words.filter(|word| seen.insert(*word)) {
        let is_full = lexemes.len() + word.len() > LONGEST_TEXT;
        if !lexemes.is_empty() {
            lexemes.push(' ');
        }
        lexemes.push_str(mark);
        lexemes.push_str(if is_full { MORE } else { word });
        if is_full {
            break;
        }
    }
    lexemes
}

/// The beginning of a word, as far as it is kept.
pub(super) fn shorten(word: &str) -> &str {
    let mut end = word.len().min(LONGEST_WORD);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    word.get(..end).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_sort_as_their_keys() {
        let moments = [i64::MIN, -1, 0, 1, 1_800_000_000_000_000, i64::MAX].map(Timestamp::from_micros);
        let keys: Vec<Vec<u8>> = moments.iter().map(|at| time_key(*at)).collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn texts_come_back_from_hexadecimal_digits() {
        for text in ["", "Ada", "Zoë\0\u{10ffff}"] {
            let sort = BTreeMap::from([("name".to_owned(), text.to_owned())]);
            let hex: BTreeMap<String, String> =
                to_hex(&sort).into_iter().map(|(name, hex)| (name.to_owned(), hex)).collect();
            assert_eq!(from_hex(hex).unwrap(), sort);
        }
        assert!(text_of("4g").is_err());
    }

    #[test]
    fn long_values_are_still_told_apart() {
        let long = "x".repeat(3_000);
        let (one, other) = (key_bytes(&format!("{long}1")), key_bytes(&format!("{long}2")));
        assert_eq!((one.len(), other.len()), (LONGEST_KEY, LONGEST_KEY));
        assert_ne!(one, other);
    }
}
