use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;

use crate::run::{Event, Run};
use crate::store::{
    Attempted, Delivery, DeliveryStatus, Message, NewDelivery, Outbox, delivery_scope, no_delivery, told_of,
};
use crate::{Cursor, DeliveryId, EntityId, Error, Page, PageRequest, Result, RunId, TenantId, Timestamp};

use super::{MemoryStore, State};

/// The deliveries of all tenants.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    by_id: BTreeMap<(TenantId, DeliveryId), Delivery>,
    /// Those that are pending, by when they may be tried.
    pending: BTreeSet<(Timestamp, TenantId, DeliveryId)>,
    /// Those of runs that are pending, in their order.
    lanes: BTreeMap<(TenantId, EntityId, RunId), BTreeMap<u64, DeliveryId>>,
}

impl Deliveries {
    /// Writes a delivery, new or changed.
    fn put(&mut self, delivery: Delivery) {
        let key = (delivery.tenant_id, delivery.id);
        if let Some(old) = self.by_id.remove(&key) {
            self.leave(&old);
        }
        if let Some(at) = delivery.next_attempt_at {
            self.pending.insert((at, key.0, key.1));
            if let (Some(run), Some(seq)) = (delivery.run_id, delivery.seq) {
                self.lanes.entry((key.0, delivery.webhook_id, run)).or_default().insert(seq, key.1);
            }
        }
        self.by_id.insert(key, delivery);
    }

    fn leave(&mut self, old: &Delivery) {
        if let Some(at) = old.next_attempt_at {
            self.pending.remove(&(at, old.tenant_id, old.id));
        }
        if let (Some(run), Some(seq)) = (old.run_id, old.seq) {
            let lane = (old.tenant_id, old.webhook_id, run);
            if let Some(waiting) = self.lanes.get_mut(&lane) {
                waiting.remove(&seq);
                if waiting.is_empty() {
                    self.lanes.remove(&lane);
                }
            }
        }
    }

    fn is_first(&self, delivery: &Delivery) -> bool {
        let Some(run) = delivery.run_id else { return true };
        let lane = self.lanes.get(&(delivery.tenant_id, delivery.webhook_id, run));
        lane.and_then(|lane| lane.values().next()).is_none_or(|first| *first == delivery.id)
    }

    fn existing(&self, tenant: TenantId, id: DeliveryId) -> Result<Delivery> {
        self.by_id.get(&(tenant, id)).cloned().ok_or_else(|| no_delivery(id))
    }
}

impl State {
    /// Makes the deliveries of what happened to a run.
    pub(super) fn tell(&mut self, run: &Run, events: &[Event], now: Timestamp) {
        self.send(run.tenant_id, &Message::of(run, events), now);
    }

    /// Makes the deliveries of messages.
    pub(super) fn send(&mut self, tenant: TenantId, messages: &[Message], now: Timestamp) {
        for message in messages {
            let Some(entities) = self.entities.get(&tenant) else { return };
            let (kind, term) = told_of(&message.event_type);
            for webhook in entities.with_term_now(kind, &term, now) {
                self.deliveries.put(message.deliver(tenant, webhook));
            }
        }
    }
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn take_deliveries(&self, limit: usize, lease_for: Duration, now: Timestamp) -> Result<Vec<Delivery>> {
        let mut state = self.state();
        let deliveries = &mut state.deliveries;
        let due = deliveries.pending.iter().take_while(|(at, ..)| *at <= now);
        let due = due.filter_map(|(_, tenant, id)| deliveries.by_id.get(&(*tenant, *id)));
        let mut taken: Vec<Delivery> =
            due.filter(|delivery| deliveries.is_first(delivery)).take(limit).cloned().collect();
        for delivery in &mut taken {
            delivery.take(lease_for, now);
            deliveries.put(delivery.clone());
        }
        Ok(taken)
    }

    async fn settle_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        attempt: u32,
        attempted: Attempted,
        now: Timestamp,
    ) -> Result<Delivery> {
        let mut state = self.state();
        let mut delivery = state.deliveries.existing(tenant, id)?;
        delivery.settle(attempt, attempted, now)?;
        state.deliveries.put(delivery.clone());
        Ok(delivery)
    }

    async fn add_delivery(&self, tenant: TenantId, new: NewDelivery, now: Timestamp) -> Result<Delivery> {
        let mut state = self.state();
        if state.deliveries.by_id.contains_key(&(tenant, new.id)) {
            return Err(Error::conflict(format!("delivery {} exists", new.id)));
        }
        let delivery = new.made(tenant, now);
        state.deliveries.put(delivery.clone());
        Ok(delivery)
    }

    async fn redeliver(&self, tenant: TenantId, id: DeliveryId, now: Timestamp) -> Result<Delivery> {
        let mut state = self.state();
        let mut delivery = state.deliveries.existing(tenant, id)?;
        delivery.send_again(now);
        state.deliveries.put(delivery.clone());
        Ok(delivery)
    }

    async fn deliveries(&self, tenant: TenantId, webhook: EntityId, page: PageRequest) -> Result<Page<Delivery>> {
        let scope = delivery_scope(tenant, webhook);
        let after: Option<(i64, DeliveryId)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let place = |delivery: &Delivery| (delivery.created_at.as_micros(), delivery.id);
        let state = self.state();
        let all = state.deliveries.by_id.values();
        let mut found: Vec<&Delivery> =
            all.filter(|delivery| delivery.tenant_id == tenant && delivery.webhook_id == webhook).collect();
        found.retain(|delivery| after.is_none_or(|after| place(delivery) < after));
        found.sort_by_key(|delivery| Reverse(place(delivery)));
        let found = found.into_iter().take(page.limit() + 1).cloned().collect();
        Page::cut(found, page.limit(), |last| Cursor::seal(&scope, &place(last)))
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: usize) -> Result<u64> {
        let mut state = self.state();
        let is_old = |delivery: &&Delivery| {
            delivery.status != DeliveryStatus::Pending && delivery.settled_at.is_some_and(|at| at < before)
        };
        let old: Vec<_> = state.deliveries.by_id.values().filter(is_old).map(|it| (it.tenant_id, it.id)).collect();
        let gone = old.into_iter().take(limit).filter(|key| state.deliveries.by_id.remove(key).is_some()).count();
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }
}
