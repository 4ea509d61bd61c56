use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;
use worktruck_core::run::ClaimRequest;
use worktruck_core::store::{Candidate, EntityStore as _, ListQuery, in_turn, limit_of_runs, limited_by};
use worktruck_core::{Error, Result, RunId, TenantId, Timestamp};

use crate::PgStore;
use crate::error::Failure;
use crate::link::Wire;
use crate::rows::{Columns as _, OPEN, number};

/// The runs that a claim may take, in the order in which it should.
pub(super) struct Offer {
    pub(super) candidates: Vec<Candidate>,
    /// When any tenant was last served.
    pub(super) latest_turn: Option<Timestamp>,
    /// Whether all there is was looked at.
    pub(super) is_whole: bool,
    /// How many runs may run at once, of those tenants and blueprints that have a limit.
    limits: Limits,
}

type Limits = BTreeMap<(TenantId, String), Limit>;

/// How many runs of a tenant and blueprint may run at once, and how many do.
struct Limit {
    at_once: u32,
    running: u32,
}

/// How many lanes a claim looks at, a lane being the runs of one blueprint that wait for a worker, of
/// one tenant: the next claim begins where these end.
const LANES: i64 = 4_096;
/// How many delayed runs one look takes in, and how many expired leases, so that none takes long.
const DUE: i64 = 1_000;
/// How many times a claim takes in delayed runs, and at how many windows of lanes it looks.
const TAKE_INS: usize = 8;
const WINDOWS: usize = 4;

/// How many runs more than wanted a claim looks at, because others may take some first.
const SPARE: usize = 16;

/// Looks for the first `wanted` runs and some more.
pub(super) async fn look(
    store: &PgStore,
    wire: &mut Wire,
    request: &ClaimRequest,
    wanted: usize,
    now: Timestamp,
) -> Result<Offer, Failure> {
    let limit = wanted.saturating_add(SPARE);
    let first = number(limit).unwrap_or(OPEN);
    let mut view = View { limit: first, front: first, start: *store.lanes_from() };
    // All windows are looked at from the first on if those behind have nothing to offer.
    let (mut take_ins, mut windows, mut may_wrap) = (0, 0, !view.start.is_nil());
    loop {
        let rows = candidates(&mut wire.connection, request, &view, now).await?;
        let known = rows.first().ok_or_else(|| Error::internal("the store did not answer a claim"))?;
        let is_due = known.flag("is_due")?;
        if is_due && take_ins < TAKE_INS {
            take_ins += 1;
            if take_in_due(&mut wire.connection, now).await? > 0 {
                continue;
            }
        }
        let lanes: i64 = known.try_get("lanes")?;
        let (is_cut, latest_turn) = (lanes > view.front, known.maybe_time("latest_turn")?);
        let mut offer = offer(store, &rows, latest_turn, limit, now).await?;
        if is_cut && !offer.is_of_a_turn(wanted) {
            view.front = OPEN;
            continue;
        }
        if is_cut {
            offer.keep_one_of_each();
        }
        let last: Option<Uuid> = known.try_get("last_tenant")?;
        // The next window begins with the last tenant of this one, of which it may have seen a part.
        let next = last.filter(|last| lanes == LANES && *last > view.start);
        *store.lanes_from() = next.unwrap_or_default();
        offer.is_whole = view.start.is_nil() && next.is_none() && !is_due;
        windows += 1;
        let begin = match next {
            Some(next) => Some(next),
            None => std::mem::take(&mut may_wrap).then(Uuid::nil),
        };
        match begin {
            Some(start) if offer.candidates.is_empty() && windows < WINDOWS => {
                view = View { front: first, start, ..view };
            }
            _ => return Ok(offer),
        }
    }
}

/// What a look sees of the lanes.
struct View {
    /// How many candidates are wanted.
    limit: i64,
    /// Of more lanes than this the first are seen, in the order of turns, and of each the first run.
    front: i64,
    /// The first tenant whose lanes are seen.
    start: Uuid,
}

