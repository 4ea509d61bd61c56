use std::collections::BTreeSet;

use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;
use worktruck_core::journal::verify;
use worktruck_core::{ErrorKind, Result, RunId, TenantId};

use crate::error::OrFailed as _;
use crate::rows::Columns as _;
use crate::verify::Tenants;

use super::journal::read_parts;
use super::record::{self, records};

/// Up to `most` runs whose journals are not what was recorded, without those that are `known` to be
/// damaged.
pub(crate) async fn unchained(
    connection: &mut PgConnection,
    tenants: Tenants,
    known: &BTreeSet<(TenantId, RunId)>,
    most: usize,
) -> Result<Vec<(TenantId, RunId)>> {
    let mut found = Vec::new();
    let mut after = (tenants.first, Uuid::nil());
    loop {
        let rows = page(connection, tenants, after).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = (last.id("tenant")?, last.id("id")?);
        for row in &rows {
            let (tenant, run) = (TenantId::from_uuid(row.id("tenant")?), RunId::from_uuid(row.id("id")?));
            if known.contains(&(tenant, run)) || is_recorded(connection, tenant, run, row).await? {
                continue;
            }
            found.push((tenant, run));
            if found.len() == most {
                return Ok(found);
            }
        }
    }
}

async fn page(connection: &mut PgConnection, tenants: Tenants, after: (Uuid, Uuid)) -> Result<Vec<PgRow>> {
    sqlx::query(records!(
        ", r.tenant, r.id FROM run r LEFT JOIN queue q ON q.tenant = r.tenant AND q.run = r.id
         WHERE r.tenant <= $1 AND (r.tenant, r.id) > ($2, $3) ORDER BY r.tenant, r.id LIMIT 100"
    ))
    .bind(tenants.last)
    .bind(after.0)
    .bind(after.1)
    .fetch_all(connection)
    .await
    .or_failed("read runs")
}

/// Whether the journal of the run that `row` is of is what was recorded.
async fn is_recorded(connection: &mut PgConnection, tenant: TenantId, run: RunId, row: &PgRow) -> Result<bool> {
    let journal = async {
        let record = record::read(row)?;
        let journal = read_parts(connection, tenant, run, &record).await?;
        verify(tenant, run, &record.run.input, &journal)
    };
    match journal.await {
        Ok(verification) => Ok(verification.valid),
        // What cannot be read is damaged, and what has no canonical form was never recorded.
        Err(error) if matches!(error.kind(), ErrorKind::Internal | ErrorKind::InvalidRequest) => Ok(false),
        Err(error) => Err(error),
    }
}
