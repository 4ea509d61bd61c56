//! Stretches of time, and what is left of some when others are taken out.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A stretch of time, `start <= t < end`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Slot {
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

impl Slot {
    /// The part of it within `other`, if there is one.
    pub(super) fn within(self, other: Self) -> Option<Self> {
        let part = Self { start: self.start.max(other.start), end: self.end.min(other.end) };
        (part.start < part.end).then_some(part)
    }

    /// How long it is, in microseconds.
    pub(super) const fn micros(self) -> i64 {
        self.end.as_micros().saturating_sub(self.start.as_micros())
    }
}

/// The same time in order, each moment once, and nothing that touches in two pieces.
pub(super) fn merged(mut slots: Vec<Slot>) -> Vec<Slot> {
    slots.retain(|slot| slot.start < slot.end);
    slots.sort_unstable();
    let mut merged: Vec<Slot> = Vec::with_capacity(slots.len());
    for slot in slots {
        match merged.last_mut() {
            Some(last) if slot.start <= last.end => last.end = last.end.max(slot.end),
            _ => merged.push(slot),
        }
    }
    merged
}

/// What of `slots` is not in `taken`; both are [merged].
pub(super) fn without(slots: &[Slot], taken: &[Slot]) -> Vec<Slot> {
    let mut left = Vec::with_capacity(slots.len());
    let mut taken = taken.iter().peekable();
    for slot in slots {
        let mut start = slot.start;
        while let Some(next) = taken.peek() {
            if next.end <= start {
                taken.next();
                continue;
            }
            if slot.end <= next.start {
                break;
            }
            if start < next.start {
                left.push(Slot { start, end: next.start });
            }
            start = next.end;
            if slot.end <= start {
                break;
            }
        }
        if start < slot.end {
            left.push(Slot { start, end: slot.end });
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slots() -> impl Strategy<Value = Vec<Slot>> {
        let at = |micros: i64| Timestamp::from_micros(micros);
        let slot =
            (0..60_i64, 0..9_i64).prop_map(move |(from, length)| Slot { start: at(from), end: at(from + length) });
        prop::collection::vec(slot, 0..12)
    }

    fn has(slots: &[Slot], micros: i64) -> bool {
        let at = Timestamp::from_micros(micros);
        slots.iter().any(|slot| slot.start <= at && at < slot.end)
    }

    fn is_merged(slots: &[Slot]) -> bool {
        slots.iter().all(|slot| slot.start < slot.end) && slots.windows(2).all(|pair| pair[0].end < pair[1].start)
    }

    proptest! {
        #[test]
        fn merging_keeps_every_moment_and_taking_out_takes_no_other(one in slots(), other in slots()) {
            let (all, taken) = (merged(one.clone()), merged(other.clone()));
            let left = without(&all, &taken);
            prop_assert!(is_merged(&all) && is_merged(&taken) && is_merged(&left));
            for micros in 0..70 {
                prop_assert_eq!(has(&all, micros), has(&one, micros));
                prop_assert_eq!(has(&left, micros), has(&one, micros) && !has(&other, micros));
            }
        }
    }
}
