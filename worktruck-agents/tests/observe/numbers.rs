use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use worktruck_core::run::{BlueprintVersion, ClaimRequest, RunStatus};
use worktruck_core::store::{ApprovalQuery, RunQuery, RunStore as _};
use worktruck_core::testing::Fault;
use worktruck_core::testing::script::Reply;
use worktruck_core::{RunId, run};

use super::stage::{Stage, tenant};

#[tokio::test]
async fn numbers_are_exact_over_a_scripted_run() {
    let stage = Stage::new([
        Reply::calls([("contacts_write", json!({ "name": "Ada" })), ("contacts_search", json!({ "fail": "no" }))]),
        Reply::calls([("mail_send", json!({ "text": "hello" }))]),
        Reply::text("done").using(7, 5),
    ])
    .await;
    let run = stage.enqueue().await;
    assert_eq!(stage.work(run).await.status, RunStatus::Waiting);
    let asked = stage.runtime.approvals(tenant(), ApprovalQuery::default()).await.unwrap().data.remove(0);
    let decision = run::Decision::Reject { fail_run: false };
    let answer = run::Answer { approval: asked.id, decision, actor: None, note: None };
    stage.runtime.answer(tenant(), answer).await.unwrap();
    assert_eq!(stage.work(run).await.status, RunStatus::Succeeded);
    let text = r#"# TYPE worktruck_claims_total counter
worktruck_claims_total{blueprint="agent"} 2
# TYPE worktruck_cost_nano_usd_total counter
worktruck_cost_nano_usd_total{blueprint="agent",model="scripted/model"} 40570
# TYPE worktruck_runs_ended_total counter
worktruck_runs_ended_total{blueprint="agent",status="succeeded"} 1
# TYPE worktruck_steps_total counter
worktruck_steps_total{blueprint="agent",kind="llm",outcome="ok"} 3
worktruck_steps_total{blueprint="agent",kind="tool",outcome="blocked"} 1
worktruck_steps_total{blueprint="agent",kind="tool",outcome="error"} 1
worktruck_steps_total{blueprint="agent",kind="tool",outcome="ok"} 1
# TYPE worktruck_tokens_total counter
worktruck_tokens_total{blueprint="agent",model="scripted/model",type="input"} 2007
worktruck_tokens_total{blueprint="agent",model="scripted/model",type="output"} 205
"#;
    assert_eq!(stage.counters.to_string(), text);
}

/// Each commit in turn takes effect and its answer is lost, so that it is made again.
#[tokio::test(start_paused = true)]
async fn commit_that_is_made_again_counts_once() {
    let script = || [Reply::calls([("contacts_search", json!({}))]), Reply::text("done")];
    let undisturbed = Stage::new(script()).await;
    let run = undisturbed.enqueue().await;
    undisturbed.work(run).await;
    let calls = undisturbed.store.calls();
    let commits: Vec<usize> = (1..=calls.len()).filter(|call| calls[call - 1] == "commit").collect();
    assert!(commits.len() >= 4, "{calls:?}");
    for commit in commits {
        let stage = Stage::new(script()).await;
        let run = stage.enqueue().await;
        stage.store.fail(commit, Fault::After);
        assert_eq!(stage.work(run).await.status, RunStatus::Succeeded);
        assert_eq!(stage.store.calls()[commit - 1..=commit], ["commit"; 2], "it is made again");
        assert_eq!(stage.counters.to_string(), undisturbed.counters.to_string());
    }
}

#[tokio::test]
async fn runs_that_end_without_a_worker_and_lost_leases_count() {
    let stage = Stage::new([Reply::calls([("gate", json!({}))]), Reply::text("done")]).await;
    let cancelled = stage.enqueue().await;
    stage.runtime.cancel(tenant(), cancelled, None).await.unwrap();
    let ended =
        |status| stage.counters.get("worktruck_runs_ended_total", &[("blueprint", "agent"), ("status", status)]);
    assert_eq!(ended("cancelled"), 1);

    let run = stage.enqueue().await;
    let stolen = async {
        let mut stream = stage.runtime.stream(tenant(), run, 0).await.unwrap();
        while stream.next().await.unwrap().unwrap().data["name"] != "scripted/model" {}
        steal(&stage, run).await;
        stage.gate.add_permits(1);
        while stage.counters.get("worktruck_leases_lost_total", &[("blueprint", "agent")]) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let options = worktruck_agents::WorkerOptions::default();
    let worked = stage.runtime.worker(options).run_until(stolen);
    tokio::time::timeout(Duration::from_secs(20), worked).await.unwrap();
    assert_eq!(stage.counters.get("worktruck_leases_lost_total", &[("blueprint", "agent")]), 1);
    assert_eq!(ended("succeeded"), 0);
}

#[tokio::test]
async fn what_waits_is_measured_and_so_is_that_nothing_does() {
    let stage = Stage::new([]).await;
    let queued = async || {
        stage.runtime.measure_queues().await.unwrap();
        ["worktruck_queue_depth", "worktruck_queue_age_seconds"]
            .map(|name| stage.counters.get(name, &[("blueprint", "agent")]))
    };
    let run = stage.enqueue().await;
    stage.enqueue().await;
    stage.clock.advance(Duration::from_secs(40));
    assert_eq!(queued().await, [2, 40]);
    stage.runtime.cancel(tenant(), run, None).await.unwrap();
    assert_eq!(queued().await, [1, 40]);
    for run in stage.store.inner().runs(tenant(), RunQuery::default()).await.unwrap().data {
        if !run.status.is_terminal() {
            stage.runtime.cancel(tenant(), run.id, None).await.unwrap();
        }
    }
    assert_eq!(queued().await, [0, 0]);
    assert!(stage.counters.to_string().contains("# TYPE worktruck_queue_depth gauge\n"));
}

/// Another worker, whose clock is ahead, takes the run.
async fn steal(stage: &Stage, run: RunId) {
    let blueprints = vec![BlueprintVersion { blueprint: "agent".to_owned(), version: 1 }];
    let request = ClaimRequest { blueprints, limit: 1, lease_for: Duration::from_secs(30) };
    let later = stage.runtime.now().after(Duration::from_secs(120));
    let claimed = stage.store.inner().claim(request, later).await.unwrap();
    assert_eq!(claimed[0].run.id, run);
}
