//! Scenarios of schedules: what a write does to one, and that each due time gets one run.

#![expect(clippy::unwrap_used, reason = "a scenario is a test that other crates run")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::entity::agent_schedule::AgentSchedule;
use crate::pim::Stored;
use crate::pim::schedules::{Moved, ScheduleFilter, ScheduleSort, advance};
use crate::schedule::{Last, decide, due_run};
use crate::store::{Provenance, RunQuery, Store};
use crate::testing::SimClock;
use crate::{Clock as _, ErrorKind, TenantId, Timestamp};

use super::Stage;
use super::desk::{Desk, refusal};

fn moment(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

fn hourly() -> Value {
    json!({ "blueprint": "sweep", "cron_expression": "0 * * * *" })
}

async fn advanced(desk: &Desk, stage: &Stage, schedule: &Stored<AgentSchedule>, moved: &Moved) -> crate::Result<()> {
    let by = Provenance::new("scheduler", "schedule");
    stage.store.apply(desk.tenant, advance(schedule, moved), by, desk.clock.now()).await.map(drop)
}

fn moved_to(next: Option<Timestamp>) -> Moved {
    Moved { next_run_at: next, enqueued: None, consecutive_failures: 0, disabled_reason: None }
}

/// A schedule is next due after it was made, enabled, or given other times, and never while it is disabled.
pub async fn schedule_knows_when_it_is_due_next(stage: Stage) {
    let desk = Desk::new(&stage);
    let schedules = desk.of::<AgentSchedule>();
    let made = desk.create::<AgentSchedule>(hourly()).await;
    assert_eq!(made.data.next_run_at, moment("2026-04-14T13:00:00Z"));
    assert_eq!((made.data.timezone.as_str(), made.data.enabled, made.data.jitter_secs), ("UTC", true, None));
    desk.wait(60);
    let update = async |patch: Value| schedules.update(made.id, patch).await.unwrap().data.next_run_at;
    assert_eq!(update(json!({ "cron_expression": "30 7 * * *" })).await, moment("2026-04-15T07:30:00Z"));
    assert_eq!(update(json!({ "timezone": "Europe/Berlin" })).await, moment("2026-04-15T05:30:00Z"));
    assert_eq!(update(json!({ "enabled": false })).await, None);
    desk.wait(86_400);
    assert_eq!(update(json!({ "enabled": true })).await, moment("2026-04-16T05:30:00Z"));
    // What has nothing to do with times leaves them alone.
    desk.wait(86_400);
    assert_eq!(
        update(json!({ "overlap": "queue", "input_template": { "a": 1 } })).await,
        moment("2026-04-16T05:30:00Z")
    );
    let replaced = AgentSchedule::new("sweep", "0 0 1 1 *", "UTC");
    assert_eq!(schedules.replace(made.id, replaced).await.unwrap().data.next_run_at, moment("2027-01-01T00:00:00Z"));
    schedules.delete(made.id).await.unwrap();
    assert_eq!(refusal(schedules.get(made.id).await).0, ErrorKind::NotFound);
}

/// A field that is wrong is named, and what is the scheduler's is nobody else's.
pub async fn bad_schedule_is_refused_at_its_place(stage: Stage) {
    let desk = Desk::new(&stage);
    let schedules = desk.of::<AgentSchedule>();
    let made = desk.create::<AgentSchedule>(hourly()).await;
    let wrong = [
        (json!({ "blueprint": " " }), "/blueprint"),
        (json!({ "cron_expression": "0 25 * * *" }), "/cron_expression"),
        (json!({ "cron_expression": "0 0 * * * * 2026" }), "/cron_expression"),
        (json!({ "timezone": "Middle-earth/Shire" }), "/timezone"),
        (json!({ "input_template": [] }), "/input_template"),
        (json!({ "jitter_secs": 3601 }), "/jitter_secs"),
        (json!({ "overlap": "never" }), "/overlap"),
        (json!({ "catch_up": "some" }), "/catch_up"),
        (json!({ "metadata": { "a": "\0" } }), "/metadata/a"),
        (json!({ "next_run_at": "2026-04-14T12:30:00Z" }), "/next_run_at"),
        (json!({ "last_enqueued_at": "2026-04-14T12:30:00Z" }), "/last_enqueued_at"),
        (json!({ "last_run_id": made.id }), "/last_run_id"),
        (json!({ "consecutive_failures": 3 }), "/consecutive_failures"),
        (json!({ "disabled_reason": "so" }), "/disabled_reason"),
    ];
    for (patch, pointer) in wrong {
        let place = (ErrorKind::InvalidRequest, pointer.to_owned());
        let mut body = hourly();
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        assert_eq!(refusal(schedules.create_from(body).await), place, "{patch} is made");
        assert_eq!(refusal(schedules.update(made.id, patch).await), place, "it is patched");
    }
    assert_eq!(schedules.get(made.id).await.unwrap(), made);
    // Sent as it is, it is no change.
    let mut same = made.resource();
    let own = ["id", "tenant_id", "created_at", "updated_at", "version"];
    same.as_object_mut().unwrap().retain(|field, _| !own.contains(&field.as_str()));
    assert_eq!(schedules.update(made.id, same).await.unwrap().data, made.data);
}

/// A scheduler finds what is due in order, without what is disabled.
pub async fn schedules_are_listed_by_when_they_are_due(stage: Stage) {
    let desk = Desk::new(&stage);
    let schedules = desk.of::<AgentSchedule>();
    for (blueprint, cron, enabled) in [
        ("late", "0 18 * * *", true),
        ("soon", "5 12 * * *", true),
        ("off", "1 12 * * *", false),
        ("next", "0 13 * * *", true),
    ] {
        desk.create::<AgentSchedule>(json!({ "blueprint": blueprint, "cron_expression": cron, "enabled": enabled }))
            .await;
    }
    let until = |text: &str| ScheduleFilter { due_until: moment(text), ..ScheduleFilter::default() };
    let names = async |filter: ScheduleFilter| {
        let found = schedules.list(filter).sort(ScheduleSort::NextRunAt).all().await.unwrap();
        found.into_iter().map(|it| it.data.blueprint).collect::<Vec<_>>()
    };
    assert_eq!(names(until("2026-04-14T13:00:00Z")).await, ["soon", "next"]);
    assert_eq!(names(until("2026-04-14T12:59:59.999999Z")).await, ["soon"]);
    assert_eq!(names(ScheduleFilter::default()).await, ["off", "soon", "next", "late"]);
    let of = ScheduleFilter { blueprint: Some("late".to_owned()), ..ScheduleFilter::default() };
    assert_eq!(names(of).await, ["late"]);
}

/// A schedule is moved on once: not if anybody has written it since it was read.
pub async fn schedule_is_moved_on_once(stage: Stage) {
    let desk = Desk::new(&stage);
    let schedules = desk.of::<AgentSchedule>();
    let made = desk.create::<AgentSchedule>(hourly()).await;
    let next = moment("2026-04-14T14:00:00Z");
    advanced(&desk, &stage, &made, &moved_to(next)).await.unwrap();
    let again = advanced(&desk, &stage, &made, &moved_to(moment("2026-04-14T15:00:00Z"))).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::VersionMismatch);
    let read = schedules.get(made.id).await.unwrap();
    assert_eq!((read.data.next_run_at, read.version()), (next, 2));
    // A person and a scheduler do not undo each other's work.
    schedules.update(made.id, json!({ "catch_up": "all" })).await.unwrap();
    let overtaken = advanced(&desk, &stage, &read, &moved_to(moment("2026-04-14T15:00:00Z"))).await;
    assert_eq!(overtaken.unwrap_err().kind(), ErrorKind::VersionMismatch);
    let read = schedules.get(made.id).await.unwrap();
    assert_eq!(read.data.next_run_at, next);
    let off = Moved { disabled_reason: Some("it fails".to_owned()), consecutive_failures: 10, ..moved_to(next) };
    advanced(&desk, &stage, &read, &off).await.unwrap();
    let data = schedules.get(made.id).await.unwrap().data;
    assert_eq!((data.enabled, data.next_run_at, data.consecutive_failures), (false, None, 10));
    assert_eq!(data.disabled_reason.as_deref(), Some("it fails"));
    let on = schedules.update(made.id, json!({ "enabled": true })).await.unwrap().data;
    assert_eq!((on.consecutive_failures, on.disabled_reason), (0, None));
    schedules.delete(made.id).await.unwrap();
    let gone = advanced(&desk, &stage, &read, &moved_to(next)).await.unwrap_err();
    assert!(matches!(gone.kind(), ErrorKind::VersionMismatch | ErrorKind::NotFound), "{gone}");
}

