//! An agent asks a person about a call, waits with nothing in memory, and goes on with what they answered.
//!
//! `cargo run --release --example 06_approval`

#![expect(clippy::print_stderr, reason = "an example says what went wrong")]

use std::process::ExitCode;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use worktruck_agents::Runtime;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::tools::FnTool;
use worktruck_core::guardrail::{Gate, OnExpiry, Rule, RuleKind};
use worktruck_core::run::{Answer, ApprovalStatus, Decision};
use worktruck_core::store::{ApprovalQuery, NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::testing::script::Reply;
use worktruck_core::tool::ToolContext;
use worktruck_core::{Error, Result, TenantId};
use worktruck_examples::agent::{agent, scripted, work};
use worktruck_examples::report::print;
use worktruck_store_sqlite::SqliteStore;

#[derive(Debug, Deserialize, JsonSchema)]
struct Mail {
    to: String,
    subject: String,
    discount_percent: u8,
}

#[derive(Serialize)]
struct Sent {
    sent_to: String,
    subject: String,
    discount_percent: u8,
}

#[tokio::main]
async fn main() -> ExitCode {
    match ask().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn ask() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::unavailable("there is no temporary folder").with_source(e))?;
    let store = Arc::new(SqliteStore::open(&format!("sqlite://{}", folder.path().join("mails.db").display())).await?);
    let mail = json!({ "to": "ada@example.com", "subject": "Your offer", "discount_percent": 50 });
    let model = scripted([Reply::calls([("mail_send", mail)]), Reply::text("The offer is on its way.")]);
    let runtime = Runtime::builder(store.clone())
        .provider("scripted", model)
        .tool(Arc::new(mail_send()))
        .blueprint(seller())
        .build()?;
    let tenant = TenantId::new(runtime.ids(), runtime.now());
    store.create_tenant(NewTenant::new(tenant, "shop"), runtime.now()).await?;

    let run = runtime.enqueue(tenant, runtime.new_run("seller", json!({}))).await?.id;
    let waiting = work(&runtime, tenant, run).await?;
    print(&format!("The run is {}. A person is asked:\n", waiting.status))?;
    let query = ApprovalQuery { status: Some(ApprovalStatus::Pending), ..ApprovalQuery::default() };
    let asked = runtime.approvals(tenant, query).await?.data;
    for approval in &asked {
        print(&format!("  {} {}", approval.tool, approval.input))?;
        print(&format!("  {}", approval.summary.as_deref().unwrap_or_default()))?;
    }
    let approval = asked.first().ok_or_else(|| Error::internal("nobody is asked"))?;

    // An edited input is checked as the model's own: the tool's schema and all other rules hold for it.
    let edited = |discount: u32| Answer {
        approval: approval.id,
        decision: Decision::Approve {
            edited_input: Some(
                json!({ "to": "ada@example.com", "subject": "Your offer", "discount_percent": discount }),
            ),
        },
        actor: Some("user:mira".to_owned()),
        note: Some("10 percent is enough".to_owned()),
    };
    if let Err(error) = runtime.answer(tenant, edited(1_000)).await {
        print(&format!("\nA typing error is refused ({}), and the question stays open.", error.kind()))?;
    }
    runtime.answer(tenant, edited(10)).await?;
    print("Mira approves it with a discount of 10 percent.\n")?;

    work(&runtime, tenant, run).await?;
    for step in store.journal(tenant, run).await?.unwrap_or_default().steps {
        if step.name == "mail_send" {
            print(&format!("  {} -> {}\n", step.input, step.output.unwrap_or_default()))?;
        }
    }
    print(&format!("The story of the run:\n\n{}", runtime.timeline(tenant, run).await?))?;
    store.close().await;
    Ok(())
}

/// An agent that may send mail if a person agrees.
fn seller() -> Blueprint {
    let gate = Gate {
        expires_secs: 86_400,
        on_expiry: OnExpiry::Reject,
        summary: Some("Mail to customers is read by somebody before it goes out.".to_owned()),
    };
    let mut blueprint = agent("seller", &["mail_send"]);
    blueprint.default_guardrails.push(Rule::new(RuleKind::ApprovalGate(gate), ["mail_*"]));
    blueprint
}

/// A tool that would reach outside; here it only says so.
fn mail_send() -> FnTool {
    FnTool::outside(
        "mail_send",
        "Send mail",
        "Sends a mail to a customer.",
        async |_context: ToolContext, mail: Mail| {
            Ok(Sent { sent_to: mail.to, subject: mail.subject, discount_percent: mail.discount_percent })
        },
    )
}
