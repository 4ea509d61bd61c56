//! The daily briefing as a run: it tells what the day holds where the person is, and changes nothing.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use worktruck_agents::{Runtime, WorkerOptions, blueprints, tools};
use worktruck_core::journal::StepKind;
use worktruck_core::pim::Pim;
use worktruck_core::run::RunStatus;
use worktruck_core::store::{MemoryStore, NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::testing::script::{Reply, ScriptedModel};
use worktruck_core::testing::{CountingIds, SimClock};
use worktruck_core::{Clock as _, ErrorKind, TenantId, Timestamp};

fn titles(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_briefing_tells_of_the_day_where_the_person_is() {
    // It is the 15th in Tokyo already.
    let now: Timestamp = "2026-04-14T18:00:00Z".parse().unwrap();
    let store = Arc::new(MemoryStore::default());
    let (clock, ids) = (Arc::new(SimClock::starting_at(now)), Arc::new(CountingIds::new(1)));
    let tenant = TenantId::new(&*ids, clock.now());
    store.create_tenant(NewTenant::new(tenant, "test"), clock.now()).await.unwrap();

    let pim = Pim::new(store.clone(), clock.clone(), ids);
    let calendar = pim.calendars(tenant).create_from(json!({ "name": "Work" })).await.unwrap();
    for (title, start, end) in [
        ("Late call", "2026-04-14T10:00:00Z", "2026-04-14T11:00:00Z"),
        ("Stand-up", "2026-04-15T00:30:00Z", "2026-04-15T00:45:00Z"),
        ("Next day", "2026-04-15T15:30:00Z", "2026-04-15T16:00:00Z"),
    ] {
        let event = json!({ "calendar_id": calendar.id, "title": title, "start_at": start, "end_at": end });
        pim.events(tenant).create_from(event).await.unwrap();
    }
    for (title, due) in [("Fortnight", "2026-04-01"), ("Yesterday", "2026-04-14"), ("Today", "2026-04-15")] {
        pim.tasks(tenant).create_from(json!({ "title": title, "due_date": due })).await.unwrap();
    }
    pim.tasks(tenant).create_from(json!({ "title": "Tomorrow", "due_date": "2026-04-16" })).await.unwrap();
    let done = json!({ "title": "Done", "due_date": "2026-04-15" });
    let done = pim.tasks(tenant).create_from(done).await.unwrap();
    pim.tasks(tenant).complete(done.id).await.unwrap();

    let model = Arc::new(ScriptedModel::new([
        Reply::calls([("daily_briefing", json!({ "timezone": "Asia/Tokyo" })), ("daily_briefing", json!({}))]),
        Reply::calls([("daily_briefing", json!({ "timezone": "Moon/Base" }))]),
        Reply::text("A quiet day."),
    ]));
    let runtime = Runtime::builder(store.clone())
        .clock(clock)
        .tools(tools::builtin())
        .blueprint(blueprints::daily_briefing())
        .provider("anthropic", model.clone())
        .build()
        .unwrap();
    let odd = runtime.new_run("daily_briefing", json!({ "timezone": 9 }));
    assert_eq!(runtime.enqueue(tenant, odd).await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    let new = runtime.new_run("daily_briefing", json!({ "timezone": "Asia/Tokyo" }));
    let run = runtime.enqueue(tenant, new).await.unwrap();
    let ended = async {
        while !store.run(tenant, run.id).await.unwrap().unwrap().status.is_terminal() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let worked = runtime.worker(WorkerOptions::default()).run_until(ended);
    tokio::time::timeout(Duration::from_secs(60), worked).await.expect("the run ends");

    let run = store.run(tenant, run.id).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.failure_detail);
    assert_eq!(model.check(), Ok(()));
    let offered: Vec<_> = model.requests()[0].tools.iter().map(|tool| tool.name.clone()).collect();
    assert_eq!(offered.len(), 3, "{offered:?}");
    let journal = store.journal(tenant, run.id).await.unwrap().unwrap();
    let told: Vec<&Value> = journal
        .steps
        .iter()
        .filter(|step| step.kind == StepKind::Tool)
        .filter_map(|step| step.output.as_ref())
        .collect();
    let there = told[0];
    assert_eq!((&there["date"], &there["timezone"]), (&json!("2026-04-15"), &json!("Asia/Tokyo")), "{there:#}");
    assert_eq!(titles(&there["events"]), ["Stand-up"], "{there:#}");
    assert_eq!(titles(&there["due"]), ["Today"], "{there:#}");
    assert_eq!(titles(&there["late"]), ["Fortnight", "Yesterday"], "the one that is late for longest first");
    assert_eq!((&there["due_count"], &there["late_count"]), (&json!(1), &json!(2)));
    let here = told[1];
    assert_eq!(here["date"], "2026-04-14");
    assert_eq!(titles(&here["events"]), ["Late call"], "{here:#}");
    assert_eq!(titles(&here["late"]), ["Fortnight"], "in UTC the 14th is not over");
    assert!(told[2].to_string().contains("Moon/Base"), "{}", told[2]);
}
