use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use worktruck_core::entity::{self, Term};
use worktruck_core::store::{ListPlan, ListQuery, Position, SortField, SortKey, TenantHead, Version, fold};
use worktruck_core::{Page, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, is_kept, number};

use super::index::{MORE, UPDATED_AT, key_bytes, mark, shorten, text_of, time_key};
use super::past;
use super::read::{horizon, horizon_of, raise};
use super::version::{self, version_columns};

/// A page of entities.
pub(super) async fn list(
    store: &PgStore,
    tenant: TenantId,
    query: &ListQuery,
    now: Timestamp,
) -> Result<Page<Version>> {
    let mut connection = store.readers.acquire().await.or_failed("list entities")?;
    let present = query.at.valid_at.map_or(now, |at| at.max(now));
    let mut clock = Clock::load(&mut connection, tenant, present).await?;
    let mut head = clock.head;
    let plan = ListPlan::new(tenant, query, &mut head, now)?;
    if head.floor != clock.head.floor {
        // Who waits for a second connection with one in hand waits for ever if all do.
        drop(connection);
        raise(store, tenant, head.floor).await?;
        connection = store.readers.acquire().await.or_failed("list entities")?;
        // What was committed before the floor was raised belongs to the answer.
        clock = Clock::load(&mut connection, tenant, plan.point.valid).await?;
        plan.check(clock.head.horizon)?;
    }
    let found = find(&mut connection, tenant, query, &plan, &clock).await?;
    if clock.committed_at.is_some_and(|at| plan.point.sys < at) {
        // What was replaced since may have been removed between two of these statements.
        plan.check(horizon(&mut connection, tenant).await?)?;
    }
    plan.page(found)
}

/// What the store keeps per tenant.
struct Clock {
    head: TenantHead,
    /// The system time of the newest commit, at which every row of `head` holds.
    committed_at: Option<Timestamp>,
    /// Whether a slice that was scheduled when the newest commit was made holds at the moment asked
    /// for: `head` is behind.
    is_due: bool,
}

impl Clock {
    async fn load(connection: &mut PgConnection, tenant: TenantId, present: Timestamp) -> Result<Self> {
        let row = sqlx::query(
            "SELECT h.tx_id, h.committed_at, h.floor, h.horizon, h.horizon_tx, EXISTS (
                 SELECT 1 FROM slice WHERE tenant = $1 AND scheduled AND valid_from <= greatest($2, h.floor)
             ) AS is_due
             FROM tenant_head h WHERE tenant = $1",
        )
        .bind(tenant.as_uuid())
        .bind(present.as_micros())
        .fetch_optional(connection)
        .await
        .or_failed("read the commits")?;
        let Some(row) = row else {
            return Ok(Self { head: TenantHead::default(), committed_at: None, is_due: false });
        };
        Ok(Self {
            head: TenantHead { tx_id: row.number("tx_id")?, floor: row.time("floor")?, horizon: horizon_of(&row)? },
            committed_at: row.maybe_time("committed_at")?,
            is_due: row.flag("is_due")?,
        })
    }
}

/// The entities after the plan's place, in order, one more than a page holds if there are so many.
async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    query: &ListQuery,
    plan: &ListPlan,
    clock: &Clock,
) -> Result<Vec<(Position, Version)>> {
    // Nothing has a term of a name that cannot be kept.
    if plan.filter.terms.iter().any(|term| !is_kept(&term.name)) {
        return Ok(Vec::new());
    }
    let point = plan.point;
    let heads_hold = clock.committed_at.is_none_or(|at| at <= point.sys && at <= point.valid);
    let among_heads = heads_hold && !clock.is_due;
    // The words that are kept of a text may be shorter or fewer than those that it has.
    if among_heads && plan.filter.words.is_empty() {
        return self::among_heads(connection, tenant, query, plan, plan.after.as_ref()).await;
    }
    let mut found = Vec::new();
    let mut after = plan.after.clone();
    loop {
        let rows = if among_heads {
            self::among_heads(connection, tenant, query, plan, after.as_ref()).await?
        } else {
            past::among_all(connection, tenant, query, plan, after.as_ref()).await?
        };
        let is_last = rows.len() <= plan.limit;
        for (position, version) in rows {
            after = Some(position.clone());
            if has_words(&version, plan) {
                found.push((position, version));
            }
        }
        if is_last || found.len() > plan.limit {
            return Ok(found);
        }
    }
}

