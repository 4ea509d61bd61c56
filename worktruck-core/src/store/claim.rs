//! Which runs a claim takes: what every backend does the same way.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::entity::agent_config::BLUEPRINT_TERM;
use crate::entity::{Kind, Term};
use crate::{RunId, TenantId, Timestamp};

/// A run that a claim may take, as far as the order of claims knows it.
///
/// Candidates of one tenant are ordered as they are taken: by priority, higher first, then age,
/// then id.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Candidate {
    /// Higher goes first.
    pub priority: Reverse<i8>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Names it.
    pub run: RunId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What kind of agent.
    pub blueprint: String,
    /// Whether it reads as running, under a lease that has expired: it counts among the runs that
    /// run at once already, so that no limit holds it back.
    pub is_running: bool,
}

/// The candidates that a claim of `limit` runs takes, in order: the rule of
/// [`RunStore::claim`](super::RunStore::claim).
///
/// There is a queue for each tenant: when it was last [served](turn), if it ever was, and its
/// candidates in their order. A backend that does not want to read all of them may leave out what
/// `limit` candidates of the same tenant, blueprint and `is_running` come before. `room` says how
/// many runs of a tenant and blueprint may begin to run now: their [limit](limit_of_runs) less those
/// that are running, or `None` without a limit.
///
/// # Examples
///
/// ```
/// use std::cmp::Reverse;
///
/// use worktruck_core::store::{Candidate, in_turn};
/// use worktruck_core::{RunId, TenantId, Timestamp};
///
/// let candidate = |tenant, run, priority| Candidate {
///     priority: Reverse(priority),
///     created_at: Timestamp::EPOCH,
///     run: RunId::from_uuid(uuid::Uuid::from_u128(run)),
///     tenant: TenantId::from_uuid(uuid::Uuid::from_u128(tenant)),
///     blueprint: "sweep".to_owned(),
///     is_running: false,
/// };
/// let busy = vec![candidate(1, 1, 100), candidate(1, 2, 100), candidate(1, 3, 100)];
/// let calm = vec![candidate(2, 4, 0)];
/// let runs = |taken: Vec<Candidate>| taken.iter().map(|taken| taken.run.as_uuid().as_u128()).collect::<Vec<_>>();
///
/// let neither_was_served = [(None, busy.clone()), (None, calm.clone())];
/// assert_eq!(runs(in_turn(neither_was_served, |_, _| None, 3)), [1, 4, 2]);
///
/// let one_was_served = [(Some(Timestamp::EPOCH), busy.clone()), (None, calm.clone())];
/// assert_eq!(runs(in_turn(one_was_served, |_, _| None, 1)), [4]);
///
/// let one_may_run_at_once = [(None, busy), (None, calm)];
/// assert_eq!(runs(in_turn(one_may_run_at_once, |_, _| Some(1), 3)), [1, 4]);
/// ```
pub fn in_turn<Q>(
    queues: impl IntoIterator<Item = (Option<Timestamp>, Q)>,
    room: impl Fn(TenantId, &str) -> Option<u32>,
    limit: usize,
) -> Vec<Candidate>
where
    Q: IntoIterator<Item = Candidate>,
{
    let mut ranked = Vec::new();
    for (served, candidates) in queues {
        let mut rooms: BTreeMap<String, Option<u32>> = BTreeMap::new();
        let mut has_room = |candidate: &Candidate| {
            let Candidate { tenant, blueprint, .. } = candidate;
            match rooms.entry(blueprint.clone()).or_insert_with(|| room(*tenant, blueprint)) {
                None => true,
                Some(0) => false,
                Some(left) => {
                    *left -= 1;
                    true
                }
            }
        };
        let taken = candidates.into_iter().filter(|candidate| candidate.is_running || has_room(candidate)).take(limit);
        // No moment is before every moment: who was never served goes first.
        ranked.extend(taken.enumerate().map(|(rank, candidate)| (rank, served, candidate)));
    }
    ranked.sort_unstable();
    ranked.truncate(limit);
    ranked.into_iter().map(|(_, _, candidate)| candidate).collect()
}

/// When the tenants that a claim at `now` gives runs out of are served: at `now`, but after the
/// `latest` that any tenant was served before, so that whose turn it is does not depend on clocks.
#[must_use]
pub fn turn(now: Timestamp, latest: Option<Timestamp>) -> Timestamp {
    latest.map_or(now, |latest| now.max(latest.next()))
}

/// Where the limit of the runs of `blueprint` is found: in the entities of that kind that have that
/// term.
#[must_use]
pub fn limited_by(blueprint: &str) -> (Kind, Term) {
    (Kind::AgentConfig, Term::new(BLUEPRINT_TERM, blueprint))
}

/// How many runs may run at once by the body of an entity that [limits](limited_by) them, if it
/// does.
#[must_use]
pub fn limit_of_runs(body: &Value) -> Option<u32> {
    body.get("max_concurrent_runs")?.as_u64().map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
