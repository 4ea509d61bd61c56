//! Pipelines: what deals go through, stage by stage.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Result;

use super::amount::Currency;
use super::text::{check_name, check_object, check_optional_text};
use super::{Entity, Index, Kind, Locale};

/// What deals go through. Its stages are entities of their own.
///
/// Terms: `default`, `true` of the one that deals go to if nothing is said.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Pipeline {
    /// What it is called.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether deals go to it if nothing is said. Of a tenant's pipelines exactly one is.
    pub is_default: bool,
    /// What its deals are in if they do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Whatever the application keeps with it.
    pub metadata: Map<String, Value>,
}

impl Pipeline {
    /// The index term that says whether it is the default one.
    pub const DEFAULT_TERM: &'static str = "default";
}

impl Entity for Pipeline {
    const KIND: Kind = Kind::Pipeline;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_name("/name", &self.name)?;
        check_optional_text("/description", self.description.as_deref())?;
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        Ok(Index::default().term(Self::DEFAULT_TERM, self.is_default))
    }
}