/// The list where `head` has every slice that it is about.
async fn among_heads(
    connection: &mut PgConnection,
    tenant: TenantId,
    query: &ListQuery,
    plan: &ListPlan,
    after: Option<&Position>,
) -> Result<Vec<(Position, Version)>> {
    let Some(drive) = Drive::choose(connection, tenant, query, plan).await? else { return Ok(Vec::new()) };
    let (key, id) = match (&drive, &plan.sort.field) {
        (Drive::Term(_), SortField::CreatedAt) => ("d.created_at", "d.id"),
        (_, SortField::CreatedAt) => ("e.created_at", "e.id"),
        (Drive::Order, SortField::UpdatedAt | SortField::Key(_)) => ("k.value", "k.id"),
        (_, SortField::UpdatedAt) => ("e.sys_from", "e.id"),
        (_, SortField::Key(_)) => ("sort_value", "e.id"),
    };
    let sort_name = match &plan.sort.field {
        SortField::Key(name) => name.as_str(),
        SortField::CreatedAt | SortField::UpdatedAt => UPDATED_AT,
    };
    let is_by_key = key == "k.value";
    let mut sql = QueryBuilder::new("SELECT * FROM (");
    sql.push(concat!("SELECT ", version_columns!("e", "9223372036854775807")));
    if let SortField::Key(name) = &plan.sort.field {
        sql.push(", (e.sort ->> ").push_bind(name.clone()).push(") COLLATE \"C\" AS sort_value");
    }
    sql.push(", e.tenant FROM ");
    match &drive {
        Drive::Term(_) => sql.push("term d JOIN head e ON e.tenant = d.tenant AND e.kind = d.kind AND e.id = d.id"),
        Drive::Words => sql.push("search d JOIN head e ON e.tenant = d.tenant AND e.kind = d.kind AND e.id = d.id"),
        Drive::Order if is_by_key => {
            sql.push("sort_key k JOIN head e ON e.tenant = k.tenant AND e.kind = k.kind AND e.id = k.id")
        }
        Drive::Order => sql.push("head e"),
    };
    sql.push(" JOIN entity_commit c ON c.tenant = e.tenant AND c.tx_id = e.tx_id WHERE e.tenant = ");
    sql.push_bind(tenant.as_uuid()).push(" AND e.kind = ").push_bind(query.kind.as_str());
    if is_by_key {
        sql.push(" AND k.tenant = ").push_bind(tenant.as_uuid());
        sql.push(" AND k.kind = ").push_bind(query.kind.as_str());
        sql.push(" AND k.name = ").push_bind(sort_name.to_owned());
    }
    if key != "sort_value" {
        sql.push(" AND ");
        follow(&mut sql, key, id, plan, after, is_by_key);
    }
    sql.push(" AND ").push_bind(plan.point.valid.as_micros()).push(" < e.valid_to");
    for (place, term) in plan.filter.terms.iter().enumerate() {
        if matches!(drive, Drive::Term(driving) if driving == place) {
            sql.push(" AND ");
            has_term(&mut sql, "d", tenant, query, term);
        } else {
            sql.push(" AND EXISTS (SELECT 1 FROM term t WHERE ");
            has_term(&mut sql, "t", tenant, query, term);
            sql.push(" AND t.created_at = e.created_at AND t.id = e.id)");
        }
    }
    if !plan.filter.words.is_empty() {
        let words = match_all(tenant, query, &plan.filter.words);
        if matches!(drive, Drive::Words) {
            sql.push(" AND d.tenant = ").push_bind(tenant.as_uuid());
            sql.push(" AND d.kind = ").push_bind(query.kind.as_str());
            sql.push(" AND d.words @@ ").push_bind(words).push("::tsquery");
        } else {
            sql.push(
                " AND EXISTS (SELECT 1 FROM search w WHERE w.tenant = e.tenant AND w.kind = e.kind AND w.id = e.id",
            );
            sql.push(" AND w.words @@ ").push_bind(words).push("::tsquery)");
        }
    }
    if key == "sort_value" {
        // The few that were found are put in order here.
        sql.push(") e WHERE ");
        follow(&mut sql, key, id, plan, after, false);
        in_order(&mut sql, key, id, plan);
    } else {
        in_order(&mut sql, key, id, plan);
        sql.push(") e");
    }
    fetch(connection, tenant, &mut sql, plan).await
}

/// Where a list begins to look.
#[derive(Clone, Copy, Debug)]
enum Drive {
    /// At the entities in the order of the list: it soon has a page of what is frequent.
    Order,
    /// At those that have this term of the filter: they are few, or in the order of the list.
    Term(usize),
    /// At those that have the words: they are few.
    Words,
}

/// What is found more often than this is not few.
const FEW: i64 = 1_000;

