//! The tables of a backend in memory: what a draft is loaded from, and what its rows are written to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::Period;
use crate::store::keys;

/// How much a backend loads of an entity that is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Load {
    /// Every open slice.
    All,
    /// What `plan_changes` cannot do without.
    Needed,
}

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) head: TenantHead,
    pub(super) committed_at: Option<Timestamp>,
    /// Of each row that `replaces` itself.
    pub(super) heads: BTreeMap<EntityKey, HeadRow<u32>>,
    pub(super) slices: BTreeMap<RowName, (u32, SliceRow)>,
    pub(super) terms: BTreeSet<Entry>,
    pub(super) sort: BTreeSet<Entry>,
    pub(super) erased: BTreeMap<EntityKey, u64>,
    pub(super) commits: Vec<TenantCommit>,
    rows: u32,
}

/// What names a row of the slices: entity, begin of system time, begin of valid time.
type RowName = (EntityKey, Timestamp, Timestamp);

type Entry = (EntityKey, String, String);

impl Tables {
    pub(super) fn draft(&self, sets: &[&Changes], now: Timestamp, load: Load) -> Draft<u32> {
        self.draft_within(sets, now, now, load)
    }

    /// A draft for commits that are made from `earliest` to `latest`.
    pub(super) fn draft_within(
        &self,
        sets: &[&Changes],
        earliest: Timestamp,
        latest: Timestamp,
        load: Load,
    ) -> Draft<u32> {
        let mut draft = Draft::new(tenant(), self.head, self.committed_at);
        let first = self.head.stamp(earliest).sys;
        let last = self.head.stamp(latest).sys.after(Duration::from_micros(u64::try_from(sets.len()).unwrap()));
        let due = self.slices.values().filter(|(_, row)| row.scheduled && row.slice.valid.from() <= last);
        let due: BTreeSet<EntityKey> = due.map(|(_, row)| row.key).collect();
        let wanted: BTreeSet<EntityKey> = sets.iter().flat_map(|changes| keys(changes)).collect();
        for key in due.union(&wanted) {
            let whole = load == Load::All || due.contains(key);
            self.load(&mut draft, *key, |slice| whole || is_touched(sets, *key, slice, first, last));
            if let Some(version) = self.erased.get(key).filter(|_| !draft.is_known(*key)) {
                draft.add_erased(*key, *version);
            }
        }
        for require in sets.iter().flat_map(|changes| &changes.requires) {
            let Require::UniqueTerm { kind, term } = require else { continue };
            let has = |head: &&HeadRow<u32>| head.key.kind == *kind && head.index.terms.contains(term);
            for head in self.heads.values().filter(has) {
                draft.add_holder(head.key, term.clone(), head.slice.valid.to());
            }
        }
        draft
    }

    fn load(&self, draft: &mut Draft<u32>, key: EntityKey, is_wanted: impl Fn(&Slice) -> bool) {
        let newest = self.newest(key);
        let stored_index = |index: &Indexed| Indexed { words: None, ..index.clone() };
        let mut has_newest = false;
        if let Some(head) = self.heads.get(&key) {
            has_newest = head.slice.version == newest;
            draft.add_slice(Stored {
                key,
                created_at: head.created_at,
                slice: head.slice.clone(),
                index: Some(stored_index(&head.index)),
                place: Place::Head(head.replaces.unwrap()),
            });
        }
        for (row, stored) in self.slices.values().filter(|(_, row)| row.key == key && row.slice.sys.is_open()) {
            let is_first_newest = stored.slice.version == newest && !has_newest;
            if is_wanted(&stored.slice) || is_first_newest {
                has_newest |= is_first_newest;
                draft.add_slice(Stored {
                    key,
                    created_at: stored.created_at,
                    slice: stored.slice.clone(),
                    index: stored.index.as_deref().map(stored_index),
                    place: Place::Slice { row: *row, scheduled: stored.scheduled },
                });
            }
        }
    }

