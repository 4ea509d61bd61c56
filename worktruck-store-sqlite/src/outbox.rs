//! What is to be told to webhooks.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use worktruck_core::run::{Event, Run};
use worktruck_core::store::{Attempted, Delivery, Message, NewDelivery, Outbox, delivery_scope, no_delivery, told_of};
use worktruck_core::{Cursor, DeliveryId, EntityId, Error, Page, PageRequest, Result, RunId, TenantId, Timestamp};

use crate::SqliteStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, insert, number, to_json};
use crate::writer::Transact;

const COLUMNS: &str = "tenant, id, webhook, run, seq, type, status, attempts, failures, next_attempt_at, \
    response_status, error, created_at, settled_at, body";

#[async_trait]
impl Outbox for SqliteStore {
    async fn take_deliveries(&self, limit: usize, lease_for: Duration, now: Timestamp) -> Result<Vec<Delivery>> {
        // Most looks find nothing, and need not wait for those who write.
        let is_due: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM delivery WHERE next_attempt_at <= ?)")
            .bind(now.as_micros())
            .fetch_one(&self.readers)
            .await
            .or_failed("look for deliveries")?;
        if limit == 0 || !is_due {
            return Ok(Vec::new());
        }
        self.writer.transact(Take { limit, lease_for, now }).await
    }

    async fn settle_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        attempt: u32,
        attempted: Attempted,
        now: Timestamp,
    ) -> Result<Delivery> {
        self.writer.transact(Change { tenant, id, to: To::Settled(attempt, attempted), now }).await
    }

    async fn add_delivery(&self, tenant: TenantId, new: NewDelivery, now: Timestamp) -> Result<Delivery> {
        self.writer.transact(Add(new.made(tenant, now))).await
    }

    async fn redeliver(&self, tenant: TenantId, id: DeliveryId, now: Timestamp) -> Result<Delivery> {
        self.writer.transact(Change { tenant, id, to: To::SentAgain, now }).await
    }

    async fn deliveries(&self, tenant: TenantId, webhook: EntityId, page: PageRequest) -> Result<Page<Delivery>> {
        let scope = delivery_scope(tenant, webhook);
        let after: Option<(i64, DeliveryId)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let (at, id) = after.map_or_else(|| (i64::MAX, vec![u8::MAX; 17]), |(at, id)| (at, id.bytes()));
        let sql = format!(
            "SELECT {COLUMNS} FROM delivery WHERE tenant = ?1 AND webhook = ?2 AND (created_at, id) < (?3, ?4)
             ORDER BY created_at DESC, id DESC LIMIT ?5"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(tenant.bytes())
            .bind(webhook.bytes())
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
        self.writer.transact(Forget { before, limit }).await
    }
}

/// Makes the deliveries of what happened to a run.
pub(crate) async fn tell(tx: &mut SqliteConnection, run: &Run, events: &[Event]) -> Result<()> {
    send(tx, run.tenant_id, &Message::of(run, events)).await
}

/// Makes the deliveries of messages.
pub(crate) async fn send(tx: &mut SqliteConnection, tenant: TenantId, messages: &[Message]) -> Result<()> {
    let mut made = Vec::new();
    for message in messages {
        let (kind, term) = told_of(&message.event_type);
        let rows = sqlx::query("SELECT id FROM term WHERE tenant = ? AND kind = ? AND name = ? AND value = ?")
            .bind(tenant.bytes())
            .bind(kind.as_str())
            .bind(term.name)
            .bind(term.value)
            .fetch_all(&mut *tx)
            .await
            .or_failed("look for webhooks")?;
        for row in &rows {
            made.push(message.deliver(tenant, row.bytes("id")?));
        }
    }
    add(tx, &made).await
}

async fn add(tx: &mut SqliteConnection, made: &[Delivery]) -> Result<()> {
    let mut rows = Vec::with_capacity(made.len());
    for delivery in made {
        rows.push((delivery, delivery.seq.map(number).transpose()?, to_json(&delivery.body)?));
    }
    insert(tx, &format!("delivery ({COLUMNS})"), 15, "", &rows, |query, (delivery, seq, body)| {
        query
            .bind(delivery.tenant_id.bytes())
            .bind(delivery.id.bytes())
            .bind(delivery.webhook_id.bytes())
            .bind(delivery.run_id.map(RunId::bytes))
            .bind(*seq)
            .bind(delivery.event_type.clone())
            .bind(delivery.status.as_str())
            .bind(delivery.attempts)
            .bind(delivery.failures)
            .bind(delivery.next_attempt_at.map(Timestamp::as_micros))
            .bind(delivery.response_status)
            .bind(delivery.error.clone())
            .bind(delivery.created_at.as_micros())
            .bind(delivery.settled_at.map(Timestamp::as_micros))
            .bind(body.clone())
    })
    .await
    .or_failed("add deliveries")
}

