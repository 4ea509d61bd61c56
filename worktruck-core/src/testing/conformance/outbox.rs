//! What [`Outbox`](crate::store::Outbox) promises.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::entity::Kind;
use crate::entity::webhook::{Webhook, WebhookStatus};
use crate::run::{FailureCategory, Signal, Transition, WaitingReason};
use crate::store::{Attempted, Changes, CommitOutcome, Delivery, DeliveryStatus, EntityKey, NewDelivery, Outcome};
use crate::temporal::WriteOp;
use crate::{DeliveryId, EntityId, ErrorKind, PageRequest, Result, RunId, TenantId, Timestamp};

use super::Stage;
use super::build::*;

const ATTEMPT: Duration = Duration::from_secs(60);

fn hook(n: u32) -> EntityKey {
    // The ids of contacts differ in their last bytes, as those of webhooks do.
    EntityKey::new(Kind::Webhook, contact(n).id)
}

fn body(events: &[&str]) -> Value {
    json!(Webhook::new("https://example.com/hook", events.iter().copied()))
}

async fn webhook(stage: &Stage, tenant: TenantId, n: u32, events: &[&str]) -> EntityId {
    webhook_at(stage, tenant, n, events, at(0)).await
}

async fn webhook_at(stage: &Stage, tenant: TenantId, n: u32, events: &[&str], now: Timestamp) -> EntityId {
    stage.apply(tenant, Changes::none().create(hook(n), body(events)), now).await;
    hook(n).id
}

async fn take(stage: &Stage, limit: usize, now: Timestamp) -> Vec<Delivery> {
    stage.store.take_deliveries(limit, ATTEMPT, now).await.expect("deliveries are taken")
}

async fn list(stage: &Stage, tenant: TenantId, webhook: EntityId) -> Vec<Delivery> {
    let page = PageRequest::largest(None);
    stage.store.deliveries(tenant, webhook, page).await.expect("deliveries are listed").data
}

/// What deliveries to a webhook tell of, oldest first.
async fn told(stage: &Stage, tenant: TenantId, webhook: EntityId) -> Vec<(String, RunId)> {
    let all = list(stage, tenant, webhook).await;
    all.into_iter().rev().map(|told| (told.event_type, told.run_id.expect("it tells of a run"))).collect()
}

async fn settle(stage: &Stage, taken: &Delivery, outcome: Outcome, now: Timestamp) -> Result<Delivery> {
    let attempted = Attempted { response_status: Some(503), outcome };
    stage.store.settle_delivery(taken.tenant_id, taken.id, taken.attempts, attempted, now).await
}

fn retry(at: Timestamp) -> Outcome {
    Outcome::Retry { at, error: "it answered 503".to_owned() }
}

async fn cancel(stage: &Stage, tenant: TenantId, n: u32, now: Timestamp) {
    let signal = Signal::Cancel { actor: Some("user:ada".to_owned()) };
    stage.store.signal(tenant, run_id(n), signal, now).await.expect("the run is cancelled");
}

/// Run number `n`, which waits at `now` and is cancelled a second later.
async fn wait_and_cancel(stage: &Stage, tenant: TenantId, n: u32, seconds: i64) {
    stage.enqueue(tenant, n, at(seconds)).await;
    let mut held = stage.take(at(seconds)).await;
    let commit = held.commit(Vec::new(), Transition::Wait { reason: WaitingReason::UnknownOutcome });
    held.send(stage, commit, at(seconds)).await;
    cancel(stage, tenant, n, at(seconds + 1)).await;
}

