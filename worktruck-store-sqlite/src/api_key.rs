//! What is known of API keys.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};
use worktruck_core::store::{ApiKey, ApiKeyStore, AuditEntry, NewApiKey, api_key_scope};
use worktruck_core::{ApiKeyId, Cursor, Digest, Page, PageRequest, Result, TenantId, Timestamp};

use crate::error::{OrFailed as _, is_duplicate};
use crate::rows::{Columns as _, IdBytes as _, number, to_json};
use crate::writer::Transact;
use crate::{SqliteStore, audit};

const COLUMNS: &str = "body, revoked_at, last_used_at";

#[async_trait]
impl ApiKeyStore for SqliteStore {
    async fn add_api_key(&self, new: NewApiKey, audit: AuditEntry) -> Result<()> {
        new.key.check()?;
        audit.check()?;
        self.writer.transact(Add { new, audit }).await
    }

    async fn api_key_by_hash(&self, hash: Digest) -> Result<Option<ApiKey>> {
        let row = sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM api_key WHERE hash = ?")))
            .bind(hash.as_bytes().to_vec())
            .fetch_optional(&self.readers)
            .await
            .or_failed("look for an api key")?;
        row.as_ref().map(read).transpose()
    }

    async fn api_key(&self, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>> {
        let mut reader = self.readers.acquire().await.or_failed("read an api key")?;
        load(&mut reader, tenant, id).await
    }

    async fn api_keys(&self, tenant: TenantId, page: PageRequest) -> Result<Page<ApiKey>> {
        let scope = api_key_scope(tenant);
        let after: Option<(i64, ApiKeyId)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let (at, id) = after.map_or_else(|| (i64::MAX, vec![u8::MAX; 17]), |(at, id)| (at, id.bytes()));
        let sql = format!(
            "SELECT {COLUMNS} FROM api_key WHERE tenant = ?1 AND (created_at, id) < (?2, ?3)
             ORDER BY created_at DESC, id DESC LIMIT ?4"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(tenant.bytes())
            .bind(at)
            .bind(id)
            .bind(number(page.limit() + 1)?)
            .fetch_all(&self.readers)
            .await
            .or_failed("list api keys")?;
        let found = rows.iter().map(read).collect::<Result<_>>()?;
        Page::cut(found, page.limit(), |last| Cursor::seal(&scope, &(last.created_at.as_micros(), last.id)))
    }

    async fn revoke_api_key(
        &self,
        tenant: TenantId,
        id: ApiKeyId,
        instead: Option<NewApiKey>,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<ApiKey> {
        instead.iter().try_for_each(|new| new.key.check())?;
        audit.check()?;
        self.writer.transact(Revoke { tenant, id, instead, audit, now }).await
    }

    async fn note_api_key_use(&self, used: Vec<(TenantId, ApiKeyId, Timestamp)>) -> Result<()> {
        self.writer.transact(NoteUse(used)).await
    }
}

async fn load(tx: &mut SqliteConnection, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let row = sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM api_key WHERE tenant = ? AND id = ?")))
        .bind(tenant.bytes())
        .bind(id.bytes())
        .fetch_optional(tx)
        .await
        .or_failed("read an api key")?;
    row.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<ApiKey> {
    let (revoked_at, last_used_at) = (row.maybe_time("revoked_at")?, row.maybe_time("last_used_at")?);
    Ok(ApiKey { revoked_at, last_used_at, ..row.json("body")? })
}

async fn add(tx: &mut SqliteConnection, NewApiKey { key, hash }: &NewApiKey) -> Result<()> {
    let added = sqlx::query("INSERT INTO api_key (tenant, id, hash, created_at, body) VALUES (?, ?, ?, ?, ?)")
        .bind(key.tenant_id.bytes())
        .bind(key.id.bytes())
        .bind(hash.as_bytes().to_vec())
        .bind(key.created_at.as_micros())
        .bind(to_json(key)?)
        .execute(tx)
        .await;
    match added {
        Err(error) if is_duplicate(&error) => Err(key.taken()),
        added => added.or_failed("add an api key").map(drop),
    }
}

struct Add {
    new: NewApiKey,
    audit: AuditEntry,
}

#[async_trait]
impl Transact for Add {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        add(tx, &self.new).await?;
        let key = &self.new.key;
        let record = self.audit.clone().recorded(key.tenant_id, &self.audit.about(key.id), 0, key.created_at);
        audit::add(tx, &[record]).await
    }
}

struct Revoke {
    tenant: TenantId,
    id: ApiKeyId,
    instead: Option<NewApiKey>,
    audit: AuditEntry,
    now: Timestamp,
}

#[async_trait]
impl Transact for Revoke {
    type Output = ApiKey;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<ApiKey> {
        let mut key = load(tx, self.tenant, self.id).await?.ok_or_else(|| ApiKey::unknown(self.id))?;
        key.revoke(self.now)?;
        sqlx::query("UPDATE api_key SET revoked_at = ? WHERE tenant = ? AND id = ?")
            .bind(self.now.as_micros())
            .bind(self.tenant.bytes())
            .bind(self.id.bytes())
            .execute(&mut *tx)
            .await
            .or_failed("revoke an api key")?;
        if let Some(new) = &self.instead {
            add(tx, new).await?;
        }
        let record = self.audit.clone().recorded(self.tenant, &self.audit.about(self.id), 0, self.now);
        audit::add(tx, &[record]).await?;
        Ok(key)
    }
}

struct NoteUse(Vec<(TenantId, ApiKeyId, Timestamp)>);

#[async_trait]
impl Transact for NoteUse {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        for (tenant, id, at) in &self.0 {
            sqlx::query(
                "UPDATE api_key SET last_used_at = max(ifnull(last_used_at, ?3), ?3) WHERE tenant = ?1 AND id = ?2",
            )
            .bind(tenant.bytes())
            .bind(id.bytes())
            .bind(at.as_micros())
            .execute(&mut *tx)
            .await
            .or_failed("note the use of api keys")?;
        }
        Ok(())
    }
}
