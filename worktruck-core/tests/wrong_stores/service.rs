use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveDate;
use serde_json::Value;
use uuid::Uuid;
use worktruck_core::entity::Kind;
use worktruck_core::store::{
    ApiKey, ApiKeyStore, AuditEntry, AuditQuery, AuditRecord, AuditStore, Begun, Changes, EntityStore as _, ListQuery,
    NewApiKey, NewDelivery, NewRequest, Outbox as _, Quota, RequestStore, Share, StoredAnswer, UsageDay, UsageStore,
};
use worktruck_core::{ApiKeyId, DeliveryId, Digest, ErrorKind, Page, PageRequest, Result, TenantId, Timestamp};

use super::broken::{Broken, of_any};
use super::defects::Defect::*;

#[async_trait]
impl AuditStore for Broken {
    async fn add_audit_entry(&self, tenant: TenantId, id: Uuid, entry: AuditEntry, now: Timestamp) -> Result<()> {
        self.inner.add_audit_entry(tenant, id, entry, now).await
    }

    async fn audit_log(&self, tenant: TenantId, mut query: AuditQuery) -> Result<Page<AuditRecord>> {
        match self.defect {
            AuditOfAnyTenant => {
                let found = |page: &Page<AuditRecord>| !page.data.is_empty();
                return of_any!(self, tenant, found, self.inner.audit_log(tenant, query.clone()).await);
            }
            AuditedActorsIgnored => query.actor_id = None,
            _ => {}
        }
        let mut found = self.inner.audit_log(tenant, query).await?;
        match self.defect {
            ErasureNotAudited => found.data.retain(|record| !record.entry.action.ends_with(".purged")),
            KeysNotAudited => found.data.retain(|record| record.entry.action != "api_key.rotated"),
            _ => {}
        }
        Ok(found)
    }
}

#[async_trait]
impl ApiKeyStore for Broken {
    async fn add_api_key(&self, new: NewApiKey, audit: AuditEntry) -> Result<()> {
        match self.inner.add_api_key(new, audit).await {
            Err(error) if self.defect == ApiKeyAddedTwice && error.kind() == ErrorKind::Conflict => Ok(()),
            answer => answer,
        }
    }

    async fn api_key_by_hash(&self, hash: Digest) -> Result<Option<ApiKey>> {
        let found = self.inner.api_key_by_hash(hash).await?;
        Ok(if self.defect == ScopesForgotten { found.map(|key| ApiKey { scopes: None, ..key }) } else { found })
    }

