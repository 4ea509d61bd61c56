//! What people are asked about runs, and what becomes of their answers.

use std::time::Duration;

use serde_json::json;

use crate::guardrail::OnExpiry;
use crate::run::{
    Answer, Approval, ApprovalStatus, Decision, EventType, Run, RunStatus, Signal, Transition, WaitingReason,
};
use crate::store::ApprovalQuery;
use crate::{ApprovalId, Digest, ErrorKind, PageRequest, Result, TenantId};

use super::build::*;
use super::{Stage, wake};

/// A question about call `seq` of run `n`, asked at `requested_at` and open until 100.
fn asked(n: u32, seq: u32, requested_at: i64) -> Approval {
    Approval {
        id: ApprovalId::from_uuid(uuid(6, n * 100 + seq)),
        run_id: run_id(n),
        step_seq: seq,
        tool: "mail_send".to_owned(),
        input: json!({ "to": "ada@example.org\u{0}" }),
        call_digest: Digest::of_bytes(&[1]),
        rule_id: "ask".to_owned(),
        summary: Some("a mail".to_owned()),
        status: ApprovalStatus::Pending,
        requested_at: at(requested_at),
        expires_at: at(100),
        on_expiry: OnExpiry::Reject,
        decision: None,
        decided_at: None,
        decided_by: None,
        note: None,
    }
}

async fn wait_for(stage: &Stage, held: &mut Held, approvals: Vec<Approval>, now: i64) {
    let mut commit = held.commit(Vec::new(), Transition::Wait { reason: WaitingReason::Approval });
    commit.approvals = approvals;
    held.send(stage, commit, at(now)).await;
}

async fn answer(stage: &Stage, tenant: TenantId, approval: &Approval, now: i64) -> Result<Run> {
    let answer = Answer {
        approval: approval.id,
        decision: Decision::Approve { edited_input: Some(json!({ "to": "bob@example.org" })) },
        actor: Some("user:ada".to_owned()),
        note: Some("go on".to_owned()),
    };
    stage.store.signal(tenant, approval.run_id, Signal::Decide(answer), at(now)).await
}

async fn approval(stage: &Stage, tenant: TenantId, id: ApprovalId) -> Option<Approval> {
    stage.store.approval(tenant, id).await.expect("an approval is read")
}

/// A run with an open question is nobody's until it is too late to answer; then it goes on.
pub async fn run_waits_for_an_answer_until_it_is_too_late(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let questions = [Approval { expires_at: at(200), ..asked(1, 1, 11) }, asked(1, 2, 11)];
    wait_for(&stage, &mut held, questions.to_vec(), 12).await;
    assert_eq!(stage.run(tenant, run_id(1)).await.waiting_reason, Some(WaitingReason::Approval));
    assert_eq!(stage.journal(tenant, run_id(1)).await.approvals, questions);
    assert!(stage.claim(1, at(99)).await.is_empty(), "there is time to answer");
    let late = answer(&stage, tenant, &questions[1], 100).await;
    assert_refused(late, ErrorKind::Conflict, "an answer that comes too late");
    let claimed = stage.claim(1, at(100)).await.pop().expect("the run goes on");
    assert_eq!((claimed.run.status, claimed.run.waiting_reason), (RunStatus::Running, None));
    let [before, after] =
        [held.run.deadline_at, claimed.run.deadline_at].map(|it| it.expect("a begun run has a deadline"));
    assert_eq!(after.since(before), Duration::from_secs(88), "the clock stood still");
    assert_eq!(stage.run(tenant, run_id(1)).await, claimed.run, "what was claimed is what is stored");
}

