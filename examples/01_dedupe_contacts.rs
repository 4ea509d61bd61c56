//! A file of people in, a durable agent run, proposed merges out.
//!
//! `cargo run --release --example 01_dedupe_contacts -- --help` says what it can do.
#![expect(clippy::print_stderr, reason = "a command talks to its user")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use serde_json::json;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::import::{self, Format, Options, Target};
use worktruck_agents::providers::Anthropic;
use worktruck_agents::{Runtime, WorkerOptions, blueprints, tools};
use worktruck_core::entity::agent_config::AgentConfig;
use worktruck_core::run::RunStatus;
use worktruck_core::store::RunStore as _;
use worktruck_core::{Clock as _, Digest, Error, Result, pricing};
use worktruck_examples::place::Place;
use worktruck_examples::progress::{bar, until_ended};
use worktruck_examples::report::{Report, print, print_problems};

/// Finds people who are recorded more than once, and proposes merges with reasons.
///
/// Nothing is merged. A run that was broken off goes on when the same command is given again.
#[derive(Debug, Parser)]
struct Args {
    /// A CSV or vCard file; the sample file if absent.
    ///
    /// CSV columns, in any order: uid, given_name, middle_name, family_name, display_name, email, phone, street,
    /// city, region, postal_code, country, birthday, identifier, organization, title, note.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Where to keep contacts, run and proposals, such as sqlite://people.db; a temporary file if absent.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// `local` (rules, no key, no network) or a model such as claude-haiku-5-5, with ANTHROPIC_API_KEY set.
    #[arg(long, default_value = "local")]
    model: String,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match dedupe(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn dedupe(args: &Args) -> Result<bool> {
    let path = args.input.clone().unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/data/people.csv").into());
    let source = path.display().to_string();
    let bytes = std::fs::read(&path).map_err(|e| Error::invalid(format!("cannot read {source}: {e}")))?;
    let purpose = Digest::of_json(&(Digest::of_bytes(&bytes), &args.model))?;
    let (ids, clock) = (RandomIds::new(), SystemClock::new());
    let parsed =
        import::parse(&source, &bytes, Format::detect(&source, &bytes), &Options::default(), &ids, clock.now())?;

    let place = Place::find(args.store.clone(), &purpose)?;
    let (store, tenant, unfinished) = place.open(&ids, &clock).await?;
    let store = Arc::new(store);
    let runtime = runtime(args, store.clone())?;
    let run = match unfinished.filter(|run| run.metadata.get("purpose") == Some(&json!(purpose))) {
        Some(run) => run,
        None => {
            let bar = bar(args.json, Some(parsed.contacts.len()), "importing");
            let target = Target { store: &*store, tenant, ids: &ids, clock: &clock, captured_by: "example" };
            let report = import::load(target, parsed, |done| bar.set_position(done as u64)).await?;
            bar.finish_and_clear();
            print_problems(&source, &report.errors);
            let blueprint = blueprints::contact_deduper();
            let config = AgentConfig { guardrails: blueprint.default_guardrails, ..AgentConfig::new(blueprint.name) };
            runtime.save_config(tenant, AgentConfig { model: Some(model(args)?), ..config }, "example").await?;
            let mut new = runtime.new_run("contact_deduper", json!({}));
            new.metadata.insert("purpose".to_owned(), json!(purpose));
            runtime.enqueue(tenant, new).await?
        }
    };

    let bar = bar(args.json, None, "deduplicating");
    runtime.worker(WorkerOptions::default()).run_until(until_ended(&runtime, tenant, &run, &bar)).await;
    bar.finish_and_clear();
    let run = store.run(tenant, run.id).await?.unwrap_or(run);
    if !run.status.is_terminal() {
        return Err(Error::unavailable("interrupted; the same command goes on from here"));
    }
    if let Some(detail) = &run.failure_detail {
        eprintln!("error: the run failed: {detail}");
    }
    let report = Report::read(&*store, tenant, run.clone(), clock.now()).await?;
    print(&if args.json { report.to_json().to_string() } else { report.to_text(60) })?;
    store.close().await;
    place.clear();
    Ok(run.status == RunStatus::Succeeded)
}

fn runtime(args: &Args, store: Arc<worktruck_store_sqlite::SqliteStore>) -> Result<Runtime> {
    let mut builder = Runtime::builder(store).tools(tools::builtin()).blueprint(blueprints::contact_deduper());
    if !model(args)?.starts_with("local/") {
        builder = builder.provider("anthropic", Arc::new(Anthropic::from_env()?));
    }
    builder.build()
}

/// The full name of the model.
fn model(args: &Args) -> Result<String> {
    pricing::model_name(if args.model == "local" { "local/rules" } else { &args.model })
}
