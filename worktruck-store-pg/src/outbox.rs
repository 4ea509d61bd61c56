//! What is to be told to webhooks.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};
use worktruck_core::store::{Attempted, Delivery, NewDelivery, Outbox, delivery_scope, no_delivery};
use worktruck_core::{Cursor, DeliveryId, EntityId, Error, Page, PageRequest, Result, RunId, TenantId, Timestamp};

use crate::PgStore;
use crate::error::{OrFailed as _, is_duplicate};
use crate::rows::{Columns as _, number, to_json};

const COLUMNS: &str = "tenant, id, webhook, run, seq, type, status, attempts, failures, next_attempt_at, \
    response_status, error::text AS error, created_at, settled_at, body::text AS body";

#[async_trait]
impl Outbox for PgStore {
    async fn take_deliveries(&self, limit: usize, lease_for: Duration, now: Timestamp) -> Result<Vec<Delivery>> {
        // Most looks find nothing, and need no transaction that writes.
        let is_due: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM delivery WHERE next_attempt_at <= $1)")
            .bind(now.as_micros())
            .fetch_one(&self.readers)
            .await
            .or_failed("look for deliveries")?;
        if limit == 0 || !is_due {
            return Ok(Vec::new());
        }
        // What another takes at the same time is passed over; what it has taken has another time by then.
        let sql = format!(
            "WITH due AS MATERIALIZED (
                 SELECT d.tenant, d.id, d.next_attempt_at FROM delivery d
                 WHERE d.next_attempt_at <= $1 AND (d.run IS NULL OR NOT EXISTS (
                     SELECT 1 FROM delivery b WHERE b.tenant = d.tenant AND b.webhook = d.webhook AND b.run = d.run
                         AND b.seq < d.seq AND b.next_attempt_at IS NOT NULL))
                 ORDER BY d.next_attempt_at, d.tenant, d.id LIMIT $2 FOR UPDATE OF d SKIP LOCKED
             ), taken AS (
                 UPDATE delivery d SET attempts = d.attempts + 1, next_attempt_at = $3 FROM due
                 WHERE d.tenant = due.tenant AND d.id = due.id RETURNING d.*, due.next_attempt_at AS waited_from
             )
             SELECT {COLUMNS} FROM taken ORDER BY waited_from, tenant, id"
        );
        let mut writing = self.writing().await.or_failed("take deliveries")?;
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(now.as_micros())
            .bind(number(limit).unwrap_or(i64::MAX))
            .bind(now.after(lease_for).as_micros())
            .fetch_all(&mut *writing)
            .await
            .or_failed("take deliveries")?;
        writing.done().await.or_failed("take deliveries")?;
        rows.iter().map(read).collect()
    }

    async fn settle_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        attempt: u32,
        attempted: Attempted,
        now: Timestamp,
    ) -> Result<Delivery> {
        self.change(tenant, id, |delivery| delivery.settle(attempt, attempted.clone(), now)).await
    }

    async fn add_delivery(&self, tenant: TenantId, new: NewDelivery, now: Timestamp) -> Result<Delivery> {
        let delivery = new.made(tenant, now);
        let mut writing = self.writing().await.or_failed("add a delivery")?;
        let added = sqlx::query(
            "INSERT INTO delivery (tenant, id, webhook, type, status, attempts, failures, next_attempt_at, created_at, body)
             VALUES ($1, $2, $3, $4, 'pending', 0, 0, $5, $5, $6::json)",
        )
        .bind(tenant.as_uuid())
        .bind(delivery.id.as_uuid())
        .bind(delivery.webhook_id.as_uuid())
        .bind(&delivery.event_type)
        .bind(now.as_micros())
        .bind(to_json(&delivery.body)?)
        .execute(&mut *writing)
        .await;
        match added {
            Ok(_) => writing.done().await.or_failed("add a delivery").map(|()| delivery),
            Err(error) if is_duplicate(&error) => Err(Error::conflict(format!("delivery {} exists", delivery.id))),
            Err(error) => Err(error).or_failed("add a delivery"),
        }
    }

    async fn redeliver(&self, tenant: TenantId, id: DeliveryId, now: Timestamp) -> Result<Delivery> {
        let again = |delivery: &mut Delivery| {
            delivery.send_again(now);
            Ok(())
        };
        self.change(tenant, id, again).await
    }

    async fn deliveries(&self, tenant: TenantId, webhook: EntityId, page: PageRequest) -> Result<Page<Delivery>> {
        let scope = delivery_scope(tenant, webhook);
        let after: Option<(i64, DeliveryId)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        // Before the first there is no moment that a delivery can have.
        let (at, id) = after.map_or((i64::MAX, uuid::Uuid::max()), |(at, id)| (at, id.as_uuid()));
        let sql = format!(
            "SELECT {COLUMNS} FROM delivery WHERE tenant = $1 AND webhook = $2 AND (created_at, id) < ($3, $4)
             ORDER BY created_at DESC, id DESC LIMIT $5"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(tenant.as_uuid())
            .bind(webhook.as_uuid())
            .bind(at)
            .bind(id)
            .bind(number(page.limit() + 1)?)
            .fetch_all(&self.readers)
            .await
            .or_failed("list deliveries")?;
        let found = rows.iter().map(read).collect::<Result<_>>()?;
        Page::cut(found, page.limit(), |last| Cursor::seal(&scope, &(last.created_at.as_micros(), last.id)))
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: usize) -> Result<u64> {
        let mut writing = self.writing().await.or_failed("forget deliveries")?;
        let gone = sqlx::query(
            "DELETE FROM delivery d USING (
                 SELECT tenant, id FROM delivery WHERE settled_at < $1 ORDER BY settled_at LIMIT $2
                 FOR UPDATE SKIP LOCKED) old
             WHERE d.tenant = old.tenant AND d.id = old.id",
        )
        .bind(before.as_micros())
        .bind(number(limit).unwrap_or(i64::MAX))
        .execute(&mut *writing)
        .await
        .or_failed("forget deliveries")?;
        writing.done().await.or_failed("forget deliveries")?;
        Ok(gone.rows_affected())
    }
}

