use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use worktruck_core::run::ClaimRequest;
use worktruck_core::store::{Candidate, in_turn, limit_of_runs, limited_by};
use worktruck_core::{Result, RunId, TenantId, Timestamp};

use crate::entity::bodies_with;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, number, to_json};

/// The runs that a claim takes, in order, those left out that are `damaged`.
///
/// It reads no more than it must: first the tenants that have waited longest, and of each the first
/// run. If they are not enough it reads more tenants, and once it has all of them, more of each.
pub(super) async fn choose(
    tx: &mut SqliteConnection,
    request: &ClaimRequest,
    damaged: &BTreeSet<(TenantId, RunId)>,
    now: Timestamp,
) -> Result<Vec<Candidate>> {
    let (mut width, mut depth) = (request.limit.saturating_mul(2).max(FEWEST_TENANTS), 1_usize);
    loop {
        let waiting = waiting(tx, width).await?;
        let found = find(tx, request, width, depth.saturating_add(damaged.len()), now).await?;
        let idle: Vec<TenantId> =
            waiting.iter().map(|(tenant, _)| *tenant).filter(|tenant| !found.queues.contains_key(tenant)).collect();
        let rooms = rooms(tx, &found.running, depth, now).await?;
        let room = |tenant, blueprint: &str| rooms.get(&(tenant, blueprint.to_owned())).copied();
        let queues = found.queues.values().map(|(served, candidates)| {
            let whole = candidates.iter().filter(|candidate| !damaged.contains(&(candidate.tenant, candidate.run)));
            (*served, whole.cloned())
        });
        let taken = in_turn(queues, room, request.limit);

        let tenants: BTreeSet<TenantId> = taken.iter().map(|taken| taken.tenant).collect();
        let one_of_each = tenants.len() == request.limit;
        let unread = waiting.last().filter(|_| waiting.len() == width).map(|(_, served)| *served);
        let is_complete = match unread {
            // Those that were not read were served no earlier than the last of those that were.
            Some(last) => one_of_each && taken.iter().all(|taken| found.served(taken.tenant) < last),
            None => one_of_each || depth >= request.limit,
        };
        if is_complete {
            rest(tx, &idle).await?;
            return Ok(taken);
        }
        if unread.is_some() {
            width = width.saturating_mul(8);
        } else {
            depth = request.limit;
        }
    }
}

/// How many tenants a claim reads at least.
const FEWEST_TENANTS: usize = 16;

/// The tenants that may have something in the queue, those first that were served longest ago.
async fn waiting(tx: &mut SqliteConnection, width: usize) -> Result<Vec<(TenantId, Option<Timestamp>)>> {
    let rows = sqlx::query("SELECT tenant, served FROM turn WHERE waiting = 1 ORDER BY served, tenant LIMIT ?")
        .bind(number(width).unwrap_or(i64::MAX))
        .fetch_all(tx)
        .await
        .or_failed("look whose turn it is")?;
    rows.iter().map(|row| Ok((row.bytes("tenant")?, row.maybe_time("served")?))).collect()
}

/// Keeps that there is nothing in the queue of these tenants, where that is so.
async fn rest(tx: &mut SqliteConnection, tenants: &[TenantId]) -> Result<()> {
    if tenants.is_empty() {
        return Ok(());
    }
    let tenants: Vec<String> = tenants.iter().map(|tenant| tenant.hex()).collect();
    sqlx::query(
        "UPDATE turn SET waiting = 0 WHERE tenant IN (SELECT unhex(value) FROM json_each(?)) AND NOT EXISTS (
             SELECT 1 FROM run INDEXED BY run_ready WHERE status IN ('queued', 'waiting') AND delayed = 0 AND run.tenant = turn.tenant)",
    )
    .bind(to_json(&tenants)?)
    .execute(tx)
    .await
    .or_failed("keep whose turn it is")
    .map(drop)
}

/// What a claim may take, as far as it was read.
#[derive(Debug, Default)]
struct Found {
    queues: BTreeMap<TenantId, (Option<Timestamp>, BTreeSet<Candidate>)>,
    /// How many runs are running, of each tenant and blueprint that has candidates in the queue.
    running: BTreeMap<(TenantId, String), u32>,
}

