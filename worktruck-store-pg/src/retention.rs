//! Removes what tenants need not keep.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use worktruck_core::store::{Expired, Horizon, OldCommit, RetentionStore, check_expiry};
use worktruck_core::{Error, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::entity::horizon_of;
use crate::error::{Failure, OrFailed as _};
use crate::rows::{Columns as _, number};

#[async_trait]
impl RetentionStore for PgStore {
    async fn expire(&self, tenant: TenantId, before: Timestamp, limit: usize, now: Timestamp) -> Result<Expired> {
        check_expiry(before, limit, now)?;
        let horizon = move_horizon(self, tenant, before).await?;
        let mut piece = Piece { store: self, tenant, before, limit, horizon, runs: None };
        for attempt in 1..=ATTEMPTS {
            match piece.remove().await {
                Ok(Some(expired)) => return Ok(expired),
                // Another process was faster, or a commit names a payload that was about to go.
                Ok(None) => {}
                Err(failure) if failure.is_transient() => {}
                Err(failure) => return Err(failure.or_failed("remove what need not be kept")),
            }
            tokio::time::sleep(Duration::from_millis(attempt)).await;
        }
        Err(Error::unavailable("others remove the same things too fast; try again"))
    }
}

/// How often a piece is tried when others are at the same.
const ATTEMPTS: u64 = 40;

/// Moves the horizon to `before`, unless it is there or later already; gives where it is then. It is
/// committed before anything behind it goes, so that whoever read something can tell.
async fn move_horizon(store: &PgStore, tenant: TenantId, before: Timestamp) -> Result<Horizon> {
    // Times grow with numbers: the first commit that stays ends the walk.
    let row = sqlx::query(
        "SELECT k.horizon, k.horizon_tx, greatest(k.horizon_tx, coalesce(
             (SELECT tx_id - 1 FROM entity_commit WHERE tenant = $1 AND tx_id > k.horizon_tx AND at >= $2
                 ORDER BY tx_id LIMIT 1),
             (SELECT max(tx_id) FROM entity_commit WHERE tenant = $1))) AS last
         FROM (SELECT coalesce(max(horizon), $3) AS horizon, coalesce(max(horizon_tx), 0) AS horizon_tx
             FROM tenant_head WHERE tenant = $1) k",
    )
    .bind(tenant.as_uuid())
    .bind(before.as_micros())
    .bind(Horizon::default().at.as_micros())
    .fetch_one(&store.readers)
    .await
    .or_failed("look for the horizon")?;
    let known = horizon_of(&row)?;
    if before <= known.at {
        return Ok(known);
    }
    let mut writing = store.writing().await.or_failed("move the horizon")?;
    let row = sqlx::query(
        "INSERT INTO tenant_head AS h (tenant, tx_id, floor, horizon, horizon_tx) VALUES ($1, 0, $2, $2, $3)
         ON CONFLICT (tenant) DO UPDATE SET floor = greatest(h.floor, $2), horizon = greatest(h.horizon, $2),
             horizon_tx = greatest(h.horizon_tx, $3)
         RETURNING horizon, horizon_tx",
    )
    .bind(tenant.as_uuid())
    .bind(before.as_micros())
    .bind(number(row.number::<u64>("last")?)?)
    .fetch_one(&mut *writing)
    .await
    .or_failed("move the horizon")?;
    writing.done().await.or_failed("move the horizon")?;
    horizon_of(&row)
}

/// What one call removes.
struct Piece<'a> {
    store: &'a PgStore,
    tenant: TenantId,
    before: Timestamp,
    limit: usize,
    horizon: Horizon,
    /// How many runs it has removed, once it has.
    runs: Option<usize>,
}

