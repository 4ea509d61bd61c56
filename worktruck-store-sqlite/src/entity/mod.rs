mod drive;
pub(crate) mod head;
mod list;
mod load;
mod present;
mod slices;
mod version;
mod write;

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use worktruck_core::store::draft::Refused;
use worktruck_core::store::{
    Applied, AuditEntry, ChangedEntity, Changes, Commits, EntityKey, EntityStore, ListPlan, ListQuery, Operation,
    Provenance, TenantCommit, TenantHead, Version, run_commit_scope,
};
use worktruck_core::temporal::At;
use worktruck_core::{Cursor, Error, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp};

use crate::SqliteStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, number};
use crate::writer::Transact;

use write::write;

pub(crate) use present::bodies_with;

#[async_trait]
impl EntityStore for SqliteStore {
    async fn apply(
        &self,
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        self.writer.transact(Apply { tenant, changes, provenance, now }).await
    }

    async fn entity(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>> {
        if at.as_of.is_none() {
            let mut reader = self.readers.acquire().await.or_failed("read an entity")?;
            return visible(&mut reader, tenant, key, Moment::Present(now), at.valid_at).await;
        }
        let mut tx = self.read().await?;
        let before = head::load(&mut tx, tenant, now, Duration::ZERO).await?.head;
        let mut head = before;
        let point = head.read(at, now)?;
        if head.floor != before.floor {
            drop(tx);
            self.raise(tenant, head).await?;
            // What was committed before the floor was raised belongs to the answer.
            tx = self.read().await?;
            head::horizon(&mut tx, tenant).await?.admit(point.sys)?;
        }
        visible(&mut tx, tenant, key, Moment::Past(point.sys), at.valid_at).await
    }

    async fn head(&self, tenant: TenantId) -> Result<TenantHead> {
        let mut reader = self.readers.acquire().await.or_failed("read the commits")?;
        head::of(&mut reader, tenant).await
    }

    async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        let mut tx = self.read().await?;
        let mut clock =
            head::load(&mut tx, tenant, query.at.valid_at.map_or(now, |at| at.max(now)), Duration::ZERO).await?;
        let mut head = clock.head;
        let plan = ListPlan::new(tenant, &query, &mut head, now)?;
        if head.floor != clock.head.floor {
            drop(tx);
            self.raise(tenant, head).await?;
            // What was committed before the floor was raised belongs to the answer.
            tx = self.read().await?;
            clock = head::load(&mut tx, tenant, plan.point.valid, Duration::ZERO).await?;
            plan.check(clock.head.horizon)?;
        }
        let found = list::find(&mut tx, tenant, &query, &plan, &clock).await?;
        plan.page(found)
    }

