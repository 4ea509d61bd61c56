use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::entity::{self, Index, Kind, Term};
use crate::store::{
    Applied, Beside, ChangedEntity, Changes, EntityKey, EntityPlan, Expired, Horizon, OldCommit, Operation, Provenance,
    RequestRecord, TenantCommit, TenantHead, Version, keys, limit_of_runs, limited_by, most_with_term,
    number_after_erasure, plan_changes, searched, too_many_with_term,
};
use crate::temporal::{At, Point, RowOp, Slice, Stamp};
use crate::{EntityId, Error, Period, Result, RunId, TenantId, Timestamp};

/// The entities of one tenant, and its commits.
#[derive(Debug, Default)]
pub(super) struct Entities {
    pub(super) head: TenantHead,
    /// Those that the feed or the provenance of a slice still needs, by number.
    pub(super) commits: BTreeMap<u64, TenantCommit>,
    /// The numbers of those that name a run.
    by_run: BTreeMap<RunId, BTreeSet<u64>>,
    /// The number and the time of the newest commit, which may be gone.
    newest: Option<(u64, Timestamp)>,
    /// The last commit whose replaced slices are gone.
    swept: u64,
    by_key: BTreeMap<EntityKey, Entity>,
    by_creation: BTreeMap<Kind, BTreeSet<(Timestamp, EntityId)>>,
    /// Which entities ever had a term: where to look, not what is found.
    by_term: BTreeMap<(Kind, Term), BTreeSet<EntityId>>,
    /// The number that the erasure took, for entities that do not exist since.
    erased: BTreeMap<EntityKey, u64>,
    /// What is remembered of requests, by their keys.
    pub(super) requests: BTreeMap<String, RequestRecord>,
}

/// Every slice of one entity.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    pub(super) created_at: Timestamp,
    pub(super) rows: Vec<Row>,
}

/// A slice, and what it is found by; its text is what it is searched by.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) slice: Slice,
    pub(super) index: Arc<Index>,
}

impl Entities {
    pub(super) fn by_key(&self, key: EntityKey) -> Option<&Entity> {
        self.by_key.get(&key)
    }

    /// The entities of `kind` after `after` in order of creation, or before it if `descending`.
    pub(super) fn in_order_of_creation(
        &self,
        kind: Kind,
        after: Option<(Timestamp, EntityId)>,
        descending: bool,
    ) -> Box<dyn Iterator<Item = EntityId> + '_> {
        use std::ops::Bound::{Excluded, Unbounded};

