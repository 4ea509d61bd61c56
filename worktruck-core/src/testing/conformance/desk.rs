#![expect(clippy::unwrap_used, reason = "a scenario panics where a store breaks its promise")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::entity::Locale;
use crate::pim::{Pim, Record, Records, Stored};
use crate::testing::{CountingIds, SimClock};
use crate::{Clock as _, ErrorKind, Result, TenantId, Timestamp};

use super::Stage;
use super::build;

/// Where scenarios of people's data work: one tenant's records, a clock that they move, ids that count.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) pim: Pim,
    pub(super) clock: Arc<SimClock>,
    pub(super) tenant: TenantId,
    pub(super) locale: Locale,
}

impl Desk {
    /// At 2026-04-14T12:00:00Z, a Tuesday.
    pub(super) fn new(stage: &Stage) -> Self {
        Self::of_tenant(stage, 1)
    }

    /// The desk of another tenant, at the same time.
    pub(super) fn of_tenant(stage: &Stage, n: u32) -> Self {
        let start: Timestamp = "2026-04-14T12:00:00Z".parse().unwrap();
        let clock = Arc::new(SimClock::starting_at(start));
        let pim = Pim::new(Arc::clone(&stage.store) as _, Arc::clone(&clock) as _, Arc::new(CountingIds::new(900)));
        Self { pim, clock, tenant: build::tenant_id(n), locale: Locale::default() }
    }

    /// The records of a kind.
    pub(super) fn of<E: Record>(&self) -> Records<E> {
        self.pim.records(self.tenant).at_home(self.locale)
    }

    /// Makes an entity of its JSON.
    pub(super) async fn create<E: Record>(&self, body: Value) -> Stored<E> {
        self.of().create_from(body).await.unwrap()
    }

    /// Lets time pass, and gives the moment before.
    pub(super) fn wait(&self, seconds: u64) -> Timestamp {
        let before = self.clock.now();
        self.clock.advance(Duration::from_secs(seconds));
        before
    }
}

/// The kind of an error, and the place that it names.
pub(super) fn refusal<T>(result: Result<T>) -> (ErrorKind, String) {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => (error.kind(), error.pointer().unwrap_or_default().to_owned()),
    }
}
