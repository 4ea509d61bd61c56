use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::EntityId;
use crate::entity::Term;
use crate::store::{MemoryStore, NextNumber, SortField};

const KIND: Kind = Kind::Contact;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn key(number: u128) -> EntityKey {
    EntityKey::new(KIND, EntityId::from_uuid(Uuid::from_u128(number)))
}

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

fn user() -> Provenance {
    Provenance::new("user:1", "user_edit")
}

fn put(name: &str) -> WriteOp {
    WriteOp::Put(json!({ "display_name": name }))
}

fn rename(name: &str) -> WriteOp {
    WriteOp::Patch(json!({ "display_name": name }))
}

fn view(store: &Arc<MemoryStore>, now: Timestamp, pending: Vec<Changes>) -> View {
    View::new(Arc::clone(store) as Arc<dyn EntityStore>, tenant(), now).with_pending(pending.into())
}

fn name(version: &Version) -> &str {
    version.slice.body.as_ref().and_then(|body| body["display_name"].as_str()).unwrap()
}

#[tokio::test]
async fn pending_changes_show_at_the_present_only() {
    let store = Arc::new(MemoryStore::default());
    store.apply(tenant(), Changes::none().write(key(1), put("Ada")), user(), at(10)).await.unwrap();
    let pending = vec![
        Changes::none().write(key(1), rename("Ada King")).write(key(2), put("Bob")),
        Changes::none().write(key(1), rename("Lady Ada")),
    ];
    let view = view(&store, at(20), pending);

    let ada = view.entity(key(1), At::NOW).await.unwrap().unwrap();
    assert_eq!((name(&ada), ada.slice.version, ada.created_at), ("Lady Ada", 3, at(10)));
    let bob = view.entity(key(2), At::NOW).await.unwrap().unwrap();
    assert_eq!((name(&bob), bob.slice.version, bob.created_at), ("Bob", 1, at(20)));

    let stored = view.entity(key(1), At::as_of(at(20))).await.unwrap().unwrap();
    assert_eq!((name(&stored), stored.slice.version), ("Ada", 1));
    assert_eq!(view.entity(key(2), At::as_of(at(20))).await.unwrap(), None);
    let query = ListQuery { at: At::as_of(at(20)), ..ListQuery::new(KIND) };
    assert_eq!(view.list(query).await.unwrap().data, [stored]);
}

#[tokio::test]
async fn pending_deletion_hides_and_writing_again_shows_under_the_next_number() {
    let store = Arc::new(MemoryStore::default());
    store.apply(tenant(), Changes::none().write(key(1), put("Ada")), user(), at(10)).await.unwrap();
    let delete = Changes::none().write(key(1), WriteOp::Delete);
    let deleted = view(&store, at(20), vec![delete.clone()]);
    assert_eq!(deleted.entity(key(1), At::NOW).await.unwrap(), None);
    assert_eq!(deleted.list(ListQuery::new(KIND)).await.unwrap().data, []);

    store.apply(tenant(), delete, user(), at(20)).await.unwrap();
    let again = Changes::none().create(key(1), json!({ "display_name": "Ada" }));
    let shown = view(&store, at(30), vec![again.clone()]).entity(key(1), At::NOW).await.unwrap().unwrap();
    let applied = store.apply(tenant(), again, user(), at(30)).await.unwrap();
    assert_eq!((shown.slice.version, applied.versions), (3, vec![(key(1), 3)]));
}

#[tokio::test]
async fn pending_write_shows_where_it_holds() {
    let store = Arc::new(MemoryStore::default());
    store.apply(tenant(), Changes::none().write(key(1), put("Ada")), user(), at(10)).await.unwrap();
    let later = Write { op: rename("Ada King"), valid_from: Some(at(100)), valid_to: Some(at(200)) };
    let view = view(&store, at(20), vec![Changes::none().write_valid(key(1), later)]);

    let mut names = Vec::new();
    for moment in [20, 99, 100, 199, 200] {
        let at = At { as_of: None, valid_at: Some(at(moment)) };
        names.push(name(&view.entity(key(1), at).await.unwrap().unwrap()).to_owned());
    }
    assert_eq!(names, ["Ada", "Ada", "Ada King", "Ada King", "Ada"]);
    assert_eq!(name(&view.entity(key(1), At::NOW).await.unwrap().unwrap()), "Ada");
}

