//! The PostgreSQL store of Worktruck: runs, journals and bitemporal entities for a fleet of workers.
//!
//! A [`PgStore`] keeps everything in a schema of its own, so that it can share a database with an
//! application. Any number of processes on any number of machines may work on one schema: a run is
//! executed by the one that holds its lease.
//!
//! A write is read, decided by the rules of `worktruck-core`, and then made by one statement that
//! takes effect only if what was decided on still holds. No transaction stays open while this
//! process thinks, so that a process that is stopped in the middle keeps no lock.

mod access;
mod clock;
mod entity;
mod error;
mod group;
mod migrate;
mod options;
mod rows;
mod run;
mod statement;
mod store;
mod tenant;
#[cfg(all(feature = "testing", unix))]
pub mod testing;
mod work;
mod writer;

pub use options::PgOptions;
pub use store::PgStore;
