use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use worktruck_core::store::{Horizon, TenantHead};
use worktruck_core::{Result, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, number};

/// What the store keeps per tenant, as one transaction sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// How far the commits have come.
    pub(crate) head: TenantHead,
    /// The system time of the newest commit, at which every row of the table `head` holds.
    pub(super) committed_at: Option<Timestamp>,
    /// Whether a slice that was scheduled when the newest commit was made holds at the moment asked
    /// for: the table `head` is behind.
    pub(super) is_due: bool,
}

/// Reads how far the commits of `tenant` have come, and whether something is due at `present`, or
/// at the floor where that is later, or within `slack` of it.
pub(crate) async fn load(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    present: Timestamp,
    slack: Duration,
) -> Result<Clock> {
    let row = sqlx::query(
        "SELECT tx_id, committed_at, floor, horizon, horizon_tx, EXISTS (
             SELECT 1 FROM slice WHERE tenant = ?1 AND scheduled = 1 AND valid_from <= max(?2, floor) + ?3
         ) AS is_due
         FROM tenant_head WHERE tenant = ?1",
    )
    .bind(tenant.bytes())
    .bind(present.as_micros())
    .bind(Timestamp::EPOCH.after(slack).as_micros())
    .fetch_optional(tx)
    .await
    .or_failed("read the commits")?;
    let Some(row) = row else {
        return Ok(Clock { head: TenantHead::default(), committed_at: None, is_due: false });
    };
    let committed_at: Option<i64> = row.try_get("committed_at").or_failed("read the commits")?;
    Ok(Clock {
        head: TenantHead { tx_id: row.number("tx_id")?, floor: row.time("floor")?, horizon: horizon_of(&row)? },
        committed_at: committed_at.map(Timestamp::from_micros),
        is_due: row.try_get("is_due").or_failed("read the commits")?,
    })
}

/// How far the commits of a tenant have come.
pub(super) async fn of(reader: &mut SqliteConnection, tenant: TenantId) -> Result<TenantHead> {
    let row = sqlx::query("SELECT tx_id, floor, horizon, horizon_tx FROM tenant_head WHERE tenant = ?")
        .bind(tenant.bytes())
        .fetch_optional(reader)
        .await
        .or_failed("read the commits")?;
    let Some(row) = row else { return Ok(TenantHead::default()) };
    Ok(TenantHead { tx_id: row.number("tx_id")?, floor: row.time("floor")?, horizon: horizon_of(&row)? })
}

/// The horizon of a tenant, as the transaction sees it.
pub(super) async fn horizon(tx: &mut SqliteConnection, tenant: TenantId) -> Result<Horizon> {
    let row = sqlx::query("SELECT horizon, horizon_tx FROM tenant_head WHERE tenant = ?")
        .bind(tenant.bytes())
        .fetch_optional(tx)
        .await
        .or_failed("read the horizon")?;
    row.as_ref().map_or_else(|| Ok(Horizon::default()), horizon_of)
}

fn horizon_of(row: &SqliteRow) -> Result<Horizon> {
    Ok(Horizon { at: row.time("horizon")?, tx_id: row.number("horizon_tx")? })
}

/// Keeps a head that has advanced to a commit at its floor.
pub(super) async fn save(tx: &mut SqliteConnection, tenant: TenantId, head: TenantHead) -> Result<()> {
    sqlx::query(
        "INSERT INTO tenant_head (tenant, tx_id, committed_at, floor) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (tenant) DO UPDATE SET tx_id = ?2, committed_at = ?3, floor = ?3",
    )
    .bind(tenant.bytes())
    .bind(number(head.tx_id)?)
    .bind(head.floor.as_micros())
    .execute(tx)
    .await
    .or_failed("number a commit")
    .map(drop)
}

/// Raises the floor to `to` without a commit.
pub(super) async fn raise(tx: &mut SqliteConnection, tenant: TenantId, to: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO tenant_head (tenant, tx_id, floor) VALUES (?1, 0, ?2)
         ON CONFLICT (tenant) DO UPDATE SET floor = max(floor, ?2)",
    )
    .bind(tenant.bytes())
    .bind(to.as_micros())
    .execute(tx)
    .await
    .or_failed("fix a moment")
    .map(drop)
}
