//! Random scripts: however their commits are grouped into drafts, and however little is loaded, the
//! tables come to the same, and say what the reference store says.

use std::collections::{BTreeMap, BTreeSet};

use futures::executor::block_on;
use proptest::prelude::*;

use super::*;
use crate::PageRequest;
use crate::store::{EntityStore as _, MemoryStore};
use crate::temporal::At;

const CONTACTS: u128 = 4;

/// A commit and its moment, which need not be later than that of the one before.
type Step = (i64, Changes);

fn script() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((-1_i64..12, any_changes()), 1..14).prop_map(|steps| {
        let mut now = 100;
        let at = |(wait, changes)| {
            now += wait;
            (now, shifted(changes, now))
        };
        steps.into_iter().map(at).collect()
    })
}

/// Writes are drawn relative to the moment of their commit.
fn shifted(mut changes: Changes, now: i64) -> Changes {
    for change in &mut changes.writes {
        let shift = |bound: &mut Option<Timestamp>| *bound = bound.map(|bound| at(bound.as_micros() + now));
        shift(&mut change.write.valid_from);
        shift(&mut change.write.valid_to);
    }
    changes
}

fn any_changes() -> impl Strategy<Value = Changes> {
    let writes = prop::collection::vec((0..CONTACTS, any_write()), 0..4);
    let requires = prop::collection::vec(any_require(), 0..2);
    (writes, requires).prop_map(|(writes, requires)| {
        let changes =
            writes.into_iter().fold(Changes::none(), |changes, (n, write)| changes.write_valid(key(n), write));
        requires.into_iter().fold(changes, Changes::require)
    })
}

fn any_write() -> impl Strategy<Value = Write> {
    let tags = || prop::sample::subsequence(vec!["a", "b", "c"], 0..=2);
    let op = prop_oneof![
        4 => (prop::sample::select(vec!["Ada", "Bob", "Zoë"]), tags())
            .prop_map(|(name, tags)| WriteOp::Put(named(name, &tags))),
        2 => tags().prop_map(|tags| WriteOp::Patch(json!({ "tags": tags }))),
        1 => Just(WriteOp::Delete),
    ];
    let bound = |range: std::ops::Range<i64>| prop::option::weighted(0.4, range.prop_map(at));
    (op, bound(-25..25), bound(1..30)).prop_map(|(op, valid_from, valid_to)| Write { op, valid_from, valid_to })
}

fn any_require() -> impl Strategy<Value = Require> {
    prop_oneof![
        (0..CONTACTS, 1_u64..4).prop_map(|(n, version)| Require::Version { key: key(n), version }),
        (0..CONTACTS).prop_map(|n| Require::Absent { key: key(n) }),
        Just(Require::UniqueTerm { kind: Kind::Contact, term: Term::new("tag", "a") }),
    ]
}

/// What a commit came to: error kinds instead of errors.
type Answer = std::result::Result<Applied, ErrorKind>;

/// The tables after a script whose commits are put into drafts of up to `group`, and every answer.
fn run(script: &[Step], group: usize, load: Load) -> (Tables, Vec<Answer>) {
    let (mut tables, mut answers) = (Tables::default(), Vec::new());
    for steps in script.chunks(group) {
        let sets: Vec<&Changes> = steps.iter().map(|(_, changes)| changes).collect();
        let moments = || steps.iter().map(|(now, _)| at(*now));
        let mut draft = tables.draft_within(&sets, moments().min().unwrap(), moments().max().unwrap(), load);
        for (now, changes) in steps {
            answers.push(draft.apply(changes, user(), at(*now)).map_err(|error| error.kind()));
        }
        tables.write(draft);
        check(&tables);
    }
    (tables, answers)
}

/// What must hold of the tables after every draft.
fn check(tables: &Tables) {
    let Some(present) = tables.committed_at else { return };
    let mut terms = BTreeSet::new();
    let mut sort = BTreeSet::new();
    for (key, head) in &tables.heads {
        assert!(head.slice.body.is_some() && head.slice.sys.is_open() && head.slice.valid.from() <= present);
        assert_eq!(head.newest_version, tables.newest(*key), "{key}");
        terms.extend(head.index.terms.iter().map(|term| (*key, term.name.clone(), term.value.clone())));
        sort.extend(head.index.sort.iter().map(|(name, value)| (*key, name.clone(), value.clone())));
        assert_eq!(head.words, Indexed::of(key.kind, head.slice.body.as_ref().unwrap()).unwrap().words.unwrap());
    }
    assert_eq!((&tables.terms, &tables.sort), (&terms, &sort));
    for (_, row) in tables.slices.values() {
        let is_open = row.slice.sys.is_open();
        assert_eq!(row.scheduled, is_open && present < row.slice.valid.from(), "{row:?}");
        assert!(!is_open || row.slice.body.is_none() || !row.slice.valid.contains(present), "no head: {row:?}");
    }
}

