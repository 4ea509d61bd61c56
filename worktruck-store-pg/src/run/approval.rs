//! What people are asked, as the table `approval` has it.

use sqlx::PgConnection;
use worktruck_core::run::Approval;
use worktruck_core::store::{ApprovalQuery, approval_scope};
use worktruck_core::{ApprovalId, Cursor, Page, Result, RunId, TenantId};

use crate::PgStore;
use crate::error::{Failure, OrFailed as _};
use crate::rows::{Columns as _, number};
use crate::statement::Statement;

/// The approvals of a run, in order of its calls.
pub(crate) async fn of_run(
    connection: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
) -> Result<Vec<Approval>, Failure> {
    let rows = sqlx::query("SELECT body::text AS body FROM approval WHERE tenant = $1 AND run = $2 ORDER BY seq")
        .bind(tenant.as_uuid())
        .bind(run.as_uuid())
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(|row| row.json("body")).collect::<Result<_>>()?)
}

/// The approval with this id.
pub(super) async fn read(store: &PgStore, tenant: TenantId, id: ApprovalId) -> Result<Option<Approval>> {
    let mut connection = store.readers.acquire().await.or_failed("read an approval")?;
    let row = sqlx::query("SELECT body::text AS body FROM approval WHERE tenant = $1 AND id = $2")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *connection)
        .await
        .or_failed("read an approval")?;
    row.map(|row| row.json("body")).transpose()
}

/// A page of approvals, in the order in which they were asked for.
pub(super) async fn list(store: &PgStore, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>> {
    let scope = approval_scope(tenant, &query);
    let after: Option<(i64, ApprovalId)> = query.page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
    let limit = query.page.limit();
    let mut statement = Statement::default();
    let mut asked = vec![format!("tenant = {}", statement.bind(tenant.as_uuid()))];
    if let Some(status) = query.status {
        asked.push(format!("status = {}", statement.bind(status.as_str())));
    }
    if let Some(run) = query.run {
        asked.push(format!("run = {}", statement.bind(run.as_uuid())));
    }
    if let Some((requested_at, id)) = after {
        let (requested_at, id) = (statement.bind(requested_at), statement.bind(id.as_uuid()));
        asked.push(format!("(requested_at, id) > ({requested_at}, {id})"));
    }
    let (asked, most) = (asked.join(" AND "), statement.bind(number(limit + 1)?));
    let sql = format!("SELECT body::text AS body FROM approval WHERE {asked} ORDER BY requested_at, id LIMIT {most}");
    let mut connection = store.readers.acquire().await.or_failed("list approvals")?;
    let rows = statement.fetch(&mut connection, &sql).await.or_failed("list approvals")?;
    let approvals: Vec<Approval> = rows.iter().take(limit).map(|row| row.json("body")).collect::<Result<_>>()?;
    let next = match approvals.last() {
        Some(last) if rows.len() > limit => Some(Cursor::seal(&scope, &(last.requested_at.as_micros(), last.id))?),
        _ => None,
    };
    Ok(Page::new(approvals, next))
}
