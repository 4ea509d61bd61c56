use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use worktruck_core::store::{
    DataKey, Put, SealedSecret, SecretName, SecretStore, check_key_swap, check_swap, data_key_scope, secret_scope,
};
use worktruck_core::{Cursor, Error, Page, PageRequest, Result, TenantId};

use crate::PgStore;
use crate::error::{OrFailed as _, is_duplicate, is_referred_to};
use crate::rows::{Columns as _, is_kept, number};

#[async_trait]
impl SecretStore for PgStore {
    async fn put_secret(&self, tenant: TenantId, secret: SealedSecret) -> Result<Put> {
        secret.check()?;
        let mut writing = self.writing().await.or_failed("keep a secret")?;
        // A row that was not updated has no deleting transaction.
        let written = sqlx::query_scalar(
            "INSERT INTO secret (tenant, purpose, name, key, sealed, sealed_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant, purpose, name) DO UPDATE
                 SET key = excluded.key, sealed = excluded.sealed, sealed_at = excluded.sealed_at
             RETURNING xmax = 0",
        )
        .bind(tenant.as_uuid())
        .bind(&secret.name.purpose)
        .bind(&secret.name.name)
        .bind(i64::from(secret.key))
        .bind(&secret.sealed)
        .bind(secret.sealed_at.as_micros())
        .fetch_one(&mut *writing)
        .await;
        let is_added: bool = match written {
            Err(error) if is_referred_to(&error) => return Err(secret.without_key()),
            written => written.or_failed("keep a secret")?,
        };
        writing.done().await.or_failed("keep a secret")?;
        Ok(if is_added { Put::Added } else { Put::Replaced })
    }

    async fn secret(&self, tenant: TenantId, name: &SecretName) -> Result<Option<SealedSecret>> {
        if !is_kept(&name.purpose) || !is_kept(&name.name) {
            return Ok(None);
        }
        let row = sqlx::query(
            "SELECT purpose, name, key, sealed, sealed_at FROM secret WHERE tenant = $1 AND purpose = $2 AND name = $3",
        )
        .bind(tenant.as_uuid())
        .bind(&name.purpose)
        .bind(&name.name)
        .fetch_optional(&self.readers)
        .await
        .or_failed("read a secret")?;
        row.as_ref().map(secret).transpose()
    }

    async fn secrets(&self, tenant: TenantId, purpose: Option<&str>, page: PageRequest) -> Result<Page<SealedSecret>> {
        let scope = secret_scope(tenant, purpose);
        let after: Option<SecretName> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        if purpose.is_some_and(|purpose| !is_kept(purpose)) {
            return Ok(Page::new(Vec::new(), None));
        }
        let after = after.unwrap_or_else(|| SecretName::new("", ""));
        let rows = sqlx::query(
            "SELECT purpose, name, key, sealed, sealed_at FROM secret
             WHERE tenant = $1 AND (purpose, name) > ($2, $3) AND ($4::text IS NULL OR purpose = $4)
             ORDER BY purpose, name LIMIT $5",
        )
        .bind(tenant.as_uuid())
        .bind(&after.purpose)
        .bind(&after.name)
        .bind(purpose)
        .bind(number(page.limit() + 1)?)
        .fetch_all(&self.readers)
        .await
        .or_failed("list secrets")?;
        let found = rows.iter().map(secret).collect::<Result<_>>()?;
        Page::cut(found, page.limit(), |last| Cursor::seal(&scope, &last.name))
    }

    async fn swap_secret(&self, tenant: TenantId, old: &SealedSecret, new: SealedSecret) -> Result<()> {
        check_swap(old, &new)?;
        let mut writing = self.writing().await.or_failed("replace a secret")?;
        let swapped = sqlx::query(
            "UPDATE secret SET key = $4, sealed = $5, sealed_at = $6
             WHERE tenant = $1 AND purpose = $2 AND name = $3 AND sealed = $7",
        )
        .bind(tenant.as_uuid())
        .bind(&new.name.purpose)
        .bind(&new.name.name)
        .bind(i64::from(new.key))
        .bind(&new.sealed)
        .bind(new.sealed_at.as_micros())
        .bind(&old.sealed)
        .execute(&mut *writing)
        .await;
        let swapped = match swapped {
            Err(error) if is_referred_to(&error) => return Err(new.without_key()),
            swapped => swapped.or_failed("replace a secret")?,
        };
        writing.done().await.or_failed("replace a secret")?;
        if swapped.rows_affected() == 0 { Err(old.overtaken()) } else { Ok(()) }
    }

    async fn remove_secret(&self, tenant: TenantId, name: &SecretName) -> Result<()> {
        if !is_kept(&name.purpose) || !is_kept(&name.name) {
            return Err(Error::not_found(name));
        }
        let mut writing = self.writing().await.or_failed("remove a secret")?;
        let removed = sqlx::query("DELETE FROM secret WHERE tenant = $1 AND purpose = $2 AND name = $3")
            .bind(tenant.as_uuid())
            .bind(&name.purpose)
            .bind(&name.name)
            .execute(&mut *writing)
            .await
            .or_failed("remove a secret")?;
        writing.done().await.or_failed("remove a secret")?;
        if removed.rows_affected() == 0 { Err(Error::not_found(name)) } else { Ok(()) }
    }

    async fn data_keys(&self, tenant: TenantId) -> Result<Vec<DataKey>> {
        let rows =
            sqlx::query("SELECT number, wrapped_by, wrapped, made_at FROM data_key WHERE tenant = $1 ORDER BY number")
                .bind(tenant.as_uuid())
                .fetch_all(&self.readers)
                .await
                .or_failed("read data keys")?;
        rows.iter().map(data_key).collect()
    }

