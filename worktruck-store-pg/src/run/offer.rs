use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;
use worktruck_core::run::ClaimRequest;
use worktruck_core::store::{Candidate, EntityStore as _, ListQuery, in_turn, limit_of_runs, limited_by};
use worktruck_core::{Error, Result, RunId, TenantId, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, OPEN, number};

/// The runs that a claim may take, in the order in which it should.
pub(super) struct Offer {
    pub(super) candidates: Vec<Candidate>,
    /// When any tenant was last served.
    pub(super) latest_turn: Option<Timestamp>,
    /// How many runs may run at once, of those tenants and blueprints that have a limit.
    limits: BTreeMap<(TenantId, String), u32>,
}

/// Runs of one blueprint that wait for a worker, of one tenant.
struct Lane {
    tenant: TenantId,
    blueprint: String,
    /// How many may run at once, and how many do.
    limit: Option<(u32, u32)>,
}

/// How many lanes a claim looks at: more have to wait for the next one.
const LANES: i64 = 4_096;
/// How many delayed runs one look takes in, so that none takes long.
const DUE: i64 = 1_000;

/// Looks for up to `limit` runs.
pub(super) async fn look(store: &PgStore, request: &ClaimRequest, limit: usize, now: Timestamp) -> Result<Offer> {
    let seen = loop {
        let seen = lanes(store, request, now).await?;
        if !seen.is_due || take_in_due(store, now).await? == 0 {
            break seen;
        }
    };
    let rooms: BTreeMap<(TenantId, &str), u32> = seen
        .lanes
        .iter()
        .filter_map(|lane| {
            let (limit, running) = lane.limit?;
            Some(((lane.tenant, lane.blueprint.as_str()), limit.saturating_sub(running)))
        })
        .collect();
    let room = |tenant, blueprint: &str| rooms.get(&(tenant, blueprint)).copied();
    let queues = if seen.lanes.is_empty() && !seen.is_expired {
        BTreeMap::new()
    } else {
        queues(store, request, &seen.lanes, limit, now).await?
    };
    let candidates = in_turn(queues.into_values(), room, limit);
    let limits =
        seen.lanes.iter().filter_map(|lane| Some(((lane.tenant, lane.blueprint.clone()), lane.limit?.0))).collect();
    Ok(Offer { candidates, latest_turn: seen.latest_turn, limits })
}

struct Seen {
    lanes: Vec<Lane>,
    /// Whether there are delayed runs whose time has come.
    is_due: bool,
    /// Whether there may be leases that have expired.
    is_expired: bool,
    latest_turn: Option<Timestamp>,
}