        let Some(order) = self.by_creation.get(&kind) else { return Box::new(std::iter::empty()) };
        let bound = after.map_or(Unbounded, Excluded);
        if descending {
            Box::new(order.range((Unbounded, bound)).rev().map(|(_, id)| *id))
        } else {
            Box::new(order.range((bound, Unbounded)).map(|(_, id)| *id))
        }
    }

    /// The entities of `kind` that ever had `term`.
    pub(super) fn with_term(&self, kind: Kind, term: &Term) -> impl Iterator<Item = EntityId> + '_ {
        self.by_term.get(&(kind, term.clone())).into_iter().flatten().copied()
    }

    /// How many runs of `blueprint` may run at once at `now`; the least where several entities say.
    pub(super) fn limit_of_runs(&self, blueprint: &str, now: Timestamp) -> Option<u32> {
        let (kind, term) = limited_by(blueprint);
        let present = At::NOW.resolve(self.head.floor, now);
        let rows = self.with_term(kind, &term);
        let rows = rows.filter_map(|id| self.by_key(EntityKey::new(kind, id))?.visible(present));
        let rows = rows.filter(|row| row.index.terms.contains(&term));
        rows.filter_map(|row| limit_of_runs(row.slice.body.as_ref()?)).min()
    }

    /// The entities of `kind` that have `term` at `now`.
    pub(super) fn with_term_now(&self, kind: Kind, term: &Term, now: Timestamp) -> Vec<EntityId> {
        let present = At::NOW.resolve(self.head.floor, now);
        let has = |id: &EntityId| {
            let row = self.by_key(EntityKey::new(kind, *id)).and_then(|entity| entity.visible(present));
            row.is_some_and(|row| row.slice.body.is_some() && row.index.terms.contains(term))
        };
        self.with_term(kind, term).filter(has).collect()
    }

    pub(super) fn version(&self, tenant: TenantId, key: EntityKey, entity: &Entity, row: &Row) -> Result<Version> {
        let commit = self
            .commits
            .get(&row.slice.tx_id)
            .ok_or_else(|| Error::internal(format!("commit {} of {key} is missing", row.slice.tx_id)))?;
        Ok(Version {
            tenant,
            key,
            created_at: entity.created_at,
            slice: row.slice.clone(),
            provenance: commit.provenance.clone(),
        })
    }

    /// Takes in what [`Staging`] holds of entities.
    pub(super) fn absorb(&mut self, staged: Staged) {
        for (key, entity) in staged.touched {
            self.by_creation.entry(key.kind).or_default().insert((entity.created_at, key.id));
            for row in entity.rows.iter().filter(|row| row.slice.sys.from() > self.head.floor) {
                for term in &row.index.terms {
                    self.by_term.entry((key.kind, term.clone())).or_default().insert(key.id);
                }
            }
            self.erased.remove(&key);
            self.by_key.insert(key, entity);
        }
        for commit in staged.commits {
            self.add(commit);
        }
        self.head = staged.head;
    }

    /// Erases an entity in a commit of its own, and gives its stamp.
    pub(super) fn erase(&mut self, key: EntityKey, provenance: Provenance, now: Timestamp) -> Result<Stamp> {
        let entity = self.by_key.remove(&key).ok_or_else(|| Error::not_found(key))?;
        if let Some(order) = self.by_creation.get_mut(&key.kind) {
            order.remove(&(entity.created_at, key.id));
        }
        for term in entity.rows.iter().flat_map(|row| &row.index.terms) {
            let place = (key.kind, term.clone());
            if let Some(ids) = self.by_term.get_mut(&place) {
                ids.remove(&key.id);
                if ids.is_empty() {
                    self.by_term.remove(&place);
                }
            }
        }
        let newest = entity.rows.iter().map(|row| row.slice.version).max().unwrap_or(0);
        let version = newest + 1;
        self.erased.insert(key, version);
        let stamp = self.head.stamp(now);
        self.add(TenantCommit {
            tx_id: stamp.tx_id,
            committed_at: stamp.sys,
            provenance,
            entities: vec![ChangedEntity { kind: key.kind, id: key.id, version, operation: Operation::Purged }],
        });
        self.head.advance(stamp);
        Ok(stamp)
    }

    /// The commits that name `run` after the one with the number `after`.
    pub(super) fn commits_of(&self, run: RunId, after: u64) -> impl Iterator<Item = &TenantCommit> {
        use std::ops::Bound::{Excluded, Unbounded};

        let numbers = self.by_run.get(&run).into_iter().flat_map(move |of| of.range((Excluded(after), Unbounded)));
        numbers.filter_map(|tx_id| self.commits.get(tx_id))
    }

    fn add(&mut self, commit: TenantCommit) {
        if let Some(run) = commit.provenance.run_id {
            self.by_run.entry(run).or_default().insert(commit.tx_id);
        }
        self.newest = Some((commit.tx_id, commit.committed_at));
        self.commits.insert(commit.tx_id, commit);
    }

    /// Moves the horizon to `before`.
    pub(super) fn move_horizon(&mut self, before: Timestamp) {
        let old = self.commits.values().rev().find(|commit| commit.committed_at < before);
        let last = old.map_or(0, |commit| commit.tx_id).max(self.head.horizon.tx_id);
        self.head.expire(Horizon { at: before, tx_id: last });
    }

    /// Removes what at most `limit` commits before the horizon have replaced.
    pub(super) fn sweep(&mut self, limit: usize, expired: &mut Expired) {
        use std::ops::Bound::{Excluded, Included};

        let last = self.head.horizon.tx_id;
        let range = (Excluded(self.swept), Included(last.max(self.swept)));
        let mut walked: Vec<OldCommit> = self.commits.range(range).take(limit).map(|(_, commit)| old(commit)).collect();
        walked.truncate(OldCommit::piece(&walked));
        let mut unneeded: BTreeSet<u64> = BTreeSet::new();
        for commit in &walked {
            unneeded.insert(commit.tx_id);
            for ChangedEntity { kind, id, .. } in &commit.entities {
                let Some(entity) = self.by_key.get_mut(&EntityKey::new(*kind, *id)) else { continue };
                let count = entity.rows.len();
                let gone = entity.rows.extract_if(.., |row| row.slice.sys.to() <= commit.at);
                unneeded.extend(gone.map(|row| row.slice.tx_id));
                expired.slices += u64::try_from(count - entity.rows.len()).unwrap_or(0);
            }
        }
        for tx_id in unneeded {
            if self.is_referred_to(tx_id) {
                continue;
            }
            let Some(commit) = self.commits.remove(&tx_id) else { continue };
            expired.commits += 1;
            if let Some(run) = commit.provenance.run_id
                && let Some(numbers) = self.by_run.get_mut(&run)
            {
                numbers.remove(&tx_id);
                if numbers.is_empty() {
                    self.by_run.remove(&run);
                }
            }
        }
        self.swept = walked.last().map_or(last, |commit| commit.tx_id).max(self.swept);
        expired.has_more |= self.swept < last;
    }

    fn is_referred_to(&self, tx_id: u64) -> bool {
        let entities = self.commits.get(&tx_id).into_iter().flat_map(|commit| &commit.entities);
        let mut rows = entities.filter_map(|e| self.by_key(EntityKey::new(e.kind, e.id))).flat_map(|e| &e.rows);
        rows.any(|row| row.slice.tx_id == tx_id)
    }
}

fn old(commit: &TenantCommit) -> OldCommit {
    OldCommit { tx_id: commit.tx_id, at: commit.committed_at, entities: commit.entities.clone() }
}

