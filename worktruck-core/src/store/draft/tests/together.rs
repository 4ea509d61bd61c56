//! Commits that are made as one, commits that fail, and terms that must be unique.

use super::*;

/// Contact 1 in two slices, one scheduled; contact 2; contact 9 is unknown.
fn stored() -> Tables {
    written(&[
        (5, put(1, "Ada", &["a"])),
        (6, over(1, WriteOp::Put(named("Ada King", &["king"])), 90, None)),
        (7, put(2, "Bob", &["b"])),
    ])
}

/// A draft that has made a commit to each contact, and knows who has the tags.
fn begun(tables: &Tables) -> Draft<u32> {
    let every = unique(unique(put(1, "", &[]).write(key(2), WriteOp::Delete), "a"), "b");
    let mut draft = tables.draft(&[&every], at(20), Load::All);
    draft.apply(&over(1, WriteOp::Patch(json!({ "bio": "x" })), 8, Some(12)), user(), at(20)).unwrap();
    draft.apply(&put(2, "Bob", &["b", "c"]), user(), at(21)).unwrap();
    draft
}

/// Changes that touch every slice of the draft and an entity that it does not know.
fn touching() -> Changes {
    over(1, WriteOp::Patch(json!({ "bio": "y" })), 0, None)
        .write(key(9), WriteOp::Put(named("Eve", &["e"])))
        .write(key(2), WriteOp::Delete)
}

#[test]
fn a_commit_that_cannot_be_made_leaves_the_draft_as_it_was() {
    let patch_of_nothing = touching().write(key(8), WriteOp::Patch(json!({})));
    let wrong_body = touching().write(key(8), WriteOp::Put(json!({ "shoe_size": 43 })));
    // Found after everything is written: two contacts with the tag, both of them new to it.
    let twice = unique(touching().write(key(8), WriteOp::Put(named("Eve", &["e"]))), "e");
    for (changes, kind) in [
        (touching().require(Require::Absent { key: key(1) }), ErrorKind::Conflict),
        (touching().require(Require::Version { key: key(9), version: 1 }), ErrorKind::VersionMismatch),
        (patch_of_nothing, ErrorKind::NotFound),
        (wrong_body, ErrorKind::InvalidRequest),
        (twice, ErrorKind::Conflict),
    ] {
        let mut draft = begun(&stored());
        let before = format!("{draft:#?}");
        assert_eq!(draft.apply(&changes, user(), at(30)).unwrap_err().kind(), kind);
        assert_eq!(format!("{draft:#?}"), before, "{kind}: {changes:?}");
        assert!(!draft.is_known(key(9)));
    }
}

#[test]
fn what_is_made_after_a_failure_is_made_as_if_there_had_been_none() {
    let fails = unique(touching().write(key(8), WriteOp::Put(named("Eve", &["e"]))), "e");
    let made = |with_failure: bool| {
        let mut draft = begun(&stored());
        if with_failure {
            draft.apply(&fails, user(), at(30)).unwrap_err();
        }
        let applied = draft.apply(&touching(), user(), at(30)).unwrap();
        (applied, format!("{:#?}", draft.rows()))
    };
    assert_eq!(made(true), made(false));
}

#[test]
fn commits_of_one_unit_are_made_one_after_the_other() {
    let tables = stored();
    let (first, second) = (put(9, "Eve", &[]), Changes::none().write(key(9), WriteOp::Patch(json!({ "bio": "x" }))));
    let mut draft = tables.draft(&[&first, &second], at(20), Load::All);
    let by = |seq| Provenance::new(format!("step:{seq}"), "test");
    let applied = draft.apply_all(&[(&first, by(1)), (&second, by(2))], at(20)).unwrap();
    assert_eq!(
        applied.iter().map(|applied| (applied.tx_id, applied.at)).collect::<Vec<_>>(),
        [(4, at(20)), (5, at(21))]
    );
    assert_eq!(applied[1].versions, [(key(9), 2)]);
    let rows = draft.rows().unwrap();
    let feed: Vec<_> = rows.commits.iter().map(|commit| commit.provenance.captured_by.as_str()).collect();
    assert_eq!(feed, ["step:1", "step:2"]);
}

#[test]
fn a_unit_is_made_whole_or_not_at_all_and_names_the_commit_that_fails() {
    let again = put(9, "Eve", &[]).require(Require::Absent { key: key(9) });
    for (unit, place) in [
        (vec![&again, &again], 1),
        (vec![&touching(), &again, &touching()], 1),
        (vec![&touching(), &put(8, "Zoe", &[]), &Changes::none().write(key(9), WriteOp::Patch(json!({}))), &again], 3),
    ] {
        let mut draft = begun(&stored());
        let before = format!("{draft:#?}");
        let unit: Vec<_> = unit.into_iter().map(|changes| (changes, user())).collect();
        let refused = draft.apply_all(&unit, at(30)).unwrap_err();
        assert_eq!((refused.place, refused.error.kind()), (place, ErrorKind::Conflict));
        assert_eq!(format!("{draft:#?}"), before);
    }
}

