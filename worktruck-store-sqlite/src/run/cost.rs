use futures::TryStreamExt as _;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use worktruck_core::store::{AgentCost, AgentCostQuery, CostTable, Costs};
use worktruck_core::{NanoUsd, Result, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _};

/// What runs have cost that ended on the days of the query: found by when they ended, and their steps by their key.
pub(super) async fn read(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    query: &AgentCostQuery,
) -> Result<Vec<AgentCost>> {
    let span = query.span()?;
    let mut table = CostTable::default();
    let mut runs: QueryBuilder<Sqlite> = QueryBuilder::new(
        "SELECT r.finished_at, r.blueprint, r.status = 'failed' AS failed_runs,
             json_extract(r.state, '$.cost_usd_nano') AS cost FROM run r",
    );
    of(&mut runs, tenant, span, query.blueprint.as_ref());
    let mut rows = runs.build().fetch(&mut *tx);
    while let Some(row) = rows.try_next().await.or_failed("read what runs have cost")? {
        let cost = NanoUsd::new(row.number("cost")?);
        let ended = Costs { runs: 1, failed_runs: row.number("failed_runs")?, cost, ..Costs::default() };
        table.add(row.time("finished_at")?, blueprint(&row)?, ended)?;
    }
    drop(rows);
    // Summed here and not there, where a sum that is too large is an error.
    let mut steps: QueryBuilder<Sqlite> = QueryBuilder::new(
        "SELECT r.finished_at, r.blueprint, CAST(json_extract(s.body, '$.input_tokens') AS INTEGER) AS input_tokens,
             CAST(json_extract(s.body, '$.output_tokens') AS INTEGER) AS output_tokens
         FROM run r CROSS JOIN step s ON s.tenant = r.tenant AND s.run = r.id",
    );
    of(&mut steps, tenant, span, query.blueprint.as_ref());
    steps.push(" AND json_extract(s.body, '$.input_tokens') IS NOT NULL");
    let mut rows = steps.build().fetch(&mut *tx);
    while let Some(row) = rows.try_next().await.or_failed("read what runs have used")? {
        let (input_tokens, output_tokens) = (row.number("input_tokens")?, row.number("output_tokens")?);
        let used = Costs { input_tokens, output_tokens, ..Costs::default() };
        table.add(row.time("finished_at")?, blueprint(&row)?, used)?;
    }
    drop(rows);
    Ok(table.into_rows())
}

/// Only of runs that are asked about.
fn of(sql: &mut QueryBuilder<Sqlite>, tenant: TenantId, span: (Timestamp, Timestamp), blueprint: Option<&String>) {
    sql.push(" WHERE r.tenant = ").push_bind(tenant.bytes());
    sql.push(" AND r.finished_at >= ").push_bind(span.0.as_micros());
    sql.push(" AND r.finished_at < ").push_bind(span.1.as_micros());
    if let Some(blueprint) = blueprint {
        sql.push(" AND r.blueprint = ").push_bind(blueprint.clone());
    }
}

fn blueprint(row: &sqlx::sqlite::SqliteRow) -> Result<&str> {
    row.try_get("blueprint").or_failed("read what runs have cost")
}
