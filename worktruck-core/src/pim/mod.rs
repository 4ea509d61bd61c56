//! The operations over contacts, deals, tasks, events and notes.
//!
//! An operation reads through an [`Operation`] and returns [`Changes`](crate::store::Changes); whoever called it
//! commits them. [`Records`] does both for an application, an agent's tool commits them with its step.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use worktruck_core::entity::contact::Contact;
//! use worktruck_core::pim::Pim;
//! use worktruck_core::store::MemoryStore;
//! # use worktruck_core::testing::{CountingIds, SimClock};
//! # use worktruck_core::{TenantId, Timestamp};
//! # async fn example(tenant: TenantId, clock: Arc<SimClock>, ids: Arc<CountingIds>) -> worktruck_core::Result<()> {
//! let pim = Pim::new(Arc::new(MemoryStore::default()), clock, ids);
//! let ada = pim.contacts(tenant).create(Contact { display_name: "Ada".to_owned(), ..Contact::default() }).await?;
//! assert_eq!(pim.contacts(tenant).get(ada.id).await?.data.display_name, "Ada");
//! # Ok(())
//! # }
//! # let (clock, ids) = (Arc::new(SimClock::starting_at(Timestamp::EPOCH)), Arc::new(CountingIds::new(1)));
//! # futures::executor::block_on(example("0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse().unwrap(), clock, ids)).unwrap();
//! ```

pub mod calendar;
pub mod contacts;
pub mod crm;
mod history;
pub mod integrations;
mod listing;
pub mod nested;
pub mod notes;
mod operation;
mod part;
mod purge;
mod record;
mod records;
pub mod schedules;
pub mod search;
mod stored;
pub mod tasks;
mod travel;
mod tried;
pub mod webhooks;
mod write;

pub use history::HistoryEntry;
pub use listing::Listing;
pub use nested::Nested;
pub use operation::{MOST_TOGETHER, Operation};
pub use record::{ByTime, Everything, Filter, Record};
pub use records::{Pim, Records};
pub use stored::{Stored, Temporal};
pub use travel::{Difference, FieldEntry};
pub use tried::{TriedChange, tried_changes};
pub use write::{Deleting, Writing, create, delete, replace, update};
