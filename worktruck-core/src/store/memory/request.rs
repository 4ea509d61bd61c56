use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::store::{Begun, NewRequest, RequestRecord, RequestStore, StoredAnswer, attempt_lost};
use crate::{Result, TenantId, Timestamp};

use super::MemoryStore;

#[async_trait]
impl RequestStore for MemoryStore {
    async fn begin_request(
        &self,
        tenant: TenantId,
        new: NewRequest,
        lease_for: Duration,
        now: Timestamp,
    ) -> Result<Begun> {
        new.check()?;
        let mut state = self.state();
        let requests = &mut state.entities.entry(tenant).or_default().requests;
        let (begun, record) = RequestRecord::begin(requests.get(&new.key).cloned(), &new, lease_for, now)?;
        requests.insert(new.key, record);
        Ok(begun)
    }

    async fn end_request(
        &self,
        tenant: TenantId,
        key: &str,
        attempt: Uuid,
        answer: Option<StoredAnswer>,
    ) -> Result<()> {
        let mut state = self.state();
        let requests = &mut state.entities.entry(tenant).or_default().requests;
        let request = requests.get_mut(key).ok_or_else(attempt_lost)?;
        request.held(attempt)?;
        match answer {
            Some(answer) => request.answer = Some(answer),
            None => drop(requests.remove(key)),
        }
        Ok(())
    }

    async fn forget_requests(&self, before: Timestamp, limit: usize) -> Result<u64> {
        let mut gone = 0;
        for entities in self.state().entities.values_mut() {
            let old = entities.requests.iter().filter(|(_, request)| request.created_at < before);
            let old: Vec<String> = old.map(|(key, _)| key.clone()).take(limit - gone).collect();
            gone += old.len();
            entities.requests.retain(|key, _| !old.contains(key));
        }
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }
}
