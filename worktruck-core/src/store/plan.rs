use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{AuditEntry, Changes, EntityKey, News, NextNumber, Operation, Require};
use crate::entity::Kind;
use crate::entity::counter::Counter;
use crate::temporal::{RowOp, Slice, Stamp, Write, WriteOp, plan};
use crate::{Error, ErrorKind, Result, Timestamp, entity};

/// What one commit does to one entity.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityPlan {
    /// The entity.
    pub key: EntityKey,
    /// The version that the commit makes.
    pub version: u64,
    /// What happens to the entity, as it is at the moment of the commit.
    pub operation: Operation,
    /// What to do to its rows, in this order; never empty.
    pub ops: Vec<RowOp>,
}

/// The entities whose open slices [`plan_changes`] needs.
///
/// # Examples
///
/// ```
/// use worktruck_core::EntityId;
/// use worktruck_core::entity::Kind;
/// use worktruck_core::store::{Changes, EntityKey, Require, keys};
/// use worktruck_core::temporal::WriteOp;
///
/// let id: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let (written, relied_on) = (EntityKey::new(Kind::Contact, id), EntityKey::new(Kind::MergeProposal, id));
/// let changes = Changes::none()
///     .write(written, WriteOp::Delete)
///     .require(Require::Version { key: relied_on, version: 3 });
/// assert_eq!(keys(&changes).into_iter().collect::<Vec<_>>(), [written, relied_on]);
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[must_use]
pub fn keys(changes: &Changes) -> BTreeSet<EntityKey> {
    let written = changes.writes.iter().map(|change| change.key);
    let required = changes.requires.iter().filter_map(|require| match require {
        Require::Version { key, .. }
        | Require::Newest { key, .. }
        | Require::Exists { key }
        | Require::Absent { key } => Some(*key),
        Require::UniqueTerm { .. } | Require::NoTerm { .. } => None,
    });
    let counters = changes.numbers.iter().map(|next| EntityKey::new(Kind::Counter, next.counter));
    written.chain(required).chain(counters).collect()
}

/// Plans a commit of `changes`, where `open` holds the slices with open system time of all
/// [`keys`] that have any. Of an entity's slices those may be left out that no write touches, but
/// for one of the newest version and the one that holds at the moment of the commit.
///
/// This is what all backends share of [`EntityStore::apply`](super::EntityStore::apply): it checks
/// what is required of versions and absence against the state before the writes, at the moment of
/// the commit, and every body that is written. A [`Require::UniqueTerm`] or [`Require::NoTerm`] rests
/// on other entities too and is left to the backend, to be checked after the writes.
///
/// Returns a plan for each entity that changes, and the newest version of each entity that is
/// written, whether it changes or not; both in order of the first write.
///
/// # Errors
///
/// - `VersionMismatch`: an entity required at a version is at another or does not exist.
/// - `Conflict`: an entity required absent exists.
/// - `NotFound`: a patch or a deletion finds nothing in its part of the valid axis.
/// - `InvalidRequest`: a body is not one of its kind, or a write ends before or when it begins.
/// - `Internal`: the open slices contradict each other or the stamp.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
///
/// use serde_json::json;
/// use worktruck_core::entity::Kind;
/// use worktruck_core::store::{Changes, EntityKey, Operation, plan_changes};
/// use worktruck_core::temporal::Stamp;
/// use worktruck_core::Timestamp;
///
/// let key = EntityKey::new(Kind::Contact, "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?);
/// let changes = Changes::none().create(key, json!({"display_name": "Ada"}));
/// let stamp = Stamp { sys: Timestamp::from_micros(7), tx_id: 1 };
/// let (plans, versions) = plan_changes(&changes, &BTreeMap::new(), stamp)?;
/// assert_eq!((plans.len(), plans[0].operation), (1, Operation::Created));
/// assert_eq!(versions, [(key, 1)]);
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[expect(clippy::type_complexity, reason = "two lists, each named by the sentence above")]
pub fn plan_changes(
    changes: &Changes,
    open: &BTreeMap<EntityKey, Vec<Slice>>,
    stamp: Stamp,
) -> Result<(Vec<EntityPlan>, Vec<(EntityKey, u64)>)> {
    let read = |kind, body: &Value| entity::index(kind, body).map(drop);
    let PlannedChanges { plans, versions, .. } = plan_and_read(changes, open, stamp, read)?;
    Ok((plans, versions))
}

