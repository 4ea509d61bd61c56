//! Which rows of the tables a commit comes to.

use super::*;
use crate::store::AuditEntry;

/// Version, begin and end in valid time, whether it is carried.
type Shape = (u64, i64, i64, bool);

fn shape(slice: &Slice) -> Shape {
    (slice.version, slice.valid.from().as_micros(), slice.valid.to().as_micros(), slice.carried)
}

/// The same of new slices, each with the end of its system time and whether it is scheduled.
fn shapes(rows: &DraftRows<u32>) -> Vec<(Shape, i64, bool)> {
    rows.new_slices.iter().map(|row| (shape(&row.slice), row.slice.sys.to().as_micros(), row.scheduled)).collect()
}

fn entries(rows: &[IndexRow]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row.name.as_str(), row.value.as_str())).collect()
}

const EVER: i64 = i64::MAX;

/// A contact with a slice in each table: version 1 over [5, 10) and version 2 from 10 on.
fn in_two_slices() -> Tables {
    written(&[(5, put(1, "Ada Byron", &["vip"])), (10, put(1, "Ada King", &["vip", "new"]))])
}

#[test]
fn a_new_entity_is_a_head_with_terms_sort_keys_and_words() {
    let rows = rows(&Tables::default(), 5, &put(1, "Ada Łukasz", &["vip"]));
    let [head] = &rows.new_heads[..] else { panic!("one head: {rows:?}") };
    assert_eq!((head.key, head.created_at, head.replaces, head.newest_version), (key(1), at(5), None, 1));
    assert_eq!((shape(&head.slice), head.words.as_str()), ((1, 5, EVER, false), "þadaþlukaszð ðlukasz ada lukasz"));
    assert_eq!(head.slice.body, Some(named("Ada Łukasz", &["vip"])));
    assert_eq!(entries(&rows.new_terms), [("kind", "person"), ("tag", "vip")]);
    assert_eq!(entries(&rows.new_sort), [("display_name", "ada łukasz")]);
    assert_eq!((shapes(&rows), rows.old_heads, rows.old_terms, rows.old_sort), (vec![], vec![], vec![], vec![]));
    assert_eq!((rows.head, rows.commits.len()), (TenantHead { tx_id: 1, floor: at(5), ..TenantHead::default() }, 1));
}

#[test]
fn an_update_replaces_the_head_and_keeps_the_old_one_as_slices() {
    let tables = written(&[(5, put(1, "Ada", &["old", "vip"]))]);
    let rows = rows(&tables, 10, &put(1, "Ada", &["new", "vip"]));
    let [head] = &rows.new_heads[..] else { panic!("one head: {rows:?}") };
    assert_eq!((head.replaces, head.created_at), (tables.heads[&key(1)].replaces, at(5)));
    assert_eq!((shape(&head.slice), head.newest_version), ((2, 10, EVER, false), 2));
    assert_eq!(shapes(&rows), [((1, 5, EVER, false), 10, false), ((1, 5, 10, true), EVER, false)]);
    assert_eq!(entries(&rows.old_terms), [("tag", "old")]);
    assert_eq!(entries(&rows.new_terms), [("tag", "new")]);
    assert!(rows.old_sort.is_empty() && rows.new_sort.is_empty(), "the name stays");
    assert!(rows.ended.is_empty() && rows.old_heads.is_empty() && rows.kept_heads.is_empty());
}

#[test]
fn a_correction_of_the_past_leaves_the_head_and_tells_it_the_newest_version() {
    let tables = in_two_slices();
    let rows = rows(&tables, 20, &over(1, WriteOp::Put(named("Augusta", &[])), 5, Some(7)));
    let [EndedSlice { slice, sys_to }] = &rows.ended[..] else { panic!("one slice ends: {rows:?}") };
    assert_eq!((slice.key, slice.sys_from, slice.valid_from, *sys_to), (key(1), at(10), at(5), at(20)));
    assert_eq!(slice.row, tables.slices[&(key(1), at(10), at(5))].0);
    assert_eq!(shapes(&rows), [((3, 5, 7, false), EVER, false), ((1, 7, 10, true), EVER, false)]);
    let [kept] = &rows.kept_heads[..] else { panic!("the head is kept: {rows:?}") };
    assert_eq!((kept.head.key, Some(kept.head.row)), (key(1), tables.heads[&key(1)].replaces));
    assert_eq!(kept.newest_version, 3);
    assert!(rows.new_heads.is_empty() && rows.old_terms.is_empty() && rows.new_terms.is_empty());
}

