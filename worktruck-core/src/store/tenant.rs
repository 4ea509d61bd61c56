use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Error, Page, PageRequest, Result, TenantId, Timestamp};

use super::Plan;

/// Whose data it is. Nothing of one tenant is ever visible to another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tenant {
    /// Names it.
    pub id: TenantId,
    /// Its short name, unique in the store.
    pub slug: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How much it may ask for.
    #[serde(default)]
    pub plan: Plan,
    /// The IANA name of the time zone that it lives in, such as `Europe/Paris`.
    pub timezone: String,
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
    /// How much it may ask for; as much as it likes unless set.
    pub plan: Plan,
    /// The IANA name of the time zone that it lives in; UTC unless set.
    pub timezone: String,
    /// How many days of history and of ended runs it keeps, at least one; for ever if absent.
    pub retention_days: Option<u32>,
}

impl NewTenant {
    /// A tenant in UTC without a name that keeps everything.
    pub fn new(id: TenantId, slug: impl Into<String>) -> Self {
        Self {
            id,
            slug: slug.into(),
            name: None,
            plan: Plan::default(),
            timezone: "UTC".to_owned(),
            retention_days: None,
        }
    }

    /// Checks the slug, the time zone and the retention.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the slug is empty, too long or has other
    /// characters, nobody knows the time zone, or the retention is of no day.
    pub fn check(&self) -> Result<()> {
        let fits = (1..=64).contains(&self.slug.len())
            && self.slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if !fits {
            return Err(Error::invalid("a slug has 1 to 64 characters of a-z, 0-9, - and _").at("/slug"));
        }
        check_timezone(&self.timezone)?;
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
        let Self { id, slug, name, plan, timezone, retention_days } = self;
        Tenant { id, slug, name, plan, timezone, retention_days, created_at: now }
    }
}

/// What is to change of a tenant; what is `None` stays.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TenantPatch {
    /// Its name for people, or that it has none.
    pub name: Option<Option<String>>,
    /// How much it may ask for.
    pub plan: Option<Plan>,
    /// The IANA name of the time zone that it lives in.
    pub timezone: Option<String>,
    /// How many days it keeps, or that it keeps everything. What is gone does not come back.
    pub retention_days: Option<Option<u32>>,
}

impl TenantPatch {
    /// A patch that sets how many days a tenant keeps; for ever if `None`.
    #[must_use]
    pub fn retention(days: Option<u32>) -> Self {
        Self { retention_days: Some(days), ..Self::default() }
    }

    /// Checks what is to change.
    ///
    /// # Errors
    ///
    /// As for [`NewTenant::check`].
    pub fn check(&self) -> Result<()> {
        self.timezone.iter().try_for_each(|zone| check_timezone(zone))?;
        check_retention(self.retention_days.flatten())
    }

    /// The tenant as it is after it.
    #[must_use]
    pub fn apply(&self, tenant: Tenant) -> Tenant {
        let Self { name, plan, timezone, retention_days } = self.clone();
        Tenant {
            name: name.unwrap_or(tenant.name),
            plan: plan.unwrap_or(tenant.plan),
            timezone: timezone.unwrap_or(tenant.timezone),
            retention_days: retention_days.unwrap_or(tenant.retention_days),
            ..tenant
        }
    }
}

fn check_timezone(name: &str) -> Result<()> {
    match name.parse::<chrono_tz::Tz>() {
        Ok(zone) if zone.name() == name => Ok(()),
        _ => Err(Error::invalid(format!("{name:?} is not the IANA name of a time zone, such as Europe/Paris"))
            .at("/timezone")),
    }
}

/// What has just happened is always kept.
fn check_retention(days: Option<u32>) -> Result<()> {
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

    /// Changes a tenant.
    ///
    /// # Contract
    ///
    /// - `retention_of_a_tenant_is_kept`, `name_plan_and_zone_of_a_tenant_are_changed`
    ///
    /// # Errors
    ///
    /// - `NotFound`: there is no such tenant.
    /// - `InvalidRequest`: nobody knows the time zone, or it is to keep no day.
    async fn update_tenant(&self, id: TenantId, patch: TenantPatch) -> Result<Tenant>;
}
