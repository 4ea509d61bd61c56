//! A tool of one's own is a function with a typed input, and an agent that uses it is a list of facts.
//!
//! `cargo run --release --example 05_own_tool`

#![expect(clippy::print_stderr, reason = "an example says what went wrong")]

use std::process::ExitCode;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use worktruck_agents::Runtime;
use worktruck_agents::tools::FnTool;
use worktruck_core::store::{MemoryStore, NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::testing::script::Reply;
use worktruck_core::tool::{Tool as _, ToolError};
use worktruck_core::{Result, TenantId};
use worktruck_examples::agent::{agent, scripted, work};
use worktruck_examples::report::print;

/// What the model hands in. The comments of the fields are descriptions for it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Stay {
    /// How many nights.
    nights: u32,
    /// The kind of room.
    room: Room,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Room {
    Single,
    Double,
}

/// What it gets back.
#[derive(Serialize)]
struct Price {
    euros: u32,
}

/// The whole tool.
fn stay_price() -> FnTool {
    FnTool::read("stay_price", "Price of a stay", "What a stay costs.", async |_context, stay: Stay| {
        if stay.nights == 0 {
            return Err(ToolError::new("nights must be at least 1"));
        }
        let each = if matches!(stay.room, Room::Single) { 80 } else { 120 };
        Ok(Price { euros: each * stay.nights })
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    match offer().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn offer() -> Result<()> {
    print(&format!("What the model is told of the input:\n\n{:#}\n", stay_price().spec().input_schema))?;

    // A model that makes two mistakes, so that no key and no network are needed.
    let model = scripted([
        Reply::calls([("stay_price", json!({ "nights": 3, "room": "suite" }))]),
        Reply::calls([("stay_price", json!({ "nights": 0, "room": "double" }))]),
        Reply::calls([("stay_price", json!({ "nights": 3, "room": "double" }))]),
        Reply::text("Three nights in a double room are 360 euros."),
    ]);
    let store = Arc::new(MemoryStore::default());
    let runtime = Runtime::builder(store.clone())
        .provider("scripted", model)
        .tool(Arc::new(stay_price()))
        .blueprint(agent("receptionist", &["stay_price"]))
        .build()?;
    let tenant = TenantId::new(runtime.ids(), runtime.now());
    store.create_tenant(NewTenant::new(tenant, "hotel"), runtime.now()).await?;
    let run = runtime.enqueue(tenant, runtime.new_run("receptionist", json!({}))).await?.id;
    let run = work(&runtime, tenant, run).await?;

    print("What it asks, and what it is answered:\n")?;
    for step in store.journal(tenant, run.id).await?.unwrap_or_default().steps {
        if step.name == "stay_price" {
            print(&format!("  {} -> {}: {}", step.input, step.outcome.as_str(), step.output.unwrap_or_default()))?;
        }
    }
    print(&format!("\n{}", run.output.unwrap_or_default()["text"].as_str().unwrap_or_default()))
}