/// Writes back a delivery that changed.
async fn save(tx: &mut SqliteConnection, delivery: &Delivery) -> Result<()> {
    sqlx::query(
        "UPDATE delivery SET status = ?3, attempts = ?4, failures = ?5, next_attempt_at = ?6, response_status = ?7,
             error = ?8, settled_at = ?9
         WHERE tenant = ?1 AND id = ?2",
    )
    .bind(delivery.tenant_id.bytes())
    .bind(delivery.id.bytes())
    .bind(delivery.status.as_str())
    .bind(delivery.attempts)
    .bind(delivery.failures)
    .bind(delivery.next_attempt_at.map(Timestamp::as_micros))
    .bind(delivery.response_status)
    .bind(delivery.error.clone())
    .bind(delivery.settled_at.map(Timestamp::as_micros))
    .execute(tx)
    .await
    .or_failed("write a delivery")
    .map(drop)
}

async fn load(tx: &mut SqliteConnection, tenant: TenantId, id: DeliveryId) -> Result<Option<Delivery>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM delivery WHERE tenant = ? AND id = ?")))
        .bind(tenant.bytes())
        .bind(id.bytes())
        .fetch_optional(tx)
        .await
        .or_failed("read a delivery")?;
    row.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<Delivery> {
    let seq: Option<i64> = row.try_get("seq").or_failed("read a delivery")?;
    Ok(Delivery {
        id: row.bytes("id")?,
        tenant_id: row.bytes("tenant")?,
        webhook_id: row.bytes("webhook")?,
        run_id: row.maybe_bytes("run")?,
        seq: seq.map(u64::try_from).transpose().or_failed("read a delivery")?,
        event_type: row.text("type")?.to_owned(),
        status: row.text("status")?.parse()?,
        attempts: row.number("attempts")?,
        failures: row.number("failures")?,
        next_attempt_at: row.maybe_time("next_attempt_at")?,
        response_status: row.try_get("response_status").or_failed("read a delivery")?,
        error: row.try_get("error").or_failed("read a delivery")?,
        created_at: row.time("created_at")?,
        settled_at: row.maybe_time("settled_at")?,
        body: row.json("body")?,
    })
}

/// Takes deliveries whose time has come.
struct Take {
    limit: usize,
    lease_for: Duration,
    now: Timestamp,
}

#[async_trait]
impl Transact for Take {
    type Output = Vec<Delivery>;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Vec<Delivery>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM delivery d WHERE next_attempt_at <= ?1 AND (run IS NULL OR NOT EXISTS (
                 SELECT 1 FROM delivery b WHERE b.tenant = d.tenant AND b.webhook = d.webhook AND b.run = d.run
                     AND b.seq < d.seq AND b.next_attempt_at IS NOT NULL))
             ORDER BY next_attempt_at, tenant, id LIMIT ?2"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(self.now.as_micros())
            .bind(number(self.limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *tx)
            .await
            .or_failed("look for deliveries")?;
        let mut taken = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        for delivery in &mut taken {
            delivery.take(self.lease_for, self.now);
            save(tx, delivery).await?;
        }
        Ok(taken)
    }
}

/// Changes a delivery.
struct Change {
    tenant: TenantId,
    id: DeliveryId,
    to: To,
    now: Timestamp,
}

enum To {
    Settled(u32, Attempted),
    SentAgain,
}

#[async_trait]
impl Transact for Change {
    type Output = Delivery;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Delivery> {
        let mut delivery = load(tx, self.tenant, self.id).await?.ok_or_else(|| no_delivery(self.id))?;
        match &self.to {
            To::Settled(attempt, attempted) => delivery.settle(*attempt, attempted.clone(), self.now)?,
            To::SentAgain => delivery.send_again(self.now),
        }
        save(tx, &delivery).await?;
        Ok(delivery)
    }
}

/// Adds a delivery that belongs to no run.
struct Add(Delivery);

#[async_trait]
impl Transact for Add {
    type Output = Delivery;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Delivery> {
        if load(tx, self.0.tenant_id, self.0.id).await?.is_some() {
            return Err(Error::conflict(format!("delivery {} exists", self.0.id)));
        }
        add(tx, std::slice::from_ref(&self.0)).await?;
        Ok(self.0.clone())
    }
}

/// Removes deliveries that were settled long ago.
struct Forget {
    before: Timestamp,
    limit: usize,
}

#[async_trait]
impl Transact for Forget {
    type Output = u64;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<u64> {
        let gone = sqlx::query(
            "DELETE FROM delivery WHERE (tenant, id) IN (
                 SELECT tenant, id FROM delivery WHERE settled_at < ? AND settled_at IS NOT NULL
                 ORDER BY settled_at LIMIT ?)",
        )
        .bind(self.before.as_micros())
        .bind(number(self.limit).unwrap_or(i64::MAX))
        .execute(tx)
        .await
        .or_failed("forget deliveries")?;
        Ok(gone.rows_affected())
    }
}
