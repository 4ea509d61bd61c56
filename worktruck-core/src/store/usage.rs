//! What tenants use, and how much of it they may: the port that counts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{Result, TenantId, Timestamp};

/// What a tenant was promised, which says how much it may ask for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// 30 requests a minute and 1,000 a day.
    Free,
    /// 300 requests a minute and 50,000 a day.
    Pro,
    /// 1,500 requests a minute and 500,000 a day.
    Scale,
    /// As many as it likes.
    #[default]
    Enterprise,
}

impl Plan {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Scale => "scale",
            Self::Enterprise => "enterprise",
        }
    }

    /// How many requests it allows in a minute and in a day; any number if `None`.
    #[must_use]
    pub const fn limits(self) -> Option<(u64, u64)> {
        match self {
            Self::Free => Some((30, 1_000)),
            Self::Pro => Some((300, 50_000)),
            Self::Scale => Some((1_500, 500_000)),
            Self::Enterprise => None,
        }
    }
}

impl std::str::FromStr for Plan {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Free, Self::Pro, Self::Scale, Self::Enterprise]
            .into_iter()
            .find(|plan| plan.as_str() == text)
            .ok_or_else(|| {
                let message = format!("{text:?} is not a plan; there are free, pro, scale and enterprise");
                crate::Error::invalid(message).at("/plan")
            })
    }
}

/// How much a tenant used on a day in UTC.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UsageDay {
    /// The day.
    pub date: NaiveDate,
    /// All requests.
    pub request_count: u64,
    /// Those that read one thing.
    pub read_count: u64,
    /// Those that wrote.
    pub write_count: u64,
    /// Those that listed or searched.
    pub search_count: u64,
    /// Those that took a whole part of the data out.
    pub export_count: u64,
    /// What was paid for single requests, in millionths of a USDC.
    pub x402_revenue: u64,
}

impl UsageDay {
    /// A day on which nothing was used.
    #[must_use]
    pub const fn none(date: NaiveDate) -> Self {
        Self {
            date,
            request_count: 0,
            read_count: 0,
            write_count: 0,
            search_count: 0,
            export_count: 0,
            x402_revenue: 0,
        }
    }

    /// Adds what was used on the same day.
    pub const fn add(&mut self, other: &Self) {
        self.request_count = self.request_count.saturating_add(other.request_count);
        self.read_count = self.read_count.saturating_add(other.read_count);
        self.write_count = self.write_count.saturating_add(other.write_count);
        self.search_count = self.search_count.saturating_add(other.search_count);
        self.export_count = self.export_count.saturating_add(other.export_count);
        self.x402_revenue = self.x402_revenue.saturating_add(other.x402_revenue);
    }
}

/// What was used in all, by tenant and day.
#[must_use]
pub fn sum_of_usage(used: Vec<(TenantId, UsageDay)>) -> BTreeMap<(TenantId, NaiveDate), UsageDay> {
    let mut sums = BTreeMap::new();
    for (tenant, day) in used {
        sums.entry((tenant, day.date)).or_insert_with(|| UsageDay::none(day.date)).add(&day);
    }
    sums
}

/// How much may be had within a window of time, whose windows follow each other from 1970 on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota {
    /// How long the window is.
    pub window: Duration,
    /// How much may be had in it.
    pub limit: u64,
}

impl Quota {
    /// When the window begins that `now` lies in.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use worktruck_core::Timestamp;
    /// use worktruck_core::store::Quota;
    ///
    /// let minute = Quota { window: Duration::from_secs(60), limit: 30 };
    /// let now: Timestamp = "2026-04-14T18:32:10Z".parse()?;
    /// assert_eq!(minute.begin(now), "2026-04-14T18:32:00Z".parse()?);
    /// # Ok::<(), worktruck_core::Error>(())
    /// ```
    #[must_use]
    pub fn begin(&self, now: Timestamp) -> Timestamp {
        let window = i64::try_from(self.window.as_micros()).unwrap_or(i64::MAX).max(1);
        Timestamp::from_micros(now.as_micros() - now.as_micros().rem_euclid(window))
    }
}

/// What came of asking for a share of quotas.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Share {
    /// How much was given, which is at most what was asked for.
    pub granted: u64,
    /// How much is taken of each quota by now, this share included.
    pub taken: Vec<u64>,
}

/// The most that can be given of `wanted` where this much of each quota is taken.
#[must_use]
pub fn most_of(wanted: u64, quotas: &[Quota], taken: &[u64]) -> u64 {
    let left = quotas.iter().zip(taken).map(|(quota, taken)| quota.limit.saturating_sub(*taken));
    left.fold(wanted, u64::min)
}

/// Counts what tenants use.
#[async_trait]
pub trait UsageStore: fmt::Debug + Send + Sync + 'static {
    /// Adds to what tenants used on days.
    ///
    /// # Contract
    ///
    /// - `usage_adds_up_by_day`, `usage_of_another_tenant_is_not_told`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn add_usage(&self, used: Vec<(TenantId, UsageDay)>) -> Result<()>;

    /// What a tenant used on the days from `from` to `to`, both included: those on which it used anything, in order.
    ///
    /// # Contract
    ///
    /// - `usage_adds_up_by_day`, `usage_of_another_tenant_is_not_told`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn usage(&self, tenant: TenantId, from: NaiveDate, to: NaiveDate) -> Result<Vec<UsageDay>>;

    /// Takes `wanted`, or as much of it as is left, of all `quotas` alike, in the windows that `now` lies in, or in
    /// later ones that something was taken of already. Quotas are told apart by the length of their windows.
    ///
    /// # Contract
    ///
    /// - `quota_is_never_exceeded`, `quota_is_full_again_in_the_next_window`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn take_quota(&self, tenant: TenantId, quotas: &[Quota], wanted: u64, now: Timestamp) -> Result<Share>;

    /// Gives back what was taken at `taken_at` and not used.
    ///
    /// # Contract
    ///
    /// - `quota_that_is_given_back_can_be_taken`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn give_back_quota(&self, tenant: TenantId, quotas: &[Quota], unused: u64, taken_at: Timestamp)
    -> Result<()>;
}