    async fn add_data_key(&self, tenant: TenantId, key: DataKey) -> Result<()> {
        key.check()?;
        let mut writing = self.writing().await.or_failed("add a data key")?;
        let inserted = sqlx::query(
            "INSERT INTO data_key (tenant, number, wrapped_by, wrapped, made_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(tenant.as_uuid())
        .bind(i64::from(key.number))
        .bind(&key.wrapped_by)
        .bind(&key.wrapped)
        .bind(key.made_at.as_micros())
        .execute(&mut *writing)
        .await;
        match inserted {
            Ok(_) => writing.done().await.or_failed("add a data key"),
            Err(error) if is_duplicate(&error) => Err(key.taken()),
            Err(error) => Err(error).or_failed("add a data key"),
        }
    }

    async fn swap_data_key(&self, tenant: TenantId, old: &DataKey, new: DataKey) -> Result<()> {
        check_key_swap(old, &new)?;
        let mut writing = self.writing().await.or_failed("wrap a data key again")?;
        let swapped = sqlx::query(
            "UPDATE data_key SET wrapped_by = $3, wrapped = $4, made_at = $5
             WHERE tenant = $1 AND number = $2 AND wrapped = $6",
        )
        .bind(tenant.as_uuid())
        .bind(i64::from(new.number))
        .bind(&new.wrapped_by)
        .bind(&new.wrapped)
        .bind(new.made_at.as_micros())
        .bind(&old.wrapped)
        .execute(&mut *writing)
        .await
        .or_failed("wrap a data key again")?;
        writing.done().await.or_failed("wrap a data key again")?;
        if swapped.rows_affected() == 0 { Err(old.overtaken()) } else { Ok(()) }
    }

    async fn remove_data_key(&self, tenant: TenantId, number: u32) -> Result<()> {
        let mut writing = self.writing().await.or_failed("remove a data key")?;
        let removed = sqlx::query("DELETE FROM data_key WHERE tenant = $1 AND number = $2")
            .bind(tenant.as_uuid())
            .bind(i64::from(number))
            .execute(&mut *writing)
            .await;
        let removed = match removed {
            Err(error) if is_referred_to(&error) => return Err(DataKey::in_use(number)),
            removed => removed.or_failed("remove a data key")?,
        };
        writing.done().await.or_failed("remove a data key")?;
        if removed.rows_affected() == 0 { Err(DataKey::unknown(number)) } else { Ok(()) }
    }

    async fn all_data_keys(&self, page: PageRequest) -> Result<Page<(TenantId, DataKey)>> {
        let scope = data_key_scope();
        let after: Option<(TenantId, u32)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let rows = sqlx::query(
            "SELECT tenant, number, wrapped_by, wrapped, made_at FROM data_key WHERE (tenant, number) > ($1, $2)
             ORDER BY tenant, number LIMIT $3",
        )
        .bind(after.map(|(tenant, _)| tenant.as_uuid()).unwrap_or_default())
        .bind(after.map_or(0, |(_, last)| i64::from(last)))
        .bind(number(page.limit() + 1)?)
        .fetch_all(&self.readers)
        .await
        .or_failed("list data keys")?;
        let of_tenant = |row: &PgRow| -> Result<(TenantId, DataKey)> {
            Ok((TenantId::from_uuid(row.id("tenant")?), data_key(row)?))
        };
        let data = rows.iter().take(page.limit()).map(of_tenant).collect::<Result<Vec<_>>>()?;
        let next = match data.last() {
            Some((tenant, key)) if rows.len() > data.len() => Some(Cursor::seal(&scope, &(tenant, key.number))?),
            _ => None,
        };
        Ok(Page::new(data, next))
    }

    async fn shred(&self, tenant: TenantId) -> Result<()> {
        const WHAT: &str = "remove the secrets of a tenant";
        for attempt in 1..=ATTEMPTS {
            let mut writing = self.writing().await.or_failed(WHAT)?;
            let removed = sqlx::query(
                "WITH kept AS (DELETE FROM secret WHERE tenant = $1) DELETE FROM data_key WHERE tenant = $1",
            )
            .bind(tenant.as_uuid())
            .execute(&mut *writing)
            .await;
            match removed {
                Ok(_) => return writing.done().await.or_failed(WHAT),
                // A value was kept after the statement had begun.
                Err(error) if is_referred_to(&error) => {}
                Err(error) => return Err(error).or_failed(WHAT),
            }
            drop(writing);
            tokio::time::sleep(Duration::from_millis(attempt)).await;
        }
        Err(Error::unavailable("others keep secrets of this tenant too fast; try again"))
    }
}

/// How often a tenant's secrets are removed while others are kept.
const ATTEMPTS: u64 = 40;

fn secret(row: &PgRow) -> Result<SealedSecret> {
    Ok(SealedSecret {
        name: SecretName::new(row.text("purpose")?, row.text("name")?),
        key: row.number("key")?,
        sealed: row.try_get("sealed").or_failed("read a secret")?,
        sealed_at: row.time("sealed_at")?,
    })
}

fn data_key(row: &PgRow) -> Result<DataKey> {
    Ok(DataKey {
        number: row.number("number")?,
        wrapped_by: row.text("wrapped_by")?.to_owned(),
        wrapped: row.try_get("wrapped").or_failed("read a data key")?,
        made_at: row.time("made_at")?,
    })
}