/// What a webhook asks for is there to be delivered once it has happened, whoever made it happen.
pub async fn event_that_a_webhook_asks_for_is_delivered(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let one = webhook(&stage, tenant, 1, &["run.failed", "run.cancelled"]).await;
    let other = webhook(&stage, tenant, 2, &["run.failed"]).await;
    stage.enqueue(tenant, 1, at(1)).await;
    let mut held = stage.take(at(2)).await;
    let detail = "the key was refused".to_owned();
    let commit =
        held.commit(vec![Done::nothing(1)], Transition::Fail { category: FailureCategory::AuthFailed, detail });
    held.send(&stage, commit, at(3)).await;
    stage.enqueue(tenant, 2, at(4)).await;
    cancel(&stage, tenant, 2, at(5)).await;

    assert_eq!(
        told(&stage, tenant, one).await,
        [("run.failed".to_owned(), run_id(1)), ("run.cancelled".to_owned(), run_id(2))]
    );
    let [failed] = &list(&stage, tenant, other).await[..] else { panic!("one delivery is there") };
    assert_eq!((failed.status, failed.attempts, failed.failures), (DeliveryStatus::Pending, 0, 0));
    assert_eq!((failed.created_at, failed.next_attempt_at, failed.settled_at), (at(3), Some(at(3)), None));
    let last = stage.events(tenant, run_id(1), 50).await.pop().expect("the run has events");
    assert_eq!(failed.seq, Some(last.seq));
    assert_eq!(
        failed.body,
        json!({
            "type": "run.failed",
            "timestamp": at(3),
            "data": {
                "run_id": run_id(1), "agent_blueprint": BLUEPRINT, "seq": last.seq,
                "failure_category": "auth_failed", "detail": "the key was refused",
            },
        })
    );
    let ids: BTreeSet<_> = [one, other].into_iter().collect();
    let taken = take(&stage, 10, at(6)).await;
    assert_eq!(taken.iter().map(|taken| taken.webhook_id).collect::<BTreeSet<_>>(), ids);
    assert_eq!(taken.iter().map(|taken| taken.id).collect::<BTreeSet<_>>().len(), 3, "each has an id of its own");
}

/// Nobody is told of what they do not ask for, or no longer, or only asked for later.
pub async fn webhook_is_told_only_what_it_asks_for(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let other = webhook(&stage, tenant, 1, &["run.succeeded", "merge_proposal.created"]).await;
    let disabled = webhook(&stage, tenant, 2, &["run.cancelled"]).await;
    let off = json!({ "status": WebhookStatus::Disabled });
    stage.apply(tenant, Changes::none().write(hook(2), WriteOp::Patch(off)), at(1)).await;
    let deleted = webhook_at(&stage, tenant, 3, &["run.cancelled"], at(1)).await;
    stage.apply(tenant, Changes::none().write(hook(3), WriteOp::Delete), at(1)).await;
    let changed = webhook_at(&stage, tenant, 4, &["run.failed"], at(1)).await;
    let events = json!({ "events": ["run.cancelled"] });
    stage.apply(tenant, Changes::none().write(hook(4), WriteOp::Patch(events)), at(1)).await;
    stage.enqueue(tenant, 1, at(2)).await;
    cancel(&stage, tenant, 1, at(3)).await;
    let late = webhook_at(&stage, tenant, 5, &["run.cancelled"], at(4)).await;

    for silent in [other, disabled, deleted, late] {
        assert!(list(&stage, tenant, silent).await.is_empty());
    }
    assert_eq!(told(&stage, tenant, changed).await, [("run.cancelled".to_owned(), run_id(1))]);
    assert_eq!(take(&stage, 10, at(4)).await.len(), 1);
}

/// What did not happen is not told: a commit that is refused leaves no delivery behind.
pub async fn refused_commit_tells_nobody(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let hook = webhook(&stage, tenant, 1, &["run.succeeded"]).await;
    stage.create(tenant, 1, named("Ada"), at(1)).await;
    stage.enqueue(tenant, 1, at(1)).await;
    let stale = stage.take(at(2)).await;
    let held = stage.take(at(60)).await;
    let done = Transition::Succeed { output: Value::Null };
    let late = stage.store.commit(&stale.lease, stale.commit(Vec::new(), done.clone()), at(61)).await;
    assert_refused(late, ErrorKind::LeaseLost, "a commit under a stale lease");
    let taken = Done::with(Changes::none().create(contact(1), named("Bob")));
    let conflicting = stage.store.commit(&held.lease, held.commit(vec![taken], done), at(62)).await;
    assert!(matches!(conflicting, Ok(CommitOutcome::Conflicted { .. })), "{conflicting:?}");
    assert!(list(&stage, tenant, hook).await.is_empty());
    assert!(take(&stage, 10, at(100)).await.is_empty());
}

