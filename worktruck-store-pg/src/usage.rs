//! What tenants use.

#![expect(clippy::too_many_arguments, reason = "rows are pushed column by column")]

use async_trait::async_trait;
use chrono::NaiveDate;
use sqlx::postgres::PgRow;
use uuid::Uuid;
use worktruck_core::store::{Quota, Share, UsageDay, UsageStore, sum_of_usage};
use worktruck_core::{Error, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, damaged};
use crate::statement::{Rows as _, Statement, columns};

columns! {
    /// What was used on days.
    Days {
        tenant: Uuid = "uuid", date: String = "text", requests: i64 = "bigint", reads: i64 = "bigint",
        writes: i64 = "bigint", searches: i64 = "bigint", exports: i64 = "bigint", revenue: i64 = "bigint",
    }
}

#[async_trait]
impl UsageStore for PgStore {
    async fn add_usage(&self, used: Vec<(TenantId, UsageDay)>) -> Result<()> {
        let mut rows = Days::default();
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        for ((tenant, date), day) in sum_of_usage(used) {
            rows.push(
                tenant.as_uuid(),
                date.to_string(),
                whole(day.request_count),
                whole(day.read_count),
                whole(day.write_count),
                whole(day.search_count),
                whole(day.export_count),
                whole(day.x402_revenue),
            );
        }
        if rows.is_empty() {
            return Ok(());
        }
        let mut statement = Statement::default();
        let rows = rows.bind(&mut statement, "c");
        statement.with(
            "used",
            format!(
                "INSERT INTO usage AS u (tenant, date, request_count, read_count, write_count, search_count,
                     export_count, x402_revenue)
                 SELECT tenant, date, requests, reads, writes, searches, exports, revenue FROM {rows}
                 ORDER BY tenant, date
                 ON CONFLICT (tenant, date) DO UPDATE SET request_count = u.request_count + excluded.request_count,
                     read_count = u.read_count + excluded.read_count,
                     write_count = u.write_count + excluded.write_count,
                     search_count = u.search_count + excluded.search_count,
                     export_count = u.export_count + excluded.export_count,
                     x402_revenue = u.x402_revenue + excluded.x402_revenue"
            ),
        );
        let mut writing = self.writing().await.or_failed("add to what was used")?;
        statement.fetch(&mut writing, "SELECT 1").await.or_failed("add to what was used")?;
        writing.done().await.or_failed("add to what was used")
    }

    async fn usage(&self, tenant: TenantId, from: NaiveDate, to: NaiveDate) -> Result<Vec<UsageDay>> {
        let rows = sqlx::query(
            "SELECT date, request_count, read_count, write_count, search_count, export_count, x402_revenue
             FROM usage WHERE tenant = $1 AND date BETWEEN $2 AND $3 ORDER BY date",
        )
        .bind(tenant.as_uuid())
        .bind(from.to_string())
        .bind(to.to_string())
        .fetch_all(&self.readers)
        .await
        .or_failed("read what was used")?;
        rows.iter().map(read).collect()
    }

    async fn take_quota(&self, tenant: TenantId, quotas: &[Quota], wanted: u64, now: Timestamp) -> Result<Share> {
        let [lengths, begins, limits] = windows(quotas, now);
        // Rows that are there are locked, and so are never written over what somebody else has taken meanwhile.
        let take = "WITH held AS MATERIALIZED (
                 SELECT length, begin, taken FROM quota WHERE tenant = $1 AND length = ANY ($2)
                 ORDER BY length FOR UPDATE),
             asked AS MATERIALIZED (
                 SELECT w.n, w.length, w.most, greatest(w.begin, h.begin) AS begin,
                     CASE WHEN h.begin >= w.begin THEN h.taken ELSE 0 END AS taken
                 FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) WITH ORDINALITY w(length, begin, most, n)
                     JOIN held h ON h.length = w.length),
             share AS (
                 SELECT greatest(least($5, min(most - taken)), 0) AS granted FROM asked
                 HAVING count(*) = cardinality($2::bigint[])),
             given AS (
                 UPDATE quota q SET begin = a.begin, taken = a.taken + s.granted FROM asked a, share s
                 WHERE q.tenant = $1 AND q.length = a.length RETURNING q.length, q.taken)
             SELECT g.taken, s.granted FROM given g JOIN asked a ON a.length = g.length, share s ORDER BY a.n";
        for _ in 0..2 {
            let mut writing = self.writing().await.or_failed("take of a quota")?;
            let rows = sqlx::query(take)
                .bind(tenant.as_uuid())
                .bind(&lengths)
                .bind(&begins)
                .bind(&limits)
                .bind(i64::try_from(wanted).unwrap_or(i64::MAX))
                .fetch_all(&mut *writing)
                .await
                .or_failed("take of a quota")?;
            if rows.len() == quotas.len() {
                let taken = rows.iter().map(|row| row.number("taken")).collect::<Result<_>>()?;
                let granted = rows.first().map_or(Ok(wanted), |row| row.number("granted"))?;
                writing.done().await.or_failed("take of a quota")?;
                return Ok(Share { granted, taken });
            }
            sqlx::query(
                "INSERT INTO quota (tenant, length, begin, taken)
                 SELECT $1, length, begin, 0 FROM unnest($2::bigint[], $3::bigint[]) w(length, begin) ORDER BY length
                 ON CONFLICT (tenant, length) DO NOTHING",
            )
            .bind(tenant.as_uuid())
            .bind(&lengths)
            .bind(&begins)
            .execute(&mut *writing)
            .await
            .or_failed("take of a quota")?;
            writing.done().await.or_failed("take of a quota")?;
        }
        Err(Error::internal("the rows of a quota are not there"))
    }

    async fn give_back_quota(
        &self,
        tenant: TenantId,
        quotas: &[Quota],
        unused: u64,
        taken_at: Timestamp,
    ) -> Result<()> {
        let [lengths, begins, _] = windows(quotas, taken_at);
        let mut writing = self.writing().await.or_failed("give back of a quota")?;
        sqlx::query(
            "WITH held AS MATERIALIZED (
                 SELECT q.length FROM quota q
                     JOIN unnest($2::bigint[], $3::bigint[]) w(length, begin)
                         ON w.length = q.length AND w.begin = q.begin
                 WHERE q.tenant = $1 ORDER BY q.length FOR UPDATE OF q)
             UPDATE quota q SET taken = greatest(q.taken - $4, 0) FROM held h
             WHERE q.tenant = $1 AND q.length = h.length",
        )
        .bind(tenant.as_uuid())
        .bind(lengths)
        .bind(begins)
        .bind(i64::try_from(unused).unwrap_or(i64::MAX))
        .execute(&mut *writing)
        .await
        .or_failed("give back of a quota")?;
        writing.done().await.or_failed("give back of a quota")
    }
}

/// The lengths of the windows, when those of `now` begin, and how much may be had in them.
fn windows(quotas: &[Quota], now: Timestamp) -> [Vec<i64>; 3] {
    let length = |quota: &Quota| i64::try_from(quota.window.as_micros()).unwrap_or(i64::MAX);
    [
        quotas.iter().map(length).collect(),
        quotas.iter().map(|quota| quota.begin(now).as_micros()).collect(),
        quotas.iter().map(|quota| i64::try_from(quota.limit).unwrap_or(i64::MAX)).collect(),
    ]
}

fn read(row: &PgRow) -> Result<UsageDay> {
    Ok(UsageDay {
        date: row.text("date")?.parse().map_err(|_| damaged("date"))?,
        request_count: row.number("request_count")?,
        read_count: row.number("read_count")?,
        write_count: row.number("write_count")?,
        search_count: row.number("search_count")?,
        export_count: row.number("export_count")?,
        x402_revenue: row.number("x402_revenue")?,
    })
}
