//! What lists promise of sets of terms, ranges of keys and chosen entities.

use serde_json::json;

use crate::EntityId;
use crate::entity::{Kind, Term};
use crate::store::{KeyRange, ListQuery, Sort, SortField};
use crate::temporal::{At, WriteOp};
use crate::{ErrorKind, TenantId};

use super::Stage;
use super::build::*;

/// Six contacts: a to f, of which a, c and e have the tag `odd`, b has `two` and c has `three`.
async fn six(stage: &Stage) -> TenantId {
    let tenant = stage.tenant(1).await;
    for (n, name) in (1..).zip(["a", "b", "c", "d", "e", "f"]) {
        let mut tags = if n % 2 == 1 { vec!["odd"] } else { vec![] };
        tags.extend((n == 2).then_some("two"));
        tags.extend((n == 3).then_some("three"));
        stage.create(tenant, n, json!({ "display_name": name, "tags": tags }), at(10 * i64::from(n))).await;
    }
    tenant
}

fn contacts() -> ListQuery {
    ListQuery::new(Kind::Contact)
}

fn tags(tags: &[&str]) -> Vec<Term> {
    tags.iter().map(|tag| Term::new("tag", *tag)).collect()
}

fn names_within(within: &[(&str, &str)]) -> KeyRange {
    let within = within.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    KeyRange { key: "display_name".to_owned(), moves: false, within }
}

/// Checks what a query finds, in pages of several sizes and in every order.
async fn check(stage: &Stage, tenant: TenantId, query: ListQuery, expected: &[&str]) {
    for field in [SortField::CreatedAt, SortField::UpdatedAt, SortField::Key("display_name".to_owned())] {
        for descending in [false, true] {
            let query = ListQuery { sort: Sort { field: field.clone(), descending }, ..query.clone() };
            let mut names = expected.to_vec();
            if descending {
                names.reverse();
            }
            for limit in [1, 2, 10] {
                assert_eq!(stage.walk(tenant, &query, limit, at(100)).await, names, "{query:?} in pages of {limit}");
            }
        }
    }
}

/// A list shows what has at least one term of each set, once.
pub async fn list_shows_what_has_one_of_each_set(stage: Stage) {
    let tenant = six(&stage).await;
    let expected = [
        (vec![tags(&["odd", "two"])], vec!["a", "b", "c", "e"]),
        (vec![tags(&["odd", "three"])], vec!["a", "c", "e"]),
        (vec![tags(&["odd"]), tags(&["two", "three"])], vec!["c"]),
        (vec![tags(&["none", "two", "nobody"])], vec!["b"]),
        (vec![tags(&["none"])], vec![]),
        (vec![Vec::new()], vec![]),
        (vec![vec![Term::new("tag", "two"), Term::new("kind", "organization")]], vec!["b"]),
    ];
    for (any, names) in expected {
        check(&stage, tenant, ListQuery { any, ..contacts() }, &names).await;
    }
    let and = ListQuery { any: vec![tags(&["two", "three"])], terms: tags(&["odd"]), ..contacts() };
    check(&stage, tenant, and, &["c"]).await;

    // As it was, and not as it is.
    stage.write(tenant, 2, WriteOp::Patch(json!({ "tags": [] })), at(90)).await;
    stage.write(tenant, 4, WriteOp::Patch(json!({ "tags": ["two"] })), at(91)).await;
    let any = vec![tags(&["two", "three"])];
    let now = ListQuery { any: any.clone(), ..contacts() };
    assert_eq!(stage.walk(tenant, &now, 1, at(100)).await, ["c", "d"]);
    let then = ListQuery { any, at: At::as_of(at(80)), ..contacts() };
    assert_eq!(stage.walk(tenant, &then, 1, at(100)).await, ["b", "c"]);
}

