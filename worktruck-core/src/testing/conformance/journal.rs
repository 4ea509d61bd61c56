//! What reads of runs, journals and events promise.

use serde_json::json;

use crate::journal::{genesis, step_hash};
use crate::run::{NewRun, RunStatus, Signal, Transition};
use crate::store::{RunQuery, event_cursor};
use crate::{Digest, ErrorKind, RunId, TenantId};

use super::Stage;
use super::build::*;

/// The journal comes back as it was committed, and its chain verifies.
pub async fn journal_returns_what_was_committed(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let mut steps = Vec::new();
    let outputs = [json!(null), json!({ "b": [1, 0.1, 1e-7], "a": "\u{1F600} \" \\ \n" }), json!(""), json!([[]])];
    for output in outputs {
        let commit = held.commit(vec![Done::nothing(output.clone()), Done::nothing(output)], Transition::Continue);
        steps.extend(commit.steps.iter().map(|step| step.step.clone()));
        held.send(&stage, commit, at(11)).await;
    }
    let journal = stage.journal(tenant, run_id(1)).await;
    assert_eq!(journal.steps, steps, "the steps in order");
    assert_eq!(journal.snapshot, Some(snapshot()), "what the run lives by");
    assert_eq!(journal.calls, []);
    assert_eq!(journal.cost(), stage.run(tenant, run_id(1)).await.cost.0, "the run costs what its steps cost");
    assert_chain(&stage, tenant, run_id(1)).await;

    assert_eq!(stage.store.journal(tenant, run_id(2)).await.expect("an answer"), None, "an unknown run has none");
}

/// Recomputes every hash of a stored journal.
async fn assert_chain(stage: &Stage, tenant: TenantId, run: RunId) {
    let input = stage.run(tenant, run).await.input;
    let journal = stage.journal(tenant, run).await;
    let mut previous = genesis(tenant, run, &input, journal.snapshot.as_ref()).expect("the input is JSON");
    for step in &journal.steps {
        let hash = step_hash(previous, step).expect("the payloads are JSON");
        assert_eq!(hash, step.hash, "the chain breaks at step {}", step.seq);
        previous = hash;
    }
}

/// Payloads of any size come back whole, also where two are equal.
pub async fn large_payloads_come_back_whole(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let large = |seed: &str| json!({ "text": format!("{seed}\u{e9}").repeat(40_000), "n": [seed] });
    let input = large("input");
    stage.accept(tenant, NewRun { input: input.clone(), ..new_run(1) }, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let outputs = [large("a"), large("b"), large("a"), json!("x".repeat(crate::journal::INLINE_PAYLOAD_BYTES))];
    for output in &outputs {
        let commit = held.commit(vec![Done::nothing(output.clone())], Transition::Continue);
        held.send(&stage, commit, at(11)).await;
    }
    let commit = held.commit(Vec::new(), Transition::Succeed { output: large("output") });
    held.send(&stage, commit, at(12)).await;

    let run = stage.run(tenant, run_id(1)).await;
    assert!(run.input == input, "the input of the run is damaged");
    assert!(run.output == Some(large("output")), "the output of the run is damaged");
    let journal = stage.journal(tenant, run_id(1)).await;
    assert_eq!(journal.steps.len(), outputs.len());
    for (step, output) in journal.steps.iter().zip(&outputs) {
        assert!(step.output.as_ref() == Some(output), "the output of step {} is damaged", step.seq);
        let named = step.payload_ref.is_none_or(|name| name == Digest::of_json(output).expect("JSON"));
        assert!(named, "step {} names another payload than its own", step.seq);
    }
    assert_chain(&stage, tenant, run_id(1)).await;
}

/// Events of a run are numbered from 1, in order, whatever they come from.
pub async fn events_are_numbered_without_gaps(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    for _ in 0..3 {
        let commit = held.commit(vec![Done::nothing("a"), Done::nothing("b")], Transition::Continue);
        held.send(&stage, commit, at(11)).await;
    }
    let cancel = Signal::Cancel { actor: None };
    stage.store.signal(tenant, run_id(1), cancel, at(12)).await.expect("the run is marked");
    let mut held = stage.take(at(100)).await;
    let commit = held.commit(Vec::new(), Transition::Cancel);
    held.send(&stage, commit, at(101)).await;

    let events = stage.events(tenant, run_id(1), 200).await;
    let numbers: Vec<_> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<u64>>(), "queued, started, 6 steps, cancel, lost, resumed, cancelled");
    assert!(events.is_sorted_by_key(|event| event.at), "in order of time");
    assert!(events.iter().all(|event| event.run_id == run_id(1)));
    for limit in [1, 5, 12] {
        assert_eq!(stage.events(tenant, run_id(1), limit).await, events, "in pages of {limit}");
    }
    for seq in 0..=13 {
        let cursor = event_cursor(tenant, run_id(1), seq).expect("a number is a place");
        let rest = stage.store.events(tenant, run_id(1), page(200, Some(cursor))).await.expect("a page").data;
        let after: Vec<_> = events.iter().filter(|event| event.seq > seq).cloned().collect();
        assert_eq!(rest, after, "what comes after event {seq}");
    }

    // What happens during a walk comes at its end.
    stage.enqueue(tenant, 2, at(0)).await;
    let mut held = stage.take(at(110)).await;
    let first = stage.store.events(tenant, run_id(2), page(1, None)).await.expect("a page");
    let commit = held.commit(vec![Done::nothing("a")], Transition::Continue);
    held.send(&stage, commit, at(111)).await;
    let rest = page(10, first.next_cursor.clone());
    let rest = stage.store.events(tenant, run_id(2), rest).await.expect("a page");
    assert_eq!(rest.data.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 3]);

    // A run that does not exist has no events, and a cursor belongs to its run.
    let unknown = stage.store.events(tenant, run_id(3), page(1, None)).await;
    assert_refused(unknown, ErrorKind::NotFound, "events of an unknown run");
    let foreign = stage.store.events(tenant, run_id(1), page(1, first.next_cursor)).await;
    assert_refused(foreign, ErrorKind::InvalidCursor, "a cursor of another run's events");
}

