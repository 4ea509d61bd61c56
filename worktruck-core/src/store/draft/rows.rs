use std::sync::Arc;

use crate::entity::Term;
use crate::store::{Beside, EntityKey, TenantCommit, TenantHead};
use crate::temporal::Slice;
use crate::{TenantId, Timestamp};

use super::Indexed;
use super::drafted::{Drafted, Place};

/// The changes of rows that a [`Draft`](super::Draft) comes to.
///
/// Room is to be made first: slices are ended, promoted rows and old heads are removed before
/// anything is added, so that no two open slices of an entity overlap at any moment.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftRows<R> {
    /// Whose rows they are.
    pub tenant: TenantId,
    /// How far the commits have come: the newest is at the floor, and whatever holds then is a head.
    pub head: TenantHead,
    /// The commits, oldest first.
    pub commits: Vec<TenantCommit>,
    /// What is written beside entities.
    pub beside: Beside,
    /// Rows of the slices whose system time ends; they are not scheduled any more either.
    pub ended: Vec<EndedSlice<R>>,
    /// Rows of the slices whose time has come without a place among the heads.
    pub unscheduled: Vec<StoredSlice<R>>,
    /// Rows of the slices to remove: the slice is in a row of `new_heads`.
    pub promoted: Vec<StoredSlice<R>>,
    /// Rows of the heads to remove, and the words that they were found by.
    pub old_heads: Vec<StoredHead<R>>,
    /// Rows of the heads to add, or to put in the place of the one that the entity had.
    pub new_heads: Vec<HeadRow<R>>,
    /// Rows of the heads that stay as they are, of entities with a newer version elsewhere.
    pub kept_heads: Vec<KeptHead<R>>,
    /// Rows of the slices to add.
    pub new_slices: Vec<SliceRow>,
    /// Index terms of heads to remove.
    pub old_terms: Vec<IndexRow>,
    /// Index terms of heads to add.
    pub new_terms: Vec<IndexRow>,
    /// Sort keys of heads to remove.
    pub old_sort: Vec<IndexRow>,
    /// Sort keys of heads to add.
    pub new_sort: Vec<IndexRow>,
    /// Entities that were erased and are written again: the number that the erasure took is not
    /// needed any more.
    pub forgotten: Vec<EntityKey>,
}

/// A stored row of the slices.
///
/// Its entity and the begins of its two times name it too.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredSlice<R> {
    /// The row.
    pub row: R,
    /// The entity.
    pub key: EntityKey,
    /// The begin of its system time.
    pub sys_from: Timestamp,
    /// The begin of its valid time.
    pub valid_from: Timestamp,
}

/// A stored row of the slices whose system time ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndedSlice<R> {
    /// The row.
    pub slice: StoredSlice<R>,
    /// The end of its system time.
    pub sys_to: Timestamp,
}

/// A stored row of the heads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredHead<R> {
    /// The row.
    pub row: R,
    /// The entity.
    pub key: EntityKey,
}

/// A stored row of the heads whose entity has a newer version than it had.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptHead<R> {
    /// The row.
    pub head: StoredHead<R>,
    /// The newest version of the entity.
    pub newest_version: u64,
}

/// A row of the heads to write.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadRow<R> {
    /// The row that the entity has among the heads, if any. It and the words that it was found by
    /// are replaced.
    pub replaces: Option<R>,
    /// The entity.
    pub key: EntityKey,
    /// When the entity was first written.
    pub created_at: Timestamp,
    /// The slice, which has a body and open system time.
    pub slice: Slice,
    /// What it is found by.
    pub index: Arc<Indexed>,
    /// The [words](crate::store::searched) that it is searched by.
    pub words: String,
    /// The newest version of the entity: that of the slice, or of one that is not the head.
    pub newest_version: u64,
}

/// A row of the slices to write.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceRow {
    /// The entity.
    pub key: EntityKey,
    /// When the entity was first written.
    pub created_at: Timestamp,
    /// The slice.
    pub slice: Slice,
    /// What it is found by; absent where it says that the entity is deleted.
    pub index: Option<Arc<Indexed>>,
    /// Whether it is believed and its time has not come yet.
    pub scheduled: bool,
}

