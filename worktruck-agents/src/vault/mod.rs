//! The vault: secrets of tenants, sealed before they reach the store.
//!
//! Two keys stand one above the other. Each tenant has a *data key* that its values are sealed under with
//! AES-256-GCM-SIV, bound to the tenant, the data key and the name of the value: one that is put in the
//! place of another does not open. The data key is in the store too, but wrapped by a key that is not: the
//! *key-encryption key*, which a [`KeyProvider`] holds. A [`KeyRing`] is the provider of an application
//! that has its keys in a file or a variable; one that asks a key service is a trait away.
//!
//! Either key can be replaced while others read and write: [`Vault::rewrap`] wraps all data keys by the
//! newest key-encryption key, [`Vault::rotate`] seals all values of a tenant under a new data key.
//! [`Vault::shred`] removes a tenant's data keys, and with them every way to its values.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use worktruck_agents::clock::SystemClock;
//! use worktruck_agents::vault::{KeyBytes, KeyRing, Vault};
//! use worktruck_core::store::{MemoryStore, Put, SecretName};
//! use worktruck_core::{Secret, TenantId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> worktruck_core::Result<()> {
//! let ring = KeyRing::new(KeyBytes::random()?);
//! let vault = Vault::new(Arc::new(MemoryStore::default()), Arc::new(ring), Arc::new(SystemClock::new()));
//! let tenant: TenantId = "0194a8b3-7e5a-77c1-9d0f-000000000001".parse()?;
//! let name = SecretName::new("integration_key", "github");
//!
//! assert_eq!(vault.put(tenant, &name, &Secret::new("ghp_16C7e42F292c6912E7")).await?, Put::Added);
//! let key = vault.get(tenant, &name).await?.expect("it is there");
//! assert_eq!(key.expose(), "ghp_16C7e42F292c6912E7");
//!
//! vault.shred(tenant).await?;
//! assert!(vault.get(tenant, &name).await?.is_none());
//! # Ok(())
//! # }
//! ```

mod file;
mod key;
mod ring;
mod rotate;
mod seal;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use worktruck_core::store::{DataKey, Put, SealedSecret, SecretName, SecretStore};
use worktruck_core::{Clock, Error, ErrorKind, Result, Secret, TenantId, Timestamp};

pub use key::{KeyBytes, KeyProvider, Wrapped};
pub use ring::KeyRing;
pub use rotate::{Resealed, Rewrapped};

use seal::Context;

/// How often something is done again because a data key was replaced meanwhile.
const ATTEMPTS: usize = 16;

/// Seals what tenants keep secret, and opens it again.
///
/// It remembers no key between two calls, so that what one process rotates or shreds is so for all.
/// See the [module](self) for an example.
#[derive(Clone, Debug)]
pub struct Vault {
    store: Arc<dyn SecretStore>,
    keys: Arc<dyn KeyProvider>,
    clock: Arc<dyn Clock>,
}

impl Vault {
    /// A vault that keeps what it seals in `store`, under keys that `keys` wraps.
    #[must_use]
    pub fn new(store: Arc<dyn SecretStore>, keys: Arc<dyn KeyProvider>, clock: Arc<dyn Clock>) -> Self {
        Self { store, keys, clock }
    }

    /// Seals a value, in the place of one of the same name if there is one.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: the name is malformed, or the value is too long (about 128 KiB).
    /// - `Internal`: the tenant's data key cannot be unwrapped; the error names the key that wrapped it.
    /// - `Unavailable`: the store or the provider of keys cannot be reached, or data keys were replaced faster
    ///   than this came to an end.
    pub async fn put(&self, tenant: TenantId, name: &SecretName, value: &Secret) -> Result<Put> {
        name.check()?;
        for _ in 0..ATTEMPTS {
            let (number, key) = self.newest(tenant).await?;
            let secret = self.sealed(tenant, name, number, &key, value)?;
            match self.store.put_secret(tenant, secret).await {
                // The data key is gone: there is a newer one.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done,
            }
        }
        Err(too_fast())
    }