#[test]
fn a_unit_that_fails_takes_none_back_of_the_one_before() {
    let mut draft = begun(&stored());
    draft.apply_all(&[(&put(9, "Eve", &[]), user())], at(30)).unwrap();
    let again = put(9, "Zoe", &[]).require(Require::Absent { key: key(9) });
    assert_eq!(draft.apply_all(&[(&again, user())], at(31)).unwrap_err().place, 0);
    let rows = draft.rows().unwrap();
    assert_eq!(rows.new_heads.iter().filter(|head| head.words == "þeveð eve").count(), 1);
    assert_eq!(rows.commits.len(), 3);
}

#[test]
fn a_term_is_unique_among_what_is_stored_and_what_is_drafted() {
    let tables = stored();
    let (taken, freed) = (unique(put(9, "Eve", &["b"]), "b"), put(2, "Bob", &[]));
    let conflict = |draft: &mut Draft<u32>, changes: &Changes| {
        draft.apply(changes, user(), at(20)).map_err(|error| error.kind()).err() == Some(ErrorKind::Conflict)
    };
    // The head that has it is not in the draft, and then it is, without the term.
    assert!(conflict(&mut tables.draft(&[&taken], at(20), Load::All), &taken));
    let mut draft = tables.draft(&[&taken, &freed], at(20), Load::All);
    assert!(conflict(&mut draft, &taken));
    assert!(!conflict(&mut draft, &freed));
    assert!(!conflict(&mut draft, &taken));
    // The second of one draft fails, whichever run it is of, and so does one that takes it back.
    let second = unique(put(8, "Zoe", &["b"]), "b");
    assert!(conflict(&mut draft, &second));
    assert!(conflict(&mut draft, &unique(put(2, "Bob", &["b"]), "b")));
    assert!(!conflict(&mut draft, &put(8, "Zoe", &["b"])), "nobody asks for it to be unique");
    assert!(conflict(&mut draft, &unique(put(7, "Kim", &[]), "b")), "it is not, whoever writes what");
}

#[test]
fn a_term_is_held_only_while_the_slice_holds() {
    let tables = written(&[(5, over(1, WriteOp::Put(named("Ada", &["a"])), 0, Some(50)))]);
    let taken = unique(put(2, "Bob", &["a"]), "a");
    for (now, is_free) in [(49, false), (50, true)] {
        let mut draft = tables.draft(&[&taken], at(now), Load::All);
        assert_eq!(draft.apply(&taken, user(), at(now)).is_ok(), is_free, "at {now}");
    }
    let scheduled = over(3, WriteOp::Put(named("Eve", &["a"])), 90, None);
    let mut draft = tables.draft(&[&scheduled, &taken], at(60), Load::All);
    draft.apply(&scheduled, user(), at(60)).unwrap();
    draft.apply(&taken, user(), at(60)).unwrap();
    assert_eq!(draft.apply(&taken, user(), at(90)).unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn what_is_taken_in_twice_is_there_once() {
    let tables = stored();
    let mut draft = tables.draft(&[&touching()], at(20), Load::All);
    let before = format!("{draft:#?}");
    for (row, stored) in tables.slices.values().filter(|(_, row)| row.key == key(1) && row.slice.sys.is_open()) {
        draft.add_slice(Stored {
            key: stored.key,
            created_at: stored.created_at,
            slice: stored.slice.clone(),
            index: stored.index.as_deref().cloned(),
            place: Place::Slice { row: *row, scheduled: stored.scheduled },
        });
    }
    assert_eq!(format!("{draft:#?}"), before);
    let tag = Term::new("tag", "z");
    draft.add_holder(key(5), tag.clone(), at(99));
    draft.add_holder(key(5), tag, at(99));
    draft.apply(&unique(Changes::none(), "z"), user(), at(20)).unwrap();
}

#[test]
fn slices_that_contradict_each_other_are_not_passed_over() {
    let tables = written(&[(5, put(2, "Bob", &["b"]))]);
    let mut draft = tables.draft(&[&touching()], at(20), Load::All);
    let head = &tables.heads[&key(2)];
    draft.add_slice(Stored {
        key: key(2),
        created_at: head.created_at,
        slice: Slice { body: Some(named("Eve", &[])), ..head.slice.clone() },
        index: None,
        place: Place::Slice { row: 99, scheduled: false },
    });
    let changes = Changes::none().write(key(2), WriteOp::Delete);
    assert_eq!(draft.apply(&changes, user(), at(20)).unwrap_err().kind(), ErrorKind::Internal);
}
