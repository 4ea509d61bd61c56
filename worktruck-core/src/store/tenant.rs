use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Error, Page, PageRequest, Result, TenantId, Timestamp};

/// Whose data it is. Nothing of one tenant is ever visible to another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Tenant {
    /// Names it.
    pub id: TenantId,
    /// Its short name, unique in the store.
    pub slug: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many days of history and of ended runs it keeps; for ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Names it.
    pub id: TenantId,
    /// Its short name: 1 to 64 of `a-z`, `0-9`, `-` and `_`.
    pub slug: String,
    /// Its name for people.
    pub name: Option<String>,
    /// How many days of history and of ended runs it keeps, at least one; for ever if absent.
    pub retention_days: Option<u32>,
}

impl NewTenant {
    /// A tenant without a name that keeps everything.
    pub fn new(id: TenantId, slug: impl Into<String>) -> Self {
        Self { id, slug: slug.into(), name: None, retention_days: None }
    }

    /// Checks the slug and the retention.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the slug is empty, too long or has other
    /// characters, or the retention is of no day.
    pub fn check(&self) -> Result<()> {
        let fits = (1..=64).contains(&self.slug.len())
            && self.slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if !fits {
            return Err(Error::invalid("a slug has 1 to 64 characters of a-z, 0-9, - and _").at("/slug"));
        }
        check_retention(self.retention_days)
    }

    /// The error of a store that has a tenant with this id or slug already.
    #[must_use]
    pub fn taken(&self) -> Error {
        Error::conflict(format!("a tenant with the id {} or the slug {:?} exists", self.id, self.slug))
    }

    /// The tenant, made at `now`.
    #[must_use]
    pub fn made(self, now: Timestamp) -> Tenant {
        let Self { id, slug, name, retention_days } = self;
        Tenant { id, slug, name, retention_days, created_at: now }
    }
}

/// Checks how many days a tenant is to keep.
///
/// # Errors
///
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if it is none: what has just happened is always kept.
pub fn check_retention(days: Option<u32>) -> Result<()> {
    match days {
        Some(0) => Err(Error::invalid("a tenant keeps at least one day").at("/retention_days")),
        Some(_) | None => Ok(()),
    }
}

/// What the cursors of the list of tenants are bound to.
#[must_use]
pub fn tenant_scope() -> impl Serialize + use<> {
    "tenants"
}

/// Keeps the tenants.
#[async_trait]
pub trait TenantStore: fmt::Debug + Send + Sync + 'static {
    /// Makes a tenant.
    ///
    /// # Contract
    ///
    /// - `tenant_is_found_by_id_and_slug`
    /// - `tenant_slug_is_unique`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: the slug is malformed, or it is to keep no day.
    /// - `Conflict`: the slug or the id is taken.
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant>;

    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>>;

    /// The tenant with this slug.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>>;

    /// A page of all tenants, by id.
    ///
    /// # Contract
    ///
    /// - `tenants_are_walked_by_id`
    ///
    /// # Errors
    ///
    /// `InvalidCursor` if the cursor is damaged or belongs to another list.
    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>>;

    /// Sets how many days a tenant keeps; for ever if `None`. What is gone does not come back.
    ///
    /// # Contract
    ///
    /// - `retention_of_a_tenant_is_kept`
    ///
    /// # Errors
    ///
    /// - `NotFound`: there is no such tenant.
    /// - `InvalidRequest`: it is to keep no day.
    async fn set_retention(&self, id: TenantId, days: Option<u32>) -> Result<Tenant>;
}
