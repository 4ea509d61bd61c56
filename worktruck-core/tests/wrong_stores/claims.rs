use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;
use worktruck_core::entity::Kind;
use worktruck_core::run::{BlueprintVersion, ClaimRequest, Claimed, Commit, Lease, NewRun, Run, RunStatus, Transition};
use worktruck_core::store::{Changes, EntityKey, EntityStore as _, Provenance, RunQuery, RunStore as _, limit_of_runs};
use worktruck_core::temporal::WriteOp;
use worktruck_core::{EntityId, NanoUsd, Result, RunId, TenantId, Timestamp};

use super::broken::Broken;
use super::defects::Defect::*;

/// The blueprint of runs that are there to serve their tenants.
const DECOY: &str = "decoy";

/// An agent config with a limit of runs.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    tenant: TenantId,
    key: EntityKey,
    body: Value,
}

/// Claims with the order or the limits broken.
impl Broken {
    pub(crate) async fn claim_wrongly(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        let before = self.notes().claims.len();
        match self.defect {
            TurnsForgotten => self.serve_all(now).await?,
            TurnsByTheClock | TakeoverIsNoTurn => self.serve_again(now).await?,
            WaitingCounts => {
                for limit in self.limits() {
                    let waiting = self.count(&limit, RunStatus::Waiting).await?;
                    if waiting > 0 {
                        let most = limit.most().map(|most| most.saturating_sub(waiting).max(1));
                        self.set(&limit, most, now).await?;
                    }
                }
            }
            ExpiredHeldBack => {
                for limit in self.limits() {
                    if Some(self.count(&limit, RunStatus::Running).await?) >= limit.most() {
                        self.expire(Some(limit.tenant), Duration::from_secs(1), now).await?;
                    }
                }
            }
            HeldBackBlocks if self.is_next_held_back(&request).await? => return Ok(Vec::new()),
            LimitCountedBefore => tokio::task::yield_now().await,
            _ => {}
        }
        let mut claimed = match self.defect {
            OneTenantAtATime => self.claim_one_tenant(&request, now).await?,
            QueuedFirst => self.claim_queued_first(&request, now).await?,
            _ => self.inner.claim(request.clone(), now).await?,
        };
        let raced = self.notes().claims.len() > before;
        match self.defect {
            LimitCountedBefore if claimed.is_empty() && raced => {
                // Another claim has taken what this one had counted as room.
                claimed = self.claim_without_limits(&request, now).await?;
            }
            LimitCountedOnce if !claimed.is_empty() => {
                let limit = request.limit.saturating_sub(claimed.len());
                claimed.extend(self.claim_without_limits(&ClaimRequest { limit, ..request }, now).await?);
            }
            EmptyClaimIsATurn if claimed.is_empty() => self.serve_all(now).await?,
            _ => {}
        }
        self.note_turns(&claimed, now);
        Ok(claimed)
    }

    /// Changes that write what limits runs as the defect has it.
    pub(crate) fn limit_wrongly(&self, tenant: TenantId, changes: &mut Changes) {
        let mut notes = self.notes();
        let mut others = Changes::none();
        for change in changes.writes.iter_mut().filter(|change| change.key.kind == Kind::AgentConfig) {
            if self.defect == LimitsHoldAtOnce {
                (change.write.valid_from, change.write.valid_to) = (None, None);
            }
            let WriteOp::Put(body) = &mut change.write.op else { continue };
            match self.defect {
                LimitOfRunsIgnored => set_limit(body, None),
                LimitKeptFirst => {
                    if let Some(first) = notes.limits.iter().find(|limit| limit.key == change.key) {
                        set_limit(body, first.most());
                    }
                }
                LimitOfAnyBlueprint => {
                    let mut other = body.clone();
                    other["agent_blueprint"] = match body["agent_blueprint"].as_str() {
                        Some("follow_up") => "contact_deduper".into(),
                        _ => "follow_up".into(),
                    };
                    let key = EntityKey::new(Kind::AgentConfig, EntityId::from_uuid(Uuid::from_u128(7)));
                    others = std::mem::take(&mut others).write(key, WriteOp::Put(other));
                }
                _ => {}
            }
            let limit = Limit { tenant, key: change.key, body: body.clone() };
            notes.limits.retain(|other| (other.tenant, other.key) != (tenant, limit.key));
            notes.limits.push(limit);
        }
        changes.writes.extend(others.writes);
    }

    /// Without the runs that only this file knows of.
    pub(crate) fn without_decoys(runs: &mut Vec<Run>) {
        runs.retain(|run| run.agent_blueprint != DECOY);
    }

    async fn serve_all(&self, now: Timestamp) -> Result<()> {
        let everybody = self.notes().tenants.clone();
        // One tenant alone has every turn.
        if everybody.len() > 1 { self.serve(&everybody, now).await } else { Ok(()) }
    }

    /// Serves tenants together, by runs that nobody else sees.
    async fn serve(&self, tenants: &[TenantId], now: Timestamp) -> Result<()> {
        for tenant in tenants {
            let id = RunId::from_uuid(Uuid::from_u128(u128::from(self.number())));
            let run = NewRun { run_at: Some(now), ..NewRun::new(id, DECOY, Value::Null) };
            self.inner.enqueue(*tenant, vec![run], now).await?;
        }
        let blueprints = vec![BlueprintVersion { blueprint: DECOY.to_owned(), version: 1 }];
        let request = ClaimRequest { blueprints, limit: tenants.len(), lease_for: Duration::from_secs(1) };
        for claimed in self.inner.claim(request, now).await? {
            self.inner.commit(&claimed.lease, ended(), now).await?;
        }
        Ok(())
    }

