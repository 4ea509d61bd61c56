use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::store::SortField::{CreatedAt, Key, UpdatedAt};
use crate::{PageRequest, RunId};

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn query(field: SortField) -> ListQuery {
    ListQuery {
        sort: Sort { field, descending: false },
        page: PageRequest::new(1, None).unwrap(),
        ..ListQuery::new(Kind::Contact)
    }
}

fn next(query: &ListQuery, cursor: Option<Cursor>) -> ListQuery {
    ListQuery { page: PageRequest::new(1, cursor).unwrap(), ..query.clone() }
}

fn found(field: &SortField) -> Vec<(Position, ())> {
    let index = Index { sort: vec![("display_name", "ann".to_owned())], ..Index::default() };
    let position = |n| Position::new(EntityId::from_uuid(Uuid::from_u128(n)), at(3), at(4), &index, field);
    vec![(position(1), ()), (position(2), ())]
}

#[test]
fn walk_over_a_changing_field_keeps_its_first_moment() {
    for (field, pinned) in [(CreatedAt, false), (UpdatedAt, true), (Key("display_name".to_owned()), true)] {
        let mut head = TenantHead { tx_id: 1, floor: at(10), ..TenantHead::default() };
        let query = query(field.clone());
        let first = ListPlan::new(tenant(1), &query, &mut head, at(20)).unwrap();
        assert_eq!(first.point, Point { sys: at(20), valid: at(20) });
        assert_eq!(head.floor, if pinned { at(20) } else { at(10) }, "no later commit falls into a pinned moment");

        let page = first.page(found(&field)).unwrap();
        assert_eq!(page.data.len(), 1);
        head.advance(head.stamp(at(50)));
        let second = ListPlan::new(tenant(1), &next(&query, page.next_cursor), &mut head, at(60)).unwrap();
        let moment = if pinned { at(20) } else { at(60) };
        assert_eq!(second.point, Point { sys: moment, valid: moment });
        assert_eq!(second.after, Some(found(&field)[0].0.clone()));
    }
}

#[test]
fn clock_that_runs_behind_pins_the_newest_commit() {
    let mut head = TenantHead { tx_id: 1, floor: at(100), ..TenantHead::default() };
    let query = query(UpdatedAt);
    let first = ListPlan::new(tenant(1), &query, &mut head, at(20)).unwrap();
    assert_eq!(first.point.sys, at(100));
    let cursor = first.page(found(&UpdatedAt)).unwrap().next_cursor;
    let second = ListPlan::new(tenant(1), &next(&query, cursor), &mut head, at(10)).unwrap();
    assert_eq!(second.point.sys, at(100));
}

#[test]
fn cursor_with_a_made_up_moment_or_key_is_refused() {
    let query = query(UpdatedAt);
    let scope = ListScope::new(tenant(1), &query, &Filter::of(&query));
    let time = Position { key: SortKey::Time(at(3)), id: EntityId::from_uuid(Uuid::from_u128(1)) };
    let text = Position { key: SortKey::Text("ann".to_owned()), ..time };
    for (pin, position, fits) in [
        (Some(at(20)), &time, true),
        (Some(at(21)), &time, false),
        (Some(Timestamp::FOREVER), &time, false),
        (None, &time, false),
        (Some(at(20)), &text, false),
    ] {
        let cursor = Cursor::seal(&scope, &Sealed { pin, position: position.clone() }).unwrap();
        let mut head = TenantHead::default();
        let plan = ListPlan::new(tenant(1), &next(&query, Some(cursor)), &mut head, at(20));
        assert_eq!(plan.as_ref().err().map(Error::kind), (!fits).then_some(ErrorKind::InvalidCursor), "{pin:?}");
        assert!(head.floor <= at(20), "the floor does not follow a made-up moment");
    }
}

