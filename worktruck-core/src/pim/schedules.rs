//! Agent schedules: what a write to one entails, and how a scheduler moves one on.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::entity::agent_schedule::AgentSchedule;
use crate::store::{Changes, ListQuery, Require, SortField};
use crate::temporal::WriteOp;
use crate::{Error, Result, RunId, Timestamp};

use super::{Filter, Operation, Record, Stored, Writing};

/// Which schedules a list shows.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleFilter {
    /// Those of this blueprint.
    #[serde(default)]
    pub blueprint: Option<String>,
    /// Those whose next due time is not later.
    #[serde(default)]
    pub due_until: Option<Timestamp>,
}

#[async_trait]
impl Filter for ScheduleFilter {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        let mut query = query.with("blueprint", self.blueprint.as_ref());
        if let Some(until) = self.due_until {
            // One without a next due time is before all digits.
            let range = ("0".to_owned(), until.next().to_string());
            query = query.within(AgentSchedule::NEXT_RUN_AT, [range]);
        }
        Ok(query)
    }
}

/// What lists of schedules can be sorted by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleSort {
    /// By when it was first written.
    #[default]
    CreatedAt,
    /// By when it was last written.
    UpdatedAt,
    /// By the due time that comes next; those without one first.
    NextRunAt,
}

impl From<ScheduleSort> for SortField {
    fn from(sort: ScheduleSort) -> Self {
        match sort {
            ScheduleSort::CreatedAt => Self::CreatedAt,
            ScheduleSort::UpdatedAt => Self::UpdatedAt,
            ScheduleSort::NextRunAt => Self::Key(AgentSchedule::NEXT_RUN_AT.to_owned()),
        }
    }
}

#[async_trait]
impl Record for AgentSchedule {
    type Filter = ScheduleFilter;
    type Sort = ScheduleSort;

    /// What is the scheduler's stays as it is.
    fn complete(body: &mut Value, old: Option<&Stored<Self>>, _: &Operation) -> Result<()> {
        let Some(members) = body.as_object_mut() else { return Ok(()) };
        let kept = match old {
            Some(old) => json!(old.data),
            None => json!(Self::new("", "", "")),
        };
        for field in Self::READ_ONLY {
            let kept = kept.get(field).cloned().unwrap_or_default();
            let given = members.insert(field.to_owned(), kept.clone()).filter(|given| !given.is_null());
            if given.is_some_and(|given| given != kept) {
                let message = format!("{field} is set by the scheduler; leave it out");
                return Err(Error::invalid(message).at(format!("/{field}")));
            }
        }
        Ok(())
    }

    /// A schedule that is new, enabled or due at other times is next due after now.
    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        if !writing.new.enabled {
            writing.new.next_run_at = None;
            return Ok(());
        }
        let is_enabled = writing.is_changed(|schedule| &schedule.enabled);
        if is_enabled {
            writing.new.consecutive_failures = 0;
            writing.new.disabled_reason = None;
        }
        if is_enabled
            || writing.is_changed(|schedule| &schedule.cron_expression)
            || writing.is_changed(|schedule| &schedule.timezone)
        {
            let now = writing.operation.now();
            let from = writing.operation.valid_from.map_or(now, |from| from.max(now));
            writing.new.next_run_at = writing.new.timetable()?.after(from);
        }
        Ok(())
    }
}

/// How far a scheduler has come with a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// The due time that comes next.
    pub next_run_at: Option<Timestamp>,
    /// The run that was enqueued last, and when; as before if there was none.
    pub enqueued: Option<(RunId, Timestamp)>,
    /// How many due times in a row came to nothing.
    pub consecutive_failures: u32,
    /// Why the schedule is disabled from now on, if it is.
    pub disabled_reason: Option<String>,
}

/// Moves a schedule on, if nobody has written it since it was read.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::agent_schedule::AgentSchedule;
/// use worktruck_core::pim::schedules::{Moved, advance};
/// # use std::sync::Arc;
/// # use worktruck_core::pim::Pim;
/// # use worktruck_core::store::{EntityStore, MemoryStore, Provenance};
/// # use worktruck_core::testing::{CountingIds, SimClock};
/// # use worktruck_core::{Clock, TenantId, Timestamp};
/// # async fn example(tenant: TenantId, clock: Arc<SimClock>) -> worktruck_core::Result<()> {
/// # let store = Arc::new(MemoryStore::default());
/// # let pim = Pim::new(store.clone(), clock.clone(), Arc::new(CountingIds::new(1)));
/// let hourly = pim.agent_schedules(tenant).create(AgentSchedule::new("sweep", "0 * * * *", "UTC")).await?;
/// let next_run_at = hourly.data.timetable()?.after(hourly.data.next_run_at.unwrap());
/// let moved = Moved { next_run_at, enqueued: None, consecutive_failures: 0, disabled_reason: None };
/// let scheduler = Provenance::new("scheduler", "schedule");
/// store.apply(tenant, advance(&hourly, &moved), scheduler.clone(), clock.now()).await?;
///
/// assert_eq!(pim.agent_schedules(tenant).get(hourly.id).await?.data.next_run_at, next_run_at);
/// assert!(store.apply(tenant, advance(&hourly, &moved), scheduler, clock.now()).await.is_err());
/// # Ok(())
/// # }
/// # let clock = Arc::new(SimClock::starting_at(Timestamp::EPOCH));
/// # futures::executor::block_on(example("0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse().unwrap(), clock)).unwrap();
/// ```
#[must_use]
pub fn advance(schedule: &Stored<AgentSchedule>, moved: &Moved) -> Changes {
    let mut patch = json!({
        "next_run_at": moved.next_run_at,
        "consecutive_failures": moved.consecutive_failures,
    });
    if let Some((run, at)) = moved.enqueued {
        patch["last_run_id"] = json!(run);
        patch["last_enqueued_at"] = json!(at);
    }
    if let Some(reason) = &moved.disabled_reason {
        patch["enabled"] = json!(false);
        patch["next_run_at"] = Value::Null;
        patch["disabled_reason"] = json!(reason);
    }
    let key = schedule.key();
    Changes::none().write(key, WriteOp::Patch(patch)).require(Require::Version { key, version: schedule.version() })
}