/// What a scheduler does, by a clock of its own.
async fn look(store: &dyn Store, desk: &Desk, clock: &SimClock, tenant: TenantId) {
    let until = ScheduleFilter { due_until: Some(clock.now()), ..ScheduleFilter::default() };
    let due = desk.of::<AgentSchedule>().list(until).sort(ScheduleSort::NextRunAt).all().await.unwrap();
    for schedule in due {
        let (id, data) = (schedule.id, &schedule.data);
        let due = data.next_run_at.unwrap();
        let decision = decide(id, &data.timetable().unwrap(), data.policy(), due, Last::None, clock.now());
        let mut enqueued = None;
        for due in &decision.enqueue {
            let run = due_run(id, *due, &data.blueprint, data.input_template.as_ref());
            let runs = store.enqueue(tenant, vec![run], clock.now()).await.unwrap();
            enqueued = Some((runs[0].id, clock.now()));
        }
        let moved = Moved { enqueued, ..moved_to(decision.next) };
        let by = Provenance::new("scheduler", "schedule");
        match store.apply(tenant, advance(&schedule, &moved), by, clock.now()).await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::VersionMismatch, "{error}"),
        }
    }
}

/// Many schedulers whose clocks differ by twenty seconds enqueue one run for each due time.
pub async fn each_due_time_gets_one_run_from_many_schedulers(stage: Stage) {
    let desk = Desk::new(&stage);
    for n in 0..3 {
        let body = json!({
            "blueprint": format!("sweep_{n}"), "cron_expression": "*/15 * * * * *", "overlap": "allow", "catch_up": "all",
        });
        desk.create::<AgentSchedule>(body).await;
    }
    let (start, shared) = (desk.clock.now(), desk.clone());
    stage
        .in_parallel(6, move |n, store| {
            let desk = shared.clone();
            Box::pin(async move {
                let skewed = start.after(Duration::from_secs(4 * u64::from(n)));
                let clock = Arc::new(SimClock::starting_at(skewed));
                for _ in 0..10 {
                    look(&*store, &desk, &clock, desk.tenant).await;
                    clock.advance(Duration::from_secs(10));
                }
                // All stop at the same time.
                clock.set(start.after(Duration::from_secs(120)));
                look(&*store, &desk, &clock, desk.tenant).await;
            })
        })
        .await;
    let page = crate::PageRequest::largest(None);
    let runs = stage.store.runs(desk.tenant, RunQuery { page, ..RunQuery::default() }).await.unwrap();
    let mut due: Vec<String> =
        runs.data.iter().map(|run| format!("{} {}", run.agent_blueprint, run.metadata["due_at"])).collect();
    due.sort_unstable();
    due.dedup();
    assert_eq!((due.len(), runs.data.len()), (24, 24), "8 due times of 3 schedules");
    for schedule in desk.of::<AgentSchedule>().list(ScheduleFilter::default()).all().await.unwrap() {
        assert_eq!(schedule.data.next_run_at, Some(start.after(Duration::from_secs(135))));
        assert!(schedule.data.last_run_id.is_some());
    }
}