/// An answer is kept, told as an event, and the run can be claimed at once.
pub async fn answer_lets_a_waiting_run_go_on(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let question = asked(1, 1, 11);
    wait_for(&stage, &mut held, vec![question.clone()], 12).await;
    let seen = wake::mark(&stage, 0).await;
    let run = answer(&stage, tenant, &question, 20).await.expect("the answer is taken");
    assert_eq!(run, stage.run(tenant, run_id(1)).await, "the answer is what is stored");
    assert_eq!(run.status, RunStatus::Waiting, "until a worker takes it");
    let decided = approval(&stage, tenant, question.id).await.expect("the approval is there");
    let edited = Decision::Approve { edited_input: Some(json!({ "to": "bob@example.org" })) };
    let expected = Approval {
        status: ApprovalStatus::Approved,
        decision: Some(edited),
        decided_at: Some(at(20)),
        decided_by: Some("user:ada".to_owned()),
        note: Some("go on".to_owned()),
        ..question
    };
    assert_eq!(decided, expected);
    wake::mark(&stage, seen).await;
    assert_eq!(stage.journal(tenant, run_id(1)).await.approvals, [expected]);
    let events = stage.events(tenant, run_id(1), 50).await;
    let last = events.last().map(|event| (event.event_type, event.actor.as_deref()));
    assert_eq!(last, Some((EventType::ApprovalDecided, Some("user:ada"))));

    // A later question about the same call takes the place of the answered one.
    let claimed = stage.claim(1, at(20)).await.pop().expect("the run goes on");
    (held.lease, held.run) = (claimed.lease, claimed.run);
    let later = Approval { id: ApprovalId::from_uuid(uuid(6, 999)), ..asked(1, 1, 21) };
    wait_for(&stage, &mut held, vec![later.clone()], 22).await;
    assert_eq!(approval(&stage, tenant, later.id).await.as_ref(), Some(&later), "what is asked is found by its id");
    assert_eq!(stage.journal(tenant, run_id(1)).await.approvals, std::slice::from_ref(&later));
    answer(&stage, tenant, &later, 23).await.expect("the answer is taken");
    assert_eq!(stage.claim(1, at(23)).await.len(), 1);
}

/// The first answer counts.
pub async fn approval_is_answered_once(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let question = asked(1, 1, 11);
    wait_for(&stage, &mut held, vec![question.clone()], 12).await;
    let unknown = answer(&stage, tenant, &asked(1, 2, 11), 19).await;
    assert_refused(unknown, ErrorKind::NotFound, "an answer to what nobody asked");
    answer(&stage, tenant, &question, 20).await.expect("the answer is taken");
    let again = answer(&stage, tenant, &question, 21).await;
    assert_refused(again, ErrorKind::Conflict, "a second answer");
    let events = stage.events(tenant, run_id(1), 50).await;
    assert_eq!(events.iter().filter(|event| event.event_type == EventType::ApprovalDecided).count(), 1);
    let decided = approval(&stage, tenant, question.id).await.expect("the approval is there");
    assert_eq!(decided.decided_at, Some(at(20)));
    let elsewhere = stage.tenant(2).await;
    assert_eq!(approval(&stage, elsewhere, question.id).await, None, "another tenant sees nothing of it");
}

/// An answer that comes while the run is at work on another one is there when it waits again.
pub async fn answer_while_others_are_asked_is_not_lost(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let questions = [asked(1, 1, 11), asked(1, 2, 11)];
    wait_for(&stage, &mut held, questions.to_vec(), 12).await;
    answer(&stage, tenant, &questions[0], 20).await.expect("the answer is taken");
    let claimed = stage.claim(1, at(21)).await.pop().expect("the run goes on");
    (held.lease, held.run) = (claimed.lease, claimed.run);
    answer(&stage, tenant, &questions[1], 22).await.expect("the answer is taken");
    wait_for(&stage, &mut held, vec![questions[1].clone()], 23).await;
    let kept = approval(&stage, tenant, questions[1].id).await.expect("the approval is there");
    assert_eq!(kept.status, ApprovalStatus::Approved, "what was answered stays answered");
    assert_eq!(stage.claim(1, at(23)).await.len(), 1, "the run does not wait for what it has");
}