    /// Serves all tenants once more in the order in which the defect has it that they were.
    async fn serve_again(&self, now: Timestamp) -> Result<()> {
        let turns = self.notes().turns.clone();
        let mut order: BTreeMap<i64, Vec<TenantId>> = BTreeMap::new();
        for (tenant, turn) in turns {
            order.entry(turn).or_default().push(tenant);
        }
        for tenants in order.values() {
            self.serve(tenants, now).await?;
        }
        Ok(())
    }

    fn note_turns(&self, claimed: &[Claimed], now: Timestamp) {
        let number = i64::try_from(self.number()).expect("few claims");
        let mut notes = self.notes();
        for claimed in claimed {
            let tenant = claimed.run.tenant_id;
            match self.defect {
                TurnsByTheClock => notes.turns.insert(tenant, now.as_micros()),
                TakeoverIsNoTurn if claimed.run.attempt == 1 => notes.turns.insert(tenant, number),
                _ => None,
            };
        }
    }

    async fn claim_one_tenant(&self, request: &ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        let mut claimed: Vec<Claimed> = Vec::new();
        while claimed.len() < request.limit {
            let one = self.inner.claim(ClaimRequest { limit: 1, ..request.clone() }, now).await?;
            let Some(one) = one.into_iter().next() else { break };
            // All others were served later, so that the next run is of the same tenant.
            self.serve(&self.others(one.run.tenant_id), now).await?;
            claimed.push(one);
        }
        Ok(claimed)
    }

    async fn claim_queued_first(&self, request: &ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        if self.queued().await?.is_empty() {
            return self.inner.claim(request.clone(), now).await;
        }
        self.expire(None, Duration::from_secs(1), now).await?;
        let mut claimed = self.inner.claim(request.clone(), now).await?;
        let limit = request.limit.saturating_sub(claimed.len());
        let later = now.after(Duration::from_secs(1));
        claimed.extend(self.inner.claim(ClaimRequest { limit, ..request.clone() }, later).await?);
        Ok(claimed)
    }

    /// Lets leases that have expired expire later.
    async fn expire(&self, tenant: Option<TenantId>, lease_for: Duration, now: Timestamp) -> Result<()> {
        let leases: Vec<Lease> = self.notes().leases.values().cloned().collect();
        for lease in leases {
            if lease.expires_at() <= now && tenant.is_none_or(|tenant| lease.tenant() == tenant) {
                self.inner.renew(&[lease], lease_for, now).await?;
            }
        }
        Ok(())
    }

    async fn claim_without_limits(&self, request: &ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        let limits = self.limits();
        if limits.is_empty() {
            return Ok(Vec::new());
        }
        for limit in &limits {
            self.set(limit, None, now).await?;
        }
        let claimed = self.inner.claim(request.clone(), now).await?;
        for limit in &limits {
            self.set(limit, limit.most(), now).await?;
        }
        Ok(claimed)
    }

    /// Whether the first queued run of all has no room.
    async fn is_next_held_back(&self, request: &ClaimRequest) -> Result<bool> {
        let mut runs = self.queued().await?;
        runs.retain(|run| request.blueprints.iter().any(|has| has.blueprint == run.agent_blueprint));
        let Some(next) = runs.into_iter().min_by_key(|run| (-run.priority, run.created_at, run.id)) else {
            return Ok(false);
        };
        for limit in self.limits() {
            if limit.tenant == next.tenant_id
                && limit.body["agent_blueprint"] == *next.agent_blueprint
                && Some(self.count(&limit, RunStatus::Running).await?) >= limit.most()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn queued(&self) -> Result<Vec<Run>> {
        let queued = RunQuery { status: Some(RunStatus::Queued), ..RunQuery::default() };
        let tenants = self.notes().tenants.clone();
        let mut runs = Vec::new();
        for tenant in tenants {
            runs.extend(self.inner.runs(tenant, queued.clone()).await?.data);
        }
        Ok(runs)
    }

    fn limits(&self) -> Vec<Limit> {
        self.notes().limits.iter().filter(|limit| limit.most().is_some()).cloned().collect()
    }

    async fn count(&self, limit: &Limit, status: RunStatus) -> Result<u32> {
        let query = RunQuery { status: Some(status), ..RunQuery::default() };
        let mut runs = self.inner.runs(limit.tenant, query).await?.data;
        runs.retain(|run| limit.body["agent_blueprint"] == *run.agent_blueprint);
        Ok(u32::try_from(runs.len()).expect("few runs"))
    }

    async fn set(&self, limit: &Limit, most: Option<u32>, now: Timestamp) -> Result<()> {
        let mut body = limit.body.clone();
        set_limit(&mut body, most);
        let changes = Changes::none().write(limit.key, WriteOp::Put(body));
        self.inner.apply(limit.tenant, changes, Provenance::new("system", "defect"), now).await.map(drop)
    }
}

impl Limit {
    fn most(&self) -> Option<u32> {
        limit_of_runs(&self.body)
    }
}

fn set_limit(body: &mut Value, most: Option<u32>) {
    let members = body.as_object_mut().expect("a config is an object");
    match most {
        Some(most) => members.insert("max_concurrent_runs".to_owned(), most.into()),
        None => members.remove("max_concurrent_runs"),
    };
}

fn ended() -> Commit {
    Commit {
        number: 1,
        snapshot: None,
        steps: Vec::new(),
        calls: Vec::new(),
        approvals: Vec::new(),
        events: Vec::new(),
        reserved: NanoUsd::ZERO,
        forfeited: NanoUsd::ZERO,
        transition: Transition::Cancel,
        lease_for: Duration::from_secs(1),
    }
}