async fn offer(
    store: &PgStore,
    rows: &[PgRow],
    latest_turn: Option<Timestamp>,
    limit: usize,
    now: Timestamp,
) -> Result<Offer, Failure> {
    let mut queues: BTreeMap<TenantId, (Option<Timestamp>, Vec<Candidate>)> = BTreeMap::new();
    let mut limits = BTreeMap::new();
    for row in rows {
        let Some(candidate) = candidate(row)? else { continue };
        let lane = (candidate.tenant, candidate.blueprint.clone());
        // What runs already is held back by no limit.
        if !candidate.is_running
            && let Entry::Vacant(unknown) = limits.entry(lane)
        {
            unknown.insert(limit_of(store, row, &candidate, now).await?);
        }
        let queue = queues.entry(candidate.tenant).or_default();
        queue.0 = row.maybe_time("served")?;
        queue.1.push(candidate);
    }
    queues.values_mut().for_each(|(_, candidates)| candidates.sort_unstable());
    let limits: Limits = limits.into_iter().filter_map(|(lane, limit)| Some((lane, limit?))).collect();
    let room = |tenant, blueprint: &str| {
        let limit = limits.get(&(tenant, blueprint.to_owned()))?;
        Some(limit.at_once.saturating_sub(limit.running))
    };
    let candidates = in_turn(queues.into_values(), room, limit);
    Ok(Offer { candidates, latest_turn, is_whole: false, limits })
}

