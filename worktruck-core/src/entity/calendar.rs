//! Calendars: what events are in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Result;
use crate::recurrence::Zone;

use super::text::{check_name, check_object, check_optional, check_optional_text};
use super::{Entity, Index, Kind, Locale, Texts};

/// A calendar.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::calendar::Calendar;
/// use worktruck_core::entity::{Entity, Locale};
///
/// let mut calendar = Calendar { timezone: Some("europe/paris".to_owned()), ..Calendar::new("Work") };
/// calendar.normalise(&Locale::default())?;
/// assert_eq!(calendar.timezone.as_deref(), Some("Europe/Paris"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// What people call it.
    pub name: String,
    /// How it is shown, such as `#3366cc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The time zone (IANA) of new events that name none; the tenant's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whether it is the one that is meant when none is named. One calendar of a tenant is.
    #[serde(default)]
    pub is_primary: bool,
    /// Whether it is shown, and counts for when somebody has time.
    #[serde(default = "yes")]
    pub is_visible: bool,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

const fn yes() -> bool {
    true
}

impl Calendar {
    /// A visible calendar.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            color: None,
            description: None,
            timezone: None,
            is_primary: false,
            is_visible: true,
            metadata: Map::new(),
        }
    }
}

impl Entity for Calendar {
    const KIND: Kind = Kind::Calendar;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_name("/name", &self.name)?;
        check_optional("/color", self.color.as_deref())?;
        check_optional_text("/description", self.description.as_deref())?;
        if let Some(zone) = &mut self.timezone {
            *zone = Zone::parse(zone).map_err(|e| e.at("/timezone"))?.name().to_owned();
        }
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        Ok(Index::default().term("primary", self.is_primary).term("visible", self.is_visible))
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(&self.name).body([self.description.as_deref()])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::{Term, index, parse};

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        for (body, pointer) in [
            (json!({ "name": " " }), "/name"),
            (json!({ "name": "x".repeat(513) }), "/name"),
            (json!({ "name": "a\0" }), "/name"),
            (json!({ "name": "a", "color": "" }), "/color"),
            (json!({ "name": "a", "description": "\0" }), "/description"),
            (json!({ "name": "a", "timezone": "Europe/Nowhere" }), "/timezone"),
            (json!({ "name": "a", "metadata": { "x": "\0" } }), "/metadata/x"),
        ] {
            let error = parse::<Calendar>(&body).unwrap().normalise(&Locale::default()).unwrap_err();
            assert_eq!(error.pointer(), Some(pointer), "{body}");
        }
    }

    #[test]
    fn a_calendar_is_visible_and_not_primary_unless_it_says_so() {
        let found = index(Kind::Calendar, &json!({ "name": "Work", "description": "at work" })).unwrap();
        assert_eq!(found.terms, [Term::new("primary", "false"), Term::new("visible", "true")]);
        assert_eq!(found.text, "Work\nat work");
    }
}
