//! The PostgreSQL store of Worktruck: runs, journals and bitemporal entities for a fleet of workers.
//!
//! A [`PgStore`] keeps everything in a schema of its own, so that it can share a database with an
//! application. Any number of processes on any number of machines may work on one schema: a run is
//! executed by the one that holds its lease.
//!
//! A write is read, decided by the rules of `worktruck-core`, and then made by one statement that
//! takes effect only if what was decided on still holds. No transaction stays open while this
//! process thinks, so that a process that is stopped in the middle keeps no lock. Only where other
//! processes were faster, the tenant is locked before it is read again; of a process that is stopped
//! then, the server takes the lock back after ten seconds.
//!
//! Whether the tables are what the store promises is found out by [`PgStore::verify`], say of a backup
//! that was restored.
//!
//! # Ask with SQL
//!
//! The schema has views for people: one for each kind of entity (`contacts`, `deals`, `tasks`,
//! `calendar_events`, `notes` and all the others) and `entities` for all kinds together say what holds
//! now, `entity_history` what was known when about which time, `commits` who wrote it, and `runs`,
//! `steps` and `events` what agents did. Their columns have the names of the fields in JSON and types
//! of PostgreSQL; open ends of time are `infinity`, and `\d+` says what each column is.
//! What a blueprint cost, by day:
//!
//! ```sql
//! SELECT date_trunc('day', created_at) AS day, count(*) AS runs, sum(cost_usd) AS dollars
//! FROM worktruck.runs WHERE agent_blueprint = 'contact_deduper' GROUP BY day ORDER BY day;
//! ```
//!
//! Conditions on `tenant_id`, `kind`, `id`, `agent_blueprint`, `run_id` and `seq` are looked up in
//! indexes; others read all that the tenant has.
//!
//! Whoever owns the tables sees every tenant there. [`PgStore::let_read`] lets another role of the
//! database read the rows of one tenant and no others, whatever it asks. The tables behind the views
//! may change with every version; the views are for relying on.

mod access;
mod api_key;
mod audit;
mod clock;
mod entity;
mod error;
mod group;
mod link;
mod migrate;
mod options;
mod outbox;
mod request;
mod retention;
mod rows;
mod run;
mod secret;
mod statement;
mod store;
mod tenant;
#[cfg(all(feature = "testing", unix))]
pub mod testing;
mod usage;
mod verify;
mod work;
mod writer;

pub use options::PgOptions;
pub use store::PgStore;
pub use verify::Finding;
