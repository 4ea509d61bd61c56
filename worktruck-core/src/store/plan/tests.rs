use serde_json::Value;

use super::*;
use crate::entity::{Kind, Term};
use crate::temporal::WriteOp;
use crate::{EntityId, Period};

const STAMP: Stamp = Stamp { sys: Timestamp::from_micros(10), tx_id: 5 };

fn key(n: u128) -> EntityKey {
    EntityKey::new(Kind::Contact, EntityId::from_uuid(uuid::Uuid::from_u128(n)))
}

fn contact(name: &str) -> Value {
    json!({"display_name": name})
}

fn put(name: &str) -> WriteOp {
    WriteOp::Put(contact(name))
}

fn write(op: WriteOp, from: i64, to: Option<i64>) -> Write {
    Write { op, valid_from: Some(Timestamp::from_micros(from)), valid_to: to.map(Timestamp::from_micros) }
}

fn slice(version: u64, name: Option<&str>, from: i64, to: i64) -> Slice {
    Slice {
        version,
        body: name.map(contact),
        sys: Period::starting(Timestamp::from_micros(1)),
        valid: Period::new(Timestamp::from_micros(from), Timestamp::from_micros(to)).unwrap(),
        carried: false,
        tx_id: version,
    }
}

/// Contact 1 exists, at version 2; contact 2 is deleted; contact 3 exists in the future.
fn open() -> BTreeMap<EntityKey, Vec<Slice>> {
    BTreeMap::from([
        (key(1), vec![slice(1, Some("A"), 2, 5), slice(2, Some("B"), 5, i64::MAX)]),
        (key(2), vec![slice(1, Some("A"), 2, 5), slice(2, None, 5, i64::MAX)]),
        (key(3), vec![slice(1, Some("A"), 20, i64::MAX)]),
    ])
}

fn outcome(changes: &Changes) -> Result<Vec<(EntityKey, u64, Operation)>, ErrorKind> {
    let (plans, _) = plan_changes(changes, &open(), STAMP).map_err(|e| e.kind())?;
    Ok(plans.into_iter().map(|plan| (plan.key, plan.version, plan.operation)).collect())
}

#[test]
fn required_version_is_the_newest_of_an_entity_that_exists_now() {
    let require = |n, version| Changes::none().require(Require::Version { key: key(n), version });
    assert_eq!(outcome(&require(1, 2)), Ok(vec![]));
    for (n, version) in [(1, 1), (1, 3), (2, 2), (3, 1), (4, 0), (4, 1)] {
        assert_eq!(outcome(&require(n, version)), Err(ErrorKind::VersionMismatch), "contact {n} at {version}");
    }
}

#[test]
fn version_mismatch_says_what_was_expected_and_found() {
    let error = |n| {
        let changes = Changes::none().require(Require::Version { key: key(n), version: 7 });
        plan_changes(&changes, &open(), STAMP).unwrap_err()
    };
    assert_eq!(error(1).details(), Some(&json!({"expected": 7, "found": 2})));
    assert!(error(1).to_string().contains("version 2, and version 7"), "{}", error(1));
    assert_eq!(error(2).details(), Some(&json!({"expected": 7, "found": null})));
    assert!(error(2).to_string().contains("does not exist"), "{}", error(2));
}

#[test]
fn required_absence_is_that_of_now() {
    let require = |n| Changes::none().require(Require::Absent { key: key(n) });
    assert_eq!(outcome(&require(1)), Err(ErrorKind::Conflict));
    for n in [2, 3, 4] {
        assert_eq!(outcome(&require(n)), Ok(vec![]), "contact {n}");
    }
}

#[test]
fn requirements_look_at_the_state_before_the_writes() {
    let replaced = Changes::none().write(key(1), WriteOp::Delete).create(key(1), contact("C"));
    assert_eq!(outcome(&replaced), Err(ErrorKind::Conflict));
    let created = Changes::none().create(key(4), contact("C")).require(Require::Version { key: key(4), version: 1 });
    assert_eq!(outcome(&created), Err(ErrorKind::VersionMismatch));
}

