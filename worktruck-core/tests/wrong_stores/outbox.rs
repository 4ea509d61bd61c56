use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;
use worktruck_core::entity::Kind;
use worktruck_core::store::{
    Attempted, Delivery, DeliveryStatus, EntityStore as _, ListQuery, NewDelivery, Outbox, Outcome,
};
use worktruck_core::{DeliveryId, EntityId, ErrorKind, Page, PageRequest, Result, TenantId, Timestamp};

use super::broken::Broken;
use super::defects::Defect::*;

#[async_trait]
impl Outbox for Broken {
    async fn take_deliveries(&self, limit: usize, lease_for: Duration, now: Timestamp) -> Result<Vec<Delivery>> {
        let lease_for = match self.defect {
            DeliveryNotLeased => Duration::ZERO,
            DeliveryLeasedForEver => Duration::MAX,
            _ => lease_for,
        };
        let mut taken = self.inner.take_deliveries(limit, lease_for, now).await?;
        match self.defect {
            NothingTold => taken.retain(|delivery| delivery.run_id.is_none()),
            OrderOfDeliveriesIgnored => {
                for first in taken.clone().into_iter().filter(|first| first.run_id.is_some()) {
                    let all =
                        self.inner.deliveries(first.tenant_id, first.webhook_id, PageRequest::largest(None)).await?;
                    let next = all.data.into_iter().filter(|next| {
                        next.run_id == first.run_id && next.id != first.id && next.status == DeliveryStatus::Pending
                    });
                    taken.extend(next);
                }
            }
            _ => {}
        }
        self.notes().deliveries.extend(taken.iter().map(|taken| ((taken.tenant_id, taken.id), taken.webhook_id)));
        Ok(taken)
    }

    async fn settle_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        mut attempt: u32,
        mut attempted: Attempted,
        now: Timestamp,
    ) -> Result<Delivery> {
        match (self.defect, &mut attempted.outcome) {
            (RetriedAtOnce, Outcome::Retry { at, .. }) => *at = now,
            (LateAnswerCounts, _) => {
                let Some(delivery) = self.delivery(tenant, id).await? else {
                    return self.inner.settle_delivery(tenant, id, attempt, attempted, now).await;
                };
                if delivery.status != DeliveryStatus::Pending {
                    return Ok(delivery);
                }
                attempt = delivery.attempts;
            }
            _ => {}
        }
        self.inner.settle_delivery(tenant, id, attempt, attempted, now).await
    }

    async fn add_delivery(&self, tenant: TenantId, new: NewDelivery, now: Timestamp) -> Result<Delivery> {
        let made = new.clone().made(tenant, now);
        match self.inner.add_delivery(tenant, new, now).await {
            Err(error) if self.defect == DeliveryAddedTwice && error.kind() == ErrorKind::Conflict => Ok(made),
            answer => answer,
        }
    }

    async fn redeliver(&self, tenant: TenantId, id: DeliveryId, now: Timestamp) -> Result<Delivery> {
        match self.delivery(tenant, id).await? {
            Some(delivery) if self.defect == SentAgainInName => Ok(delivery),
            _ => self.inner.redeliver(tenant, id, now).await,
        }
    }

    async fn deliveries(&self, tenant: TenantId, webhook: EntityId, page: PageRequest) -> Result<Page<Delivery>> {
        let mut found = self.inner.deliveries(tenant, webhook, page.clone()).await?;
        match self.defect {
            NothingTold => found.data.retain(|delivery| delivery.run_id.is_none()),
            OldestDeliveryFirst => found.data.reverse(),
            DeliveriesOfAnyTenant => {
                for other in self.others(tenant) {
                    found.data.extend(self.inner.deliveries(other, webhook, page.clone()).await?.data);
                }
            }
            _ => {}
        }
        Ok(found)
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: usize) -> Result<u64> {
        if self.defect == NothingForgotten {
            return Ok(0);
        }
        self.inner.forget_deliveries(before, limit).await
    }
}

impl Broken {
    /// A delivery that was handed out before.
    async fn delivery(&self, tenant: TenantId, id: DeliveryId) -> Result<Option<Delivery>> {
        let webhook = self.notes().deliveries.get(&(tenant, id)).copied();
        let Some(webhook) = webhook else { return Ok(None) };
        let all = self.inner.deliveries(tenant, webhook, PageRequest::largest(None)).await?;
        Ok(all.data.into_iter().find(|delivery| delivery.id == id))
    }

    /// Tells every webhook of a tenant, whatever it asks for.
    pub(crate) async fn tell_everybody(&self, tenant: TenantId, now: Timestamp) -> Result<()> {
        for webhook in self.inner.list(tenant, ListQuery::new(Kind::Webhook), now).await?.data {
            let id = DeliveryId::from_uuid(Uuid::from_u128(u128::from(self.number()) + 1_000));
            let new = NewDelivery {
                id,
                webhook_id: webhook.key.id,
                event_type: "run.cancelled".to_owned(),
                body: Value::Null,
            };
            self.inner.add_delivery(tenant, new, now).await?;
        }
        Ok(())
    }
}
