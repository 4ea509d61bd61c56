//! Texts that PostgreSQL or its indexes have no room for.

use serde_json::{Value, json};
use worktruck_core::entity::{Kind, Term};
use worktruck_core::run::{BlueprintVersion, ClaimRequest, NewRun};
use worktruck_core::store::{
    Changes, EntityStore, ListQuery, NewTenant, Require, RunQuery, RunStore, Sort, SortField, TenantStore, Version,
};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{ErrorKind, Page, PageRequest};
use worktruck_store_pg::PgStore;

use crate::fixture::*;

async fn ids(store: &PgStore, query: ListQuery) -> Vec<u128> {
    let page: Page<_> = store.list(tenant(1), query, at(9)).await.expect("a list is answered");
    page.data.iter().map(number).collect()
}

/// The number that [`contact`] was given.
fn number(version: &Version) -> u128 {
    version.key.id.as_uuid().as_u128() & 0xffff
}

fn with_text(text: &str) -> ListQuery {
    ListQuery { text: Some(text.into()), ..ListQuery::new(Kind::Contact) }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be_kept_are_refused_by_name() {
    let database = Database::fresh().await;
    let store = database.store().await;
    for (blueprint, says) in [("ec\0ho".to_owned(), "NUL"), ("e".repeat(2_000), "longer")] {
        let run = NewRun { agent_blueprint: blueprint, ..new_run(1) };
        let error = store.enqueue(tenant(1), vec![run], at(1)).await.unwrap_err();
        assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some("/agent_blueprint")), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let nul = NewTenant { name: Some("Ac\0me".into()), ..NewTenant::new(tenant(1), "acme") };
    let error = store.create_tenant(nul, at(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some("/name")), "{error}");
    assert_eq!(store.tenant(tenant(1)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_not_found() {
    let database = Database::fresh().await;
    let store = database.store().await;
    store.enqueue(tenant(1), vec![new_run(1)], at(1)).await.unwrap();
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    assert_eq!(store.tenant_by_slug("ac\0me").await.unwrap(), None);
    let runs = RunQuery { blueprint: Some("ec\0ho".into()), ..RunQuery::default() };
    assert_eq!(store.runs(tenant(1), runs).await.unwrap().data, []);
    for term in [Term::new("ta\0g", "vip"), Term::new("tag", "v\0ip")] {
        for at in [At::NOW, At::as_of(at(5))] {
            let query = ListQuery { terms: vec![term.clone()], at, ..ListQuery::new(Kind::Contact) };
            if term.value.contains('\0') {
                // Every store refuses that.
                let error = store.list(tenant(1), query, self::at(9)).await.unwrap_err();
                assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some("/tag")), "{error}");
            } else {
                assert_eq!(ids(&store, query).await, [] as [u128; 0], "{term:?}");
            }
        }
        let unique = create(2, "Bob").require(Require::UniqueTerm { kind: Kind::Contact, term });
        store.apply(tenant(1), unique, user(), at(2)).await.unwrap();
        store.apply(tenant(1), Changes::none().write(contact(2), WriteOp::Delete), user(), at(3)).await.unwrap();
    }
    let has = |blueprint: &str| BlueprintVersion { blueprint: blueprint.into(), version: 1 };
    let request = ClaimRequest { blueprints: vec![has("ec\0ho"), has("echo")], limit: 9, lease_for: LEASE };
    assert_eq!(store.claim(request, at(2)).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_keep_every_character() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let odd =
        json!({ "nul": "a\0b", "k\0ey": ["\u{1}", "\u{fffe}", "\u{10ffff}", "\\u0000", "\u{2028}"], "n": 0.1 + 0.2 });
    let body = json!({ "display_name": "Z\0oë", "metadata": odd, "tags": ["v\0ip"] });
    store.apply(tenant(1), Changes::none().create(contact(1), body.clone()), user(), at(1)).await.unwrap();
    let read = store.entity(tenant(1), contact(1), At::NOW, at(2)).await.unwrap().unwrap();
    assert_eq!(read.slice.body.as_ref(), Some(&body));
    let all = ListQuery::new(Kind::Contact);
    assert_eq!(ids(&store, all.clone()).await, [1]);
    let sort = Sort { field: SortField::Key("display_name".into()), descending: true };
    assert_eq!(ids(&store, ListQuery { sort, at: At::as_of(at(2)), ..all }).await, [1]);

    let run = NewRun { input: odd.clone(), metadata: odd.as_object().unwrap().clone(), ..new_run(1) };
    store.enqueue(tenant(1), vec![run], at(1)).await.unwrap();
    let claimed = store.claim(claim_any(1), at(1)).await.unwrap().remove(0);
    assert_eq!((&claimed.run.input, &Value::Object(claimed.run.metadata)), (&odd, &odd));
    let steps = vec![step(1, odd.clone(), Changes::none())];
    store.commit(&claimed.lease, commit(1, steps), at(2)).await.unwrap();
    let journal = store.journal(tenant(1), run_id(1)).await.unwrap().unwrap();
    assert_eq!(journal.steps[0].output.as_ref(), Some(&odd));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_keeps_a_name_with_every_character() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let lease = claimed(&store, tenant(1), 1).await.lease;
    // A model may ask for a tool of any name.
    let mut odd = step(1, json!(1), Changes::none());
    odd.step.name = "no\0such".into();
    store.commit(&lease, commit(1, vec![odd.clone()]), at(2)).await.unwrap();
    let journal = store.journal(tenant(1), run_id(1)).await.unwrap().unwrap();
    assert_eq!(journal.steps[0].name, odd.step.name);
    let events = store.events(tenant(1), run_id(1), PageRequest::default()).await.unwrap();
    assert!(serde_json::to_string(&events.data).unwrap().contains("no\\u0000such"));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_longer_than_an_entry_of_an_index_are_kept_and_found() {
    let database = Database::fresh().await;
    let store = database.store().await;
    // Random enough not to be pressed into an entry.
    let noise = |n: u64| {
        (0..5_000_u64).map(|i| char::from(b'a' + u8::try_from((i * i * 31 + i * n) % 26).unwrap())).collect::<String>()
    };
    let long = |n: u64, tail: &str| format!("{}{tail}", noise(n));
    for (n, name) in [(1, long(7, "c")), (2, long(7, "a")), (3, long(7, "b")), (4, "A".to_owned())] {
        let body = json!({ "display_name": name, "tags": [name], "vcard_uid": name });
        store.apply(tenant(1), Changes::none().create(contact(n), body), user(), at(1)).await.unwrap();
    }
    for (name, value) in [("tag", long(7, "a")), ("vcard_uid", long(7, "a"))] {
        let query = ListQuery { terms: vec![Term::new(name, value)], ..ListQuery::new(Kind::Contact) };
        assert_eq!(ids(&store, query.clone()).await, [2], "{name}");
        assert_eq!(ids(&store, ListQuery { at: At::as_of(at(5)), ..query }).await, [2], "{name}");
    }
    let taken =
        create(5, "Eve").write(contact(5), WriteOp::Put(json!({ "display_name": "Eve", "tags": [long(7, "a")] })));
    let taken = taken.require(Require::UniqueTerm { kind: Kind::Contact, term: Term::new("tag", long(7, "a")) });
    assert_eq!(store.apply(tenant(1), taken, user(), at(2)).await.unwrap_err().kind(), ErrorKind::Conflict);

    // A list is in one order from page to page: by the beginning of the texts.
    let sort = Sort { field: SortField::Key("display_name".into()), descending: true };
    let page = PageRequest::new(1, None).unwrap();
    let mut query = ListQuery { sort, page, ..ListQuery::new(Kind::Contact) };
    let mut walk = Vec::new();
    loop {
        let page = store.list(tenant(1), query.clone(), at(9)).await.unwrap();
        walk.extend(page.data.iter().map(number));
        let Some(next) = page.next_cursor else { break };
        query.page = PageRequest::new(1, Some(next)).unwrap();
    }
    let last = walk.pop();
    walk.sort_unstable();
    assert_eq!((walk, last), (vec![1, 2, 3], Some(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn words_longer_than_a_lexeme_are_found_by_all_of_it() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let long = "x".repeat(3_000);
    for (n, end) in [(1, "a"), (2, "b")] {
        let bio = json!({ "display_name": "Ada", "bio": format!("{long}{end} end") });
        store.apply(tenant(1), Changes::none().create(contact(n), bio), user(), at(1)).await.unwrap();
    }
    assert_eq!(ids(&store, with_text(&long)).await, [1, 2]);
    assert_eq!(ids(&store, with_text(&format!("{long}b"))).await, [2]);
    assert_eq!(ids(&store, with_text(&format!("{long}c"))).await, [] as [u128; 0]);
    assert_eq!(ids(&store, with_text(&format!("{long}a end"))).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_more_words_than_a_row_holds_is_found_by_each() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let words = (0..150_000_u32).map(|n| format!("{:06x}", n.wrapping_mul(2_654_435_761) >> 8));
    let bio: String = words.collect::<Vec<_>>().join(" ");
    let body = |bio: &str| json!({ "display_name": "Zoë Zymurgy", "bio": bio });
    store.apply(tenant(1), Changes::none().create(contact(1), body(&bio)), user(), at(1)).await.unwrap();
    store.apply(tenant(1), create(2, "Zoë"), user(), at(1)).await.unwrap();
    let (first, last) = (bio.split(' ').next().unwrap(), bio.split(' ').next_back().unwrap());
    for text in ["zymurgy", first, last, &format!("zoe {last}"), &last[..4]] {
        assert_eq!(ids(&store, with_text(text)).await, [1], "{text}");
    }
    assert_eq!(ids(&store, with_text("zoe")).await, [1, 2]);
    assert_eq!(ids(&store, with_text("zoe unheard")).await, [] as [u128; 0]);
    // A search for many words is a search like any other.
    let many: Vec<&str> = bio.split(' ').step_by(30).collect();
    assert_eq!(ids(&store, with_text(&many.join(" "))).await, [1]);
    let shorter = Changes::none().write(contact(1), WriteOp::Put(body("no more")));
    store.apply(tenant(1), shorter, user(), at(2)).await.unwrap();
    assert_eq!(ids(&store, with_text(last)).await, [] as [u128; 0]);
}