#[test]
fn writes_are_grouped_by_entity_in_order_of_the_first() {
    let changes = Changes::none()
        .write(key(4), put("C"))
        .write(key(1), WriteOp::Patch(json!({"bio": "x"})))
        .write(key(4), WriteOp::Patch(json!({"bio": "y"})));
    let (plans, versions) = plan_changes(&changes, &open(), STAMP).unwrap();
    assert_eq!(versions, [(key(4), 1), (key(1), 3)]);
    assert_eq!(plans.iter().map(|plan| plan.key).collect::<Vec<_>>(), [key(4), key(1)]);
    let [RowOp::Insert(slice)] = &plans[0].ops[..] else { panic!("one slice for both writes: {:?}", plans[0].ops) };
    assert_eq!(slice.body, Some(json!({"display_name": "C", "bio": "y"})));
}

#[test]
fn entity_without_effect_has_a_version_and_no_plan() {
    let changes = Changes::none().write(key(1), put("B")).write(key(3), WriteOp::Put(contact("D")));
    let (plans, versions) = plan_changes(&changes, &open(), STAMP).unwrap();
    assert_eq!(versions, [(key(1), 2), (key(3), 2)]);
    assert_eq!(plans.iter().map(|plan| plan.key).collect::<Vec<_>>(), [key(3)]);
}

#[test]
fn operation_is_what_happens_to_existence_now() {
    let operation = |n, write| {
        let changes = Changes::none().write_valid(key(n), write);
        outcome(&changes).unwrap()[0].2
    };
    let cases = [
        (4, write(put("C"), 10, None), Operation::Created),
        (4, write(put("C"), 3, Some(20)), Operation::Created),
        (2, write(put("C"), 10, Some(11)), Operation::Created),
        (4, write(put("C"), 11, None), Operation::Updated),
        (4, write(put("C"), 3, Some(10)), Operation::Updated),
        (1, write(put("C"), 10, None), Operation::Updated),
        (1, write(put("C"), 3, Some(4)), Operation::Updated),
        (1, write(WriteOp::Delete, 3, Some(10)), Operation::Updated),
        (1, write(WriteOp::Delete, 11, None), Operation::Updated),
        (1, write(WriteOp::Delete, 10, Some(11)), Operation::Deleted),
        (3, write(WriteOp::Delete, 10, None), Operation::Updated),
    ];
    for (n, write, expected) in cases {
        assert_eq!(operation(n, write.clone()), expected, "contact {n}: {write:?}");
    }
}

#[test]
fn body_that_is_not_one_of_its_kind_is_refused() {
    let write = |op| outcome(&Changes::none().write(key(1), op));
    assert_eq!(write(WriteOp::Put(json!({"shoe_size": 43}))), Err(ErrorKind::InvalidRequest));
    assert_eq!(write(WriteOp::Put(json!("A"))), Err(ErrorKind::InvalidRequest));
    assert_eq!(write(WriteOp::Patch(json!({"tags": 1}))), Err(ErrorKind::InvalidRequest));
}

#[test]
fn carried_body_of_an_older_schema_is_not_checked_again() {
    let old = Slice { body: Some(json!({"shoe_size": 43})), ..slice(1, None, 2, i64::MAX) };
    let changes = Changes::none().write(key(1), put("A"));
    let (plans, _) = plan_changes(&changes, &BTreeMap::from([(key(1), vec![old])]), STAMP).unwrap();
    assert_eq!(plans[0].ops.len(), 3, "closed, put back before the write, and written");
}

#[test]
fn nothing_to_change_names_the_entity() {
    for op in [WriteOp::Delete, WriteOp::Patch(json!({}))] {
        let error = plan_changes(&Changes::none().write(key(2), op), &open(), STAMP).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(&key(2).to_string()), "{error}");
    }
}

#[test]
fn keys_are_those_written_and_required() {
    let changes = Changes::none()
        .write(key(3), WriteOp::Delete)
        .create(key(1), contact("A"))
        .require(Require::Version { key: key(2), version: 1 })
        .require(Require::UniqueTerm { kind: Kind::Contact, term: Term::new("tag", "x") });
    assert_eq!(keys(&changes), BTreeSet::from([key(1), key(2), key(3)]));
}
