use crate::pim::Operation;
use crate::temporal::{At, Write, WriteOp};
use crate::{EntityId, Timestamp};

/// The part of the valid axis that a write is about, as far as other entities are concerned.
///
/// A write that holds now also decides about what others have now, and later; one that holds in the past or the
/// future only decides about what they have where it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// Whether the write holds now: what it decides is then checked at the commit.
    pub(super) is_present: bool,
}

impl Span {
    pub(super) fn of(operation: &Operation) -> Self {
        let (from, to) = (operation.valid_from, operation.valid_to);
        let now = operation.now();
        Self { from, to, is_present: from.is_none_or(|from| from <= now) && to.is_none_or(|to| now < to) }
    }

    /// Where the entities of others are looked at.
    pub(super) fn elsewhere(self) -> At {
        At { as_of: None, valid_at: self.from.filter(|_| !self.is_present) }
    }

    /// Where the parts of the written entity are looked at.
    pub(super) fn places(self) -> Vec<At> {
        let start = At { as_of: None, valid_at: self.from };
        if self.is_present && self.from.is_some() { vec![start, At::NOW] } else { vec![start] }
    }

    /// Whether the write names its beginning, so that what it keeps may not hold in all of it yet.
    pub(super) const fn names_its_beginning(self) -> bool {
        self.from.is_some()
    }

    /// A write to an entity of others.
    pub(super) fn write_elsewhere(self, op: WriteOp) -> Write {
        Write { op, valid_from: self.from.filter(|_| !self.is_present), valid_to: self.to }
    }
}

/// The note that is written, in the world as it will be.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) id: EntityId,
    /// Its place in the order of creation.
    pub(super) created_at: Timestamp,
    /// What it will be called; nothing if it is deleted.
    pub(super) names: super::names::Names,
}