/// The first candidates of the lanes, and all whose leases have expired; one row with nothing in it
/// but what is known without them, if there are none.
async fn candidates(
    connection: &mut PgConnection,
    request: &ClaimRequest,
    view: &View,
    now: Timestamp,
) -> sqlx::Result<Vec<PgRow>> {
    let has: Vec<&str> = request.blueprints.iter().map(|has| has.blueprint.as_str()).collect();
    let versions: Vec<i64> = request.blueprints.iter().map(|has| i64::from(has.version)).collect();
    // Only the value of the term depends on the blueprint.
    let (kind, term) = limited_by("");
    // Lanes are found by stepping from one to the next in the index.
    sqlx::query(
        r#"WITH RECURSIVE has AS (SELECT * FROM unnest($1::text[], $2::bigint[]) AS has(blueprint, version)),
         lane AS (
             (SELECT tenant, blueprint FROM queue WHERE status <> 'running' AND NOT delayed AND tenant >= $9
              ORDER BY tenant, blueprint LIMIT 1)
             UNION ALL
             SELECT n.tenant, n.blueprint FROM lane l CROSS JOIN LATERAL (
                 SELECT q.tenant, q.blueprint FROM queue q
                 WHERE q.status <> 'running' AND NOT q.delayed AND (q.tenant, q.blueprint) > (l.tenant, l.blueprint)
                 ORDER BY q.tenant, q.blueprint LIMIT 1) n
         ), lanes AS MATERIALIZED (
             SELECT l.tenant, l.blueprint FROM lane l WHERE l.blueprint = ANY ($1) LIMIT $7
         ), ranked AS MATERIALIZED (
             SELECT l.tenant, l.blueprint, (SELECT served FROM turn t WHERE t.tenant = l.tenant) AS served,
                 CASE WHEN (SELECT count(*) FROM lanes) <= $10 THEN $6 ELSE 1 END AS each
             FROM lanes l LEFT JOIN LATERAL (
                 SELECT q.priority, q.created_at, q.run FROM queue q
                 WHERE q.tenant = l.tenant AND q.blueprint = l.blueprint AND q.status <> 'running' AND NOT q.delayed
                     AND q.run_at <= $5 AND (SELECT count(*) FROM lanes) > $10
                     AND (q.blueprint_version IS NULL
                         OR (q.blueprint, q.blueprint_version) IN (SELECT blueprint, version FROM has))
                 ORDER BY q.priority DESC, q.created_at, q.run LIMIT 1) q ON TRUE
             WHERE q.run IS NOT NULL OR (SELECT count(*) FROM lanes) <= $10
             ORDER BY served NULLS FIRST, q.priority DESC, q.created_at, q.run LIMIT $10
         ), configured AS MATERIALIZED (
             SELECT l.*, c.limits, coalesce(c.is_ending, FALSE) OR EXISTS (
                     SELECT 1 FROM slice s WHERE s.tenant = l.tenant AND s.scheduled AND s.kind = $3
                 ) AS is_changing,
                 CASE WHEN c.limits IS NULL THEN 0 ELSE (
                     SELECT count(*) FROM (
                         SELECT FROM queue q
                         WHERE q.tenant = l.tenant AND q.blueprint = l.blueprint AND q.status = 'running'
                         ORDER BY q.created_at, q.run OFFSET 0) q
                 ) END AS running
             FROM ranked l CROSS JOIN LATERAL (
                 SELECT array_agg(json_build_object('max_concurrent_runs', h.body -> 'max_concurrent_runs')::text) AS limits,
                     bool_or(h.valid_to < 9223372036854775807) AS is_ending
                 FROM term t JOIN head h ON h.tenant = t.tenant AND h.kind = t.kind AND h.id = t.id
                 WHERE t.tenant = l.tenant AND t.kind = $3 AND t.name = $4
                     AND t.value = convert_to(l.blueprint, 'UTF8')) c
         ), found AS (
             SELECT q.*, l.limits, l.is_changing, l.running, l.served FROM configured l CROSS JOIN LATERAL (
                 SELECT q.tenant, q.run, q.blueprint, q.priority, q.created_at, FALSE AS is_running FROM queue q
                 WHERE q.tenant = l.tenant AND q.blueprint = l.blueprint AND q.status <> 'running' AND NOT q.delayed
                     -- One whose clock runs ahead may have looked before.
                     AND q.run_at <= $5
                     AND (q.blueprint_version IS NULL
                         OR (q.blueprint, q.blueprint_version) IN (SELECT blueprint, version FROM has))
                 ORDER BY q.priority DESC, q.created_at, q.run LIMIT l.each) q
             UNION ALL
             SELECT q.*, NULL, FALSE, 0, (SELECT served FROM turn t WHERE t.tenant = q.tenant) FROM (
                 SELECT q.tenant, q.run, q.blueprint, q.priority, q.created_at, TRUE FROM queue q
                 WHERE q.status = 'running' AND q.look_at <= $5 AND q.lease_expires_at <= $5
                     AND EXISTS (SELECT 1 FROM has WHERE has.blueprint = q.blueprint
                         AND (q.blueprint_version IS NULL OR q.blueprint_version = has.version))
                 ORDER BY q.look_at LIMIT $8) q
         )
         SELECT f.*, s.*
         FROM (SELECT EXISTS (SELECT 1 FROM queue WHERE delayed AND run_at <= $5) AS is_due,
                   (SELECT served FROM turn ORDER BY served DESC LIMIT 1) AS latest_turn,
                   (SELECT count(*) FROM lanes) AS lanes, (SELECT max(tenant::text COLLATE "C")::uuid FROM lanes) AS last_tenant) s
             LEFT JOIN found f ON TRUE"#,
    )
    .bind(has)
    .bind(versions)
    .bind(kind.as_str())
    .bind(&term.name)
    .bind(now.as_micros())
    .bind(view.limit)
    .bind(LANES)
    .bind(DUE)
    .bind(view.start)
    .bind(view.front)
    .fetch_all(connection)
    .await
}

fn candidate(row: &PgRow) -> Result<Option<Candidate>, Failure> {
    let Some(tenant) = row.try_get::<Option<Uuid>, _>("tenant")? else { return Ok(None) };
    let priority: i16 = row.try_get("priority")?;
    Ok(Some(Candidate {
        priority: Reverse(i8::try_from(priority).map_err(|_| Error::internal("a run has no priority"))?),
        created_at: row.time("created_at")?,
        run: RunId::from_uuid(row.id("run")?),
        tenant: TenantId::from_uuid(tenant),
        blueprint: row.text("blueprint")?.to_owned(),
        is_running: row.flag("is_running")?,
    }))
}

async fn limit_of(
    store: &PgStore,
    row: &PgRow,
    candidate: &Candidate,
    now: Timestamp,
) -> Result<Option<Limit>, Failure> {
    let at_once = if row.flag("is_changing")? {
        limit_at(store, candidate.tenant, &candidate.blueprint, now).await?
    } else {
        let limits: Option<Vec<String>> = row.try_get("limits")?;
        let limits = limits.unwrap_or_default();
        let read = |limit: &String| limit_of_runs(&serde_json::from_str::<Value>(limit).ok()?);
        limits.iter().filter_map(read).min()
    };
    let running = row.number("running")?;
    Ok(at_once.map(|at_once| Limit { at_once, running }))
}

