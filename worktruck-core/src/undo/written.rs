//! The commits of a run, by entity.

use std::collections::BTreeMap;

use crate::entity::Kind;
use crate::store::{ChangedEntity, EntityKey, Operation, TenantCommit};
use crate::{PageRequest, Result, RunId, TenantId, Timestamp};

use super::Undo;

/// A commit of a run: its number and its system time.
pub(super) type Commit = (u64, Timestamp);

impl Undo {
    /// Every entity that the steps of a run have written to, and in which commits, in order.
    pub(super) async fn written(&self, tenant: TenantId, run: RunId) -> Result<BTreeMap<EntityKey, Vec<Commit>>> {
        let mut written: BTreeMap<EntityKey, Vec<Commit>> = BTreeMap::new();
        let mut cursor = None;
        loop {
            let page = self.store.commits_of(tenant, run, PageRequest::largest(cursor)).await?;
            for commit in page.data {
                for entity in entities_of(&commit) {
                    let key = EntityKey::new(entity.kind, entity.id);
                    written.entry(key).or_default().push((commit.tx_id, commit.committed_at));
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(written);
            }
        }
    }
}

/// What a step of the run wrote with a commit; nothing if the commit undoes the run.
///
/// Counters are left out: a number that was given out is never given out again.
pub(super) fn entities_of(commit: &TenantCommit) -> impl Iterator<Item = &ChangedEntity> {
    let is_of_step = commit.provenance.step_seq.is_some();
    let is_shown = move |e: &&ChangedEntity| is_of_step && e.kind != Kind::Counter && e.operation != Operation::Purged;
    commit.entities.iter().filter(is_shown)
}
