//! What [`EntityStore::list`](crate::store::EntityStore::list) promises.

use serde_json::json;

use crate::entity::{Kind, Term};
use crate::store::{Changes, ListQuery, Sort, SortField, Titled, Version};
use crate::temporal::{At, WriteOp};
use crate::{Cursor, ErrorKind, TenantId, Timestamp};

use super::Stage;
use super::build::*;

fn contacts() -> ListQuery {
    ListQuery::new(Kind::Contact)
}

fn sorted(field: SortField, descending: bool) -> ListQuery {
    ListQuery { sort: Sort { field, descending }, ..contacts() }
}

fn by_name(descending: bool) -> ListQuery {
    sorted(SortField::Key("display_name".to_owned()), descending)
}

fn searching(text: &str) -> ListQuery {
    ListQuery { text: Some(text.to_owned()), ..contacts() }
}

fn with_tags(tags: &[&str]) -> ListQuery {
    ListQuery { terms: tags.iter().map(|tag| Term::new("tag", *tag)).collect(), ..contacts() }
}

/// A walk that has read its first page.
struct Walk<'a> {
    stage: &'a Stage,
    tenant: TenantId,
    query: ListQuery,
    limit: u16,
    seen: Vec<Version>,
    next: Option<Cursor>,
}

impl<'a> Walk<'a> {
    async fn begin(stage: &'a Stage, tenant: TenantId, query: ListQuery, limit: u16, now: Timestamp) -> Self {
        let first = stage.list(tenant, ListQuery { page: page(limit, None), ..query.clone() }, now).await;
        Self { stage, tenant, query, limit, seen: first.data, next: first.next_cursor }
    }

    /// The names on all pages, in order.
    async fn finish(mut self, now: Timestamp) -> Vec<String> {
        for _ in 0..100 {
            let Some(cursor) = self.next.take() else {
                return names_of(&self.seen);
            };
            let query = ListQuery { page: page(self.limit, Some(cursor)), ..self.query.clone() };
            let got = self.stage.list(self.tenant, query, now).await;
            self.seen.extend(got.data);
            self.next = got.next_cursor;
        }
        panic!("the walk does not end")
    }
}

/// Ten contacts, named and created in order.
async fn ten(stage: &Stage, tenant: TenantId) -> Vec<String> {
    let mut names = Vec::new();
    for n in 0..10 {
        let name = format!("{}{n}", char::from(b'a' + u8::try_from(n).expect("small")));
        stage.create(tenant, n, named(&name), at(100 + i64::from(n))).await;
        names.push(name);
    }
    names
}

/// Creations, changes and deletions behind and before the cursor move nothing in or out of a walk.
pub async fn walk_returns_each_entity_once_under_writes(stage: Stage) {
    let walks = [sorted(SortField::CreatedAt, false), sorted(SortField::CreatedAt, true)];
    for (n, query) in (1..).zip(walks) {
        let tenant = stage.tenant(n).await;
        let mut names = ten(&stage, tenant).await;
        if query.sort.descending {
            names.reverse();
        }
        let walk = Walk::begin(&stage, tenant, query.clone(), 3, at(200)).await;

        // Delete one that was seen, change one that was seen and one that was not, add one.
        let deleted = if query.sort.descending { 9 } else { 0 };
        stage.write(tenant, deleted, WriteOp::Delete, at(210)).await;
        for changed in [1, 5, 8] {
            stage.write(tenant, changed, WriteOp::Patch(json!({ "nickname": "N" })), at(220)).await;
        }
        stage.create(tenant, 10, named("new"), at(230)).await;

        let mut walked = walk.finish(at(240)).await;
        walked.retain(|name| name != "new");
        assert_eq!(walked, names, "{:?}: each contact that was there throughout, once", query.sort);
    }

    // A walk at a fixed moment sees that moment on every page.
    let tenant = stage.tenant(3).await;
    let names = ten(&stage, tenant).await;
    let fixed = ListQuery { at: At::as_of(at(200)), ..contacts() };
    let walk = Walk::begin(&stage, tenant, fixed, 3, at(200)).await;
    stage.write(tenant, 0, WriteOp::Delete, at(150)).await;
    stage.write(tenant, 7, WriteOp::Delete, at(210)).await;
    stage.write(tenant, 8, WriteOp::Put(named("renamed")), at(210)).await;
    stage.create(tenant, 10, named("new"), at(150)).await;
    assert_eq!(walk.finish(at(300)).await, names, "as of the first page's moment");
}

