//! Removes what tenants need not keep.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Row as _, SqliteConnection};
use worktruck_core::store::{Expired, Horizon, OldCommit, RetentionStore, check_expiry};
use worktruck_core::{Result, TenantId, Timestamp};

use crate::SqliteStore;
use crate::entity::head;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, number, to_json};
use crate::writer::Transact;

#[async_trait]
impl RetentionStore for SqliteStore {
    async fn expire(&self, tenant: TenantId, before: Timestamp, limit: usize, now: Timestamp) -> Result<Expired> {
        check_expiry(before, limit, now)?;
        self.writer.transact(Expire { tenant, before, limit }).await
    }
}

struct Expire {
    tenant: TenantId,
    before: Timestamp,
    limit: usize,
}

#[async_trait]
impl Transact for Expire {
    type Output = Expired;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Expired> {
        let Self { tenant, before, limit } = *self;
        let horizon = move_horizon(tx, tenant, before).await?;
        let runs = remove_runs(tx, tenant, before, limit).await?;
        let mut expired = Expired { runs: u64::try_from(runs).unwrap_or(u64::MAX), ..Expired::default() };
        if runs == limit {
            expired.has_more = true;
        } else {
            sweep(tx, tenant, horizon, limit - runs, &mut expired).await?;
        }
        Ok(expired)
    }
}

/// Moves the horizon to `before`, unless it is there or later already; gives where it is then.
async fn move_horizon(tx: &mut SqliteConnection, tenant: TenantId, before: Timestamp) -> Result<Horizon> {
    let mut head = head::load(tx, tenant, before, Duration::ZERO).await?.head;
    if before <= head.horizon.at {
        return Ok(head.horizon);
    }
    // Times grow with numbers: the first commit that stays ends the walk.
    let tx_id = sqlx::query_scalar(
        "SELECT coalesce(
             (SELECT tx_id - 1 FROM entity_commit WHERE tenant = ?1 AND tx_id > ?2 AND at >= ?3 ORDER BY tx_id LIMIT 1),
             (SELECT tx_id FROM tenant_head WHERE tenant = ?1), 0)",
    )
    .bind(tenant.bytes())
    .bind(number(head.horizon.tx_id)?)
    .bind(before.as_micros())
    .fetch_one(&mut *tx)
    .await
    .or_failed("look for the horizon")?;
    let tx_id: i64 = tx_id;
    head.expire(Horizon { at: before, tx_id: u64::try_from(tx_id).or_failed("look for the horizon")? });
    sqlx::query(
        "INSERT INTO tenant_head (tenant, tx_id, floor, horizon, horizon_tx) VALUES (?1, 0, ?2, ?3, ?4)
         ON CONFLICT (tenant) DO UPDATE SET floor = ?2, horizon = ?3, horizon_tx = ?4",
    )
    .bind(tenant.bytes())
    .bind(head.floor.as_micros())
    .bind(head.horizon.at.as_micros())
    .bind(number(head.horizon.tx_id)?)
    .execute(tx)
    .await
    .or_failed("move the horizon")?;
    Ok(head.horizon)
}