/// A commit whose answer was lost is made again, and told once.
pub async fn commit_made_again_tells_once(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let hook = webhook(&stage, tenant, 1, &["run.succeeded"]).await;
    stage.enqueue(tenant, 1, at(1)).await;
    let held = stage.take(at(2)).await;
    let commit = held.commit(Vec::new(), Transition::Succeed { output: Value::Null });
    for _ in 0..3 {
        stage.store.commit(&held.lease, commit.clone(), at(3)).await.expect("the commit is answered");
    }
    assert_eq!(told(&stage, tenant, hook).await, [("run.succeeded".to_owned(), run_id(1))]);
}

/// However many take at once, each delivery is given to one.
pub async fn delivery_is_taken_by_one(stage: Stage) {
    let tenant = stage.tenant(1).await;
    webhook(&stage, tenant, 1, &["run.cancelled"]).await;
    for n in 1..=12 {
        stage.enqueue(tenant, n, at(1)).await;
        cancel(&stage, tenant, n, at(2)).await;
    }
    let taken = stage
        .in_parallel(6, |_, store| {
            async move {
                let mut taken = Vec::new();
                for _ in 0..6 {
                    taken.extend(store.take_deliveries(1, ATTEMPT, at(3)).await.expect("deliveries are taken"));
                }
                taken
            }
            .boxed()
        })
        .await;
    let mut ids: Vec<_> = taken.into_iter().flatten().map(|taken| taken.id).collect();
    ids.extend(take(&stage, 20, at(3)).await.into_iter().map(|taken| taken.id));
    assert_eq!((ids.len(), ids.into_iter().collect::<BTreeSet<_>>().len()), (12, 12));
    assert!(take(&stage, 20, at(62)).await.is_empty());
}

/// What somebody took and did not settle is given to the next when the time is over.
pub async fn delivery_that_nobody_settles_is_taken_again(stage: Stage) {
    let tenant = stage.tenant(1).await;
    webhook(&stage, tenant, 1, &["run.cancelled"]).await;
    stage.enqueue(tenant, 1, at(1)).await;
    cancel(&stage, tenant, 1, at(2)).await;
    assert!(take(&stage, 1, just_before(at(2))).await.is_empty());
    let first = take(&stage, 1, at(3)).await;
    assert_eq!((first[0].attempts, first[0].next_attempt_at), (1, Some(at(63))));
    assert!(take(&stage, 1, just_before(at(63))).await.is_empty());
    let second = take(&stage, 1, at(63)).await;
    assert_eq!((second[0].id, second[0].attempts, second[0].failures), (first[0].id, 2, 0));
    assert_eq!(second[0].body, first[0].body);
}

/// What is told of one run comes to a webhook in the order in which it happened; other runs do not wait for it.
pub async fn deliveries_of_a_run_are_taken_in_order(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let asked = ["run.waiting", "run.cancelled"];
    let (one, other) = (webhook(&stage, tenant, 1, &asked).await, webhook(&stage, tenant, 2, &asked).await);
    wait_and_cancel(&stage, tenant, 1, 1).await;
    wait_and_cancel(&stage, tenant, 2, 10).await;
    let kinds = |taken: &[Delivery]| {
        let mut kinds: Vec<_> = taken
            .iter()
            .map(|it| (it.webhook_id, it.run_id.expect("it tells of a run"), it.event_type.clone()))
            .collect();
        kinds.sort();
        kinds
    };
    let all = |event: &str| {
        let places = [(one, run_id(1)), (one, run_id(2)), (other, run_id(1)), (other, run_id(2))];
        places.map(|(hook, run)| (hook, run, event.to_owned())).to_vec()
    };
    let first = take(&stage, 10, at(20)).await;
    assert_eq!(kinds(&first), all("run.waiting"));
    assert!(take(&stage, 10, at(21)).await.is_empty(), "what follows waits");
    let stuck = &first[0];
    settle(&stage, stuck, retry(at(1_000)), at(22)).await.expect("it is settled");
    for done in &first[1..] {
        settle(&stage, done, Outcome::Delivered, at(22)).await.expect("it is settled");
    }
    let second = take(&stage, 10, at(23)).await;
    assert_eq!(second.len(), 3, "one waits for what is tried again");
    assert!(second.iter().all(|it| (it.webhook_id, it.run_id) != (stuck.webhook_id, stuck.run_id)));
    let again = take(&stage, 10, at(1_000)).await;
    assert!(again.iter().any(|it| it.id == stuck.id));
    let again = again.iter().find(|it| it.id == stuck.id).expect("it is tried again");
    settle(&stage, again, Outcome::GivenUp { error: "gone".to_owned() }, at(1_001)).await.expect("it is settled");
    let last = take(&stage, 10, at(1_002)).await;
    assert!(last.iter().any(|it| (it.webhook_id, it.run_id) == (stuck.webhook_id, stuck.run_id)), "it waits no longer");
}

