//! Keys of other services that tenants store: kept in the vault, described by an entity, verified with the
//! service itself.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use worktruck_agents::clock::{RandomIds, SystemClock};
//! use worktruck_agents::integrations::{IntegrationKeys, LiveVerifier, NewIntegrationKey};
//! use worktruck_agents::net::{AllowedHosts, GuardedClient};
//! use worktruck_agents::vault::{KeyBytes, KeyRing, Vault};
//! use worktruck_core::entity::integration_key::{KeyStatus, Provider};
//! use worktruck_core::pim::Pim;
//! use worktruck_core::store::{MemoryStore, Put};
//! use worktruck_core::{Secret, TenantId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> worktruck_core::Result<()> {
//! let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(SystemClock::new()));
//! let vault = Vault::new(store.clone(), Arc::new(KeyRing::new(KeyBytes::random()?)), clock.clone());
//! let verifier = LiveVerifier::new(GuardedClient::new(AllowedHosts::none())?);
//! let pim = Pim::new(store, clock, Arc::new(RandomIds::new()));
//! let keys = IntegrationKeys::new(pim, vault, Arc::new(verifier));
//!
//! let tenant: TenantId = "0194a8b3-7e5a-77c1-9d0f-000000000001".parse()?;
//! let new = NewIntegrationKey::new(Provider::Github, Secret::new("ghp_16C7e42F292c6912E7"));
//! let (stored, put) = keys.put(tenant, new, "user:1").await?;
//! assert_eq!((stored.data.status, stored.data.key_hint.as_str(), put), (KeyStatus::Unverified, "12E7", Put::Added));
//! # Ok(())
//! # }
//! ```

mod live;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use worktruck_core::entity::integration_key::{IntegrationKey, KeyStatus, Provider};
use worktruck_core::pim::integrations::IntegrationKeyFilter;
use worktruck_core::pim::{Pim, Records, Stored};
use worktruck_core::run::FailureCategory;
use worktruck_core::store::{Put, SecretName};
use worktruck_core::tool::ToolError;
use worktruck_core::{Error, ErrorKind, PageRequest, Result, Secret, TenantId, Timestamp};

use crate::vault::Vault;

pub use live::{Endpoints, LiveVerifier};
pub use verify::{KeyVerifier, Verdict, Verification};

/// What the keys are for, in their names in the vault.
const PURPOSE: &str = "integration_key";
/// The fewest characters of a key.
const SHORTEST: usize = 8;
/// The most characters of a key.
const LONGEST: usize = 4096;
/// How often a write is made again because others were faster.
const ATTEMPTS: usize = 16;
/// How old a sealed key must be to be taken for one that nothing names any more: a `put` may be under way.
const ABANDONED: Duration = Duration::from_secs(3_600);

/// A key to be stored.
#[derive(Clone, Debug)]
pub struct NewIntegrationKey {
    /// The service.
    pub provider: Provider,
    /// The key: 8 to 4,096 visible characters of ASCII.
    pub key: Secret,
    /// What people call it.
    pub label: Option<String>,
    /// As [`IntegrationKey::metadata`]. The key itself must not be in it.
    pub metadata: Map<String, Value>,
}

impl NewIntegrationKey {
    /// A key without a label.
    #[must_use]
    pub fn new(provider: Provider, key: Secret) -> Self {
        Self { provider, key, label: None, metadata: Map::new() }
    }

    fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::invalid(message).at("/key"));
        let length = self.key.expose().len();
        if !self.key.expose().bytes().all(|b| b.is_ascii_graphic()) {
            return wrong(
                "a key has visible characters of ASCII only; is there a space or a line break in it?".to_owned(),
            );
        }
        if !(SHORTEST..=LONGEST).contains(&length) {
            return wrong(format!("a key has {SHORTEST} to {LONGEST} characters"));
        }
        // What is written here is kept in every version, and shown.
        for (pointer, value) in [("/label", json!(self.label)), ("/metadata", json!(self.metadata))] {
            if has(&value, self.key.expose()) {
                return Err(Error::invalid("the key itself must stand in `key` only").at(pointer));
            }
        }
        Ok(())
    }
}

