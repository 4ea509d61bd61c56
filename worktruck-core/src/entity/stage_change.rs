//! Stage changes: where a deal has been.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Result, Timestamp};

use super::amount::{Amount, Currency};
use super::text::{check_object, check_optional_text};
use super::{Entity, Index, Kind, Locale};

/// That a deal came into a stage. Every write that changes the stage of a deal leaves one.
///
/// Terms: `deal_id`, `pipeline_id`, and `stage_id` with the stage before and the stage after.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StageChange {
    /// The deal.
    pub deal_id: EntityId,
    /// The pipeline that it came into, or stayed in.
    pub pipeline_id: EntityId,
    /// The stage that it was in; absent if it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_stage_id: Option<EntityId>,
    /// The stage that it came into.
    pub to_stage_id: EntityId,
    /// What it was worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// What the amount is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// When.
    pub changed_at: Timestamp,
    /// The principal who moved it.
    pub changed_by: String,
    /// Why, for a person to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl StageChange {
    /// Checks why a deal is moved.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `/reason` if it is too long or has a NUL.
    pub fn check_reason(reason: Option<&str>) -> Result<()> {
        check_optional_text("/reason", reason)
    }
}

impl Entity for StageChange {
    const KIND: Kind = Kind::StageChange;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        Self::check_reason(self.reason.as_deref())?;
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        Ok(Index::default()
            .term("deal_id", self.deal_id)
            .term("pipeline_id", self.pipeline_id)
            .terms("stage_id", self.from_stage_id.into_iter().chain([self.to_stage_id])))
    }
}