    pub(super) fn newest(&self, key: EntityKey) -> u64 {
        let heads = self.heads.get(&key).into_iter().map(|head| head.slice.version);
        heads.chain(self.of(key).map(|row| row.slice.version)).max().unwrap_or(0)
    }

    /// The rows of an entity that are no head.
    pub(super) fn of(&self, key: EntityKey) -> impl Iterator<Item = &SliceRow> {
        self.slices.values().map(|(_, row)| row).filter(move |row| row.key == key)
    }

    /// Writes what a draft comes to; fails where a row is not there, or is there already.
    pub(super) fn write(&mut self, draft: Draft<u32>) {
        let Some(rows) = draft.rows() else { return };
        assert_eq!(rows.tenant, tenant());
        for EndedSlice { slice, sys_to } in &rows.ended {
            let row = self.stored(slice);
            row.slice.sys = Period::new(row.slice.sys.from(), *sys_to).unwrap();
            row.scheduled = false;
        }
        for slice in &rows.unscheduled {
            assert!(self.stored(slice).scheduled);
            self.stored(slice).scheduled = false;
        }
        for slice in &rows.promoted {
            self.stored(slice);
            self.slices.remove(&(slice.key, slice.sys_from, slice.valid_from));
        }
        for StoredHead { row, key } in &rows.old_heads {
            assert_eq!(self.heads.remove(key).unwrap().replaces, Some(*row));
        }
        for KeptHead { head, newest_version } in &rows.kept_heads {
            let kept = self.heads.get_mut(&head.key).unwrap();
            assert_eq!(kept.replaces, Some(head.row));
            kept.newest_version = *newest_version;
        }
        for head in rows.new_heads {
            let old = self.heads.remove(&head.key);
            assert_eq!(old.and_then(|old| old.replaces), head.replaces);
            let row = head.replaces.unwrap_or_else(|| self.next_row());
            self.heads.insert(head.key, HeadRow { replaces: Some(row), ..head });
        }
        for slice in rows.new_slices {
            let row = self.next_row();
            let place = (slice.key, slice.slice.sys.from(), slice.slice.valid.from());
            assert!(self.slices.insert(place, (row, slice)).is_none());
        }
        for (table, old, new) in
            [(&mut self.terms, rows.old_terms, rows.new_terms), (&mut self.sort, rows.old_sort, rows.new_sort)]
        {
            assert!(old.into_iter().all(|row| table.remove(&entry(row))), "what is removed is there");
            assert!(new.into_iter().all(|row| table.insert(entry(row))), "what is added is not there");
        }
        for key in rows.forgotten {
            assert!(self.erased.remove(&key).is_some());
        }
        self.commits.extend(rows.commits);
        self.head = rows.head;
        self.committed_at = Some(rows.head.floor);
    }

    fn next_row(&mut self) -> u32 {
        self.rows += 1;
        self.rows
    }

    fn stored(&mut self, at: &StoredSlice<u32>) -> &mut SliceRow {
        let (row, slice) = self.slices.get_mut(&(at.key, at.sys_from, at.valid_from)).unwrap();
        assert_eq!(*row, at.row);
        slice
    }
}

fn entry(row: IndexRow) -> Entry {
    (row.key, row.name, row.value)
}

fn is_touched(sets: &[&Changes], key: EntityKey, slice: &Slice, first: Timestamp, last: Timestamp) -> bool {
    let present = Period::new(first, last.next()).unwrap();
    let mut writes = sets.iter().flat_map(|changes| &changes.writes).filter(|change| change.key == key);
    slice.valid.intersect(present).is_some()
        || writes.any(|change| {
            let from = change.write.valid_from.unwrap_or(first);
            let to = change.write.valid_to.unwrap_or(Timestamp::FOREVER);
            Period::new(from, to).is_ok_and(|range| slice.valid.intersect(range).is_some())
        })
}
