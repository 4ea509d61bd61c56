use serde_json::{Value, json};

use crate::entity::{Entity, Kind};
use crate::store::EntityKey;
use crate::{EntityId, Error, Result};

use super::{Operation, Stored};

/// The entity, if it belongs where it is looked for.
///
/// # Errors
///
/// `NotFound` if it does not, or does not exist, and those of the store.
pub(super) async fn part_of<E: Entity>(
    operation: &Operation,
    id: EntityId,
    belongs: impl Fn(&E) -> bool,
) -> Result<Stored<E>> {
    let found = operation.find::<E>(id).await?.filter(|found| belongs(&found.data));
    found.ok_or_else(|| Error::not_found(EntityKey::new(E::KIND, id)))
}

/// The JSON of a new part of the entity `whole`, which it names in `field`.
///
/// # Errors
///
/// `NotFound` if there is no such entity, `InvalidRequest` at the field if the JSON names another one.
pub(super) async fn body_of_part(
    operation: &Operation,
    (field, kind, whole): (&str, Kind, EntityId),
    mut body: Value,
) -> Result<Value> {
    let key = EntityKey::new(kind, whole);
    operation.view.entity(key, crate::temporal::At::NOW).await?.ok_or_else(|| Error::not_found(key))?;
    let Some(members) = body.as_object_mut() else {
        return Err(Error::invalid("the body must be an object"));
    };
    match members.insert(field.to_owned(), json!(whole)) {
        Some(other) if other != json!(whole) => {
            Err(Error::invalid(format!("it is added to {key}, and must not name another one")).at(format!("/{field}")))
        }
        _ => Ok(body),
    }
}
