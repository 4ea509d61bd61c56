//! Pipelines, their stages, and the deals in them.
//!
//! A deal is always in a stage of one pipeline. Every write that changes the stage, whichever operation it is of,
//! leaves a [`StageChange`](crate::entity::stage_change::StageChange) in the same commit, so that what a deal went
//! through has no gap.

mod analytics;
mod contacts;
mod deals;
mod moves;
mod pipelines;
mod stages;
mod tally;

pub use analytics::{Analytics, CurrencyAnalytics, StageAnalytics, analytics};
pub use contacts::{add_contact, remove_contact};
pub use deals::{DealDetail, DealFilter, DealSort, detail};
pub use moves::{StageChangeFilter, move_deal, stage_changes};
pub use stages::{StageFilter, StageSort, reorder_stages, stages};

use crate::entity::Entity;
use crate::store::{ListQuery, Require};
use crate::temporal::{At, Write, WriteOp};
use crate::{EntityId, Error, Result, Timestamp};

use super::{Operation, Stored};

/// An entity that is referred to from `pointer`, as it is now.
async fn referred<E: Entity>(operation: &Operation, pointer: &str, id: EntityId) -> Result<Stored<E>> {
    let found = operation.find_at(id, At::NOW).await?;
    found.ok_or_else(|| Error::invalid(format!("{} {id} does not exist", E::KIND)).at(pointer))
}

/// What must hold for a decision that rests on all of an entity.
const fn unchanged<E: Entity>(stored: &Stored<E>) -> Require {
    Require::Version { key: stored.key(), version: stored.version() }
}

/// A query for what there is of a kind now, whatever the operation reads.
fn now<E: Entity>() -> ListQuery {
    ListQuery::new(E::KIND)
}

/// What is true from `from` on for ever.
const fn from_then_on(op: WriteOp, from: Option<Timestamp>) -> Write {
    Write { op, valid_from: from, valid_to: None }
}
