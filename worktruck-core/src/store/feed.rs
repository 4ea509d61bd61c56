//! What was committed, as the feed of changes tells it.

use serde::{Deserialize, Serialize};

use crate::entity::Kind;
use crate::{Cursor, EntityId, RunId, TenantId, Timestamp};

use super::Provenance;

/// What a commit did to an entity.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// It exists now and did not before.
    Created,
    /// It was changed in some part of its valid time, and exists now as it did before.
    Updated,
    /// It existed before and does not now.
    Deleted,
    /// Every version of it was erased.
    Purged,
}

/// One entity in a commit of the feed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangedEntity {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Which one.
    pub id: EntityId,
    /// The version written.
    pub version: u64,
    /// What happened to it.
    pub operation: Operation,
}

/// One commit of a tenant, in the feed of changes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantCommit {
    /// Counted per tenant, from 1.
    pub tx_id: u64,
    /// Its system time.
    pub committed_at: Timestamp,
    /// Who wrote it, and why.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// What it changed.
    pub entities: Vec<ChangedEntity>,
}

/// A page of the feed of changes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Commits {
    /// The commits, oldest first.
    pub data: Vec<TenantCommit>,
    /// Where to go on, always.
    pub next_cursor: Cursor,
    /// Whether there is more now.
    pub has_more: bool,
}

/// What the cursors of a list of the commits of a run are bound to: the tenant and the run.
#[must_use]
pub fn run_commit_scope(tenant: TenantId, run: RunId) -> impl Serialize + use<> {
    ("commits of", tenant, run)
}