/// Whether a text in `value`, or the name of a member, has `key` in it.
fn has(value: &Value, key: &str) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains(key),
        Value::Array(items) => items.iter().any(|item| has(item, key)),
        Value::Object(members) => members.iter().any(|(name, member)| name.contains(key) || has(member, key)),
    }
}

/// The integration keys of tenants.
///
/// An [`IntegrationKey`] says where its key is sealed, and every stored key is sealed under a name of its
/// own: an entity and its key belong together, whoever writes at the same time. See the [module](self) for
/// an example.
#[derive(Clone, Debug)]
pub struct IntegrationKeys {
    pim: Pim,
    vault: Vault,
    verifier: Arc<dyn KeyVerifier>,
}

impl IntegrationKeys {
    /// Keys that are described in `pim`, sealed in `vault` and verified by `verifier`.
    #[must_use]
    pub fn new(pim: Pim, vault: Vault, verifier: Arc<dyn KeyVerifier>) -> Self {
        Self { pim, vault, verifier }
    }

    /// Stores a key, in the place of the provider's one if there is one; `principal` does it.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: the key, the label or the metadata is malformed, or the key stands in one of the others.
    /// - Those of [`Vault::put`] and of the store.
    pub async fn put(
        &self,
        tenant: TenantId,
        new: NewIntegrationKey,
        principal: &str,
    ) -> Result<(Stored<IntegrationKey>, Put)> {
        new.check()?;
        let secret_ref = format!("{}/{}", new.provider, self.pim.new_id());
        let mut data = IntegrationKey::new(new.provider, &secret_ref);
        data.label = new.label;
        data.key_hint = new.key.hint().to_owned();
        data.metadata = new.metadata;
        data.check()?;
        // Sealed first: an entity never names a key that is not there.
        self.vault.put(tenant, &name(&secret_ref), &new.key).await?;
        match self.save(tenant, data, principal).await {
            Ok((stored, replaced)) => {
                let put = if replaced.is_some() { Put::Replaced } else { Put::Added };
                if let Some(old) = replaced {
                    self.forget(tenant, &old).await;
                }
                self.tidy(tenant).await;
                Ok((stored, put))
            }
            Err(error) => {
                // A write whose answer was lost may have taken effect: what it names stays, and is tidied up
                // later if nothing does.
                if error.kind() != ErrorKind::Unavailable {
                    self.forget(tenant, &secret_ref).await;
                }
                Err(error)
            }
        }
    }