/// An attempt that failed is made again when its time has come, and one that succeeded never.
pub async fn retry_waits_for_its_time(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let hook = webhook(&stage, tenant, 1, &["run.cancelled"]).await;
    stage.enqueue(tenant, 1, at(1)).await;
    cancel(&stage, tenant, 1, at(2)).await;
    let first = take(&stage, 1, at(3)).await.remove(0);
    let waiting = settle(&stage, &first, retry(at(500)), at(4)).await.expect("it is settled");
    assert_eq!((waiting.status, waiting.failures, waiting.response_status), (DeliveryStatus::Pending, 1, Some(503)));
    assert_eq!(waiting.error.as_deref(), Some("it answered 503"));
    assert_eq!(list(&stage, tenant, hook).await, [waiting], "the answer is what is stored");
    assert!(take(&stage, 1, just_before(at(500))).await.is_empty());
    let second = take(&stage, 1, at(500)).await.remove(0);
    let done = settle(&stage, &second, Outcome::Delivered, at(501)).await.expect("it is settled");
    assert_eq!((done.status, done.attempts, done.failures), (DeliveryStatus::Delivered, 2, 1));
    assert_eq!((done.settled_at, done.next_attempt_at, done.error), (Some(at(501)), None, None));
    assert!(take(&stage, 1, at(1_000_000)).await.is_empty());
}

/// The answer of an attempt that took too long, or of one before somebody sent it again, changes nothing.
pub async fn late_answer_of_an_attempt_changes_nothing(stage: Stage) {
    let tenant = stage.tenant(1).await;
    webhook(&stage, tenant, 1, &["run.cancelled"]).await;
    stage.enqueue(tenant, 1, at(1)).await;
    cancel(&stage, tenant, 1, at(2)).await;
    let slow = take(&stage, 1, at(3)).await.remove(0);
    let next = take(&stage, 1, at(100)).await.remove(0);
    let late = settle(&stage, &slow, Outcome::GivenUp { error: "late".to_owned() }, at(101)).await;
    assert_refused(late, ErrorKind::LeaseLost, "a late answer");
    settle(&stage, &next, Outcome::Delivered, at(102)).await.expect("it is settled");
    let twice = settle(&stage, &next, retry(at(200)), at(103)).await;
    assert_refused(twice, ErrorKind::LeaseLost, "a second answer");
    stage.store.redeliver(tenant, next.id, at(104)).await.expect("it is sent again");
    let before = settle(&stage, &next, Outcome::Delivered, at(105)).await;
    assert_refused(before, ErrorKind::LeaseLost, "an answer from before it was sent again");
    let again = take(&stage, 1, at(106)).await.remove(0);
    settle(&stage, &again, Outcome::Delivered, at(107)).await.expect("it is settled");
    let unknown = DeliveryId::from_uuid(Uuid::from_u128(1));
    let nothing = stage.store.settle_delivery(
        tenant,
        unknown,
        1,
        Attempted { response_status: None, outcome: Outcome::Delivered },
        at(108),
    );
    assert_refused(nothing.await, ErrorKind::NotFound, "an answer about nothing");
}