/// A walk over what changes fixes its moment on the first page.
pub async fn walk_over_a_changing_field_is_stable(stage: Stage) {
    let walks = [(by_name(false), false), (by_name(true), true), (sorted(SortField::UpdatedAt, false), false)];
    for (n, (query, reversed)) in (1..).zip(walks) {
        let tenant = stage.tenant(n).await;
        let mut names = ten(&stage, tenant).await;
        if reversed {
            names.reverse();
        }
        let walk = Walk::begin(&stage, tenant, query.clone(), 3, at(200)).await;

        // What was seen moves behind the cursor, what was not moves before it; one clock is late.
        for (moved, name, now) in [(0, "zz", 150), (1, "zy", 210), (8, "aa", 210), (9, "0", 150)] {
            stage.write(tenant, moved, WriteOp::Put(named(name)), at(now)).await;
        }
        assert_eq!(walk.finish(at(300)).await, names, "{:?}", query.sort);
    }
}

/// Pages of every size give the same list, also where many have the same key.
pub async fn pages_of_every_size_give_the_same_list(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut changes = Changes::none();
    for n in 0..9 {
        let name = if n % 2 == 0 { "Same" } else { "same" };
        changes = changes.create(contact(n), json!({ "display_name": name, "nickname": n.to_string() }));
    }
    stage.apply(tenant, changes, at(10)).await;

    for field in [SortField::CreatedAt, SortField::UpdatedAt, SortField::Key("display_name".to_owned())] {
        for descending in [false, true] {
            let query = sorted(field.clone(), descending);
            let mut whole: Option<Vec<_>> = None;
            for limit in [200, 1, 2, 4, 8, 9] {
                let walk = walk_pages(limit, |page| {
                    let query = ListQuery { page, ..query.clone() };
                    Box::pin(stage.list(tenant, query, at(20)))
                });
                let ids: Vec<_> = walk.await.into_iter().map(|version| version.key.id).collect();
                let whole = whole.get_or_insert_with(|| ids.clone());
                assert_eq!(&ids, whole, "{:?} in pages of {limit}", query.sort);
                assert_eq!(ids.len(), 9, "{:?} in pages of {limit}", query.sort);
            }
            let ids = whole.unwrap_or_default();
            assert!(descending || ids.is_sorted(), "{:?}: ties are broken by id", query.sort);
        }
    }
}

/// A cursor goes on in the list it was made for and in no other.
pub async fn cursor_of_another_list_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for n in 0..6 {
        stage.create(tenant, n, tagged("Ada", "vip"), at(10)).await;
        stage.write(tenant, n, WriteOp::Put(tagged("Ada King", "vip")), at(20)).await;
    }
    let first = stage.list(tenant, ListQuery { page: page(2, None), ..contacts() }, at(30)).await;
    let cursor = first.next_cursor.expect("there is a next page");

    let others = [
        ListQuery::new(Kind::MergeProposal),
        with_tags(&["vip"]),
        searching("ada"),
        by_name(false),
        sorted(SortField::CreatedAt, true),
        sorted(SortField::UpdatedAt, false),
        ListQuery { at: At::as_of(at(25)), ..contacts() },
        ListQuery { at: valid_at(at(25)), ..contacts() },
    ];
    for other in others {
        let what = format!("a cursor in another list, {other:?}");
        let other = ListQuery { page: page(2, Some(cursor.clone())), ..other };
        assert_refused(stage.store.list(tenant, other, at(30)).await, ErrorKind::InvalidCursor, &what);
    }
    let history = stage.store.history(tenant, contact(1), page(1, Some(cursor.clone()))).await;
    assert_refused(history, ErrorKind::InvalidCursor, "a cursor of a list in a history");
    let feed = stage.store.changes(tenant, Some(cursor.clone()), page(1, None)).await;
    assert_refused(feed, ErrorKind::InvalidCursor, "a cursor of a list in the feed");
    let one = stage.store.history(tenant, contact(1), page(1, None)).await.expect("a page").next_cursor;
    let two = stage.store.history(tenant, contact(2), page(1, one)).await;
    assert_refused(two, ErrorKind::InvalidCursor, "a cursor of another history");

    // The size of the page may change.
    let rest = ListQuery { page: page(100, Some(cursor)), ..contacts() };
    assert_eq!(stage.list(tenant, rest, at(30)).await.data.len(), 4);
}

