use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::draft::{Draft, Indexed, Place, Stored};
use worktruck_core::store::{Changes, EntityKey, keys, most_with_term};
use worktruck_core::temporal::Slice;
use worktruck_core::{Period, Result, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::request;
use crate::rows::{Columns as _, IdBytes as _, to_json};

use super::head;

/// Loads all that `sets`, each a commit, touch and rest on, and all that has come due.
pub(super) async fn draft(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    sets: &[&Changes],
    now: Timestamp,
) -> Result<Draft<i64>> {
    // No commit gets a later system time than this allows: each takes at most one microsecond.
    let slack = Duration::from_micros(u64::try_from(sets.len()).unwrap_or(u64::MAX));
    let clock = head::load(tx, tenant, now, slack).await?;
    let mut draft = Draft::new(tenant, clock.head, clock.committed_at);
    let mut wanted: BTreeSet<EntityKey> = sets.iter().flat_map(|changes| keys(changes)).collect();
    if clock.is_due {
        wanted.extend(due(tx, tenant, clock.head.stamp(now).sys.after(slack)).await?);
    }
    if clock.head.tx_id > 0 {
        load_open(tx, tenant, &wanted, &mut draft).await?;
        wanted.retain(|key| !draft.is_known(*key));
        load_erased(tx, tenant, &wanted, &mut draft).await?;
    }
    load_holders(tx, tenant, sets, &mut draft).await?;
    for (key, record) in request::of_changes(tx, tenant, sets).await? {
        draft.add_request(key, record);
    }
    Ok(draft)
}

async fn load_open(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    wanted: &BTreeSet<EntityKey>,
    draft: &mut Draft<i64>,
) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT h.kind, h.id, h.rid, 1 AS in_head, 0 AS scheduled, h.created_at, h.version, h.carried, h.tx_id,
             h.sys_from, h.valid_from, h.valid_to, h.body, h.terms, h.sort
         FROM json_each(?2) w CROSS JOIN head h
         WHERE h.tenant = ?1 AND h.kind = w.value ->> 0 AND h.id = unhex(w.value ->> 1)
         UNION ALL
         SELECT s.kind, s.id, s.rid, 0, s.scheduled, s.created_at, s.version, s.carried, s.tx_id,
             s.sys_from, s.valid_from, s.valid_to, s.body, s.terms, s.sort
         FROM json_each(?2) w CROSS JOIN slice s INDEXED BY slice_open
         WHERE s.tenant = ?1 AND s.kind = w.value ->> 0 AND s.id = unhex(w.value ->> 1)
             AND s.sys_to = 9223372036854775807",
    )
    .bind(tenant.bytes())
    .bind(key_list(wanted)?)
    .fetch_all(tx)
    .await
    .or_failed("read entities")?;
    for row in &rows {
        draft.add_slice(stored(row)?);
    }
    Ok(())
}

fn stored(row: &SqliteRow) -> Result<Stored<i64>> {
    let rid = row.number("rid")?;
    let in_head: bool = row.try_get("in_head").or_failed("read entities")?;
    let scheduled = row.try_get("scheduled").or_failed("read entities")?;
    let terms: Option<Vec<(String, String)>> = row.maybe_json("terms")?;
    let index = terms.zip(row.maybe_json("sort")?).map(|(terms, sort)| Indexed {
        terms: terms.into_iter().map(|(name, value)| Term { name, value }).collect(),
        sort,
        words: None,
    });
    Ok(Stored {
        key: key(row)?,
        created_at: row.time("created_at")?,
        slice: Slice {
            version: row.number("version")?,
            body: row.maybe_json("body")?,
            sys: Period::starting(row.time("sys_from")?),
            valid: Period::new(row.time("valid_from")?, row.time("valid_to")?)?,
            carried: row.try_get("carried").or_failed("read entities")?,
            tx_id: row.number("tx_id")?,
        },
        index,
        place: if in_head { Place::Head(rid) } else { Place::Slice { row: rid, scheduled } },
    })
}

async fn load_erased(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    wanted: &BTreeSet<EntityKey>,
    draft: &mut Draft<i64>,
) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        // Most tenants never erase: that is found out once, and not for each.
        "SELECT e.kind, e.id, e.version FROM json_each(?2) w CROSS JOIN erased e
         WHERE EXISTS (SELECT 1 FROM erased WHERE tenant = ?1)
             AND e.tenant = ?1 AND e.kind = w.value ->> 0 AND e.id = unhex(w.value ->> 1)",
    )
    .bind(tenant.bytes())
    .bind(key_list(wanted)?)
    .fetch_all(tx)
    .await
    .or_failed("read what was erased")?;
    for row in &rows {
        draft.add_erased(key(row)?, row.number("version")?);
    }
    Ok(())
}

async fn load_holders(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    sets: &[&Changes],
    draft: &mut Draft<i64>,
) -> Result<()> {
    let terms: BTreeSet<(Kind, &Term)> = sets
        .iter()
        .flat_map(|changes| &changes.requires)
        .filter_map(most_with_term)
        .map(|(kind, term, _)| (kind, term))
        .collect();
    if terms.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = terms.iter().map(|(kind, term)| [kind.as_str(), &term.name, &term.value]).collect();
    let rows = sqlx::query(
        "SELECT t.kind, t.id, t.name, t.value, h.valid_to
         FROM json_each(?2) w CROSS JOIN term t CROSS JOIN head h
         WHERE t.tenant = ?1 AND t.kind = w.value ->> 0 AND t.name = w.value ->> 1 AND t.value = w.value ->> 2
             AND h.tenant = ?1 AND h.kind = t.kind AND h.id = t.id",
    )
    .bind(tenant.bytes())
    .bind(to_json(&list)?)
    .fetch_all(tx)
    .await
    .or_failed("look for a term")?;
    for row in &rows {
        draft.add_holder(key(row)?, Term::new(row.text("name")?, row.text("value")?), row.time("valid_to")?);
    }
    Ok(())
}

/// The entity that a row with `kind` and `id` is about.
pub(super) fn key(row: &SqliteRow) -> Result<EntityKey> {
    Ok(EntityKey::new(row.text("kind")?.parse()?, row.bytes("id")?))
}

async fn due(tx: &mut SqliteConnection, tenant: TenantId, at: Timestamp) -> Result<Vec<EntityKey>> {
    let rows = sqlx::query("SELECT kind, id FROM slice WHERE tenant = ?1 AND scheduled = 1 AND valid_from <= ?2")
        .bind(tenant.bytes())
        .bind(at.as_micros())
        .fetch_all(tx)
        .await
        .or_failed("look for what is due")?;
    rows.iter().map(key).collect()
}

fn key_list(keys: &BTreeSet<EntityKey>) -> Result<String> {
    let list: Vec<_> = keys.iter().map(|key| [key.kind.as_str().to_owned(), key.id.hex()]).collect();
    to_json(&list)
}