impl Entity {
    pub(super) fn visible(&self, at: Point) -> Option<&Row> {
        self.rows.iter().find(|row| {
            row.slice.body.is_some() && row.slice.sys.contains(at.sys) && row.slice.valid.contains(at.valid)
        })
    }

    fn open(&self) -> Vec<Slice> {
        self.rows.iter().filter(|row| row.slice.sys.is_open()).map(|row| row.slice.clone()).collect()
    }

    fn execute(&mut self, kind: Kind, ops: Vec<RowOp>) -> Result<()> {
        for op in ops {
            match op {
                RowOp::Close { valid_from, at } => {
                    let open = |row: &&mut Row| row.slice.sys.is_open() && row.slice.valid.from() == valid_from;
                    let row = self.rows.iter_mut().find(open);
                    let row = row.ok_or_else(|| Error::internal(format!("no open slice begins at {valid_from}")))?;
                    row.slice.sys = Period::new(row.slice.sys.from(), at)?;
                }
                RowOp::Insert(slice) => {
                    let mut index = match &slice.body {
                        Some(body) => entity::index(kind, body)?,
                        None => Index::default(),
                    };
                    index.text = searched(&index);
                    self.rows.push(Row { slice, index: Arc::new(index) });
                }
            }
        }
        Ok(())
    }
}

/// Commits that are made one after the other and kept together, or not at all.
#[derive(Debug)]
pub(super) struct Staging<'a> {
    tenant: TenantId,
    base: &'a Entities,
    staged: Staged,
}

/// What a [`Staging`] made.
#[derive(Debug)]
pub(super) struct Staged {
    head: TenantHead,
    touched: BTreeMap<EntityKey, Entity>,
    commits: Vec<TenantCommit>,
    /// What is written beside entities.
    pub(super) beside: Beside,
}

impl<'a> Staging<'a> {
    pub(super) fn new(tenant: TenantId, base: &'a Entities) -> Self {
        let (touched, commits) = (BTreeMap::new(), Vec::new());
        Self { tenant, base, staged: Staged { head: base.head, touched, commits, beside: Beside::default() } }
    }

    pub(super) fn finish(self) -> Staged {
        self.staged
    }

    /// Makes one commit. After an error the staging must be dropped.
    pub(super) fn apply(&mut self, changes: &Changes, provenance: Provenance, now: Timestamp) -> Result<Applied> {
        let stamp = self.staged.head.stamp(now);
        let keys = keys(changes);
        let open = keys.iter().filter_map(|key| Some((*key, self.entity(*key)?.open()))).collect();
        let (mut plans, mut versions) = plan_changes(changes, &open, stamp)?;
        let erased = keys.iter().filter(|key| !open.contains_key(*key));
        let erased = erased.filter_map(|key| Some((*key, *self.base.erased.get(key)?))).collect();
        number_after_erasure(&mut plans, &mut versions, &erased);

        let mut entities = Vec::with_capacity(plans.len());
        for EntityPlan { key, version, operation, ops } in plans {
            let unwritten = || Entity { created_at: stamp.sys, rows: Vec::new() };
            let mut entity = self.entity(key).cloned().unwrap_or_else(unwritten);
            entity.execute(key.kind, ops)?;
            self.staged.touched.insert(key, entity);
            entities.push(ChangedEntity { kind: key.kind, id: key.id, version, operation });
        }
        for require in &changes.requires {
            if let Some((kind, term, most)) = most_with_term(require) {
                self.check_term(kind, term, most, Point { sys: stamp.sys, valid: stamp.sys })?;
            }
        }
        if entities.is_empty() {
            let last = self.staged.commits.last().map(|commit| (commit.tx_id, commit.committed_at));
            let (tx_id, at) = last.or(self.base.newest).unwrap_or((0, now));
            return Ok(Applied { tx_id, at, versions });
        }
        let request = changes.request.as_ref().and_then(|mark| self.base.requests.get(&mark.key));
        self.staged.beside.add(self.tenant, stamp.tx_id, changes, request, stamp.sys)?;
        self.staged.commits.push(TenantCommit { tx_id: stamp.tx_id, committed_at: stamp.sys, provenance, entities });
        self.staged.head.advance(stamp);
        Ok(Applied { tx_id: stamp.tx_id, at: stamp.sys, versions })
    }

    fn entity(&self, key: EntityKey) -> Option<&Entity> {
        self.staged.touched.get(&key).or_else(|| self.base.by_key(key))
    }

    fn check_term(&self, kind: Kind, term: &Term, most: usize, at: Point) -> Result<()> {
        let touched = self.staged.touched.keys().filter(|key| key.kind == kind).map(|key| key.id);
        let candidates: BTreeSet<EntityId> = self.base.with_term(kind, term).chain(touched).collect();
        let has = |id: &EntityId| {
            let row = self.entity(EntityKey::new(kind, *id)).and_then(|entity| entity.visible(at));
            row.is_some_and(|row| row.index.terms.contains(term))
        };
        let is_more = candidates.iter().filter(|id| has(id)).nth(most).is_some();
        if is_more { Err(too_many_with_term(kind, term, most)) } else { Ok(()) }
    }
}
