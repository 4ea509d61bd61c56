use sqlx::{Postgres, QueryBuilder};
use worktruck_core::store::{AgentCost, AgentCostQuery, CostTable, Costs};
use worktruck_core::{NanoUsd, Result, TenantId};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, is_kept};

/// What runs have cost that ended on the days of the query: found by when they ended, and their steps by their key.
pub(super) async fn read(store: &PgStore, tenant: TenantId, query: &AgentCostQuery) -> Result<Vec<AgentCost>> {
    let (from, to) = query.span()?;
    if query.blueprint.as_deref().is_some_and(|blueprint| !is_kept(blueprint)) {
        return Ok(Vec::new());
    }
    let mut sql: QueryBuilder<Postgres> = QueryBuilder::new(
        "WITH ended AS MATERIALIZED (SELECT tenant, id, blueprint, finished_at, outcome, cost FROM run WHERE tenant = ",
    );
    sql.push_bind(tenant.as_uuid()).push(" AND finished_at >= ").push_bind(from.as_micros());
    sql.push(" AND finished_at < ").push_bind(to.as_micros());
    if let Some(blueprint) = &query.blueprint {
        sql.push(" AND blueprint = ").push_bind(blueprint);
    }
    // A sum that no column can hold is the most that one can; the day begins at midnight, also before 1970.
    sql.push(
        "), used AS (
             SELECT e.id, sum((s.usage->>'input_tokens')::numeric) AS input_tokens,
                 sum((s.usage->>'output_tokens')::numeric) AS output_tokens
             FROM ended e JOIN step s ON s.tenant = e.tenant AND s.run = e.id
             WHERE s.usage IS NOT NULL GROUP BY e.id)
         SELECT min(e.finished_at) AS ended, e.blueprint, count(*) AS runs,
             count(*) FILTER (WHERE e.outcome = 'failed') AS failed_runs,
             coalesce(least(sum(u.input_tokens), 9223372036854775807)::bigint, 0) AS input_tokens,
             coalesce(least(sum(u.output_tokens), 9223372036854775807)::bigint, 0) AS output_tokens,
             coalesce(least(sum(e.cost), 9223372036854775807)::bigint, 0) AS cost
         FROM ended e LEFT JOIN used u ON u.id = e.id
         GROUP BY floor(e.finished_at / 86400000000.0), e.blueprint",
    );
    let rows = sql.build().fetch_all(&store.readers).await.or_failed("sum what runs have cost")?;
    let mut table = CostTable::default();
    for row in &rows {
        let part = Costs {
            runs: row.number("runs")?,
            failed_runs: row.number("failed_runs")?,
            input_tokens: row.number("input_tokens")?,
            output_tokens: row.number("output_tokens")?,
            cost: NanoUsd::new(row.number("cost")?),
        };
        table.add(row.time("ended")?, row.text("blueprint")?, part)?;
    }
    Ok(table.into_rows())
}
