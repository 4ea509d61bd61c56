use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use worktruck_core::store::{ListPlan, ListQuery, Position, SortField, SortKey, Version};
use worktruck_core::{Result, TenantId};

use crate::error::OrFailed as _;
use crate::rows::IdBytes as _;

use super::drive::{Drive, Scope};
use super::head::Clock;
use super::version;

/// The entities after the plan's place, in order, one more than a page holds if there are so many.
pub(super) async fn find(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    query: &ListQuery,
    plan: &ListPlan,
    clock: &Clock,
) -> Result<Vec<(Position, Version)>> {
    let point = plan.point;
    let heads_hold = clock.committed_at.is_none_or(|at| at <= point.sys && at <= point.valid);
    if heads_hold && !clock.is_due {
        return among_heads(tx, tenant, query, plan).await;
    }
    let mut gathered = plan.gather();
    loop {
        let rows = among_all(tx, tenant, query, plan, gathered.after()).await?;
        if gathered.take(rows) {
            return Ok(gathered.found());
        }
    }
}

/// The list where the table `head` has every slice that it is about.
async fn among_heads(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    query: &ListQuery,
    plan: &ListPlan,
) -> Result<Vec<(Position, Version)>> {
    let scope = Scope { tenant, kind: query.kind, filter: &plan.filter };
    let Some(drive) = Drive::choose(tx, &scope).await? else { return Ok(Vec::new()) };
    let (key, id) = match (&drive, &plan.sort.field) {
        (_, SortField::CreatedAt) => ("e.created_at", "e.id"),
        (_, SortField::UpdatedAt) => ("e.sys_from", "e.id"),
        (Drive::Order, SortField::Key(_)) => ("k.value", "k.id"),
        (_, SortField::Key(_)) => ("sort_value", "e.id"),
    };
    let mut sql = QueryBuilder::new(concat!("SELECT ", version::columns!("e", "9223372036854775807")));
    // Bodies are read of what is on the page only: what is put in order has none.
    sql.push(", p.sort_value FROM (SELECT e.rid AS rid, e.id AS id, ");
    match &plan.sort.field {
        SortField::Key(name) if key == "sort_value" => sql.push("e.sort ->> ").push_bind(name.clone()),
        _ => sql.push(key),
    };
    sql.push(" AS sort_value FROM ");
    match (&drive, &plan.sort.field) {
        (Drive::Words, _) => {
            sql.push("search d CROSS JOIN head e ON e.rid = d.rowid");
        }
        (Drive::Order, SortField::Key(_)) => {
            sql.push("sort_key k CROSS JOIN head e ON e.tenant = k.tenant AND e.kind = k.kind AND e.id = k.id");
        }
        (Drive::Order, _) => {
            sql.push("head e");
        }
        _ => {
            drive.ids(&mut sql, &scope)?;
            sql.push(" d CROSS JOIN head e ON e.tenant = ").push_bind(tenant.bytes());
            sql.push(" AND e.kind = ").push_bind(query.kind.as_str()).push(" AND e.id = d.id");
        }
    };
    sql.push(" WHERE e.tenant = ").push_bind(tenant.bytes());
    sql.push(" AND e.kind = ").push_bind(query.kind.as_str());
    if let (Drive::Order, SortField::Key(name)) = (&drive, &plan.sort.field) {
        sql.push(" AND k.tenant = ").push_bind(tenant.bytes());
        sql.push(" AND k.kind = ").push_bind(query.kind.as_str());
        sql.push(" AND k.name = ").push_bind(name.clone());
        if let Some((from, to)) = scope.bounds(name) {
            sql.push(" AND k.value >= ").push_bind(from).push(" AND k.value < ").push_bind(to);
        }
    }
    sql.push(" AND ");
    follow(&mut sql, key, id, plan, plan.after.as_ref());
    sql.push(" AND ").push_bind(plan.point.valid.as_micros()).push(" < e.valid_to");
    scope.conditions(&mut sql, drive)?;
    in_order(&mut sql, key, id, plan);
    sql.push(
        ") p CROSS JOIN head e ON e.rid = p.rid JOIN entity_commit c ON c.tenant = e.tenant AND c.tx_id = e.tx_id",
    );
    in_order(&mut sql, "p.sort_value", "p.id", plan);
    fetch(tx, tenant, &mut sql, plan).await
}

