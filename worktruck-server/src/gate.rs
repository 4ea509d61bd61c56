//! How many requests a tenant may make, and how many it has made.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use chrono::{DateTime, NaiveDate};
use worktruck_core::store::{Plan, Quota, Store, UsageDay};
use worktruck_core::{Clock, Error, TenantId, Timestamp};

use crate::Failure;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a share that was taken of a quota is kept for the next requests; what is left is given back then.
const KEPT: Duration = Duration::from_secs(1);
/// How often it is written what was used.
const WRITTEN: Duration = Duration::from_secs(1);

/// What kind of request is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// It reads one thing.
    Read,
    /// It writes.
    Write,
    /// It lists or searches.
    Search,
    /// It takes a whole part of the data out.
    Export,
}

/// Counts requests, and lets no more through than plans allow, however many servers there are.
///
/// A request takes its share of the quotas of its tenant from the store. Where there is much left, a share is for several
/// requests: the less is left, the smaller it is, so that in the end each request asks by itself and the last one
/// that a plan allows is let through wherever it comes.
#[derive(Debug)]
pub(crate) struct Gate {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    shares: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<Held>>>>,
    used: Mutex<Used>,
}

/// What is left of a share.
#[derive(Debug)]
struct Held {
    left: u64,
    taken_at: Timestamp,
    /// How much of the minute was taken when the share was.
    taken: u64,
}

impl Default for Held {
    fn default() -> Self {
        Self { left: 0, taken_at: Timestamp::EPOCH, taken: 0 }
    }
}

#[derive(Debug, Default)]
struct Used {
    days: BTreeMap<(TenantId, NaiveDate), UsageDay>,
    written_at: Duration,
}

/// What a tenant is told of its limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Told {
    limit: u64,
    remaining: u64,
    reset: u64,
}

impl Told {
    /// Adds the headers that say it.
    pub(crate) fn put(self, headers: &mut HeaderMap) {
        for (name, value) in [
            ("x-ratelimit-limit", self.limit),
            ("x-ratelimit-remaining", self.remaining),
            ("x-ratelimit-reset", self.reset),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
    }
}

impl Gate {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, shares: Mutex::default(), used: Mutex::default() }
    }

    /// Lets a request through, or says when the next one may be.
    ///
    /// # Errors
    ///
    /// 429 if the plan allows no more of them now; 503 if the store cannot be reached.
    pub(crate) async fn admit(&self, tenant: TenantId, plan: Plan) -> Result<Option<Told>, Failure> {
        let Some((minute, day)) = plan.limits() else { return Ok(None) };
        let quotas = [Quota { window: MINUTE, limit: minute }, Quota { window: DAY, limit: day }];
        let place = Arc::clone(self.shares().entry(tenant).or_default());
        let mut held = place.lock().await;
        let now = self.clock.now();
        let told = |held: &Held| Told {
            limit: minute,
            remaining: minute.saturating_sub(held.taken) + held.left,
            reset: until_next(quotas[0], now),
        };
        let is_fresh = now.since(held.taken_at) < KEPT && quotas[0].begin(held.taken_at) == quotas[0].begin(now);
        if !is_fresh && held.left > 0 {
            self.store.give_back_quota(tenant, &quotas, held.left, held.taken_at).await?;
            held.left = 0;
        }
        if held.left == 0 {
            let free = if is_fresh { minute.saturating_sub(held.taken) } else { minute };
            let wanted = (free / 16).clamp(1, (minute / 64).max(1));
            let share = self.store.take_quota(tenant, &quotas, wanted, now).await?;
            let [taken, of_day] = share.taken[..] else { return Err(Failure::internal()) };
            *held = Held { left: share.granted, taken_at: now, taken };
            if share.granted == 0 {
                let full = if of_day >= day { quotas[1] } else { quotas[0] };
                return Err(refuse(told(&held), full, until_next(full, now)));
            }
        }
        held.left -= 1;
        Ok(Some(told(&held)))
    }

    /// Counts a request.
    pub(crate) fn count(self: &Arc<Self>, tenant: TenantId, class: Class) {
        let date = date(self.clock.now());
        let mut day = UsageDay { request_count: 1, ..UsageDay::none(date) };
        match class {
            Class::Read => day.read_count = 1,
            Class::Write => day.write_count = 1,
            Class::Search => day.search_count = 1,
            Class::Export => day.export_count = 1,
        }
        let mut used = self.used();
        used.days.entry((tenant, date)).or_insert_with(|| UsageDay::none(date)).add(&day);
        let at = self.clock.monotonic();
        if at >= used.written_at + WRITTEN {
            used.written_at = at;
            drop(used);
            let gate = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = gate.flush().await {
                    tracing::warn!(error = %error.chain(), "cannot write what was used");
                }
            });
        }
    }

    /// Writes what was used.
    pub(crate) async fn flush(&self) -> Result<(), Error> {
        let days = std::mem::take(&mut self.used().days);
        if days.is_empty() {
            return Ok(());
        }
        let rows = days.iter().map(|((tenant, _), day)| (*tenant, day.clone())).collect();
        let written = self.store.add_usage(rows).await;
        if written.is_err() {
            // It may have been written all the same: rather twice than never.
            let mut used = self.used();
            for (place, day) in days {
                used.days.entry(place).or_insert_with(|| UsageDay::none(place.1)).add(&day);
            }
        }
        written
    }

    fn shares(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<tokio::sync::Mutex<Held>>>> {
        // A panic elsewhere cannot leave the map half written.
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The day in UTC that a moment lies in.
pub(crate) fn date(at: Timestamp) -> NaiveDate {
    DateTime::from_timestamp_micros(at.as_micros()).map_or(NaiveDate::MIN, |at| at.date_naive())
}

/// How many seconds it is until the window ends that `now` lies in, rounded up.
fn until_next(quota: Quota, now: Timestamp) -> u64 {
    let end = quota.begin(now).after(quota.window);
    end.since(now).as_micros().div_ceil(1_000_000).try_into().unwrap_or(u64::MAX)
}

fn refuse(told: Told, full: Quota, seconds: u64) -> Failure {
    let window = if full.window == DAY { "day" } else { "minute" };
    let message = format!("the plan allows {} requests a {window}; wait {seconds} seconds", full.limit);
    let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
    let mut headers = HeaderMap::new();
    told.put(&mut headers);
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    headers.into_iter().fold(failure, |failure, (name, value)| match name {
        Some(name) => failure.with_header(name, value),
        None => failure,
    })
}