/// How often a delivery is changed again when others were faster.
const ATTEMPTS: usize = 50;

impl PgStore {
    /// Changes a delivery, if it is still at the attempt that it was read at.
    async fn change(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        change: impl Fn(&mut Delivery) -> Result<()> + Send + Sync,
    ) -> Result<Delivery> {
        let sql = format!("SELECT {COLUMNS} FROM delivery WHERE tenant = $1 AND id = $2");
        for _ in 0..ATTEMPTS {
            let mut writing = self.writing().await.or_failed("read a delivery")?;
            let row = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(tenant.as_uuid())
                .bind(id.as_uuid())
                .fetch_optional(&mut *writing)
                .await
                .or_failed("read a delivery")?;
            let mut delivery = read(&row.ok_or_else(|| no_delivery(id))?)?;
            let (was, was_at) = (delivery.status, delivery.attempts);
            change(&mut delivery)?;
            let written = sqlx::query(
                "UPDATE delivery SET status = $5, attempts = $6, failures = $7, next_attempt_at = $8,
                     response_status = $9, error = $10::json, settled_at = $11
                 WHERE tenant = $1 AND id = $2 AND attempts = $3 AND status = $4",
            )
            .bind(tenant.as_uuid())
            .bind(id.as_uuid())
            .bind(i64::from(was_at))
            .bind(was.as_str())
            .bind(delivery.status.as_str())
            .bind(i64::from(delivery.attempts))
            .bind(i64::from(delivery.failures))
            .bind(delivery.next_attempt_at.map(Timestamp::as_micros))
            .bind(delivery.response_status.map(i32::from))
            .bind(delivery.error.as_ref().map(to_json).transpose()?)
            .bind(delivery.settled_at.map(Timestamp::as_micros))
            .execute(&mut *writing)
            .await
            .or_failed("write a delivery")?;
            writing.done().await.or_failed("write a delivery")?;
            if written.rows_affected() > 0 {
                return Ok(delivery);
            }
        }
        Err(Error::unavailable(format!("delivery {id} changes too fast to be written")))
    }
}

fn read(row: &PgRow) -> Result<Delivery> {
    let run: Option<uuid::Uuid> = row.try_get("run").or_failed("read a delivery")?;
    let response: Option<i32> = row.try_get("response_status").or_failed("read a delivery")?;
    Ok(Delivery {
        id: DeliveryId::from_uuid(row.id("id")?),
        tenant_id: TenantId::from_uuid(row.id("tenant")?),
        webhook_id: EntityId::from_uuid(row.id("webhook")?),
        run_id: run.map(RunId::from_uuid),
        seq: row.maybe_number("seq")?,
        event_type: row.text("type")?.to_owned(),
        status: row.text("status")?.parse()?,
        attempts: row.number("attempts")?,
        failures: row.number("failures")?,
        next_attempt_at: row.maybe_time("next_attempt_at")?,
        response_status: response.and_then(|status| u16::try_from(status).ok()),
        error: row.maybe_json("error")?,
        created_at: row.time("created_at")?,
        settled_at: row.maybe_time("settled_at")?,
        body: row.json("body")?,
    })
}
