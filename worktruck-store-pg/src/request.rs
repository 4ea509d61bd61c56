//! What is remembered of requests.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;
use worktruck_core::store::{
    Begun, Changes, NewRequest, RequestEffect, RequestRecord, RequestStore, StoredAnswer, attempt_lost,
};
use worktruck_core::{Error, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::{Failure, OrFailed as _};
use crate::rows::{Columns as _, number, to_json};
use crate::statement::{Rows as _, Statement, columns};

/// How often a request is begun again when others were faster.
const ATTEMPTS: usize = 20;

columns! {
    /// What requests did.
    Effects {
        tenant: Uuid = "uuid", key: String = "text", attempt: Uuid = "uuid", effect: String = "text",
    }
}

impl Effects {
    pub(crate) fn add(&mut self, tenant: Uuid, effect: RequestEffect) -> Result<()> {
        self.push(tenant, effect.key, effect.attempt, to_json(&effect.effect)?);
        Ok(())
    }

    /// Adds the part `requests`, which locks what is remembered of requests if it is what the commits rest on, and gives
    /// how many there must be.
    pub(crate) fn lock(&self, statement: &mut Statement) -> usize {
        if self.is_empty() {
            statement.with("requests", "SELECT NULL::text AS key WHERE FALSE");
            return 0;
        }
        let rows = self.clone().bind(statement, "c");
        statement.with(
            "requests",
            format!(
                "SELECT r.key FROM request r JOIN {rows} ON r.tenant = c.tenant AND r.key = c.key
                 WHERE r.attempt = c.attempt AND NOT r.is_ended AND r.effect IS NULL FOR UPDATE OF r"
            ),
        );
        self.key.len()
    }

    /// Adds the part that writes them, where the condition holds.
    pub(crate) fn write(self, only_if: &str, statement: &mut Statement) {
        if self.is_empty() {
            return;
        }
        let rows = self.bind(statement, "c");
        statement.with(
            "effected",
            format!(
                "UPDATE request r SET effect = c.effect::json FROM {rows}
                 WHERE r.tenant = c.tenant AND r.key = c.key AND {only_if}"
            ),
        );
    }
}

#[async_trait]
impl RequestStore for PgStore {
    async fn begin_request(
        &self,
        tenant: TenantId,
        new: NewRequest,
        lease_for: Duration,
        now: Timestamp,
    ) -> Result<Begun> {
        new.check()?;
        for _ in 0..ATTEMPTS {
            let mut writing = self.writing().await.or_failed("begin a request")?;
            let known = load(&mut writing, tenant, &new.key).await?;
            let was = known.as_ref().map(|known| known.attempt);
            let (begun, record) = RequestRecord::begin(known, &new, lease_for, now)?;
            if !matches!(begun, Begun::New | Begun::Interrupted(_)) {
                return Ok(begun);
            }
            // Somebody else may have begun it, gone on or ended it since.
            let written = sqlx::query(
                "INSERT INTO request AS r (tenant, key, attempt, created_at, is_ended, body, effect)
                 SELECT $1, $2, $3, $4, FALSE, $5::json, $6::json
                 ON CONFLICT (tenant, key) DO UPDATE SET attempt = excluded.attempt, created_at = excluded.created_at,
                     is_ended = FALSE, body = excluded.body, effect = excluded.effect
                 WHERE r.attempt = $7 AND ($8 OR NOT r.is_ended AND (r.effect IS NULL) = ($6::text IS NULL))",
            )
            .bind(tenant.as_uuid())
            .bind(&new.key)
            .bind(record.attempt)
            .bind(record.created_at.as_micros())
            .bind(to_json(&RequestRecord { effect: None, ..record.clone() })?)
            .bind(record.effect.as_ref().map(to_json).transpose()?)
            .bind(was)
            .bind(begun == Begun::New)
            .execute(&mut *writing)
            .await
            .or_failed("begin a request")?;
            writing.done().await.or_failed("begin a request")?;
            if written.rows_affected() > 0 {
                return Ok(begun);
            }
        }
        Err(Error::unavailable("others begin the same request too fast; try again"))
    }

    async fn end_request(
        &self,
        tenant: TenantId,
        key: &str,
        attempt: Uuid,
        answer: Option<StoredAnswer>,
    ) -> Result<()> {
        let mut writing = self.writing().await.or_failed("end a request")?;
        let known = load(&mut writing, tenant, key).await?.ok_or_else(attempt_lost)?;
        known.held(attempt)?;
        let written = match answer {
            Some(answer) => {
                let record = RequestRecord { effect: None, answer: Some(answer), ..known };
                sqlx::query(
                    "UPDATE request SET is_ended = TRUE, body = $4::json
                     WHERE tenant = $1 AND key = $2 AND attempt = $3 AND NOT is_ended",
                )
                .bind(tenant.as_uuid())
                .bind(key)
                .bind(attempt)
                .bind(to_json(&record)?)
                .execute(&mut *writing)
                .await
            }
            None => {
                sqlx::query("DELETE FROM request WHERE tenant = $1 AND key = $2 AND attempt = $3 AND NOT is_ended")
                    .bind(tenant.as_uuid())
                    .bind(key)
                    .bind(attempt)
                    .execute(&mut *writing)
                    .await
            }
        };
        let written = written.or_failed("end a request")?;
        writing.done().await.or_failed("end a request")?;
        if written.rows_affected() == 0 { Err(attempt_lost()) } else { Ok(()) }
    }

    async fn forget_requests(&self, before: Timestamp, limit: usize) -> Result<u64> {
        let mut writing = self.writing().await.or_failed("forget requests")?;
        let gone = sqlx::query(
            "DELETE FROM request r USING (
                 SELECT tenant, key FROM request WHERE created_at < $1 ORDER BY created_at LIMIT $2
                 FOR UPDATE SKIP LOCKED) old
             WHERE r.tenant = old.tenant AND r.key = old.key",
        )
        .bind(before.as_micros())
        .bind(number(limit).unwrap_or(i64::MAX))
        .execute(&mut *writing)
        .await
        .or_failed("forget requests")?;
        writing.done().await.or_failed("forget requests")?;
        Ok(gone.rows_affected())
    }
}

/// What is remembered of the requests that changes are for.
pub(crate) async fn of_changes(
    connection: &mut PgConnection,
    sets: &[(TenantId, &Changes, Timestamp)],
) -> Result<Vec<(TenantId, String, RequestRecord)>, Failure> {
    let mut found = Vec::new();
    for (tenant, changes, _) in sets {
        let Some(mark) = &changes.request else { continue };
        let row = sqlx::query(SELECT).bind(tenant.as_uuid()).bind(&mark.key).fetch_optional(&mut *connection).await?;
        if let Some(row) = row {
            found.push((*tenant, mark.key.clone(), read(&row)?));
        }
    }
    Ok(found)
}

const SELECT: &str = "SELECT body::text AS body, effect::text AS effect FROM request WHERE tenant = $1 AND key = $2";

async fn load(connection: &mut PgConnection, tenant: TenantId, key: &str) -> Result<Option<RequestRecord>> {
    let row = sqlx::query(SELECT).bind(tenant.as_uuid()).bind(key).fetch_optional(connection).await;
    row.or_failed("look for a request")?.as_ref().map(read).transpose()
}

fn read(row: &PgRow) -> Result<RequestRecord> {
    Ok(RequestRecord { effect: row.maybe_json("effect")?, ..row.json("body")? })
}