/// What [`plan_changes`] gives, and what was read in the bodies that are written.
#[derive(Debug)]
pub(super) struct PlannedChanges<T> {
    pub(super) plans: Vec<EntityPlan>,
    /// Of each plan, in the same order: what was read in the body of each slice that it inserts and that is neither
    /// carried nor a tombstone, in order.
    pub(super) read: Vec<Vec<T>>,
    pub(super) versions: Vec<(EntityKey, u64)>,
}

/// Checks what is written beside entities.
fn check_beside(changes: &Changes) -> Result<()> {
    changes.news.iter().try_for_each(News::check)?;
    changes.audit.iter().try_for_each(AuditEntry::check)
}

/// Does what [`plan_changes`] does, with `read` as the check of bodies: who needs what it finds need not look again.
pub(super) fn plan_and_read<T>(
    changes: &Changes,
    open: &BTreeMap<EntityKey, Vec<Slice>>,
    stamp: Stamp,
    mut read: impl FnMut(Kind, &Value) -> Result<T>,
) -> Result<PlannedChanges<T>> {
    let slices = |key: &EntityKey| open.get(key).map_or(&[][..], Vec::as_slice);
    for require in &changes.requires {
        check(require, slices, stamp.sys)?;
    }
    check_beside(changes)?;
    let mut planned_changes = PlannedChanges { plans: Vec::new(), read: Vec::new(), versions: Vec::new() };
    for (key, writes) in numbered(changes, slices, stamp.sys)? {
        let open = slices(&key);
        let planned = plan(open, writes.iter().map(|write| &**write), stamp).map_err(|e| named(key, e))?;
        planned_changes.versions.push((key, planned.version));
        if planned.ops.is_empty() {
            continue;
        }
        let bodies = planned.ops.iter().filter_map(|op| match op {
            RowOp::Insert(Slice { body: Some(body), carried: false, .. }) => Some(body),
            _ => None,
        });
        planned_changes.read.push(bodies.map(|body| read(key.kind, body)).collect::<Result<_>>()?);
        let operation = match (exists(open, stamp.sys), exists_after(open, &planned.ops, stamp.sys)) {
            (false, true) => Operation::Created,
            (true, false) => Operation::Deleted,
            (true, true) | (false, false) => Operation::Updated,
        };
        planned_changes.plans.push(EntityPlan { key, version: planned.version, operation, ops: planned.ops });
    }
    Ok(planned_changes)
}

fn check<'a>(require: &Require, slices: impl Fn(&EntityKey) -> &'a [Slice], at: Timestamp) -> Result<()> {
    match require {
        Require::Version { key, version } => {
            let present = slices(key).iter().find(|slice| slice.valid.contains(at) && slice.body.is_some());
            let found = present.map(|slice| slice.version);
            if found == Some(*version) {
                return Ok(());
            }
            let message = match found {
                Some(found) => format!("{key} is at version {found}, and version {version} was expected"),
                None => format!("{key} does not exist, and version {version} was expected"),
            };
            Err(Error::new(ErrorKind::VersionMismatch, message)
                .with_details(json!({"expected": version, "found": found})))
        }
        Require::Newest { key, version } => {
            let found = slices(key).iter().map(|slice| slice.version).max();
            if found == Some(*version) {
                return Ok(());
            }
            let message = format!("{key} was written to after version {version}, which was expected to be the newest");
            Err(Error::new(ErrorKind::VersionMismatch, message)
                .with_details(json!({"expected": version, "found": found})))
        }
        Require::Absent { key } if exists(slices(key), at) => {
            Err(Error::conflict(format!("{key} exists, and was expected not to")))
        }
        Require::Exists { key } if !exists(slices(key), at) => {
            Err(Error::conflict(format!("{key} does not exist, and is referred to")))
        }
        Require::Exists { .. } | Require::Absent { .. } | Require::UniqueTerm { .. } | Require::NoTerm { .. } => Ok(()),
    }
}