    async fn api_key(&self, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>> {
        if self.defect == ApiKeyOfAnyTenant {
            return of_any!(self, tenant, Option::is_some, self.inner.api_key(tenant, id).await);
        }
        self.inner.api_key(tenant, id).await
    }

    async fn api_keys(&self, tenant: TenantId, page: PageRequest) -> Result<Page<ApiKey>> {
        let mut found = self.inner.api_keys(tenant, page).await?;
        match self.defect {
            OldestApiKeyFirst => found.data.reverse(),
            RevokedApiKeysHidden => found.data.retain(|key| key.revoked_at.is_none()),
            _ => {}
        }
        Ok(found)
    }

    async fn revoke_api_key(
        &self,
        tenant: TenantId,
        id: ApiKeyId,
        instead: Option<NewApiKey>,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<ApiKey> {
        if self.defect == ApiKeyReplacedInHalves && instead.is_some() {
            self.inner.revoke_api_key(tenant, id, None, audit.clone(), now).await?;
            let key = self.inner.api_key(tenant, id).await?.unwrap_or_else(|| unreachable!("it was there just now"));
            if let Some(new) = instead {
                self.inner.add_api_key(new, audit).await?;
            }
            return Ok(key);
        }
        match self.inner.revoke_api_key(tenant, id, instead, audit, now).await {
            Err(error) if self.defect == ApiKeyRevokedTwice && error.kind() == ErrorKind::Conflict => {
                self.inner.api_key(tenant, id).await?.ok_or(error)
            }
            answer => answer,
        }
    }

    async fn note_api_key_use(&self, used: Vec<(TenantId, ApiKeyId, Timestamp)>) -> Result<()> {
        if self.defect == UseOfApiKeysForgotten {
            return Ok(());
        }
        self.inner.note_api_key_use(used).await
    }
}

#[async_trait]
impl RequestStore for Broken {
    async fn begin_request(
        &self,
        tenant: TenantId,
        new: NewRequest,
        lease_for: Duration,
        now: Timestamp,
    ) -> Result<Begun> {
        let tenant = self.asking(tenant);
        match (self.defect, self.inner.begin_request(tenant, new.clone(), lease_for, now).await) {
            (AnswersForgotten, Ok(Begun::Answered(_))) => Ok(Begun::Interrupted(None)),
            (RequestsAttemptedByMany, Ok(Begun::InProgress)) => Ok(Begun::New),
            (AnyRequestUnderAKey, Err(error)) if error.kind() == ErrorKind::IdempotencyMismatch => {
                Ok(Begun::InProgress)
            }
            (_, answer) => answer,
        }
    }

    async fn end_request(
        &self,
        tenant: TenantId,
        key: &str,
        attempt: Uuid,
        answer: Option<StoredAnswer>,
    ) -> Result<()> {
        if self.defect == NothingGivenUp && answer.is_none() {
            return Ok(());
        }
        self.inner.end_request(self.asking(tenant), key, attempt, answer).await
    }

    async fn forget_requests(&self, before: Timestamp, limit: usize) -> Result<u64> {
        if self.defect == RequestsNeverForgotten {
            return Ok(0);
        }
        self.inner.forget_requests(before, limit).await
    }
}

#[async_trait]
impl UsageStore for Broken {
    async fn add_usage(&self, used: Vec<(TenantId, UsageDay)>) -> Result<()> {
        let used = match self.defect {
            UsageCountedOnce => used.into_iter().take(1).collect(),
            UsageOfOneTenant => {
                let first = self.notes().tenants.first().copied();
                used.into_iter().map(|(tenant, day)| (first.unwrap_or(tenant), day)).collect()
            }
            _ => used,
        };
        self.inner.add_usage(used).await
    }

    async fn usage(&self, tenant: TenantId, from: NaiveDate, to: NaiveDate) -> Result<Vec<UsageDay>> {
        self.inner.usage(tenant, from, to).await
    }

    async fn take_quota(&self, tenant: TenantId, quotas: &[Quota], wanted: u64, now: Timestamp) -> Result<Share> {
        let now = if self.defect == QuotaNeverFull { Timestamp::from_micros(0) } else { now };
        let share = self.inner.take_quota(tenant, quotas, wanted, now).await?;
        Ok(if self.defect == QuotaNotKept { Share { granted: wanted, ..share } } else { share })
    }

    async fn give_back_quota(
        &self,
        tenant: TenantId,
        quotas: &[Quota],
        unused: u64,
        taken_at: Timestamp,
    ) -> Result<()> {
        if self.defect == NothingGivenBack {
            return Ok(());
        }
        self.inner.give_back_quota(tenant, quotas, unused, taken_at).await
    }
}

impl Broken {
    /// Whose request it is taken for.
    fn asking(&self, tenant: TenantId) -> TenantId {
        let first = self.notes().tenants.first().copied();
        if self.defect == RequestsOfOneTenant { first.unwrap_or(tenant) } else { tenant }
    }

    /// Takes away of changes what a defect does not write beside them.
    pub(crate) fn beside_wrongly(&self, changes: &mut Changes) {
        match self.defect {
            NewsDropped => changes.news.clear(),
            AuditDropped => changes.audit.clear(),
            EffectsNotRemembered => changes.request = None,
            _ => {}
        }
    }

    /// Writes of refused changes what is written beside them.
    pub(crate) async fn beside_refused(&self, tenant: TenantId, refused: &Changes, now: Timestamp) -> Result<()> {
        match self.defect {
            RefusedNewsTold => {
                for news in &refused.news {
                    for webhook in self.inner.list(tenant, ListQuery::new(Kind::Webhook), now).await?.data {
                        let id = DeliveryId::from_uuid(Uuid::from_u128(u128::from(self.number()) + 2_000));
                        let (webhook_id, event_type) = (webhook.key.id, news.event_type.clone());
                        let new = NewDelivery { id, webhook_id, event_type, body: Value::Null };
                        self.inner.add_delivery(tenant, new, now).await?;
                    }
                }
            }
            RefusedAudited => {
                for entry in refused.audit.iter().filter(|entry| entry.check().is_ok()) {
                    let id = Uuid::from_u128(u128::from(self.number()));
                    self.inner.add_audit_entry(tenant, id, entry.clone(), now).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