#[tokio::test]
async fn pending_patch_of_nothing_does_not_show() {
    let store = Arc::new(MemoryStore::default());
    let view = view(&store, at(20), vec![Changes::none().write(key(1), rename("Nobody"))]);
    assert_eq!(view.entity(key(1), At::NOW).await.unwrap(), None);
    assert_eq!(view.list(ListQuery::new(KIND)).await.unwrap().data, []);
}

#[tokio::test]
async fn cursor_leads_on_after_the_pending_changes_are_committed() {
    let store = Arc::new(MemoryStore::default());
    let seed = (1..=4).fold(Changes::none(), |changes, n| changes.write(key(n), put(&format!("n{n}"))));
    store.apply(tenant(), seed, user(), at(10)).await.unwrap();
    let pending = Changes::none().write(key(2), rename("other"));
    let query = |cursor| ListQuery { page: PageRequest::new(2, cursor).unwrap(), ..ListQuery::new(KIND) };

    let first = view(&store, at(20), vec![pending.clone()]).list(query(None)).await.unwrap();
    store.apply(tenant(), pending, user(), at(20)).await.unwrap();
    let second = view(&store, at(30), Vec::new()).list(query(first.next_cursor)).await.unwrap();
    let names: Vec<&str> = first.data.iter().chain(&second.data).map(name).collect();
    assert_eq!(names, ["n1", "other", "n3", "n4"]);
    assert_eq!(second.next_cursor, None);
}

