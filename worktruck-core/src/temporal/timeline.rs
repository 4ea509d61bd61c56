use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cover::Cover;
use super::{FieldChange, Slice, apply_diff, diff};
use crate::{Period, Result, Timestamp};

/// One change of one field, as the store learned of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FieldEvent {
    /// System time of the commit: when it was learned.
    pub at: Timestamp,
    /// When the change holds in the world: from before `at` if it is a correction, from after it
    /// if it is a plan.
    pub valid: Period,
    /// The field, what it was over `valid` as known before, and what it is as known since.
    #[serde(flatten)]
    pub change: FieldChange,
    /// The commit, counted per tenant from 1.
    pub tx_id: u64,
    /// The version that the commit made.
    pub version: u64,
}

/// The history of an entity as changes of its fields, in the order in which they were learned.
///
/// `history` is all that was ever written to it, in any order. What a later write left of an older
/// slice ([`Slice::carried`]) says nothing new and may be left out. The events of one commit are
/// in order of valid time; a write over a part of the valid axis where different things held makes
/// events for each.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::temporal::{Slice, timeline};
/// use worktruck_core::{Period, Timestamp};
///
/// let at = Timestamp::from_micros;
/// let slice = |version, name, from| Slice {
///     version,
///     body: Some(json!({"display_name": name})),
///     sys: Period::starting(at(10 * from)),
///     valid: Period::starting(at(from)),
///     carried: false,
///     tx_id: version,
/// };
/// let history = [slice(2, "Ada King", 7), slice(1, "Ada", 3)];
/// let seen: Vec<_> = timeline(&history)
///     .into_iter()
///     .map(|event| (event.at.as_micros(), event.change.field, event.change.to))
///     .collect();
/// assert_eq!(
///     seen,
///     [
///         (30, String::new(), Some(json!({}))),
///         (30, "/display_name".to_owned(), Some(json!("Ada"))),
///         (70, "/display_name".to_owned(), Some(json!("Ada King"))),
///     ]
/// );
/// ```
#[must_use]
pub fn timeline<'a>(history: impl IntoIterator<Item = &'a Slice>) -> Vec<FieldEvent> {
    let mut writes: Vec<&Slice> = history.into_iter().filter(|slice| !slice.carried).collect();
    writes.sort_by_key(|slice| (slice.sys.from(), slice.valid));
    let mut known = Cover::default();
    let mut events = Vec::new();
    for slice in writes {
        for (valid, before) in known.stretches(slice.valid) {
            events.extend(diff(before, slice.body.as_ref()).into_iter().map(|change| FieldEvent {
                at: slice.sys.from(),
                valid,
                change,
                tx_id: slice.tx_id,
                version: slice.version,
            }));
        }
        known.set(slice.valid, slice.body.clone());
    }
    events
}

/// What is known of the entity after `events`, which are a [`timeline`] or its begin: the stretches
/// of valid time where it exists, in order, none equal to a neighbour that it touches.
///
/// # Errors
///
/// `Conflict` if an event does not come from what the events before it made.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::temporal::{Slice, fold_timeline, timeline};
/// use worktruck_core::{Period, Timestamp};
///
/// let at = Timestamp::from_micros;
/// let body = json!({"display_name": "Ada"});
/// let slice = Slice {
///     version: 1,
///     body: Some(body.clone()),
///     sys: Period::starting(at(9)),
///     valid: Period::starting(at(3)),
///     carried: false,
///     tx_id: 1,
/// };
/// let events = timeline([&slice]);
/// assert_eq!(fold_timeline(&events)?, [(Period::starting(at(3)), body)]);
/// assert!(fold_timeline(&events[1..]).is_err(), "the begin is missing");
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn fold_timeline<'a>(events: impl IntoIterator<Item = &'a FieldEvent>) -> Result<Vec<(Period, Value)>> {
    let mut known = Cover::default();
    for event in events {
        let stretches = known.stretches(event.valid).into_iter();
        let stretches: Vec<_> = stretches.map(|(valid, body)| (valid, body.cloned())).collect();
        for (valid, body) in stretches {
            known.set(valid, apply_diff(body, [&event.change])?);
        }
    }
    Ok(known.into_parts())
}
