//! The operations that every kind has.

use serde_json::{Map, Value, json};

use crate::entity::{Entity, Kind, check_taken, parse};
use crate::store::{Changes, EntityKey, Require};
use crate::temporal::{At, WriteOp, merge_patch};
use crate::{EntityId, Error, ErrorKind, Result};

use super::{Operation, Record, Stored};

/// A write under way, for [`Record::on_write`].
#[derive(Debug)]
pub struct Writing<'a, E> {
    /// What it may use.
    pub operation: &'a Operation,
    /// The entity.
    pub id: EntityId,
    /// What it was, if it existed.
    pub old: Option<&'a Stored<E>>,
    /// What it becomes.
    pub new: &'a mut E,
    /// What is written and required beside the entity itself.
    pub changes: Changes,
}

/// A deletion under way, for [`Record::on_delete`].
#[derive(Debug)]
pub struct Deleting<'a, E> {
    /// What it may use.
    pub operation: &'a Operation,
    /// What it was.
    pub old: &'a Stored<E>,
    /// What is written and required beside the entity itself.
    pub changes: Changes,
}

impl<E: Entity> Writing<'_, E> {
    /// Names the entity.
    #[must_use]
    pub const fn key(&self) -> EntityKey {
        EntityKey::new(E::KIND, self.id)
    }

    /// Whether a field is new or another than it was.
    pub fn is_changed<T: PartialEq>(&self, field: impl Fn(&E) -> &T) -> bool {
        self.old.is_none_or(|old| field(&old.data) != field(self.new))
    }

    /// Adds what must hold beside what holds already.
    pub fn require(&mut self, require: Require) {
        self.changes.requires.push(require);
    }

    /// Requires that an entity that is referred to exists, if there is a reference and it is new.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `pointer` if it does not exist, `Conflict` there if it is a contact that was merged.
    pub async fn refer(&mut self, pointer: &str, kind: Kind, field: impl Fn(&E) -> Option<EntityId>) -> Result<()> {
        let Some(id) = field(self.new) else { return Ok(()) };
        if self.old.and_then(|old| field(&old.data)) != Some(id) {
            let exists = self.operation.refer(pointer, kind, id).await?;
            self.require(exists);
        }
        Ok(())
    }
}

/// A new entity with the JSON `body`, in which an id and versions have no place.
///
/// # Errors
///
/// `InvalidRequest` or `Conflict` with the JSON pointer of the field, and those of the store.
pub async fn create<E: Record>(operation: &Operation, body: Value) -> Result<(Changes, EntityId)> {
    let id = operation.new_id();
    let changes = create_as::<E>(operation, id, body).await?;
    Ok((changes, id))
}

/// A new entity with an id that was chosen before.
pub(super) async fn create_as<E: Record>(operation: &Operation, id: EntityId, mut body: Value) -> Result<Changes> {
    E::complete(&mut body, None, operation)?;
    let mut new: E = parse(&body)?;
    let (written, changes) = written(operation, id, None, &mut new).await?;
    let key = EntityKey::new(E::KIND, id);
    let own = Changes::none().require(Require::Absent { key }).write_valid(key, operation.write(WriteOp::Put(written)));
    Ok(own.and(changes))
}

/// Changes an entity by a JSON merge patch (RFC 7396), in every slice of the part of the valid axis that the
/// operation is about.
///
/// With `expected`, only if that is its version.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, `InvalidRequest` or `Conflict`, and those of the store.
pub async fn update<E: Record>(
    operation: &Operation,
    id: EntityId,
    expected: Option<u64>,
    patch: &Value,
) -> Result<Changes> {
    edit::<E>(operation, id, expected, |_| Ok(patch.clone())).await
}

/// Changes an entity by the merge patch that `patch` makes of what it is.
pub(super) async fn edit<E: Record>(
    operation: &Operation,
    id: EntityId,
    expected: Option<u64>,
    patch: impl FnOnce(&Stored<E>) -> Result<Value>,
) -> Result<Changes> {
    let (old, rests_on) = present::<E>(operation, id, expected).await?;
    let patch = patch(&old)?;
    let Some(members) = patch.as_object() else {
        return Err(Error::invalid("a merge patch must be an object"));
    };
    check_taken::<E>(members)?;
    let before = old.stored.slice.body.clone().unwrap_or_default();
    let mut body = merge_patch(&before, &patch);
    E::complete(&mut body, Some(&old), operation)?;
    let mut new: E = parse(&body)?;
    let (after, changes) = written(operation, id, Some(&old), &mut new).await?;
    let op = WriteOp::Patch(patch_between(&before, &after, members));
    Ok(over(operation, old.key(), op, rests_on).and(changes))
}

/// Puts `body` in the place of all that an entity is.
///
/// With `expected`, only if that is its version.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, `InvalidRequest` or `Conflict`, and those of the store.
pub async fn replace<E: Record>(
    operation: &Operation,
    id: EntityId,
    expected: Option<u64>,
    mut body: Value,
) -> Result<Changes> {
    let (old, rests_on) = present::<E>(operation, id, expected).await?;
    E::complete(&mut body, Some(&old), operation)?;
    let mut new: E = parse(&body)?;
    let (after, changes) = written(operation, id, Some(&old), &mut new).await?;
    Ok(over(operation, old.key(), WriteOp::Put(after), rests_on).and(changes))
}

