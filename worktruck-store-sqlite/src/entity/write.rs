use sqlx::SqliteConnection;
use worktruck_core::entity::Kind;
use worktruck_core::store::draft::{Draft, DraftRows, HeadRow, IndexRow, Indexed, SliceRow};
use worktruck_core::store::{EntityKey, TenantCommit};
use worktruck_core::temporal::Slice;
use worktruck_core::{Result, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::rows::{IdBytes as _, Query, insert, number, to_json};
use crate::{audit, outbox, request};

use super::head;

/// Writes the commits that were made in a draft; nothing if there are none.
pub(super) async fn write(tx: &mut SqliteConnection, draft: Draft<i64>) -> Result<()> {
    let Some(rows) = draft.rows() else { return Ok(()) };
    let first = first_new(tx, &rows).await?;
    // Webhooks are told as they were before.
    outbox::send(tx, rows.tenant, &rows.beside.messages).await?;
    audit::add(tx, &rows.beside.audit).await?;
    request::write_effects(tx, rows.tenant, &rows.beside.effects).await?;
    make_room(tx, &rows).await.or_failed("write entities")?;
    // The columns are made while the database is at work.
    let (filled, columns) = tokio::join!(biased; fill_index(tx, &rows), async { Columns::of(&rows, first) });
    filled.or_failed("write entities")?;
    let mut columns = columns?;
    fill(tx, rows.tenant, &columns).await.or_failed("write entities")?;
    write_commits(tx, rows.tenant, &rows.commits).await?;
    head::save(tx, rows.tenant, rows.head).await?;
    // So is all cleared away that is needed no more, which is a lot of small things.
    let words = columns.words.take();
    let (written, ()) = tokio::join!(biased; fill_words(tx, words), async { drop((rows, columns)) });
    written.or_failed("write entities")
}

/// The number of the first row of the heads that is new.
async fn first_new(tx: &mut SqliteConnection, rows: &DraftRows<i64>) -> Result<i64> {
    if rows.new_heads.iter().all(|head| head.replaces.is_some()) {
        return Ok(1);
    }
    let next = sqlx::query_scalar("SELECT coalesce(max(rid), 0) + 1 FROM head").fetch_one(tx).await;
    next.or_failed("number new entities")
}

/// The columns of the rows to add.
struct Columns {
    /// Of the heads, each with the number of its row.
    heads: Vec<(i64, SliceColumns)>,
    /// The numbers of the heads with the words they are found by, as a list.
    words: Option<String>,
    slices: Vec<SliceColumns>,
}

impl Columns {
    fn of(rows: &DraftRows<i64>, first: i64) -> Result<Self> {
        let mut fresh = first..;
        let mut heads = Vec::with_capacity(rows.new_heads.len());
        let mut words = Vec::with_capacity(rows.new_heads.len());
        for head in &rows.new_heads {
            let rid = head.replaces.or_else(|| fresh.next()).unwrap_or(i64::MAX);
            words.push((rid, format!("{} {}", owner(rows.tenant, head.key.kind), head.words)));
            heads.push((rid, SliceColumns::of_head(head)?));
        }
        let slices = rows.new_slices.iter().map(SliceColumns::of_slice).collect::<Result<_>>()?;
        Ok(Self { heads, words: json(&words), slices })
    }
}

async fn make_room(tx: &mut SqliteConnection, rows: &DraftRows<i64>) -> sqlx::Result<()> {
    let ended: Vec<_> = rows.ended.iter().map(|ended| (ended.slice.row, ended.sys_to.as_micros())).collect();
    let unscheduled: Vec<_> = rows.unscheduled.iter().map(|slice| slice.row).collect();
    let promoted: Vec<_> = rows.promoted.iter().map(|slice| slice.row).collect();
    let old_heads: Vec<_> = rows.old_heads.iter().map(|head| head.row).collect();
    let replaced = rows.new_heads.iter().filter_map(|head| head.replaces);
    let old_words: Vec<_> = old_heads.iter().copied().chain(replaced).collect();
    for (sql, list) in [
        (
            "UPDATE slice SET sys_to = w.value ->> 1, scheduled = 0 FROM json_each(?) w WHERE rid = w.value ->> 0",
            json(&ended),
        ),
        ("UPDATE slice SET scheduled = 0 WHERE rid IN (SELECT value FROM json_each(?))", json(&unscheduled)),
        ("DELETE FROM slice WHERE rid IN (SELECT value FROM json_each(?))", json(&promoted)),
        ("DELETE FROM head WHERE rid IN (SELECT value FROM json_each(?))", json(&old_heads)),
        ("DELETE FROM search WHERE rowid IN (SELECT value FROM json_each(?))", json(&old_words)),
    ] {
        if let Some(list) = list {
            sqlx::query(sql).bind(list).execute(&mut *tx).await?;
        }
    }
    let forgotten: Vec<_> = rows.forgotten.iter().map(|key| [key.kind.as_str().to_owned(), key.id.hex()]).collect();
    for (sql, list) in [
        (
            "DELETE FROM term WHERE tenant = ?1 AND (kind, name, value, id) IN (
                 SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3) FROM json_each(?2))",
            json(&index_list(&rows.old_terms)),
        ),
        (
            "DELETE FROM sort_key WHERE tenant = ?1 AND (kind, name, value, id) IN (
                 SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3) FROM json_each(?2))",
            json(&index_list(&rows.old_sort)),
        ),
        (
            "DELETE FROM erased WHERE tenant = ?1 AND (kind, id) IN (
                 SELECT value ->> 0, unhex(value ->> 1) FROM json_each(?2))",
            json(&forgotten),
        ),
    ] {
        if let Some(list) = list {
            sqlx::query(sql).bind(rows.tenant.bytes()).bind(list).execute(&mut *tx).await?;
        }
    }
    Ok(())
}

