//! Random claims give out the same runs as those of the reference store.

use std::time::Duration;

use serde_json::{Value, json};
use worktruck_core::entity::Kind;
use worktruck_core::entity::agent_config::AgentConfig;
use worktruck_core::run::{
    BlueprintVersion, ClaimRequest, Claimed, Lease, NewRun, Run, RunStatus, Signal, Transition, WaitingReason,
};
use worktruck_core::store::{Changes, CommitOutcome, EntityKey, EntityStore, MemoryStore, RunQuery, RunStore};
use worktruck_core::temporal::{Write, WriteOp};
use worktruck_core::testing::{CountingIds, Dice};
use worktruck_core::{EntityId, RunId, TenantId};
use worktruck_store_sqlite::SqliteStore;

use crate::commits::commit;
use crate::fixture::*;

const BLUEPRINTS: [&str; 3] = ["echo", "sweep", "report"];
const TENANTS: [u16; 4] = [1, 2, 3, 4];

/// Both stores, and what a script knows of them.
struct Script {
    sqlite: SqliteStore,
    memory: MemoryStore,
    dice: Dice,
    ids: CountingIds,
    now: i64,
    runs: Vec<(TenantId, RunId)>,
    held: Vec<(Lease, u64)>,
    seen: Seen,
}

/// What scripts have come across.
#[derive(Default)]
struct Seen {
    claimed: usize,
    taken_over: usize,
    of_several_tenants: usize,
    held_back: usize,
}

impl Script {
    async fn enqueue(&mut self) {
        let dice = &mut self.dice;
        let tenant = tenant(dice.pick(&TENANTS));
        let mut runs = Vec::new();
        for _ in 0..=dice.roll(4) {
            let new = NewRun::new(RunId::new(&self.ids, at(0)), dice.pick(&BLUEPRINTS), json!({}));
            let run_at = dice.maybe(3, |dice| at(self.now - 10 + dice.roll(60)));
            runs.push(NewRun { priority: dice.pick(&[-1, 0, 0, 1]), run_at, ..new });
        }
        self.runs.extend(runs.iter().map(|run| (tenant, run.id)));
        let sql = self.sqlite.enqueue(tenant, runs.clone(), at(self.now)).await;
        same(sql, self.memory.enqueue(tenant, runs.clone(), at(self.now)).await, &runs);
    }

    async fn claim(&mut self) {
        let dice = &mut self.dice;
        let mut blueprints = Vec::new();
        for blueprint in BLUEPRINTS {
            for version in [1, 2] {
                if dice.roll(3) > 0 {
                    blueprints.push(BlueprintVersion { blueprint: blueprint.to_owned(), version });
                }
            }
        }
        let limit = dice.pick(&[0, 1, 1, 1, 2, 3, 5, 40]);
        let lease_for = Duration::from_micros(dice.roll(80).unsigned_abs());
        let request = ClaimRequest { blueprints, limit, lease_for };
        let now = at(self.now);
        let sql = self.sqlite.claim(request.clone(), now).await;
        let claimed: Vec<Claimed> =
            same(sql, self.memory.claim(request.clone(), now).await, &(&request, now)).expect("both stores answer");

        let has = |blueprint: &str| request.blueprints.iter().any(|has| has.blueprint == blueprint);
        let mut tenants: Vec<_> = claimed.iter().map(|claimed| claimed.run.tenant_id).collect();
        tenants.dedup();
        self.seen.claimed += claimed.len();
        self.seen.taken_over += claimed.iter().filter(|claimed| claimed.run.attempt > 1).count();
        self.seen.of_several_tenants += usize::from(tenants.len() > 1);
        if claimed.len() < limit {
            for n in TENANTS {
                let queued = RunQuery { status: Some(RunStatus::Queued), ..RunQuery::default() };
                let left = self.memory.runs(tenant(n), queued).await.expect("runs are listed").data;
                let due = |run: &&Run| run.run_at <= now && run.started_at.is_none() && has(&run.agent_blueprint);
                self.seen.held_back += left.iter().filter(due).count();
            }
        }
        self.held.extend(claimed.into_iter().map(|claimed| (claimed.lease, claimed.commits)));
    }

    async fn leave(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let dice = &mut self.dice;
        let place = dice.place(self.held.len());
        let (lease, commits) = self.held[place].clone();
        let mut commit = commit(commits + 1, Vec::new());
        commit.transition = match dice.roll(6) {
            0 => Transition::Continue,
            1 => Transition::Wait { reason: WaitingReason::UnknownOutcome },
            2 => Transition::Release,
            3 => Transition::Cancel,
            _ => Transition::Succeed { output: Value::Null },
        };
        commit.lease_for = Duration::from_micros(dice.roll(60).unsigned_abs());
        if let Some(snapshot) = &mut commit.snapshot {
            snapshot.blueprint_version = dice.pick(&[1, 2]);
        }
        let run = |outcome| match outcome {
            CommitOutcome::Committed { run, lease } => (run, lease),
            CommitOutcome::Conflicted { seq, error } => panic!("step {seq} conflicts: {error}"),
        };
        let sql = self.sqlite.commit(&lease, commit.clone(), at(self.now)).await.map(run);
        let memory = self.memory.commit(&lease, commit.clone(), at(self.now)).await.map(run);
        match same(sql, memory, &(&lease, &commit.transition)) {
            Some((run, lease)) if run.status == RunStatus::Running => self.held[place] = (lease, commits + 1),
            _ => drop(self.held.swap_remove(place)),
        }
    }