impl Drive {
    /// Nothing if the list is known to be empty.
    async fn choose(
        connection: &mut PgConnection,
        tenant: TenantId,
        query: &ListQuery,
        plan: &ListPlan,
    ) -> Result<Option<Self>> {
        let (terms, words) = (&plan.filter.terms, &plan.filter.words);
        if terms.len() + words.len().min(1) == 0 {
            return Ok(Some(Self::Order));
        }
        // Terms are kept in order of creation.
        let is_in_order = plan.sort.field == SortField::CreatedAt && !terms.is_empty();
        if is_in_order && terms.len() == 1 && words.is_empty() {
            return Ok(Some(Self::Term(0)));
        }
        let mut best = (FEW, if is_in_order { Self::Term(0) } else { Self::Order });
        for (place, term) in terms.iter().enumerate() {
            let mut sql = QueryBuilder::new("SELECT count(*) FROM (SELECT 1 FROM term d WHERE ");
            has_term(&mut sql, "d", tenant, query, term);
            sql.push(" LIMIT ").push_bind(best.0).push(") few");
            let count: i64 = sql.build_query_scalar().fetch_one(&mut *connection).await.or_failed("list entities")?;
            if count < best.0 {
                best = (count, Self::Term(place));
            }
        }
        if !words.is_empty() {
            let count: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM (
                     SELECT 1 FROM search WHERE tenant = $1 AND kind = $2 AND words @@ $3::tsquery LIMIT $4) few",
            )
            .bind(tenant.as_uuid())
            .bind(query.kind.as_str())
            .bind(match_all(tenant, query, words))
            .bind(best.0)
            .fetch_one(connection)
            .await
            .or_failed("list entities")?;
            if count < best.0 {
                best = (count, Self::Words);
            }
        }
        Ok((best.0 > 0).then_some(best.1))
    }
}

fn has_term(sql: &mut QueryBuilder<Postgres>, table: &str, tenant: TenantId, query: &ListQuery, term: &Term) {
    sql.push(format_args!("{table}.tenant = ")).push_bind(tenant.as_uuid());
    sql.push(format_args!(" AND {table}.kind = ")).push_bind(query.kind.as_str());
    sql.push(format_args!(" AND {table}.name = ")).push_bind(term.name.clone());
    sql.push(format_args!(" AND {table}.value = ")).push_bind(key_bytes(&term.value));
}

/// Leaves out what is not after a place in the order of the list.
pub(super) fn follow(
    sql: &mut QueryBuilder<Postgres>,
    key: &str,
    id: &str,
    plan: &ListPlan,
    after: Option<&Position>,
    is_key: bool,
) {
    let Some(Position { key: last, id: last_id }) = after else {
        sql.push("TRUE");
        return;
    };
    sql.push(format_args!("({key}, {id}) {} (", if plan.sort.descending { "<" } else { ">" }));
    match last {
        SortKey::Time(at) if is_key => sql.push_bind(time_key(*at)),
        SortKey::Time(at) => sql.push_bind(at.as_micros()),
        SortKey::Text(text) if is_key => sql.push_bind(key_bytes(text)),
        SortKey::Text(text) => sql.push_bind(text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()),
    };
    sql.push(", ").push_bind(last_id.as_uuid()).push(")");
}

pub(super) fn in_order(sql: &mut QueryBuilder<Postgres>, key: &str, id: &str, plan: &ListPlan) {
    let direction = if plan.sort.descending { " DESC" } else { "" };
    sql.push(format_args!(" ORDER BY {key}{direction}, {id}{direction} LIMIT "));
    // Invariant: a page has at most 200 items.
    sql.push_bind(number(plan.limit + 1).unwrap_or(i64::MAX));
}

pub(super) async fn fetch(
    connection: &mut PgConnection,
    tenant: TenantId,
    sql: &mut QueryBuilder<Postgres>,
    plan: &ListPlan,
) -> Result<Vec<(Position, Version)>> {
    let rows = sql.build().fetch_all(connection).await.or_failed("list entities")?;
    let place = |row: &PgRow| {
        let version = version::read(row, tenant)?;
        let key = match &plan.sort.field {
            SortField::CreatedAt => SortKey::Time(version.created_at),
            SortField::UpdatedAt => SortKey::Time(version.sys().from()),
            SortField::Key(_) => SortKey::Text(text_of(row.text("sort_value")?)?),
        };
        Ok((Position { key, id: version.key.id }, version))
    };
    rows.iter().map(place).collect()
}

/// Every word as the beginning of one. Folded words are letters and digits: in quotes they are
/// never taken for operators.
fn match_all(tenant: TenantId, query: &ListQuery, words: &[String]) -> String {
    let mark = mark(tenant, query.kind);
    let words: Vec<String> = words.iter().map(|word| format!("'{mark}{}':*", shorten(word))).collect();
    format!("({}) | '{mark}{MORE}'", words.join(" & "))
}

fn has_words(version: &Version, plan: &ListPlan) -> bool {
    if plan.filter.words.is_empty() {
        return true;
    }
    let index = version.slice.body.as_ref().and_then(|body| entity::index(version.key.kind, body).ok());
    index.is_some_and(|index| plan.filter.admits(&index.terms, &fold(&index.text)))
}
