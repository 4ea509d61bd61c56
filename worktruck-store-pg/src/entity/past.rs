//! Lists of what was known at some moment, about some moment.

use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;
use worktruck_core::store::{ListPlan, ListQuery, Position, SortField, Version};
use worktruck_core::{Result, TenantId};

use crate::rows::to_json;

use super::list::{fetch, follow, in_order};
use super::version::version_columns;

/// The list at any two times, words left out.
pub(super) async fn among_all(
    connection: &mut PgConnection,
    tenant: TenantId,
    query: &ListQuery,
    plan: &ListPlan,
    after: Option<&Position>,
) -> Result<Vec<(Position, Version)>> {
    let mut sql = QueryBuilder::new("WITH ");
    match &plan.sort.field {
        SortField::CreatedAt => in_order_of_creation(&mut sql, tenant, query, plan, after)?,
        SortField::UpdatedAt | SortField::Key(_) => all(&mut sql, tenant, query, plan)?,
    }
    let key = match &plan.sort.field {
        SortField::CreatedAt => "e.created_at",
        SortField::UpdatedAt => "e.sys_from",
        SortField::Key(_) => "e.sort_value",
    };
    sql.push(concat!(" SELECT ", version_columns!("e", "e.sys_to")));
    if matches!(plan.sort.field, SortField::Key(_)) {
        sql.push(", e.sort_value");
    }
    sql.push(" FROM found e JOIN entity_commit c ON c.tenant = e.tenant AND c.tx_id = e.tx_id WHERE ");
    follow(&mut sql, key, "e.id", plan, after, false);
    in_order(&mut sql, key, "e.id", plan);
    fetch(connection, tenant, &mut sql, plan).await
}

const COLUMNS: &str =
    "tenant, kind, id, created_at, version, carried, tx_id, sys_from, sys_to, valid_from, valid_to, body, terms, sort";

/// The part `found`, in order of creation.
///
/// What an entity was is looked up for one entity after the other, along the heads. Entities
/// without a head, such as deleted ones, are found among the slices, no further than the heads
/// went: otherwise a page would have to pass over all slices of all entities that have one.
fn in_order_of_creation(
    sql: &mut QueryBuilder<Postgres>,
    tenant: TenantId,
    query: &ListQuery,
    plan: &ListPlan,
    after: Option<&Position>,
) -> Result<()> {
    sql.push("living AS MATERIALIZED (SELECT v.* FROM head h CROSS JOIN LATERAL (");
    sql.push("(SELECT h.tenant, h.kind, h.id, h.created_at, h.version, h.carried, h.tx_id, h.sys_from, ");
    sql.push("9223372036854775807 AS sys_to, h.valid_from, h.valid_to, h.body, h.terms, h.sort WHERE TRUE");
    at_point(sql, "h", plan, false);
    sql.push(format_args!(") UNION ALL (SELECT {COLUMNS} FROM slice s"));
    sql.push(" WHERE s.tenant = h.tenant AND s.kind = h.kind AND s.id = h.id AND s.body IS NOT NULL");
    at_point(sql, "s", plan, true);
    sql.push(") LIMIT 1) v WHERE h.tenant = ").push_bind(tenant.as_uuid());
    sql.push(" AND h.kind = ").push_bind(query.kind.as_str());
    sql.push(" AND h.created_at <= ").push_bind(plan.point.sys.as_micros());
    with_terms(sql, "v", plan)?;
    sql.push(" AND ");
    follow(sql, "h.created_at", "h.id", plan, after, false);
    in_order(sql, "h.created_at", "h.id", plan);
    let (end, last_id, direction, within) =
        if plan.sort.descending { (i64::MIN, Uuid::nil(), "", ">=") } else { (i64::MAX, Uuid::max(), " DESC", "<=") };
    sql.push("), bound AS MATERIALIZED (SELECT created_at, id FROM living WHERE (SELECT count(*) FROM living) > ");
    sql.push_bind(i64::try_from(plan.limit).unwrap_or(i64::MAX));
    sql.push(format_args!(" ORDER BY created_at{direction}, id{direction} LIMIT 1), "));
    sql.push(format_args!("gone AS (SELECT {COLUMNS} FROM slice s WHERE s.tenant = ")).push_bind(tenant.as_uuid());
    sql.push(" AND s.kind = ").push_bind(query.kind.as_str()).push(" AND s.body IS NOT NULL");
    at_point(sql, "s", plan, true);
    sql.push(format_args!(" AND (s.created_at, s.id) {within} (coalesce((SELECT created_at FROM bound), "));
    sql.push_bind(end).push("), coalesce((SELECT id FROM bound), ").push_bind(last_id).push("))");
    sql.push(" AND NOT EXISTS (SELECT 1 FROM head h WHERE h.tenant = s.tenant AND h.kind = s.kind AND h.id = s.id)");
    with_terms(sql, "s", plan)?;
    sql.push(" AND ");
    follow(sql, "s.created_at", "s.id", plan, after, false);
    in_order(sql, "s.created_at", "s.id", plan);
    sql.push("), found AS (SELECT * FROM living UNION ALL SELECT * FROM gone)");
    Ok(())
}

/// The part `found`, in no order: all that there was.
fn all(sql: &mut QueryBuilder<Postgres>, tenant: TenantId, query: &ListQuery, plan: &ListPlan) -> Result<()> {
    let name = match &plan.sort.field {
        SortField::Key(name) => name.as_str(),
        SortField::CreatedAt | SortField::UpdatedAt => "",
    };
    sql.push("found AS (");
    for (table, sys_to) in [("head", "9223372036854775807 AS sys_to"), ("slice", "sys_to")] {
        sql.push(if table == "slice" { " UNION ALL " } else { "" });
        sql.push(format_args!(
            "SELECT tenant, kind, id, created_at, version, carried, tx_id, sys_from, {sys_to}, valid_from, valid_to, body,
                 coalesce(sort ->> "
        ));
        sql.push_bind(name.to_owned()).push(", '') COLLATE \"C\" AS sort_value");
        sql.push(format_args!(" FROM {table} s WHERE s.tenant = ")).push_bind(tenant.as_uuid());
        sql.push(" AND s.kind = ").push_bind(query.kind.as_str()).push(" AND s.body IS NOT NULL");
        at_point(sql, "s", plan, table == "slice");
        with_terms(sql, "s", plan)?;
    }
    sql.push(")");
    Ok(())
}

fn at_point(sql: &mut QueryBuilder<Postgres>, table: &str, plan: &ListPlan, ends: bool) {
    let (sys, valid) = (plan.point.sys.as_micros(), plan.point.valid.as_micros());
    sql.push(format_args!(" AND {table}.sys_from <= ")).push_bind(sys);
    if ends {
        sql.push(format_args!(" AND {table}.sys_to > ")).push_bind(sys);
    }
    sql.push(format_args!(" AND {table}.valid_from <= ")).push_bind(valid);
    sql.push(format_args!(" AND {table}.valid_to > ")).push_bind(valid);
}

/// Terms are compared as they are written, so that no text has to be decoded.
fn with_terms(sql: &mut QueryBuilder<Postgres>, table: &str, plan: &ListPlan) -> Result<()> {
    for term in &plan.filter.terms {
        sql.push(format_args!(
            " AND EXISTS (SELECT 1 FROM json_array_elements({table}.terms) t WHERE t.value::text = "
        ));
        sql.push_bind(to_json(&[&term.name, &term.value])?).push(")");
    }
    Ok(())
}