/// Ends an entity; its history stays.
///
/// With `expected`, only if that is its version.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch` or `Conflict`, and those of the store.
pub async fn delete<E: Record>(operation: &Operation, id: EntityId, expected: Option<u64>) -> Result<Changes> {
    let (old, rests_on) = present::<E>(operation, id, expected).await?;
    let mut deleting = Deleting { operation, old: &old, changes: Changes::none() };
    E::on_delete(&mut deleting).await?;
    let changes = deleting.changes;
    Ok(over(operation, old.key(), WriteOp::Delete, rests_on).and(changes))
}

/// The entity as it is where the operation writes, and what must hold of it at the commit.
pub(super) async fn present<E: Record>(
    operation: &Operation,
    id: EntityId,
    expected: Option<u64>,
) -> Result<(Stored<E>, Option<Require>)> {
    let key = EntityKey::new(E::KIND, id);
    let not_found = || Error::not_found(key);
    let now = operation.find_at::<E>(id, At::NOW).await?;
    if now.is_none() {
        part_of_no_other::<E>(operation, id).await?;
    }
    let version = now.as_ref().map(Stored::version);
    if let Some(expected) = expected
        && version != Some(expected)
    {
        let found = version.ok_or_else(not_found)?;
        let message = format!("{key} is at version {found}, and version {expected} was expected");
        return Err(Error::new(ErrorKind::VersionMismatch, message)
            .with_details(json!({ "expected": expected, "found": found })));
    }
    let found = match operation.valid_from {
        None => now,
        Some(_) => operation.find_at::<E>(id, At { as_of: None, valid_at: operation.valid_from }).await?,
    };
    Ok((found.ok_or_else(not_found)?, version.map(|version| Require::Version { key, version })))
}

/// Refuses an entity that has become a part of another, which is what may be written.
pub(super) async fn part_of_no_other<E: Record>(operation: &Operation, id: EntityId) -> Result<()> {
    let present = Operation { at: At::NOW, ..operation.clone() };
    let whole = match E::read(&present, id).await {
        Ok(whole) if whole.id != id => whole.key(),
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let message = format!("{} is part of {whole} now; write to that", EntityKey::new(E::KIND, id));
    Err(Error::conflict(message).with_details(json!({ "survivor_id": whole.id })))
}

/// Checks the entity and gives its JSON, and what comes with it.
async fn written<'a, E: Record>(
    operation: &'a Operation,
    id: EntityId,
    old: Option<&'a Stored<E>>,
    new: &'a mut E,
) -> Result<(Value, Changes)> {
    new.normalise(&operation.locale)?;
    let mut writing = Writing { operation, id, old, new, changes: Changes::none() };
    E::on_write(&mut writing).await?;
    let Writing { new, changes, .. } = writing;
    let body = serde_json::to_value(&*new)
        .map_err(|e| Error::internal(format!("a {} has no JSON form", E::KIND)).with_source(e))?;
    Ok((body, changes))
}

/// The write of what was read, which rests on that.
fn over(operation: &Operation, key: EntityKey, op: WriteOp, rests_on: Option<Require>) -> Changes {
    let mut changes = Changes::none().write_valid(key, operation.write(op));
    changes.requires.extend(rests_on);
    changes
}

/// The patch that sets what `asked` names, and all else that differs.
pub(super) fn patch_between(before: &Value, after: &Value, asked: &Map<String, Value>) -> Value {
    let empty = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut patch = Map::new();
    for (name, value) in after {
        if before.get(name) == Some(value) && !asked.contains_key(name) {
            continue;
        }
        let change = match (before.get(name), value, asked.get(name)) {
            // What the patch merges is merged in every slice.
            (Some(Value::Object(old)), Value::Object(new), Some(Value::Object(asked))) => {
                patch_between(&Value::Object(old.clone()), &Value::Object(new.clone()), asked)
            }
            (Some(Value::Object(old)), Value::Object(new), _) => {
                patch_between(&Value::Object(old.clone()), &Value::Object(new.clone()), &empty)
            }
            _ => value.clone(),
        };
        patch.insert(name.clone(), change);
    }
    let gone = before.keys().chain(asked.keys()).filter(|name| !after.contains_key(*name));
    patch.extend(gone.map(|name| (name.clone(), Value::Null)));
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_names_what_was_asked_for_and_what_differs() {
        let before = json!({ "a": 1, "b": 2, "c": { "x": 1, "y": 2 }, "gone": 1 });
        let after = json!({ "a": 1, "b": 3, "c": { "x": 1, "z": 3 } });
        let asked = json!({ "a": 1, "none": null });
        let patch = patch_between(&before, &after, asked.as_object().unwrap());
        assert_eq!(patch, json!({ "a": 1, "b": 3, "c": { "y": null, "z": 3 }, "gone": null, "none": null }));
        assert_eq!(merge_patch(&before, &patch), after);
    }
}
