use async_trait::async_trait;

use crate::store::{Expired, RetentionStore, check_expiry};
use crate::{Result, TenantId, Timestamp};

use super::MemoryStore;

#[async_trait]
impl RetentionStore for MemoryStore {
    async fn expire(&self, tenant: TenantId, before: Timestamp, limit: usize, now: Timestamp) -> Result<Expired> {
        check_expiry(before, limit, now)?;
        let mut guard = self.state();
        let state = &mut *guard;
        let entities = state.entities.entry(tenant).or_default();
        entities.move_horizon(before);
        let runs = state.runs.expire(tenant, before, limit);
        let mut expired = Expired { runs: u64::try_from(runs).unwrap_or(u64::MAX), ..Expired::default() };
        if runs == limit {
            expired.has_more = true;
        } else {
            entities.sweep(limit - runs, &mut expired);
        }
        Ok(expired)
    }
}