/// Adds what the new heads are found and sorted by.
async fn fill_index(tx: &mut SqliteConnection, rows: &DraftRows<i64>) -> sqlx::Result<()> {
    let tenant: &[u8] = &rows.tenant.bytes();
    for (into, rows) in [
        ("term (tenant, kind, name, value, id)", &rows.new_terms),
        ("sort_key (tenant, kind, name, value, id)", &rows.new_sort),
    ] {
        insert(tx, into, 5, "", &in_order(rows), |query, row| {
            query
                .bind(tenant)
                .bind(row.key.kind.as_str())
                .bind(row.name.as_str())
                .bind(row.value.as_str())
                .bind(row.key.id.bytes())
        })
        .await?;
    }
    Ok(())
}

async fn fill(tx: &mut SqliteConnection, tenant: TenantId, columns: &Columns) -> sqlx::Result<()> {
    let tenant = &tenant.bytes();
    insert(
        tx,
        "head (rid, tenant, kind, id, created_at, version, carried, tx_id, sys_from, valid_from, valid_to, body,
             terms, sort)",
        14,
        " ON CONFLICT (rid) DO UPDATE SET created_at = excluded.created_at, version = excluded.version,
             carried = excluded.carried, tx_id = excluded.tx_id, sys_from = excluded.sys_from,
             valid_from = excluded.valid_from, valid_to = excluded.valid_to, body = excluded.body,
             terms = excluded.terms, sort = excluded.sort",
        &columns.heads,
        |query, (rid, columns)| columns.bind(query.bind(*rid), tenant),
    )
    .await?;
    insert(
        tx,
        "slice (sys_to, scheduled, tenant, kind, id, created_at, version, carried, tx_id, sys_from, valid_from,
             valid_to, body, terms, sort)",
        15,
        "",
        &columns.slices,
        |query, slice| slice.bind(query.bind(slice.sys_to).bind(slice.scheduled), tenant),
    )
    .await?;
    Ok(())
}

/// Adds the words that heads are found by: in one statement for all, and after all others, because the index of words
/// is written out before each that may have to be taken back alone.
async fn fill_words(tx: &mut SqliteConnection, words: Option<String>) -> sqlx::Result<()> {
    let Some(words) = words else { return Ok(()) };
    sqlx::query("INSERT INTO search (rowid, words) SELECT value ->> 0, value ->> 1 FROM json_each(?)")
        .bind(words)
        .execute(tx)
        .await
        .map(drop)
}

