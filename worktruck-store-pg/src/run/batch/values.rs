//! Values as the rows of runs have them.

use serde_json::Value;
use worktruck_core::journal::INLINE_PAYLOAD_BYTES;
use worktruck_core::run::{Event, NewEvent, RunRecord};
use worktruck_core::{Digest, Error, Result};

use crate::rows::to_json;

/// Events that follow each other, as a row of `event` has them.
pub(crate) fn compact(events: &[Event]) -> Result<String> {
    let compact =
        |event: &Event| NewEvent { event_type: event.event_type, data: event.data.clone(), actor: event.actor.clone() };
    to_json(&events.iter().map(compact).collect::<Vec<_>>())
}

/// The text of a payload, which is not the canonical one: that has room for fewer numbers than JSON. With
/// its digest, if it is too long to be kept in the row of its step.
pub(super) fn payload_text(value: &Value) -> Result<(String, Option<Digest>)> {
    let text = to_json(value)?;
    // The canonical form of a number is at most 22 characters, and that of all else is no longer than
    // the text: a text far below the limit needs no closer look.
    if text.len() <= INLINE_PAYLOAD_BYTES / 16 {
        return Ok((text, None));
    }
    let canonical = serde_json_canonicalizer::to_vec(value)
        .map_err(|e| Error::invalid("payload has no canonical JSON form").with_source(e))?;
    let is_long = canonical.len() > INLINE_PAYLOAD_BYTES;
    Ok((text, is_long.then(|| Digest::of_bytes(&canonical))))
}

/// How far from its end a lease is looked at again at the latest, in microseconds.
pub(super) fn stride(record: &RunRecord) -> i64 {
    let from = record.run.updated_at.as_micros();
    record.lease_expires_at.map_or(0, |until| until.as_micros().saturating_sub(from)) / 2
}

/// A count of what happens in a run, as its rows have it.
pub(crate) fn count(of: impl TryInto<i32>) -> Result<i32> {
    of.try_into().map_err(|_| Error::invalid("a run has at most 2147483647 steps, commits and events"))
}
