use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use worktruck_core::store::{
    DataKey, Put, SealedSecret, SecretName, SecretStore, check_key_swap, check_swap, data_key_scope, secret_scope,
};
use worktruck_core::{Cursor, Error, Page, PageRequest, Result, TenantId};

use crate::SqliteStore;
use crate::error::{OrFailed as _, is_duplicate};
use crate::rows::{Columns as _, IdBytes as _, number};
use crate::writer::Transact;

#[async_trait]
impl SecretStore for SqliteStore {
    async fn put_secret(&self, tenant: TenantId, secret: SealedSecret) -> Result<Put> {
        secret.check()?;
        self.writer.transact(Keep { tenant, secret }).await
    }

    async fn secret(&self, tenant: TenantId, name: &SecretName) -> Result<Option<SealedSecret>> {
        let row = sqlx::query(
            "SELECT purpose, name, key, sealed, sealed_at FROM secret WHERE tenant = ? AND purpose = ? AND name = ?",
        )
        .bind(tenant.bytes())
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
        let after = after.unwrap_or_else(|| SecretName::new("", ""));
        let rows = sqlx::query(
            "SELECT purpose, name, key, sealed, sealed_at FROM secret
             WHERE tenant = ?1 AND (purpose, name) > (?2, ?3) AND (?4 IS NULL OR purpose = ?4)
             ORDER BY purpose, name LIMIT ?5",
        )
        .bind(tenant.bytes())
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
        self.writer.transact(Swap { tenant, old: old.clone(), new }).await
    }

    async fn remove_secret(&self, tenant: TenantId, name: &SecretName) -> Result<()> {
        self.writer.transact(Remove { tenant, name: name.clone() }).await
    }

    async fn data_keys(&self, tenant: TenantId) -> Result<Vec<DataKey>> {
        let rows =
            sqlx::query("SELECT number, wrapped_by, wrapped, made_at FROM data_key WHERE tenant = ? ORDER BY number")
                .bind(tenant.bytes())
                .fetch_all(&self.readers)
                .await
                .or_failed("read data keys")?;
        rows.iter().map(data_key).collect()
    }

    async fn add_data_key(&self, tenant: TenantId, key: DataKey) -> Result<()> {
        key.check()?;
        self.writer.transact(AddKey { tenant, key }).await
    }

    async fn swap_data_key(&self, tenant: TenantId, old: &DataKey, new: DataKey) -> Result<()> {
        check_key_swap(old, &new)?;
        self.writer.transact(SwapKey { tenant, old: old.clone(), new }).await
    }

    async fn remove_data_key(&self, tenant: TenantId, number: u32) -> Result<()> {
        self.writer.transact(RemoveKey { tenant, number }).await
    }

    async fn all_data_keys(&self, page: PageRequest) -> Result<Page<(TenantId, DataKey)>> {
        let scope = data_key_scope();
        let after: Option<(TenantId, u32)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let (tenant, last) = after.map_or_else(|| (Vec::new(), 0), |(tenant, last)| (tenant.bytes(), last));
        let rows = sqlx::query(
            "SELECT tenant, number, wrapped_by, wrapped, made_at FROM data_key WHERE (tenant, number) > (?1, ?2)
             ORDER BY tenant, number LIMIT ?3",
        )
        .bind(tenant)
        .bind(last)
        .bind(number(page.limit() + 1)?)
        .fetch_all(&self.readers)
        .await
        .or_failed("list data keys")?;
        let of_tenant = |row: &SqliteRow| -> Result<(TenantId, DataKey)> { Ok((row.bytes("tenant")?, data_key(row)?)) };
        let data = rows.iter().take(page.limit()).map(of_tenant).collect::<Result<Vec<_>>>()?;
        let next = match data.last() {
            Some((tenant, key)) if rows.len() > data.len() => Some(Cursor::seal(&scope, &(tenant, key.number))?),
            _ => None,
        };
        Ok(Page::new(data, next))
    }

