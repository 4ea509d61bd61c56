//! Schedulers of several processes' worth of runtimes at once, on the stores that outlive a process.

#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use uuid::Uuid;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::{Runtime, blueprints, scheduler, tools};
use worktruck_core::entity::agent_schedule::AgentSchedule;
use worktruck_core::pim::Pim;
use worktruck_core::schedule::{CatchUp, Overlap};
use worktruck_core::store::{NewTenant, RunQuery};
use worktruck_core::testing::{CountingIds, SimClock};
use worktruck_core::{Clock as _, PageRequest, TenantId, Timestamp};
use worktruck_tests::{AnyStore, Backend, Place};

const SCHEDULES: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn each_due_time_gets_one_run_on_sqlite() {
    each_due_time_gets_one_run(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_due_time_gets_one_run_on_postgres() {
    each_due_time_gets_one_run(Backend::Postgres).await;
}

/// Five runtimes with connections of their own, whose clocks differ by up to twenty seconds, look for what is due for
/// five minutes.
async fn each_due_time_gets_one_run(backend: Backend) {
    let start: Timestamp = "2026-04-14T12:00:00Z".parse().unwrap();
    let place = Place::new(backend).await;
    let store = AnyStore::open(&place.url).await.unwrap();
    let tenant = TenantId::from_uuid(Uuid::from_u128(1));
    store.ports().create_tenant(NewTenant::new(tenant, "acme"), start).await.unwrap();
    let pim = Pim::new(store.ports() as _, Arc::new(SimClock::starting_at(start)), Arc::new(CountingIds::new(1)));
    for _ in 0..SCHEDULES {
        let schedule = AgentSchedule {
            overlap: Overlap::Allow,
            catch_up: CatchUp::All,
            ..AgentSchedule::new("contact_deduper", "*/30 * * * * *", "UTC")
        };
        pim.agent_schedules(tenant).create(schedule).await.unwrap();
    }
    let schedulers = (0..5).map(|n| {
        let url = place.url.clone();
        tokio::spawn(async move {
            let store = AnyStore::open(&url).await.unwrap();
            let clock = Arc::new(SimClock::starting_at(start.after(Duration::from_secs(5 * n))));
            let deduper = Blueprint { default_model: "local/rules".into(), ..blueprints::contact_deduper() };
            let runtime = Runtime::builder(store.ports())
                .clock(Arc::clone(&clock) as _)
                .tools(tools::builtin())
                .blueprint(deduper)
                .build()
                .unwrap();
            let end = start.after(Duration::from_secs(300));
            let mut said = 0;
            while clock.now() < end {
                clock.advance(Duration::from_secs(10));
                clock.set(clock.now().min(end));
                let totals = scheduler::run_once(&runtime).await.unwrap();
                assert_eq!((totals.failed, totals.refused), (0, 0));
                said += totals.enqueued;
            }
            store.close().await;
            said
        })
    });
    let said: u64 = join_all(schedulers).await.into_iter().map(Result::unwrap).sum();
    let query = RunQuery { page: PageRequest::largest(None), ..RunQuery::default() };
    let runs = store.ports().runs(tenant, query).await.unwrap().data;
    let due: BTreeSet<String> =
        runs.iter().map(|run| format!("{} {}", run.metadata["schedule_id"], run.metadata["due_at"])).collect();
    assert_eq!((due.len(), runs.len()), (10 * SCHEDULES, 10 * SCHEDULES));
    assert!(said >= 10, "{said}");
    store.close().await;
}