/// A list shows what has its sort keys in one of the stretches of each range.
pub async fn list_is_cut_to_ranges_of_its_keys(stage: Stage) {
    let tenant = six(&stage).await;
    let expected = [
        (names_within(&[("b", "d")]), vec!["b", "c"]),
        (names_within(&[("", "b"), ("e", "z")]), vec!["a", "e", "f"]),
        (names_within(&[("a", "c"), ("b", "d")]), vec!["a", "b", "c"]),
        (names_within(&[("bb", "bz")]), vec![]),
        (names_within(&[("d", "d")]), vec![]),
        (names_within(&[]), vec![]),
    ];
    for (range, names) in expected {
        check(&stage, tenant, ListQuery { ranges: vec![range], ..contacts() }, &names).await;
    }
    let both = ListQuery { ranges: vec![names_within(&[("a", "d")])], terms: tags(&["odd"]), ..contacts() };
    check(&stage, tenant, both, &["a", "c"]).await;
    let cut = vec![names_within(&[("a", "d")]), names_within(&[("b", "z")])];
    check(&stage, tenant, ListQuery { ranges: cut, ..contacts() }, &["b", "c"]).await;

    stage.write(tenant, 1, WriteOp::Patch(json!({ "display_name": "C2" })), at(90)).await;
    let query = ListQuery { ranges: vec![names_within(&[("c", "d")])], ..contacts() };
    assert_eq!(stage.walk(tenant, &query, 10, at(100)).await, ["C2", "c"]);
    let then = ListQuery { at: At::as_of(at(80)), ..query };
    assert_eq!(stage.walk(tenant, &then, 10, at(100)).await, ["c"]);
    // A range that moves is another on the next page; one that does not binds the cursor.
    let first = contacts().within_moving("display_name", [("a".to_owned(), "d".to_owned())]);
    let first = stage.list(tenant, ListQuery { page: page(1, None), ..first }, at(100)).await;
    let next = contacts().within_moving("display_name", [("a".to_owned(), "e".to_owned())]);
    let next = ListQuery { page: page(10, first.next_cursor.clone()), ..next };
    assert_eq!(names_of(&stage.list(tenant, next, at(100)).await.data), ["b", "c", "d"]);
    let fixed = contacts().within("display_name", [("a".to_owned(), "d".to_owned())]);
    let fixed = ListQuery { page: page(10, first.next_cursor), ..fixed };
    assert_refused(
        stage.store.list(tenant, fixed, at(100)).await,
        ErrorKind::InvalidCursor,
        "a cursor of another range",
    );
    let unknown = KeyRange { key: "shoe_size".to_owned(), moves: false, within: Vec::new() };
    let unknown = stage.store.list(tenant, ListQuery { ranges: vec![unknown], ..contacts() }, at(100)).await;
    assert_refused(unknown, ErrorKind::InvalidRequest, "a range of an unknown key");
}

/// A list chooses from the entities that are named, at any moment.
pub async fn list_chooses_among_entities(stage: Stage) {
    let tenant = six(&stage).await;
    let among = |ns: &[u32]| ListQuery { among: Some(ns.iter().map(|n| contact(*n).id).collect()), ..contacts() };
    check(&stage, tenant, among(&[5, 2, 2, 99]), &["b", "e"]).await;
    check(&stage, tenant, among(&[]), &[]).await;
    check(&stage, tenant, ListQuery { terms: tags(&["odd"]), ..among(&[1, 2, 3]) }, &["a", "c"]).await;
    check(&stage, tenant, ListQuery { text: Some("b".to_owned()), ..among(&[1, 2]) }, &["b"]).await;
    stage.write(tenant, 2, WriteOp::Delete, at(90)).await;
    assert_eq!(stage.walk(tenant, &among(&[1, 2]), 10, at(100)).await, ["a"]);
    let then = ListQuery { at: At::as_of(at(80)), ..among(&[1, 2]) };
    assert_eq!(stage.walk(tenant, &then, 1, at(100)).await, ["a", "b"]);
    // On the next page they may be others.
    let first = stage.list(tenant, ListQuery { page: page(1, None), ..among(&[1, 3]) }, at(100)).await;
    let next = ListQuery { page: page(10, first.next_cursor), ..among(&[1, 4, 5]) };
    assert_eq!(names_of(&stage.list(tenant, next, at(100)).await.data), ["d", "e"]);
    let foreign = EntityId::from_uuid(run_id(1).as_uuid());
    check(&stage, tenant, contacts().among([foreign]), &[]).await;
}
