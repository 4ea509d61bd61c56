//! The runtime of Worktruck: workers, model providers, tools and blueprints that run agents
//! durably over a store.

pub mod blueprint;
pub mod blueprints;
pub mod clock;
pub mod dedupe;
mod driver;
mod held;
pub mod import;
pub mod providers;
mod runtime;
pub mod tools;
mod worker;

pub use runtime::{Runtime, RuntimeBuilder};
pub use worker::{Worker, WorkerOptions};