/// Removes up to `limit` runs that ended before `before`; gives how many.
async fn remove_runs(tx: &mut SqliteConnection, tenant: TenantId, before: Timestamp, limit: usize) -> Result<usize> {
    let rows = sqlx::query("SELECT id FROM run WHERE tenant = ? AND finished_at < ? ORDER BY finished_at, id LIMIT ?")
        .bind(tenant.bytes())
        .bind(before.as_micros())
        .bind(number(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await
        .or_failed("look for ended runs")?;
    if rows.is_empty() {
        return Ok(0);
    }
    let ids = rows.iter().map(|row| Ok(row.bytes::<worktruck_core::RunId>("id")?.hex())).collect::<Result<Vec<_>>>()?;
    let ids = to_json(&ids)?;
    let payloads = sqlx::query(
        "SELECT s.input_ref, s.output_ref FROM json_each(?2) w CROSS JOIN step s
         WHERE s.tenant = ?1 AND s.run = unhex(w.value) AND (s.input_ref IS NOT NULL OR s.output_ref IS NOT NULL)",
    )
    .bind(tenant.bytes())
    .bind(&ids)
    .fetch_all(&mut *tx)
    .await
    .or_failed("look for payloads")?;
    let mut digests = BTreeSet::new();
    for row in &payloads {
        for column in ["input_ref", "output_ref"] {
            let digest: Option<&[u8]> = row.try_get(column).or_failed("look for payloads")?;
            digests.extend(digest.map(hex));
        }
    }
    for sql in [
        "DELETE FROM step WHERE tenant = ?1 AND run IN (SELECT unhex(value) FROM json_each(?2))",
        "DELETE FROM tried WHERE tenant = ?1 AND run IN (SELECT unhex(value) FROM json_each(?2))",
        "DELETE FROM event WHERE tenant = ?1 AND run IN (SELECT unhex(value) FROM json_each(?2))",
        "DELETE FROM open_call WHERE tenant = ?1 AND run IN (SELECT unhex(value) FROM json_each(?2))",
        "DELETE FROM approval WHERE tenant = ?1 AND run IN (SELECT unhex(value) FROM json_each(?2))",
        "DELETE FROM idempotency WHERE tenant = ?1 AND run IN (SELECT unhex(value) FROM json_each(?2))",
        "DELETE FROM run_content WHERE tenant = ?1 AND id IN (SELECT unhex(value) FROM json_each(?2))",
        "DELETE FROM run WHERE tenant = ?1 AND id IN (SELECT unhex(value) FROM json_each(?2))",
    ] {
        let done = sqlx::query(sql).bind(tenant.bytes()).bind(&ids).execute(&mut *tx).await;
        done.or_failed("remove runs")?;
    }
    sqlx::query(
        "DELETE FROM payload WHERE tenant = ?1 AND digest IN (SELECT unhex(value) FROM json_each(?2))
             AND NOT EXISTS (SELECT 1 FROM step s WHERE s.tenant = ?1 AND s.input_ref = payload.digest)
             AND NOT EXISTS (SELECT 1 FROM step s WHERE s.tenant = ?1 AND s.output_ref = payload.digest)",
    )
    .bind(tenant.bytes())
    .bind(to_json(&digests)?)
    .execute(tx)
    .await
    .or_failed("remove payloads")?;
    Ok(rows.len())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes what at most `limit` commits before the horizon have replaced, and those of the commits
/// that nothing refers to any more.
async fn sweep(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    horizon: Horizon,
    limit: usize,
    expired: &mut Expired,
) -> Result<()> {
    let rows = sqlx::query(
        "SELECT c.tx_id, c.at, c.entities FROM entity_commit c JOIN tenant_head h ON h.tenant = c.tenant
         WHERE c.tenant = ?1 AND c.tx_id > h.swept_tx AND c.tx_id <= ?2 ORDER BY c.tx_id LIMIT ?3",
    )
    .bind(tenant.bytes())
    .bind(number(horizon.tx_id)?)
    .bind(number(limit).unwrap_or(i64::MAX))
    .fetch_all(&mut *tx)
    .await
    .or_failed("look for old commits")?;
    let old = |row| -> Result<OldCommit> {
        let row: &sqlx::sqlite::SqliteRow = row;
        Ok(OldCommit { tx_id: row.number("tx_id")?, at: row.time("at")?, entities: row.json("entities")? })
    };
    let mut walked = rows.iter().map(old).collect::<Result<Vec<_>>>()?;
    walked.truncate(OldCommit::piece(&walked));
    let Some(last) = walked.last().map(|commit| commit.tx_id) else { return Ok(()) };
    let mut unneeded: BTreeSet<u64> = walked.iter().map(|commit| commit.tx_id).collect();
    let replaced = walked.iter().flat_map(|commit| commit.entities.iter().map(move |entity| (entity, commit.at)));
    let replaced: Vec<_> =
        replaced.map(|(entity, at)| (entity.kind.as_str(), entity.id.hex(), at.as_micros())).collect();
    let slices = sqlx::query(
        "DELETE FROM slice WHERE rid IN (
             SELECT s.rid FROM json_each(?2) w CROSS JOIN slice s
             WHERE s.tenant = ?1 AND s.kind = w.value ->> 0 AND s.id = unhex(w.value ->> 1)
                 AND s.sys_from < w.value ->> 2 AND s.sys_to <= w.value ->> 2)
         RETURNING tx_id",
    )
    .bind(tenant.bytes())
    .bind(to_json(&replaced)?)
    .fetch_all(&mut *tx)
    .await
    .or_failed("remove old slices")?;
    for row in &slices {
        unneeded.insert(row.number("tx_id")?);
    }
    let commits = sqlx::query(
        "DELETE FROM entity_commit AS c WHERE c.tenant = ?1 AND c.tx_id IN (SELECT value FROM json_each(?2))
             AND NOT EXISTS (
                 SELECT 1 FROM json_each(c.entities) e CROSS JOIN head h
                 WHERE h.tenant = ?1 AND h.kind = e.value ->> 'type' AND h.id = unhex(e.value ->> 'id', '-')
                     AND h.tx_id = c.tx_id)
             AND NOT EXISTS (
                 SELECT 1 FROM json_each(c.entities) e CROSS JOIN slice s
                 WHERE s.tenant = ?1 AND s.kind = e.value ->> 'type' AND s.id = unhex(e.value ->> 'id', '-')
                     AND s.tx_id = c.tx_id)",
    )
    .bind(tenant.bytes())
    .bind(to_json(&unneeded)?)
    .execute(&mut *tx)
    .await
    .or_failed("remove old commits")?;
    sqlx::query("UPDATE tenant_head SET swept_tx = ?2 WHERE tenant = ?1")
        .bind(tenant.bytes())
        .bind(number(last)?)
        .execute(tx)
        .await
        .or_failed("keep how far the removal has come")?;
    expired.slices = u64::try_from(slices.len()).unwrap_or(u64::MAX);
    expired.commits = commits.rows_affected();
    expired.has_more = last < horizon.tx_id;
    Ok(())
}
