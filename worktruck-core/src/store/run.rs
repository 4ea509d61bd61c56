use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use super::{AgentCost, AgentCostQuery};
use crate::journal::Journal;
use crate::run::{
    Approval, ApprovalStatus, ClaimRequest, Claimed, Commit, Event, Fork, Lease, NewRun, Renewal, Run, RunStatus,
    Signal,
};
use crate::{ApprovalId, Cursor, Error, Page, PageRequest, Result, RunId, TenantId, Timestamp};

/// Which runs are wanted, newest first.
#[derive(Clone, Debug, Default)]
pub struct RunQuery {
    /// In this status.
    pub status: Option<RunStatus>,
    /// Of this blueprint.
    pub blueprint: Option<String>,
    /// Which page.
    pub page: PageRequest,
}

/// What the cursors of a list of runs are bound to: the tenant and the filters.
#[must_use]
pub fn run_scope(tenant: TenantId, query: &RunQuery) -> impl Serialize + use<> {
    ("runs", tenant, query.status, query.blueprint.clone())
}

/// Which approvals are wanted, in the order in which they were asked for.
#[derive(Clone, Debug, Default)]
pub struct ApprovalQuery {
    /// In this status.
    pub status: Option<ApprovalStatus>,
    /// Of this run.
    pub run: Option<RunId>,
    /// Which page.
    pub page: PageRequest,
}

/// What the cursors of a list of approvals are bound to: the tenant and the filters.
#[must_use]
pub fn approval_scope(tenant: TenantId, query: &ApprovalQuery) -> impl Serialize + use<> {
    ("approvals", tenant, query.status, query.run)
}

/// What the cursors of a list of events are bound to: the tenant and the run.
#[must_use]
pub fn event_scope(tenant: TenantId, run: RunId) -> impl Serialize + use<> {
    ("events", tenant, run)
}

/// The cursor of the events of a run after the one with this number; after 0 come all.
///
/// # Errors
///
/// None that can happen: a number has a JSON form.
pub fn event_cursor(tenant: TenantId, run: RunId, seq: u64) -> Result<Cursor> {
    Cursor::seal(&event_scope(tenant, run), &seq)
}

/// What became of a commit.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every commit takes effect; a box would cost each an allocation")]
pub enum CommitOutcome {
    /// It took effect.
    Committed {
        /// The run as it is now.
        run: Run,
        /// The lease as it is now.
        lease: Lease,
    },
    /// Nothing took effect: the changes of one step rest on something that is no longer so, or are
    /// such that no store takes them.
    Conflicted {
        /// The sequence number of that step.
        seq: u32,
        /// What is no longer so; `InvalidRequest` if the changes are malformed.
        error: Error,
    },
}

/// How much work waits for a worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Queue {
    /// What kind of agent.
    pub blueprint: String,
    /// How many runs.
    pub depth: u64,
    /// When the time came of the one that waits longest.
    pub oldest: Timestamp,
}

