use serde_json::json;
use worktruck_core::run::{Answer, Decision, RunStatus};
use worktruck_core::store::ApprovalQuery;
use worktruck_core::testing::script::Reply;

use super::stage::{Stage, tenant};

#[tokio::test]
async fn story_of_a_run_tells_what_happened_who_did_it_and_what_it_cost() {
    let stage = Stage::new([
        Reply::calls([("contacts_write", json!({ "name": "Ada" })), ("mail_send", json!({ "text": "secret plan" }))]),
        Reply::text("done").using(7, 1),
    ])
    .await;
    let run = stage.enqueue().await;
    assert_eq!(stage.work(run).await.status, RunStatus::Waiting);
    let waiting = stage.runtime.timeline(tenant(), run).await.unwrap().to_string();
    assert!(
        waiting.starts_with(&format!("Run {run} of agent waits for a person to decide after 2 steps;")),
        "{waiting}"
    );
    let asked = stage.runtime.approvals(tenant(), ApprovalQuery::default()).await.unwrap().data.remove(0);
    let decision = Decision::Approve { edited_input: Some(json!({ "text": "another plan" })) };
    let answer = Answer { approval: asked.id, decision, actor: Some("user:ada".into()), note: Some("milder".into()) };
    stage.runtime.answer(tenant(), answer).await.unwrap();
    assert_eq!(stage.work(run).await.status, RunStatus::Succeeded);

    let timeline = stage.runtime.timeline(tenant(), run).await.unwrap().to_string();
    let text = format!(
        "\
Run {run} of agent succeeded after 4 steps and 0 ms; it cost
  0.002017 ¢.
  since 2026-04-14T12:00:00.000000Z
  +0:00:00.000  It was accepted.
  +0:00:00.000  A worker began it.
  +0:00:00.000  Step 1: scripted/model answered after 0 ms (1,000 tokens in, 100 out, 0.002 ¢).
  +0:00:00.000  A person is asked about the call of mail_send, until 2026-04-14T13:00:00.000000Z:
                mails go out.
  +0:00:00.000  Step 2: contacts_write answered after 0 ms.
  +0:00:00.000  It waits for a person to decide.
  +0:00:00.000  user:ada approved the call of mail_send with another input: milder.
  +0:00:00.000  A worker went on with it, at attempt 2.
  +0:00:00.000  Step 3: mail_send answered after 0 ms.
  +0:00:00.000  Step 4: scripted/model answered after 0 ms (7 tokens in, 1 out, 0.000017 ¢).
  +0:00:00.000  It succeeded."
    );
    assert_eq!(timeline, text);
    assert!(!timeline.contains("plan"), "{timeline}");
}
