use chrono_tz::Tz;

use super::contact::Region;

/// Where a tenant is at home: what is meant where data does not say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Locale {
    /// The region of phone numbers without a country code.
    pub region: Option<Region>,
    /// The time zone of days and of times without one.
    pub timezone: Tz,
}

impl Default for Locale {
    /// No region, and UTC.
    fn default() -> Self {
        Self { region: None, timezone: Tz::UTC }
    }
}
