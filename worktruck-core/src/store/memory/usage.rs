use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDate;

use crate::store::{Quota, Share, UsageDay, UsageStore, most_of, sum_of_usage};
use crate::{Result, TenantId, Timestamp};

use super::MemoryStore;

/// What tenants use.
#[derive(Debug, Default)]
pub(super) struct Usage {
    days: BTreeMap<(TenantId, NaiveDate), UsageDay>,
    /// By tenant and length of the window: when the newest window begins, and how much of it is taken.
    taken: BTreeMap<(TenantId, u128), (Timestamp, u64)>,
}

impl Usage {
    /// How much is taken of a quota in the window of `now`.
    fn taken(&mut self, tenant: TenantId, quota: &Quota, now: Timestamp) -> &mut u64 {
        let begin = quota.begin(now);
        let window = self.taken.entry((tenant, quota.window.as_micros())).or_insert((begin, 0));
        if window.0 < begin {
            *window = (begin, 0);
        }
        &mut window.1
    }
}

#[async_trait]
impl UsageStore for MemoryStore {
    async fn add_usage(&self, used: Vec<(TenantId, UsageDay)>) -> Result<()> {
        let mut state = self.state();
        for (place, day) in sum_of_usage(used) {
            state.usage.days.entry(place).or_insert_with(|| UsageDay::none(day.date)).add(&day);
        }
        Ok(())
    }

    async fn usage(&self, tenant: TenantId, from: NaiveDate, to: NaiveDate) -> Result<Vec<UsageDay>> {
        let state = self.state();
        let days = state.usage.days.values().zip(state.usage.days.keys());
        let asked = days.filter(|(_, (of, date))| *of == tenant && from <= *date && *date <= to);
        Ok(asked.map(|(day, _)| day.clone()).collect())
    }

    async fn take_quota(&self, tenant: TenantId, quotas: &[Quota], wanted: u64, now: Timestamp) -> Result<Share> {
        let mut state = self.state();
        let taken: Vec<u64> = quotas.iter().map(|quota| *state.usage.taken(tenant, quota, now)).collect();
        let granted = most_of(wanted, quotas, &taken);
        for quota in quotas {
            *state.usage.taken(tenant, quota, now) += granted;
        }
        Ok(Share { granted, taken: taken.into_iter().map(|taken| taken + granted).collect() })
    }

    async fn give_back_quota(
        &self,
        tenant: TenantId,
        quotas: &[Quota],
        unused: u64,
        taken_at: Timestamp,
    ) -> Result<()> {
        let mut state = self.state();
        for quota in quotas {
            let window = state.usage.taken.get_mut(&(tenant, quota.window.as_micros()));
            if let Some((_, taken)) = window.filter(|(begin, _)| *begin == quota.begin(taken_at)) {
                *taken = taken.saturating_sub(unused);
            }
        }
        Ok(())
    }
}
