//! The runtime of Worktruck: workers, model providers, tools and blueprints that run agents
//! durably over a store.
//!
//! A [`Runtime`] puts a store, tools and [blueprints](blueprint::Blueprint) together and accepts
//! runs; a [`Worker`] executes them. A store in one file is in the crate `worktruck-store-sqlite`.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use worktruck_agents::blueprint::Blueprint;
//! use worktruck_agents::{Runtime, blueprints, tools};
//! use worktruck_core::TenantId;
//! use worktruck_core::run::RunStatus;
//! use worktruck_core::store::{MemoryStore, NewTenant, TenantStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> worktruck_core::Result<()> {
//! let store = Arc::new(MemoryStore::default());
//! // The rules that ship with the blueprint play its model.
//! let deduper = Blueprint { default_model: "local/rules".into(), ..blueprints::contact_deduper() };
//! let runtime = Runtime::builder(store.clone()).tools(tools::builtin()).blueprint(deduper).build()?;
//! let tenant = TenantId::new(runtime.ids(), runtime.now());
//! store.create_tenant(NewTenant::new(tenant, "acme"), runtime.now()).await?;
//!
//! let new = runtime.new_run("contact_deduper", serde_json::json!({ "max_candidates": 100 }));
//! let run = runtime.enqueue(tenant, new).await?;
//! assert_eq!(run.status, RunStatus::Queued);
//! // No worker has it yet, so it ends at once.
//! assert_eq!(runtime.cancel(tenant, run.id, None).await?.status, RunStatus::Cancelled);
//! # Ok(())
//! # }
//! ```

pub mod approvals;
pub mod blueprint;
pub mod blueprints;
pub mod breaker;
pub mod byok;
pub mod clock;
pub mod dedupe;
mod driver;
pub mod export;
mod folder;
pub mod fork;
mod held;
pub mod import;
pub mod integrations;
mod listeners;
pub mod metrics;
pub mod net;
pub mod providers;
mod queues;
pub mod retention;
mod runtime;
pub mod scheduler;
mod stream;
mod telemetry;
pub mod tools;
pub mod undo;
pub mod vault;
pub mod webhooks;
mod worker;

pub use runtime::{MOST_RUNS, Runtime, RuntimeBuilder};
pub use worker::{Worker, WorkerOptions};
