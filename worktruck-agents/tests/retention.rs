//! What is removed in the background, for whom, and when it stops.

#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;
use worktruck_agents::Runtime;
use worktruck_agents::retention::{self, RetentionOptions, Totals};
use worktruck_core::entity::Kind;
use worktruck_core::run::{NewRun, Signal};
use worktruck_core::store::{Changes, EntityKey, EntityStore, MemoryStore, NewTenant, Provenance, RunQuery, Store};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::testing::{Fault, FaultyStore, SimClock};
use worktruck_core::{Clock, EntityId, ErrorKind, RunId, TenantId, Timestamp};

const DAY: Duration = Duration::from_hours(24);

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

fn contact() -> EntityKey {
    EntityKey::new(Kind::Contact, EntityId::from_uuid(Uuid::from_u128(7)))
}

/// A tenant with one write and one ended run a day, for ten days.
async fn fill(store: &dyn Store, n: u128, retention_days: Option<u32>) -> TenantId {
    let new = NewTenant { retention_days, ..NewTenant::new(tenant(n), format!("tenant-{n}")) };
    store.create_tenant(new, start()).await.unwrap();
    for day in 0..10 {
        let now = start().after(DAY * day);
        let body = json!({ "display_name": format!("Ada {day}") });
        let always =
            worktruck_core::temporal::Write { op: WriteOp::Put(body), valid_from: Some(start()), valid_to: None };
        let changes = Changes::none().write_valid(contact(), always);
        store.apply(tenant(n), changes, Provenance::new("user:1", "user_edit"), now).await.unwrap();
        let run = RunId::from_uuid(Uuid::from_u128(u128::from(day) + 100));
        store.enqueue(tenant(n), vec![NewRun::new(run, "sweep", json!({}))], now).await.unwrap();
        store.signal(tenant(n), run, Signal::Cancel { actor: None }, now).await.unwrap();
    }
    tenant(n)
}

async fn runs(store: &dyn Store, tenant: TenantId) -> usize {
    store.runs(tenant, RunQuery::default()).await.unwrap().data.len()
}

/// Ten days and a little after the start.
fn clock() -> SimClock {
    SimClock::starting_at(start().after(DAY * 10).after(Duration::from_secs(1)))
}

#[tokio::test(start_paused = true)]
async fn each_tenant_keeps_its_own_days() {
    let (store, clock) = (MemoryStore::default(), clock());
    let three = fill(&store, 1, Some(3)).await;
    let ever = fill(&store, 2, None).await;
    let thousand = fill(&store, 3, Some(1_000)).await;
    let most = fill(&store, 4, Some(u32::MAX)).await;
    let totals = retention::run_once(&store, &clock).await.unwrap();
    // Of the days 0 to 7 every run has ended before, and the writes of 0 to 6 were replaced before.
    assert_eq!(totals, Totals { tenants: 3, failed: 0, runs: 8, slices: 7, commits: 7 });
    for (tenant, left) in [(three, 2), (ever, 10), (thousand, 10), (most, 10)] {
        assert_eq!(runs(&store, tenant).await, left);
    }

    let old = At::as_of(start().after(DAY * 2));
    let refused = store.entity(three, contact(), old, clock.now()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::HistoryExpired);
    for tenant in [ever, thousand, most] {
        assert!(store.entity(tenant, contact(), old, clock.now()).await.unwrap().is_some());
    }
    let again = retention::run_once(&store, &clock).await.unwrap();
    assert_eq!(again, Totals { tenants: 3, ..Totals::default() }, "nothing is left to remove");
}

#[tokio::test(start_paused = true)]
async fn an_error_with_one_tenant_stops_no_other() {
    let (store, clock) = (FaultyStore::new(MemoryStore::default()), clock());
    let one = fill(store.inner(), 1, Some(3)).await;
    let two = fill(store.inner(), 2, Some(3)).await;
    // The first call lists the tenants, the second removes for the first of them.
    store.fail(2, Fault::Before);
    let totals = retention::run_once(&store, &clock).await.unwrap();
    assert_eq!((totals.tenants, totals.failed, totals.runs), (2, 1, 8));
    assert_eq!((runs(store.inner(), one).await, runs(store.inner(), two).await), (10, 2));
    let next = retention::run_once(&store, &clock).await.unwrap();
    assert_eq!((next.failed, next.runs), (0, 8), "the next round goes on");
    assert_eq!(runs(store.inner(), one).await, 2);
}

#[tokio::test(start_paused = true)]
async fn tenants_that_cannot_be_listed_are_an_error() {
    let store = FaultyStore::new(MemoryStore::default());
    store.fail(1, Fault::Before);
    let error = retention::run_once(&store, &clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn it_removes_round_after_round_and_stops_between_two_pieces() {
    let store = Arc::new(FaultyStore::new(MemoryStore::default()));
    let clock = Arc::new(clock());
    let tenant = fill(store.inner(), 1, Some(3)).await;
    let runtime = Runtime::builder(store.clone()).clock(clock.clone()).build().unwrap();
    let options = RetentionOptions { piece: 1, pause: Duration::from_secs(10), every: Duration::from_hours(1) };

    // Told to stop after two and a half pauses: three pieces are gone, and no more.
    let stop = tokio::time::sleep(Duration::from_secs(25));
    runtime.retention(options.clone()).run_until(stop).await;
    assert_eq!(store.calls(), ["tenants", "expire", "expire", "expire"]);
    assert_eq!(runs(store.inner(), tenant).await, 7);

    // A day later two more have come of age; a round that fails is made again.
    clock.advance(DAY);
    store.fail(5, Fault::Before);
    let stop = tokio::time::sleep(Duration::from_hours(2));
    runtime.retention(options).run_until(stop).await;
    assert_eq!(runs(store.inner(), tenant).await, 1);
    let slices = store.inner().history(tenant, contact(), worktruck_core::PageRequest::default()).await.unwrap().data;
    assert_eq!(slices.len(), 2, "what held at the horizon, and what came after it");
}
