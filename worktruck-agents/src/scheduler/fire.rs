use worktruck_core::entity::agent_schedule::AgentSchedule;
use worktruck_core::pim::schedules::{Moved, advance};
use worktruck_core::pim::{Records, Stored};
use worktruck_core::run::{Run, RunStatus};
use worktruck_core::schedule::{Last, decide, due_run, due_run_id};
use worktruck_core::store::Provenance;
use worktruck_core::{EntityId, Error, ErrorKind, Result, RunId, TenantId, Timestamp};

use crate::runtime::Runtime;

use super::Totals;

/// How many due times in a row may come to nothing before a schedule is disabled.
const MOST_FAILURES: u32 = 10;

/// Enqueues what a schedule makes due now, and moves it on, until there is nothing left to do.
pub(super) async fn fire(
    runtime: &Runtime,
    tenant: TenantId,
    schedules: &Records<AgentSchedule>,
    mut schedule: Stored<AgentSchedule>,
    totals: &mut Totals,
) -> Result<()> {
    let store = &runtime.ports.store;
    loop {
        let Some(moved) = step(runtime, tenant, &schedule, totals).await? else { return Ok(()) };
        let by = Provenance::new("scheduler", "schedule");
        match store.apply(tenant, advance(&schedule, &moved), by, runtime.now()).await {
            Ok(_) => {}
            // Somebody else has moved, changed or deleted it.
            Err(error) if matches!(error.kind(), ErrorKind::VersionMismatch | ErrorKind::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        }
        schedule = match schedules.get(schedule.id).await {
            Ok(schedule) => schedule,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
    }
}

/// Enqueues what is due now, and says where that leaves the schedule; nothing if there is nothing to do.
async fn step(
    runtime: &Runtime,
    tenant: TenantId,
    schedule: &Stored<AgentSchedule>,
    totals: &mut Totals,
) -> Result<Option<Moved>> {
    let (id, data, now) = (schedule.id, &schedule.data, runtime.now());
    let Some(due) = data.next_run_at.filter(|due| *due <= now) else { return Ok(None) };
    let failures = data.consecutive_failures;
    let mut moved = Moved { next_run_at: None, enqueued: None, consecutive_failures: failures, disabled_reason: None };
    if !data.enabled {
        return Ok(Some(moved));
    }
    let store = &runtime.ports.store;
    let timetable = data.timetable().map_err(|e| Error::internal("the schedule is stored damaged").with_source(e))?;
    let last = match data.last_run_id {
        Some(run) => store.run(tenant, run).await?,
        None => None,
    };
    if let Some(begun) = store.run(tenant, due_run_id(id, due)).await? {
        // Whoever enqueued it could not move the schedule on.
        totals.enqueued += 1;
        moved.next_run_at = timetable.after(due);
        moved.enqueued = Some((begun.id, begun.created_at));
        moved.consecutive_failures = failures_after(last.as_ref(), failures);
        return Ok(Some(moved));
    }
    let decision = decide(id, &timetable, data.policy(), due, how_far(last.as_ref()), now);
    if decision.enqueue.is_empty() && decision.next == Some(due) {
        return Ok(None);
    }
    moved.next_run_at = decision.next;
    let mut why = None;
    for due in decision.enqueue {
        match enqueue(runtime, tenant, id, data, due).await {
            Ok(run) => {
                totals.enqueued += 1;
                if moved.enqueued.is_none() {
                    moved.consecutive_failures = failures_after(last.as_ref(), moved.consecutive_failures);
                }
                moved.enqueued = Some((run, now));
            }
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => {
                totals.refused += 1;
                moved.consecutive_failures = moved.consecutive_failures.saturating_add(1);
                tracing::warn!(error = %error.chain(), schedule = %id, %due, "the run of a schedule was refused");
                why = Some(error.to_string());
            }
        }
    }
    if moved.consecutive_failures >= MOST_FAILURES {
        let why = why.or_else(|| last.and_then(|run| run.failure_detail)).unwrap_or_default();
        moved.disabled_reason = Some(format!("{MOST_FAILURES} due times in a row came to nothing: {why}"));
    }
    Ok(Some(moved))
}

async fn enqueue(
    runtime: &Runtime,
    tenant: TenantId,
    id: EntityId,
    data: &AgentSchedule,
    due: Timestamp,
) -> Result<RunId> {
    let run = due_run(id, due, &data.blueprint, data.input_template.as_ref());
    match runtime.enqueue(tenant, run).await {
        Ok(run) => Ok(run.id),
        // It was enqueued before the template was changed.
        Err(error) if error.kind() == ErrorKind::IdempotencyMismatch => Ok(due_run_id(id, due)),
        Err(error) => Err(error),
    }
}

/// Whether the same run may be accepted later.
fn is_passing(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::InvalidRequest | ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::ConfigDisabled
    )
}

fn how_far(last: Option<&Run>) -> Last {
    match last {
        None => Last::None,
        Some(run) if run.status.is_terminal() => Last::Ended(run.finished_at.unwrap_or(run.updated_at)),
        Some(_) => Last::UnderWay,
    }
}

/// How many due times in a row came to nothing, the last run included.
fn failures_after(last: Option<&Run>, before: u32) -> u32 {
    match last.map(|run| run.status) {
        Some(RunStatus::Failed) => before.saturating_add(1),
        Some(RunStatus::Succeeded) => 0,
        Some(RunStatus::Queued | RunStatus::Running | RunStatus::Waiting | RunStatus::Cancelled) | None => before,
    }
}
