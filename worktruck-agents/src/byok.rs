//! Keys of model providers that tenants bring for their own runs: probed, sealed in the vault, and used in the place
//! of the application's.

use std::sync::Arc;

use worktruck_core::entity::byok_key::{BLUEPRINT_TERM, ByokKey, ByokStatus};
use worktruck_core::entity::{Kind, Term};
use worktruck_core::model::{ModelError, ModelErrorCategory, ModelProvider, ProbeResult};
use worktruck_core::run::Run;
use worktruck_core::store::{Changes, EntityKey, ListQuery, Provenance, Require, SecretName, Version};
use worktruck_core::temporal::WriteOp;
use worktruck_core::{EntityId, Error, ErrorKind, Result, Secret, TenantId};

use crate::Runtime;
use crate::runtime::Ports;
use crate::vault::Vault;

/// What the keys are for, in their names in the vault.
const PURPOSE: &str = "byok_key";
/// The fewest characters of a key whose end is shown.
const SHOWN_FROM: usize = 16;

impl Runtime {
    /// Asks a provider of models whether it takes a key, and keeps nothing of it.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `/provider` if this runtime has no such provider.
    pub async fn validate_key(&self, provider: &str, key: &Secret) -> Result<ProbeResult> {
        let found = self.ports.named(provider)?;
        Ok(ProbeResult::from(found.probe(key).await))
    }

    /// What is known of the key that a tenant has brought for a blueprint, if there ever was one.
    ///
    /// # Errors
    ///
    /// - `NotFound`: this runtime has no such blueprint.
    /// - `Unavailable`: the store cannot be reached.
    pub async fn byok_key(&self, tenant: TenantId, blueprint: &str) -> Result<Option<ByokKey>> {
        let name = &self.blueprint(blueprint)?.name;
        Ok(self.ports.byok_key(tenant, name).await?.map(|(key, _)| key))
    }

    /// Takes a key that a tenant brings for the runs of a blueprint, in the place of another if there is one.
    ///
    /// The provider is asked first. A key that it does not take changes nothing.
    ///
    /// # Errors
    ///
    /// - `NotFound`: this runtime has no such blueprint.
    /// - `InvalidRequest`: there is no such provider, at `/provider`, or it does not take the key, at `/api_key`; then
    ///   the details are the [`ProbeResult`].
    /// - `Conflict`, `VersionMismatch`: somebody else did the same at the same time.
    /// - Those of [`Vault::put`], and `InvalidRequest` if this runtime has no vault.
    pub async fn bring_key(
        &self,
        tenant: TenantId,
        blueprint: &str,
        provider: &str,
        key: &Secret,
        by: &str,
    ) -> Result<ByokKey> {
        let blueprint = self.blueprint(blueprint)?.name.clone();
        let vault = self.ports.vault()?;
        if let invalid @ ProbeResult::Invalid { .. } = self.validate_key(provider, key).await? {
            let details = serde_json::to_value(&invalid)
                .map_err(|e| Error::internal("a probe has no JSON form").with_source(e))?;
            let message = format!("the provider {provider} does not take this key");
            return Err(Error::invalid(message).at("/api_key").with_details(details));
        }
        let brought = ByokKey { last_probed_at: Some(self.now()), ..ByokKey::new(&*blueprint, provider, hint(key)) };
        brought.check()?;
        let before = self.ports.byok_key(tenant, &blueprint).await?;
        vault.put(tenant, &name(&blueprint), key).await?;
        let by = Provenance::new(by, "user_edit");
        self.ports.keep_byok_key(tenant, &brought, before.map(|(_, version)| version), by).await?;
        Ok(brought)
    }

    /// Takes back the key of a tenant for a blueprint. Its runs fail as `auth_failed` until another key is brought.
    ///
    /// # Errors
    ///
    /// - `NotFound`: there is no such blueprint, or no key was brought for it.
    /// - `Conflict`, `VersionMismatch`: somebody else did the same at the same time.
    /// - Those of the store, and `InvalidRequest` if this runtime has no vault.
    pub async fn revoke_key(&self, tenant: TenantId, blueprint: &str, by: &str) -> Result<ByokKey> {
        let blueprint = self.blueprint(blueprint)?.name.clone();
        let vault = self.ports.vault()?;
        let Some((key, version)) = self.ports.byok_key(tenant, &blueprint).await? else {
            return Err(Error::not_found(format!("a key for {blueprint}")));
        };
        let revoked = ByokKey { status: ByokStatus::Revoked, ..key };
        let by = Provenance::new(by, "user_edit");
        // What is known goes first: a key without its note would be used.
        self.ports.keep_byok_key(tenant, &revoked, Some(version), by).await?;
        match vault.remove(tenant, &name(&blueprint)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(revoked),
        }
    }
}

