//! Webhooks: their secrets, what is sent to them again or for a try, and what sends it.
//!
//! What happens to a run is put into the store's [outbox](worktruck_core::store::Outbox) by the commit that makes it
//! happen. A [`Dispatcher`] sends it from there, signed as the [Standard Webhooks] specification says, until the
//! receiver has taken it: at least once, and of one run in order.
//!
//! [Standard Webhooks]: https://www.standardwebhooks.com

mod dispatcher;
mod secrets;
mod sign;

use std::sync::Arc;

use serde_json::{Value, json};
use worktruck_core::entity::webhook::Webhook;
use worktruck_core::pim::{Pim, Stored};
use worktruck_core::store::{Delivery, NewDelivery};
use worktruck_core::{DeliveryId, EntityId, Error, Page, PageRequest, Result, Secret, TenantId};

use crate::net::AllowedHosts;
use crate::runtime::Runtime;

pub use dispatcher::{Dispatcher, DispatcherOptions, Totals};
pub use secrets::{MemorySecrets, SigningSecrets};
pub use sign::SigningKeys;

/// The webhooks of a store, for an application.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use serde_json::json;
/// use worktruck_agents::Runtime;
/// use worktruck_agents::webhooks::{MemorySecrets, Webhooks};
/// use worktruck_core::TenantId;
/// use worktruck_core::store::{MemoryStore, NewTenant, TenantStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> worktruck_core::Result<()> {
/// let store = Arc::new(MemoryStore::default());
/// let runtime = Runtime::builder(store.clone()).build()?;
/// let tenant = TenantId::new(runtime.ids(), runtime.now());
/// store.create_tenant(NewTenant::new(tenant, "acme"), runtime.now()).await?;
///
/// let webhooks = Webhooks::new(&runtime, Arc::new(MemorySecrets::default()));
/// let body = json!({ "url": "https://example.com/hook", "events": ["run.failed"] });
/// let (webhook, secret) = webhooks.create(tenant, body, "user:ada").await?;
/// assert!(secret.expose().starts_with("whsec_"));
///
/// webhooks.test(tenant, webhook.id).await?;
/// assert_eq!(webhooks.deliveries(tenant, webhook.id, Default::default()).await?.data.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Webhooks {
    runtime: Runtime,
    pim: Pim,
    secrets: Arc<dyn SigningSecrets>,
}

impl Webhooks {
    /// The webhooks of the store of `runtime`, whose secrets are in `secrets`.
    #[must_use]
    pub fn new(runtime: &Runtime, secrets: Arc<dyn SigningSecrets>) -> Self {
        let ports = &runtime.ports;
        let pim = Pim::new(Arc::clone(&ports.store) as _, Arc::clone(&ports.clock), Arc::clone(&ports.ids));
        Self { runtime: runtime.clone(), pim, secrets }
    }

    /// Makes a webhook of its JSON, and the secret that signs what it is sent, which is shown this once.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field, and those of the store.
    pub async fn create(&self, tenant: TenantId, body: Value, by: &str) -> Result<(Stored<Webhook>, Secret)> {
        let keys = SigningKeys::generate()?;
        let webhook = self.pim.webhooks(tenant).by(by).create_from(body).await?;
        self.secrets.put(tenant, webhook.id, &keys.seal()?).await?;
        Ok((webhook, keys.current().clone()))
    }

    /// Gives a webhook a new secret, which is shown this once. For a day what it is sent is signed with the old one
    /// too.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such webhook, and those of the store and of the secrets.
    pub async fn rotate_secret(&self, tenant: TenantId, id: EntityId) -> Result<Secret> {
        self.pim.webhooks(tenant).get(id).await?;
        let keys = match self.secrets.get(tenant, id).await? {
            Some(sealed) => SigningKeys::open(&sealed)?.rotate(self.runtime.now())?,
            None => SigningKeys::generate()?,
        };
        self.secrets.put(tenant, id, &keys.seal()?).await?;
        Ok(keys.current().clone())
    }

    /// Deletes a webhook and its secret. What it was to be sent is given up.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such webhook, and those of the store and of the secrets.
    pub async fn delete(&self, tenant: TenantId, id: EntityId, by: &str) -> Result<()> {
        self.pim.webhooks(tenant).by(by).delete(id).await?;
        self.secrets.remove(tenant, id).await
    }

    /// Sends a webhook a message of the type `webhook.test`, whatever it asks for.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such webhook, and those of the store.
    pub async fn test(&self, tenant: TenantId, id: EntityId) -> Result<Delivery> {
        self.pim.webhooks(tenant).get(id).await?;
        let now = self.runtime.now();
        let event_type = "webhook.test".to_owned();
        let body = json!({ "type": event_type, "timestamp": now, "data": { "webhook_id": id } });
        let new = NewDelivery { id: DeliveryId::new(self.runtime.ids(), now), webhook_id: id, event_type, body };
        self.runtime.store().add_delivery(tenant, new, now).await
    }

    /// A page of what a webhook was or is to be sent, newest first.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such webhook, `InvalidCursor`, and those of the store.
    pub async fn deliveries(&self, tenant: TenantId, id: EntityId, page: PageRequest) -> Result<Page<Delivery>> {
        self.pim.webhooks(tenant).get(id).await?;
        self.runtime.store().deliveries(tenant, id, page).await
    }

    /// Sends something again, under the id that it had, whatever came of it before.
    ///
    /// # Errors
    ///
    /// `NotFound` if the tenant has no such delivery, and those of the store.
    pub async fn redeliver(&self, tenant: TenantId, id: DeliveryId) -> Result<Delivery> {
        self.runtime.store().redeliver(tenant, id, self.runtime.now()).await
    }

    /// What sends to webhooks at public addresses, and at `allowed` hosts.
    ///
    /// # Errors
    ///
    /// `Unavailable` if this machine has no trusted certificates.
    pub fn dispatcher(&self, allowed: AllowedHosts, options: DispatcherOptions) -> Result<Dispatcher> {
        Dispatcher::new(self.clone(), allowed, options)
    }

    async fn keys(&self, tenant: TenantId, id: EntityId) -> Result<SigningKeys> {
        let sealed = self.secrets.get(tenant, id).await?;
        SigningKeys::open(&sealed.ok_or_else(|| Error::not_found(format!("the secret of webhook {id}")))?)
    }
}
