//! What webhooks are sent: signed, in order, at least once, and for how long.

#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::clock::SystemClock;
use worktruck_agents::net::AllowedHosts;
use worktruck_agents::webhooks::{Dispatcher, DispatcherOptions, MemorySecrets, Totals, Webhooks};
use worktruck_agents::{Runtime, blueprints, tools};
use worktruck_core::entity::webhook::{Webhook, WebhookStatus};
use worktruck_core::pim::{Pim, Stored};
use worktruck_core::run::{BlueprintVersion, ClaimRequest, Commit, NewRun, Transition, WaitingReason};
use worktruck_core::store::{
    AuditQuery, AuditStore as _, DeliveryStatus, EntityStore as _, MemoryStore, NewTenant, RunStore as _, Store,
};
use worktruck_core::testing::{CountingIds, Fault, FaultyStore, SimClock};
use worktruck_core::{Clock, EntityId, NanoUsd, PageRequest, RunId, Secret, TenantId};

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

/// A receiver: what it answers next, and what it got.
#[derive(Clone, Debug, Default)]
struct Receiver {
    answers: Arc<Mutex<VecDeque<u16>>>,
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Receiver {
    async fn start() -> (Self, String) {
        let receiver = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = Router::new().route("/hook", post(receive)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (receiver, host)
    }

    /// Answers so before it answers 200 to all.
    fn answer(&self, answers: impl IntoIterator<Item = u16>) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn got(&self) -> Vec<(HeaderMap, Bytes)> {
        self.got.lock().unwrap().clone()
    }

    fn bodies(&self) -> Vec<Value> {
        self.got().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }

    fn types(&self) -> Vec<String> {
        self.bodies().iter().map(|body| body["type"].as_str().unwrap().to_owned()).collect()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receiver.got.lock().unwrap().push((headers, body));
    let answer = receiver.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(answer).unwrap()
}

/// A store with a tenant, a receiver, and what sends to it.
struct Desk {
    store: Arc<FaultyStore<MemoryStore>>,
    clock: Arc<dyn Clock>,
    sim: Option<Arc<SimClock>>,
    runtime: Runtime,
    webhooks: Webhooks,
    dispatcher: Dispatcher,
    receiver: Receiver,
    url: String,
}

impl Desk {
    async fn new() -> Self {
        let sim = Arc::new(SimClock::starting_at("2026-04-14T12:00:00Z".parse().unwrap()));
        Self { sim: Some(Arc::clone(&sim)), ..Self::with_clock(sim).await }
    }

    async fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let store = Arc::new(FaultyStore::new(MemoryStore::default()));
        let deduper = Blueprint { default_model: "local/rules".into(), ..blueprints::contact_deduper() };
        let runtime = Runtime::builder(Arc::clone(&store) as Arc<dyn Store>)
            .clock(Arc::clone(&clock))
            .tools(tools::builtin())
            .blueprint(deduper)
            .build()
            .unwrap();
        runtime.store().create_tenant(NewTenant::new(tenant(), "acme"), clock.now()).await.unwrap();
        let (receiver, host) = Receiver::start().await;
        let webhooks = Webhooks::new(&runtime, Arc::new(MemorySecrets::default()));
        let dispatcher = webhooks.dispatcher(host.parse().unwrap(), DispatcherOptions::default()).unwrap();
        let url = format!("http://{host}/hook");
        Self { store, clock, sim: None, runtime, webhooks, dispatcher, receiver, url }
    }

    fn pass(&self, time: Duration) {
        self.sim.as_ref().unwrap().advance(time);
    }

    async fn webhook(&self, events: &[&str]) -> (Stored<Webhook>, Secret) {
        let body = json!({ "url": self.url, "events": events });
        self.webhooks.create(tenant(), body, "user:ada").await.unwrap()
    }

    async fn read(&self, id: EntityId) -> Webhook {
        let pim = Pim::new(Arc::clone(&self.store) as _, Arc::clone(&self.clock), Arc::new(CountingIds::new(1)));
        pim.webhooks(tenant()).get(id).await.unwrap().data
    }

    async fn send(&self) -> Totals {
        self.dispatcher.run_once().await.unwrap()
    }

    /// A run that is cancelled.
    async fn cancel(&self, n: u128) -> RunId {
        let id = RunId::from_uuid(Uuid::from_u128(n));
        self.runtime.enqueue(tenant(), NewRun::new(id, "contact_deduper", json!({}))).await.unwrap();
        self.runtime.cancel(tenant(), id, None).await.unwrap();
        id
    }

    /// A run that waits for a person, and is cancelled then.
    async fn wait_and_cancel(&self, n: u128) {
        let id = RunId::from_uuid(Uuid::from_u128(n));
        self.runtime.enqueue(tenant(), NewRun::new(id, "contact_deduper", json!({}))).await.unwrap();
        let version = blueprints::contact_deduper().version;
        let blueprints = vec![BlueprintVersion { blueprint: "contact_deduper".to_owned(), version }];
        let request = ClaimRequest { blueprints, limit: 1, lease_for: Duration::from_secs(30) };
        let claimed = self.store.inner().claim(request, self.clock.now()).await.unwrap().remove(0);
        let commit = Commit {
            number: 1,
            snapshot: None,
            steps: Vec::new(),
            calls: Vec::new(),
            approvals: Vec::new(),
            events: Vec::new(),
            reserved: NanoUsd::ZERO,
            forfeited: NanoUsd::ZERO,
            transition: Transition::Wait { reason: WaitingReason::UnknownOutcome },
            lease_for: Duration::from_secs(30),
        };
        self.store.inner().commit(&claimed.lease, commit, self.clock.now()).await.unwrap();
        self.runtime.cancel(tenant(), id, None).await.unwrap();
    }

    async fn statuses(&self, id: EntityId) -> Vec<DeliveryStatus> {
        let page = self.webhooks.deliveries(tenant(), id, PageRequest::largest(None)).await.unwrap();
        page.data.into_iter().map(|delivery| delivery.status).collect()
    }
}

#[tokio::test]
async fn message_is_signed_so_that_others_can_tell() {
    let desk = Desk::with_clock(Arc::new(SystemClock::new())).await;
    let (webhook, secret) = desk.webhook(&["run.cancelled"]).await;
    let run = desk.cancel(7).await;
    assert_eq!(desk.send().await, Totals { delivered: 1, ..Totals::default() });
    let [(headers, body)] = &desk.receiver.got()[..] else { panic!("one message is sent") };
    let verify = |secret: &Secret, headers: &HeaderMap, body: &[u8]| {
        standardwebhooks::Webhook::new(secret.expose()).unwrap().verify(body, headers).is_ok()
    };
    assert!(verify(&secret, headers, body));
    assert!(!verify(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), headers, body));
    assert!(!verify(&secret, headers, b"{}"));
    assert_eq!(headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!((&body["type"], &body["data"]["run_id"]), (&json!("run.cancelled"), &json!(run)));
    assert!(body["timestamp"].is_string());

    // While a secret is replaced, whoever knows either can tell.
    let new = desk.webhooks.rotate_secret(tenant(), webhook.id).await.unwrap();
    desk.cancel(8).await;
    desk.send().await;
    let (headers, body) = desk.receiver.got().pop().unwrap();
    assert!(verify(&secret, &headers, &body) && verify(&new, &headers, &body));
}

#[tokio::test]
async fn old_secret_is_worth_nothing_after_a_day() {
    let desk = Desk::new().await;
    let (webhook, old) = desk.webhook(&["run.cancelled"]).await;
    let new = desk.webhooks.rotate_secret(tenant(), webhook.id).await.unwrap();
    desk.pass(Duration::from_hours(24));
    desk.cancel(7).await;
    desk.send().await;
    let (headers, body) = desk.receiver.got().pop().unwrap();
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let at = text("webhook-timestamp").parse().unwrap();
    let sign = |secret: &Secret| {
        standardwebhooks::Webhook::new(secret.expose()).unwrap().sign(&text("webhook-id"), at, &body).unwrap()
    };
    assert_eq!(text("webhook-signature"), sign(&new));
    assert_ne!(sign(&new), sign(&old));
}

#[tokio::test]
async fn message_that_is_not_taken_is_sent_again_under_the_same_id() {
    let desk = Desk::new().await;
    desk.webhook(&["run.cancelled"]).await;
    desk.cancel(7).await;
    desk.receiver.answer([500, 302]);
    assert_eq!(desk.send().await.retried, 1);
    desk.pass(Duration::from_millis(4_999));
    assert_eq!(desk.send().await, Totals::default());
    desk.pass(Duration::from_millis(1));
    assert_eq!(desk.send().await.retried, 1, "a redirect is not followed");
    desk.pass(Duration::from_secs(60));
    assert_eq!(desk.send().await.delivered, 1);
    assert_eq!(desk.send().await, Totals::default());
    let ids: Vec<_> = desk.receiver.got().iter().map(|(headers, _)| headers["webhook-id"].clone()).collect();
    assert_eq!((ids.len(), &ids[0], &ids[1]), (3, &ids[1], &ids[2]));
    let bodies = desk.receiver.bodies();
    assert_eq!(bodies[0], bodies[2]);
}

#[tokio::test]
async fn webhook_that_takes_nothing_for_three_days_is_disabled() {
    let desk = Desk::new().await;
    let (webhook, _) = desk.webhook(&["run.cancelled"]).await;
    let began = desk.clock.now();
    desk.cancel(7).await;
    desk.receiver.answer([503; 100]);
    let mut attempts = 0;
    while desk.read(webhook.id).await.status == WebhookStatus::Active {
        let totals = desk.send().await;
        attempts += totals.retried + totals.given_up;
        desk.pass(Duration::from_secs(5));
        assert!(desk.clock.now().since(began) < Duration::from_hours(73), "it is tried for ever");
    }
    assert_eq!(attempts, 11);
    assert!(desk.clock.now().since(began) > Duration::from_hours(72));
    let read = desk.read(webhook.id).await;
    assert!(read.disabled_reason.unwrap().contains("it answered 503"));
    assert!(read.disabled_at.is_some());
    assert_eq!(desk.statuses(webhook.id).await, [DeliveryStatus::Failed]);
    let feed = desk.store.changes(tenant(), None, PageRequest::largest(None)).await.unwrap().data;
    assert_eq!(feed.last().unwrap().provenance.capture_reason, "webhook_disabled");
    let log = desk.store.audit_log(tenant(), AuditQuery::default()).await.unwrap().data;
    let [record] = &log[..] else { panic!("one entry: {log:?}") };
    assert_eq!((&*record.entry.actor_type, &*record.entry.action), ("system", "webhook.disabled"));
    assert_eq!(record.entry.resource_id, Some(webhook.id.to_string()));
    assert!(record.entry.metadata["reason"].as_str().unwrap().contains("it answered 503"));

    // Nothing is told any more, until somebody says so.
    desk.cancel(8).await;
    assert_eq!(desk.statuses(webhook.id).await.len(), 1);
    let pim = Pim::new(Arc::clone(&desk.store) as _, Arc::clone(&desk.clock), Arc::new(CountingIds::new(9)));
    let enabled = pim.webhooks(tenant()).update(webhook.id, json!({ "status": "active" })).await.unwrap().data;
    assert_eq!((enabled.disabled_at, enabled.disabled_reason), (None, None));
    desk.receiver.answers.lock().unwrap().clear();
    desk.cancel(9).await;
    assert_eq!(desk.send().await.delivered, 1);
}

#[tokio::test]
async fn webhook_that_is_gone_is_disabled_at_once() {
    let desk = Desk::new().await;
    let (webhook, _) = desk.webhook(&["run.cancelled"]).await;
    for n in 1..=3 {
        desk.cancel(n).await;
    }
    let one_by_one = DispatcherOptions { concurrency: 1, ..DispatcherOptions::default() };
    let host: AllowedHosts = desk.url["http://".len()..desk.url.len() - "/hook".len()].parse().unwrap();
    desk.receiver.answer([410]);
    let totals = desk.webhooks.dispatcher(host, one_by_one).unwrap().run_once().await.unwrap();
    assert_eq!(totals, Totals { given_up: 3, ..Totals::default() });
    assert_eq!(desk.receiver.got().len(), 1);
    assert_eq!(desk.read(webhook.id).await.status, WebhookStatus::Disabled);
}

#[tokio::test]
async fn what_is_told_of_a_run_arrives_in_order() {
    let desk = Desk::new().await;
    desk.webhook(&["run.waiting", "run.cancelled"]).await;
    desk.wait_and_cancel(1).await;
    desk.receiver.answer([500]);
    assert_eq!(desk.send().await, Totals { retried: 1, ..Totals::default() });
    desk.wait_and_cancel(2).await;
    assert_eq!(desk.send().await.delivered, 2, "another run does not wait for it");
    desk.pass(Duration::from_secs(5));
    assert_eq!(desk.send().await.delivered, 2);
    assert_eq!(desk.receiver.types(), ["run.waiting", "run.waiting", "run.cancelled", "run.waiting", "run.cancelled",]);
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for body in desk.receiver.bodies() {
        seen.entry(body["data"]["run_id"].to_string()).or_default().push(body["data"]["seq"].as_u64().unwrap());
    }
    assert!(seen.values().all(|seqs| seqs.is_sorted()), "{seen:?}");
}

/// A dispatcher that ends between sending and keeping that it was sent leaves the message to the next one.
#[tokio::test]
async fn message_is_sent_again_if_nobody_knows_that_it_was_taken() {
    let desk = Desk::new().await;
    let (webhook, _) = desk.webhook(&["run.cancelled"]).await;
    desk.cancel(7).await;
    // It takes deliveries, reads the webhook and settles.
    let settle = desk.store.calls().len() + 3;
    desk.store.fail(settle, Fault::Before);
    assert_eq!(desk.send().await, Totals { lost: 1, ..Totals::default() });
    assert_eq!(desk.store.calls()[settle - 1], "settle_delivery");
    assert_eq!(desk.send().await, Totals::default(), "the attempt may be under way");
    desk.pass(Duration::from_secs(60));
    assert_eq!(desk.send().await.delivered, 1);
    let ids: Vec<_> = desk.receiver.got().iter().map(|(headers, _)| headers["webhook-id"].clone()).collect();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
    assert_eq!(desk.statuses(webhook.id).await, [DeliveryStatus::Delivered]);
}

#[tokio::test]
async fn address_that_is_not_public_is_not_asked() {
    let desk = Desk::new().await;
    let (webhook, _) = desk.webhook(&["run.cancelled"]).await;
    desk.cancel(7).await;
    let guarded = desk.webhooks.dispatcher(AllowedHosts::none(), DispatcherOptions::default()).unwrap();
    assert_eq!(guarded.run_once().await.unwrap().retried, 1);
    assert!(desk.receiver.got().is_empty());
    let page = desk.webhooks.deliveries(tenant(), webhook.id, PageRequest::default()).await.unwrap();
    assert!(page.data[0].error.as_ref().unwrap().contains("127.0.0.1"), "{:?}", page.data[0].error);
    assert_eq!(page.data[0].response_status, None);
}

#[tokio::test]
async fn webhook_can_be_tried_and_sent_to_again() {
    let desk = Desk::new().await;
    let (webhook, _) = desk.webhook(&["run.failed"]).await;
    let test = desk.webhooks.test(tenant(), webhook.id).await.unwrap();
    assert_eq!(desk.send().await.delivered, 1);
    desk.webhooks.redeliver(tenant(), test.id).await.unwrap();
    assert_eq!(desk.send().await.delivered, 1);
    assert_eq!(desk.receiver.types(), ["webhook.test", "webhook.test"]);
    let ids: Vec<_> = desk.receiver.got().iter().map(|(headers, _)| headers["webhook-id"].clone()).collect();
    assert_eq!(ids, [test.id.to_string(), test.id.to_string()]);
    desk.webhooks.test(tenant(), webhook.id).await.unwrap();
    desk.webhooks.delete(tenant(), webhook.id, "user:ada").await.unwrap();
    assert_eq!(desk.send().await.given_up, 1);
    assert_eq!(desk.receiver.got().len(), 2);
    assert!(desk.webhooks.test(tenant(), webhook.id).await.is_err());
}

#[tokio::test]
async fn dispatchers_share_the_work_until_they_are_stopped() {
    let desk = Desk::with_clock(Arc::new(SystemClock::new())).await;
    let (webhook, _) = desk.webhook(&["run.cancelled"]).await;
    for n in 1..=40 {
        desk.cancel(n).await;
    }
    let host: AllowedHosts = desk.url["http://".len()..desk.url.len() - "/hook".len()].parse().unwrap();
    let stop = Arc::new(tokio::sync::Notify::new());
    let dispatchers: Vec<_> = (0..3)
        .map(|_| {
            let dispatcher = desk.webhooks.dispatcher(host.clone(), DispatcherOptions::default()).unwrap();
            let stop = Arc::clone(&stop);
            tokio::spawn(dispatcher.run_until(async move { stop.notified().await }))
        })
        .collect();
    let all = async {
        while desk.statuses(webhook.id).await.iter().any(|status| *status != DeliveryStatus::Delivered) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
    stop.notify_waiters();
    for dispatcher in dispatchers {
        dispatcher.await.unwrap();
    }
    assert_eq!(desk.receiver.got().len(), 40);
}

#[tokio::test]
async fn webhook_needs_a_url_and_events() {
    let desk = Desk::new().await;
    let refused = [
        (json!({ "url": "ftp://example.com", "events": ["run.failed"] }), "/url"),
        (json!({ "url": "https://user:pass@example.com/", "events": ["run.failed"] }), "/url"),
        (json!({ "url": "https://", "events": ["run.failed"] }), "/url"),
        (json!({ "url": "https://example.com/", "events": [] }), "/events"),
        (json!({ "url": "https://example.com/", "events": ["run.failed", "run.exploded"] }), "/events/1"),
        (json!({ "url": "https://example.com/", "events": ["run.failed", "run.failed"] }), "/events/1"),
        (
            json!({ "url": "https://example.com/", "events": ["run.failed"], "disabled_reason": "x" }),
            "/disabled_reason",
        ),
    ];
    for (body, pointer) in refused {
        let error = desk.webhooks.create(tenant(), body.clone(), "user:ada").await.unwrap_err();
        assert_eq!(error.pointer(), Some(pointer), "{body}");
    }
    let later = desk.clock.now().after(Duration::from_hours(1));
    let pim = Pim::new(Arc::clone(&desk.store) as _, Arc::clone(&desk.clock), Arc::new(CountingIds::new(1)));
    let webhook = Webhook::new("https://example.com/", ["run.failed"]);
    for records in [pim.webhooks(tenant()).valid_from(later), pim.webhooks(tenant()).valid_to(later)] {
        assert!(records.create(webhook.clone()).await.is_err(), "it is scheduled");
    }
}