/// A cursor that somebody made up or changed is refused, in every list.
pub async fn damaged_cursor_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for n in 0..4 {
        stage.create(tenant, n, named("Ada"), at(10)).await;
        stage.write(tenant, n, WriteOp::Put(named("Ada King")), at(20)).await;
        stage.enqueue(tenant, n, at(10)).await;
    }
    let first = stage.list(tenant, ListQuery { page: page(2, None), ..contacts() }, at(30)).await;
    let good = first.next_cursor.expect("there is a next page").to_string();

    let middle = good.len() / 2;
    let other = if good.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let changed = format!("{}{other}{}", &good[..middle], &good[middle + 1..]);
    let damaged = ["", "1", "not a cursor", "\u{e9}\u{0}\n", &changed, &good[..middle], &format!("{good}A")];
    for text in damaged {
        let cursor = || Some(Cursor::from_text(text));
        let what = format!("the cursor {text:?}");
        let list = stage.store.list(tenant, ListQuery { page: page(2, cursor()), ..contacts() }, at(30)).await;
        assert_refused(list, ErrorKind::InvalidCursor, &what);
        let history = stage.store.history(tenant, contact(1), page(1, cursor())).await;
        assert_refused(history, ErrorKind::InvalidCursor, &what);
        let feed = stage.store.changes(tenant, cursor(), page(1, None)).await;
        assert_refused(feed, ErrorKind::InvalidCursor, &what);
        let runs = crate::store::RunQuery { page: page(1, cursor()), ..Default::default() };
        assert_refused(stage.store.runs(tenant, runs).await, ErrorKind::InvalidCursor, &what);
        let events = stage.store.events(tenant, run_id(1), page(1, cursor())).await;
        assert_refused(events, ErrorKind::InvalidCursor, &what);
    }
}

/// An entity must have all the terms asked for.
pub async fn list_filters_by_every_term(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let tags = [vec!["vip"], vec!["friend", "vip"], vec!["friend"], vec![]];
    for (n, tags) in (1..).zip(tags) {
        let body = json!({ "display_name": format!("number {n}"), "tags": tags });
        stage.create(tenant, n, body, at(10)).await;
    }
    let expected = [
        (with_tags(&[]), vec!["number 1", "number 2", "number 3", "number 4"]),
        (with_tags(&["vip"]), vec!["number 1", "number 2"]),
        (with_tags(&["friend"]), vec!["number 2", "number 3"]),
        (with_tags(&["vip", "friend"]), vec!["number 2"]),
        (with_tags(&["vip", "nobody"]), vec![]),
        (with_tags(&["vi"]), vec![]),
        (ListQuery { terms: vec![Term::new("no_such_term", "vip")], ..contacts() }, vec![]),
    ];
    for (query, names) in expected {
        assert_eq!(stage.walk(tenant, &query, 10, at(20)).await, names, "{:?}", query.terms);
        assert_eq!(stage.walk(tenant, &query, 1, at(20)).await, names, "{:?} in pages of one", query.terms);
    }

    // A term that was taken away finds nothing any more.
    stage.write(tenant, 2, WriteOp::Patch(json!({ "tags": ["friend"] })), at(30)).await;
    assert_eq!(stage.walk(tenant, &with_tags(&["vip"]), 10, at(40)).await, ["number 1"]);
}

