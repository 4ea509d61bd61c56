use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use worktruck_core::store::{ListPlan, ListQuery, Position, SortField, SortKey, Version};
use worktruck_core::{Result, TenantId};

use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, number};

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
///
/// What few have is put in order. Otherwise a page is looked for in a window of the order; most are found there.
async fn among_heads(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    query: &ListQuery,
    plan: &ListPlan,
) -> Result<Vec<(Position, Version)>> {
    let heads = Heads { scope: Scope { tenant, kind: query.kind, filter: &plan.filter }, plan };
    if plan.filter.is_empty() {
        return heads.find(tx, Drive::Order, None).await;
    }
    let (way, count) = Drive::fewest(tx, &heads.scope, plan.window()).await?;
    if count == 0 {
        return Ok(Vec::new());
    }
    if count < plan.window() || way == Drive::Among {
        return heads.find(tx, way, None).await;
    }
    let end = heads.end_of_window(tx).await?;
    let found = heads.find(tx, Drive::Order, end.as_ref()).await?;
    if end.is_none() || found.len() > plan.limit {
        return Ok(found);
    }
    let (way, count) = Drive::fewest(tx, &heads.scope, plan.counted()).await?;
    let way = if plan.is_walked(found.len(), count) { Drive::Order } else { way };
    heads.find(tx, way, None).await
}

/// A list of what is in the table `head`.
struct Heads<'a> {
    scope: Scope<'a>,
    plan: &'a ListPlan,
}

impl Heads<'_> {
    /// The last place of the window of the order that follows; nothing if the order ends within it.
    async fn end_of_window(&self, tx: &mut SqliteConnection) -> Result<Option<Position>> {
        let plan = self.plan;
        let (key, id) = self.place(Drive::Order);
        let mut sql = QueryBuilder::new("SELECT ");
        sql.push(key).push(" AS place, ").push(id).push(" AS id FROM ");
        match &plan.sort.field {
            SortField::Key(_) => sql.push("sort_key k WHERE TRUE"),
            SortField::CreatedAt | SortField::UpdatedAt => sql.push("head e WHERE "),
        };
        match &plan.sort.field {
            SortField::Key(name) => self.in_order_of(&mut sql, name),
            SortField::CreatedAt | SortField::UpdatedAt => self.scope.own(&mut sql, "e"),
        }
        sql.push(" AND ");
        follow(&mut sql, key, id, plan, plan.after.as_ref());
        order_by(&mut sql, key, id, plan);
        sql.push(" LIMIT 1 OFFSET ").push_bind(number(plan.window())? - 1);
        let Some(row) = sql.build().fetch_optional(tx).await.or_failed("list entities")? else { return Ok(None) };
        let key = match &plan.sort.field {
            SortField::CreatedAt | SortField::UpdatedAt => SortKey::Time(row.time("place")?),
            SortField::Key(_) => SortKey::Text(row.try_get("place").or_failed("list entities")?),
        };
        Ok(Some(Position { key, id: row.bytes("id")? }))
    }

    /// The entities in order, one more than a page holds if there are so many before the end.
    async fn find(
        &self,
        tx: &mut SqliteConnection,
        drive: Drive,
        end: Option<&Position>,
    ) -> Result<Vec<(Position, Version)>> {
        let Self { scope, plan } = self;
        let (key, id) = self.place(drive);
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
                drive.ids(&mut sql, scope)?;
                sql.push(" d CROSS JOIN head e ON ");
                scope.own(&mut sql, "e");
                sql.push(" AND e.id = d.id");
            }
        };
        sql.push(" WHERE ");
        scope.own(&mut sql, "e");
        if let (Drive::Order, SortField::Key(name)) = (&drive, &plan.sort.field) {
            self.in_order_of(&mut sql, name);
        }
        sql.push(" AND ");
        follow(&mut sql, key, id, plan, plan.after.as_ref());
        if let Some(end) = end {
            sql.push(" AND NOT ");
            follow(&mut sql, key, id, plan, Some(end));
        }
        sql.push(" AND ").push_bind(plan.point.valid.as_micros()).push(" < e.valid_to");
        scope.conditions(&mut sql, drive)?;
        in_order(&mut sql, key, id, plan);
        sql.push(
            ") p CROSS JOIN head e ON e.rid = p.rid JOIN entity_commit c ON c.tenant = e.tenant AND c.tx_id = e.tx_id",
        );
        in_order(&mut sql, "p.sort_value", "p.id", plan);
        fetch(tx, scope.tenant, &mut sql, plan).await
    }

    /// What the list is in order of, where it begins to look like this.
    fn place(&self, drive: Drive) -> (&'static str, &'static str) {
        match (drive, &self.plan.sort.field) {
            (_, SortField::CreatedAt) => ("e.created_at", "e.id"),
            (_, SortField::UpdatedAt) => ("e.sys_from", "e.id"),
            (Drive::Order, SortField::Key(_)) => ("k.value", "k.id"),
            (_, SortField::Key(_)) => ("sort_value", "e.id"),
        }
    }

    /// Adds that entries of `sort_key` are of this name, and within the bounds that are asked for.
    fn in_order_of(&self, sql: &mut QueryBuilder<Sqlite>, name: &str) {
        sql.push(" AND ");
        self.scope.own(sql, "k");
        sql.push(" AND k.name = ").push_bind(name.to_owned());
        if let Some((from, to)) = self.scope.bounds(name) {
            sql.push(" AND k.value >= ").push_bind(from).push(" AND k.value < ").push_bind(to);
        }
    }
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
        // Each table has an index in either order, so that a page reads no more than a page of each.
        match (&plan.sort.field, table) {
            (SortField::CreatedAt, "head") => sql.push(" INDEXED BY head_created"),
            (SortField::CreatedAt, _) => sql.push(" INDEXED BY slice_created"),
            (SortField::UpdatedAt, "head") => sql.push(" INDEXED BY head_updated"),
            (SortField::UpdatedAt, _) => sql.push(" INDEXED BY slice_at"),
            (SortField::Key(_), _) => sql.push(""),
        };
        sql.push(" WHERE tenant = ").push_bind(tenant.bytes()).push(" AND kind = ").push_bind(query.kind.as_str());
        sql.push(" AND body IS NOT NULL AND sys_from <= ").push_bind(sys);
        sql.push(" AND ").push_bind(sys).push(" < ").push(sys_to);
        sql.push(" AND valid_from <= ").push_bind(valid).push(" AND ").push_bind(valid).push(" < valid_to");
        Scope { tenant, kind: query.kind, filter: &plan.filter }.conditions_of_slices(&mut sql)?;
        if !matches!(plan.sort.field, SortField::Key(_)) {
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
    order_by(sql, key, id, plan);
    // Invariant: a page has at most 200 items.
    sql.push(" LIMIT ").push_bind(i64::try_from(plan.limit + 1).unwrap_or(i64::MAX));
}

fn order_by(sql: &mut QueryBuilder<Sqlite>, key: &str, id: &str, plan: &ListPlan) {
    let direction = if plan.sort.descending { " DESC" } else { "" };
    sql.push(" ORDER BY ").push(key).push(direction).push(", ").push(id).push(direction);
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