    /// Opens the value of this name, if there is one.
    ///
    /// # Errors
    ///
    /// - `Internal`: what is stored does not open: it was changed, moved, or sealed under another key. The error
    ///   names it and shows nothing of it.
    /// - `Unavailable`: as for [`put`](Self::put).
    pub async fn get(&self, tenant: TenantId, name: &SecretName) -> Result<Option<Secret>> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let Some(secret) = self.store.secret(tenant, name).await? else { return Ok(None) };
            let keys = self.store.data_keys(tenant).await?;
            let opened = match keys.iter().find(|key| key.number == secret.key) {
                Some(key) => self.open(tenant, key, &secret).await.map(Some),
                None => Err(Error::internal(format!("{name} cannot be opened: its data key {} is gone", secret.key))),
            };
            match opened {
                // Sealed again, or wrapped again, between two looks: it is worth another one.
                Err(error) if last.as_ref() != Some(&(secret.clone(), keys.clone())) => {
                    tracing::debug!(error = %error.chain(), "a secret did not open at the first look");
                    last = Some((secret, keys));
                }
                opened => return opened,
            }
        }
        Err(too_fast())
    }

    /// Seals a value that somebody else keeps, bound to the tenant and the name.
    ///
    /// It opens as long as the tenant's data key is there that it was sealed under: it is not sealed again when that is
    /// replaced.
    ///
    /// # Errors
    ///
    /// As for [`put`](Self::put).
    pub async fn seal(&self, tenant: TenantId, name: &SecretName, value: &Secret) -> Result<String> {
        name.check()?;
        let (number, key) = self.newest(tenant).await?;
        let sealed = self.sealed(tenant, name, number, &key, value)?;
        Ok(format!("{number}.{}", STANDARD.encode(sealed.sealed)))
    }

    /// Opens what [`seal`](Self::seal) made for the same tenant and name; nothing if its data key is gone.
    ///
    /// # Errors
    ///
    /// `Internal` if it was changed or is another's, `Unavailable` if the store or the provider of keys cannot be reached.
    pub async fn unseal(&self, tenant: TenantId, name: &SecretName, sealed: &str) -> Result<Option<Secret>> {
        let damaged = || Error::internal(format!("{name} of tenant {tenant} is no sealed value"));
        let (number, bytes) = sealed.split_once('.').ok_or_else(damaged)?;
        let key = number.parse().map_err(|_| damaged())?;
        let sealed = STANDARD.decode(bytes).map_err(|_| damaged())?;
        let secret = SealedSecret { name: name.clone(), key, sealed, sealed_at: Timestamp::EPOCH };
        let keys = self.store.data_keys(tenant).await?;
        match keys.iter().find(|known| known.number == key) {
            Some(key) => self.open(tenant, key, &secret).await.map(Some),
            None => Ok(None),
        }
    }

    /// Removes a value.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none of this name, `Unavailable` if the store cannot be reached.
    pub async fn remove(&self, tenant: TenantId, name: &SecretName) -> Result<()> {
        self.store.remove_secret(tenant, name).await
    }

    /// Removes a tenant's data keys and values. Nothing opens what copies of the values are left elsewhere,
    /// unless a copy of the data keys is left there too.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn shred(&self, tenant: TenantId) -> Result<()> {
        self.store.shred(tenant).await
    }

    /// The store.
    pub(crate) fn store(&self) -> &dyn SecretStore {
        &*self.store
    }

    /// The data key that values are sealed under now; the first one is made here.
    async fn newest(&self, tenant: TenantId) -> Result<(u32, KeyBytes)> {
        for _ in 0..ATTEMPTS {
            match self.store.data_keys(tenant).await?.last() {
                Some(newest) => return Ok((newest.number, self.unwrap_key(tenant, newest).await?)),
                None => match self.add_data_key(tenant, 1).await {
                    Err(error) if error.kind() == ErrorKind::Conflict => {}
                    added => return Ok((1, added?)),
                },
            }
        }
        Err(too_fast())
    }

    /// Makes a data key; `Conflict` if there is one of this number.
    async fn add_data_key(&self, tenant: TenantId, number: u32) -> Result<KeyBytes> {
        let key = KeyBytes::random()?;
        let Wrapped { by, bytes } = self.keys.wrap(&key, &Context::of_key(tenant, number)).await?;
        let made_at = self.clock.now();
        self.store.add_data_key(tenant, DataKey { number, wrapped_by: by, wrapped: bytes, made_at }).await?;
        Ok(key)
    }

    async fn unwrap_key(&self, tenant: TenantId, key: &DataKey) -> Result<KeyBytes> {
        let context = Context::of_key(tenant, key.number);
        self.keys.open(&key.wrapped_by, &key.wrapped, &context).await.map_err(|error| {
            let message = format!("data key {} of tenant {tenant} cannot be unwrapped", key.number);
            Error::new(error.kind(), message).with_source(error)
        })
    }

    fn sealed(
        &self,
        tenant: TenantId,
        name: &SecretName,
        number: u32,
        key: &KeyBytes,
        value: &Secret,
    ) -> Result<SealedSecret> {
        let sealed = seal::seal(key, &Context::of_value(tenant, number, name), value.expose().as_bytes())?;
        Ok(SealedSecret { name: name.clone(), key: number, sealed, sealed_at: self.clock.now() })
    }

    async fn open(&self, tenant: TenantId, key: &DataKey, secret: &SealedSecret) -> Result<Secret> {
        let key = self.unwrap_key(tenant, key).await?;
        let context = Context::of_value(tenant, secret.key, &secret.name);
        let mut plain = seal::open(&key, &context, &secret.sealed).ok_or_else(|| {
            let message = "it was changed, moved from elsewhere, or sealed under another key";
            Error::internal(format!("{} of tenant {tenant} cannot be opened: {message}", secret.name))
        })?;
        // The bytes become the text, so that there is no second copy to be wiped.
        String::from_utf8(std::mem::take(&mut *plain)).map(Secret::new).map_err(|error| {
            drop(zeroize::Zeroizing::new(error.into_bytes()));
            Error::internal(format!("{} of tenant {tenant} is no text", secret.name))
        })
    }
}

fn too_fast() -> Error {
    Error::unavailable("data keys of this tenant are replaced too fast; try again")
}

#[cfg(test)]
mod tests;