    /// Limits the runs of a blueprint, now, later, for a while, or no more.
    async fn limit(&mut self) {
        let dice = &mut self.dice;
        let tenant = tenant(dice.pick(&TENANTS));
        let blueprint = dice.pick(&BLUEPRINTS);
        let id = u128::from(blueprint.as_bytes()[0]);
        let key = EntityKey::new(Kind::AgentConfig, EntityId::from_uuid(uuid::Uuid::from_u128(id)));
        let now = at(self.now);
        if dice.roll(12) == 0 {
            let sql = self.sqlite.purge(tenant, key, user(), now).await;
            same(sql, self.memory.purge(tenant, key, user(), now).await, &key);
            return;
        }
        let config = AgentConfig {
            max_concurrent_runs: dice.pick(&[None, Some(1), Some(1), Some(2), Some(3)]),
            ..AgentConfig::new(blueprint)
        };
        let op = if dice.roll(8) == 0 { WriteOp::Delete } else { WriteOp::Put(json!(config)) };
        let valid_from = dice.maybe(3, |dice| at(self.now - 20 + dice.roll(60)));
        let valid_to = dice.maybe(4, |dice| at(self.now + dice.roll(60)));
        let changes = Changes::none().write_valid(key, Write { op, valid_from, valid_to });
        let sql = self.sqlite.apply(tenant, changes.clone(), user(), now).await;
        same(sql, self.memory.apply(tenant, changes.clone(), user(), now).await, &changes);
    }

    async fn cancel_or_renew(&mut self) {
        let dice = &mut self.dice;
        let now = at(self.now);
        if dice.roll(2) == 0 && !self.runs.is_empty() {
            let (tenant, run) = dice.pick(&self.runs);
            let cancel = Signal::Cancel { actor: None };
            let sql = self.sqlite.signal(tenant, run, cancel.clone(), now).await;
            same(sql, self.memory.signal(tenant, run, cancel, now).await, &run);
        } else {
            let leases: Vec<_> = self.held.iter().take(3).map(|(lease, _)| lease.clone()).collect();
            let lease_for = Duration::from_micros(dice.roll(60).unsigned_abs());
            let sql = self.sqlite.renew(&leases, lease_for, now).await;
            same(sql, self.memory.renew(&leases, lease_for, now).await, &leases);
        }
    }
}

async fn script(seed: u64) -> Seen {
    let (sqlite, _folder) = fresh().await;
    let mut script = Script {
        sqlite,
        memory: MemoryStore::default(),
        dice: Dice::new(seed),
        ids: CountingIds::new(77),
        now: 100,
        runs: Vec::new(),
        held: Vec::new(),
        seen: Seen::default(),
    };
    for _ in 0..150 {
        // Mostly forward, sometimes back: workers' clocks differ.
        script.now += script.dice.roll(14) - 4;
        match script.dice.roll(12) {
            0..3 => script.enqueue().await,
            3..7 => script.claim().await,
            7..10 => script.leave().await,
            10 => script.limit().await,
            _ => script.cancel_or_renew().await,
        }
    }
    script.seen
}

#[tokio::test(flavor = "multi_thread")]
async fn random_claims_are_those_of_the_reference() {
    let mut all = Seen::default();
    for seed in 0..20 {
        let seen = script(seed).await;
        all.claimed += seen.claimed;
        all.taken_over += seen.taken_over;
        all.of_several_tenants += seen.of_several_tenants;
        all.held_back += seen.held_back;
    }
    assert!(all.claimed > 500, "runs are claimed: {}", all.claimed);
    assert!(all.taken_over > 50, "runs are taken over: {}", all.taken_over);
    assert!(all.of_several_tenants > 50, "tenants take turns: {}", all.of_several_tenants);
    assert!(all.held_back > 50, "limits hold runs back: {}", all.held_back);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tenants_have_their_turns_in_the_order_of_the_reference() {
    let (sqlite, _folder) = fresh().await;
    let (memory, ids, mut dice) = (MemoryStore::default(), CountingIds::new(5), Dice::new(1));
    for n in 1..=300 {
        let mut new = |blueprint: &str| NewRun {
            priority: i8::try_from(dice.roll(5)).unwrap(),
            ..NewRun::new(RunId::new(&ids, at(0)), blueprint, json!({}))
        };
        let runs = match n % 3 {
            0 => vec![new("sweep")],
            1 => vec![new("echo")],
            _ => vec![new("echo"), new("sweep"), new("echo")],
        };
        for store in [&sqlite as &dyn RunStore, &memory] {
            store.enqueue(tenant(n), runs.clone(), at(i64::from(n))).await.unwrap();
        }
    }
    let mut taken = 0;
    for (round, limit) in [1, 1, 2, 7, 40, 1, 150, 100, 1, 90, 30].into_iter().enumerate() {
        let now = at(1_000 + i64::try_from(round).unwrap());
        let claimed = sqlite.claim(claim_any(limit), now).await.unwrap();
        assert_eq!(claimed, memory.claim(claim_any(limit), now).await.unwrap(), "round {round}");
        taken += claimed.len();
    }
    assert_eq!(taken, 300, "one run of 100 tenants, two of 100 others, none of those that have nothing to echo");
}
