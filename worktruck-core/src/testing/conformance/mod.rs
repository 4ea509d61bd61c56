//! The conformance suite for store backends: one named test for every promise of the ports.
//!
//! A backend brings a [`Fixture`] and one line; [`store_conformance!`](crate::store_conformance)
//! makes a `#[tokio::test]` of every scenario. The backend's test crate needs `tokio` with the
//! features `macros`, `rt-multi-thread` and `time`.
//!
//! ```
//! # #![allow(dead_code)]
//! use std::sync::Arc;
//!
//! use worktruck_core::store::{MemoryStore, Store};
//! use worktruck_core::testing::conformance::Fixture;
//!
//! struct Memory;
//!
//! impl Fixture for Memory {
//!     type Guard = ();
//!
//!     async fn fresh() -> (Arc<dyn Store>, ()) {
//!         (Arc::new(MemoryStore::default()), ())
//!     }
//! }
//!
//! worktruck_core::store_conformance!(Memory);
//! ```
//!
//! A scenario is a function of a [`Stage`]: a store that nobody else uses, and what core lacks to
//! put it under load. Time is an argument everywhere and ids are fixed, so that a scenario asks the
//! same of every backend. Whoever does not use `tokio` walks [`SCENARIOS`] and [`OPERATIONS`] on a stage of
//! their own.

mod build;
mod operations;
mod scenarios;
mod stage;

pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod calendar;
pub mod claim;
pub mod commit;
pub mod contacts;
pub mod costs;
pub mod crm;
mod desk;
pub mod enqueue;
pub mod entity_list;
pub mod entity_read;
pub mod entity_write;
pub mod feed;
pub mod forks;
pub mod integrations;
pub mod journal;
pub mod lease;
pub mod limits;
mod meddler;
pub mod moves;
pub mod notes;
pub mod outbox;
pub mod periods;
pub mod programs;
pub mod records;
pub mod requests;
pub mod retention;
pub mod run_commits;
pub mod schedules;
pub mod search;
pub mod secrets;
pub mod selection;
pub mod signal;
pub mod slices;
pub mod tasks;
pub mod tenant;
pub mod travel;
pub mod turns;
pub mod undo;
pub mod usage;
pub mod wake;

use std::sync::Arc;

use crate::store::Store;

pub use scenarios::{OPERATIONS, SCENARIOS, Scenario};
pub use stage::{Stage, Task};

/// Brings the stores that scenarios run on.
pub trait Fixture {
    /// What must outlive the store: a temporary directory, a database to be dropped.
    type Guard;

    /// A new, empty store, and what must outlive it.
    fn fresh() -> impl Future<Output = (Arc<dyn Store>, Self::Guard)>;
}
