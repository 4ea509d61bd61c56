//! What people are asked, as the table `approval` has it.

use sqlx::SqliteConnection;
use worktruck_core::run::Approval;
use worktruck_core::{Result, RunId, TenantId};

use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, insert, to_json};

/// The approvals of a run, in order of its calls.
pub(super) async fn of_run(tx: &mut SqliteConnection, tenant: TenantId, run: RunId) -> Result<Vec<Approval>> {
    let rows = sqlx::query("SELECT body FROM approval WHERE tenant = ? AND run = ? ORDER BY seq")
        .bind(tenant.bytes())
        .bind(run.bytes())
        .fetch_all(tx)
        .await
        .or_failed("read approvals")?;
    rows.iter().map(|row| row.json("body")).collect()
}

/// Keeps approvals as they are now.
pub(super) async fn save(tx: &mut SqliteConnection, tenant: TenantId, approvals: &[Approval]) -> Result<()> {
    let mut rows = Vec::with_capacity(approvals.len());
    for approval in approvals {
        rows.push((approval, to_json(approval)?));
    }
    insert(
        tx,
        "approval (tenant, run, seq, id, requested_at, status, body)",
        7,
        " ON CONFLICT (tenant, run, seq) DO UPDATE SET id = excluded.id, requested_at = excluded.requested_at, \
         status = excluded.status, body = excluded.body",
        &rows,
        |query, (approval, body)| {
            query
                .bind(tenant.bytes())
                .bind(approval.run_id.bytes())
                .bind(approval.step_seq)
                .bind(approval.id.bytes())
                .bind(approval.requested_at.as_micros())
                .bind(approval.status.as_str())
                .bind(body.clone())
        },
    )
    .await
    .or_failed("keep approvals")
}