/// What is pending for an entity, in one commit or two.
#[derive(Clone, Debug)]
enum Pending {
    Nothing,
    Rename(&'static str),
    Tag,
    NoEffect,
    Delete,
    RenameTwice(&'static str, &'static str),
    DeleteAndWrite(&'static str),
}

fn names() -> impl Strategy<Value = &'static str> {
    select(&["Ann", "Ánn Lee", "bob", "Zoe", "ann b"])
}

fn pending() -> impl Strategy<Value = Pending> {
    prop_oneof![
        3 => Just(Pending::Nothing),
        2 => names().prop_map(Pending::Rename),
        1 => Just(Pending::Tag),
        1 => Just(Pending::NoEffect),
        1 => Just(Pending::Delete),
        1 => (names(), names()).prop_map(|(one, two)| Pending::RenameTwice(one, two)),
        1 => names().prop_map(Pending::DeleteAndWrite),
    ]
}

fn sort() -> impl Strategy<Value = Sort> {
    let fields = [SortField::CreatedAt, SortField::UpdatedAt, SortField::Key("display_name".to_owned())];
    (select(fields.to_vec()), any::<bool>()).prop_map(|(field, descending)| Sort { field, descending })
}

fn changes(stored: &[(&str, Pending)], new: &[&'static str]) -> [Changes; 2] {
    let mut one = Changes::none();
    let mut two = Changes::none();
    for (number, (_, pending)) in (0..).zip(stored) {
        let key = key(2 * number);
        match pending {
            Pending::Nothing => {}
            Pending::Rename(name) => one = one.write(key, rename(name)),
            Pending::Tag => two = two.write(key, WriteOp::Patch(json!({ "tags": ["vip"] }))),
            Pending::NoEffect => one = one.write(key, WriteOp::Patch(json!({}))),
            Pending::Delete => two = two.write(key, WriteOp::Delete),
            Pending::RenameTwice(first, second) => {
                one = one.write(key, rename(first));
                two = two.write(key, rename(second));
            }
            Pending::DeleteAndWrite(name) => {
                one = one.write(key, WriteOp::Delete);
                two = two.write(key, put(name));
            }
        }
    }
    for (number, name) in (0..).zip(new) {
        one = one.write(key(2 * number + 1), put(name));
    }
    [one, two]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A walk through a view shows what a walk would show after the commit.
    #[test]
    fn walk_shows_each_pending_entity_once_and_in_its_place(
        stored in vec((names(), pending()), 0..9),
        new in vec(names(), 0..6),
        sort in sort(),
        limit in 1_u16..6,
        text in select(&[None, Some("ann"), Some("LEE án")]),
        tagged in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = Arc::new(MemoryStore::default());
            for (number, (name, _)) in (0_u8..).zip(&stored) {
                let seed = Changes::none().write(key(2 * u128::from(number)), put(name));
                store.apply(tenant(), seed, user(), at(10)).await.unwrap();
            }
            let [one, two] = changes(&stored, &new);
            let query = |limit, cursor| ListQuery {
                terms: if tagged { vec![Term::new("tag", "vip")] } else { Vec::new() },
                text: text.map(str::to_owned),
                sort: sort.clone(),
                page: PageRequest::new(limit, cursor).unwrap(),
                ..ListQuery::new(KIND)
            };

            let view = view(&store, at(1000), vec![one.clone(), two.clone()]);
            let (mut shown, mut cursor) = (Vec::new(), None);
            for _ in 0..40 {
                let page = view.list(query(limit, cursor)).await.unwrap();
                assert!(page.data.len() <= usize::from(limit));
                assert_eq!(page.has_more, page.next_cursor.is_some());
                shown.extend(page.data);
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(cursor, None, "the walk ends");

            for changes in [one, two] {
                store.apply(tenant(), changes, user(), at(1000)).await.unwrap();
            }
            let committed = store.list(tenant(), query(200, None), at(1000)).await.unwrap().data;
            let seen = |versions: &[Version]| -> Vec<_> {
                versions.iter().map(|v| (v.key, v.slice.version, v.slice.body.clone())).collect()
            };
            assert_eq!(seen(&shown), seen(&committed));
        });
    }
}

#[tokio::test]
async fn pinned_view_shows_what_was_and_what_is_pending() {
    let store = Arc::new(MemoryStore::default());
    store.apply(tenant(), Changes::none().write(key(1), put("Ada")), user(), at(10)).await.unwrap();
    store.apply(tenant(), Changes::none().write(key(2), put("Bob")), user(), at(10)).await.unwrap();
    let moment = view(&store, at(20), Vec::new()).moment(None).await.unwrap();
    assert_eq!(moment, at(20));
    // The clock stands still, and what others do comes later all the same.
    for name in ["Ada Two", "Ada Three", "Ada Four"] {
        store.apply(tenant(), Changes::none().write(key(1), rename(name)), user(), at(20)).await.unwrap();
    }
    store.apply(tenant(), Changes::none().write(key(2), WriteOp::Delete), user(), at(20)).await.unwrap();
    store.apply(tenant(), Changes::none().write(key(3), put("Ada Later")), user(), at(20)).await.unwrap();

    let pending = vec![Changes::none().write(key(1), rename("Ada King")).write(key(4), put("Ada Lovelace"))];
    let pinned = view(&store, at(50), pending).pinned(moment);
    assert_eq!(pinned.now(), moment);
    let ada = pinned.entity(key(1), At::NOW).await.unwrap().unwrap();
    assert_eq!((name(&ada), ada.slice.version), ("Ada King", 2), "counted on from what was");
    assert_eq!(pinned.entity(key(3), At::NOW).await.unwrap(), None);
    let names = |page: Page<Version>| page.data.iter().map(|version| name(version).to_owned()).collect::<Vec<_>>();
    assert_eq!(names(pinned.list(ListQuery::new(KIND)).await.unwrap()), ["Ada King", "Bob", "Ada Lovelace"]);

    // A search finds by the words of now, and shows what it finds as it was.
    let search = ListQuery { text: Some("ada".to_owned()), ..ListQuery::new(KIND) };
    let plain = view(&store, at(50), Vec::new()).pinned(moment);
    assert_eq!(names(plain.list(search).await.unwrap()), ["Ada"]);

    let early = view(&store, at(50), Vec::new());
    assert_eq!(early.moment(Some(at(60))).await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert_eq!(early.moment(Some(at(15))).await.unwrap(), at(15));
}

#[tokio::test]
async fn tried_changes_are_those_that_a_commit_would_make() {
    let store = Arc::new(MemoryStore::default());
    store.apply(tenant(), Changes::none().write(key(1), put("Ada")), user(), at(10)).await.unwrap();
    let pinned = view(&store, at(20), vec![Changes::none().write(key(2), put("Bob"))]).pinned(at(20));
    let tags = json!({ "display_name": "Cy", "tags": ["vip"] });
    let unique = Require::UniqueTerm { kind: KIND, term: Term::new("tag", "vip") };
    let refused = [
        (Changes::none().create(key(1), json!({ "display_name": "Ada" })), ErrorKind::Conflict),
        (Changes::none().create(key(2), json!({ "display_name": "Bob" })), ErrorKind::Conflict),
        (Changes::none().write(key(3), rename("Nobody")), ErrorKind::NotFound),
        (Changes::none().require(Require::Version { key: key(1), version: 2 }), ErrorKind::VersionMismatch),
        (Changes::none().write(key(3), WriteOp::Put(json!({ "display_name": 1 }))), ErrorKind::InvalidRequest),
    ];
    for (changes, kind) in refused {
        assert_eq!(pinned.tried(changes.clone()).await.unwrap_err().kind(), kind, "{changes:?}");
    }
    let one = Changes::none().create(key(3), tags.clone()).require(unique);
    assert_eq!(pinned.tried(one.clone()).await.unwrap(), one);
    let two = pinned.and_pending(one.clone());
    let again = Changes { writes: Vec::new(), requires: Vec::new(), ..one };
    let again = again.create(key(4), tags).require(Require::UniqueTerm { kind: KIND, term: Term::new("tag", "vip") });
    assert_eq!(two.tried(again).await.unwrap_err().kind(), ErrorKind::Conflict);
    let fits = Changes::none().write(key(2), rename("Bob Two")).require(Require::Version { key: key(2), version: 1 });
    assert_eq!(two.tried(fits.clone()).await.unwrap(), fits);
}

#[tokio::test]
async fn tried_changes_get_the_next_numbers() {
    let store = Arc::new(MemoryStore::default());
    let counter = EntityId::from_uuid(Uuid::from_u128(50));
    let numbered = |n| {
        let body = json!({ "title": "a task", "identifier": "" });
        let (key, field, prefix) =
            (EntityKey { kind: Kind::Task, ..key(n) }, "identifier".to_owned(), "API-".to_owned());
        Changes::none().create(key, body).number(NextNumber { counter, key, field, prefix })
    };
    store.apply(tenant(), numbered(1), user(), at(10)).await.unwrap();
    let view = view(&store, at(20), Vec::new()).pinned(at(20));
    let first = view.tried(numbered(2)).await.unwrap();
    let second = view.clone().and_pending(first.clone()).tried(numbered(3)).await.unwrap();
    for (changes, n, identifier) in [(&first, 2, "API-2"), (&second, 3, "API-3")] {
        let shown = view.clone().and_pending(changes.clone());
        let task = shown.entity(EntityKey { kind: Kind::Task, ..key(n) }, At::NOW).await.unwrap().unwrap();
        assert_eq!(task.slice.body.unwrap()["identifier"], json!(identifier));
    }
}
