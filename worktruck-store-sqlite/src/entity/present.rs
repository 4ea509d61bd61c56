use serde_json::Value;
use sqlx::SqliteConnection;
use worktruck_core::entity::{Kind, Term};
use worktruck_core::{Result, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, to_json};

/// The bodies of the entities that have what is `wanted` at the present, each with the place of
/// what it has in the list.
///
/// What is visible held at the newest commit and is in `head`, or its time came after it.
pub(crate) async fn bodies_with(
    tx: &mut SqliteConnection,
    wanted: &[(TenantId, Kind, Term)],
    now: Timestamp,
) -> Result<Vec<(usize, Value)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<_> =
        wanted.iter().map(|(tenant, kind, term)| (tenant.hex(), kind.as_str(), &term.name, &term.value)).collect();
    let rows = sqlx::query(
        "WITH wanted AS MATERIALIZED (
             SELECT place, tenant, kind, name, value, max(?1, coalesce(
                 (SELECT floor FROM tenant_head t WHERE t.tenant = w.tenant), ?1)) AS present
             FROM (
                 SELECT key AS place, unhex(value ->> 0) AS tenant, value ->> 1 AS kind,
                     value ->> 2 AS name, value ->> 3 AS value
                 FROM json_each(?2)
             ) w
         )
         SELECT w.place, h.body FROM wanted w
         CROSS JOIN term t ON t.tenant = w.tenant AND t.kind = w.kind AND t.name = w.name AND t.value = w.value
         CROSS JOIN head h ON h.tenant = t.tenant AND h.kind = t.kind AND h.id = t.id
         WHERE w.present < h.valid_to
         UNION ALL
         SELECT w.place, s.body FROM wanted w
         CROSS JOIN slice s ON s.tenant = w.tenant AND s.scheduled = 1 AND s.valid_from <= w.present
         WHERE s.kind = w.kind AND w.present < s.valid_to AND s.body IS NOT NULL
             AND EXISTS (SELECT 1 FROM json_each(s.terms) e
                 WHERE e.value ->> 0 = w.name AND e.value ->> 1 = w.value)",
    )
    .bind(now.as_micros())
    .bind(to_json(&list)?)
    .fetch_all(tx)
    .await
    .or_failed("look for what has a term")?;
    rows.iter().map(|row| Ok((row.number::<usize>("place")?, row.json("body")?))).collect()
}
