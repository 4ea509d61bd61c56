use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use serde_json::json;
use tokio::time::{Instant, timeout};
use worktruck_agents::WorkerOptions;
use worktruck_core::run::{Event, EventType};
use worktruck_core::testing::Fault;
use worktruck_core::testing::script::Reply;
use worktruck_core::{ErrorKind, Result, RunId, TenantId};

use super::stage::{Stage, runtime, tenant};

fn gated(times: usize) -> Vec<Reply> {
    let calls = (0..times).map(|_| Reply::calls([("gate", json!({}))]));
    calls.chain([Reply::text("done")]).collect()
}

async fn next(stream: &mut BoxStream<'static, Result<Event>>) -> Option<Event> {
    timeout(Duration::from_secs(20), stream.next()).await.expect("it does not hang").transpose().unwrap()
}

#[tokio::test]
async fn stream_of_an_ended_run_has_what_comes_after_any_number_and_ends() {
    // More events than a page has.
    let searches = (0..60).map(|n| Reply::calls([("contacts_search", json!({ "name": n.to_string() }))]));
    let stage = Stage::new(searches.chain([Reply::text("done")])).await;
    let run = stage.enqueue().await;
    stage.work(run).await;
    let events = stage.events(run).await;
    assert!(events.len() > 200, "{}", events.len());
    let last = events.len() as u64;
    for after in [0, 1, 7, 199, 200, 201, last - 1, last, last + 1, u64::MAX] {
        let stream = stage.runtime.stream(tenant(), run, after).await.unwrap();
        let told: Vec<Event> = timeout(Duration::from_secs(20), stream.try_collect()).await.unwrap().unwrap();
        let rest: Vec<_> = events.iter().filter(|event| event.seq > after).cloned().collect();
        assert_eq!(told, rest, "after {after}");
    }
}

#[tokio::test]
async fn events_are_told_while_the_run_goes_on_and_the_last_ends_the_stream() {
    let stage = Stage::new(gated(2)).await;
    let run = stage.enqueue().await;
    let mut stream = stage.runtime.stream(tenant(), run, 0).await.unwrap();
    let watch = async {
        let mut told = Vec::new();
        for _ in 0..2 {
            // The run stands in front of the gate, and everything until there is told.
            while told.iter().filter(|event: &&Event| event.data["name"] == "scripted/model").count()
                <= told.iter().filter(|event| event.data["name"] == "gate").count()
            {
                told.push(next(&mut stream).await.expect("it goes on"));
            }
            assert!(!stage.read(run).await.status.is_terminal());
            stage.gate.add_permits(1);
            while told.last().is_some_and(|event| event.data["name"] != "gate") {
                told.push(next(&mut stream).await.expect("it goes on"));
            }
        }
        while let Some(event) = next(&mut stream).await {
            told.push(event);
        }
        told
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = stage.runtime.worker(WorkerOptions::default()).run_until(stopped.map(drop));
    let (told, ()) = tokio::join!(watch.inspect(|_| drop(stop)), worker);
    assert_eq!(told.last().unwrap().event_type, EventType::RunSucceeded);
    assert_eq!(told, stage.events(run).await);
    assert!(next(&mut stream).await.is_none(), "it has ended for good");
}

#[tokio::test]
async fn stream_that_is_broken_off_anywhere_and_begun_again_misses_and_repeats_nothing() {
    let stage = Stage::new(gated(3)).await;
    let run = stage.enqueue().await;
    stage.gate.add_permits(3);
    let watch = async {
        let mut told: Vec<Event> = Vec::new();
        loop {
            let after = told.last().map_or(0, |event| event.seq);
            let mut stream = stage.runtime.stream(tenant(), run, after).await.unwrap();
            // Waiting for it is given up again and again, which loses nothing either.
            let _ = stream.next().now_or_never().map(|event| told.extend(event.transpose().unwrap()));
            match next(&mut stream).await {
                Some(event) => told.push(event),
                None => return told,
            }
        }
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = stage.runtime.worker(WorkerOptions::default()).run_until(stopped.map(drop));
    let (told, ()) = tokio::join!(watch.inspect(|_| drop(stop)), worker);
    assert_eq!(told, stage.events(run).await);
}

#[tokio::test(start_paused = true)]
async fn what_this_process_does_is_told_at_once_and_what_another_does_soon() {
    for is_other in [false, true] {
        let stage = Stage::new([]).await;
        let run = stage.enqueue().await;
        let mut stream = stage.runtime.stream(tenant(), run, 1).await.unwrap();
        assert!(stream.next().now_or_never().is_none(), "nothing has happened yet");
        let other = runtime(Arc::clone(&stage.store), [], &stage.counters, &stage.clock, &stage.gate);
        let began = Instant::now();
        let by = if is_other { &other } else { &stage.runtime };
        by.cancel(tenant(), run, Some("user:ada".to_owned())).await.unwrap();
        assert_eq!(next(&mut stream).await.unwrap().event_type, EventType::RunCancelRequested);
        let took = began.elapsed();
        if is_other {
            assert!(took > Duration::ZERO && took <= Duration::from_millis(500), "{took:?}");
        } else {
            assert_eq!(took, Duration::ZERO);
        }
        assert_eq!(next(&mut stream).await.unwrap().event_type, EventType::RunCancelled);
        assert!(next(&mut stream).await.is_none());
    }
}

#[tokio::test]
async fn run_that_nobody_has_and_the_run_of_another_are_not_found() {
    let stage = Stage::new([]).await;
    let run = stage.enqueue().await;
    let other = TenantId::from_uuid(uuid::Uuid::from_u128(2));
    let nobodys = RunId::from_uuid(uuid::Uuid::from_u128(3));
    for (tenant, run) in [(other, run), (tenant(), nobodys)] {
        for after in [0, 1, u64::MAX] {
            let error = stage.runtime.stream(tenant, run, after).await.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
        assert_eq!(stage.runtime.timeline(tenant, run).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[tokio::test(start_paused = true)]
async fn stream_waits_for_a_store_that_is_away() {
    let stage = Stage::new([]).await;
    let run = stage.enqueue().await;
    stage.runtime.cancel(tenant(), run, None).await.unwrap();
    let stream = stage.runtime.stream(tenant(), run, 0).await.unwrap();
    let calls = stage.store.calls().len();
    for call in calls + 1..=calls + 3 {
        stage.store.fail(call, Fault::Before);
    }
    let told: Vec<Event> = stream.try_collect().await.unwrap();
    assert_eq!(told, stage.events(run).await);
    assert_eq!(stage.store.calls().len(), calls + 5, "three that failed, one that read, one that found the end");
}
