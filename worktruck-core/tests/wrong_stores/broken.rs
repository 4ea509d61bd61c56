use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use worktruck_core::run::{Claimed, Lease, Run};
use worktruck_core::store::{MemoryStore, NewTenant, Tenant, TenantPatch, TenantStore};
use worktruck_core::temporal::At;
use worktruck_core::{DeliveryId, EntityId, ErrorKind, Page, PageRequest, Result, RunId, TenantId, Timestamp};

use super::claims::Limit;
use super::defects::Defect::{self, *};

/// The answer of `$ask` about `$tenant`, or about another tenant that has something to tell.
macro_rules! of_any {
    ($store:expr, $tenant:ident, $found:expr, $ask:expr) => {{
        let mut answer = $ask;
        if !answer.as_ref().is_ok_and($found) {
            for $tenant in $store.others($tenant) {
                let foreign = $ask;
                if foreign.as_ref().is_ok_and($found) {
                    answer = foreign;
                    break;
                }
            }
        }
        answer
    }};
}
pub(crate) use of_any;

/// The reference store with one promise broken.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) inner: MemoryStore,
    pub(crate) defect: Defect,
    notes: Mutex<Notes>,
}

/// What a defect needs to remember.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) tenants: Vec<TenantId>,
    floors: BTreeMap<TenantId, Timestamp>,
    numbers: u64,
    /// The newest lease of each run.
    pub(crate) leases: BTreeMap<RunId, Lease>,
    /// All that was handed out.
    pub(crate) claims: Vec<Claimed>,
    /// Runs that were moved against the rules.
    pub(crate) moved: BTreeMap<RunId, Run>,
    /// When tenants were served, as the defect has it.
    pub(crate) turns: BTreeMap<TenantId, i64>,
    /// What limits runs, as it was last saved.
    pub(crate) limits: Vec<Limit>,
    /// The tenants whose history was removed, and up to when.
    pub(crate) expired: Vec<(TenantId, Timestamp)>,
    /// The first runs of idempotency keys.
    pub(crate) keys: BTreeMap<(TenantId, String), RunId>,
    /// Where deliveries that were handed out go.
    pub(crate) deliveries: BTreeMap<(TenantId, DeliveryId), EntityId>,
    /// The last commits that took effect.
    pub(crate) committed: BTreeMap<RunId, u64>,
    /// How many wait for work.
    pub(crate) waiting: usize,
    /// Data keys that were removed although they were in use.
    pub(crate) removed_keys: Vec<(TenantId, u32)>,
}

impl Broken {
    pub(crate) fn new(defect: Defect) -> Self {
        Self { inner: MemoryStore::default(), defect, notes: Mutex::default() }
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn others(&self, tenant: TenantId) -> Vec<TenantId> {
        self.notes().tenants.iter().copied().filter(|other| *other != tenant).collect()
    }

    pub(crate) fn note_floor(&self, tenant: TenantId, at: Timestamp) {
        self.notes().floors.insert(tenant, at);
    }

    /// A read at `at` that the store inside does not have to fix.
    pub(crate) fn below_floor(&self, tenant: TenantId, at: At, now: Timestamp) -> At {
        let floor = self.notes().floors.get(&tenant).copied();
        match (at.as_of, floor) {
            (Some(as_of), Some(floor)) if floor < as_of && as_of <= now => {
                At { as_of: Some(floor), valid_at: at.valid_at.or(Some(as_of)) }
            }
            (Some(as_of), None) if as_of <= now => At { as_of: None, valid_at: at.valid_at.or(Some(as_of)) },
            _ => at,
        }
    }

    pub(crate) fn number(&self) -> u64 {
        let mut notes = self.notes();
        notes.numbers += 1;
        notes.numbers
    }
}

#[async_trait]
impl TenantStore for Broken {
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant> {
        self.notes().tenants.push(tenant.id);
        let id = tenant.id;
        let slug = tenant.slug.clone();
        match self.inner.create_tenant(tenant, now).await {
            Err(error) if self.defect == SlugGivenTwice && error.kind() == ErrorKind::Conflict => {
                Ok(NewTenant::new(id, slug).made(now))
            }
            Err(error) if self.defect == AnySlug && error.pointer() == Some("/slug") => {
                Ok(NewTenant::new(id, slug).made(now))
            }
            answer => answer,
        }
    }

    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        self.inner.tenant(id).await
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        match self.defect {
            SlugsFolded => self.inner.tenant_by_slug(&slug.to_lowercase()).await,
            _ => self.inner.tenant_by_slug(slug).await,
        }
    }

    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>> {
        let tenants = self.inner.tenants(page).await?;
        Ok(if self.defect == TenantsCut { Page::new(tenants.data, None) } else { tenants })
    }

    async fn update_tenant(&self, id: TenantId, patch: TenantPatch) -> Result<Tenant> {
        match (self.defect, self.inner.tenant(id).await?) {
            (RetentionForgotten, Some(tenant)) if patch.retention_days.is_some() && patch.check().is_ok() => {
                Ok(patch.apply(tenant))
            }
            _ => self.inner.update_tenant(id, patch).await,
        }
    }
}
