//! Two worker processes on one store.

use std::collections::BTreeMap;

use serde_json::json;
use worktruck_core::entity::Kind;
use worktruck_core::run::{EventType, RunStatus};
use worktruck_tests::{Announcement, Backend};

use crate::backend::on_every_backend;
use crate::checks::assert_exactly_once;
use crate::worker::{Setup, Worker};
use crate::world::World;

const RUNS: usize = 40;
/// How many runs each worker executes at once.
const CONCURRENCY: usize = 4;

on_every_backend!(two_processes_share_a_store_and_double_nothing,);

async fn two_processes_share_a_store_and_double_nothing(backend: Backend) {
    let world = World::new(backend).await;
    // No model answers before more runs have begun than one worker can hold: both take part.
    world.server.gate(2 * CONCURRENCY);
    let inputs = (0..RUNS).map(|n| json!({ "script": "small", "label": format!("run {n:02}") })).collect();
    let runs = world.enqueue(inputs).await;
    let setup = Setup { concurrency: CONCURRENCY, ..Setup::default() };
    let (mut one, mut other) = tokio::join!(world.worker(setup), world.worker(setup));
    let (mut by_one, mut by_other) = (0, 0);
    while by_one + by_other < RUNS {
        tokio::select! {
            status = ended(&mut one) => { assert_eq!(status, RunStatus::Succeeded); by_one += 1 }
            status = ended(&mut other) => { assert_eq!(status, RunStatus::Succeeded); by_other += 1 }
        }
    }
    assert!(by_one >= CONCURRENCY && by_other >= CONCURRENCY, "{by_one} and {by_other}");
    for worker in [one, other] {
        worker.terminate();
        let rest = worker.stopped().await;
        assert!(rest.iter().all(|announcement| !matches!(announcement, Announcement::Before { .. })), "{rest:?}");
    }

    for (n, run) in runs.iter().enumerate() {
        let label = format!("run {n:02}");
        assert_exactly_once(&world, *run, &label).await;
        let kept = world.kept(*run).await;
        assert_eq!((kept.run.status, kept.run.attempt), (RunStatus::Succeeded, 1), "{label}");
        let count = |wanted| kept.events.iter().filter(|event| event.event_type == wanted).count();
        assert_eq!([EventType::RunStarted, EventType::RunResumed, EventType::LeaseLost].map(count), [1, 0, 0]);
        assert_eq!(world.server.asks(&label), BTreeMap::from([(0, 1), (1, 1)]), "{label}");
        assert_eq!(world.server.letters(*run).into_values().collect::<Vec<_>>(), [1], "{label}");
    }
    let written = world.written(Kind::Contact).await;
    let mut names: Vec<String> = written
        .iter()
        .map(|version| version.slice.body.as_ref().unwrap()["display_name"].as_str().unwrap().into())
        .collect();
    names.sort();
    assert_eq!(names, (0..RUNS).map(|n| format!("run {n:02}")).collect::<Vec<_>>());
}

async fn ended(worker: &mut Worker) -> RunStatus {
    worker.until("a run ends", Announcement::left).await
}