/// An index term or a sort key of the head of an entity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IndexRow {
    /// The entity.
    pub key: EntityKey,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl<R> DraftRows<R> {
    pub(super) const fn new(tenant: TenantId, head: TenantHead, commits: Vec<TenantCommit>, beside: Beside) -> Self {
        Self {
            tenant,
            head,
            commits,
            beside,
            ended: Vec::new(),
            unscheduled: Vec::new(),
            promoted: Vec::new(),
            old_heads: Vec::new(),
            new_heads: Vec::new(),
            kept_heads: Vec::new(),
            new_slices: Vec::new(),
            old_terms: Vec::new(),
            new_terms: Vec::new(),
            old_sort: Vec::new(),
            new_sort: Vec::new(),
            forgotten: Vec::new(),
        }
    }

    /// Decides where the slices of one entity belong when its tenant's newest commit is at
    /// `present`.
    pub(super) fn place(&mut self, key: EntityKey, open: Vec<Slice>, entity: Drafted<R>, present: Timestamp) {
        let Drafted { created_at, rows, closed } = entity;
        let newest_version = open.iter().map(|slice| slice.version).max().unwrap_or(0);
        let is_written = rows.iter().any(|row| row.place.is_none());
        let (mut old_head, mut new_head) = (None, None);
        let slice_row = |slice, index, scheduled| SliceRow { key, created_at, slice, index, scheduled };
        for (slice, row) in closed {
            match row.place {
                Some(Place::Slice { row, .. }) => {
                    self.ended.push(EndedSlice { sys_to: slice.sys.to(), slice: StoredSlice::of(row, key, &slice) });
                    continue;
                }
                Some(Place::Head(head)) => old_head = Some((head, row.index.clone())),
                None => {}
            }
            self.new_slices.push(slice_row(slice, row.index, false));
        }
        for (slice, row) in open.into_iter().zip(rows) {
            let is_head = slice.body.is_some() && slice.valid.contains(present);
            let is_scheduled = present < slice.valid.from();
            match row.place {
                Some(Place::Head(row)) if is_head => {
                    if is_written {
                        self.kept_heads.push(KeptHead { head: StoredHead { row, key }, newest_version });
                    }
                }
                Some(Place::Slice { row: stored, .. }) if is_head => {
                    self.promoted.push(StoredSlice::of(stored, key, &slice));
                    new_head = Some((slice, row.index));
                }
                None if is_head => new_head = Some((slice, row.index)),
                Some(Place::Slice { row, scheduled }) => {
                    if scheduled && !is_scheduled {
                        self.unscheduled.push(StoredSlice::of(row, key, &slice));
                    }
                }
                Some(Place::Head(head)) => {
                    old_head = Some((head, row.index.clone()));
                    self.new_slices.push(slice_row(slice, row.index, is_scheduled));
                }
                None => self.new_slices.push(slice_row(slice, row.index, is_scheduled)),
            }
        }
        let new_head = new_head.map(|(slice, index)| {
            let index = index.unwrap_or_default();
            let words = index.words_of(key.kind, slice.body.as_ref());
            HeadRow { replaces: None, key, created_at, slice, index, words, newest_version }
        });
        self.replace_head(key, old_head, new_head);
    }

    fn replace_head(&mut self, key: EntityKey, old: Option<(R, Option<Arc<Indexed>>)>, new: Option<HeadRow<R>>) {
        let (row, old_index) = old.unzip();
        let old_index = old_index.flatten().unwrap_or_default();
        let new_index = new.as_ref().map(|head| Arc::clone(&head.index)).unwrap_or_default();
        let entry = |name: &str, value: &str| IndexRow { key, name: name.to_owned(), value: value.to_owned() };
        let of_term = |term: &Term| entry(&term.name, &term.value);
        let old_only = old_index.terms.iter().filter(|term| !new_index.terms.contains(term));
        self.old_terms.extend(old_only.map(of_term));
        let new_only = new_index.terms.iter().filter(|term| !old_index.terms.contains(term));
        self.new_terms.extend(new_only.map(of_term));
        let old_only = old_index.sort.iter().filter(|(name, value)| new_index.sort.get(*name) != Some(value));
        self.old_sort.extend(old_only.map(|(name, value)| entry(name, value)));
        let new_only = new_index.sort.iter().filter(|(name, value)| old_index.sort.get(*name) != Some(value));
        self.new_sort.extend(new_only.map(|(name, value)| entry(name, value)));
        match new {
            Some(head) => self.new_heads.push(HeadRow { replaces: row, ..head }),
            None => self.old_heads.extend(row.map(|row| StoredHead { row, key })),
        }
    }
}

impl<R> StoredSlice<R> {
    const fn of(row: R, key: EntityKey, slice: &Slice) -> Self {
        Self { row, key, sys_from: slice.sys.from(), valid_from: slice.valid.from() }
    }
}