/// Which lanes there are, by stepping from one to the next in the index.
async fn lanes(store: &PgStore, request: &ClaimRequest, now: Timestamp) -> Result<Seen> {
    let has: Vec<&str> = request.blueprints.iter().map(|has| has.blueprint.as_str()).collect();
    // Only the value of the term depends on the blueprint.
    let (kind, term) = limited_by("");
    let rows = sqlx::query(
        "WITH RECURSIVE lane AS (
             (SELECT tenant, blueprint FROM queue WHERE status = 'queued' AND NOT delayed
              ORDER BY tenant, blueprint LIMIT 1)
             UNION ALL
             SELECT n.tenant, n.blueprint FROM lane l CROSS JOIN LATERAL (
                 SELECT q.tenant, q.blueprint FROM queue q
                 WHERE q.status = 'queued' AND NOT q.delayed AND (q.tenant, q.blueprint) > (l.tenant, l.blueprint)
                 ORDER BY q.tenant, q.blueprint LIMIT 1) n
         ), wanted AS (
             SELECT l.tenant, l.blueprint FROM lane l WHERE l.blueprint = ANY ($1) LIMIT $5
         ), configured AS (
             SELECT l.tenant, l.blueprint, array_agg(h.body::text) AS bodies,
                 bool_or(h.valid_to < 9223372036854775807) AS is_ending
             FROM wanted l JOIN term t ON t.tenant = l.tenant AND t.kind = $2 AND t.name = $3
                 AND t.value = convert_to(l.blueprint, 'UTF8')
             JOIN head h ON h.tenant = t.tenant AND h.kind = t.kind AND h.id = t.id
             GROUP BY 1, 2
         )
         SELECT s.is_due, s.is_expired, s.latest_turn, l.tenant, l.blueprint, c.bodies,
             coalesce(c.is_ending, FALSE) OR EXISTS (
                 SELECT 1 FROM slice WHERE slice.tenant = l.tenant AND scheduled AND slice.kind = $2
             ) AS is_changing,
             CASE WHEN c.bodies IS NULL THEN 0 ELSE (
                 SELECT count(*) FROM queue q
                 WHERE q.tenant = l.tenant AND q.blueprint = l.blueprint AND q.status = 'running'
             ) END AS running
         FROM (SELECT EXISTS (SELECT 1 FROM queue WHERE delayed AND run_at <= $4) AS is_due,
                   EXISTS (SELECT 1 FROM queue WHERE status = 'running' AND look_at <= $4) AS is_expired,
                   (SELECT max(served) FROM turn) AS latest_turn) s
             LEFT JOIN wanted l ON TRUE LEFT JOIN configured c ON c.tenant = l.tenant AND c.blueprint = l.blueprint",
    )
    .bind(has)
    .bind(kind.as_str())
    .bind(&term.name)
    .bind(now.as_micros())
    .bind(LANES)
    .fetch_all(&store.readers)
    .await
    .or_failed("look for runs to claim")?;
    let first = rows.first().ok_or_else(|| Error::internal("the store did not answer a claim"))?;
    let mut seen = Seen {
        lanes: Vec::new(),
        is_due: first.flag("is_due")?,
        is_expired: first.flag("is_expired")?,
        latest_turn: first.maybe_time("latest_turn")?,
    };
    for row in &rows {
        if let Some(lane) = lane(store, row, now).await? {
            seen.lanes.push(lane);
        }
    }
    Ok(seen)
}

async fn lane(store: &PgStore, row: &PgRow, now: Timestamp) -> Result<Option<Lane>> {
    let tenant: Option<Uuid> = row.try_get("tenant").or_failed("look for runs to claim")?;
    let Some(tenant) = tenant.map(TenantId::from_uuid) else { return Ok(None) };
    let blueprint = row.text("blueprint")?.to_owned();
    let limit = if row.flag("is_changing")? {
        limit_at(store, tenant, &blueprint, now).await?
    } else {
        let bodies: Option<Vec<String>> = row.try_get("bodies").or_failed("look for runs to claim")?;
        let bodies = bodies.unwrap_or_default();
        let read = |body: &String| serde_json::from_str::<Value>(body).ok();
        bodies.iter().filter_map(read).filter_map(|body| limit_of_runs(&body)).min()
    };
    let running = row.number("running")?;
    Ok(Some(Lane { tenant, blueprint, limit: limit.map(|limit| (limit, running)) }))
}

/// The limit where what holds now may not be what the newest commit left.
async fn limit_at(store: &PgStore, tenant: TenantId, blueprint: &str, now: Timestamp) -> Result<Option<u32>> {
    let (kind, term) = limited_by(blueprint);
    let query = ListQuery { terms: vec![term], ..ListQuery::new(kind) };
    let found = store.list(tenant, query, now).await?.data;
    Ok(found.iter().filter_map(|version| limit_of_runs(version.slice.body.as_ref()?)).min())
}

/// Lets delayed runs whose time has come wait with the others; gives how many.
async fn take_in_due(store: &PgStore, now: Timestamp) -> Result<u64> {
    let mut writing = store.writing().await.or_failed("look for delayed runs")?;
    let done = sqlx::query(
        "UPDATE queue q SET delayed = FALSE FROM (
             SELECT tenant, run FROM queue WHERE delayed AND run_at <= $1 ORDER BY run_at LIMIT $2
             FOR UPDATE SKIP LOCKED
         ) due WHERE q.tenant = due.tenant AND q.run = due.run",
    )
    .bind(now.as_micros())
    .bind(DUE)
    .execute(&mut *writing)
    .await
    .or_failed("look for delayed runs")?;
    writing.done().await.or_failed("look for delayed runs")?;
    Ok(done.rows_affected())
}

type Queue = (Option<Timestamp>, Vec<Candidate>);