/// The slices of every entity with when it was first written, where it does not matter which table
/// has a slice that holds no more.
fn content(tables: &Tables) -> BTreeMap<(EntityKey, Timestamp, Timestamp), (Timestamp, String)> {
    let slices = tables.slices.values().map(|(_, row)| (row.key, row.created_at, &row.slice, row.index.as_ref()));
    let heads = tables.heads.values().map(|head| (head.key, head.created_at, &head.slice, Some(&head.index)));
    let mut content = BTreeMap::new();
    for (key, created_at, slice, index) in slices.chain(heads) {
        let terms = index.map(|index| (&index.terms, &index.sort));
        let place = (key, slice.sys.from(), slice.valid.from());
        assert!(content.insert(place, (created_at, format!("{slice:?} {terms:?}"))).is_none(), "{place:?} twice");
    }
    content
}

/// What is believed about `valid`, newest belief.
fn visible(tables: &Tables, key: EntityKey, valid: Timestamp) -> Option<Slice> {
    let rows = tables.of(key).map(|row| &row.slice).chain(tables.heads.get(&key).map(|head| &head.slice));
    let mut found = rows.filter(|slice| slice.sys.is_open() && slice.valid.contains(valid) && slice.body.is_some());
    let slice = found.next().cloned();
    assert!(found.next().is_none(), "slices of {key} overlap at {valid}");
    slice
}

proptest! {
    #[test]
    fn grouping_and_loading_change_nothing(script in script(), group in 2_usize..6) {
        let (one_by_one, answers) = run(&script, 1, Load::All);
        for (group, load) in [(1, Load::Needed), (group, Load::All), (group, Load::Needed)] {
            let (tables, same) = run(&script, group, load);
            prop_assert_eq!(&same, &answers, "in groups of {}, {:?}", group, load);
            prop_assert_eq!(content(&tables), content(&one_by_one), "in groups of {}, {:?}", group, load);
            prop_assert_eq!(&tables.commits, &one_by_one.commits);
            prop_assert_eq!((tables.head, tables.committed_at), (one_by_one.head, one_by_one.committed_at));
        }
    }

    #[test]
    fn the_tables_say_what_the_reference_says(script in script(), group in 1_usize..6) {
        let store = MemoryStore::default();
        let (tables, answers) = run(&script, group, Load::Needed);
        for ((now, changes), answer) in script.iter().zip(answers) {
            let reference = block_on(store.apply(tenant(), changes.clone(), user(), at(*now)));
            prop_assert_eq!(answer, reference.map_err(|error| error.kind()));
        }
        for key in (0..CONTACTS).map(key) {
            let page = PageRequest::new(200, None).unwrap();
            let mut history = block_on(store.history(tenant(), key, page)).unwrap().data;
            history.reverse();
            let created: BTreeSet<_> = history.iter().map(|version| version.created_at).collect();
            let mut slices: Vec<&Slice> = tables.of(key).map(|row| &row.slice).collect();
            slices.extend(tables.heads.get(&key).map(|head| &head.slice));
            slices.retain(|slice| !slice.carried);
            slices.sort_by_key(|slice| (slice.tx_id, std::cmp::Reverse(slice.valid.from())));
            prop_assert_eq!(history.iter().map(|version| &version.slice).collect::<Vec<_>>(), slices);
            prop_assert!(tables.of(key).all(|row| created.contains(&row.created_at)));
            for valid in (70..260).map(at) {
                let seen = At { as_of: None, valid_at: Some(valid) };
                let reference = block_on(store.entity(tenant(), key, seen, at(1_000))).unwrap();
                prop_assert_eq!(visible(&tables, key, valid), reference.map(|version| version.slice));
            }
        }
    }

    #[test]
    fn a_unit_is_what_its_commits_are_or_nothing(script in script(), from in 0_usize..8) {
        let (before, unit) = script.split_at(from.min(script.len() - 1));
        let (tables, _) = run(before, 1, Load::All);
        let now = at(unit.iter().map(|(now, _)| *now).max().unwrap());
        let sets: Vec<&Changes> = unit.iter().map(|(_, changes)| changes).collect();
        let mut one_by_one = tables.draft(&sets, now, Load::All);
        let answers: Vec<_> = sets.iter().map(|changes| one_by_one.apply(changes, user(), now)).collect();
        let mut draft = tables.draft(&sets, now, Load::All);
        let untouched = format!("{draft:#?}");
        let commits: Vec<_> = sets.iter().map(|changes| (*changes, user())).collect();
        match draft.apply_all(&commits, now) {
            Ok(applied) => {
                prop_assert_eq!(applied, answers.into_iter().map(|answer| answer.unwrap()).collect::<Vec<_>>());
                prop_assert_eq!(format!("{:#?}", draft.rows()), format!("{:#?}", one_by_one.rows()));
            }
            Err(refused) => {
                let place = answers.iter().position(std::result::Result::is_err).unwrap();
                let kind = answers[place].as_ref().unwrap_err().kind();
                prop_assert_eq!((refused.place, refused.error.kind()), (place, kind));
                prop_assert_eq!(format!("{draft:#?}"), untouched);
            }
        }
    }
}
