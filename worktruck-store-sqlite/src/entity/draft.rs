use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use worktruck_core::entity::{self, Kind, Term};
use worktruck_core::store::{
    Applied, ChangedEntity, Changes, EntityKey, EntityPlan, Provenance, Require, TenantCommit, TenantHead, fold,
    not_unique, number_after_erasure, plan_changes,
};
use worktruck_core::temporal::{RowOp, Slice};
use worktruck_core::{EntityId, Error, Period, Result, TenantId, Timestamp};

use crate::rows::to_json;

/// Commits of one tenant that are made one after the other in memory and written in one go.
///
/// It is loaded with all that the changes touch and rest on. Nothing is written before every
/// commit is planned, so a change that cannot be made leaves nothing to take back.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) tenant: TenantId,
    pub(super) head: TenantHead,
    pub(super) committed_at: Option<Timestamp>,
    /// The slices with open system time of every entity that was loaded and has any.
    pub(super) open: BTreeMap<EntityKey, Vec<Slice>>,
    pub(super) entities: BTreeMap<EntityKey, Drafted>,
    pub(super) erased: BTreeMap<EntityKey, u64>,
    /// The entities whose head has a term that must be unique, and when the head stops to hold.
    pub(super) holders: BTreeMap<(Kind, Term), Vec<(EntityId, Timestamp)>>,
    pub(super) commits: Vec<TenantCommit>,
}

/// What a draft knows of an entity beside its open slices.
#[derive(Debug, Default)]
pub(super) struct Drafted {
    /// When it was first written.
    pub(super) created_at: Option<Timestamp>,
    /// Of each open slice, by the begin of its valid time.
    pub(super) rows: BTreeMap<Timestamp, Row>,
    /// What the draft closed and the store does not have as a row of `slice`.
    pub(super) closed: Vec<(Slice, Option<Arc<Indexed>>)>,
    /// The rows of `slice` that the draft closed, and when.
    pub(super) ended: Vec<(i64, Timestamp)>,
    /// The row of `head`, as it was loaded.
    pub(super) head: Option<(i64, Arc<Indexed>)>,
}

/// Where an open slice is kept, and what it is found by.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) place: Place,
    /// Absent where the slice is a tombstone.
    pub(super) index: Option<Arc<Indexed>>,
}

/// Where an open slice is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Nowhere yet.
    New,
    /// In the table `head`.
    Head,
    /// In this row of the table `slice`.
    Slice {
        /// Its row.
        rid: i64,
        /// Whether the row says that its time has not come.
        scheduled: bool,
    },
}

/// What an entity is found by, sorted by and searched for, as the tables keep it.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) terms: Vec<(String, String)>,
    pub(super) sort: BTreeMap<String, String>,
    /// Folded; absent where it was loaded, since no table keeps it.
    pub(super) words: Option<String>,
}

impl Indexed {
    pub(super) fn of(kind: Kind, body: &Value) -> Result<Self> {
        let index = entity::index(kind, body)?;
        let terms: BTreeSet<_> = index.terms.into_iter().map(|term| (term.name, term.value)).collect();
        let declared = entity::sort_keys(kind).iter().map(|name| ((*name).to_owned(), String::new()));
        let mut sort: BTreeMap<String, String> = declared.collect();
        sort.extend(index.sort.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Ok(Self { terms: terms.into_iter().collect(), sort, words: Some(fold(&index.text)) })
    }

    pub(super) fn terms_json(&self) -> Result<String> {
        to_json(&self.terms)
    }

    pub(super) fn sort_json(&self) -> Result<String> {
        to_json(&self.sort)
    }

    fn has(&self, term: &Term) -> bool {
        self.terms.iter().any(|(name, value)| *name == term.name && *value == term.value)
    }
}

impl Draft {
    /// Makes one commit. After an error the draft must be dropped.
    pub(super) fn apply(&mut self, changes: &Changes, provenance: Provenance, now: Timestamp) -> Result<Applied> {
        let stamp = self.head.stamp(now);
        let (mut plans, mut versions) = plan_changes(changes, &self.open, stamp)?;
        let gone = self.erased.iter().filter(|(key, _)| !self.open.contains_key(key));
        number_after_erasure(&mut plans, &mut versions, &gone.map(|(key, last)| (*key, *last)).collect());

        let mut entities = Vec::with_capacity(plans.len());
        for EntityPlan { key, version, operation, ops } in plans {
            self.execute(key, ops, stamp.sys)?;
            entities.push(ChangedEntity { kind: key.kind, id: key.id, version, operation });
        }
        for require in &changes.requires {
            if let Require::UniqueTerm { kind, term } = require {
                self.check_unique(*kind, term, stamp.sys)?;
            }
        }
        if entities.is_empty() {
            return Ok(Applied { tx_id: self.head.tx_id, at: self.committed_at.unwrap_or(now), versions });
        }
        self.commits.push(TenantCommit { tx_id: stamp.tx_id, committed_at: stamp.sys, provenance, entities });
        self.head.advance(stamp);
        self.committed_at = Some(stamp.sys);
        Ok(Applied { tx_id: stamp.tx_id, at: stamp.sys, versions })
    }

