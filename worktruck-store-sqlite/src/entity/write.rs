use std::sync::Arc;

use serde_json::Value;
use sqlx::SqliteConnection;
use worktruck_core::entity::{self, Kind};
use worktruck_core::store::{EntityKey, TenantCommit, fold};
use worktruck_core::temporal::Slice;
use worktruck_core::{Result, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::rows::{IdBytes as _, OPEN, Query, insert, number, to_json};

use super::draft::{Draft, Drafted, Indexed, Place};
use super::head;

impl Draft {
    /// Writes the commits that were made; nothing if there are none.
    pub(super) async fn write(self, tx: &mut SqliteConnection) -> Result<()> {
        let (false, Some(present)) = (self.commits.is_empty(), self.committed_at) else {
            return Ok(());
        };
        let mut rows = Rows::new(self.tenant);
        for (key, slices) in &self.open {
            if let Some(drafted) = self.entities.get(key) {
                rows.place(*key, slices, drafted, present)?;
            }
        }
        rows.new_heads = self.number_heads(tx, rows.new_heads).await?;
        rows.write(tx).await.or_failed("write entities")?;
        self.forget_erased(tx).await?;
        write_commits(tx, self.tenant, &self.commits).await?;
        head::save(tx, self.tenant, self.head).await
    }

    async fn number_heads(&self, tx: &mut SqliteConnection, mut heads: Vec<HeadRow>) -> Result<Vec<HeadRow>> {
        if heads.iter().all(|head| head.rid.is_some()) {
            return Ok(heads);
        }
        let last: i64 = sqlx::query_scalar("SELECT coalesce(max(rid), 0) FROM head")
            .fetch_one(tx)
            .await
            .or_failed("number new entities")?;
        let unnumbered = heads.iter_mut().filter(|head| head.rid.is_none());
        unnumbered.zip(last + 1..).for_each(|(head, rid)| head.rid = Some(rid));
        Ok(heads)
    }

    async fn forget_erased(&self, tx: &mut SqliteConnection) -> Result<()> {
        for key in self.erased.keys().filter(|key| self.open.contains_key(key)) {
            sqlx::query("DELETE FROM erased WHERE tenant = ? AND kind = ? AND id = ?")
                .bind(self.tenant.bytes())
                .bind(key.kind.as_str())
                .bind(key.id.bytes())
                .execute(&mut *tx)
                .await
                .or_failed("write entities")?;
        }
        Ok(())
    }
}

/// Writes what the feed of changes says of commits.
pub(super) async fn write_commits(tx: &mut SqliteConnection, tenant: TenantId, commits: &[TenantCommit]) -> Result<()> {
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

/// The changes of rows that a draft comes to.
struct Rows {
    tenant: TenantId,
    /// Rows of `slice` whose system time ends, and when.
    ended: Vec<(i64, i64)>,
    /// Rows of `slice` whose time has come without a place in `head`.
    unscheduled: Vec<i64>,
    /// Rows of `slice` that move to `head`.
    promoted: Vec<i64>,
    /// Rows of `head` that have no successor.
    old_heads: Vec<i64>,
    new_heads: Vec<HeadRow>,
    new_slices: Vec<SliceRow>,
    old_terms: Vec<[String; 4]>,
    new_terms: Vec<TermRow>,
    old_sort: Vec<[String; 4]>,
    new_sort: Vec<TermRow>,
    /// Rows of `head` whose words are searched for no longer.
    old_words: Vec<i64>,
}

struct HeadRow {
    rid: Option<i64>,
    columns: SliceColumns,
    words: String,
}

struct SliceRow {
    columns: SliceColumns,
    sys_to: i64,
    scheduled: bool,
}

/// What `head` and `slice` have in common.
struct SliceColumns {
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

struct TermRow {
    key: EntityKey,
    name: String,
    value: String,
}

impl Rows {
    const fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            ended: Vec::new(),
            unscheduled: Vec::new(),
            promoted: Vec::new(),
            old_heads: Vec::new(),
            new_heads: Vec::new(),
            new_slices: Vec::new(),
            old_terms: Vec::new(),
            new_terms: Vec::new(),
            old_sort: Vec::new(),
            new_sort: Vec::new(),
            old_words: Vec::new(),
        }
    }

    /// Decides where the slices of one entity belong when its tenant's newest commit is at
    /// `present`.
    fn place(&mut self, key: EntityKey, open: &[Slice], drafted: &Drafted, present: Timestamp) -> Result<()> {
        let created_at = drafted.created_at.unwrap_or(present);
        let columns = |slice: &Slice, index| SliceColumns::of(key, created_at, slice, index);
        self.ended.extend(drafted.ended.iter().map(|(rid, at)| (*rid, at.as_micros())));
        for (slice, index) in &drafted.closed {
            let columns = columns(slice, index.as_deref())?;
            self.new_slices.push(SliceRow { columns, sys_to: slice.sys.to().as_micros(), scheduled: false });
        }
        let mut head = None;
        let mut keeps_head = false;
        for slice in open {
            let Some(row) = drafted.rows.get(&slice.valid.from()) else { continue };
            let is_head = slice.body.is_some() && slice.valid.contains(present);
            let scheduled = present < slice.valid.from();
            match row.place {
                Place::Head if is_head => keeps_head = true,
                Place::Slice { rid, scheduled: true } if !is_head && !scheduled => self.unscheduled.push(rid),
                Place::Slice { rid, .. } if is_head => self.promoted.push(rid),
                Place::Slice { .. } => {}
                Place::Head | Place::New if !is_head => {
                    let columns = columns(slice, row.index.as_deref())?;
                    self.new_slices.push(SliceRow { columns, sys_to: OPEN, scheduled });
                }
                Place::Head | Place::New => {}
            }
            if is_head {
                head = row.index.as_ref().map(|index| (slice, index));
            }
        }
        if keeps_head {
            return Ok(());
        }
        let new = match head {
            Some((slice, index)) => {
                Some((columns(slice, Some(index))?, words(self.tenant, key, slice.body.as_ref(), index), index))
            }
            None => None,
        };
        self.replace_head(key, drafted.head.as_ref(), new);
        Ok(())
    }

    fn replace_head(
        &mut self,
        key: EntityKey,
        old: Option<&(i64, Arc<Indexed>)>,
        new: Option<(SliceColumns, String, &Arc<Indexed>)>,
    ) {
        let rid = old.map(|(rid, _)| *rid);
        self.old_words.extend(rid);
        let (none, no_sort) = (Vec::new(), std::collections::BTreeMap::new());
        let (old_terms, old_sort) = old.map_or((&none, &no_sort), |(_, index)| (&index.terms, &index.sort));
        let (new_terms, new_sort) = new.as_ref().map_or((&none, &no_sort), |(_, _, index)| (&index.terms, &index.sort));
        let gone =
            |name: &str, value: &str| [key.kind.as_str().to_owned(), name.to_owned(), value.to_owned(), key.id.hex()];
        let come = |name: &str, value: &str| TermRow { key, name: name.to_owned(), value: value.to_owned() };
        let old_only = old_terms.iter().filter(|term| !new_terms.contains(term));
        self.old_terms.extend(old_only.map(|(name, value)| gone(name, value)));
        let new_only = new_terms.iter().filter(|term| !old_terms.contains(term));
        self.new_terms.extend(new_only.map(|(name, value)| come(name, value)));
        let old_only = old_sort.iter().filter(|(name, value)| new_sort.get(*name) != Some(value));
        self.old_sort.extend(old_only.map(|(name, value)| gone(name, value)));
        let new_only = new_sort.iter().filter(|(name, value)| old_sort.get(*name) != Some(value));
        self.new_sort.extend(new_only.map(|(name, value)| come(name, value)));
        match new {
            Some((columns, words, _)) => self.new_heads.push(HeadRow { rid, columns, words }),
            None => self.old_heads.extend(rid),
        }
    }

    /// Room is made first, so that no two open slices overlap at any moment.
    async fn write(&self, tx: &mut SqliteConnection) -> sqlx::Result<()> {
        for (sql, list) in [
            (
                "UPDATE slice SET sys_to = w.value ->> 1, scheduled = 0 FROM json_each(?) w WHERE rid = w.value ->> 0",
                json(&self.ended),
            ),
            ("UPDATE slice SET scheduled = 0 WHERE rid IN (SELECT value FROM json_each(?))", json(&self.unscheduled)),
            ("DELETE FROM slice WHERE rid IN (SELECT value FROM json_each(?))", json(&self.promoted)),
            ("DELETE FROM head WHERE rid IN (SELECT value FROM json_each(?))", json(&self.old_heads)),
            ("DELETE FROM search WHERE rowid IN (SELECT value FROM json_each(?))", json(&self.old_words)),
        ] {
            if let Some(list) = list {
                sqlx::query(sql).bind(list).execute(&mut *tx).await?;
            }
        }
        for (sql, list) in [
            (
                "DELETE FROM term WHERE tenant = ?1 AND (kind, name, value, id) IN (
                     SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3) FROM json_each(?2))",
                json(&self.old_terms),
            ),
            (
                "DELETE FROM sort_key WHERE tenant = ?1 AND (kind, name, value, id) IN (
                     SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3) FROM json_each(?2))",
                json(&self.old_sort),
            ),
        ] {
            if let Some(list) = list {
                sqlx::query(sql).bind(self.tenant.bytes()).bind(list).execute(&mut *tx).await?;
            }
        }
        self.insert_all(tx).await
    }

    async fn insert_all(&self, tx: &mut SqliteConnection) -> sqlx::Result<()> {
        let tenant = &self.tenant.bytes();
        insert(
            tx,
            "head (rid, tenant, kind, id, created_at, version, carried, tx_id, sys_from, valid_from, valid_to, body,
                 terms, sort)",
            14,
            " ON CONFLICT (rid) DO UPDATE SET created_at = excluded.created_at, version = excluded.version,
                 carried = excluded.carried, tx_id = excluded.tx_id, sys_from = excluded.sys_from,
                 valid_from = excluded.valid_from, valid_to = excluded.valid_to, body = excluded.body,
                 terms = excluded.terms, sort = excluded.sort",
            &self.new_heads,
            |query, head| head.columns.bind(query.bind(head.rid), tenant),
        )
        .await?;
        insert(tx, "search (rowid, words)", 2, "", &self.new_heads, |query, head| {
            query.bind(head.rid).bind(head.words.clone())
        })
        .await?;
        insert(
            tx,
            "slice (sys_to, scheduled, tenant, kind, id, created_at, version, carried, tx_id, sys_from, valid_from,
                 valid_to, body, terms, sort)",
            15,
            "",
            &self.new_slices,
            |query, slice| slice.columns.bind(query.bind(slice.sys_to).bind(slice.scheduled), tenant),
        )
        .await?;
        for (into, rows) in [
            ("term (tenant, kind, name, value, id)", &self.new_terms),
            ("sort_key (tenant, kind, name, value, id)", &self.new_sort),
        ] {
            insert(tx, into, 5, "", rows, |query, row| row.bind(query, tenant)).await?;
        }
        Ok(())
    }
}

