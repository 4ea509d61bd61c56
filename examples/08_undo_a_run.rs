//! An agent edits contacts, a person edits one of them afterwards, and the run is undone: first it is refused, and said
//! why. Then the run is taken out of its store as a document, and checked.
//!
//! `cargo run --release --example 08_undo_a_run`

#![expect(clippy::print_stderr, reason = "an example says what went wrong")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::providers::Policy;
use worktruck_agents::undo::{Force, Obstacles, RunChange, replay_check};
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::entity::Kind;
use worktruck_core::entity::contact::Contact;
use worktruck_core::guardrail::{Rule, RuleKind};
use worktruck_core::journal::RunExport;
use worktruck_core::model::{Block, Message, ModelRequest};
use worktruck_core::pim::contacts::ContactFilter;
use worktruck_core::pim::{Pim, Records};
use worktruck_core::store::{Changes, EntityKey, NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::temporal::WriteOp;
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};
use worktruck_core::{EntityId, Error, PageRequest, Result, TenantId};
use worktruck_examples::report::print;
use worktruck_store_sqlite::{SqliteOptions, SqliteStore};

#[tokio::main]
async fn main() -> ExitCode {
    match undo().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn undo() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::unavailable("there is no temporary folder").with_source(e))?;
    let store = Arc::new(SqliteStore::open_with(SqliteOptions::new(folder.path().join("undo.db"))).await?);
    let runtime = Runtime::builder(store.clone()).tool(Arc::new(Tidy::default())).blueprint(tidier()).build()?;
    let tenant = TenantId::new(runtime.ids(), runtime.now());
    store.create_tenant(NewTenant::new(tenant, "acme"), runtime.now()).await?;
    let pim = Pim::new(store.clone(), Arc::new(SystemClock::new()), Arc::new(RandomIds::new()));
    let contacts = pim.contacts(tenant).by("mira");
    for name in ["ada lovelace", "BOB SMITH", "test test"] {
        contacts.create_from(json!({ "display_name": name })).await?;
    }
    print(&format!("There are: {}", names(&contacts).await?))?;

    print("\nAn agent tidies them up:\n")?;
    let found = contacts.list(ContactFilter::default()).all().await?;
    let input = json!({ "contacts": found.iter().map(|it| json!([it.id, it.data.display_name])).collect::<Vec<_>>() });
    let run = runtime.enqueue(tenant, runtime.new_run("tidier", input)).await?.id;
    let ended = async {
        while !matches!(store.run(tenant, run).await, Ok(Some(run)) if run.status.is_terminal()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    runtime.worker(WorkerOptions::default()).run_until(ended).await;
    for change in runtime.changes(tenant, run, PageRequest::default()).await?.data {
        print(&format!("  step {}: {}", change.step_seq, told(&change)))?;
    }
    print(&format!("\nThere are: {}", names(&contacts).await?))?;

    print("\nMira goes on with what the agent left: Ada Lovelace is Ada King. Then the run is to be undone.\n")?;
    let ada = found.iter().find(|it| it.data.display_name.starts_with("ada")).map(|it| it.id);
    let ada = ada.ok_or_else(|| Error::internal("Ada is not there"))?;
    contacts.update(ada, json!({ "display_name": "Ada King" })).await?;
    match runtime.revert(tenant, run, &Force::None, "mira").await {
        Ok(_) => return Err(Error::internal("an edit was written over")),
        Err(error) => {
            let obstacles: Obstacles = serde_json::from_value(error.details().cloned().unwrap_or_default())
                .map_err(|e| Error::internal("the error has other details").with_source(e))?;
            print("It is refused:\n")?;
            for edited in obstacles.edited {
                let name = contacts.get(edited.entity.id).await?.data.display_name;
                for edit in edited.edits {
                    let (version, by) = (edit.version, edit.captured_by);
                    print(&format!("  {name} was edited since, by {by}, which is version {version}"))?;
                }
            }
        }
    }
    print(&format!("\nNothing was written. There are: {}", names(&contacts).await?))?;

    let force = format!("contact:{ada}").parse()?;
    let reverted = runtime.revert(tenant, run, &force, "mira").await?;
    print(&format!(
        "\nForced for her, it is undone: {} contacts are as before, in one commit.",
        reverted.entities.len()
    ))?;
    print(&format!("There are: {}", names(&contacts).await?))?;
    let again = runtime.revert(tenant, run, &Force::None, "mira").await?;
    print(&format!("Undone again: {} contacts to give back.", again.entities.len()))?;

    let text = runtime.export(tenant, run).await?.to_text()?;
    let export = RunExport::parse(&text)?;
    let report = replay_check(&export)?;
    let Some(valid) = Some(report.chain.valid).filter(|_| report.same) else {
        return Err(Error::internal(format!("the run would be another: {report:?}")));
    };
    print(&format!(
        "\nAs a document the run has {} steps. Its chain is valid: {valid}. This software would do the same: {} of {}.",
        export.journal.steps.len(),
        report.checked,
        report.steps
    ))
}

async fn names(contacts: &Records<Contact>) -> Result<String> {
    let all = contacts.list(ContactFilter::default()).all().await?;
    Ok(all.into_iter().map(|contact| contact.data.display_name).collect::<Vec<_>>().join(", "))
}

/// A change in plain words.
fn told(change: &RunChange) -> String {
    let name = |body: &Option<Value>| body.as_ref().map(|body| body["display_name"].as_str().unwrap_or("?").to_owned());
    match (name(&change.before), name(&change.after)) {
        (Some(before), Some(after)) => format!("{before} became {after}"),
        (None, Some(after)) => format!("{after} was entered"),
        (Some(before), None) => format!("{before} was deleted"),
        (None, None) => "nothing is left of it".to_owned(),
    }
}

/// An agent that writes names as names are written, and deletes what is a test. Its rules need no model.
fn tidier() -> Blueprint {
    Blueprint {
        name: "tidier".to_owned(),
        version: 1,
        title: "Tidier".to_owned(),
        description: "Tidies up names.".to_owned(),
        input_schema: json!({ "type": "object", "properties": { "contacts": { "type": "array" } } }),
        system_prompt: "Tidy up.".to_owned(),
        tools: vec![TIDY.to_owned()],
        default_model: "local/rules".to_owned(),
        default_budget_cents: None,
        default_deadline_seconds: 60,
        default_max_steps: 20,
        max_tokens: 1_000,
        default_guardrails: vec![Rule::new(RuleKind::Allowlist, [TIDY])],
        policy: Some(Arc::new(Tidying)),
    }
}

#[derive(Debug)]
struct Tidying;

impl Policy for Tidying {
    fn reply(&self, request: &ModelRequest) -> Result<Vec<Block>, String> {
        if request.messages.iter().any(|message| matches!(**message, Message::Assistant { .. })) {
            return Ok(vec![Block::Text { text: "Tidy.".to_owned() }]);
        }
        // The run's input is in the first message, behind a line of words.
        let first = json!(request.messages.first());
        let text = first["content"][0]["text"].as_str().unwrap_or_default();
        let (_, input) = text.split_once('\n').ok_or("the conversation has no input")?;
        let input: Value = serde_json::from_str(input).map_err(|e| e.to_string())?;
        let calls = input["contacts"].as_array().into_iter().flatten().enumerate().map(|(n, contact)| {
            let name = tidied(contact[1].as_str().unwrap_or_default());
            Block::ToolCall {
                id: format!("call_{n}"),
                name: TIDY.to_owned(),
                input: json!({ "id": contact[0], "name": name }),
            }
        });
        Ok(calls.collect())
    }
}

/// A name with its words begun by capitals; nothing if it is none.
fn tidied(name: &str) -> Option<String> {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        first + &letters.as_str().to_lowercase()
    };
    (!name.contains("test")).then(|| name.split(' ').map(word).collect::<Vec<_>>().join(" "))
}

const TIDY: &str = "contact_tidy";

/// `contact_tidy`: gives a contact another name, or deletes it if it gets none.
#[derive(Debug)]
struct Tidy {
    spec: Arc<ToolSpec>,
}

impl Default for Tidy {
    fn default() -> Self {
        let spec = ToolSpec {
            name: TIDY.to_owned(),
            title: "Tidy a contact".to_owned(),
            description: "Renames a contact; without a name, deletes it.".to_owned(),
            input_schema: json!({
                "type": "object",
                "properties": { "id": { "type": "string" }, "name": { "type": ["string", "null"] } },
                "required": ["id"],
                "additionalProperties": false
            }),
            effect: ToolEffect::Write,
            is_untrusted: false,
        };
        Self { spec: Arc::new(spec) }
    }
}

#[async_trait]
impl Tool for Tidy {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, _: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let id: EntityId = input["id"].as_str().unwrap_or_default().parse()?;
        let op = match input["name"].as_str() {
            Some(name) => WriteOp::Patch(json!({ "display_name": name })),
            None => WriteOp::Delete,
        };
        let changes = Changes::none().write(EntityKey::new(Kind::Contact, id), op);
        Ok(ToolOutput::new(json!({ "id": id })).with_changes(changes))
    }
}
