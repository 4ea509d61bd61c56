use sqlx::{Postgres, QueryBuilder};
use worktruck_core::run::Run;
use worktruck_core::store::{RunQuery, run_scope};
use worktruck_core::{Cursor, Page, Result, RunId, TenantId};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{is_kept, number};

use super::record::{self, records};

/// A page of runs, newest first. What has not ended is found in the queue, the rest in `run`.
pub(super) async fn runs(store: &PgStore, tenant: TenantId, query: &RunQuery) -> Result<Page<Run>> {
    let scope = run_scope(tenant, query);
    let after: Option<(i64, RunId)> = query.page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
    if query.blueprint.as_deref().is_some_and(|blueprint| !is_kept(blueprint)) {
        return Ok(Page::new(Vec::new(), None));
    }
    let limit = query.page.limit();
    let live = query.status.filter(|status| !status.is_terminal());
    let mut sql: QueryBuilder<Postgres>;
    let (table, id) = if live.is_some() { ("q", "q.run") } else { ("r", "r.id") };
    if let Some(status) = live {
        sql = QueryBuilder::new(records!(
            "FROM queue q JOIN run r ON r.tenant = q.tenant AND r.id = q.run WHERE q.status = "
        ));
        sql.push_bind(status.as_str());
    } else {
        sql = QueryBuilder::new(records!(
            "FROM run r LEFT JOIN queue q ON q.tenant = r.tenant AND q.run = r.id WHERE TRUE"
        ));
        if let Some(status) = query.status {
            sql.push(" AND r.outcome = ").push_bind(status.as_str());
        }
    }
    sql.push(format_args!(" AND {table}.tenant = ")).push_bind(tenant.as_uuid());
    if let Some(blueprint) = &query.blueprint {
        sql.push(format_args!(" AND {table}.blueprint = ")).push_bind(blueprint);
    }
    if let Some((created_at, last)) = after {
        sql.push(format_args!(" AND ({table}.created_at, {id}) < (")).push_bind(created_at);
        sql.push(", ").push_bind(last.as_uuid()).push(")");
    }
    sql.push(format_args!(" ORDER BY {table}.created_at DESC, {id} DESC LIMIT ")).push_bind(number(limit + 1)?);
    let rows = sql.build().fetch_all(&store.readers).await.or_failed("list runs")?;
    let runs = rows.iter().take(limit).map(|row| Ok(record::read(row)?.run)).collect::<Result<Vec<Run>>>()?;
    let next = match runs.last() {
        Some(last) if rows.len() > limit => Some(Cursor::seal(&scope, &(last.created_at.as_micros(), last.id))?),
        _ => None,
    };
    Ok(Page::new(runs, next))
}
