use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::entity::{Kind, Term};
use crate::run::NewRun;
use crate::store::{Changes, EntityKey, EntityStore, Provenance, Require, RunStore};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, ErrorKind, PageRequest, RunId, Timestamp};

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

fn key(number: u128) -> EntityKey {
    EntityKey::new(Kind::Contact, EntityId::from_uuid(Uuid::from_u128(number)))
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn user() -> Provenance {
    Provenance::new("user:1", "user_edit")
}

fn tagged(number: u128, tag: &str) -> Changes {
    Changes::none().write(key(number), WriteOp::Put(json!({ "display_name": "Ada", "tags": [tag] })))
}

#[tokio::test]
async fn entity_written_anew_after_its_erasure_goes_on_with_the_numbers() {
    let store = MemoryStore::default();
    for tag in ["a", "b"] {
        store.apply(tenant(), tagged(1, tag), user(), at(10)).await.unwrap();
    }
    store.purge(tenant(), key(1), user(), at(20)).await.unwrap();
    for (tag, version) in [("c", 4), ("d", 5)] {
        let applied = store.apply(tenant(), tagged(1, tag), user(), at(30)).await.unwrap();
        assert_eq!(applied.versions, [(key(1), version)]);
    }
    let feed = store.changes(tenant(), None, PageRequest::default()).await.unwrap();
    let numbers: Vec<u64> = feed.data.iter().map(|commit| commit.entities[0].version).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let history = store.history(tenant(), key(1), PageRequest::default()).await.unwrap();
    let numbers: Vec<u64> = history.data.iter().map(|version| version.slice.version).collect();
    assert_eq!(numbers, [5, 4]);
    assert_eq!(history.data[0].created_at, at(30));
}

#[tokio::test]
async fn unique_term_counts_what_exists_after_the_writes() {
    let store = MemoryStore::default();
    let unique = |changes: Changes, tag: &str| {
        changes.require(Require::UniqueTerm { kind: Kind::Contact, term: Term::new("tag", tag) })
    };
    let apply = |changes| store.apply(tenant(), changes, user(), at(10));
    apply(unique(tagged(1, "a"), "a")).await.unwrap();
    assert_eq!(apply(unique(tagged(2, "a"), "a")).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(store.entity(tenant(), key(2), At::NOW, at(10)).await.unwrap(), None);

    // The term moves from one to the other in one commit.
    let moved = Changes { writes: [tagged(1, "b").writes, tagged(2, "a").writes].concat(), ..Changes::none() };
    apply(unique(moved, "a")).await.unwrap();
    apply(tagged(3, "a")).await.unwrap();
    assert_eq!(apply(unique(Changes::none(), "a")).await.unwrap_err().kind(), ErrorKind::Conflict);
    apply(Changes::none().write(key(3), WriteOp::Delete)).await.unwrap();
    apply(unique(Changes::none(), "a")).await.unwrap();
}

#[tokio::test]
async fn wait_for_work_sleeps_until_there_is_work() {
    let store = Arc::new(MemoryStore::default());
    let mark = store.wait_for_work(0).await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.wait_for_work(mark).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());

    let run = NewRun::new(RunId::from_uuid(Uuid::from_u128(7)), "deduper", json!({}));
    store.enqueue(tenant(), vec![run], at(10)).await.unwrap();
    let woken = waiting.await.unwrap().unwrap();
    assert_ne!(woken, mark);
    assert_eq!(store.wait_for_work(mark).await.unwrap(), woken, "work between claim and wait is not missed");
}