fn test_delivery(n: u128, webhook: EntityId) -> NewDelivery {
    NewDelivery {
        id: DeliveryId::from_uuid(Uuid::from_u128(n)),
        webhook_id: webhook,
        event_type: "webhook.test".to_owned(),
        body: json!({ "type": "webhook.test", "data": { "text": "\u{0}\u{1F600}", "n": 1.5 } }),
    }
}

/// A delivery may be of no run, and any can be sent again.
pub async fn delivery_can_be_added_and_sent_again(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let hook = hook(1).id;
    let added = stage.store.add_delivery(tenant, test_delivery(1, hook), at(1)).await.expect("it is added");
    assert_eq!(list(&stage, tenant, hook).await, std::slice::from_ref(&added), "the answer is what is stored");
    let twice = stage.store.add_delivery(tenant, test_delivery(1, hook), at(2)).await;
    assert_refused(twice, ErrorKind::Conflict, "a second delivery with the same id");
    let taken = take(&stage, 5, at(3)).await.remove(0);
    assert_eq!((taken.id, taken.run_id, &taken.body), (added.id, None, &added.body));
    let failed = settle(&stage, &taken, Outcome::GivenUp { error: "gone".to_owned() }, at(4)).await;
    assert_eq!(failed.expect("it is settled").status, DeliveryStatus::Failed);
    assert!(take(&stage, 5, at(5)).await.is_empty());
    let again = stage.store.redeliver(tenant, added.id, at(6)).await.expect("it is sent again");
    assert_eq!((again.status, again.failures, again.settled_at), (DeliveryStatus::Pending, 0, None));
    assert_eq!(list(&stage, tenant, hook).await, [again], "the answer is what is stored");
    let taken = take(&stage, 5, at(6)).await.remove(0);
    assert_eq!((taken.id, &taken.body), (added.id, &added.body));
    let unknown = DeliveryId::from_uuid(Uuid::from_u128(9));
    assert_refused(stage.store.redeliver(tenant, unknown, at(7)).await, ErrorKind::NotFound, "nothing");
}

/// The list of a webhook's deliveries is walked from the newest to the oldest.
pub async fn deliveries_are_listed_newest_first(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let (hook, other) = (hook(1).id, hook(2).id);
    for n in 1..=7 {
        // Two of each moment.
        let now = at(i64::try_from(n / 2).expect("a small number"));
        stage.store.add_delivery(tenant, test_delivery(n, hook), now).await.expect("it is added");
    }
    stage.store.add_delivery(tenant, test_delivery(8, other), at(9)).await.expect("it is added");
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = stage.store.deliveries(tenant, hook, page(3, cursor)).await.expect("deliveries are listed");
        found.extend(page.data.iter().map(|delivery| delivery.id.as_uuid().as_u128()));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, [7, 6, 5, 4, 3, 2, 1]);
    let first = stage.store.deliveries(tenant, hook, page(3, None)).await.expect("deliveries are listed");
    let foreign = stage.store.deliveries(tenant, other, page(3, first.next_cursor)).await;
    assert_refused(foreign, ErrorKind::InvalidCursor, "a cursor of another list");
}

/// Deliveries of one tenant are there for no other.
pub async fn deliveries_of_another_tenant_are_not_there(stage: Stage) {
    let [mine, other] = stage.tenants().await;
    let hook = hook(1).id;
    let added = stage.store.add_delivery(mine, test_delivery(1, hook), at(1)).await.expect("it is added");
    let taken = take(&stage, 1, at(1)).await.remove(0);
    assert_eq!(taken.tenant_id, mine);
    assert!(list(&stage, other, hook).await.is_empty());
    assert_refused(stage.store.redeliver(other, added.id, at(2)).await, ErrorKind::NotFound, "another tenant's");
    let foreign = Delivery { tenant_id: other, ..taken };
    assert_refused(settle(&stage, &foreign, Outcome::Delivered, at(2)).await, ErrorKind::NotFound, "another tenant's");
    // A webhook is told of its own tenant's runs.
    let own = webhook(&stage, mine, 2, &["run.cancelled"]).await;
    stage.enqueue(other, 1, at(3)).await;
    cancel(&stage, other, 1, at(4)).await;
    for tenant in [mine, other] {
        assert!(list(&stage, tenant, own).await.is_empty());
    }
    let twin = stage.store.add_delivery(other, test_delivery(1, hook), at(5)).await.expect("each tenant has its own");
    assert_eq!((twin.tenant_id, list(&stage, mine, hook).await.len()), (other, 1));
}

