//! What every backend does the same way that keeps one slice of an entity in a table of heads and
//! all others in a table of slices.
//!
//! The head is the slice that holds at the tenant's newest commit, if one does; one that has
//! stopped to hold may stay until its entity is loaded again. Only heads have index terms, sort keys
//! and words to search for. A slice that is believed and whose time has not come is *scheduled*;
//! the first commit after its time has come makes it the head.
//!
//! To write, a backend loads into a [`Draft`] what the changes touch and rest on, makes the commits
//! in it, and writes the [`DraftRows`] that it comes to.

mod drafted;
mod index;
mod rows;

use std::collections::BTreeMap;

use crate::entity::{Kind, Term};
use crate::temporal::{Slice, Stamp};
use crate::{EntityId, Error, Result, TenantId, Timestamp};

use super::plan::{PlannedChanges, plan_and_read};
use super::{
    Applied, AuditEntry, Beside, ChangedEntity, Changes, EntityKey, Provenance, RequestRecord, TenantCommit,
    TenantHead, number_after_erasure,
};

pub use drafted::{Place, Stored};
pub use index::Indexed;
pub use rows::{DraftRows, EndedSlice, HeadRow, IndexRow, KeptHead, SliceRow, StoredHead, StoredSlice};

use drafted::{Drafted, Row};

/// Commits of one tenant that are made one after the other in memory and written in one go.
///
/// `R` is how the backend names a row that it has stored; `()` if it goes by what the row is about.
///
/// A commit that cannot be made leaves the draft as it was, so that others can still be made in it:
/// the runs that are committed in one transaction fail each for itself.
///
/// # Contract
///
/// Before a commit is made, the draft must hold
///
/// - of every entity that the commit writes or rests on ([`keys`](super::keys)): its head, even if
///   it has stopped to hold, and the open slices that [`plan_changes`](super::plan_changes) needs; if it has none, the
///   number that its erasure took;
/// - all open slices of every entity with a scheduled slice that is due at the moment of the
///   commit, which may be a microsecond later for every commit made before it in the draft;
/// - of every term that the commit requires to be unique or nobody's: the heads that have it;
/// - what is remembered of the request that the commit is for.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::entity::Kind;
/// use worktruck_core::store::draft::Draft;
/// use worktruck_core::store::{Changes, EntityKey, Provenance, TenantHead};
/// use worktruck_core::{ErrorKind, TenantId, Timestamp};
///
/// let tenant: TenantId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let ada = EntityKey::new(Kind::Contact, "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5e".parse()?);
/// let create = Changes::none().create(ada, json!({"display_name": "Ada"}));
/// let (user, now) = (Provenance::new("user", "user_edit"), Timestamp::from_micros(7));
///
/// let mut draft: Draft<i64> = Draft::new(tenant, TenantHead::default(), None);
/// draft.apply(&create, user.clone(), now)?;
/// let again = draft.apply(&create, user, now).unwrap_err();
/// assert_eq!(again.kind(), ErrorKind::Conflict);
///
/// let rows = draft.rows().expect("there is a commit");
/// assert_eq!((rows.commits.len(), rows.new_heads.len(), rows.new_slices.len()), (1, 1, 0));
/// assert_eq!((rows.new_heads[0].key, rows.new_heads[0].words.as_str()), (ada, "þadað ada"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Draft<R> {
    tenant: TenantId,
    head: TenantHead,
    committed_at: Option<Timestamp>,
    /// The open slices of every entity of `entities`.
    open: BTreeMap<EntityKey, Vec<Slice>>,
    entities: BTreeMap<EntityKey, Drafted<R>>,
    erased: BTreeMap<EntityKey, u64>,
    holders: BTreeMap<(Kind, Term), BTreeMap<EntityId, Timestamp>>,
    commits: Vec<TenantCommit>,
    beside: Beside,
    /// What is remembered of requests that commits are for.
    requests: BTreeMap<String, RequestRecord>,
    /// What the commits under way did to slices so far.
    done: Vec<Done>,
}

/// Which of several commits could not be made, and why.
#[derive(Debug)]
pub struct Refused {
    /// Its place among them, from 0.
    pub place: usize,
    /// What is wrong with it.
    pub error: Error,
}

/// Something that was done to slices, to be taken back in reverse order.
#[derive(Debug)]
enum Done {
    Entered(EntityKey),
    Closed { key: EntityKey, place: usize },
    Inserted(EntityKey),
}

impl<R> Draft<R> {
    /// A draft of nothing for a tenant whose commits have come as far as `head`, the newest at
    /// `committed_at` if there is one.
    #[must_use]
    pub fn new(tenant: TenantId, head: TenantHead, committed_at: Option<Timestamp>) -> Self {
        Self {
            tenant,
            head,
            committed_at,
            open: BTreeMap::new(),
            entities: BTreeMap::new(),
            erased: BTreeMap::new(),
            holders: BTreeMap::new(),
            commits: Vec::new(),
            beside: Beside::default(),
            requests: BTreeMap::new(),
            done: Vec::new(),
        }
    }

    /// Takes in an open slice as it is stored. All are to be taken in before the first commit; one
    /// that is there already is passed over.
    pub fn add_slice(&mut self, stored: Stored<R>) {
        let Stored { key, created_at, slice, index, place } = stored;
        let entity = self.entities.entry(key).or_insert_with(|| Drafted::new(created_at));
        let open = self.open.entry(key).or_default();
        if !open.iter().any(|known| known.valid == slice.valid && *known == slice) {
            entity.insert(open, slice, Row { place: Some(place), index: index.map(Into::into) });
        }
    }