/// The first candidates of every lane, and all whose leases have expired, by tenant and in order.
async fn queues(
    store: &PgStore,
    request: &ClaimRequest,
    lanes: &[Lane],
    limit: usize,
    now: Timestamp,
) -> Result<BTreeMap<TenantId, Queue>> {
    let has: Vec<&str> = request.blueprints.iter().map(|has| has.blueprint.as_str()).collect();
    let versions: Vec<i64> = request.blueprints.iter().map(|has| i64::from(has.version)).collect();
    let (tenants, blueprints): (Vec<Uuid>, Vec<&str>) =
        lanes.iter().map(|lane| (lane.tenant.as_uuid(), lane.blueprint.as_str())).unzip();
    let rows = sqlx::query(
        "WITH has AS (SELECT * FROM unnest($1::text[], $2::bigint[]) AS has(blueprint, version)),
         found AS (
             SELECT c.* FROM unnest($3::uuid[], $4::text[]) AS l(tenant, blueprint) CROSS JOIN LATERAL (
                 SELECT q.tenant, q.run, q.blueprint, q.priority, q.created_at, FALSE AS is_running FROM queue q
                 WHERE q.tenant = l.tenant AND q.blueprint = l.blueprint AND q.status = 'queued' AND NOT q.delayed
                     -- One whose clock runs ahead may have looked before.
                     AND q.run_at <= $6
                     AND (q.blueprint_version IS NULL
                         OR (q.blueprint, q.blueprint_version) IN (SELECT blueprint, version FROM has))
                 ORDER BY q.priority DESC, q.created_at, q.run LIMIT $5) c
             UNION ALL
             (SELECT q.tenant, q.run, q.blueprint, q.priority, q.created_at, TRUE FROM queue q
              WHERE q.status = 'running' AND q.look_at <= $6 AND q.lease_expires_at <= $6
                  AND EXISTS (SELECT 1 FROM has WHERE has.blueprint = q.blueprint
                      AND (q.blueprint_version IS NULL OR q.blueprint_version = has.version))
              ORDER BY q.look_at LIMIT $7)
         )
         SELECT f.*, t.served FROM found f LEFT JOIN turn t ON t.tenant = f.tenant",
    )
    .bind(has)
    .bind(versions)
    .bind(tenants)
    .bind(blueprints)
    .bind(number(limit).unwrap_or(OPEN))
    .bind(now.as_micros())
    .bind(DUE)
    .fetch_all(&store.readers)
    .await
    .or_failed("look for runs to claim")?;
    let mut queues: BTreeMap<TenantId, Queue> = BTreeMap::new();
    for row in &rows {
        let priority: i16 = row.try_get("priority").or_failed("look for runs to claim")?;
        let candidate = Candidate {
            priority: Reverse(i8::try_from(priority).or_failed("look for runs to claim")?),
            created_at: row.time("created_at")?,
            run: RunId::from_uuid(row.id("run")?),
            tenant: TenantId::from_uuid(row.id("tenant")?),
            blueprint: row.text("blueprint")?.to_owned(),
            is_running: row.flag("is_running")?,
        };
        let queue = queues.entry(candidate.tenant).or_default();
        queue.0 = row.maybe_time("served")?;
        queue.1.push(candidate);
    }
    queues.values_mut().for_each(|(_, candidates)| candidates.sort_unstable());
    Ok(queues)
}

impl Offer {
    /// The candidates without those that a limit keeps back, counted while nobody else can take
    /// runs of the same lane. Lanes that another claim is counting are left to it.
    pub(super) async fn within_limits(self, tx: &mut PgConnection, schema: &str) -> sqlx::Result<Vec<Candidate>> {
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
        let mut rooms = BTreeMap::new();
        for (tenant, blueprint) in lanes {
            let is_ours: bool = sqlx::query_scalar(
                "SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', 'worktruck lane', $1, $2, $3), 0))",
            )
            .bind(schema)
            .bind(tenant.to_string())
            .bind(&blueprint)
            .fetch_one(&mut *tx)
            .await?;
            let running: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM queue WHERE tenant = $1 AND blueprint = $2 AND status = 'running'",
            )
            .bind(tenant.as_uuid())
            .bind(&blueprint)
            .fetch_one(&mut *tx)
            .await?;
            let key = (tenant, blueprint);
            let limit = self.limits.get(&key).map_or(0, |limit| i64::from(*limit));
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
