//! The parts of an example that kills its worker.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use worktruck_agents::import::{self, Format, Options, Target};
use worktruck_agents::tools::{self, ContactsProposeMerge};
use worktruck_agents::{Runtime, Worker, WorkerOptions, blueprints};
use worktruck_core::entity::agent_config::AgentConfig;
use worktruck_core::journal::Journal;
use worktruck_core::run::Run;
use worktruck_core::store::{NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::tool::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use worktruck_core::{Error, Result, RunId, TenantId};
use worktruck_store_sqlite::SqliteStore;

use crate::report::Report;

/// How long a lease lasts here: a crashed run is taken over after that. The default, 30 seconds,
/// would be long to watch.
pub const LEASE: Duration = Duration::from_secs(1);

const PEOPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/people.csv");

/// A store with the sample people in it, and a run that looks for duplicates among them.
#[derive(Debug)]
pub struct Case {
    store: Arc<SqliteStore>,
    runtime: Runtime,
    tenant: TenantId,
    run: RunId,
}

impl Case {
    /// Makes the store at `url`, imports the people and accepts the run. Nobody executes it yet.
    ///
    /// # Errors
    ///
    /// Those of the store, and `InvalidRequest` if the sample file is missing.
    pub async fn prepare(url: &str) -> Result<Self> {
        let store = Arc::new(SqliteStore::open(url).await?);
        let runtime = runtime(Arc::clone(&store), tools::builtin())?;
        let (ids, clock) = (runtime.ids(), worktruck_agents::clock::SystemClock::new());
        let tenant = TenantId::new(ids, runtime.now());
        store.create_tenant(NewTenant::new(tenant, "example"), runtime.now()).await?;
        let bytes = std::fs::read(PEOPLE).map_err(|e| Error::invalid(format!("cannot read {PEOPLE}: {e}")))?;
        let parsed = import::parse(PEOPLE, &bytes, Format::Csv, &Options::default(), ids, runtime.now())?;
        let target = Target { store: &*store, tenant, ids, clock: &clock, captured_by: "example" };
        import::load(target, parsed, |_| {}).await?;
        let blueprint = blueprints::contact_deduper();
        let config = AgentConfig {
            model: Some("local/rules".to_owned()),
            guardrails: blueprint.default_guardrails,
            ..AgentConfig::new(blueprint.name)
        };
        runtime.save_config(tenant, config, "example").await?;
        let run = runtime.enqueue(tenant, runtime.new_run("contact_deduper", json!({}))).await?.id;
        Ok(Self { store, runtime, tenant, run })
    }

    /// Executes the run in this process until it has ended.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn finish(&self) -> Result<()> {
        let ended = async {
            while !matches!(self.run().await, Ok(run) if run.status.is_terminal()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        worker(&self.runtime).run_until(ended).await;
        Ok(())
    }

    /// The run as it is.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn run(&self) -> Result<Run> {
        let run = self.store.run(self.tenant, self.run).await?;
        run.ok_or_else(|| Error::not_found(format!("run {}", self.run)))
    }

    /// What is journaled of the run.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn journal(&self) -> Result<Journal> {
        let journal = self.store.journal(self.tenant, self.run).await?;
        journal.ok_or_else(|| Error::not_found(format!("the journal of run {}", self.run)))
    }

    /// The people of each proposed merge, by their uid in the file, in a fixed order.
    ///
    /// # Errors
    ///
    /// `Internal` if the chain of the journal does not verify.
    pub async fn proposals(&self) -> Result<Vec<Vec<String>>> {
        let report = Report::read(&*self.store, self.tenant, self.run().await?, self.runtime.now()).await?.to_json();
        let clusters = report["clusters"].as_array().cloned().unwrap_or_default();
        let mut proposals: Vec<Vec<String>> = clusters
            .iter()
            .map(|cluster| {
                let uids = cluster["uids"].as_array().into_iter().flatten();
                let mut uids: Vec<String> = uids.filter_map(|uid| uid.as_str().map(str::to_owned)).collect();
                uids.sort();
                uids
            })
            .collect();
        proposals.sort();
        Ok(proposals)
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// Executes whatever is in the store at `url` and, when it is about to make proposal number
/// `calls`, calls `ready` and waits to be killed.
///
/// # Errors
///
/// Those of the store.
pub async fn work_until_killed(url: &str, calls: u32, ready: fn()) -> Result<()> {
    let store = Arc::new(SqliteStore::open(url).await?);
    let mut tools = tools::builtin();
    let last = Mortal { tool: ContactsProposeMerge::default(), left: AtomicU32::new(calls), ready };
    tools.retain(|tool| tool.spec().name != last.tool.spec().name);
    tools.push(Arc::new(last));
    worker(&runtime(store, tools)?).run_until(pending()).await;
    Ok(())
}

fn runtime(store: Arc<SqliteStore>, tools: Vec<Arc<dyn Tool>>) -> Result<Runtime> {
    Runtime::builder(store).tools(tools).blueprint(blueprints::contact_deduper()).lease(LEASE).build()
}

fn worker(runtime: &Runtime) -> Worker {
    runtime.worker(WorkerOptions { poll: LEASE / 10, ..WorkerOptions::default() })
}

/// A tool whose process dies during one of its calls.
#[derive(Debug)]
struct Mortal {
    tool: ContactsProposeMerge,
    left: AtomicU32,
    ready: fn(),
}

#[async_trait]
impl Tool for Mortal {
    fn spec(&self) -> Arc<ToolSpec> {
        self.tool.spec()
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            (self.ready)();
            pending::<()>().await;
        }
        self.tool.call(context, input).await
    }
}
