//! Runs that are made through the ports of a store, as a worker without an executor would.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_benches::workload::{self, BLUEPRINT, person};
use worktruck_core::entity::Kind;
use worktruck_core::run::{Claimed, CommitStep, NewRun, Transition};
use worktruck_core::store::{Changes, CommitOutcome, EntityKey, RunStore as _};
use worktruck_core::temporal::WriteOp;
use worktruck_core::{Clock as _, EntityId, RunId, TenantId};
use worktruck_store_pg::PgStore;

use crate::Result;
use crate::plan::{Plan, Work};
use crate::store;

/// As a worker does, places that become free at the same time are filled by one claim.
const GATHER: Duration = Duration::from_millis(1);

/// Does all runs of the plan, and gives the time from the first enqueue to the last end.
pub(crate) async fn measure(url: &str, plan: &Plan, pool: u32) -> Result<Duration> {
    let store = Arc::new(store::open(url, pool).await?);
    let tenants = store::tenants(&store, plan.tenants).await?;
    all(&store, plan, &tenants, plan.warm).await?;
    let began = Instant::now();
    all(&store, plan, &tenants, plan.runs).await?;
    let took = began.elapsed();
    store::check_all_ended(&store, &tenants).await?;
    store.close().await;
    Ok(took)
}

async fn all(store: &Arc<PgStore>, plan: &Plan, tenants: &[TenantId], runs: usize) -> Result<()> {
    enqueue(store, plan, tenants, runs).await?;
    let mut left = runs;
    let mut tasks = JoinSet::new();
    loop {
        while let Some(ended) = tasks.try_join_next() {
            ended??;
        }
        let free = (plan.at_once - tasks.len()).min(left);
        if free > 0 {
            let claimed = store.claim(workload::claim(free), SystemClock::new().now()).await?;
            left -= claimed.len();
            for claimed in claimed {
                tasks.spawn(work(Arc::clone(store), claimed, *plan));
            }
        }
        match tasks.join_next().await {
            Some(ended) => {
                ended??;
                if !tasks.is_empty() {
                    tokio::time::sleep(GATHER).await;
                }
            }
            None if left == 0 => return Ok(()),
            None => return Err(format!("{left} runs cannot be claimed").into()),
        }
    }
}

/// Enqueues the runs one by one, so many at once.
async fn enqueue(store: &Arc<PgStore>, plan: &Plan, tenants: &[TenantId], runs: usize) -> Result<()> {
    let begun = Arc::new(AtomicUsize::new(0));
    let tenants: Arc<[TenantId]> = tenants.into();
    let mut tasks = JoinSet::new();
    for _ in 0..plan.at_once {
        let (store, begun, tenants) = (Arc::clone(store), Arc::clone(&begun), Arc::clone(&tenants));
        tasks.spawn(async move {
            let ids = RandomIds::new();
            loop {
                let n = begun.fetch_add(1, Ordering::SeqCst);
                if n >= runs {
                    return Ok::<_, worktruck_core::Error>(());
                }
                let now = SystemClock::new().now();
                let run = NewRun::new(RunId::new(&ids, now), BLUEPRINT, json!({ "number": n }));
                store.enqueue(tenants[n % tenants.len()], vec![run], now).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// Commits each step of a run on its own; the last commit ends the run too.
async fn work(store: Arc<PgStore>, claimed: Claimed, plan: Plan) -> worktruck_core::Result<()> {
    let (ids, mut lease) = (RandomIds::new(), claimed.lease);
    let mut contact = None;
    for seq in 1..=plan.steps {
        let now = SystemClock::new().now();
        let changes = match plan.work {
            Work::Journal => Changes::none(),
            Work::Entity => change(&ids, seq, &mut contact),
        };
        let step = CommitStep { step: workload::step(&ids, seq, plan.bytes, now), changes };
        let transition =
            if seq == plan.steps { Transition::Succeed { output: json!({}) } } else { Transition::Continue };
        match store.commit(&lease, workload::commit(u64::from(seq), vec![step], transition), now).await? {
            CommitOutcome::Committed { lease: renewed, .. } => lease = renewed,
            CommitOutcome::Conflicted { error, .. } => return Err(error),
        }
    }
    Ok(())
}

/// How many contacts were made: no two are the same.
static CONTACTS: AtomicU32 = AtomicU32::new(0);

/// Creates a contact in every other step, and changes it in the step after.
fn change(ids: &RandomIds, seq: u32, contact: &mut Option<EntityKey>) -> Changes {
    if let Some(key) = contact.take() {
        let nickname = json!({ "nickname": format!("Ad {seq}") });
        return Changes::none().write(key, WriteOp::Patch(nickname));
    }
    let key = *contact.insert(EntityKey::new(Kind::Contact, EntityId::new(ids, SystemClock::new().now())));
    Changes::none().create(key, person(CONTACTS.fetch_add(1, Ordering::SeqCst)))
}