    /// Takes in that an entity was erased and not written since, and the number that the erasure
    /// took.
    pub fn add_erased(&mut self, key: EntityKey, version: u64) {
        self.erased.insert(key, version);
    }

    /// Takes in that the head of an entity has a term that a commit requires to be unique or nobody's, and when
    /// the head stops to hold.
    pub fn add_holder(&mut self, key: EntityKey, term: Term, valid_to: Timestamp) {
        self.holders.entry((key.kind, term)).or_default().insert(key.id, valid_to);
    }

    /// Takes in what is remembered of a request that a commit is for.
    pub fn add_request(&mut self, key: String, record: RequestRecord) {
        self.requests.insert(key, record);
    }

    /// Whether an open slice of the entity was taken in or made.
    #[must_use]
    pub fn is_known(&self, key: EntityKey) -> bool {
        self.entities.contains_key(&key)
    }

    /// Makes one commit, or leaves the draft as it was.
    ///
    /// # Errors
    ///
    /// As for [`EntityStore::apply`](super::EntityStore::apply); `Internal` if slices contradict
    /// each other.
    pub fn apply(&mut self, changes: &Changes, provenance: Provenance, now: Timestamp) -> Result<Applied> {
        self.together(|draft| draft.commit(changes, provenance, now))
    }

    /// Makes several commits, one after the other: all of them, or none and the draft is as it was.
    ///
    /// # Errors
    ///
    /// The first one that cannot be made, as for [`apply`](Self::apply).
    pub fn apply_all(&mut self, commits: &[(&Changes, Provenance)], now: Timestamp) -> Result<Vec<Applied>, Refused> {
        self.together(|draft| {
            let commits = commits.iter().enumerate().map(|(place, (changes, provenance))| {
                draft.commit(changes, provenance.clone(), now).map_err(|error| Refused { place, error })
            });
            commits.collect()
        })
    }

    /// Makes a commit that says what was done to an entity outside the draft, which must not know
    /// it.
    ///
    /// `audit` is added to the audit log with it.
    pub fn record(&mut self, entity: ChangedEntity, provenance: Provenance, audit: AuditEntry, now: Timestamp) {
        let stamp = self.head.stamp(now);
        // Without a request there is nothing to refuse.
        let _ = self.beside.add(self.tenant, stamp.tx_id, &Changes::none().audited(audit), None, stamp.sys);
        self.number(vec![entity], provenance, stamp);
    }

    /// The changes of rows that the commits come to; `None` if no commit was made, and then nothing
    /// is to be written.
    #[must_use]
    pub fn rows(self) -> Option<DraftRows<R>> {
        let present = self.commits.last()?.committed_at;
        let mut rows = DraftRows::new(self.tenant, self.head, self.commits, self.beside);
        rows.forgotten = self.erased.into_keys().filter(|key| self.entities.contains_key(key)).collect();
        for ((key, open), entity) in self.open.into_iter().zip(self.entities.into_values()) {
            rows.place(key, open, entity, present);
        }
        Some(rows)
    }

    /// Does what `make` does as a whole, or nothing.
    fn together<T, E>(&mut self, make: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let (head, committed_at) = (self.head, self.committed_at);
        let (commits, beside) = (self.commits.len(), self.beside.len());
        let made = make(self);
        if made.is_err() {
            self.take_back();
            (self.head, self.committed_at) = (head, committed_at);
            self.commits.truncate(commits);
            self.beside.truncate(beside);
        }
        self.done.clear();
        made
    }

    /// After an error only a part of it may have been made.
    fn commit(&mut self, changes: &Changes, provenance: Provenance, now: Timestamp) -> Result<Applied> {
        let stamp = self.head.stamp(now);
        let planned = plan_and_read(changes, &self.open, stamp, Indexed::of)?;
        let PlannedChanges { mut plans, read, mut versions } = planned;
        let gone = self.erased.iter().filter(|(key, _)| !self.is_known(**key));
        number_after_erasure(&mut plans, &mut versions, &gone.map(|(key, last)| (*key, *last)).collect());

        let mut entities = Vec::with_capacity(plans.len());
        for (plan, indexes) in plans.into_iter().zip(read) {
            entities.push(ChangedEntity {
                kind: plan.key.kind,
                id: plan.key.id,
                version: plan.version,
                operation: plan.operation,
            });
            self.execute(plan, indexes, stamp.sys)?;
        }
        self.check_terms(changes, stamp.sys)?;
        if entities.is_empty() {
            return Ok(Applied { tx_id: self.head.tx_id, at: self.committed_at.unwrap_or(now), versions });
        }
        let request = changes.request.as_ref().and_then(|mark| self.requests.get(&mark.key));
        self.beside.add(self.tenant, stamp.tx_id, changes, request, stamp.sys)?;
        self.number(entities, provenance, stamp);
        Ok(Applied { tx_id: stamp.tx_id, at: stamp.sys, versions })
    }

    fn number(&mut self, entities: Vec<ChangedEntity>, provenance: Provenance, stamp: Stamp) {
        self.commits.push(TenantCommit { tx_id: stamp.tx_id, committed_at: stamp.sys, provenance, entities });
        self.head.advance(stamp);
        self.committed_at = Some(stamp.sys);
    }
}

#[cfg(test)]
mod tests;