    async fn history(&self, tenant: TenantId, key: EntityKey, page: PageRequest) -> Result<Page<Version>> {
        let scope = Scope { list: "history", tenant, key: Some(key) };
        let after: Option<(i64, i64)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let (last_tx, last_from) = after.unwrap_or((i64::MAX, i64::MIN));
        let rows = sqlx::query(concat!(
            "SELECT ",
            version::columns!("e", "e.sys_to"),
            " FROM (
                 SELECT tenant, kind, id, created_at, version, carried, tx_id, sys_from,
                     9223372036854775807 AS sys_to, valid_from, valid_to, body
                 FROM head WHERE tenant = ?1 AND kind = ?2 AND id = ?3
                 UNION ALL
                 SELECT tenant, kind, id, created_at, version, carried, tx_id, sys_from,
                     sys_to, valid_from, valid_to, body
                 FROM slice WHERE tenant = ?1 AND kind = ?2 AND id = ?3
             ) e JOIN entity_commit c ON c.tenant = e.tenant AND c.tx_id = e.tx_id
             WHERE NOT e.carried AND (e.tx_id < ?4 OR (e.tx_id = ?4 AND e.valid_from > ?5))
                 AND e.sys_to > coalesce((SELECT horizon FROM tenant_head WHERE tenant = ?1), -9223372036854775808)
             ORDER BY e.tx_id DESC, e.valid_from LIMIT ?6"
        ))
        .bind(tenant.bytes())
        .bind(key.kind.as_str())
        .bind(key.id.bytes())
        .bind(last_tx)
        .bind(last_from)
        .bind(number(page.limit() + 1)?)
        .fetch_all(&self.readers)
        .await
        .or_failed("read the history of an entity")?;
        let has_more = rows.len() > page.limit();
        let shown = rows.iter().take(page.limit()).map(|row| version::read(row, tenant));
        let versions = shown.collect::<Result<Vec<_>>>()?;
        let next = match versions.last() {
            Some(last) if has_more => Some(Cursor::seal(&scope, &(last.slice.tx_id, last.valid().from().as_micros()))?),
            _ => None,
        };
        Ok(Page::new(versions, next))
    }

    async fn slices(
        &self,
        tenant: TenantId,
        key: EntityKey,
        valid: Period,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Version>> {
        let Some(as_of) = as_of else {
            let mut reader = self.readers.acquire().await.or_failed("read an entity")?;
            return slices::known(&mut reader, tenant, key, valid, None).await;
        };
        let mut tx = self.read().await?;
        let before = head::load(&mut tx, tenant, now, Duration::ZERO).await?.head;
        let mut head = before;
        head.read(At::as_of(as_of), now)?;
        if head.floor != before.floor {
            drop(tx);
            self.raise(tenant, head).await?;
            // What was committed before the floor was raised belongs to the answer.
            tx = self.read().await?;
            head::horizon(&mut tx, tenant).await?.admit(as_of)?;
        }
        slices::known(&mut tx, tenant, key, valid, Some(as_of)).await
    }

    async fn commits_of(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<TenantCommit>> {
        let scope = run_commit_scope(tenant, run);
        let after: Option<i64> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let rows = sqlx::query(
            "SELECT tx_id, at, provenance, entities FROM entity_commit
             WHERE tenant = ?1 AND provenance ->> 'run_id' = ?2
                 AND tx_id > max(?3, coalesce((SELECT horizon_tx FROM tenant_head WHERE tenant = ?1), 0))
             ORDER BY tx_id LIMIT ?4",
        )
        .bind(tenant.bytes())
        .bind(run.to_string())
        .bind(after.unwrap_or(0))
        .bind(number(page.limit() + 1)?)
        .fetch_all(&self.readers)
        .await
        .or_failed("read the commits of a run")?;
        let found = rows.iter().map(commit).collect::<Result<_>>()?;
        Page::cut(found, page.limit(), |last| Cursor::seal(&scope, &last.tx_id))
    }

    async fn changes(&self, tenant: TenantId, since: Option<Cursor>, limit: PageRequest) -> Result<Commits> {
        let scope = Scope { list: "changes", tenant, key: None };
        let since: Option<u64> = since.map(|cursor| cursor.open(&scope)).transpose()?;
        let mut tx = self.read().await?;
        let since = head::horizon(&mut tx, tenant).await?.follow(since)?;
        let rows = sqlx::query(
            "SELECT tx_id, at, provenance, entities FROM entity_commit
             WHERE tenant = ? AND tx_id > ? ORDER BY tx_id LIMIT ?",
        )
        .bind(tenant.bytes())
        .bind(i64::try_from(since).unwrap_or(i64::MAX))
        .bind(number(limit.limit() + 1)?)
        .fetch_all(&mut *tx)
        .await
        .or_failed("read the feed of changes")?;
        let data = rows.iter().take(limit.limit()).map(commit).collect::<Result<Vec<_>>>()?;
        let last = data.last().map_or(since, |commit| commit.tx_id);
        Ok(Commits { has_more: rows.len() > data.len(), data, next_cursor: Cursor::seal(&scope, &last)? })
    }

    async fn purge(&self, tenant: TenantId, key: EntityKey, provenance: Provenance, now: Timestamp) -> Result<()> {
        self.writer.transact(Purge { tenant, key, provenance, now }).await
    }
}

fn commit(row: &SqliteRow) -> Result<TenantCommit> {
    Ok(TenantCommit {
        tx_id: row.number("tx_id")?,
        committed_at: row.time("at")?,
        provenance: row.json("provenance")?,
        entities: row.json("entities")?,
    })
}

/// Applies the changes of several steps, each in a commit of its own: all, or none.
///
/// The error of a step is given with its place, and then nothing was written.
pub(crate) async fn apply_each(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    steps: &[(&Changes, Provenance)],
    now: Timestamp,
) -> Result<Result<(), Refused>> {
    let sets: Vec<&Changes> = steps.iter().map(|(changes, _)| *changes).collect();
    let mut draft = load::draft(tx, tenant, &sets, now).await?;
    if let Err(refused) = draft.apply_all(steps, now) {
        return Ok(Err(refused));
    }
    write(tx, draft).await.map(Ok)
}

impl SqliteStore {
    async fn raise(&self, tenant: TenantId, head: TenantHead) -> Result<()> {
        self.writer.transact(Raise { tenant, to: head.floor }).await
    }
}

#[derive(Serialize)]
struct Scope {
    list: &'static str,
    tenant: TenantId,
    key: Option<EntityKey>,
}

struct Apply {
    tenant: TenantId,
    changes: Changes,
    provenance: Provenance,
    now: Timestamp,
}

#[async_trait]
impl Transact for Apply {
    type Output = Applied;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Applied> {
        let mut draft = load::draft(tx, self.tenant, &[&self.changes], self.now).await?;
        let applied = draft.apply(&self.changes, self.provenance.clone(), self.now)?;
        write(tx, draft).await?;
        Ok(applied)
    }
}

struct Raise {
    tenant: TenantId,
    to: Timestamp,
}

#[async_trait]
impl Transact for Raise {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        head::raise(tx, self.tenant, self.to).await
    }
}

