//! Labels: the colours of the names that tasks are labelled with.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Result;

use super::text::{check_name, check_object, check_optional};
use super::{Entity, Index, Kind, Locale, Texts};

/// The colour of a name that tasks are labelled with. A task may have labels that nobody gave a colour.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The name, unique among a tenant's labels.
    pub name: String,
    /// The colour it is shown in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Label {
    /// Checks what a task is to be labelled with.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `pointer`.
    pub fn check_name(pointer: &str, name: &str) -> Result<()> {
        check_name(pointer, name)
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_name("/name", &self.name)?;
        check_optional("/color", self.color.as_deref())?;
        check_object("/metadata", &self.metadata)
    }
}

impl Entity for Label {
    const KIND: Kind = Kind::Label;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(Index::default().term("name", &self.name))
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(&self.name)
    }
}