/// What nobody can answer any more is not open.
pub async fn end_of_a_run_takes_its_approvals_back(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let question = asked(1, 1, 11);
    wait_for(&stage, &mut held, vec![question.clone()], 12).await;
    stage.store.signal(tenant, run_id(1), Signal::Cancel { actor: None }, at(20)).await.expect("the run ends");
    let taken_back = approval(&stage, tenant, question.id).await.expect("the approval is there");
    assert_eq!((taken_back.status, taken_back.decided_at), (ApprovalStatus::Expired, Some(at(20))));
    let late = answer(&stage, tenant, &question, 21).await;
    assert_refused(late, ErrorKind::Conflict, "an answer to a run that has ended");

    // The worker did not know of the request to end when it asked.
    stage.enqueue(tenant, 2, at(30)).await;
    let mut held = stage.take(at(31)).await;
    stage.store.signal(tenant, run_id(2), Signal::Cancel { actor: None }, at(32)).await.expect("the run is marked");
    let question = asked(2, 1, 31);
    wait_for(&stage, &mut held, vec![question.clone()], 33).await;
    assert_eq!(stage.run(tenant, run_id(2)).await.status, RunStatus::Cancelled);
    let status = approval(&stage, tenant, question.id).await.map(|approval| approval.status);
    assert_eq!(status, Some(ApprovalStatus::Expired));
}

/// Approvals come in the order in which they were asked for, all or those wanted, page by page.
pub async fn approvals_are_listed_as_they_were_asked_for(stage: Stage) {
    let [tenant, other] = stage.tenants().await;
    for (owner, n) in [(tenant, 1), (tenant, 2), (other, 3)] {
        stage.enqueue(owner, n, at(0)).await;
    }
    for _ in 0..3 {
        let mut held = stage.take(at(10)).await;
        let n = (1..=3).find(|n| run_id(*n) == held.run.id).expect("one of the runs");
        // The later run was asked first.
        let questions = (1..=3).map(|seq| asked(n, seq, 50 - i64::from(n) * 10 + i64::from(seq)));
        wait_for(&stage, &mut held, questions.collect(), 12).await;
    }
    answer(&stage, tenant, &asked(1, 2, 42), 20).await.expect("the answer is taken");
    let list = async |status, run| {
        let mut found = Vec::new();
        let mut page = PageRequest::new(2, None).expect("a page of two");
        loop {
            let query = ApprovalQuery { status, run, page };
            let answer = stage.store.approvals(tenant, query).await.expect("approvals are listed");
            assert_eq!(answer.has_more, answer.next_cursor.is_some());
            found.extend(answer.data.iter().map(|it| (it.run_id == run_id(1), it.step_seq)));
            let Some(next) = answer.next_cursor else { break found };
            page = PageRequest::new(2, Some(next)).expect("a page of two");
        }
    };
    let (first, second) = (true, false);
    let of_second = [(second, 1), (second, 2), (second, 3)];
    assert_eq!(list(None, None).await, [&of_second[..], &[(first, 1), (first, 2), (first, 3)]].concat());
    assert_eq!(list(Some(ApprovalStatus::Approved), None).await, [(first, 2)]);
    assert_eq!(list(Some(ApprovalStatus::Pending), Some(run_id(1))).await, [(first, 1), (first, 3)]);
    assert_eq!(list(None, Some(run_id(2))).await, of_second);
    assert!(list(None, Some(run_id(3))).await.is_empty(), "another tenant's");
    let page = PageRequest::new(1, None).expect("a page of one");
    let query = ApprovalQuery { page, ..ApprovalQuery::default() };
    let cursor = stage.store.approvals(tenant, query).await.expect("a page").next_cursor;
    let page = PageRequest::new(1, cursor).expect("a page of one");
    let foreign = ApprovalQuery { page, status: Some(ApprovalStatus::Pending), run: None };
    assert_refused(
        stage.store.approvals(tenant, foreign).await,
        ErrorKind::InvalidCursor,
        "the cursor of another list",
    );
}
