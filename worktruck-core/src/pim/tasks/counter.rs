use serde_json::json;
use uuid::Builder;

use crate::entity::Kind;
use crate::entity::counter::Counter;
use crate::pim::Operation;
use crate::store::{Changes, EntityKey, Require};
use crate::temporal::{At, WriteOp};
use crate::{Digest, EntityId, Result};

/// The counter that has this name.
pub(super) fn counter(name: &str) -> EntityId {
    let digest = Digest::of_bytes(name.as_bytes());
    let [a, b, c, d, e, f, g, h, i, j, ..] = *digest.as_bytes();
    EntityId::from_uuid(Builder::from_unix_timestamp_millis(0, &[a, b, c, d, e, f, g, h, i, j]).into_uuid())
}

/// The number that a counter gives out next, as it was at `at`.
pub(super) async fn peek(operation: &Operation, counter: EntityId, at: At) -> Result<u64> {
    Ok(operation.find_at::<Counter>(counter, at).await?.map_or(1, |found| found.data.next))
}

/// Takes the next number of a counter. Of two who do so at the same time one is refused, so that what is decided
/// after it rests on all that was decided before.
pub(super) async fn take(operation: &Operation, counter: EntityId) -> Result<(u64, Changes)> {
    let key = EntityKey::new(Kind::Counter, counter);
    let found = operation.find_at::<Counter>(counter, At::NOW).await?;
    let (next, rests_on) = match &found {
        Some(found) => (found.data.next, Require::Version { key, version: found.version() }),
        None => (1, Require::Absent { key }),
    };
    let op = WriteOp::Put(json!({ "next": next.saturating_add(1) }));
    Ok((next, Changes::none().require(rests_on).write(key, op)))
}
