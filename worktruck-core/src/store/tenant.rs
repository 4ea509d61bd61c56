use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, TenantId, Timestamp};

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
}

impl NewTenant {
    /// Checks the slug.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if it is empty, too long or has other characters.
    pub fn check(&self) -> Result<()> {
        let fits = (1..=64).contains(&self.slug.len())
            && self.slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if fits {
            Ok(())
        } else {
            Err(Error::invalid("a slug has 1 to 64 characters of a-z, 0-9, - and _").at("/slug"))
        }
    }

    /// The error of a store that has a tenant with this id or slug already.
    #[must_use]
    pub fn taken(&self) -> Error {
        Error::conflict(format!("a tenant with the id {} or the slug {:?} exists", self.id, self.slug))
    }

    /// The tenant, made at `now`.
    #[must_use]
    pub fn made(self, now: Timestamp) -> Tenant {
        Tenant { id: self.id, slug: self.slug, name: self.name, created_at: now }
    }
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
    /// - `InvalidRequest`: the slug is malformed.
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
}
