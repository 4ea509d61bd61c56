//! The embedded SQLite store of Worktruck: runs, journals and bitemporal entities in one file.
//!
//! A [`SqliteStore`] needs no server. Its writes go through one task that commits what is queued
//! together, with `synchronous=FULL`: what it has answered survives a power cut. Reads go on in
//! parallel. Several processes may use the same file.
//!
//! # Examples
//!
//! ```
//! use worktruck_core::store::{NewTenant, TenantStore};
//! use worktruck_core::Timestamp;
//! use worktruck_store_sqlite::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let url = format!("sqlite://{}", folder.path().join("crm.db").display());
//! let store = SqliteStore::open(&url).await?;
//! let acme = NewTenant::new("0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?, "acme");
//! let made = store.create_tenant(acme, Timestamp::EPOCH).await?;
//! assert_eq!(store.tenant_by_slug("acme").await?, Some(made));
//! store.close().await;
//! # Ok(())
//! # }
//! ```

mod api_key;
mod audit;
mod checkpoint;
mod entity;
mod error;
mod options;
mod outbox;
mod request;
mod retention;
mod rows;
mod run;
mod secret;
mod store;
mod tenant;
mod usage;
mod work;
mod writer;

pub use options::SqliteOptions;
pub use store::SqliteStore;