#[test]
fn cursor_belongs_to_one_list_whatever_the_order_of_its_filters() {
    let terms = [Term::new("tag", "a"), Term::new("tag", "b")];
    let of = |terms: &[Term], text: &str| ListQuery {
        terms: terms.to_vec(),
        text: Some(text.to_owned()),
        ..query(CreatedAt)
    };
    let mut head = TenantHead::default();
    let first = ListPlan::new(tenant(1), &of(&terms, "Ann Lee"), &mut head, at(20)).unwrap();
    let cursor = first.page(found(&CreatedAt)).unwrap().next_cursor;
    let mut opens =
        |tenant, query: &ListQuery| ListPlan::new(tenant, &next(query, cursor.clone()), &mut head, at(20)).is_ok();

    let [a, b] = terms.clone();
    assert!(opens(tenant(1), &of(&[b.clone(), a.clone(), b], "lee ánn")));
    assert!(!opens(tenant(2), &of(&terms, "Ann Lee")));
    assert!(!opens(tenant(1), &of(&[a], "Ann Lee")));
    assert!(!opens(tenant(1), &of(&terms, "Ann")));
    assert!(!opens(tenant(1), &ListQuery { kind: Kind::MergeProposal, ..of(&terms, "Ann Lee") }));
    let at_once = At { as_of: None, valid_at: Some(at(5)) };
    assert!(!opens(tenant(1), &ListQuery { at: at_once, ..of(&terms, "Ann Lee") }));
    let descending = Sort { descending: true, ..Sort::default() };
    assert!(!opens(tenant(1), &ListQuery { sort: descending, ..of(&terms, "Ann Lee") }));
}

#[test]
fn cursor_is_bound_to_what_was_asked_and_not_to_what_it_stands_for() {
    let of = |field: SortField, asked: &str, tags: &[&str]| ListQuery {
        at: At::NOW,
        ..query(field).asked("contact", asked).with_moving("tag", tags.iter().copied())
    };
    let now = at(20);
    for (field, at, follows) in [
        (CreatedAt, At::NOW, true),
        // At a moment that is kept it stands for what it stood for then.
        (UpdatedAt, At::NOW, false),
        (UpdatedAt, At::as_of(at(15)), true),
    ] {
        let of = |asked: &str, tags: &[&str]| ListQuery { at, ..of(field.clone(), asked, tags) };
        let mut head = TenantHead::default();
        let first = ListPlan::new(tenant(1), &of("ada", &["a"]), &mut head, now).unwrap();
        assert_eq!((first.filter.terms.len(), first.filter.any.len()), (1, 0), "a set of one term is that term");
        let cursor = first.page(found(&field)).unwrap().next_cursor;
        let mut opens =
            |query: &ListQuery| ListPlan::new(tenant(1), &next(query, cursor.clone()), &mut head, now).is_ok();
        assert!(opens(&of("ada", &["a"])));
        assert_eq!(opens(&of("ada", &["a", "b"])), follows, "{field:?}");
        assert!(!opens(&of("bob", &["a"])), "{field:?}");
        assert!(!opens(&ListQuery { asked: Vec::new(), ..of("ada", &["a"]) }), "{field:?}");
    }
    let sets =
        Filter::of(&of(CreatedAt, "ada", &["a", "b"]).with_any("tag", ["c", "d"]).with_moving("tag", ["b", "a"]));
    assert_eq!((sets.terms.len(), sets.any.len()), (0, 2), "each set is there once");
}

#[test]
fn query_that_no_store_can_answer_is_refused() {
    let mut head = TenantHead::default();
    let mut pointer = |query: ListQuery| {
        let error = ListPlan::new(tenant(1), &query, &mut head, at(20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        error.pointer().map(str::to_owned)
    };
    assert_eq!(pointer(query(Key("shoe_size".to_owned()))).as_deref(), Some("/sort"));
    let with_text = ListQuery { text: Some("ann".to_owned()), at: At::as_of(at(5)), ..query(CreatedAt) };
    assert_eq!(pointer(with_text).as_deref(), Some("/as_of"));
    assert_eq!(pointer(query(CreatedAt).with("tag", Some("a\0"))).as_deref(), Some("/tag"));
    assert_eq!(pointer(query(CreatedAt).with_any("kind", ["a", "\0"])).as_deref(), Some("/kind"));
    assert_eq!(pointer(query(CreatedAt).with_moving("tag", ["\0"])).as_deref(), Some("/tag"));
    assert_eq!(pointer(ListQuery { at: At::as_of(at(21)), ..query(CreatedAt) }).as_deref(), Some("/as_of"));
}

#[test]
fn content_of_a_run_is_all_but_its_id() {
    let run = |id| NewRun::new(RunId::from_uuid(Uuid::from_u128(id)), "deduper", json!({ "a": 1, "b": 2.0 }));
    let content = run_content(&run(1)).unwrap();
    assert_eq!(run_content(&NewRun { input: json!({ "b": 2, "a": 1 }), ..run(2) }).unwrap(), content);
    assert_ne!(run_content(&NewRun { priority: 1, ..run(1) }).unwrap(), content);
    assert_ne!(run_content(&NewRun { input: json!({ "a": 1 }), ..run(1) }).unwrap(), content);
}
