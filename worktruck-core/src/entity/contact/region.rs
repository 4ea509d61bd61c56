//! Regions, which say how a phone number without a country code is meant.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::PHONE_NUMBER_UTIL;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Result};

/// A country or territory (ISO 3166-1 alpha-2) that has a telephone numbering plan.
///
/// A phone number that was written without a country code is read as one of this region.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::contact::Region;
///
/// let region: Region = "gb".parse()?;
/// assert_eq!(region.to_string(), "GB");
/// assert!("UK".parse::<Region>().is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Region(rlibphonenumber::Region);

impl Region {
    pub(super) const fn numbering_plan(self) -> rlibphonenumber::Region {
        self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.as_region_str())
    }
}

impl FromStr for Region {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_code = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
        let region = is_code.then(|| rlibphonenumber::Region::from_code(&text.to_ascii_uppercase()).ok()).flatten();
        match region {
            Some(region) if PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some() => Ok(Self(region)),
            _ => Err(Error::invalid(format!(
                "{text:?} is not a region; give the two letters of ISO 3166-1, such as US, GB or DE"
            ))),
        }
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
