//! What runs come across: keys of providers, what tools find, secrets of webhooks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use futures::TryStreamExt as _;
use serde_json::json;
use tokio::net::TcpListener;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::metrics::Counters;
use worktruck_agents::providers::{Anthropic, AnthropicOptions, OpenAi, OpenAiOptions};
use worktruck_agents::webhooks::{DispatcherOptions, MemorySecrets, Webhooks};
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::guardrail::{Rule, RuleKind};
use worktruck_core::model::{Message, ModelProvider, ModelRequest, UserBlock};
use worktruck_core::run::{Event, Run, RunStatus};
use worktruck_core::store::{NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::tool::{ToolEffect, ToolSpec};
use worktruck_core::{PageRequest, Secret, TenantId};
use worktruck_store_sqlite::SqliteStore;

use crate::forms::{Scan, forms, written};
use crate::listener::Listener;
use crate::places::files;
use crate::provider::{Answer, Mimic, Wire};
use crate::tools::{Leak, Leaky};

/// A key that a header can hold.
const KEY: &str = r#"planted+/=%"\provider-~51c2a7d3"#;
/// What a tool comes across.
const FOUND: &str = r#"planted+/=%"\tool-ÄQ~88e1b06f"#;

const TOOLS: [&str; 6] = ["finds", "writes", "sends", "refuses", "is_away", "gives_up"];

fn agent(name: &str, model: &str) -> Blueprint {
    Blueprint {
        name: name.to_owned(),
        version: 1,
        title: name.to_owned(),
        description: String::new(),
        input_schema: json!({ "type": "object" }),
        system_prompt: "Find out.".to_owned(),
        tools: TOOLS.map(str::to_owned).to_vec(),
        default_model: model.to_owned(),
        default_budget_cents: None,
        default_deadline_seconds: 600,
        default_max_steps: 50,
        max_tokens: 1_000,
        default_guardrails: vec![Rule::new(RuleKind::Allowlist, ["*"])],
        policy: None,
    }
}

/// What refuses a request, and shows the key in doing so. The last one ends the run.
fn refusals(wire: Wire) -> Vec<Vec<Answer>> {
    let said = format!("no such key {} {}", written(KEY), written(FOUND));
    let body =
        |kind: &str| json!({ "type": "error", "error": { "type": kind, "code": kind, "message": said } }).to_string();
    let refused = || Answer::new(401, body("authentication_error"));
    vec![
        vec![refused()],
        vec![Answer::new(403, body(KEY)).header("x-request-id", KEY).header("request-id", KEY)],
        vec![Answer::new(400, format!("<html>{said}</html>"))],
        vec![Answer::new(302, said.clone()).header("location", &format!("http://127.0.0.1:9/?key={KEY}"))],
        vec![Answer::new(200, said.clone()).header("content-type", "text/plain"), refused()],
        vec![Answer::new(529, body("overloaded_error")), refused()],
        vec![wire.broken(&said), refused()],
    ]
}

struct Stage {
    store: Arc<SqliteStore>,
    runtime: Runtime,
    tenant: TenantId,
}

impl Stage {
    /// Runs an agent to its end.
    async fn run(&self, agent: &str) -> Run {
        let run = self.runtime.enqueue(self.tenant, self.runtime.new_run(agent, json!({}))).await.unwrap().id;
        let ended = async {
            while !self.store.run(self.tenant, run).await.unwrap().unwrap().status.is_terminal() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let worked = self.runtime.worker(WorkerOptions::default()).run_until(ended);
        tokio::time::timeout(Duration::from_secs(60), worked).await.expect("the run ends");
        self.store.run(self.tenant, run).await.unwrap().unwrap()
    }

    /// Looks at all that can be read of a run.
    async fn look(&self, scan: &mut Scan, run: &Run) {
        let journal = self.store.journal(self.tenant, run.id).await.unwrap().unwrap();
        let events: Vec<Event> =
            self.runtime.stream(self.tenant, run.id, 0).await.unwrap().try_collect().await.unwrap();
        let page = self.store.events(self.tenant, run.id, PageRequest::largest(None)).await.unwrap();
        let timeline = self.runtime.timeline(self.tenant, run.id).await.unwrap();
        scan.look("the run", format!("{} {run:?}", json!(run)).as_bytes());
        scan.look("the journal", format!("{} {journal:?}", json!(journal)).as_bytes());
        scan.look("the events", format!("{} {events:?} {}", json!(events), json!(page)).as_bytes());
        scan.look("the story", format!("{timeline} {timeline:?}").as_bytes());
        if let Some(detail) = &run.failure_detail {
            scan.look("the failure", detail.as_bytes());
        }
    }
}

/// A receiver of webhooks, and what it got.
async fn receiver() -> (String, tokio::sync::mpsc::UnboundedReceiver<(HeaderMap, Bytes)>) {
    let (sender, got) = tokio::sync::mpsc::unbounded_channel();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let router = Router::new().fallback(move |headers: HeaderMap, body: Bytes| async move {
        sender.send((headers, body)).unwrap();
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (host, got)
}

fn question(tools: Arc<[ToolSpec]>) -> ModelRequest {
    let hello = Message::User { content: vec![UserBlock::Text { text: "hello".to_owned() }] };
    let messages = vec![Arc::new(hello)];
    ModelRequest { model: "mimic".to_owned(), system: String::new(), tools, messages, max_tokens: 10 }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_that_runs_come_across_is_anywhere_in_the_clear() {
    let heard = Listener::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("runs.db").display());
    let store = Arc::new(SqliteStore::open(&url).await.unwrap());
    let (mimic, base_url) = Mimic::start().await;
    let options = AnthropicOptions { base_url: base_url.clone(), ..AnthropicOptions::default() };
    let anthropic = Arc::new(Anthropic::with_options(Secret::new(KEY), &options).unwrap());
    let options = OpenAiOptions { base_url, ..OpenAiOptions::default() };
    let openai = Arc::new(OpenAi::with_options(Some(Secret::new(KEY)), &options).unwrap());
    let leaks = [
        Leak::Output(ToolEffect::Read),
        Leak::Output(ToolEffect::Write),
        Leak::Output(ToolEffect::OutsideIdempotent),
        Leak::Error,
        Leak::Transient,
        Leak::Fatal,
    ];
    let text = format!("{} {}", written(FOUND), written(KEY));
    let counters = Arc::new(Counters::default());
    let runtime = Runtime::builder(store.clone())
        .provider("anthropic", anthropic.clone())
        .provider("openai", openai.clone())
        .secret(Secret::new(FOUND))
        .metrics(counters.clone())
        .tools(TOOLS.iter().zip(leaks).map(|(name, leak)| Leaky::tool(name, leak, &text)))
        .blueprint(agent("by_anthropic", "anthropic/claude-mimic"))
        .blueprint(agent("by_openai", "openai/gpt-mimic"))
        .build()
        .unwrap();
    let tenant = TenantId::new(runtime.ids(), runtime.now());
    store.create_tenant(NewTenant::new(tenant, "acme"), runtime.now()).await.unwrap();
    let stage = Stage { store: store.clone(), runtime: runtime.clone(), tenant };
    let (host, mut sent) = receiver().await;
    let webhooks = Webhooks::new(&runtime, Arc::new(MemorySecrets::default()));
    let hook = json!({ "url": format!("http://{host}/hook"), "events": ["run.succeeded", "run.failed"] });
    let (webhook, signing) = webhooks.create(tenant, hook, "user:ada").await.unwrap();
    let dispatcher = webhooks.dispatcher(host.parse().unwrap(), DispatcherOptions::default()).unwrap();

    let mut scan = Scan::default();
    let providers: [(Wire, &str, Arc<dyn ModelProvider>); 2] =
        [(Wire::Anthropic, "by_anthropic", anthropic), (Wire::Chat, "by_openai", openai)];
    for (wire, agent, provider) in &providers {
        let says = format!("I hold {text}.");
        mimic.answer([
            wire.turn(&says, &TOOLS[..5], &json!({ "say": text, &text: text })),
            wire.turn(&says, &[], &json!({})),
        ]);
        let run = stage.run(agent).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
        stage.look(&mut scan, &run).await;
        mimic.answer([wire.turn("", &TOOLS[5..], &json!({}))]);
        let run = stage.run(agent).await;
        assert_eq!(run.status, RunStatus::Failed);
        stage.look(&mut scan, &run).await;
        for answers in refusals(*wire) {
            mimic.answer(answers);
            let run = stage.run(agent).await;
            assert_eq!(run.status, RunStatus::Failed);
            stage.look(&mut scan, &run).await;
        }
        // What somebody gets who asks a provider without a runtime: its own key at least.
        for answers in refusals(*wire) {
            mimic.answer(answers.into_iter().take(1));
            let own = Answer::new(401, json!({ "error": { "message": written(KEY) } }).to_string());
            mimic.answer([own.clone(), own]);
            for error in [
                provider.complete(question(Arc::new([]))).await.map(drop),
                provider.complete(question(Arc::new([]))).await.map(drop),
                provider.probe(&Secret::new(KEY)).await,
            ] {
                let error = error.unwrap_err();
                scan_own(&mut scan, &format!("{error} {error:?}"));
            }
        }
        scan.look("the providers", format!("{provider:?} {:?}", provider.secrets()).as_bytes());
    }

    let totals = dispatcher.run_once().await.unwrap();
    assert_eq!(totals.delivered, 2 * 9, "{totals:?}");
    while let Ok((headers, body)) = sent.try_recv() {
        standardwebhooks::Webhook::new(signing.expose()).unwrap().verify(&body, &headers).unwrap();
        scan.look("the messages", &[format!("{headers:?}").as_bytes(), &body].concat());
    }
    let deliveries = webhooks.deliveries(tenant, webhook.id, PageRequest::largest(None)).await.unwrap();
    scan.look("the deliveries", format!("{deliveries:?} {webhook:?}").as_bytes());
    scan.look("the debug of all parts", format!("{runtime:?} {webhooks:?} {dispatcher:?} {store:?}").as_bytes());
    scan.look("the numbers", format!("{counters} {counters:?}").as_bytes());
    let logs = heard.lines();
    for heard in ["invoke_agent", "chat", "execute_tool", "calling again", "run left"] {
        assert!(logs.iter().any(|line| line.contains(heard)), "{heard} was not heard");
    }
    scan.look("the log", logs.join("\n").as_bytes());
    store.close().await;
    look_at_files(&mut scan, folder.path());

    // A key is where it may be, and is found there; what goes with it is clean.
    let mut allowed = Scan::default();
    for (headers, body) in mimic.got() {
        allowed.look("the headers of a request", headers.as_bytes());
        if !body.is_empty() {
            scan.look("the body of a request", body.as_bytes());
        }
    }
    assert!(allowed.found(&forms(KEY.as_bytes())).len() >= 2 * 9, "a key is found where it is");
    let places: Vec<_> = scan.places().into_iter().collect();
    assert_eq!(
        places,
        [
            "the body of a request",
            "the debug of all parts",
            "the deliveries",
            "the error of a provider",
            "the events",
            "the failure",
            "the files",
            "the journal",
            "the log",
            "the messages",
            "the numbers",
            "the providers",
            "the run",
            "the story",
        ]
    );
    assert!(scan.bytes() > 500_000, "{} bytes were looked at", scan.bytes());
    for secret in [KEY, FOUND, signing.expose(), signing.expose().trim_start_matches("whsec_")] {
        scan.expect_none_of(&forms(secret.as_bytes()));
    }
    for place in ["the journal", "the failure", "the body of a request", "the error of a provider"] {
        assert!(scan.has(place, "[secret]"), "what was planted never came to {place}");
    }
}

fn scan_own(scan: &mut Scan, text: &str) {
    // A provider knows no secret but its own.
    let others = forms(FOUND.as_bytes()).into_iter().filter(|form| form.name != "as a list of bytes");
    let text = others.fold(text.to_owned(), |text, form| text.replace(&String::from_utf8(form.bytes).unwrap(), ""));
    scan.look("the error of a provider", text.as_bytes());
}

fn look_at_files(scan: &mut Scan, folder: &Path) {
    for (_, bytes) in files(folder) {
        scan.look("the files", &bytes);
    }
}
