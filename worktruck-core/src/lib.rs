//! The domain, the rules and the ports of Worktruck, without IO.
//!
//! Core knows no runtime, database, network, clock or source of randomness: functions take `now`,
//! and everything outside is a port.

pub mod backtest;
mod digest;
pub mod entity;
mod error;
pub mod executor;
pub mod guardrail;
mod id;
pub mod journal;
pub mod model;
mod money;
mod page;
pub mod pim;
pub mod pricing;
pub mod recurrence;
pub mod run;
pub mod schedule;
#[cfg(feature = "schema")]
mod schema;
mod secret;
pub mod store;
pub mod temporal;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
pub mod tool;
pub mod undo;

pub use digest::Digest;
pub use error::{Error, ErrorKind, Result};
pub use id::{ApiKeyId, ApprovalId, DeliveryId, DerivedIds, EntityId, IdSource, ItemId, RunId, StepId, TenantId};
pub use money::NanoUsd;
pub use page::{Cursor, Page, PageRequest};
pub use secret::Secret;
pub use time::{Clock, Period, Timestamp};
