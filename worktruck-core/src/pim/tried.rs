use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::Journal;
use crate::store::{Changes, EntityKey, EntityStore, Version, View};
use crate::temporal::At;
use crate::{Error, Result, TenantId};

/// What a step of a trial would have made of one entity.
///
/// Both states are those of the present that the trial has. What would only have changed another part of the valid
/// axis is the same before and after.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TriedChange {
    /// The entity.
    pub entity: EntityKey,
    /// The step.
    pub step_seq: u32,
    /// The entity before the step; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The entity after the step; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Whether it is so in the store: never.
    pub committed: bool,
}

/// What the steps of a trial would have written, in order; nothing of a run that takes effect or has not begun.
///
/// # Errors
///
/// - `HistoryExpired`: what the trial saw is no longer kept.
/// - `Internal`: a step has tried what cannot be read.
pub async fn tried_changes(
    store: Arc<dyn EntityStore>,
    tenant: TenantId,
    journal: &Journal,
) -> Result<Vec<TriedChange>> {
    let Some(trial) = journal.snapshot.as_ref().and_then(|snapshot| snapshot.trial.as_ref()) else {
        return Ok(Vec::new());
    };
    let mut view = View::new(store, tenant, trial.as_of).pinned(trial.as_of);
    let mut found = Vec::new();
    for step in &journal.steps {
        let Some(changes) = &step.tried else { continue };
        let changes = Changes::deserialize(changes)
            .map_err(|error| Error::internal("what a step has tried is unreadable").with_source(error))?;
        let mut entities: Vec<EntityKey> = Vec::new();
        for change in &changes.writes {
            if !entities.contains(&change.key) {
                entities.push(change.key);
            }
        }
        let after = view.clone().and_pending(changes);
        for entity in entities {
            let before = resource(&view, entity).await?;
            let after = resource(&after, entity).await?;
            found.push(TriedChange { entity, step_seq: step.seq, before, after, committed: false });
        }
        view = after;
    }
    Ok(found)
}

async fn resource(view: &View, entity: EntityKey) -> Result<Option<Value>> {
    Ok(view.entity(entity, At::NOW).await?.as_ref().and_then(Version::resource))
}
