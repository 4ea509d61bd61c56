//! What an entity is from now on, slice by slice of the valid axis.

use crate::pim::Operation;
use crate::store::Version;
use crate::temporal::{At, Write, WriteOp};
use crate::{Result, Timestamp};

/// `first` and the slices that follow it without a gap, as believed at `as_of`, or now.
pub(super) async fn slices(operation: &Operation, first: Version, as_of: Option<Timestamp>) -> Result<Vec<Version>> {
    let (key, mut end) = (first.key, first.valid().to());
    let mut slices = vec![first];
    while end != Timestamp::FOREVER {
        let Some(next) = operation.view.entity(key, At { as_of, valid_at: Some(end) }).await? else { break };
        end = next.valid().to();
        slices.push(next);
    }
    Ok(slices)
}

/// The moment that a slice is looked at: when it begins, or now.
pub(super) fn moment(operation: &Operation, slice: &Version) -> Timestamp {
    slice.valid().from().max(operation.now())
}

/// `op` over what is left of a slice from the commit on.
pub(super) fn over(operation: &Operation, slice: &Version, op: WriteOp) -> Write {
    let (from, to) = (slice.valid().from(), slice.valid().to());
    Write {
        op,
        valid_from: Some(from).filter(|from| *from > operation.now()),
        valid_to: Some(to).filter(|to| *to != Timestamp::FOREVER),
    }
}