/// The list at any two times, words left out.
async fn among_all(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    query: &ListQuery,
    plan: &ListPlan,
    after: Option<&Position>,
) -> Result<Vec<(Position, Version)>> {
    let key = match &plan.sort.field {
        SortField::CreatedAt => "e.created_at",
        SortField::UpdatedAt => "e.sys_from",
        SortField::Key(_) => "e.sort_value",
    };
    let (sys, valid) = (plan.point.sys.as_micros(), plan.point.valid.as_micros());
    let mut sql = QueryBuilder::new(concat!("SELECT ", version::columns!("e", "e.sys_to"), ", "));
    sql.push(key).push(" AS sort_value FROM (");
    for (table, sys_to) in [("head", "9223372036854775807"), ("slice", "e.sys_to")] {
        sql.push(if table == "slice" { " UNION ALL SELECT * FROM (" } else { "SELECT * FROM (" });
        sql.push("SELECT tenant, kind, id, created_at, version, carried, tx_id, sys_from, ").push(sys_to);
        sql.push(" AS sys_to, valid_from, valid_to, body, terms, ");
        match &plan.sort.field {
            SortField::Key(name) => sql.push("coalesce(sort ->> ").push_bind(name.clone()).push(", '')"),
            SortField::CreatedAt | SortField::UpdatedAt => sql.push("''"),
        };
        sql.push(" AS sort_value FROM ").push(table).push(" e");
        sql.push(" WHERE tenant = ").push_bind(tenant.bytes()).push(" AND kind = ").push_bind(query.kind.as_str());
        sql.push(" AND body IS NOT NULL AND sys_from <= ").push_bind(sys);
        sql.push(" AND ").push_bind(sys).push(" < ").push(sys_to);
        sql.push(" AND valid_from <= ").push_bind(valid).push(" AND ").push_bind(valid).push(" < valid_to");
        Scope { tenant, kind: query.kind, filter: &plan.filter }.conditions_of_slices(&mut sql)?;
        if !matches!(plan.sort.field, SortField::Key(_)) {
            // Each table has an index in this order, so that a page reads no more than a page of each.
            sql.push(" AND ");
            follow(&mut sql, key, "e.id", plan, after);
            in_order(&mut sql, key, "e.id", plan);
        }
        sql.push(")");
    }
    sql.push(") e JOIN entity_commit c ON c.tenant = e.tenant AND c.tx_id = e.tx_id WHERE ");
    follow(&mut sql, key, "e.id", plan, after);
    in_order(&mut sql, key, "e.id", plan);
    fetch(tx, tenant, &mut sql, plan).await
}

/// Leaves out what is not after a place in the order of the list.
fn follow(sql: &mut QueryBuilder<Sqlite>, key: &str, id: &str, plan: &ListPlan, after: Option<&Position>) {
    let Some(Position { key: last, id: last_id }) = after else {
        sql.push("TRUE");
        return;
    };
    sql.push("(").push(key).push(", ").push(id).push(")");
    sql.push(if plan.sort.descending { " < (" } else { " > (" });
    match last {
        SortKey::Time(at) => sql.push_bind(at.as_micros()),
        SortKey::Text(text) => sql.push_bind(text.clone()),
    };
    sql.push(", ").push_bind(last_id.bytes()).push(")");
}

fn in_order(sql: &mut QueryBuilder<Sqlite>, key: &str, id: &str, plan: &ListPlan) {
    let direction = if plan.sort.descending { " DESC" } else { "" };
    sql.push(" ORDER BY ").push(key).push(direction).push(", ").push(id).push(direction);
    // Invariant: a page has at most 200 items.
    sql.push(" LIMIT ").push_bind(i64::try_from(plan.limit + 1).unwrap_or(i64::MAX));
}

async fn fetch(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    sql: &mut QueryBuilder<Sqlite>,
    plan: &ListPlan,
) -> Result<Vec<(Position, Version)>> {
    let rows = sql.build().fetch_all(tx).await.or_failed("list entities")?;
    let place = |row: &SqliteRow| {
        let version = version::read(row, tenant)?;
        let value = || row.try_get("sort_value").or_failed("list entities");
        Ok((Position::with(&version, &plan.sort.field, value)?, version))
    };
    rows.iter().map(place).collect()
}