    async fn shred(&self, tenant: TenantId) -> Result<()> {
        self.writer.transact(Shred { tenant }).await
    }
}

struct Keep {
    tenant: TenantId,
    secret: SealedSecret,
}

#[async_trait]
impl Transact for Keep {
    type Output = Put;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Put> {
        let Self { tenant, secret } = self;
        if !has_key(tx, *tenant, secret.key).await? {
            return Err(secret.without_key());
        }
        let replaced = sqlx::query(
            "UPDATE secret SET key = ?4, sealed = ?5, sealed_at = ?6 WHERE tenant = ?1 AND purpose = ?2 AND name = ?3",
        );
        let added = sqlx::query(
            "INSERT INTO secret (tenant, purpose, name, key, sealed, sealed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        );
        for (query, put) in [(replaced, Put::Replaced), (added, Put::Added)] {
            let done = query
                .bind(tenant.bytes())
                .bind(&secret.name.purpose)
                .bind(&secret.name.name)
                .bind(secret.key)
                .bind(&secret.sealed)
                .bind(secret.sealed_at.as_micros())
                .execute(&mut *tx)
                .await
                .or_failed("keep a secret")?;
            if done.rows_affected() == 1 {
                return Ok(put);
            }
        }
        Err(Error::internal("a secret was neither added nor replaced"))
    }
}

struct Swap {
    tenant: TenantId,
    old: SealedSecret,
    new: SealedSecret,
}

#[async_trait]
impl Transact for Swap {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        let Self { tenant, old, new } = self;
        let swapped = sqlx::query(
            "UPDATE secret SET key = ?4, sealed = ?5, sealed_at = ?6
             WHERE tenant = ?1 AND purpose = ?2 AND name = ?3 AND sealed = ?7
                 AND EXISTS (SELECT 1 FROM data_key WHERE tenant = ?1 AND number = ?4)",
        )
        .bind(tenant.bytes())
        .bind(&new.name.purpose)
        .bind(&new.name.name)
        .bind(new.key)
        .bind(&new.sealed)
        .bind(new.sealed_at.as_micros())
        .bind(&old.sealed)
        .execute(&mut *tx)
        .await
        .or_failed("replace a secret")?;
        match swapped.rows_affected() {
            0 if has_key(tx, *tenant, new.key).await? => Err(old.overtaken()),
            0 => Err(new.without_key()),
            _ => Ok(()),
        }
    }
}

struct Remove {
    tenant: TenantId,
    name: SecretName,
}

#[async_trait]
impl Transact for Remove {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        let Self { tenant, name } = self;
        overwriting(tx, Overwrite::Deleted).await?;
        let removed = sqlx::query("DELETE FROM secret WHERE tenant = ? AND purpose = ? AND name = ?")
            .bind(tenant.bytes())
            .bind(&name.purpose)
            .bind(&name.name)
            .execute(&mut *tx)
            .await
            .or_failed("remove a secret")?;
        overwriting(tx, Overwrite::Nothing).await?;
        if removed.rows_affected() == 0 { Err(Error::not_found(name)) } else { Ok(()) }
    }
}

struct AddKey {
    tenant: TenantId,
    key: DataKey,
}

#[async_trait]
impl Transact for AddKey {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        let Self { tenant, key } = self;
        let inserted =
            sqlx::query("INSERT INTO data_key (tenant, number, wrapped_by, wrapped, made_at) VALUES (?, ?, ?, ?, ?)")
                .bind(tenant.bytes())
                .bind(key.number)
                .bind(&key.wrapped_by)
                .bind(&key.wrapped)
                .bind(key.made_at.as_micros())
                .execute(tx)
                .await;
        match inserted {
            Ok(_) => Ok(()),
            Err(error) if is_duplicate(&error) => Err(key.taken()),
            Err(error) => Err(error).or_failed("add a data key"),
        }
    }
}