/// Reads the first `depth` candidates of each blueprint and version in the queues of the first
/// `width` tenants that are waiting, and all whose lease has expired.
async fn find(
    tx: &mut SqliteConnection,
    request: &ClaimRequest,
    width: usize,
    depth: usize,
    now: Timestamp,
) -> Result<Found> {
    let rows = sqlx::query(
        "WITH has AS MATERIALIZED (
             SELECT value ->> 0 AS blueprint, value ->> 1 AS version FROM json_each(?2)
         )
         SELECT w.tenant, w.served, h.blueprint, 0 AS is_running,
             c.value ->> 0 AS priority, c.value ->> 1 AS created_at, unhex(c.value ->> 2) AS id,
             (SELECT count(*) FROM run INDEXED BY run_running
                 WHERE status = 'running' AND tenant = w.tenant AND blueprint = h.blueprint) AS running
         FROM (SELECT tenant, served FROM turn WHERE waiting = 1 ORDER BY served, tenant LIMIT ?4) w
         CROSS JOIN has h
         CROSS JOIN json_each((
             SELECT json_group_array(json_array(priority, created_at, hex(id))) FROM (
                 SELECT priority, created_at, id FROM run INDEXED BY run_ready
                 WHERE status IN ('queued', 'waiting') AND delayed = 0 AND tenant = w.tenant AND blueprint = h.blueprint
                     AND blueprint_version IS h.version AND run_at <= ?1
                 ORDER BY priority DESC, created_at, id LIMIT ?3
             )
         )) c
         UNION ALL
         SELECT r.tenant, t.served, r.blueprint, 1, r.priority, r.created_at, r.id, NULL
         FROM run r INDEXED BY run_leased LEFT JOIN turn t ON t.tenant = r.tenant
         WHERE r.status = 'running' AND r.lease_expires_at <= ?1
             AND EXISTS (SELECT 1 FROM has h WHERE h.blueprint = r.blueprint AND h.version IS r.blueprint_version)",
    )
    .bind(now.as_micros())
    .bind(to_json(&has(request))?)
    .bind(number(depth).unwrap_or(i64::MAX))
    .bind(number(width).unwrap_or(i64::MAX))
    .fetch_all(tx)
    .await
    .or_failed("look for runs to claim")?;
    let mut found = Found::default();
    rows.iter().try_for_each(|row| found.take(row))?;
    Ok(found)
}

/// What the worker has, each blueprint also without a version: a run that has not begun has none.
fn has(request: &ClaimRequest) -> BTreeSet<(&str, Option<u32>)> {
    let versions = request.blueprints.iter().map(|has| (&*has.blueprint, Some(has.version)));
    versions.chain(request.blueprints.iter().map(|has| (&*has.blueprint, None))).collect()
}

impl Found {
    fn take(&mut self, row: &SqliteRow) -> Result<()> {
        let candidate = Candidate {
            priority: Reverse(row.number("priority")?),
            created_at: row.time("created_at")?,
            run: row.bytes("id")?,
            tenant: row.bytes("tenant")?,
            blueprint: row.text("blueprint")?.to_owned(),
            is_running: row.number::<i64>("is_running")? == 1,
        };
        if !candidate.is_running {
            self.running.insert((candidate.tenant, candidate.blueprint.clone()), row.number("running")?);
        }
        let served = row.maybe_time("served")?;
        self.queues.entry(candidate.tenant).or_insert_with(|| (served, BTreeSet::new())).1.insert(candidate);
        Ok(())
    }

    fn served(&self, tenant: TenantId) -> Option<Timestamp> {
        self.queues.get(&tenant).and_then(|(served, _)| *served)
    }
}

/// How many runs may begin to run, of each tenant and blueprint that has a limit.
///
/// Where nothing is running there is room for one: whoever takes no more needs no limit.
async fn rooms(
    tx: &mut SqliteConnection,
    running: &BTreeMap<(TenantId, String), u32>,
    depth: usize,
    now: Timestamp,
) -> Result<BTreeMap<(TenantId, String), u32>> {
    let limited: Vec<_> = running.iter().filter(|(_, running)| **running > 0 || depth > 1).collect();
    let by = limited.iter().map(|((tenant, blueprint), _)| {
        let (kind, term) = limited_by(blueprint);
        (*tenant, kind, term)
    });
    let by: Vec<_> = by.collect();
    let mut rooms = BTreeMap::new();
    for (place, body) in bodies_with(tx, &by, now).await? {
        let Some((of, running)) = limited.get(place) else { continue };
        if let Some(limit) = limit_of_runs(&body) {
            let room = rooms.entry((*of).clone()).or_insert(u32::MAX);
            *room = limit.saturating_sub(**running).min(*room);
        }
    }
    Ok(rooms)
}
