//! The store in memory: the reference for every backend, for examples and for tests.

mod api_key;
mod audit;
mod entities;
mod entity;
mod outbox;
mod request;
mod retention;
mod run;
mod runs;
mod secret;
mod tenant;
mod usage;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use event_listener::Event;

use crate::TenantId;

use super::Tenant;
use api_key::ApiKeys;
use audit::AuditLog;
use entities::Entities;
use outbox::Deliveries;
use runs::Runs;
use secret::Secrets;
use usage::Usage;

/// Keeps everything in this process, and loses it with it.
///
/// It does what the contracts of the ports say in the plainest way: one lock over ordered maps.
/// Nothing is written before everything is checked.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::entity::Kind;
/// use worktruck_core::store::{Changes, EntityKey, EntityStore, MemoryStore, Provenance};
/// use worktruck_core::temporal::At;
/// use worktruck_core::{TenantId, Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> worktruck_core::Result<()> {
/// let store = MemoryStore::default();
/// let tenant: TenantId = "0194a8b3-7e5a-77c1-9d0f-000000000001".parse()?;
/// let ada = EntityKey::new(Kind::Contact, "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?);
/// let now: Timestamp = "2026-04-14T12:00:00Z".parse()?;
///
/// let changes = Changes::none().create(ada, json!({ "display_name": "Ada" }));
/// let applied = store.apply(tenant, changes, Provenance::new("user:1", "user_edit"), now).await?;
/// assert_eq!((applied.tx_id, applied.at), (1, now));
/// assert!(store.entity(tenant, ada, At::NOW, now).await?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    work: Event,
}

#[derive(Debug, Default)]
struct State {
    tenants: BTreeMap<TenantId, Tenant>,
    entities: BTreeMap<TenantId, Entities>,
    runs: Runs,
    secrets: BTreeMap<TenantId, Secrets>,
    deliveries: Deliveries,
    audit: AuditLog,
    api_keys: ApiKeys,
    usage: Usage,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        // What a panicking thread leaves is whole: state changes only after all checks.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
