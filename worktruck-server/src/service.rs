//! What the handlers work with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use worktruck_agents::vault::Vault;
use worktruck_core::entity::Locale;
use worktruck_core::entity::contact::Region;
use worktruck_core::pim::Pim;
use worktruck_core::store::{EntityStore, Store};
use worktruck_core::{Clock, IdSource, TenantId};

use crate::gate::Gate;
use crate::{ApiKeys, Authenticator, Failure};

/// What the router serves: a store, a clock, a source of ids, who may ask, and limits.
///
/// It is cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    authenticator: Arc<dyn Authenticator>,
    pim: Pim,
    gate: Arc<Gate>,
    limits: Limits,
    api_keys: Option<Arc<ApiKeys>>,
    vault: Option<Vault>,
}

/// What the service refuses, and what it takes for granted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// The longest body of a request, in bytes: 1 MiB.
    pub body: usize,
    /// The longest file that is imported, in bytes: 64 MiB.
    pub import: usize,
    /// How long a request may take: 30 seconds. Waiting that the request asks for is not counted.
    pub timeout: Duration,
    /// How long an import may take: 10 minutes.
    pub import_timeout: Duration,
    /// The region of phone numbers without a country code.
    pub region: Option<Region>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            import: 64 << 20,
            timeout: Duration::from_secs(30),
            import_timeout: Duration::from_secs(600),
            region: None,
        }
    }
}

impl Service {
    /// A service over `store`, where `clock` says what time it is, `ids` names what is new and `authenticator` knows
    /// who asks.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        authenticator: Arc<dyn Authenticator>,
    ) -> Self {
        let entities: Arc<dyn EntityStore> = store.clone();
        let pim = Pim::new(entities, Arc::clone(&clock), Arc::clone(&ids));
        let gate = Arc::new(Gate::new(Arc::clone(&store), Arc::clone(&clock)));
        let (limits, api_keys, vault) = (Limits::default(), None, None);
        Self(Arc::new(Inner { store, clock, ids, authenticator, pim, gate, limits, api_keys, vault }))
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        self.with(|inner| inner.limits = limits)
    }

    /// The same, where API keys are made and revoked. Whoever has one is known if the authenticator asks them.
    #[must_use]
    pub fn with_api_keys(self, api_keys: Arc<ApiKeys>) -> Self {
        self.with(|inner| inner.api_keys = Some(api_keys))
    }

    /// The same, where answers that hold a secret are kept sealed in case the request is sent again.
    #[must_use]
    pub fn with_vault(self, vault: Vault) -> Self {
        self.with(|inner| inner.vault = Some(vault))
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Writes what was counted and not written yet, which is to be done before the process ends.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn flush(&self) -> Result<(), worktruck_core::Error> {
        self.0.gate.flush().await?;
        match &self.0.api_keys {
            Some(keys) => keys.flush().await,
            None => Ok(()),
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Where ids come from.
    #[must_use]
    pub fn ids(&self) -> &Arc<dyn IdSource> {
        &self.0.ids
    }

    /// Who knows who asks.
    #[must_use]
    pub fn authenticator(&self) -> &Arc<dyn Authenticator> {
        &self.0.authenticator
    }

    /// The operations over contacts, deals, tasks, events and notes.
    #[must_use]
    pub fn pim(&self) -> &Pim {
        &self.0.pim
    }

    /// What it refuses, and what it takes for granted.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn api_keys(&self) -> Option<&Arc<ApiKeys>> {
        self.0.api_keys.as_ref()
    }

    pub(crate) fn vault(&self) -> Option<&Vault> {
        self.0.vault.as_ref()
    }

    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.0.gate
    }

    /// Where a tenant is at home.
    pub(crate) async fn locale(&self, tenant: TenantId) -> Result<Locale, Failure> {
        let found = self.0.store.tenant(tenant).await?;
        let timezone = found.and_then(|tenant| tenant.timezone.parse().ok());
        let home = Locale { region: self.0.limits.region, ..Locale::default() };
        Ok(timezone.map_or(home, |timezone| Locale { timezone, ..home }))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("store", &self.0.store)
            .field("authenticator", &self.0.authenticator)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