#[test]
fn a_slice_that_only_a_requirement_loaded_changes_no_row() {
    let changes = put(2, "Bob", &[]).require(Require::Version { key: key(1), version: 2 });
    let rows = rows(&in_two_slices(), 20, &changes);
    assert_eq!(rows.new_heads.iter().map(|head| head.key).collect::<Vec<_>>(), [key(2)]);
    assert!(rows.kept_heads.is_empty() && rows.ended.is_empty() && rows.new_slices.is_empty());
}

#[test]
fn a_slice_whose_time_has_not_come_is_scheduled_and_the_rest_is_the_head() {
    let tables = written(&[(5, put(1, "Ada Byron", &[]))]);
    let rows = rows(&tables, 10, &over(1, WriteOp::Put(named("Ada King", &[])), 30, None));
    let [head] = &rows.new_heads[..] else { panic!("one head: {rows:?}") };
    assert_eq!((shape(&head.slice), head.newest_version), ((1, 5, 30, true), 2));
    assert_eq!(head.words, "þadaþbyronð ðbyron ada byron", "the words of a stored slice are made of its body");
    assert_eq!(shapes(&rows), [((1, 5, EVER, false), 10, false), ((2, 30, EVER, false), EVER, true)]);
}

#[test]
fn a_slice_that_is_due_becomes_the_head_in_the_commit_of_another_entity() {
    let tables = written(&[
        (5, put(1, "Ada Byron", &["old"])),
        (10, over(1, WriteOp::Put(named("Ada King", &["new"])), 30, None)),
        (11, over(2, WriteOp::Put(named("Bob", &[])), 12, Some(14))),
    ]);
    let rows = rows(&tables, 40, &put(3, "Eve", &[]));
    let slot = &tables.slices[&(key(1), at(10), at(30))];
    let promoted = StoredSlice { row: slot.0, key: key(1), sys_from: at(10), valid_from: at(30) };
    assert_eq!(rows.promoted, [promoted]);
    let head = rows.new_heads.iter().find(|head| head.key == key(1)).unwrap();
    assert_eq!((shape(&head.slice), head.words.as_str()), ((2, 30, EVER, false), "þadaþkingð ðking ada king"));
    assert_eq!((head.replaces, head.newest_version), (tables.heads[&key(1)].replaces, 2));
    assert_eq!(shapes(&rows), [((1, 5, 30, true), EVER, false)], "the old head is still believed");
    assert_eq!(rows.unscheduled.iter().map(|slice| slice.key).collect::<Vec<_>>(), [key(2)], "it is over already");
    assert_eq!(entries(&rows.old_terms), [("tag", "old")]);
}

#[test]
fn a_deletion_leaves_no_head_and_a_tombstone() {
    let tables = in_two_slices();
    let rows = rows(&tables, 20, &Changes::none().write(key(1), WriteOp::Delete));
    let row = tables.heads[&key(1)].replaces.unwrap();
    assert_eq!(rows.old_heads, [StoredHead { row, key: key(1) }]);
    assert_eq!(entries(&rows.old_terms), [("kind", "person"), ("tag", "new"), ("tag", "vip")]);
    assert_eq!(entries(&rows.old_sort), [("display_name", "ada king")]);
    assert_eq!(
        shapes(&rows),
        [((2, 10, EVER, false), 20, false), ((2, 10, 20, true), EVER, false), ((3, 20, EVER, false), EVER, false),]
    );
    let tombstone = &rows.new_slices[2];
    assert_eq!((&tombstone.slice.body, &tombstone.index), (&None, &None));
    assert!(rows.new_heads.is_empty() && rows.kept_heads.is_empty() && rows.ended.is_empty());
}

#[test]
fn an_entity_that_was_erased_goes_on_with_its_numbers_once() {
    let mut draft: Draft<u32> =
        Draft::new(tenant(), TenantHead { tx_id: 9, floor: at(5), ..TenantHead::default() }, Some(at(5)));
    draft.add_erased(key(1), 3);
    draft.add_erased(key(2), 8);
    for (name, version) in [("Ada", 4), ("Bob", 5)] {
        let applied = draft.apply(&put(1, name, &[]), user(), at(10)).unwrap();
        assert_eq!(applied.versions, [(key(1), version)]);
    }
    let rows = draft.rows().unwrap();
    assert_eq!(rows.forgotten, [key(1)], "the other is still erased");
    let [head] = &rows.new_heads[..] else { panic!("one head: {rows:?}") };
    assert_eq!((head.slice.version, head.newest_version, head.created_at), (5, 5, at(10)));
    let entities = rows.commits.iter().flat_map(|commit| &commit.entities);
    let feed: Vec<_> = entities.map(|entity| (entity.version, entity.operation)).collect();
    assert_eq!(feed, [(4, Operation::Created), (5, Operation::Updated)]);
}