/// Words are found by their beginnings, whatever their case and accents; all must be there.
pub async fn list_searches_words_without_case_and_accents(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for (n, name) in (1..).zip(["Zo\u{eb} M\u{fc}ller", "Zoe Miller", "MAX Mustermann"]) {
        stage.create(tenant, n, named(name), at(10)).await;
    }
    let (zoe, miller, max) = ("Zo\u{eb} M\u{fc}ller", "Zoe Miller", "MAX Mustermann");
    let expected = [
        ("zoe", vec![zoe, miller]),
        ("ZO\u{cb}", vec![zoe, miller]),
        ("m", vec![zoe, miller, max]),
        ("mul", vec![zoe]),
        ("M\u{fc}l zo", vec![zoe]),
        ("zoe mill", vec![miller]),
        ("  max   mUSTER ", vec![max]),
        ("ller", vec![]),
        ("zoe max", vec![]),
    ];
    for (text, names) in expected {
        assert_eq!(stage.walk(tenant, &searching(text), 10, at(20)).await, names, "searching {text:?}");
    }

    // The search follows changes and deletions.
    stage.write(tenant, 2, WriteOp::Put(named("Zelda Miller")), at(30)).await;
    stage.write(tenant, 3, WriteOp::Delete, at(30)).await;
    for (text, names) in [("zoe", vec![zoe]), ("zelda", vec!["Zelda Miller"]), ("max", vec![])] {
        assert_eq!(stage.walk(tenant, &searching(text), 10, at(40)).await, names, "searching {text:?} after changes");
    }
}

/// What looks like a query language is searched as words.
pub async fn search_takes_any_text(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada O'Brien"), at(10)).await;
    stage.create(tenant, 2, named("Bob"), at(10)).await;
    let texts = ["\"", "'", "*", "a*", "(", ")", "^ada", "-ada", "ada NOT bob", "NEAR(ada bob)", "%", "_", "\\", ":"];
    for text in texts {
        let found = stage.store.list(tenant, searching(text), at(20)).await;
        assert!(found.is_ok(), "searching {text:?} is an error: {found:?}");
    }
    for text in ["ada OR bob", "display_name : ada", "bob --"] {
        let names = stage.walk(tenant, &searching(text), 10, at(20)).await;
        assert!(!names.contains(&"Ada O'Brien".to_owned()), "searching {text:?} found {names:?}");
    }
    assert_eq!(stage.walk(tenant, &searching("o'brien"), 10, at(20)).await, ["Ada O'Brien"]);
}

/// A list may ask for words of titles: all or some of them, at the beginning, or no others.
pub async fn list_asks_for_words_of_titles(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for (n, name) in (1..).zip(["Zo\u{eb} M\u{fc}ller", "Zoe Muller-Lang", "Anna Zoe", "Muller"]) {
        let tags = if n == 3 { vec!["vip"] } else { vec![] };
        let body = json!({ "display_name": name, "bio": "Zoe Muller, Anna", "tags": tags });
        stage.create(tenant, n, body, at(10)).await;
    }
    let (zoe, long, anna, muller) = ("Zo\u{eb} M\u{fc}ller", "Zoe Muller-Lang", "Anna Zoe", "Muller");
    let expected = [
        (Titled::As("ZOE muller".to_owned()), vec![zoe]),
        (Titled::As("zoe mull".to_owned()), vec![]),
        (Titled::Beginning("zo\u{eb} mull".to_owned()), vec![zoe, long]),
        (Titled::Beginning("mull".to_owned()), vec![muller]),
        (Titled::WithAll("mull zo".to_owned()), vec![zoe, long]),
        (Titled::WithSome("mull ann".to_owned()), vec![zoe, long, anna, muller]),
        (Titled::WithSome("lang ann".to_owned()), vec![long, anna]),
        (Titled::WithAll("nobody".to_owned()), vec![]),
        (Titled::WithAll("-".to_owned()), vec![zoe, long, anna, muller]),
    ];
    for (title, names) in &expected {
        let query = ListQuery { title: Some(title.clone()), ..contacts() };
        assert_eq!(stage.walk(tenant, &query, 10, at(20)).await, *names, "{title:?}");
        assert_eq!(stage.walk(tenant, &query, 1, at(20)).await, *names, "{title:?} in pages of one");
        let too = ListQuery { text: Some("bio".to_owned()), ..query };
        assert!(stage.walk(tenant, &too, 10, at(20)).await.is_empty(), "{title:?} beside a word that nothing has");
    }
    let of_tag = ListQuery { title: Some(Titled::WithAll("zoe".to_owned())), ..with_tags(&["vip"]) };
    assert_eq!(stage.walk(tenant, &of_tag, 10, at(20)).await, [anna]);
    let past = ListQuery { at: At::as_of(at(20)), ..of_tag };
    let refused = stage.store.list(tenant, past, at(40)).await.expect_err("words are not asked of the past");
    assert_eq!((refused.kind(), refused.pointer()), (ErrorKind::InvalidRequest, Some("/as_of")));
}

