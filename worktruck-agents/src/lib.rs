//! The runtime of Worktruck: workers, model providers, tools and blueprints that run agents
//! durably over a store.

pub mod blueprint;
pub mod clock;
mod driver;
mod held;
pub mod import;
pub mod providers;
mod runtime;
mod worker;

pub use runtime::{Runtime, RuntimeBuilder};
pub use worker::{Worker, WorkerOptions};
