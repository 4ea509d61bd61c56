//! What tenants use.

use async_trait::async_trait;
use chrono::NaiveDate;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use worktruck_core::store::{Quota, Share, UsageDay, UsageStore, most_of, sum_of_usage};
use worktruck_core::{Result, TenantId, Timestamp};

use crate::SqliteStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, damaged, insert, number};
use crate::writer::Transact;

#[async_trait]
impl UsageStore for SqliteStore {
    async fn add_usage(&self, used: Vec<(TenantId, UsageDay)>) -> Result<()> {
        self.writer.transact(Add(used)).await
    }

    async fn usage(&self, tenant: TenantId, from: NaiveDate, to: NaiveDate) -> Result<Vec<UsageDay>> {
        let rows = sqlx::query(
            "SELECT date, request_count, read_count, write_count, search_count, export_count, x402_revenue
             FROM usage WHERE tenant = ? AND date BETWEEN ? AND ? ORDER BY date",
        )
        .bind(tenant.bytes())
        .bind(from.to_string())
        .bind(to.to_string())
        .fetch_all(&self.readers)
        .await
        .or_failed("read what was used")?;
        rows.iter().map(read).collect()
    }

    async fn take_quota(&self, tenant: TenantId, quotas: &[Quota], wanted: u64, now: Timestamp) -> Result<Share> {
        self.writer.transact(Take { tenant, quotas: quotas.to_vec(), wanted, now }).await
    }

    async fn give_back_quota(
        &self,
        tenant: TenantId,
        quotas: &[Quota],
        unused: u64,
        taken_at: Timestamp,
    ) -> Result<()> {
        self.writer.transact(GiveBack { tenant, quotas: quotas.to_vec(), unused, taken_at }).await
    }
}

fn read(row: &SqliteRow) -> Result<UsageDay> {
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

fn length(quota: &Quota) -> i64 {
    i64::try_from(quota.window.as_micros()).unwrap_or(i64::MAX)
}

struct Add(Vec<(TenantId, UsageDay)>);

#[async_trait]
impl Transact for Add {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        let mut rows = Vec::new();
        for ((tenant, date), day) in sum_of_usage(self.0.clone()) {
            let counts = [
                day.request_count,
                day.read_count,
                day.write_count,
                day.search_count,
                day.export_count,
                day.x402_revenue,
            ];
            rows.push((tenant, date.to_string(), counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX))));
        }
        let into =
            "usage (tenant, date, request_count, read_count, write_count, search_count, export_count, x402_revenue)";
        let add = " ON CONFLICT (tenant, date) DO UPDATE SET request_count = request_count + excluded.request_count,
             read_count = read_count + excluded.read_count, write_count = write_count + excluded.write_count,
             search_count = search_count + excluded.search_count, export_count = export_count + excluded.export_count,
             x402_revenue = x402_revenue + excluded.x402_revenue";
        insert(tx, into, 8, add, &rows, |query, (tenant, date, counts)| {
            counts.iter().fold(query.bind(tenant.bytes()).bind(date.clone()), |query, count| query.bind(*count))
        })
        .await
        .or_failed("add to what was used")
    }
}

struct Take {
    tenant: TenantId,
    quotas: Vec<Quota>,
    wanted: u64,
    now: Timestamp,
}

#[async_trait]
impl Transact for Take {
    type Output = Share;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Share> {
        let mut windows = Vec::new();
        for quota in &self.quotas {
            let begin = quota.begin(self.now);
            let row = sqlx::query("SELECT begin, taken FROM quota WHERE tenant = ? AND length = ?")
                .bind(self.tenant.bytes())
                .bind(length(quota))
                .fetch_optional(&mut *tx)
                .await
                .or_failed("read a quota")?;
            windows.push(match row {
                Some(row) if row.time("begin")? >= begin => (row.time("begin")?, row.number("taken")?),
                _ => (begin, 0),
            });
        }
        let taken: Vec<u64> = windows.iter().map(|(_, taken)| *taken).collect();
        let granted = most_of(self.wanted, &self.quotas, &taken);
        for (quota, (begin, taken)) in self.quotas.iter().zip(windows) {
            sqlx::query(
                "INSERT INTO quota (tenant, length, begin, taken) VALUES (?, ?, ?, ?)
                 ON CONFLICT (tenant, length) DO UPDATE SET begin = excluded.begin, taken = excluded.taken",
            )
            .bind(self.tenant.bytes())
            .bind(length(quota))
            .bind(begin.as_micros())
            .bind(number(taken + granted)?)
            .execute(&mut *tx)
            .await
            .or_failed("take of a quota")?;
        }
        Ok(Share { granted, taken: taken.into_iter().map(|taken| taken + granted).collect() })
    }
}

struct GiveBack {
    tenant: TenantId,
    quotas: Vec<Quota>,
    unused: u64,
    taken_at: Timestamp,
}

#[async_trait]
impl Transact for GiveBack {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        for quota in &self.quotas {
            sqlx::query("UPDATE quota SET taken = max(taken - ?4, 0) WHERE tenant = ?1 AND length = ?2 AND begin = ?3")
                .bind(self.tenant.bytes())
                .bind(length(quota))
                .bind(quota.begin(self.taken_at).as_micros())
                .bind(i64::try_from(self.unused).unwrap_or(i64::MAX))
                .execute(&mut *tx)
                .await
                .or_failed("give back of a quota")?;
        }
        Ok(())
    }
}
