//! What is known of API keys.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;
use worktruck_core::store::{ApiKey, ApiKeyStore, AuditEntry, NewApiKey, api_key_scope};
use worktruck_core::{ApiKeyId, Cursor, Digest, Page, PageRequest, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::audit::Audit;
use crate::error::{OrFailed as _, is_duplicate};
use crate::rows::{Columns as _, check_kept, number, to_json};
use crate::statement::{Rows as _, Statement, columns};

const COLUMNS: &str = "body::text AS body, revoked_at, last_used_at";

columns! {
    /// New rows of `api_key`.
    Keys {
        tenant: Uuid = "uuid", id: Uuid = "uuid", hash: Vec<u8> = "bytea", created_at: i64 = "bigint",
        body: String = "text",
    }
}

columns! {
    /// When keys were used.
    Used { tenant: Uuid = "uuid", id: Uuid = "uuid", at: i64 = "bigint" }
}

#[async_trait]
impl ApiKeyStore for PgStore {
    async fn add_api_key(&self, new: NewApiKey, audit: AuditEntry) -> Result<()> {
        check(&new.key)?;
        audit.check()?;
        let (tenant, id, at) = (new.key.tenant_id, new.key.id, new.key.created_at);
        let mut statement = Statement::default();
        add(&new, "TRUE", &mut statement)?;
        record(tenant, id, audit, "TRUE", at, &mut statement)?;
        let mut writing = self.writing().await.or_failed("add an api key")?;
        match statement.fetch(&mut writing, "SELECT 1").await {
            Err(error) if is_duplicate(&error) => Err(new.key.taken()),
            Err(error) => Err(error).or_failed("add an api key"),
            Ok(_) => writing.done().await.or_failed("add an api key"),
        }
    }

    async fn api_key_by_hash(&self, hash: Digest) -> Result<Option<ApiKey>> {
        let row = sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM api_key WHERE hash = $1")))
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
        let (at, id) = after.map_or((i64::MAX, Uuid::max()), |(at, id)| (at, id.as_uuid()));
        let sql = format!(
            "SELECT {COLUMNS} FROM api_key WHERE tenant = $1 AND (created_at, id) < ($2, $3)
             ORDER BY created_at DESC, id DESC LIMIT $4"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(tenant.as_uuid())
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
        instead.iter().try_for_each(|new| check(&new.key))?;
        audit.check()?;
        let mut statement = Statement::default();
        let [of, key, at] =
            [statement.bind(tenant.as_uuid()), statement.bind(id.as_uuid()), statement.bind(now.as_micros())];
        statement.with(
            "revoked",
            format!(
                "UPDATE api_key SET revoked_at = {at} WHERE tenant = {of} AND id = {key} AND revoked_at IS NULL
                 RETURNING body, revoked_at, last_used_at"
            ),
        );
        let only_if = "EXISTS (SELECT 1 FROM revoked)";
        if let Some(new) = &instead {
            add(new, only_if, &mut statement)?;
        }
        record(tenant, id, audit, only_if, now, &mut statement)?;
        let mut writing = self.writing().await.or_failed("revoke an api key")?;
        let revoked = match statement.fetch(&mut writing, &format!("SELECT {COLUMNS} FROM revoked")).await {
            Err(error) if is_duplicate(&error) => {
                return Err(instead.map_or_else(|| ApiKey::unknown(id), |new| new.key.taken()));
            }
            rows => rows.or_failed("revoke an api key")?,
        };
        if let Some(row) = revoked.first() {
            let key = read(row)?;
            writing.done().await.or_failed("revoke an api key")?;
            return Ok(key);
        }
        let mut key = load(&mut writing, tenant, id).await?.ok_or_else(|| ApiKey::unknown(id))?;
        key.revoke(now)?;
        Err(worktruck_core::Error::unavailable(format!("api key {id} was written just now; try again")))
    }

    async fn note_api_key_use(&self, used: Vec<(TenantId, ApiKeyId, Timestamp)>) -> Result<()> {
        let mut rows = Used::default();
        let mut newest = std::collections::BTreeMap::new();
        for (tenant, id, at) in used {
            let known = newest.entry((tenant, id)).or_insert(at);
            *known = at.max(*known);
        }
        for ((tenant, id), at) in newest {
            rows.push(tenant.as_uuid(), id.as_uuid(), at.as_micros());
        }
        if rows.is_empty() {
            return Ok(());
        }
        let mut statement = Statement::default();
        let rows = rows.bind(&mut statement, "c");
        statement.with(
            "noted",
            format!(
                "UPDATE api_key k SET last_used_at = greatest(k.last_used_at, c.at) FROM {rows}
                 WHERE k.tenant = c.tenant AND k.id = c.id"
            ),
        );
        let mut writing = self.writing().await.or_failed("note the use of api keys")?;
        statement.fetch(&mut writing, "SELECT 1").await.or_failed("note the use of api keys")?;
        writing.done().await.or_failed("note the use of api keys")
    }
}

fn check(key: &ApiKey) -> Result<()> {
    key.check()?;
    check_kept("/name", &key.name)
}

/// Adds the part that writes a key, where the condition holds.
fn add(NewApiKey { key, hash }: &NewApiKey, only_if: &str, statement: &mut Statement) -> Result<()> {
    let mut rows = Keys::default();
    let (tenant, id, at) = (key.tenant_id.as_uuid(), key.id.as_uuid(), key.created_at.as_micros());
    rows.push(tenant, id, hash.as_bytes().to_vec(), at, to_json(key)?);
    let rows = rows.bind(statement, "c");
    statement.with(
        "added",
        format!(
            "INSERT INTO api_key (tenant, id, hash, created_at, body)
             SELECT tenant, id, hash, created_at, body::json FROM {rows} WHERE {only_if}"
        ),
    );
    Ok(())
}

fn record(
    tenant: TenantId,
    id: ApiKeyId,
    audit: AuditEntry,
    only_if: &str,
    at: Timestamp,
    statement: &mut Statement,
) -> Result<()> {
    let mut rows = Audit::default();
    let name = audit.about(id);
    rows.add(&audit.recorded(tenant, &name, 0, at))?;
    rows.write(only_if, statement);
    Ok(())
}

async fn load(connection: &mut PgConnection, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let row = sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM api_key WHERE tenant = $1 AND id = $2")))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(connection)
        .await
        .or_failed("read an api key")?;
    row.as_ref().map(read).transpose()
}

fn read(row: &PgRow) -> Result<ApiKey> {
    let (revoked_at, last_used_at) = (row.maybe_time("revoked_at")?, row.maybe_time("last_used_at")?);
    Ok(ApiKey { revoked_at, last_used_at, ..row.json("body")? })
}
