use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;
use worktruck_core::entity::Kind;
use worktruck_core::store::draft::Indexed;
use worktruck_core::{Result, TenantId};

use crate::error::OrFailed as _;
use crate::rows::Columns as _;
use crate::statement::{Rows, Statement, columns};
use crate::verify::Tenants;

use super::index::{UPDATED_AT, from_hex, key_bytes, lexemes, mark, time_key};

/// What is wrong with how a head is found.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Unfound {
    Terms,
    SortKeys,
    Words,
    /// The head cannot be read.
    All,
}

columns! {
    /// Rows of `term` that must be there.
    Terms {
        tenant: Uuid = "uuid", kind: String = "text", id: Uuid = "uuid", name: String = "text",
        value: Vec<u8> = "bytea", created_at: i64 = "bigint",
    }
}

columns! {
    /// Rows of `sort_key` that must be there.
    Sorts {
        tenant: Uuid = "uuid", kind: String = "text", id: Uuid = "uuid", name: String = "text",
        value: Vec<u8> = "bytea",
    }
}

columns! {
    /// Rows of `search` that must be there.
    Words { tenant: Uuid = "uuid", kind: String = "text", id: Uuid = "uuid", words: String = "text" }
}

/// How many heads are looked at together.
const PAGE: usize = 500;

/// Heads that lack a row that they should be found by: up to `most` in each way, each a row with
/// `tenant`, `kind` and `id`.
pub(crate) async fn unfound(
    connection: &mut PgConnection,
    tenants: Tenants,
    most: usize,
) -> Result<BTreeMap<Unfound, Vec<PgRow>>> {
    let mut found: BTreeMap<Unfound, Vec<PgRow>> = BTreeMap::new();
    let mut after = (tenants.first, String::new(), Uuid::nil());
    loop {
        let mut heads = page(connection, tenants, &after).await?;
        let Some(last) = heads.last() else { break };
        after = (last.id("tenant")?, last.text("kind")?.to_owned(), last.id("id")?);
        let (mut terms, mut sorts, mut words) = (Terms::default(), Sorts::default(), Words::default());
        let mut unread = Vec::new();
        for head in heads.drain(..) {
            if expect(&head, &mut terms, &mut sorts, &mut words).is_err() {
                unread.push(head);
            }
        }
        let lacking = [
            (Unfound::Terms, lacking(connection, terms, LACKING_TERMS).await?),
            (Unfound::SortKeys, lacking(connection, sorts, LACKING_SORTS).await?),
            (Unfound::Words, lacking(connection, words, LACKING_WORDS).await?),
            (Unfound::All, unread),
        ];
        for (unfound, rows) in lacking {
            let known = found.entry(unfound).or_default();
            known.extend(rows);
            known.truncate(most);
        }
    }
    Ok(found)
}

const LACKING_TERMS: &str = "SELECT DISTINCT e.tenant, e.kind, e.id FROM e WHERE NOT EXISTS (
    SELECT FROM term t WHERE t.tenant = e.tenant AND t.kind = e.kind AND t.id = e.id AND t.name = e.name
        AND t.value = e.value AND t.created_at = e.created_at)";
const LACKING_SORTS: &str = "SELECT DISTINCT e.tenant, e.kind, e.id FROM e WHERE NOT EXISTS (
    SELECT FROM sort_key k WHERE k.tenant = e.tenant AND k.kind = e.kind AND k.id = e.id AND k.name = e.name
        AND k.value = e.value)";
const LACKING_WORDS: &str = "SELECT e.tenant, e.kind, e.id FROM e WHERE NOT EXISTS (
    SELECT FROM search s WHERE s.tenant = e.tenant AND s.kind = e.kind AND s.id = e.id
        AND s.words = array_to_tsvector(array_remove(string_to_array(e.words, ' '), '')))";

async fn page(
    connection: &mut PgConnection,
    tenants: Tenants,
    (tenant, kind, id): &(Uuid, String, Uuid),
) -> Result<Vec<PgRow>> {
    sqlx::query(
        "SELECT tenant, kind, id, created_at, sys_from, body::text AS body, terms::text AS terms, sort::text AS sort
         FROM head WHERE tenant <= $1 AND (tenant, kind, id) > ($2, $3, $4) ORDER BY tenant, kind, id LIMIT $5",
    )
    .bind(tenants.last)
    .bind(tenant)
    .bind(kind)
    .bind(id)
    .bind(crate::rows::number(PAGE)?)
    .fetch_all(connection)
    .await
    .or_failed("read heads")
}

/// Adds the rows that a head must be found by.
fn expect(head: &PgRow, terms: &mut Terms, sorts: &mut Sorts, words: &mut Words) -> Result<()> {
    let (tenant, id, created_at) = (head.id("tenant")?, head.id("id")?, head.number("created_at")?);
    let kind: Kind = head.text("kind")?.parse()?;
    let named: Vec<(String, String)> = head.json("terms")?;
    let sort = from_hex(head.json("sort")?)?;
    let body: Value = head.json("body")?;
    let of = kind.as_str();
    for (name, value) in named {
        terms.push(tenant, of.to_owned(), id, name, key_bytes(&value), created_at);
    }
    for (name, value) in sort {
        sorts.push(tenant, of.to_owned(), id, name, key_bytes(&value));
    }
    sorts.push(tenant, of.to_owned(), id, UPDATED_AT.to_owned(), time_key(head.time("sys_from")?));
    // A body that was stored by other rules may be none of its kind any more; it has words all the same.
    if let Ok(Indexed { words: Some(folded), .. }) = Indexed::of(kind, &body) {
        words.push(tenant, of.to_owned(), id, lexemes(&mark(TenantId::from_uuid(tenant), kind), &folded));
    }
    Ok(())
}

/// The entities of those `rows` that `sql` does not find in their table.
async fn lacking(connection: &mut PgConnection, rows: impl Rows, sql: &str) -> Result<Vec<PgRow>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::default();
    let rows = rows.bind(&mut statement, "c");
    statement.with("e", format!("SELECT * FROM {rows}"));
    statement.fetch(connection, sql).await.or_failed("look for what heads are found by")
}