    /// Writes the entity; gives the name of the key that it named before.
    async fn save(
        &self,
        tenant: TenantId,
        data: IntegrationKey,
        principal: &str,
    ) -> Result<(Stored<IntegrationKey>, Option<String>)> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let saved = match self.find(tenant, data.provider).await? {
                Some(old) => {
                    let records = self.records(tenant).by(principal).if_version(old.version());
                    records.replace(old.id, data.clone()).await.map(|stored| (stored, Some(old.data.secret_ref)))
                }
                None => self.records(tenant).by(principal).create(data.clone()).await.map(|stored| (stored, None)),
            };
            match saved {
                // Somebody else stored or removed one at the same time.
                Err(error) if is_overtaken(&error) => last = Some(error),
                saved => return saved,
            }
        }
        Err(last.unwrap_or_else(|| Error::internal("a key was not stored")))
    }

    /// The tenant's keys, at most one for each provider, in the order in which they were first stored.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<Stored<IntegrationKey>>> {
        self.records(tenant).list(IntegrationKeyFilter::default()).all().await
    }

    /// What is known of the provider's key.
    ///
    /// # Errors
    ///
    /// `NotFound` if none is stored, `Unavailable` if the store cannot be reached.
    pub async fn get(&self, tenant: TenantId, provider: Provider) -> Result<Stored<IntegrationKey>> {
        self.find(tenant, provider).await?.ok_or_else(|| missing(provider))
    }

    /// Removes the provider's key; `principal` does it. What was known of it stays in the history, the key does
    /// not.
    ///
    /// # Errors
    ///
    /// `NotFound` if none is stored, `Unavailable` if the store cannot be reached.
    pub async fn delete(&self, tenant: TenantId, provider: Provider, principal: &str) -> Result<()> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let old = self.get(tenant, provider).await?;
            match self.records(tenant).by(principal).if_version(old.version()).delete(old.id).await {
                Err(error) if is_overtaken(&error) => last = Some(error),
                deleted => {
                    deleted?;
                    // Whoever removes a key wants to know that it is gone.
                    return match self.vault.remove(tenant, &name(&old.data.secret_ref)).await {
                        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                        removed => removed,
                    };
                }
            }
        }
        Err(last.unwrap_or_else(|| missing(provider)))
    }

    /// Asks the provider whether it takes the key, and writes down what it says; `principal` does it. Where it
    /// says nothing, because it cannot be reached, the status stays as it is, and the reason says so.
    ///
    /// # Errors
    ///
    /// - `NotFound`: none is stored.
    /// - `Conflict`: another key was stored while this one was verified.
    /// - Those of [`Vault::get`] and of the store.
    pub async fn verify(&self, tenant: TenantId, provider: Provider, principal: &str) -> Result<Verification> {
        let stored = self.get(tenant, provider).await?;
        let Some(key) = self.vault.get(tenant, &name(&stored.data.secret_ref)).await? else {
            return Ok(Verification { valid: false, reason: Some("the key is gone; store it again".to_owned()) });
        };
        let verdict = self.verifier.verify(&stored.data, &key).await;
        let status = match &verdict {
            Verdict::Active => KeyStatus::Active,
            Verdict::Invalid(_) => KeyStatus::Invalid,
            Verdict::Revoked(_) => KeyStatus::Revoked,
            Verdict::Unknown(_) => return Ok(Verification::of(verdict, &key)),
        };
        self.note(tenant, &stored, status, principal).await?;
        Ok(Verification::of(verdict, &key))
    }

    async fn note(
        &self,
        tenant: TenantId,
        verified: &Stored<IntegrationKey>,
        status: KeyStatus,
        principal: &str,
    ) -> Result<()> {
        let provider = verified.data.provider;
        let mut version = verified.version();
        for _ in 0..ATTEMPTS {
            let patch = json!({ "status": status, "last_verified_at": self.pim.now() });
            match self.records(tenant).by(principal).if_version(version).update(verified.id, patch).await {
                Err(error) if is_overtaken(&error) => {}
                written => return written.map(drop),
            }
            let now = self.get(tenant, provider).await?;
            if now.data.secret_ref != verified.data.secret_ref {
                let message =
                    format!("another key for {provider} was stored while this one was verified; verify again");
                return Err(Error::conflict(message));
            }
            version = now.version();
        }
        Err(Error::conflict(format!("the key for {provider} is written too fast; verify again")))
    }

    /// The provider's key, if one is stored.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::get`] and of the store.
    pub async fn key(&self, tenant: TenantId, provider: Provider) -> Result<Option<Secret>> {
        Ok(self.open(tenant, provider).await?.map(|(_, key)| key))
    }

    /// The provider's key for a tool, with what is known of it. A tool that needs keys is made with these
    /// `IntegrationKeys`; it must not put the key into its output or its errors.
    ///
    /// # Errors
    ///
    /// - Fatal, as [`FailureCategory::AuthFailed`]: no key is stored, or its provider does not take it. The error
    ///   says which key to store.
    /// - Transient if the store cannot be reached.
    pub async fn for_tool(&self, tenant: TenantId, provider: Provider) -> Result<(IntegrationKey, Secret), ToolError> {
        let fatal = |message| ToolError::fatal(FailureCategory::AuthFailed, message);
        let Some((stored, key)) = self.open(tenant, provider).await? else {
            return Err(fatal(format!("no integration key for {provider} is stored; store one and run again")));
        };
        match stored.data.status {
            KeyStatus::Unverified | KeyStatus::Active => Ok((stored.data, key)),
            status @ (KeyStatus::Invalid | KeyStatus::Revoked) => {
                Err(fatal(format!("the integration key for {provider} is {status}; store another one and run again")))
            }
        }
    }

    async fn open(&self, tenant: TenantId, provider: Provider) -> Result<Option<(Stored<IntegrationKey>, Secret)>> {
        let mut last: Option<String> = None;
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.find(tenant, provider).await? else { return Ok(None) };
            if let Some(key) = self.vault.get(tenant, &name(&stored.data.secret_ref)).await? {
                return Ok(Some((stored, key)));
            }
            // It was replaced between two looks, or it is gone: shredded, say.
            if last.as_ref() == Some(&stored.data.secret_ref) {
                return Ok(None);
            }
            last = Some(stored.data.secret_ref);
        }
        Ok(None)
    }

    async fn find(&self, tenant: TenantId, provider: Provider) -> Result<Option<Stored<IntegrationKey>>> {
        let filter = IntegrationKeyFilter { provider: Some(provider), ..IntegrationKeyFilter::default() };
        Ok(self.records(tenant).list(filter).limit(1).await?.data.pop())
    }

    fn records(&self, tenant: TenantId) -> Records<IntegrationKey> {
        self.pim.records(tenant)
    }

    /// Removes a key that nothing names any more. If that fails it is tidied up later.
    async fn forget(&self, tenant: TenantId, secret_ref: &str) {
        match self.vault.remove(tenant, &name(secret_ref)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(%tenant, secret_ref, error = %error.chain(), "a key that is not needed is still sealed");
            }
            _ => {}
        }
    }

    /// Removes keys that were sealed by writes that came to nothing, because a process ended in between.
    async fn tidy(&self, tenant: TenantId) {
        match self.abandoned(tenant).await {
            Ok(abandoned) => {
                for secret_ref in abandoned {
                    self.forget(tenant, &secret_ref).await;
                }
            }
            Err(error) => {
                tracing::warn!(%tenant, error = %error.chain(), "keys that are not needed were not looked for")
            }
        }
    }

    async fn abandoned(&self, tenant: TenantId) -> Result<Vec<String>> {
        let old: Timestamp = self.pim.now().before(ABANDONED);
        let page = PageRequest::largest(None);
        let mut sealed = self.vault.store().secrets(tenant, Some(PURPOSE), page).await?.data;
        sealed.retain(|secret| secret.sealed_at < old);
        // Looked up after the keys: what is named by then stays.
        let named: Vec<String> = self.list(tenant).await?.into_iter().map(|key| key.data.secret_ref).collect();
        let names = sealed.into_iter().map(|secret| secret.name.name);
        Ok(names.filter(|name| !named.contains(name)).collect())
    }
}

/// What anybody may see of a stored key: without where it is sealed.
#[must_use]
pub fn resource(stored: &Stored<IntegrationKey>) -> Value {
    let mut resource = stored.resource();
    if let Some(members) = resource.as_object_mut() {
        members.remove("secret_ref");
    }
    resource
}

fn name(secret_ref: &str) -> SecretName {
    SecretName::new(PURPOSE, secret_ref)
}

fn missing(provider: Provider) -> Error {
    Error::not_found(format!("an integration key for {provider}"))
}

fn is_overtaken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::VersionMismatch | ErrorKind::Conflict | ErrorKind::NotFound)
}

#[cfg(test)]
mod tests;
