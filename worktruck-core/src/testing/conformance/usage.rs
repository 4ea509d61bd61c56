//! What [`UsageStore`](crate::store::UsageStore) promises.

use std::time::Duration;

use chrono::NaiveDate;
use futures::FutureExt as _;

use crate::store::{Quota, Share, UsageDay};
use crate::{TenantId, Timestamp};

use super::Stage;
use super::build::*;

const MINUTE: Quota = Quota { window: Duration::from_secs(60), limit: 30 };
const DAY: Quota = Quota { window: Duration::from_secs(24 * 60 * 60), limit: 50 };

fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, day).expect("a day of January")
}

fn used(day: u32, n: u64) -> UsageDay {
    UsageDay {
        request_count: n,
        read_count: n + 1,
        write_count: n + 2,
        search_count: n + 3,
        export_count: n + 4,
        x402_revenue: n + 5,
        ..UsageDay::none(date(day))
    }
}

impl Stage {
    async fn usage_of(&self, tenant: TenantId, from: u32, to: u32) -> Vec<UsageDay> {
        self.store.usage(tenant, date(from), date(to)).await.expect("an answer")
    }

    async fn share(&self, tenant: TenantId, wanted: u64, now: Timestamp) -> Share {
        self.store.take_quota(tenant, &[MINUTE, DAY], wanted, now).await.expect("an answer")
    }
}

fn share(granted: u64, minute: u64, day: u64) -> Share {
    Share { granted, taken: vec![minute, day] }
}

/// What is added counts once, in one call or in several, and days without anything are left out.
pub async fn usage_adds_up_by_day(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.store.add_usage(Vec::new()).await.expect("nothing is added");
    let several = vec![(tenant, used(2, 10)), (tenant, used(1, 1)), (tenant, used(2, 20))];
    stage.store.add_usage(several).await.expect("it is added");
    stage.store.add_usage(vec![(tenant, used(2, 100)), (tenant, used(4, 7))]).await.expect("it is added");
    let mut second = used(2, 10);
    second.add(&used(2, 20));
    second.add(&used(2, 100));
    assert_eq!(second.request_count, 130);
    assert_eq!(stage.usage_of(tenant, 1, 31).await, [used(1, 1), second.clone(), used(4, 7)]);
    assert_eq!(stage.usage_of(tenant, 2, 3).await, [second]);
    assert_eq!(stage.usage_of(tenant, 3, 3).await, []);
}

/// What others use is theirs.
pub async fn usage_of_another_tenant_is_not_told(stage: Stage) {
    let (tenant, other) = (stage.tenant(1).await, stage.tenant(2).await);
    stage.store.add_usage(vec![(tenant, used(1, 1)), (other, used(1, 5))]).await.expect("it is added");
    assert_eq!(stage.usage_of(tenant, 1, 31).await, [used(1, 1)]);
    assert_eq!(stage.usage_of(other, 1, 31).await, [used(1, 5)]);
    stage.share(tenant, 30, at(0)).await;
    assert_eq!(stage.share(other, 30, at(0)).await, share(30, 30, 30));
}

/// However many ask at once, no more is given than there is, of any of the windows.
pub async fn quota_is_never_exceeded(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let shares = stage
        .in_parallel(12, move |_, store| {
            async move { store.take_quota(tenant, &[MINUTE, DAY], 7, at(5)).await }.boxed()
        })
        .await;
    let granted: u64 = shares.into_iter().map(|share| share.expect("an answer").granted).sum();
    assert_eq!(granted, MINUTE.limit);
    assert_eq!(stage.share(tenant, 1, at(59)).await, share(0, 30, 30));
    assert_eq!(stage.share(tenant, 100, at(60)).await, share(20, 20, 50), "the day has no more");
    assert_eq!(stage.share(tenant, 1, at(120)).await, share(0, 0, 50));
}

/// With the next window all of it is there again; a clock that lags takes of the window that has begun.
pub async fn quota_is_full_again_in_the_next_window(stage: Stage) {
    let tenant = stage.tenant(1).await;
    assert_eq!(stage.share(tenant, 30, at(0)).await, share(30, 30, 30));
    let next = at(24 * 60 * 60);
    assert_eq!(stage.share(tenant, 25, next).await, share(25, 25, 25));
    assert_eq!(stage.share(tenant, 25, just_before(next)).await, share(5, 30, 30));
}

/// What is given back can be taken, while its window lasts.
pub async fn quota_that_is_given_back_can_be_taken(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let give_back = |unused, taken_at| stage.store.give_back_quota(tenant, &[MINUTE, DAY], unused, taken_at);
    stage.share(tenant, 30, at(0)).await;
    give_back(10, at(1)).await.expect("it is given back");
    assert_eq!(stage.share(tenant, 15, at(2)).await, share(10, 30, 30));
    stage.share(tenant, 5, at(60)).await;
    give_back(10, at(2)).await.expect("only the day is the same");
    assert_eq!(stage.share(tenant, 0, at(61)).await, share(0, 5, 25));
    give_back(1_000, at(61)).await.expect("no more comes back than was taken");
    assert_eq!(stage.share(tenant, 0, at(62)).await, share(0, 0, 0));
}
