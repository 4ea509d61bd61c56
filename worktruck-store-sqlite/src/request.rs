//! What is remembered of requests.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, SqliteConnection};
use uuid::Uuid;
use worktruck_core::store::{
    Begun, Changes, NewRequest, RequestEffect, RequestRecord, RequestStore, StoredAnswer, attempt_lost,
};
use worktruck_core::{Result, TenantId, Timestamp};

use crate::SqliteStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, number, to_json};
use crate::writer::Transact;

#[async_trait]
impl RequestStore for SqliteStore {
    async fn begin_request(
        &self,
        tenant: TenantId,
        new: NewRequest,
        lease_for: Duration,
        now: Timestamp,
    ) -> Result<Begun> {
        new.check()?;
        self.writer.transact(Begin { tenant, new, lease_for, now }).await
    }

    async fn end_request(
        &self,
        tenant: TenantId,
        key: &str,
        attempt: Uuid,
        answer: Option<StoredAnswer>,
    ) -> Result<()> {
        self.writer.transact(End { tenant, key: key.to_owned(), attempt, answer }).await
    }

    async fn forget_requests(&self, before: Timestamp, limit: usize) -> Result<u64> {
        self.writer.transact(Forget { before, limit }).await
    }
}

/// What is remembered of the requests that changes are for.
pub(crate) async fn of_changes(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    sets: &[&Changes],
) -> Result<Vec<(String, RequestRecord)>> {
    let mut found = Vec::new();
    for mark in sets.iter().filter_map(|changes| changes.request.as_ref()) {
        if let Some(record) = load(tx, tenant, &mark.key).await? {
            found.push((mark.key.clone(), record));
        }
    }
    Ok(found)
}

/// Keeps what requests did, in the transaction of their commit.
pub(crate) async fn write_effects(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    effects: &[RequestEffect],
) -> Result<()> {
    for RequestEffect { key, effect, .. } in effects {
        sqlx::query("UPDATE request SET effect = ? WHERE tenant = ? AND key = ?")
            .bind(to_json(effect)?)
            .bind(tenant.bytes())
            .bind(key)
            .execute(&mut *tx)
            .await
            .or_failed("remember a request")?;
    }
    Ok(())
}

async fn load(tx: &mut SqliteConnection, tenant: TenantId, key: &str) -> Result<Option<RequestRecord>> {
    let row = sqlx::query("SELECT body, effect FROM request WHERE tenant = ? AND key = ?")
        .bind(tenant.bytes())
        .bind(key)
        .fetch_optional(tx)
        .await
        .or_failed("look for a request")?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(RequestRecord { effect: row.maybe_json("effect")?, ..row.json("body")? }))
}

async fn save(tx: &mut SqliteConnection, tenant: TenantId, key: &str, record: &RequestRecord) -> Result<()> {
    sqlx::query(
        "INSERT INTO request (tenant, key, attempt, created_at, body, effect) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (tenant, key) DO UPDATE SET attempt = excluded.attempt, created_at = excluded.created_at,
             body = excluded.body, effect = excluded.effect",
    )
    .bind(tenant.bytes())
    .bind(key)
    .bind(record.attempt.into_bytes().to_vec())
    .bind(record.created_at.as_micros())
    .bind(to_json(&RequestRecord { effect: None, ..record.clone() })?)
    .bind(record.effect.as_ref().map(to_json).transpose()?)
    .execute(tx)
    .await
    .or_failed("remember a request")
    .map(drop)
}

struct Begin {
    tenant: TenantId,
    new: NewRequest,
    lease_for: Duration,
    now: Timestamp,
}

#[async_trait]
impl Transact for Begin {
    type Output = Begun;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Begun> {
        let known = load(tx, self.tenant, &self.new.key).await?;
        let (begun, record) = RequestRecord::begin(known, &self.new, self.lease_for, self.now)?;
        if matches!(begun, Begun::New | Begun::Interrupted(_)) {
            save(tx, self.tenant, &self.new.key, &record).await?;
        }
        Ok(begun)
    }
}

struct End {
    tenant: TenantId,
    key: String,
    attempt: Uuid,
    answer: Option<StoredAnswer>,
}

#[async_trait]
impl Transact for End {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        let mut record = load(tx, self.tenant, &self.key).await?.ok_or_else(attempt_lost)?;
        record.held(self.attempt)?;
        if self.answer.is_some() {
            record.answer.clone_from(&self.answer);
            return save(tx, self.tenant, &self.key, &record).await;
        }
        sqlx::query("DELETE FROM request WHERE tenant = ? AND key = ?")
            .bind(self.tenant.bytes())
            .bind(&self.key)
            .execute(tx)
            .await
            .or_failed("forget a request")
            .map(drop)
    }
}

struct Forget {
    before: Timestamp,
    limit: usize,
}

#[async_trait]
impl Transact for Forget {
    type Output = u64;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<u64> {
        let sql = "DELETE FROM request WHERE (tenant, key) IN (
             SELECT tenant, key FROM request WHERE created_at < ? ORDER BY created_at LIMIT ?)";
        let gone = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .bind(self.before.as_micros())
            .bind(number(self.limit).unwrap_or(i64::MAX))
            .execute(tx)
            .await
            .or_failed("forget requests")?;
        Ok(gone.rows_affected())
    }
}