/// The writes of each entity with the numbers that are given out, and the writes of the counters.
pub(super) fn numbered<'a, 's>(
    changes: &'a Changes,
    slices: impl Fn(&EntityKey) -> &'s [Slice],
    at: Timestamp,
) -> Result<Vec<(EntityKey, Vec<Cow<'a, Write>>)>> {
    let mut writes = by_entity(changes);
    let mut counters: BTreeMap<EntityKey, u64> = BTreeMap::new();
    for NextNumber { counter, key, field, prefix } in &changes.numbers {
        let counter = EntityKey::new(Kind::Counter, *counter);
        let next = match counters.get(&counter) {
            Some(next) => *next,
            None => next_of(slices(&counter), at)?,
        };
        counters.insert(counter, next + 1);
        let of_key = writes.iter_mut().filter(|(written, _)| written == key).flat_map(|(_, writes)| writes);
        for write in of_key.filter(|write| matches!(write.op, WriteOp::Put(_))) {
            let WriteOp::Put(body) = &mut write.to_mut().op else { continue };
            let body = body.as_object_mut().ok_or_else(|| Error::invalid("only an object can be numbered"))?;
            body.insert(field.clone(), json!(format!("{prefix}{next}")));
        }
    }
    writes.extend(counters.into_iter().map(|(counter, next)| {
        let op = WriteOp::Put(json!({ "next": next }));
        (counter, vec![Cow::Owned(Write { op, valid_from: None, valid_to: None })])
    }));
    Ok(writes)
}

fn next_of(counter: &[Slice], at: Timestamp) -> Result<u64> {
    let body = counter.iter().find(|slice| slice.valid.contains(at)).and_then(|slice| slice.body.as_ref());
    body.map_or(Ok(1), |body| Ok(entity::parse::<Counter>(body)?.next))
}

/// The writes of each entity, in order of the first write to it.
fn by_entity(changes: &Changes) -> Vec<(EntityKey, Vec<Cow<'_, Write>>)> {
    let mut place = BTreeMap::new();
    let mut groups: Vec<(EntityKey, Vec<Cow<'_, Write>>)> = Vec::new();
    for change in &changes.writes {
        let index = *place.entry(change.key).or_insert(groups.len());
        let write = Cow::Borrowed(&change.write);
        match groups.get_mut(index) {
            Some((_, writes)) => writes.push(write),
            None => groups.push((change.key, vec![write])),
        }
    }
    groups
}

fn named(key: EntityKey, error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::not_found(key).with_source(error),
        _ => error,
    }
}

fn exists(open: &[Slice], at: Timestamp) -> bool {
    open.iter().any(|slice| is_live(slice, at))
}

fn exists_after(open: &[Slice], ops: &[RowOp], at: Timestamp) -> bool {
    let closed: BTreeSet<Timestamp> = ops
        .iter()
        .filter_map(|op| match op {
            RowOp::Close { valid_from, .. } => Some(*valid_from),
            RowOp::Insert(_) => None,
        })
        .collect();
    let inserted = ops.iter().any(|op| matches!(op, RowOp::Insert(slice) if is_live(slice, at)));
    inserted || open.iter().any(|slice| !closed.contains(&slice.valid.from()) && is_live(slice, at))
}

fn is_live(slice: &Slice, at: Timestamp) -> bool {
    slice.body.is_some() && slice.valid.contains(at)
}

#[cfg(test)]
mod tests;
