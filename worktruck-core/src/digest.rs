//! SHA-256 over canonical JSON.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// A SHA-256 digest; text and JSON are 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of `value` as canonical JSON (RFC 8785): the order of members and the spelling
    /// of numbers do not matter. Numbers are those of JavaScript, as the RFC wants it: integers
    /// beyond 2^53 that round to the same one have the same digest.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the value has no JSON form.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::json;
    /// use worktruck_core::Digest;
    ///
    /// let one: serde_json::Value = serde_json::from_str(r#"{"b": 1.0, "a": "é"}"#)?;
    /// assert_eq!(Digest::of_json(&one)?, Digest::of_json(&json!({"a": "é", "b": 1}))?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let bytes = serde_json_canonicalizer::to_vec(&value)
            .map_err(|e| Error::invalid("value has no canonical JSON form").with_source(e))?;
        Ok(Self::of_bytes(&bytes))
    }

    /// The digest with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two numbers are written much faster than 32: there are several digests in every step.
        let (halves, _) = self.0.as_chunks();
        halves.iter().try_for_each(|half| write!(f, "{:032x}", u128::from_be_bytes(*half)))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("a digest is 64 hexadecimal digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
