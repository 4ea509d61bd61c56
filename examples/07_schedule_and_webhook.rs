//! A schedule makes a run due every hour, and a webhook tells another program what came of each.
//!
//! `cargo run --release --example 07_schedule_and_webhook`

#![expect(clippy::print_stderr, reason = "an example says what went wrong")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use worktruck_agents::clock::RandomIds;
use worktruck_agents::webhooks::{DispatcherOptions, MemorySecrets, Webhooks};
use worktruck_agents::{Runtime, scheduler};
use worktruck_core::pim::Pim;
use worktruck_core::store::{MemoryStore, NewTenant, RunQuery, RunStore as _, TenantStore as _};
use worktruck_core::testing::SimClock;
use worktruck_core::testing::script::Reply;
use worktruck_core::{Clock as _, Error, Result, Secret, TenantId};
use worktruck_examples::agent::{agent, scripted, work};
use worktruck_examples::report::print;

/// What the other program got: headers and body of a request.
type Got = (HeaderMap, Bytes);

#[tokio::main]
async fn main() -> ExitCode {
    match tell().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn tell() -> Result<()> {
    // Three hours pass in this example, so that it needs a clock that it can move.
    let (store, clock) =
        (Arc::new(MemoryStore::default()), Arc::new(SimClock::starting_at("2026-04-14T08:00:00Z".parse()?)));
    let ids = Arc::new(RandomIds::new());
    let runtime = Runtime::builder(store.clone())
        .clock(clock.clone())
        .ids(ids.clone())
        .provider("scripted", scripted([Reply::text("All is well.")]))
        .blueprint(agent("watchman", &[]))
        .build()?;
    let tenant = TenantId::new(runtime.ids(), runtime.now());
    store.create_tenant(NewTenant::new(tenant, "acme"), runtime.now()).await?;

    // The other program. Addresses that are not public are asked only if an application allows them.
    let (receiver, mut got) = mpsc::unbounded_channel();
    let host = listen(receiver).await?;
    let webhooks = Webhooks::new(&runtime, Arc::new(MemorySecrets::default()));
    let body = json!({ "url": format!("http://{host}/hook"), "events": ["run.succeeded"] });
    let (_, secret) = webhooks.create(tenant, body, "user:mira").await?;
    let dispatcher = webhooks.dispatcher(host.parse()?, DispatcherOptions::default())?;

    let schedules = Pim::new(store.clone(), clock.clone(), ids).agent_schedules(tenant).by("mira");
    let hourly = json!({ "blueprint": "watchman", "cron_expression": "0 * * * *", "timezone": "Europe/Vienna" });
    schedules.create_from(hourly).await?;
    print(&format!("It is {}, and a schedule makes a run due every full hour.\n", clock.now()))?;

    for _ in 0..3 {
        clock.advance(Duration::from_hours(1));
        // In an application these work beside each other, as `runtime.scheduler(…)`, `worker(…)` and the dispatcher.
        let enqueued = scheduler::run_once(&runtime).await?.enqueued;
        let newest = store.runs(tenant, RunQuery::default()).await?.data.into_iter().next();
        let run = newest.ok_or_else(|| Error::internal("the schedule has made no run"))?;
        let run = work(&runtime, tenant, run.id).await?;
        let delivered = dispatcher.run_once().await?.delivered;
        print(&format!("{}  {enqueued} run enqueued, it {}, {delivered} message delivered", clock.now(), run.status))?;

        let (headers, body) = got.recv().await.ok_or_else(|| Error::internal("the listener is gone"))?;
        let genuine = is_genuine(&secret, &headers, &body);
        let forged = is_genuine(&secret, &headers, &[&body[..], b" "].concat());
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        let is_its = message["data"]["run_id"] == json!(run.id);
        print(&format!(
            "{:29}{} of {}, its signature is {}, that of a forged copy is {}",
            "",
            message["type"].as_str().unwrap_or_default(),
            if is_its { "this run" } else { "another run" },
            word(genuine),
            word(forged),
        ))?;
    }
    let again = scheduler::run_once(&runtime).await?.enqueued;
    print(&format!("\nAsked again, the scheduler enqueues {again} runs: each due time has one."))
}

/// Takes requests at an address of this machine, and gives the host.
async fn listen(receiver: mpsc::UnboundedSender<Got>) -> Result<String> {
    let failed = |e: std::io::Error| Error::unavailable("cannot listen on this machine").with_source(e);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let host = listener.local_addr().map_err(failed)?.to_string();
    let app = Router::new().route("/hook", post(take)).with_state(receiver);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(host)
}

async fn take(State(receiver): State<mpsc::UnboundedSender<Got>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match receiver.send((headers, body)) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What a receiver does with a message before it believes it. It also refuses one whose time is long past.
fn is_genuine(secret: &Secret, headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(signatures)) = (text("webhook-id"), text("webhook-signature")) else { return false };
    let Some(at) = text("webhook-timestamp").and_then(|at| at.parse().ok()) else { return false };
    let own = standardwebhooks::Webhook::new(secret.expose()).and_then(|key| key.sign(id, at, body));
    own.is_ok_and(|own| signatures.split(' ').any(|signature| signature == own))
}

const fn word(is_genuine: bool) -> &'static str {
    if is_genuine { "genuine" } else { "wrong" }
}