impl SliceColumns {
    fn of(key: EntityKey, created_at: Timestamp, slice: &Slice, index: Option<&Indexed>) -> Result<Self> {
        Ok(Self {
            key,
            created_at: created_at.as_micros(),
            version: number(slice.version)?,
            carried: slice.carried,
            tx_id: number(slice.tx_id)?,
            sys_from: slice.sys.from().as_micros(),
            valid_from: slice.valid.from().as_micros(),
            valid_to: slice.valid.to().as_micros(),
            body: slice.body.as_ref().map(to_json).transpose()?,
            terms: index.map(Indexed::terms_json).transpose()?,
            sort: index.map(Indexed::sort_json).transpose()?,
        })
    }

    fn bind<'q>(&self, query: Query<'q>, tenant: &[u8]) -> Query<'q> {
        query
            .bind(tenant.to_vec())
            .bind(self.key.kind.as_str())
            .bind(self.key.id.bytes())
            .bind(self.created_at)
            .bind(self.version)
            .bind(self.carried)
            .bind(self.tx_id)
            .bind(self.sys_from)
            .bind(self.valid_from)
            .bind(self.valid_to)
            .bind(self.body.clone())
            .bind(self.terms.clone())
            .bind(self.sort.clone())
    }
}

impl TermRow {
    fn bind<'q>(&self, query: Query<'q>, tenant: &[u8]) -> Query<'q> {
        query
            .bind(tenant.to_vec())
            .bind(self.key.kind.as_str())
            .bind(self.name.clone())
            .bind(self.value.clone())
            .bind(self.key.id.bytes())
    }
}

/// The folded text of a head. A body that was stored by a version with other rules, and is not one
/// of its kind any more, can still be found by its terms.
fn words(tenant: TenantId, key: EntityKey, body: Option<&Value>, index: &Indexed) -> String {
    let words = index.words.clone().unwrap_or_else(|| {
        let index = body.and_then(|body| entity::index(key.kind, body).ok());
        index.map(|index| fold(&index.text)).unwrap_or_default()
    });
    format!("{} {words}", owner(tenant, key.kind))
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
