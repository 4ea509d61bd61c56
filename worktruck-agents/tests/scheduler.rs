//! Runs that schedules make due: when they are enqueued, by whom, and what becomes of failures.

#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::scheduler::{self, SchedulerOptions, Totals};
use worktruck_agents::{Runtime, blueprints, tools};
use worktruck_core::entity::agent_schedule::AgentSchedule;
use worktruck_core::pim::{Pim, Stored};
use worktruck_core::run::{Run, RunStatus};
use worktruck_core::schedule::due_run;
use worktruck_core::store::{MemoryStore, NewTenant, RunQuery, Store};
use worktruck_core::testing::{CountingIds, Fault, FaultyStore, SimClock};
use worktruck_core::{Clock, EntityId, PageRequest, TenantId, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn start() -> Timestamp {
    "2026-04-14T12:00:00Z".parse().unwrap()
}

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

/// A clock that goes with the time of tests, so much ahead.
#[derive(Debug)]
struct TestTime {
    began: Instant,
    ahead: Duration,
}

impl Clock for TestTime {
    fn now(&self) -> Timestamp {
        start().after(self.ahead + self.began.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }
}

fn runtime(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Runtime {
    let deduper = Blueprint { default_model: "local/rules".into(), ..blueprints::contact_deduper() };
    Runtime::builder(store).clock(clock).tools(tools::builtin()).blueprint(deduper).build().unwrap()
}

/// A store with one tenant, the clock of a test, and who works with them.
struct Desk {
    store: Arc<FaultyStore<MemoryStore>>,
    clock: Arc<SimClock>,
    runtime: Runtime,
}

impl Desk {
    async fn new() -> Self {
        let (store, clock) =
            (Arc::new(FaultyStore::new(MemoryStore::default())), Arc::new(SimClock::starting_at(start())));
        let runtime = runtime(Arc::clone(&store) as _, Arc::clone(&clock) as _);
        runtime.store().create_tenant(NewTenant::new(tenant(), "acme"), start()).await.unwrap();
        Self { store, clock, runtime }
    }

    fn pim(&self) -> Pim {
        Pim::new(Arc::clone(&self.store) as _, Arc::clone(&self.clock) as _, Arc::new(CountingIds::new(1)))
    }

    /// An hourly schedule of the deduper, but for `patch`.
    async fn schedule(&self, patch: Value) -> Stored<AgentSchedule> {
        let mut body = json!({ "blueprint": "contact_deduper", "cron_expression": "0 * * * *" });
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        self.pim().agent_schedules(tenant()).create_from(body).await.unwrap()
    }

    async fn read(&self, id: EntityId) -> AgentSchedule {
        self.pim().agent_schedules(tenant()).get(id).await.unwrap().data
    }

    async fn look(&self) -> Totals {
        scheduler::run_once(&self.runtime).await.unwrap()
    }

    /// Lets an hour pass, and looks.
    async fn hour(&self) -> u64 {
        self.clock.advance(HOUR);
        self.look().await.enqueued
    }

    async fn runs(&self) -> Vec<Run> {
        runs(self.store.inner()).await
    }
}

async fn runs(store: &dyn Store) -> Vec<Run> {
    let query = RunQuery { page: PageRequest::largest(None), ..RunQuery::default() };
    store.runs(tenant(), query).await.unwrap().data
}

#[tokio::test]
async fn due_run_is_enqueued_once_and_as_asked() {
    let desk = Desk::new().await;
    let schedule = desk.schedule(json!({ "input_template": { "max_candidates": 7 } })).await;
    assert_eq!(desk.look().await, Totals::default());
    desk.clock.advance(HOUR);
    assert_eq!(desk.look().await.enqueued, 1);
    assert_eq!(desk.look().await.enqueued, 0);
    let [run] = &desk.runs().await[..] else { panic!("there is one run") };
    assert_eq!(run.input, json!({ "max_candidates": 7 }));
    assert_eq!(run.metadata["due_at"], "2026-04-14T13:00:00.000000Z");
    assert_eq!(run.metadata["schedule_id"], json!(schedule.id));
    let read = desk.read(schedule.id).await;
    assert_eq!((read.last_run_id, read.last_enqueued_at), (Some(run.id), Some(desk.clock.now())));
    assert_eq!(read.next_run_at, Some(start().after(HOUR * 2)));
}

#[tokio::test]
async fn scheduler_tells_when_it_has_to_look_again() {
    let desk = Desk::new().await;
    desk.schedule(json!({})).await;
    desk.clock.advance(HOUR - Duration::from_secs(3));
    assert_eq!(desk.look().await.next, Some(start().after(HOUR)));
    assert_eq!(desk.runs().await.len(), 0);
}

#[tokio::test]
async fn run_under_way_holds_its_schedule_as_asked() {
    let desk = Desk::new().await;
    let [skip, queue, allow] = ["skip", "queue", "allow"].map(|overlap| json!({ "overlap": overlap }));
    let (skip, queue) = (desk.schedule(skip).await.id, desk.schedule(queue).await.id);
    desk.schedule(allow).await;
    assert_eq!(desk.hour().await, 3);
    assert_eq!(desk.hour().await, 1, "only what may overlap");
    desk.clock.advance(MINUTE * 30);
    for id in [skip, queue] {
        let run = desk.read(id).await.last_run_id.unwrap();
        assert_eq!(desk.runtime.cancel(tenant(), run, None).await.unwrap().status, RunStatus::Cancelled);
    }
    // What waited comes now, what was passed over does not.
    assert_eq!(desk.look().await.enqueued, 1);
    assert_eq!(desk.read(queue).await.next_run_at, Some(start().after(HOUR * 3)));
    desk.clock.advance(MINUTE * 30);
    assert_eq!(desk.look().await.enqueued, 2);
    assert_eq!(desk.read(skip).await.next_run_at, Some(start().after(HOUR * 4)));
}

#[tokio::test]
async fn scheduler_catches_up_as_asked() {
    for (catch_up, count) in [("none", 1), ("last", 1), ("all", 300)] {
        let desk = Desk::new().await;
        desk.schedule(json!({ "catch_up": catch_up, "overlap": "allow" })).await;
        desk.clock.advance(HOUR * 300);
        assert_eq!(desk.look().await.enqueued, count, "{catch_up}");
        assert_eq!(desk.look().await.enqueued, 0);
        assert_eq!(desk.runs().await.len(), 200.min(usize::try_from(count).unwrap()));
    }
    let desk = Desk::new().await;
    desk.schedule(json!({ "catch_up": "none" })).await;
    desk.clock.advance(HOUR * 300 + MINUTE * 2);
    assert_eq!(desk.look().await.enqueued, 0);
}

/// Whatever call a scheduler breaks off at, before or after it took effect, the next one enqueues what is missing and
/// nothing twice.
#[tokio::test]
async fn scheduler_that_breaks_off_anywhere_enqueues_nothing_twice() {
    let calls = {
        let desk = Desk::new().await;
        desk.schedule(json!({ "overlap": "skip" })).await;
        let before = desk.store.calls().len();
        assert_eq!(desk.hour().await, 1);
        before..desk.store.calls().len()
    };
    assert!(calls.len() > 5);
    for (call, fault) in calls.flat_map(|call| [(call + 1, Fault::Before), (call + 1, Fault::After)]) {
        let desk = Desk::new().await;
        let schedule = desk.schedule(json!({ "overlap": "skip" })).await;
        desk.store.fail(call, fault);
        desk.clock.advance(HOUR);
        let _ = scheduler::run_once(&desk.runtime).await;
        desk.clock.advance(MINUTE);
        desk.look().await;
        let runs = desk.runs().await;
        assert_eq!(runs.len(), 1, "call {call}, {fault:?}");
        let read = desk.read(schedule.id).await;
        assert_eq!((read.last_run_id, read.next_run_at), (Some(runs[0].id), Some(start().after(HOUR * 2))));
    }
}

#[tokio::test]
async fn run_that_was_enqueued_before_its_template_changed_counts() {
    let desk = Desk::new().await;
    let schedule = desk.schedule(json!({})).await;
    desk.clock.advance(HOUR);
    let run = due_run(schedule.id, desk.clock.now(), "contact_deduper", Some(&json!({ "max_candidates": 1 })));
    let run = desk.runtime.enqueue(tenant(), run).await.unwrap();
    assert_eq!(desk.look().await.enqueued, 1);
    assert_eq!(desk.runs().await.len(), 1);
    assert_eq!(desk.read(schedule.id).await.last_run_id, Some(run.id));
}

#[tokio::test]
async fn schedule_whose_runs_are_refused_is_disabled() {
    let desk = Desk::new().await;
    let schedule = desk.schedule(json!({ "input_template": { "max_candidates": "many" } })).await;
    for n in 1..=10 {
        assert!(desk.read(schedule.id).await.enabled);
        desk.clock.advance(HOUR);
        let totals = desk.look().await;
        assert_eq!((totals.enqueued, totals.refused, totals.failed), (0, 1, 0));
        assert_eq!(desk.read(schedule.id).await.consecutive_failures, n);
    }
    let read = desk.read(schedule.id).await;
    assert_eq!((read.enabled, read.next_run_at), (false, None));
    assert!(read.disabled_reason.unwrap().contains("max_candidates"));
    assert_eq!(desk.hour().await, 0);
}

#[tokio::test]
async fn schedule_of_a_blueprint_that_is_elsewhere_is_left_alone() {
    let desk = Desk::new().await;
    let schedule = desk.schedule(json!({ "blueprint": "site_health" })).await;
    assert_eq!(desk.hour().await, 0);
    assert_eq!(desk.read(schedule.id).await, schedule.data);
}

/// Four schedulers whose clocks differ by twenty seconds, and one that comes late.
#[tokio::test(start_paused = true)]
async fn schedulers_with_skewed_clocks_enqueue_each_due_time_once() {
    let store = Arc::new(MemoryStore::default());
    store_with_tenant(&*store).await;
    let began = Instant::now();
    let clock = |ahead| Arc::new(TestTime { began, ahead: Duration::from_secs(ahead) });
    let pim = Pim::new(Arc::clone(&store) as _, clock(0), Arc::new(CountingIds::new(1)));
    let mut every_second = AgentSchedule::new("contact_deduper", "*/10 * * * * *", "UTC");
    every_second.overlap = worktruck_core::schedule::Overlap::Allow;
    pim.agent_schedules(tenant()).create(every_second.clone()).await.unwrap();
    every_second.jitter_secs = Some(5);
    pim.agent_schedules(tenant()).create(every_second).await.unwrap();
    let until = move |secs| tokio::time::sleep_until(began + Duration::from_secs(secs));
    let schedulers = [(0, 0), (20, 0), (7, 0), (13, 0), (20, 100)].map(|(ahead, after)| {
        let runtime = runtime(Arc::clone(&store) as _, clock(ahead));
        tokio::spawn(async move {
            until(after).await;
            runtime.scheduler(SchedulerOptions::default()).run_until(until(296)).await;
        })
    });
    for scheduler in schedulers {
        scheduler.await.unwrap();
    }
    let mut due: Vec<String> = runs(&*store)
        .await
        .iter()
        .map(|run| format!("{} {}", run.metadata["schedule_id"], run.metadata["due_at"]))
        .collect();
    let count = due.len();
    due.sort_unstable();
    due.dedup();
    // The fastest clock shows 316 seconds at the end, and jitter takes five of them at most.
    assert_eq!((due.len(), count), (62, 62));
}

async fn store_with_tenant(store: &dyn Store) {
    store.create_tenant(NewTenant::new(tenant(), "acme"), start()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn scheduler_sleeps_until_something_is_due() {
    let store = Arc::new(FaultyStore::new(MemoryStore::default()));
    store_with_tenant(store.inner()).await;
    let began = Instant::now();
    let clock = Arc::new(TestTime { began, ahead: Duration::ZERO });
    let pim = Pim::new(Arc::clone(&store) as _, Arc::clone(&clock) as _, Arc::new(CountingIds::new(1)));
    pim.agent_schedules(tenant()).create(AgentSchedule::new("contact_deduper", "* * * * *", "UTC")).await.unwrap();
    let stop = tokio::time::sleep(MINUTE + Duration::from_millis(5));
    runtime(Arc::clone(&store) as _, clock).scheduler(SchedulerOptions::default()).run_until(stop).await;
    let runs = runs(store.inner()).await;
    assert_eq!(runs.len(), 1);
    assert!(runs[0].created_at.since(start().after(MINUTE)) < Duration::from_millis(5), "{}", runs[0].created_at);
    let looks = store.calls().iter().filter(|call| **call == "tenants").count();
    assert!((12..=15).contains(&looks), "{looks}");
}