/// Deliveries that were settled long ago go, and no others.
pub async fn old_deliveries_are_forgotten(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let hook = hook(1).id;
    for n in 1..=5 {
        stage.store.add_delivery(tenant, test_delivery(n, hook), at(1)).await.expect("it is added");
    }
    for (n, taken) in (10_i64..).zip(take(&stage, 4, at(1)).await) {
        settle(&stage, &taken, Outcome::Delivered, at(n)).await.expect("it is settled");
    }
    let forget = async |before, limit| stage.store.forget_deliveries(before, limit).await.expect("old ones go");
    assert_eq!(forget(at(10), 10).await, 0);
    assert_eq!(forget(at(13), 2).await, 2);
    assert_eq!(forget(at(13), 10).await, 1);
    assert_eq!(list(&stage, tenant, hook).await.len(), 2);
    assert_eq!(forget(at(1_000), 10).await, 1);
    assert_eq!(list(&stage, tenant, hook).await[0].status, DeliveryStatus::Pending);
}

/// News that changes carry are told when the changes are committed, by an application or by a step of a run.
pub async fn news_of_changes_are_delivered_with_them(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let one = webhook(&stage, tenant, 1, &["config.disabled", "merge_proposal.created"]).await;
    let other = webhook(&stage, tenant, 2, &["config.disabled"]).await;
    let data = json!({ "agent_blueprint": BLUEPRINT, "disabled_reason": "\u{e4}" });
    let changes = Changes::none().create(contact(11), named("Ada")).tell("config.disabled", data.clone());
    let applied = stage.apply(tenant, changes, at(1)).await;
    stage.enqueue(tenant, 1, at(2)).await;
    let mut held = stage.take(at(2)).await;
    let proposed = Changes::none().create(contact(12), named("Eve")).tell("merge_proposal.created", json!({ "id": 1 }));
    let commit = held.commit(vec![Done::with(proposed)], Transition::Continue);
    held.send(&stage, commit, at(3)).await;

    let all = list(&stage, tenant, one).await;
    let [step, first] = &all[..] else { panic!("two deliveries: {all:?}") };
    assert_eq!((&*step.event_type, &*first.event_type), ("merge_proposal.created", "config.disabled"));
    assert_eq!(first.body, json!({ "type": "config.disabled", "timestamp": applied.at, "data": data }));
    assert_eq!((first.created_at, first.next_attempt_at), (applied.at, Some(applied.at)));
    assert_eq!((first.run_id, first.seq, step.run_id, step.seq), (None, None, None, None));
    let [same] = &list(&stage, tenant, other).await[..] else { panic!("one delivery is there") };
    assert_eq!(same.body, first.body);
    assert_ne!(same.id, first.id, "each has an id of its own");
    assert_eq!(take(&stage, 10, at(6)).await.len(), 3);
}

/// Nobody is told of what did not happen, of what changed nothing, or of what no webhook can ask for.
pub async fn news_of_refused_changes_are_not_told(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let webhook = webhook(&stage, tenant, 1, &["config.disabled"]).await;
    stage.apply(tenant, Changes::none().create(contact(11), named("Ada")), at(1)).await;
    let again = Changes::none().create(contact(11), named("Eve")).tell("config.disabled", json!({}));
    assert_refused(stage.store.apply(tenant, again, person(), at(2)).await, ErrorKind::Conflict, "it is there already");
    let same = Changes::none().write(contact(11), WriteOp::Patch(json!({}))).tell("config.disabled", json!({}));
    stage.store.apply(tenant, same, person(), at(3)).await.expect("nothing is written");
    let unknown = Changes::none().create(contact(12), named("Eve")).tell("config.unheard_of", json!({}));
    let refused = stage.store.apply(tenant, unknown, person(), at(4)).await;
    assert_refused(refused, ErrorKind::InvalidRequest, "news that nobody can ask for");
    assert_eq!(list(&stage, tenant, webhook).await, []);
}