impl Piece<'_> {
    /// Nothing if it has to be tried again; runs that were removed are not removed twice.
    async fn remove(&mut self) -> Result<Option<Expired>, Failure> {
        let (mut pieces, swept) = self.begin().await?;
        let runs = match self.runs {
            Some(runs) => runs,
            None => {
                let Some(runs) = self.remove_runs(pieces).await? else { return Ok(None) };
                pieces += 1;
                *self.runs.insert(runs)
            }
        };
        let expired = Expired { runs: u64::try_from(runs).unwrap_or(u64::MAX), ..Expired::default() };
        if runs == self.limit {
            return Ok(Some(Expired { has_more: true, ..expired }));
        }
        self.sweep(pieces, swept, self.limit - runs, expired).await
    }

    /// How many pieces were removed so far, and how far the commits were walked.
    async fn begin(&self) -> Result<(i64, i64), Failure> {
        let known = sqlx::query_as("SELECT pieces, swept_tx FROM removal WHERE tenant = $1")
            .bind(self.tenant.as_uuid())
            .fetch_optional(&self.store.readers)
            .await?;
        if let Some(known) = known {
            return Ok(known);
        }
        let mut writing = self.store.writing().await?;
        sqlx::query("INSERT INTO removal (tenant) VALUES ($1) ON CONFLICT (tenant) DO NOTHING")
            .bind(self.tenant.as_uuid())
            .execute(&mut *writing)
            .await?;
        writing.done().await?;
        // Whoever was faster has counted on: the guard finds out.
        Ok((0, 0))
    }

    /// Removes runs that ended, those first that ended first; gives how many. Nothing if `pieces` is
    /// not the number of the last piece any more.
    async fn remove_runs(&self, pieces: i64) -> Result<Option<usize>, Failure> {
        let mut writing = self.store.writing().await?;
        // All parts see the steps as they were before: those of the runs that go do not count.
        let row = sqlx::query(
            "WITH mine AS (
                 UPDATE removal SET pieces = pieces + 1 WHERE tenant = $1 AND pieces = $2 RETURNING tenant),
             gone AS (
                 DELETE FROM run r USING mine m, (
                     SELECT id FROM run WHERE tenant = $1 AND finished_at < $3 ORDER BY finished_at, id LIMIT $4) o
                 WHERE r.tenant = $1 AND r.id = o.id AND m.tenant = $1 RETURNING r.id),
             steps AS (
                 DELETE FROM step s USING gone g WHERE s.tenant = $1 AND s.run = g.id
                 RETURNING s.input_ref, s.output_ref),
             named AS (
                 SELECT input_ref AS digest FROM steps WHERE input_ref IS NOT NULL
                 UNION SELECT output_ref FROM steps WHERE output_ref IS NOT NULL),
             payloads AS (
                 DELETE FROM payload p USING named n WHERE p.tenant = $1 AND p.digest = n.digest
                     AND NOT EXISTS (SELECT 1 FROM step s WHERE s.tenant = $1 AND s.input_ref = n.digest
                         AND s.run NOT IN (SELECT id FROM gone))
                     AND NOT EXISTS (SELECT 1 FROM step s WHERE s.tenant = $1 AND s.output_ref = n.digest
                         AND s.run NOT IN (SELECT id FROM gone))),
             tries AS (DELETE FROM tried t USING gone g WHERE t.tenant = $1 AND t.run = g.id),
             events AS (DELETE FROM event e USING gone g WHERE e.tenant = $1 AND e.run = g.id),
             calls AS (DELETE FROM open_call c USING gone g WHERE c.tenant = $1 AND c.run = g.id),
             asked AS (DELETE FROM approval a USING gone g WHERE a.tenant = $1 AND a.run = g.id),
             keys AS (DELETE FROM idempotency i USING gone g WHERE i.tenant = $1 AND i.run = g.id)
             SELECT EXISTS (SELECT 1 FROM mine) AS holds, (SELECT count(*) FROM gone) AS runs",
        )
        .bind(self.tenant.as_uuid())
        .bind(pieces)
        .bind(self.before.as_micros())
        .bind(number(self.limit).unwrap_or(i64::MAX))
        .fetch_one(&mut *writing)
        .await?;
        writing.done().await?;
        Ok(if row.flag("holds")? { Some(row.number("runs")?) } else { None })
    }

    /// Removes what at most `limit` commits before the horizon have replaced, and those of the commits
    /// that nothing refers to any more. Nothing if `pieces` is not the number of the last piece any more.
    async fn sweep(&self, pieces: i64, swept: i64, limit: usize, expired: Expired) -> Result<Option<Expired>, Failure> {
        let mut walked = self.old_commits(swept, limit).await?;
        walked.truncate(OldCommit::piece(&walked));
        let Some(last) = walked.last().map(|commit| commit.tx_id) else { return Ok(Some(expired)) };
        let (mut numbers, mut kinds, mut ids, mut ats) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for commit in &walked {
            numbers.push(number(commit.tx_id)?);
            for entity in &commit.entities {
                kinds.push(entity.kind.as_str());
                ids.push(entity.id.as_uuid());
                ats.push(commit.at.as_micros());
            }
        }
        let mut writing = self.store.writing().await?;
        // All parts see the slices as they were before: those that go do not count.
        let row = sqlx::query(
            "WITH mine AS (
                 UPDATE removal SET pieces = pieces + 1, swept_tx = $3 WHERE tenant = $1 AND pieces = $2
                 RETURNING tenant),
             gone AS (
                 DELETE FROM slice s USING mine m, unnest($5::text[], $6::uuid[], $7::bigint[]) w(kind, id, at)
                 WHERE s.tenant = $1 AND s.kind = w.kind AND s.id = w.id AND s.sys_from < w.at AND s.sys_to <= w.at
                     AND m.tenant = $1
                 RETURNING s.kind, s.id, s.sys_from, s.valid_from, s.tx_id),
             unneeded AS (SELECT n.tx_id FROM unnest($4::bigint[]) n(tx_id) UNION SELECT tx_id FROM gone),
             forgotten AS (
                 DELETE FROM entity_commit c USING mine m, unneeded u
                 WHERE c.tenant = $1 AND c.tx_id = u.tx_id AND m.tenant = $1
                     AND NOT EXISTS (
                         SELECT 1 FROM json_array_elements(c.entities) e JOIN head h
                             ON h.tenant = $1 AND h.kind = e.value ->> 'type' AND h.id = (e.value ->> 'id')::uuid
                         WHERE h.tx_id = c.tx_id)
                     AND NOT EXISTS (
                         SELECT 1 FROM json_array_elements(c.entities) e JOIN slice s
                             ON s.tenant = $1 AND s.kind = e.value ->> 'type' AND s.id = (e.value ->> 'id')::uuid
                         WHERE s.tx_id = c.tx_id AND NOT EXISTS (
                             SELECT 1 FROM gone g WHERE g.kind = s.kind AND g.id = s.id AND g.sys_from = s.sys_from
                                 AND g.valid_from = s.valid_from))
                 RETURNING c.tx_id)
             SELECT EXISTS (SELECT 1 FROM mine) AS holds, (SELECT count(*) FROM gone) AS slices,
                 (SELECT count(*) FROM forgotten) AS commits",
        )
        .bind(self.tenant.as_uuid())
        .bind(pieces)
        .bind(number(last)?)
        .bind(numbers)
        .bind(kinds)
        .bind(ids)
        .bind(ats)
        .fetch_one(&mut *writing)
        .await?;
        writing.done().await?;
        if !row.flag("holds")? {
            return Ok(None);
        }
        let (slices, commits) = (row.number("slices")?, row.number("commits")?);
        Ok(Some(Expired { slices, commits, has_more: last < self.horizon.tx_id, ..expired }))
    }

    /// The commits that are next to be walked.
    async fn old_commits(&self, swept: i64, limit: usize) -> Result<Vec<OldCommit>, Failure> {
        let rows = sqlx::query(
            "SELECT tx_id, at, entities::text AS entities FROM entity_commit
             WHERE tenant = $1 AND tx_id > $2 AND tx_id <= $3 ORDER BY tx_id LIMIT $4",
        )
        .bind(self.tenant.as_uuid())
        .bind(swept)
        .bind(number(self.horizon.tx_id)?)
        .bind(number(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.store.readers)
        .await?;
        let old = |row: &PgRow| -> Result<OldCommit> {
            Ok(OldCommit { tx_id: row.number("tx_id")?, at: row.time("at")?, entities: row.json("entities")? })
        };
        Ok(rows.iter().map(old).collect::<Result<_>>()?)
    }
}