#[test]
fn a_slice_that_the_draft_made_and_closed_is_written_closed() {
    let mut draft: Draft<u32> = Draft::new(tenant(), TenantHead::default(), None);
    for (name, now) in [("A", 5), ("B", 6)] {
        draft.apply(&put(1, name, &[name]), user(), at(now)).unwrap();
    }
    let rows = draft.rows().unwrap();
    assert_eq!(shapes(&rows), [((1, 5, EVER, false), 6, false), ((1, 5, 6, true), EVER, false)]);
    assert_eq!(rows.new_slices[1].index.as_ref().map(|index| &index.terms[1].value), Some(&"A".to_owned()));
    assert_eq!((rows.new_heads.len(), rows.new_heads[0].newest_version), (1, 2));
    assert_eq!(entries(&rows.new_terms), [("kind", "person"), ("tag", "B")]);
}

#[test]
fn an_erasure_is_a_commit_that_takes_in_what_is_due() {
    let tables = written(&[(5, put(1, "Ada", &[])), (6, over(2, WriteOp::Put(named("Bob", &[])), 30, None))]);
    let mut draft = tables.draft(&[&Changes::none()], at(40), Load::All);
    let purged = ChangedEntity { kind: Kind::Contact, id: key(1).id, version: 2, operation: Operation::Purged };
    let entry = AuditEntry::new("user:1", "contact.purged");
    draft.record(purged.clone(), user(), entry.clone(), at(40));
    let rows = draft.rows().unwrap();
    assert_eq!((rows.commits[0].tx_id, &rows.commits[0].entities), (3, &vec![purged]));
    assert_eq!((&rows.beside.audit[0].entry, rows.beside.audit[0].created_at), (&entry, at(40)));
    assert_eq!(rows.head, TenantHead { tx_id: 3, floor: at(40), ..TenantHead::default() });
    assert_eq!(rows.new_heads.iter().map(|head| head.key).collect::<Vec<_>>(), [key(2)]);
}

#[test]
fn a_draft_without_a_commit_writes_nothing() {
    let tables = written(&[(5, put(1, "Ada", &[])), (6, over(1, WriteOp::Put(named("Bob", &[])), 30, None))]);
    let nothing = Changes::none().require(Require::Version { key: key(1), version: 1 });
    let mut draft = tables.draft(&[&nothing], at(40), Load::All);
    let refused = draft.apply(&nothing, user(), at(40)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::VersionMismatch, "it is Bob by now");
    let same = Changes::none().write(key(1), WriteOp::Put(named("Bob", &[])));
    let applied = draft.apply(&same, user(), at(40)).unwrap();
    assert_eq!((applied.tx_id, applied.at, applied.versions), (2, at(6), vec![(key(1), 2)]));
    assert!(draft.rows().is_none(), "also what is due waits for a commit");
}

#[test]
fn a_stored_body_of_older_rules_is_found_by_what_it_was_found_by() {
    let mut draft: Draft<u32> =
        Draft::new(tenant(), TenantHead { tx_id: 1, floor: at(5), ..TenantHead::default() }, Some(at(5)));
    let slice = Slice {
        version: 1,
        body: Some(json!({ "shoe_size": 43 })),
        sys: crate::Period::starting(at(5)),
        valid: crate::Period::starting(at(5)),
        carried: false,
        tx_id: 1,
    };
    let index = Indexed { terms: vec![Term::new("shoe", "43")], ..Indexed::default() };
    draft.add_slice(Stored { key: key(1), created_at: at(5), slice, index: Some(index), place: Place::Head(1) });
    draft.apply(&over(1, WriteOp::Put(named("Ada", &[])), 30, None), user(), at(10)).unwrap();
    let rows = draft.rows().unwrap();
    let [head] = &rows.new_heads[..] else { panic!("one head: {rows:?}") };
    assert_eq!((shape(&head.slice), head.words.as_str()), ((1, 5, 30, true), ""));
    assert_eq!(head.index.terms, [Term::new("shoe", "43")]);
    assert!(rows.old_terms.is_empty() && rows.new_terms.is_empty(), "the term stays");
}