/// Filters look at the entity as it was at the moment asked for.
pub async fn list_as_of_filters_as_it_was(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, tagged("Ada", "vip"), at(100)).await;
    stage.create(tenant, 2, named("Bob"), at(100)).await;
    stage.write(tenant, 1, WriteOp::Put(named("Ada King")), at(200)).await;
    stage.write(tenant, 2, WriteOp::Put(tagged("Bob", "vip")), at(200)).await;
    stage.write(tenant, 2, WriteOp::Delete, at(300)).await;
    let week = (at(500), Some(at(600)));
    stage.write_valid(tenant, 1, WriteOp::Put(tagged("Ada on tour", "vip")), week, at(310)).await;

    let expected = [
        (At::as_of(at(150)), vec!["Ada"]),
        (At::as_of(at(250)), vec!["Bob"]),
        (At::as_of(at(305)), vec![]),
        (At::NOW, vec![]),
        (valid_at(at(550)), vec!["Ada on tour"]),
        (known_at(at(305), at(550)), vec![]),
        (At::as_of(at(50)), vec![]),
    ];
    for (when, names) in expected {
        let query = ListQuery { at: when, ..with_tags(&["vip"]) };
        assert_eq!(stage.walk(tenant, &query, 10, at(400)).await, names, "{when:?}");
    }
    let query = ListQuery { at: At::as_of(at(150)), ..by_name(true) };
    assert_eq!(stage.walk(tenant, &query, 1, at(400)).await, ["Bob", "Ada"], "sorted as it was");
}

/// Lists are sorted by keys that kinds declare and by the times of writes, up or down.
pub async fn list_sorts_by_key_and_by_the_times_of_writes(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for (n, name) in (1..).zip(["bob", "Ada", "cleo"]) {
        stage.create(tenant, n, named(name), at(10 + i64::from(n))).await;
    }
    stage.write(tenant, 1, WriteOp::Patch(json!({ "nickname": "B" })), at(20)).await;
    let expected = [
        (by_name(false), ["Ada", "bob", "cleo"]),
        (by_name(true), ["cleo", "bob", "Ada"]),
        (sorted(SortField::CreatedAt, false), ["bob", "Ada", "cleo"]),
        (sorted(SortField::CreatedAt, true), ["cleo", "Ada", "bob"]),
        (sorted(SortField::UpdatedAt, false), ["Ada", "cleo", "bob"]),
        (sorted(SortField::UpdatedAt, true), ["bob", "cleo", "Ada"]),
    ];
    for (query, names) in expected {
        for limit in [1, 2, 10] {
            assert_eq!(stage.walk(tenant, &query, limit, at(30)).await, names, "{:?} by {limit}", query.sort);
        }
    }
}

/// A list shows what exists, of its own kind.
pub async fn list_shows_what_exists_of_its_kind(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for (n, name) in (1..).zip(["Ada", "Bob", "Cleo"]) {
        stage.create(tenant, n, named(name), at(10 + i64::from(n))).await;
    }
    stage.write(tenant, 2, WriteOp::Delete, at(20)).await;
    stage.write_valid(tenant, 3, WriteOp::Delete, (at(0), Some(at(100))), at(20)).await;
    assert_eq!(stage.walk(tenant, &contacts(), 10, at(30)).await, ["Ada"]);
    assert_eq!(stage.walk(tenant, &contacts(), 10, at(100)).await, ["Ada", "Cleo"], "deleted for a while");
    assert_eq!(stage.walk(tenant, &ListQuery::new(Kind::AgentConfig), 10, at(30)).await, Vec::<String>::new());
}

/// What a list cannot do is said, not guessed.
pub async fn list_that_cannot_be_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    let bad = [
        ("an unknown sort key", sorted(SortField::Key("shoe_size".to_owned()), false)),
        ("a sort key of another kind", ListQuery { sort: by_name(false).sort, ..ListQuery::new(Kind::MergeProposal) }),
        ("words as of the past", ListQuery { at: At::as_of(at(15)), ..searching("ada") }),
    ];
    for (what, query) in bad {
        assert_refused(stage.store.list(tenant, query, at(20)).await, ErrorKind::InvalidRequest, what);
    }
}
