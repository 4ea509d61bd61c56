//! What [`EntityStore::changes`](crate::store::EntityStore::changes) promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt as _;

use crate::store::{Changes, Operation, Store};
use crate::temporal::WriteOp;
use crate::{Cursor, TenantId};

use super::Stage;
use super::build::*;
use super::stage::step_aside;

/// Reads the feed on from `cursor` until there is no more now.
async fn drain(store: &dyn Store, tenant: TenantId, cursor: &mut Option<Cursor>, limit: u16) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..1_000 {
        let got = store.changes(tenant, cursor.take(), page(limit, None)).await.expect("the feed is read");
        assert!(got.data.len() <= usize::from(limit), "a page holds at most what was asked for");
        numbers.extend(got.data.iter().map(|commit| commit.tx_id));
        *cursor = Some(got.next_cursor);
        if !got.has_more {
            return numbers;
        }
    }
    panic!("the feed does not end")
}

/// A reader that goes on from its cursor gets every commit once, whoever writes meanwhile.
pub async fn feed_misses_and_repeats_no_commit(stage: Stage) {
    // Page by page, with a commit between two pages.
    let tenant = stage.tenant(1).await;
    for n in 0..7 {
        stage.create(tenant, n, named("Ada"), at(10)).await;
    }
    let first = stage.store.changes(tenant, None, page(3, None)).await.expect("the feed is read");
    assert!(first.has_more, "there is more");
    stage.create(tenant, 7, named("Ada"), at(5)).await;
    let mut cursor = Some(first.next_cursor);
    let mut numbers: Vec<u64> = first.data.iter().map(|commit| commit.tx_id).collect();
    numbers.extend(drain(&*stage.store, tenant, &mut cursor, 3).await);
    assert_eq!(numbers, (1..=8).collect::<Vec<u64>>());

    // From the end nothing comes, and then what is new.
    assert_eq!(drain(&*stage.store, tenant, &mut cursor, 3).await, Vec::<u64>::new(), "nothing is new");
    stage.create(tenant, 8, named("Ada"), at(20)).await;
    assert_eq!(drain(&*stage.store, tenant, &mut cursor, 3).await, [9]);

    // A reader beside many writers.
    let tenant = stage.tenant(2).await;
    let writing = Arc::new(AtomicU32::new(16));
    let answers = stage.in_parallel(17, move |n, store| {
        let writing = Arc::clone(&writing);
        async move {
            if n < 16 {
                let changes = Changes::none().create(contact(n), named("Ada"));
                let written = store.apply(tenant, changes, person(), at(10)).await;
                writing.fetch_sub(1, Ordering::SeqCst);
                return written.map(|_| Vec::new()).expect("a contact is created");
            }
            let (mut numbers, mut cursor) = (Vec::new(), None);
            while writing.load(Ordering::SeqCst) > 0 {
                numbers.extend(drain(&*store, tenant, &mut cursor, 2).await);
                step_aside().await;
            }
            numbers.extend(drain(&*store, tenant, &mut cursor, 2).await);
            numbers
        }
        .boxed()
    });
    let read = answers.await.pop().expect("the reader answers");
    assert_eq!(read, (1..=16).collect::<Vec<u64>>(), "a reader beside many writers");
}

/// The feed of a tenant without commits is empty, and can be gone on with.
pub async fn feed_can_be_followed_from_before_the_first_commit(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let empty = stage.store.changes(tenant, None, page(5, None)).await.expect("the feed is read");
    assert_eq!((empty.data.len(), empty.has_more), (0, false));
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    let mut cursor = Some(empty.next_cursor);
    assert_eq!(drain(&*stage.store, tenant, &mut cursor, 5).await, [1]);
}

/// The feed says what became of each entity, when, and which version.
pub async fn feed_names_what_was_done(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let created = Changes::none().create(contact(2), named("Bob")).create(contact(1), named("Ada"));
    let mut applied = vec![stage.apply(tenant, created, at(10)).await];
    let changed = Changes::none()
        .write(contact(1), WriteOp::Put(named("Ada King")))
        .write(contact(2), WriteOp::Delete)
        .create(contact(3), named("Cleo"));
    applied.push(stage.apply(tenant, changed, at(20)).await);
    let later = (at(500), Some(at(600)));
    applied.push(stage.write_valid(tenant, 1, WriteOp::Put(named("Ada on tour")), later, at(30)).await);
    applied.push(stage.write(tenant, 2, WriteOp::Put(named("Bob again")), at(40)).await);

    let feed = stage.feed(tenant).await;
    let seen: Vec<Vec<_>> = feed
        .iter()
        .map(|commit| {
            let mut entities: Vec<_> = commit.entities.iter().map(|e| (e.id, e.version, e.operation)).collect();
            entities.sort_by_key(|(id, ..)| *id);
            entities
        })
        .collect();
    let (ada, bob, cleo) = (contact(1).id, contact(2).id, contact(3).id);
    let expected = [
        vec![(ada, 1, Operation::Created), (bob, 1, Operation::Created)],
        vec![(ada, 2, Operation::Updated), (bob, 2, Operation::Deleted), (cleo, 1, Operation::Created)],
        vec![(ada, 3, Operation::Updated)],
        vec![(bob, 3, Operation::Created)],
    ];
    assert_eq!(seen, expected);
    for (commit, applied) in feed.iter().zip(&applied) {
        assert_eq!((commit.tx_id, commit.committed_at), (applied.tx_id, applied.at));
        assert_eq!(commit.provenance, person());
        assert!(commit.entities.iter().all(|entity| entity.kind == contact(1).kind));
    }
}
