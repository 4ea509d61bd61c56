//! API keys: the port that keeps them, and never what they are.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ApiKeyId, Digest, Error, ErrorKind, Page, PageRequest, Result, TenantId, Timestamp};

use super::AuditEntry;

/// Which data a key sees.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// What is real.
    #[default]
    Live,
    /// What is there to try things out.
    Test,
}

impl Environment {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// What is known of an API key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ApiKey {
    /// Names it.
    pub id: ApiKeyId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Whose data it sees: a test key does not see those of its own tenant.
    pub sees: TenantId,
    /// Its name for people.
    pub name: String,
    /// Which data it sees.
    pub environment: Environment,
    /// What it may do; everything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Its last four characters.
    pub key_hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to within a minute or so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it is accepted at `now`.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::store::{ApiKey, Environment};
    /// use worktruck_core::{ApiKeyId, TenantId, Timestamp};
    ///
    /// let (id, now) = (uuid::Uuid::from_u128(1), Timestamp::from_micros(10));
    /// let mut key = ApiKey {
    ///     id: ApiKeyId::from_uuid(id),
    ///     tenant_id: TenantId::from_uuid(id),
    ///     sees: TenantId::from_uuid(id),
    ///     name: "laptop".to_owned(),
    ///     environment: Environment::Live,
    ///     scopes: None,
    ///     key_hint: "x4Tq".to_owned(),
    ///     created_at: Timestamp::EPOCH,
    ///     expires_at: Some(now),
    ///     last_used_at: None,
    ///     revoked_at: None,
    /// };
    /// assert!(key.is_active(Timestamp::EPOCH) && !key.is_active(now), "it expires");
    /// key.revoke(Timestamp::EPOCH)?;
    /// assert!(!key.is_active(Timestamp::EPOCH));
    /// # Ok::<(), worktruck_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }

    /// Refuses it from now on.
    ///
    /// # Errors
    ///
    /// `Conflict` if it is revoked already.
    pub fn revoke(&mut self, now: Timestamp) -> Result<()> {
        if let Some(at) = self.revoked_at {
            return Err(Error::new(ErrorKind::Conflict, format!("api key {} was revoked at {at}", self.id)));
        }
        self.revoked_at = Some(now);
        Ok(())
    }

    /// Checks what people chose.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the name is empty, longer than 512 characters or has a NUL, or it is to expire before it
    /// is made.
    pub fn check(&self) -> Result<()> {
        if self.name.trim().is_empty() || self.name.chars().count() > 512 || self.name.contains('\0') {
            return Err(Error::invalid("a name has 1 to 512 characters without NUL").at("/name"));
        }
        if self.expires_at.is_some_and(|at| at <= self.created_at) {
            return Err(Error::invalid("the key would have expired already").at("/expires_at"));
        }
        Ok(())
    }

    /// The error of a store that has no such key.
    #[must_use]
    pub fn unknown(id: ApiKeyId) -> Error {
        Error::not_found(format!("api key {id}"))
    }

    /// The error of a store that has a key with this id or hash already.
    #[must_use]
    pub fn taken(&self) -> Error {
        Error::conflict(format!("api key {} exists", self.id))
    }
}

/// An API key to be kept.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// What is known of it.
    pub key: ApiKey,
    /// What it is found by: a keyed hash of it, from which nobody can find the key.
    pub hash: Digest,
}

/// What the cursors of a list of API keys are bound to.
#[must_use]
pub fn api_key_scope(tenant: TenantId) -> impl Serialize + use<> {
    ("api_keys", tenant)
}

/// Keeps API keys: what is known of them and how to find one, and never a key.
///
/// What is done to one is added to the audit log in the same transaction.
///
/// # Contract
///
/// - `what_is_done_to_api_keys_is_audited`
#[async_trait]
pub trait ApiKeyStore: fmt::Debug + Send + Sync + 'static {
    /// Adds a key.
    ///
    /// # Contract
    ///
    /// - `api_key_is_found_by_its_hash`, `api_key_is_added_once`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: what was chosen is malformed.
    /// - `Conflict`: there is a key with this id or hash.
    async fn add_api_key(&self, new: NewApiKey, audit: AuditEntry) -> Result<()>;

    /// The key with this hash, of whatever tenant, also if it is not accepted any more.
    ///
    /// # Contract
    ///
    /// - `api_key_is_found_by_its_hash`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn api_key_by_hash(&self, hash: Digest) -> Result<Option<ApiKey>>;

    /// The key with this id.
    ///
    /// # Contract
    ///
    /// - `api_keys_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn api_key(&self, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>>;

    /// A page of the keys of a tenant, newest first.
    ///
    /// # Contract
    ///
    /// - `api_keys_are_listed_newest_first`, `api_keys_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// `InvalidCursor` if the cursor is damaged or belongs to another list.
    async fn api_keys(&self, tenant: TenantId, page: PageRequest) -> Result<Page<ApiKey>>;

    /// Refuses a key from now on, and puts `instead` in its place if there is one.
    ///
    /// # Contract
    ///
    /// - `api_key_is_revoked_once`, `api_key_is_replaced_as_a_whole`
    /// - `api_keys_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such key.
    /// - `Conflict`: it is revoked already, or there is a key with the id or hash of the new one.
    async fn revoke_api_key(
        &self,
        tenant: TenantId,
        id: ApiKeyId,
        instead: Option<NewApiKey>,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<ApiKey>;

    /// Notes when keys were used; one that is noted to have been used later stays so.
    ///
    /// # Contract
    ///
    /// - `use_of_api_keys_is_noted`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn note_api_key_use(&self, used: Vec<(TenantId, ApiKeyId, Timestamp)>) -> Result<()>;
}
