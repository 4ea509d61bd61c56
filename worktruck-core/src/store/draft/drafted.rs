use std::collections::BTreeMap;
use std::sync::Arc;

use crate::entity::{Kind, Term};
use crate::store::{Changes, EntityKey, EntityPlan, most_with_term, too_many_with_term};
use crate::temporal::{RowOp, Slice};
use crate::{Error, Period, Result, Timestamp};

use super::{Done, Draft, Indexed};

/// An open slice as a backend has it stored.
#[derive(Clone, Debug)]
pub struct Stored<R> {
    /// The entity.
    pub key: EntityKey,
    /// When the entity was first written.
    pub created_at: Timestamp,
    /// The slice.
    pub slice: Slice,
    /// What it is found by; absent where it says that the entity is deleted.
    pub index: Option<Indexed>,
    /// Where it is kept.
    pub place: Place<R>,
}

/// Where an open slice is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place<R> {
    /// In this row of the heads.
    Head(R),
    /// In this row of the slices.
    Slice {
        /// Its row.
        row: R,
        /// Whether the row says that its time has not come.
        scheduled: bool,
    },
}

/// What a draft knows of an entity beside its open slices.
#[derive(Debug)]
pub(super) struct Drafted<R> {
    /// When it was first written.
    pub(super) created_at: Timestamp,
    /// Of each open slice, in the same order.
    pub(super) rows: Vec<Row<R>>,
    /// The slices that the draft closed.
    pub(super) closed: Vec<(Slice, Row<R>)>,
}

/// Where a slice is kept, and what it is found by.
#[derive(Debug)]
pub(super) struct Row<R> {
    /// Nowhere yet if absent.
    pub(super) place: Option<Place<R>>,
    /// Absent where the slice is a tombstone.
    pub(super) index: Option<Arc<Indexed>>,
}

impl<R> Draft<R> {
    /// Does what `plan` says; `indexes` are those of the bodies that it writes, in order.
    pub(super) fn execute(&mut self, plan: EntityPlan, indexes: Vec<Indexed>, at: Timestamp) -> Result<()> {
        let key = plan.key;
        let mut indexes = indexes.into_iter();
        let entity = self.entities.entry(key).or_insert_with(|| {
            self.done.push(Done::Entered(key));
            Drafted::new(at)
        });
        let open = self.open.entry(key).or_default();
        let closed_before = entity.closed.len();
        for op in plan.ops {
            match op {
                RowOp::Close { valid_from, at } => {
                    let place = entity.close(open, valid_from, at)?;
                    self.done.push(Done::Closed { key, place });
                }
                RowOp::Insert(slice) => {
                    let index = match &slice.body {
                        None => None,
                        // A carried slice has the body of the one that was cut, whatever was valid then.
                        Some(_) if slice.carried => rest_of(&entity.closed[closed_before..], &slice),
                        Some(_) => indexes.next().map(Arc::new),
                    };
                    entity.insert(open, slice, Row { place: None, index });
                    self.done.push(Done::Inserted(key));
                }
            }
        }
        Ok(())
    }

    /// Takes back what was done to slices, the last first.
    pub(super) fn take_back(&mut self) {
        while let Some(done) = self.done.pop() {
            let (Done::Entered(key) | Done::Inserted(key) | Done::Closed { key, .. }) = done;
            let (Some(open), Some(entity)) = (self.open.get_mut(&key), self.entities.get_mut(&key)) else { continue };
            match done {
                Done::Inserted(_) => {
                    open.pop();
                    entity.rows.pop();
                }
                Done::Closed { place, .. } => entity.reopen(open, place),
                Done::Entered(_) => {
                    self.open.remove(&key);
                    self.entities.remove(&key);
                }
            }
        }
    }

    /// Checks that no term is had by more than may have it, as the draft stands at `at`.
    pub(super) fn check_terms(&self, changes: &Changes, at: Timestamp) -> Result<()> {
        let limited = changes.requires.iter().filter_map(most_with_term);
        let mut holders: BTreeMap<(Kind, &Term), usize> =
            limited.clone().map(|(kind, term, _)| ((kind, term), 0)).collect();
        if holders.is_empty() {
            return Ok(());
        }
        // One walk over the draft for all terms: there may be as many of them as entities.
        for ((key, open), entity) in self.open.iter().zip(self.entities.values()) {
            let live = open.iter().position(|slice| slice.body.is_some() && slice.valid.contains(at));
            let index = live.and_then(|place| entity.rows.get(place)?.index.as_ref());
            for term in index.iter().flat_map(|index| &index.terms) {
                if let Some(count) = holders.get_mut(&(key.kind, term)) {
                    *count += 1;
                }
            }
        }
        for (kind, term, most) in limited {
            let stored = self.holders.get(&(kind, term.clone())).into_iter().flatten();
            let stored = stored.filter(|(id, to)| at < **to && !self.is_known(EntityKey::new(kind, **id)));
            let drafted = holders.get(&(kind, term)).copied().unwrap_or(0);
            if drafted + stored.count() > most {
                return Err(too_many_with_term(kind, term, most));
            }
        }
        Ok(())
    }
}

impl<R> Drafted<R> {
    pub(super) const fn new(created_at: Timestamp) -> Self {
        Self { created_at, rows: Vec::new(), closed: Vec::new() }
    }

    pub(super) fn insert(&mut self, open: &mut Vec<Slice>, slice: Slice, row: Row<R>) {
        open.push(slice);
        self.rows.push(row);
    }

    /// Ends the system time of an open slice, and gives the place that it had among them.
    fn close(&mut self, open: &mut Vec<Slice>, valid_from: Timestamp, at: Timestamp) -> Result<usize> {
        let place = open
            .iter()
            .position(|slice| slice.valid.from() == valid_from)
            .ok_or_else(|| Error::internal(format!("no open slice begins at {valid_from}")))?;
        let sys = Period::new(open[place].sys.from(), at)?;
        let slice = Slice { sys, ..open.remove(place) };
        self.closed.push((slice, self.rows.remove(place)));
        Ok(place)
    }

    /// Takes back the last [`close`](Self::close).
    fn reopen(&mut self, open: &mut Vec<Slice>, place: usize) {
        if let Some((slice, row)) = self.closed.pop() {
            let sys = Period::starting(slice.sys.from());
            open.insert(place, Slice { sys, ..slice });
            self.rows.insert(place, row);
        }
    }
}

fn rest_of<R>(cut: &[(Slice, Row<R>)], slice: &Slice) -> Option<Arc<Indexed>> {
    let whole = cut
        .iter()
        .find(|(cut, _)| cut.version == slice.version && cut.valid.intersect(slice.valid) == Some(slice.valid));
    whole.and_then(|(_, row)| row.index.clone())
}
