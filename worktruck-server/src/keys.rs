//! API keys: what they look like, how they are made, and how somebody is known by one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::request::Parts;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use worktruck_core::entity::Locale;
use worktruck_core::store::{ApiKey, Environment, Plan, Store};
use worktruck_core::{ApiKeyId, Clock, Digest, Error, Secret, TenantId, Timestamp};

use crate::auth::bearer;
use crate::{Authenticator, Failure, Principal, Scope, Scopes};

/// How many random characters a key has, behind its prefix.
const RANDOM: usize = 43;
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How long what was read of a key is believed. Whoever revokes one is answered after twice that time, so that the key is
/// refused everywhere by then.
const BELIEVED: Duration = Duration::from_millis(100);
/// How often it is written when keys were used.
const NOTED: Duration = Duration::from_secs(10);

/// Knows who asks by the API keys of the store: `bsk_live_` or `bsk_test_` and 43 letters and digits.
///
/// The store has a keyed hash of each (HMAC-SHA-256) and never a key; what the hash is keyed with, the *pepper*, is not in
/// the store.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use worktruck_agents::clock::SystemClock;
/// use worktruck_core::Secret;
/// use worktruck_core::store::MemoryStore;
/// use worktruck_server::ApiKeys;
///
/// let pepper = Secret::new("kept outside of the database, and never changed");
/// let keys = ApiKeys::new(Arc::new(MemoryStore::default()), Arc::new(SystemClock::new()), &pepper)?;
/// assert!(!format!("{keys:?}").contains("outside"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub struct ApiKeys {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    pepper: Hmac<Sha256>,
    known: Mutex<HashMap<Digest, Known>>,
    used: Mutex<Used>,
}

/// What was read of a key, and when.
#[derive(Clone, Debug)]
struct Known {
    key: ApiKey,
    plan: Plan,
    locale: Locale,
    read_at: Duration,
}

/// When keys were used since that was last written.
#[derive(Debug, Default)]
struct Used {
    at: HashMap<(TenantId, ApiKeyId), Timestamp>,
    written_at: Duration,
}

impl ApiKeys {
    /// The keys of `store`, whose hashes are keyed with `pepper`.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the pepper has fewer than 16 bytes.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, pepper: &Secret) -> Result<Self, Error> {
        let bytes = pepper.expose().as_bytes();
        if bytes.len() < 16 {
            return Err(Error::invalid("the pepper of API keys must have 16 bytes or more"));
        }
        let pepper = Hmac::new_from_slice(bytes).map_err(|_| Error::invalid("this is no pepper"))?;
        Ok(Self { store, clock, pepper, known: Mutex::default(), used: Mutex::default() })
    }

    /// A new key, and what it is found by.
    ///
    /// # Errors
    ///
    /// `Internal` if the system has no randomness.
    pub fn make(&self, environment: Environment) -> Result<(Secret, Digest), Error> {
        let mut text = format!("bsk_{}_", environment.as_str());
        let end = text.len() + RANDOM;
        while text.len() < end {
            let mut bytes = [0; 64];
            getrandom::fill(&mut bytes).map_err(|e| Error::internal("there is no randomness").with_source(e))?;
            // Bytes beyond the last whole turn of the letters would make some letters likelier than others.
            let whole = bytes.iter().filter(|byte| usize::from(**byte) < 4 * LETTERS.len());
            text.extend(whole.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])));
            text.truncate(end);
        }
        let hash = self.hash(&text);
        Ok((Secret::new(text), hash))
    }

    /// Waits until a key that was revoked just now is refused by every server.
    pub(crate) async fn settle(&self) {
        self.known().clear();
        tokio::time::sleep(BELIEVED * 2).await;
    }

    /// Writes when keys were used.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn flush(&self) -> Result<(), Error> {
        let used: Vec<_> = {
            let mut used = self.used();
            used.written_at = self.clock.monotonic();
            used.at.drain().map(|((tenant, id), at)| (tenant, id, at)).collect()
        };
        if used.is_empty() { Ok(()) } else { self.store.note_api_key_use(used).await }
    }

    fn hash(&self, key: &str) -> Digest {
        let mut mac = self.pepper.clone();
        mac.update(key.as_bytes());
        Digest::from_bytes(mac.finalize().into_bytes().into())
    }

    async fn find(&self, hash: Digest) -> Result<Option<Known>, Error> {
        let asked_at = self.clock.monotonic();
        let known = self.known().get(&hash).cloned();
        if let Some(known) = known.filter(|known| asked_at < known.read_at + BELIEVED) {
            return Ok(Some(known));
        }
        let Some(key) = self.store.api_key_by_hash(hash).await? else { return Ok(None) };
        let Some(owner) = self.store.tenant(key.tenant_id).await? else { return Ok(None) };
        let timezone = owner.timezone.parse().unwrap_or_default();
        let locale = Locale { timezone, ..Locale::default() };
        let known = Known { key, plan: owner.plan, locale, read_at: asked_at };
        let mut all = self.known();
        all.retain(|_, known| asked_at < known.read_at + BELIEVED);
        all.insert(hash, known.clone());
        Ok(Some(known))
    }

    fn note(self: &Arc<Self>, key: &ApiKey, now: Timestamp) {
        let mut used = self.used();
        used.at.insert((key.tenant_id, key.id), now);
        let at = self.clock.monotonic();
        if at >= used.written_at + NOTED {
            used.written_at = at;
            drop(used);
            let keys = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = keys.flush().await {
                    tracing::warn!(error = %error.chain(), "cannot note when API keys were used");
                }
            });
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Digest, Known>> {
        // A panic elsewhere cannot leave the map half written.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").field("store", &self.store).finish_non_exhaustive()
    }
}

#[async_trait]
impl Authenticator for Arc<ApiKeys> {
    async fn authenticate(&self, request: &Parts) -> Result<Option<Principal>, Failure> {
        let Some(token) = bearer(request)?.filter(|token| token.starts_with("bsk_")) else { return Ok(None) };
        let wrong = || Failure::unauthenticated("the API key is not valid: it is unknown, expired or revoked");
        let now = self.clock.now();
        let known = self.find(self.hash(token)).await?.filter(|known| known.key.is_active(now)).ok_or_else(wrong)?;
        self.note(&known.key, now);
        let Known { key, plan, locale, .. } = known;
        let scopes = match &key.scopes {
            None => Scopes::ALL,
            // What is not known here allows nothing here.
            Some(scopes) => Scopes::only(scopes.iter().filter_map(|scope| scope.parse::<Scope>().ok())),
        };
        let principal = Principal::new(key.sees, format!("api_key:{}", key.id)).with_scopes(scopes);
        Ok(Some(Principal { locale: Some(locale), limited: Some((key.tenant_id, plan)), ..principal }))
    }
}