struct SwapKey {
    tenant: TenantId,
    old: DataKey,
    new: DataKey,
}

#[async_trait]
impl Transact for SwapKey {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        let Self { tenant, old, new } = self;
        let swapped = sqlx::query(
            "UPDATE data_key SET wrapped_by = ?3, wrapped = ?4, made_at = ?5
             WHERE tenant = ?1 AND number = ?2 AND wrapped = ?6",
        )
        .bind(tenant.bytes())
        .bind(new.number)
        .bind(&new.wrapped_by)
        .bind(&new.wrapped)
        .bind(new.made_at.as_micros())
        .bind(&old.wrapped)
        .execute(tx)
        .await
        .or_failed("wrap a data key again")?;
        if swapped.rows_affected() == 0 { Err(old.overtaken()) } else { Ok(()) }
    }
}

struct RemoveKey {
    tenant: TenantId,
    number: u32,
}

#[async_trait]
impl Transact for RemoveKey {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        let Self { tenant, number } = *self;
        if !has_key(tx, tenant, number).await? {
            return Err(DataKey::unknown(number));
        }
        let is_in_use: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM secret WHERE tenant = ? AND key = ?)")
            .bind(tenant.bytes())
            .bind(number)
            .fetch_one(&mut *tx)
            .await
            .or_failed("remove a data key")?;
        if is_in_use {
            return Err(DataKey::in_use(number));
        }
        overwriting(tx, Overwrite::Deleted).await?;
        sqlx::query("DELETE FROM data_key WHERE tenant = ? AND number = ?")
            .bind(tenant.bytes())
            .bind(number)
            .execute(&mut *tx)
            .await
            .or_failed("remove a data key")?;
        overwriting(tx, Overwrite::Nothing).await
    }
}

struct Shred {
    tenant: TenantId,
}

#[async_trait]
impl Transact for Shred {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        overwriting(tx, Overwrite::Deleted).await?;
        for sql in ["DELETE FROM secret WHERE tenant = ?", "DELETE FROM data_key WHERE tenant = ?"] {
            sqlx::query(sql)
                .bind(self.tenant.bytes())
                .execute(&mut *tx)
                .await
                .or_failed("remove the secrets of a tenant")?;
        }
        overwriting(tx, Overwrite::Nothing).await
    }
}

/// What is overwritten in the file.
enum Overwrite {
    /// What is deleted, which costs writes.
    Deleted,
    /// Nothing: what was deleted is still there until its place is needed.
    Nothing,
}

/// Sets what deletions after it overwrite. A failure in between leaves more overwritten, never less.
async fn overwriting(tx: &mut SqliteConnection, what: Overwrite) -> Result<()> {
    let sql = match what {
        Overwrite::Deleted => "PRAGMA secure_delete = ON",
        Overwrite::Nothing => "PRAGMA secure_delete = OFF",
    };
    sqlx::query(sql).execute(tx).await.or_failed("say what deletions overwrite").map(drop)
}

async fn has_key(tx: &mut SqliteConnection, tenant: TenantId, number: u32) -> Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM data_key WHERE tenant = ? AND number = ?)")
        .bind(tenant.bytes())
        .bind(number)
        .fetch_one(tx)
        .await
        .or_failed("look for a data key")
}

fn secret(row: &SqliteRow) -> Result<SealedSecret> {
    Ok(SealedSecret {
        name: SecretName::new(row.text("purpose")?, row.text("name")?),
        key: row.number("key")?,
        sealed: row.try_get("sealed").or_failed("read a secret")?,
        sealed_at: row.time("sealed_at")?,
    })
}

fn data_key(row: &SqliteRow) -> Result<DataKey> {
    Ok(DataKey {
        number: row.number("number")?,
        wrapped_by: row.text("wrapped_by")?.to_owned(),
        wrapped: row.try_get("wrapped").or_failed("read a data key")?,
        made_at: row.time("made_at")?,
    })
}