    /// Makes a commit that says what was done to an entity outside the draft.
    pub(super) fn record(&mut self, entity: ChangedEntity, provenance: Provenance, now: Timestamp) {
        let stamp = self.head.stamp(now);
        let entities = vec![entity];
        self.commits.push(TenantCommit { tx_id: stamp.tx_id, committed_at: stamp.sys, provenance, entities });
        self.head.advance(stamp);
        self.committed_at = Some(stamp.sys);
    }

    fn execute(&mut self, key: EntityKey, ops: Vec<RowOp>, at: Timestamp) -> Result<()> {
        let open = self.open.entry(key).or_default();
        let drafted = self.entities.entry(key).or_default();
        drafted.created_at.get_or_insert(at);
        let mut cut = Vec::new();
        for op in ops {
            match op {
                RowOp::Close { valid_from, at } => cut.push(drafted.close(open, valid_from, at)?),
                RowOp::Insert(slice) => {
                    let index = match &slice.body {
                        None => None,
                        // A carried slice has the body of the one that was cut, whatever was valid then.
                        Some(_) if slice.carried => rest_of(&cut, &slice),
                        Some(body) => Some(Arc::new(Indexed::of(key.kind, body)?)),
                    };
                    drafted.rows.insert(slice.valid.from(), Row { place: Place::New, index });
                    open.push(slice);
                }
            }
        }
        Ok(())
    }

    fn check_unique(&self, kind: Kind, term: &Term, at: Timestamp) -> Result<()> {
        let drafted = self.open.iter().filter(|(key, slices)| {
            let live = slices.iter().find(|slice| slice.body.is_some() && slice.valid.contains(at));
            let row = live.and_then(|slice| self.entities.get(key)?.rows.get(&slice.valid.from()));
            key.kind == kind && row.and_then(|row| row.index.as_ref()).is_some_and(|index| index.has(term))
        });
        let stored = self.holders.get(&(kind, term.clone())).into_iter().flatten();
        let stored =
            stored.filter(|(id, valid_to)| at < *valid_to && !self.open.contains_key(&EntityKey::new(kind, *id)));
        if drafted.count() + stored.count() > 1 { Err(not_unique(kind, term)) } else { Ok(()) }
    }
}

impl Drafted {
    /// Ends the system time of an open slice, and gives what it was and is found by.
    fn close(
        &mut self,
        open: &mut Vec<Slice>,
        valid_from: Timestamp,
        at: Timestamp,
    ) -> Result<(u64, Period, Option<Arc<Indexed>>)> {
        let missing = || Error::internal(format!("no open slice begins at {valid_from}"));
        let place = open.iter().position(|slice| slice.valid.from() == valid_from).ok_or_else(missing)?;
        let mut slice = open.remove(place);
        let row = self.rows.remove(&valid_from).ok_or_else(missing)?;
        slice.sys = Period::new(slice.sys.from(), at)?;
        let cut = (slice.version, slice.valid, row.index.clone());
        match row.place {
            Place::Slice { rid, .. } => self.ended.push((rid, at)),
            Place::Head | Place::New => self.closed.push((slice, row.index)),
        }
        Ok(cut)
    }
}

fn rest_of(cut: &[(u64, Period, Option<Arc<Indexed>>)], slice: &Slice) -> Option<Arc<Indexed>> {
    let whole = cut
        .iter()
        .find(|(version, valid, _)| *version == slice.version && valid.intersect(slice.valid) == Some(slice.valid));
    whole.and_then(|(_, _, index)| index.clone())
}