/// Keeps runs, their journals and their events, and hands them to workers.
///
/// # Contract
///
/// - The rules of a run's life are those of [`RunRecord`](crate::run::RunRecord).
/// - Nothing of one tenant is visible in any answer to another.
#[async_trait]
pub trait RunStore: fmt::Debug + Send + Sync + 'static {
    /// Accepts runs: all of them, or none.
    ///
    /// A run whose idempotency key the tenant has used before with the same content is answered
    /// with the first run and not accepted again. The id does not count as content. A key is kept as
    /// long as its run is: [`expire`](super::RetentionStore::expire) removes both together.
    ///
    /// # Contract
    ///
    /// - `enqueue_is_all_or_none`
    /// - `enqueue_with_the_same_key_answers_with_the_first_run`
    /// - `enqueue_with_the_same_key_and_other_content_is_refused`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: a field is malformed.
    /// - `IdempotencyMismatch`: a key was used before with other content.
    /// - `Conflict`: an id is taken.
    async fn enqueue(&self, tenant: TenantId, runs: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>>;

    /// Accepts a run that begins in the middle of another one, together with the journal that it has by then: both, or
    /// neither. The other run is not looked at.
    ///
    /// It is queued, with an event for itself and one for each step, and claimed as a run that has begun with the
    /// snapshot: by the version of its blueprint, with a journal, and before any commit of its own.
    ///
    /// # Contract
    ///
    /// - `fork_is_queued_with_its_journal`, `fork_goes_on_where_its_steps_end`, `refused_fork_leaves_nothing`
    /// - `deadline_of_a_fork_counts_from_its_first_start`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: [`RunRecord::fork`](crate::run::RunRecord::fork) refuses it.
    /// - `Conflict`: its id is taken.
    async fn fork(&self, tenant: TenantId, fork: Fork, now: Timestamp) -> Result<Run>;

    /// Takes up to `request.limit` runs of any tenant: queued and waiting ones whose time has come and running
    /// ones whose lease has expired. The time of a run that waits has come when a question is answered, or when it
    /// is too late to be; it is in the queue then.
    ///
    /// # Order
    ///
    /// Within a tenant runs go by priority, higher first, then `created_at`, the older first, then
    /// id, queued and expired ones alike. The first run of a tenant that the claim may take has rank
    /// one, the next has rank two.
    ///
    /// Between tenants they take turns. A lower rank goes first, of whatever tenant. Within a rank
    /// the tenant goes first that was served longest ago, and one that never was before all that
    /// were; then the higher priority, the older `created_at`, the lower id, the lower tenant.
    ///
    /// A claim serves the tenants that it gives runs out of, all at one moment, and the store keeps
    /// for each when it was last served. The moment is the claim's `now`, or a microsecond after
    /// the latest at which any tenant was served before, whichever is later: clocks that stand still
    /// or disagree change nothing about whose turn it is. [`turn`](super::turn) computes it, and
    /// [`in_turn`](super::in_turn) is this order.
    ///
    /// # Limits
    ///
    /// Where a tenant limits how many runs of a blueprint run at once, a queued run of the two is
    /// given out only while fewer of theirs are `running`, the ones before it in this claim
    /// included. Runs count as long as they read `running`, also under an expired lease; those that
    /// wait do not. An expired run can always be taken over. A run that is held back has no rank and
    /// nothing waits for it.
    ///
    /// The limit is looked up at every claim, as a read of the present at `now` shows it: in the
    /// entities that [`limited_by`](super::limited_by) names, what
    /// [`limit_of_runs`](super::limit_of_runs) reads, the least if there are several. A limit that
    /// is lowered takes no run back.
    ///
    /// # Contract
    ///
    /// - `claim_gives_a_run_to_one_worker`, `claim_takes_priority_then_age`
    /// - `claim_waits_for_run_at`, `claim_takes_only_what_the_worker_has`
    /// - `expired_lease_is_claimed_again_under_a_higher_fence`, `live_lease_is_not_claimed`
    /// - `expired_runs_stand_among_the_queued`
    /// - `claim_takes_one_run_of_every_tenant_before_a_second`
    /// - `tenant_served_longest_ago_goes_first`, `takeover_is_a_turn`
    /// - `busy_tenant_delays_another_by_one_claim`
    /// - `turns_do_not_depend_on_clocks`, `empty_claim_is_nobodys_turn`
    /// - `claim_keeps_to_the_limit_of_runs`, `many_claims_at_once_keep_to_the_limit_of_runs`
    /// - `expired_run_counts_and_is_taken_over_at_the_limit`
    /// - `run_held_back_by_a_limit_blocks_no_other`
    /// - `limit_is_that_of_one_tenant_and_blueprint`
    /// - `limit_holds_as_it_is_at_the_claim`, `raised_limit_frees_runs_at_once`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>>;

    /// Makes leases last `lease_for` from `now` on, and tells of each what became of it.
    ///
    /// No lease ends earlier than it would have: what was sent before another renewal or a commit, and comes after it,
    /// changes nothing.
    ///
    /// A lease whose run makes a commit at that moment may be answered as it is: it is the commit that
    /// makes it last longer.
    ///
    /// # Contract
    ///
    /// - `renew_keeps_a_run`, `renew_of_a_stale_lease_is_lost`, `renew_tells_of_a_cancellation`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn renew(&self, leases: &[Lease], lease_for: Duration, now: Timestamp) -> Result<Vec<Renewal>>;

    /// Which of the runs that are held somebody has asked the end of. It changes nothing, and is asked more often than
    /// leases are renewed, so that a cancellation reaches a worker on another machine at once.
    ///
    /// Unless a store has something faster, each run is read.
    ///
    /// # Contract
    ///
    /// - `cancellation_is_seen_between_renewals`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn cancel_requests(&self, leases: &[Lease]) -> Result<Vec<RunId>> {
        let mut requested = Vec::new();
        for lease in leases {
            let run = self.run(lease.tenant(), lease.run()).await?;
            requested.extend(run.filter(|run| run.cancel_requested_at.is_some()).map(|run| run.id));
        }
        Ok(requested)
    }

    /// How much work waits for a worker at `now`, of all tenants: the runs that are queued or wait and whose time has
    /// come, by blueprint in order.
    ///
    /// # Contract
    ///
    /// - `queues_are_counted_by_blueprint`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>>;

    /// Commits what the holder of a lease did: the whole commit, or nothing of it.
    ///
    /// The changes of every step get a commit number and a system time of their own, in order.
    ///
    /// # Contract
    ///
    /// - `commit_is_all_or_nothing_with_its_changes`
    /// - `commit_made_again_changes_nothing`: a commit with the number of the last one, under the
    ///   same lease, is answered with the run as it is.
    /// - `commit_under_a_stale_lease_is_refused`
    /// - `commit_of_a_conflicting_change_names_the_step_and_writes_nothing`
    /// - `commit_refuses_steps_out_of_order`, `illegal_moves_are_refused`
    /// - `released_run_is_claimed_at_once_and_keeps_its_attempts`
    /// - `run_waits_for_an_answer_until_it_is_too_late`: what becomes of its approvals is
    ///   [`RunRecord::approve`](crate::run::RunRecord::approve)'s to say.
    ///
    /// # Errors
    ///
    /// - `LeaseLost`: the lease is not the current one.
    /// - `Conflict`: the commit does not continue the journal, or the move is illegal.
    /// - `NotFound`: the run does not exist.
    async fn commit(&self, lease: &Lease, commit: Commit, now: Timestamp) -> Result<CommitOutcome>;

    /// Gives a run a signal from somebody without the lease.
    ///
    /// # Contract
    ///
    /// - `cancel_ends_a_queued_run_at_once`, `cancel_marks_a_running_run`
    /// - `cancel_ends_a_run_without_a_live_lease`, `cancel_of_an_ended_run_is_refused`
    /// - `answer_lets_a_waiting_run_go_on`, `approval_is_answered_once`, `answer_while_others_are_asked_is_not_lost`
    /// - `end_of_a_run_takes_its_approvals_back`
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such run, or the run no such approval.
    /// - `Conflict`: the run has ended, or the approval was answered before or has expired.
    async fn signal(&self, tenant: TenantId, run: RunId, signal: Signal, now: Timestamp) -> Result<Run>;

    /// The run with this id.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn run(&self, tenant: TenantId, run: RunId) -> Result<Option<Run>>;

    /// A page of the tenant's runs, newest first.
    ///
    /// # Contract
    ///
    /// - `runs_are_listed_newest_first_and_filtered`
    ///
    /// # Errors
    ///
    /// `InvalidCursor` if the cursor is damaged or belongs to another list.
    async fn runs(&self, tenant: TenantId, query: RunQuery) -> Result<Page<Run>>;

    /// What the tenant's runs have cost that ended on the days of the query, by day and then by blueprint. A day on
    /// which none of a blueprint ended has no row for it. What [`expire`](super::RetentionStore::expire) has removed is
    /// not counted.
    ///
    /// # Contract
    ///
    /// - `costs_are_summed_by_day_and_blueprint`, `costs_show_nothing_of_another_tenant`
    ///
    /// # Errors
    ///
    /// `InvalidRequest` as for [`AgentCostQuery::span`].
    async fn agent_costs(&self, tenant: TenantId, query: AgentCostQuery) -> Result<Vec<AgentCost>>;

    /// All that is recorded of a run, with its payloads; `None` if the tenant has no such run.
    ///
    /// # Contract
    ///
    /// - `journal_returns_what_was_committed`, `large_payloads_come_back_whole`
    /// - `what_a_trial_tried_comes_back_and_is_not_written`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn journal(&self, tenant: TenantId, run: RunId) -> Result<Option<Journal>>;

    /// A page of the events of a run, oldest first. [`event_cursor`] makes the cursor of any place in them.
    ///
    /// # Contract
    ///
    /// - `events_are_numbered_without_gaps`, and follow the one that a cursor was made of
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such run.
    /// - `InvalidCursor`: the cursor is damaged or belongs to another list.
    async fn events(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<Event>>;

    /// The approval with this id.
    ///
    /// # Contract
    ///
    /// - `approvals_are_listed_as_they_were_asked_for`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<Approval>>;

    /// A page of the tenant's approvals, in the order in which they were asked for.
    ///
    /// # Contract
    ///
    /// - `approvals_are_listed_as_they_were_asked_for`
    ///
    /// # Errors
    ///
    /// `InvalidCursor` if the cursor is damaged or belongs to another list.
    async fn approvals(&self, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>>;

    /// Waits until there may be work that was not there when `seen` was returned, and returns the
    /// mark to wait with next; the first call passes 0 and returns at once.
    ///
    /// A worker claims between getting a mark and waiting with it, so that no work is missed. It
    /// owns the time-out: neither time alone (a delayed run, an expired lease) wakes anybody, nor
    /// room under a limit (a run that ends, a limit that is raised). Whoever ends a run claims again.
    ///
    /// # Contract
    ///
    /// - `enqueue_wakes_a_waiting_worker`, `work_between_claim_and_wait_is_not_missed`
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn wait_for_work(&self, seen: u64) -> Result<u64>;
}
