//! What a run wrote, and how it is undone.
//!
//! [`Undo::changes`] shows what the steps of a run have made of each entity. [`Undo::revert`] gives back what was before,
//! in one commit of its own: nothing is taken out of any history. It refuses where others have built on what the run
//! wrote, and says who and where.

mod changes;
mod examine;
mod obstacles;
mod relations;
mod revert;
mod written;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::entity::Kind;
use crate::run::Run;
use crate::store::{EntityKey, Store};
use crate::{Clock, EntityId, Error, Result, RunId, TenantId};

pub use changes::RunChange;
pub use obstacles::{Dangling, Edit, EditedSince, Obstacles, Taken};
pub use revert::{Force, Reverted, RevertedEntity};

/// Shows and undoes what runs wrote to a store.
#[derive(Clone, Debug)]
pub struct Undo {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Undo {
    /// Of the runs in `store`, where `clock` says what time it is.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// A run all of whose writes are still known.
    async fn known(&self, tenant: TenantId, run: RunId) -> Result<Run> {
        let run = self.store.run(tenant, run).await?.ok_or_else(|| Error::not_found(format!("the run {run}")))?;
        if let Some(started_at) = run.started_at {
            self.store.head(tenant).await?.horizon.admit(started_at)?;
        }
        Ok(run)
    }
}

/// An entity in what is told of a run: its kind and its id.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Named {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Which one.
    pub id: EntityId,
}

impl From<EntityKey> for Named {
    fn from(key: EntityKey) -> Self {
        Self { kind: key.kind, id: key.id }
    }
}

impl From<Named> for EntityKey {
    fn from(named: Named) -> Self {
        Self::new(named.kind, named.id)
    }
}