impl Ports {
    fn vault(&self) -> Result<&Vault> {
        self.vault.as_ref().ok_or_else(|| Error::invalid("this runtime has no vault, and keeps no keys of tenants"))
    }

    pub(crate) async fn byok_key(&self, tenant: TenantId, blueprint: &str) -> Result<Option<(ByokKey, Version)>> {
        let mut query = ListQuery::new(Kind::ByokKey);
        query.terms.push(Term::new(BLUEPRINT_TERM, blueprint));
        let Some(version) = self.store.list(tenant, query, self.clock.now()).await?.data.pop() else { return Ok(None) };
        let body = version.slice.body.clone().unwrap_or_default();
        let key = serde_json::from_value(body)
            .map_err(|e| Error::internal(format!("the key of {blueprint} is stored damaged")).with_source(e))?;
        Ok(Some((key, version)))
    }

    async fn keep_byok_key(
        &self,
        tenant: TenantId,
        key: &ByokKey,
        over: Option<Version>,
        by: Provenance,
    ) -> Result<()> {
        let now = self.clock.now();
        let (entity, require) = match over {
            Some(Version { key, slice, .. }) => (key, Require::Version { key, version: slice.version }),
            None => {
                let entity = EntityKey::new(Kind::ByokKey, EntityId::new(&*self.ids, now));
                let term = Term::new(BLUEPRINT_TERM, &*key.agent_blueprint);
                (entity, Require::UniqueTerm { kind: Kind::ByokKey, term })
            }
        };
        let body = serde_json::to_value(key).map_err(|e| Error::internal("a key has no JSON form").with_source(e))?;
        let changes = Changes::none().write(entity, WriteOp::Put(body)).require(require);
        self.store.apply(tenant, changes, by, now).await.map(drop)
    }

    /// The key that a tenant has brought for the runs of a blueprint, to be kept out of what they record.
    pub(crate) async fn brought(&self, run: &Run) -> Result<Option<Secret>> {
        match &self.vault {
            Some(vault) => vault.get(run.tenant_id, &name(&run.agent_blueprint)).await,
            None => Ok(None),
        }
    }

    /// Whom a run asks, with the tenant's own key if it has brought one, and whether it has.
    pub(crate) async fn provider_of(
        &self,
        run: &Run,
        model: &str,
    ) -> Result<(Arc<dyn ModelProvider>, bool), ModelError> {
        let away = |error: Error| ModelError::new(ModelErrorCategory::ProviderUnavailable, error.to_string());
        // Another worker may have the provider: the run is not this worker's to fail.
        let provider = self.provider(&run.agent_blueprint, model).map_err(away)?;
        let (Some(vault), Some((of, _))) = (&self.vault, model.split_once('/')) else { return Ok((provider, false)) };
        let known = self.byok_key(run.tenant_id, &run.agent_blueprint).await.map_err(away)?;
        let Some((key, _)) = known.filter(|(key, _)| key.provider == of) else { return Ok((provider, false)) };
        let gone = || {
            let message = format!("the key that was brought for {} is revoked; bring another one", key.agent_blueprint);
            ModelError::new(ModelErrorCategory::RevokedOrExpired, message)
        };
        if key.status == ByokStatus::Revoked {
            return Err(gone());
        }
        let secret = vault.get(run.tenant_id, &name(&run.agent_blueprint)).await.map_err(away)?.ok_or_else(gone)?;
        let keyed = provider.with_key(&secret).ok_or_else(|| {
            let message = format!("the provider {of} asks with no key but its own");
            ModelError::new(ModelErrorCategory::InvalidRequest, message)
        })?;
        Ok((keyed, true))
    }

    /// Notes that a provider refused the key of a tenant in a run.
    pub(crate) async fn note_refused_key(&self, run: &Run) -> Result<()> {
        let Some((key, version)) = self.byok_key(run.tenant_id, &run.agent_blueprint).await? else { return Ok(()) };
        if key.status != ByokStatus::Active {
            return Ok(());
        }
        let refused = ByokKey { status: ByokStatus::AuthFailed, ..key };
        let by = Provenance::new("provider", "key_refused");
        match self.keep_byok_key(run.tenant_id, &refused, Some(version), by).await {
            // Somebody has just brought another one.
            Err(error) if matches!(error.kind(), ErrorKind::VersionMismatch | ErrorKind::NotFound) => Ok(()),
            done => done,
        }
    }
}

fn name(blueprint: &str) -> SecretName {
    SecretName::new(PURPOSE, blueprint)
}

fn hint(key: &Secret) -> String {
    let text = key.expose();
    match text.char_indices().rev().nth(3) {
        Some((at, _)) if text.chars().count() >= SHOWN_FROM => text[at..].to_owned(),
        _ => String::new(),
    }
}