/// The limit where what holds now may not be what the newest commit left.
async fn limit_at(store: &PgStore, tenant: TenantId, blueprint: &str, now: Timestamp) -> Result<Option<u32>, Failure> {
    let (kind, term) = limited_by(blueprint);
    let query = ListQuery { terms: vec![term], ..ListQuery::new(kind) };
    let found = store.list(tenant, query, now).await?.data;
    Ok(found.iter().filter_map(|version| limit_of_runs(version.slice.body.as_ref()?)).min())
}

/// Lets delayed runs whose time has come wait with the others; gives how many.
async fn take_in_due(connection: &mut PgConnection, now: Timestamp) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE queue q SET delayed = FALSE FROM (
             SELECT tenant, run FROM queue WHERE delayed AND run_at <= $1 ORDER BY run_at LIMIT $2
             FOR UPDATE SKIP LOCKED
         ) due WHERE q.tenant = due.tenant AND q.run = due.run",
    )
    .bind(now.as_micros())
    .bind(DUE)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

impl Offer {
    /// Whether the first `wanted` candidates are each of another tenant, so that nothing comes before them
    /// that was not seen. What has expired may be of a tenant of which nothing else was.
    fn is_of_a_turn(&self, wanted: usize) -> bool {
        let tenants: BTreeSet<TenantId> =
            self.candidates.iter().take(wanted).map(|candidate| candidate.tenant).collect();
        tenants.len() >= wanted && !self.candidates.iter().any(|candidate| candidate.is_running)
    }

    /// Leaves out what may come after something that was not seen: all but the first of each tenant.
    fn keep_one_of_each(&mut self) {
        let mut tenants = BTreeSet::new();
        self.candidates.retain(|candidate| tenants.insert(candidate.tenant));
    }

    /// The candidates without those that a limit keeps back, counted while nobody else can take
    /// runs of the same lane. Lanes that another claim is counting are left to it.
    pub(super) async fn within_limits(self, wire: &mut Wire, schema: &str) -> sqlx::Result<Vec<Candidate>> {
        let counted = |candidate: &Candidate| {
            let key = (candidate.tenant, candidate.blueprint.clone());
            (!candidate.is_running && self.limits.contains_key(&key)).then_some(key)
        };
        let mut lanes: Vec<(TenantId, String)> = self.candidates.iter().filter_map(counted).collect();
        if lanes.is_empty() {
            return Ok(self.candidates);
        }
        lanes.sort_unstable();
        lanes.dedup();
        wire.hold().await?;
        let mut rooms = BTreeMap::new();
        for (tenant, blueprint) in lanes {
            let is_ours: bool = sqlx::query_scalar(
                "SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', 'worktruck lane', $1, $2, $3), 0))",
            )
            .bind(schema)
            .bind(tenant.to_string())
            .bind(&blueprint)
            .fetch_one(&mut wire.connection)
            .await?;
            // In the order of the one index that has them side by side, whatever seems cheap while the queue
            // is empty.
            let running: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM (
                     SELECT FROM queue WHERE tenant = $1 AND blueprint = $2 AND status = 'running'
                     ORDER BY created_at, run OFFSET 0) q",
            )
            .bind(tenant.as_uuid())
            .bind(&blueprint)
            .fetch_one(&mut wire.connection)
            .await?;
            let key = (tenant, blueprint);
            let limit = self.limits.get(&key).map_or(0, |limit| i64::from(limit.at_once));
            rooms.insert(key, if is_ours { (limit - running).max(0) } else { 0 });
        }
        let mut kept = self.candidates;
        kept.retain(|candidate| {
            if candidate.is_running {
                return true;
            }
            match rooms.get_mut(&(candidate.tenant, candidate.blueprint.clone())) {
                None => true,
                Some(0) => false,
                Some(left) => {
                    *left -= 1;
                    true
                }
            }
        });
        Ok(kept)
    }
}