/// Runs are listed newest first, by status and blueprint, and a walk is not moved by new ones.
pub async fn runs_are_listed_newest_first_and_filtered(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for n in 1..=7 {
        let agent_blueprint = if n % 2 == 0 { "other" } else { BLUEPRINT }.to_owned();
        stage.accept(tenant, NewRun { agent_blueprint, ..new_run(n) }, at(i64::from(n))).await;
    }
    stage.take(at(10)).await;
    let query = |status, blueprint: Option<&str>| RunQuery {
        status,
        blueprint: blueprint.map(str::to_owned),
        ..RunQuery::default()
    };
    let expected = [
        (query(None, None), vec![7, 6, 5, 4, 3, 2, 1]),
        (query(Some(RunStatus::Queued), None), vec![7, 6, 5, 4, 3, 2]),
        (query(Some(RunStatus::Running), None), vec![1]),
        (query(Some(RunStatus::Failed), None), vec![]),
        (query(None, Some("other")), vec![6, 4, 2]),
        (query(Some(RunStatus::Queued), Some(BLUEPRINT)), vec![7, 5, 3]),
        (query(None, Some("oth")), vec![]),
    ];
    for (query, runs) in expected {
        let ids: Vec<_> = runs.into_iter().map(run_id).collect();
        assert_eq!(stage.run_ids(tenant, query.clone()).await, ids, "{query:?}");
        for limit in [1, 3] {
            let walk = walk_pages(limit, |page| {
                let query = RunQuery { page, ..query.clone() };
                Box::pin(async { stage.store.runs(tenant, query).await.expect("runs are listed") })
            });
            let walked: Vec<_> = walk.await.iter().map(|run| run.id).collect();
            assert_eq!(walked, ids, "{query:?} in pages of {limit}");
        }
    }

    let first = RunQuery { page: page(3, None), ..RunQuery::default() };
    let first = stage.store.runs(tenant, first).await.expect("a page");
    stage.enqueue(tenant, 8, at(20)).await;
    let rest = RunQuery { page: page(50, first.next_cursor.clone()), ..RunQuery::default() };
    let rest = stage.store.runs(tenant, rest).await.expect("a page").data;
    let ids: Vec<_> = rest.iter().map(|run| run.id).collect();
    assert_eq!(ids, [4, 3, 2, 1].map(run_id), "a new run does not move the walk");
    let other = RunQuery { page: page(3, first.next_cursor), ..query(None, Some("other")) };
    let other = stage.store.runs(tenant, other).await;
    assert_refused(other, ErrorKind::InvalidCursor, "a cursor of another list of runs");
}
