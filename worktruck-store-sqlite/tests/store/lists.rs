//! Lists: words, filters, times, and what is scheduled.

use crate::fixture::*;
use serde_json::json;
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::{Changes, EntityStore, ListQuery, Sort, SortField};
use worktruck_core::temporal::{At, Write, WriteOp};
use worktruck_core::{PageRequest, Timestamp};
use worktruck_store_sqlite::SqliteStore;

async fn names(store: &SqliteStore, query: ListQuery, now: Timestamp) -> Vec<String> {
    let page = store.list(tenant(1), query, now).await.expect("a list is answered");
    let name = |body: &serde_json::Value| body["display_name"].as_str().expect("a contact has a name").to_owned();
    page.data.iter().map(|version| name(version.slice.body.as_ref().expect("a list shows no tombstones"))).collect()
}

fn contacts() -> ListQuery {
    ListQuery::new(Kind::Contact)
}

fn with_text(text: &str) -> ListQuery {
    ListQuery { text: Some(text.into()), ..contacts() }
}

fn tagged(tag: &str, at: At) -> ListQuery {
    ListQuery { terms: vec![Term::new("tag", tag)], at, ..contacts() }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_of_a_search_is_an_error() {
    let (store, _folder) = fresh().await;
    store.apply(tenant(1), create(1, "Zoë O'Brien-Łuczak"), user(), at(1)).await.unwrap();
    store.apply(tenant(1), create(2, "Near And Or Not"), user(), at(2)).await.unwrap();
    store.apply(tenant(2), create(3, "Zoe of another tenant"), user(), at(2)).await.unwrap();
    for (text, found) in [
        ("zoe", vec!["Zoë O'Brien-Łuczak"]),
        ("ZOË bri", vec!["Zoë O'Brien-Łuczak"]),
        ("o'brien", vec!["Zoë O'Brien-Łuczak"]),
        ("luczak", vec!["Zoë O'Brien-Łuczak"]),
        ("brien zoe", vec!["Zoë O'Brien-Łuczak"]),
        ("brienne", vec![]),
        ("NEAR", vec!["Near And Or Not"]),
        ("and OR not", vec!["Near And Or Not"]),
        ("\"zoe", vec!["Zoë O'Brien-Łuczak"]),
        ("zoe\" OR \"near", vec![]),
        ("words:zoe", vec![]),
        ("zoe*", vec!["Zoë O'Brien-Łuczak"]),
        ("^zoe", vec!["Zoë O'Brien-Łuczak"]),
        ("-zoe", vec!["Zoë O'Brien-Łuczak"]),
        ("(zoe", vec!["Zoë O'Brien-Łuczak"]),
        ("zoe\0", vec!["Zoë O'Brien-Łuczak"]),
        ("'; DROP TABLE head; --", vec![]),
        ("{zoe}", vec!["Zoë O'Brien-Łuczak"]),
        ("* \" ( ) :", vec!["Zoë O'Brien-Łuczak", "Near And Or Not"]),
        ("", vec!["Zoë O'Brien-Łuczak", "Near And Or Not"]),
        ("%", vec!["Zoë O'Brien-Łuczak", "Near And Or Not"]),
        ("日本", vec![]),
    ] {
        assert_eq!(names(&store, with_text(text), at(3)).await, found, "{text:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_what_is_and_not_what_was() {
    let (store, _folder) = fresh().await;
    store.apply(tenant(1), create(1, "Ada Byron"), user(), at(1)).await.unwrap();
    let rename = Changes::none().write(contact(1), WriteOp::Patch(named("Ada King")));
    store.apply(tenant(1), rename, user(), at(2)).await.unwrap();
    assert_eq!(names(&store, with_text("king"), at(3)).await, ["Ada King"]);
    assert_eq!(names(&store, with_text("byron"), at(3)).await, Vec::<String>::new());
    store.apply(tenant(1), Changes::none().write(contact(1), WriteOp::Delete), user(), at(4)).await.unwrap();
    assert_eq!(names(&store, with_text("ada"), at(5)).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_slice_shows_when_its_time_comes() {
    let (store, _folder) = fresh().await;
    store.apply(tenant(1), create(1, "Ada Byron"), user(), at(0)).await.unwrap();
    let wedding = Write { op: WriteOp::Patch(named("Ada King")), valid_from: Some(at(100)), valid_to: None };
    store.apply(tenant(1), Changes::none().write_valid(contact(1), wedding), user(), at(10)).await.unwrap();
    let end = Write { op: WriteOp::Delete, valid_from: Some(at(200)), valid_to: None };
    store.apply(tenant(1), Changes::none().write_valid(contact(1), end), user(), at(11)).await.unwrap();

    let by_name =
        || ListQuery { sort: Sort { field: SortField::Key("display_name".into()), descending: false }, ..contacts() };
    for (now, name) in [(99, Some("Ada Byron")), (100, Some("Ada King")), (199, Some("Ada King")), (200, None)] {
        let seen = store.entity(tenant(1), contact(1), At::NOW, at(now)).await.unwrap();
        assert_eq!(seen.and_then(|seen| seen.slice.body), name.map(named), "at {now}");
        assert_eq!(names(&store, contacts(), at(now)).await, Vec::from_iter(name), "at {now}");
        assert_eq!(names(&store, by_name(), at(now)).await, Vec::from_iter(name), "at {now}");
        let king = Vec::from_iter(name.filter(|name| name.contains("King")));
        assert_eq!(names(&store, with_text("king"), at(now)).await, king, "at {now}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_takes_in_what_has_come_due() {
    let (store, _folder) = fresh().await;
    store.apply(tenant(1), create(1, "Ada Byron"), user(), at(0)).await.unwrap();
    for (name, valid_from) in [(Some("Ada King"), 100), (None, 200)] {
        let op = name.map_or(WriteOp::Delete, |name| WriteOp::Put(named(name)));
        let write = Write { op, valid_from: Some(at(valid_from)), valid_to: None };
        store.apply(tenant(1), Changes::none().write_valid(contact(1), write), user(), at(10)).await.unwrap();
    }
    store.apply(tenant(1), create(2, "Bob"), user(), at(150)).await.unwrap();
    assert_eq!(names(&store, with_text("king"), at(151)).await, ["Ada King"]);
    assert_eq!(names(&store, with_text("byron"), at(151)).await, Vec::<String>::new());
    store.apply(tenant(1), create(3, "Eve"), user(), at(250)).await.unwrap();
    assert_eq!(names(&store, contacts(), at(251)).await, ["Bob", "Eve"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_the_past_filters_as_it_was() {
    let (store, _folder) = fresh().await;
    let tag = |tags: &[&str]| Changes::none().write(contact(1), WriteOp::Patch(json!({ "tags": tags })));
    store.apply(tenant(1), create(1, "Ada"), user(), at(10)).await.unwrap();
    store.apply(tenant(1), tag(&["vip", "say \"hi\""]), user(), at(20)).await.unwrap();
    store.apply(tenant(1), create(2, "Bob"), user(), at(25)).await.unwrap();
    store.apply(tenant(1), tag(&[]), user(), at(30)).await.unwrap();
    for (as_of, vips) in [(15, 0), (20, 1), (29, 1), (30, 0)] {
        assert_eq!(names(&store, tagged("vip", At::as_of(at(as_of))), at(40)).await.len(), vips, "as of {as_of}");
    }
    assert_eq!(names(&store, tagged("say \"hi\"", At::as_of(at(22))), at(40)).await, ["Ada"]);
    assert_eq!(names(&store, tagged("vip", At::NOW), at(40)).await, Vec::<String>::new());
    let before = At { as_of: None, valid_at: Some(at(22)) };
    assert_eq!(names(&store, tagged("vip", before), at(40)).await, ["Ada"]);
    assert_eq!(names(&store, ListQuery { text: Some("ad".into()), ..tagged("vip", before) }, at(40)).await, ["Ada"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_by_name_is_about_one_moment() {
    let (store, _folder) = fresh().await;
    for n in 0..30 {
        store.apply(tenant(1), create(n, &format!("Ada {n:02}")), user(), at(1)).await.unwrap();
    }
    let sort = Sort { field: SortField::Key("display_name".into()), descending: true };
    let mut cursor = None;
    let mut seen = Vec::new();
    for round in 0.. {
        let query = ListQuery { sort: sort.clone(), page: PageRequest::new(7, cursor).unwrap(), ..contacts() };
        let page = store.list(tenant(1), query, at(100 + round)).await.unwrap();
        seen.extend(page.data.iter().map(|version| version.slice.body.clone().unwrap()["display_name"].clone()));
        cursor = page.next_cursor;
        // Between the pages, those already shown move to the end.
        let n = u128::try_from(29 - round).unwrap();
        let rename = Changes::none().write(contact(n), WriteOp::Put(named("A first")));
        store.apply(tenant(1), rename, user(), at(100 + round)).await.unwrap();
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..30).rev().map(|n| json!(format!("Ada {n:02}"))).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_most_have_gives_the_pages_of_one_that_few_have() {
    let (store, _folder) = fresh().await;
    let person = |n: u128| {
        let tags = if n.is_multiple_of(100) { vec!["all", "rare"] } else { vec!["all"] };
        json!({ "display_name": format!("Ada {:04}", n * 7 % 1200), "tags": tags })
    };
    let everybody = (0..1200).fold(Changes::none(), |changes, n| changes.create(contact(n), person(n)));
    store.apply(tenant(1), everybody, user(), at(1)).await.unwrap();
    let sorted = [SortField::CreatedAt, SortField::UpdatedAt, SortField::Key("display_name".into())];
    for field in sorted {
        let sort = Sort { field, descending: false };
        let list = |tags: &[&str], text: Option<&str>| ListQuery {
            terms: tags.iter().map(|tag| Term::new("tag", *tag)).collect(),
            text: text.map(str::to_owned),
            sort: sort.clone(),
            page: PageRequest::largest(None),
            ..contacts()
        };
        let all = names(&store, list(&[], None), at(2)).await;
        assert_eq!(all.len(), 200);
        assert_eq!(names(&store, list(&["all"], None), at(2)).await, all);
        assert_eq!(names(&store, list(&["all"], Some("ada")), at(2)).await, all);
        let rare = names(&store, list(&["rare"], None), at(2)).await;
        assert_eq!(rare.len(), 12);
        assert_eq!(names(&store, list(&["all", "rare"], Some("ad")), at(2)).await, rare);
        assert_eq!(names(&store, list(&["all"], Some("0007")), at(2)).await, ["Ada 0007"]);
        assert_eq!(names(&store, list(&["rare"], Some("0007")), at(2)).await, Vec::<String>::new());
    }
}