/// The rows as their table has them, so that those of one page are written one after the other.
fn in_order(rows: &[IndexRow]) -> Vec<&IndexRow> {
    let mut rows: Vec<&IndexRow> = rows.iter().collect();
    rows.sort_unstable_by_key(|row| (row.key.kind.as_str(), row.name.as_str(), row.value.as_str(), row.key.id));
    rows
}

/// Writes what the feed of changes says of commits.
async fn write_commits(tx: &mut SqliteConnection, tenant: TenantId, commits: &[TenantCommit]) -> Result<()> {
    let mut rows = Vec::with_capacity(commits.len());
    for commit in commits {
        rows.push((
            number(commit.tx_id)?,
            commit.committed_at.as_micros(),
            to_json(&commit.provenance)?,
            to_json(&commit.entities)?,
        ));
    }
    let into = "entity_commit (tenant, tx_id, at, provenance, entities)";
    insert(tx, into, 5, "", &rows, |query, (tx_id, at, provenance, entities)| {
        query.bind(tenant.bytes()).bind(*tx_id).bind(*at).bind(provenance.clone()).bind(entities.clone())
    })
    .await
    .or_failed("write a commit")
}

/// A row of `slice`, or of `head`, which lacks the first two.
struct SliceColumns {
    sys_to: i64,
    scheduled: bool,
    key: EntityKey,
    created_at: i64,
    version: i64,
    carried: bool,
    tx_id: i64,
    sys_from: i64,
    valid_from: i64,
    valid_to: i64,
    body: Option<String>,
    terms: Option<String>,
    sort: Option<String>,
}

impl SliceColumns {
    fn of_head(row: &HeadRow<i64>) -> Result<Self> {
        Self::new(row.key, row.created_at, &row.slice, Some(&row.index), false)
    }

    fn of_slice(row: &SliceRow) -> Result<Self> {
        Self::new(row.key, row.created_at, &row.slice, row.index.as_deref(), row.scheduled)
    }

    fn new(
        key: EntityKey,
        created_at: Timestamp,
        slice: &Slice,
        index: Option<&Indexed>,
        scheduled: bool,
    ) -> Result<Self> {
        let terms = |index: &Indexed| to_json(&pairs(index));
        Ok(Self {
            sys_to: slice.sys.to().as_micros(),
            scheduled,
            key,
            created_at: created_at.as_micros(),
            version: number(slice.version)?,
            carried: slice.carried,
            tx_id: number(slice.tx_id)?,
            sys_from: slice.sys.from().as_micros(),
            valid_from: slice.valid.from().as_micros(),
            valid_to: slice.valid.to().as_micros(),
            body: slice.body.as_ref().map(to_json).transpose()?,
            terms: index.map(terms).transpose()?,
            sort: index.map(|index| to_json(&index.sort)).transpose()?,
        })
    }

    fn bind<'q>(&self, query: Query<'q>, tenant: &[u8]) -> Query<'q> {
        query
            .bind(tenant)
            .bind(self.key.kind.as_str())
            .bind(self.key.id.bytes())
            .bind(self.created_at)
            .bind(self.version)
            .bind(self.carried)
            .bind(self.tx_id)
            .bind(self.sys_from)
            .bind(self.valid_from)
            .bind(self.valid_to)
            .bind(self.body.as_deref())
            .bind(self.terms.as_deref())
            .bind(self.sort.as_deref())
    }
}

fn pairs(index: &Indexed) -> Vec<(&str, &str)> {
    index.terms.iter().map(|term| (term.name.as_str(), term.value.as_str())).collect()
}

fn index_list(rows: &[IndexRow]) -> Vec<[String; 4]> {
    let list =
        |row: &IndexRow| [row.key.kind.as_str().to_owned(), row.name.clone(), row.value.clone(), row.key.id.hex()];
    rows.iter().map(list).collect()
}

/// The word of the search index that only the entities of this tenant and kind have.
pub(super) fn owner(tenant: TenantId, kind: Kind) -> String {
    format!("{}{}", tenant.hex(), kind.as_str().replace('_', ""))
}

/// A list as a JSON parameter; `None` if it is empty.
fn json<T: serde::Serialize>(list: &[T]) -> Option<String> {
    // Invariant: numbers and texts have a JSON form.
    if list.is_empty() { None } else { serde_json::to_string(list).ok() }
}