struct Purge {
    tenant: TenantId,
    key: EntityKey,
    provenance: Provenance,
    now: Timestamp,
}

#[async_trait]
impl Transact for Purge {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        let Self { tenant, key, provenance, now } = self;
        let newest = newest_version(tx, *tenant, *key).await?.ok_or_else(|| Error::not_found(key))?;
        for sql in [
            "DELETE FROM search WHERE rowid IN (SELECT rid FROM head WHERE tenant = ?1 AND kind = ?2 AND id = ?3)",
            "DELETE FROM term WHERE (tenant, kind, name, value, id) IN (
                 SELECT h.tenant, h.kind, t.value ->> 0, t.value ->> 1, h.id FROM head h, json_each(h.terms) t
                 WHERE h.tenant = ?1 AND h.kind = ?2 AND h.id = ?3)",
            "DELETE FROM sort_key WHERE (tenant, kind, name, value, id) IN (
                 SELECT h.tenant, h.kind, s.key, s.value, h.id FROM head h, json_each(h.sort) s
                 WHERE h.tenant = ?1 AND h.kind = ?2 AND h.id = ?3)",
            "DELETE FROM head WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
            "DELETE FROM slice WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
            "INSERT INTO erased (tenant, kind, id, version) VALUES (?1, ?2, ?3, ?4)",
        ] {
            sqlx::query(sql)
                .bind(tenant.bytes())
                .bind(key.kind.as_str())
                .bind(key.id.bytes())
                .bind(newest + 1)
                .execute(&mut *tx)
                .await
                .or_failed("erase an entity")?;
        }
        let version = u64::try_from(newest + 1).or_failed("erase an entity")?;
        // The commit moves the moment that `head` is about, which a draft of nothing takes care of.
        let mut draft = load::draft(tx, *tenant, &[&Changes::none()], *now).await?;
        draft.record(
            ChangedEntity { kind: key.kind, id: key.id, version, operation: Operation::Purged },
            provenance.clone(),
            AuditEntry::purged(*key, provenance),
            *now,
        );
        write(tx, draft).await
    }
}

async fn newest_version(tx: &mut SqliteConnection, tenant: TenantId, key: EntityKey) -> Result<Option<i64>> {
    sqlx::query_scalar(
        "SELECT max(version) FROM (
             SELECT version FROM head WHERE tenant = ?1 AND kind = ?2 AND id = ?3
             UNION ALL SELECT version FROM slice WHERE tenant = ?1 AND kind = ?2 AND id = ?3)",
    )
    .bind(tenant.bytes())
    .bind(key.kind.as_str())
    .bind(key.id.bytes())
    .fetch_one(tx)
    .await
    .or_failed("read an entity")
}

/// What was known when.
#[derive(Clone, Copy)]
enum Moment {
    /// What is known now, by a clock that may run behind the newest commit.
    Present(Timestamp),
    /// What was known at a moment that no later commit comes before.
    Past(Timestamp),
}

/// The entity as it was known at `moment` about `valid_at`, or about that moment; one statement,
/// so that it sees one state of the file.
async fn visible(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    key: EntityKey,
    moment: Moment,
    valid_at: Option<Timestamp>,
) -> Result<Option<Version>> {
    let (at, is_present) = match moment {
        Moment::Present(now) => (now, true),
        Moment::Past(at) => (at, false),
    };
    let row = sqlx::query(concat!(
        "WITH moment AS (
             SELECT sys, coalesce(?6, sys) AS valid FROM (
                 SELECT CASE WHEN ?5 THEN max(?4, coalesce((SELECT floor FROM tenant_head WHERE tenant = ?1), ?4))
                     ELSE ?4 END AS sys))
         SELECT ",
        version::columns!("h", "9223372036854775807"),
        " FROM moment m CROSS JOIN head h JOIN entity_commit c ON c.tenant = h.tenant AND c.tx_id = h.tx_id
         WHERE h.tenant = ?1 AND h.kind = ?2 AND h.id = ?3
             AND h.sys_from <= m.sys AND h.valid_from <= m.valid AND m.valid < h.valid_to
         UNION ALL SELECT ",
        version::columns!("s", "s.sys_to"),
        " FROM moment m CROSS JOIN slice s JOIN entity_commit c ON c.tenant = s.tenant AND c.tx_id = s.tx_id
         WHERE s.tenant = ?1 AND s.kind = ?2 AND s.id = ?3 AND s.body IS NOT NULL
             AND s.sys_from <= m.sys AND m.sys < s.sys_to AND s.valid_from <= m.valid AND m.valid < s.valid_to
         LIMIT 1"
    ))
    .bind(tenant.bytes())
    .bind(key.kind.as_str())
    .bind(key.id.bytes())
    .bind(at.as_micros())
    .bind(is_present)
    .bind(valid_at.map(Timestamp::as_micros))
    .fetch_optional(tx)
    .await
    .or_failed("read an entity")?;
    row.map(|row| version::read(&row, tenant)).transpose()
}
