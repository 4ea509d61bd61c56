//! Who besides this software may read the tables: roles that are bound to one tenant.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use uuid::Uuid;
use worktruck_core::{Error, Result, TenantId};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::Columns as _;

/// What a reader may select from: the views, and the tables behind them. It gets none of the tables
/// that entities are found by, because EXPLAIN estimates from all tenants' values.
const READABLE: &str = "
    affiliations, agent_configs, attachments, attendees, calendar_events, calendars, comments, commits, contacts,
    deals, dependencies, entities, entity_history, event_links, events, group_members, groups, interactions, labels,
    merge_proposals, milestones, note_links, note_tags, notebooks, notes, pipelines, project_members, projects,
    relationships, runs, sections, stage_changes, stages, steps, task_links, task_statuses, tasks,
    entity_commit, event, head, payload, queue, reader, run, slice, step, tenant_head";

impl PgStore {
    /// Lets a role of the database read one tenant's rows, with SQL of its own.
    ///
    /// It may read the views of the schema and the tables behind them, and sees the rows of this
    /// tenant only, whatever it asks. It writes nothing. The role is one that may log in and that
    /// nobody else uses; members of it read nothing unless they `SET ROLE` to it. A role that opens
    /// the database in a session of a more powerful one, by `SET ROLE`, is not bound: what it asks may
    /// begin with `RESET ROLE`.
    ///
    /// Doing it again for the same tenant changes nothing.
    ///
    /// # Errors
    ///
    /// - `NotFound`: there is no such role, or no such tenant.
    /// - `Conflict`: the role reads another tenant.
    /// - `InvalidRequest`: no policy would bind the role, because it is a superuser, has `BYPASSRLS` or
    ///   `CREATEROLE`, owns the tables, or is a member of such a role; or the store's own role may not
    ///   give access to the schema.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(tenant: worktruck_core::TenantId) -> worktruck_core::Result<()> {
    /// use worktruck_store_pg::PgStore;
    ///
    /// let store = PgStore::open("postgres://localhost/crm").await?;
    /// // CREATE ROLE acme_analyst LOGIN PASSWORD …
    /// store.let_read("acme_analyst", tenant).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn let_read(&self, role: &str, tenant: TenantId) -> Result<()> {
        let mut connection = self.readers.acquire().await.or_failed("let a role read")?;
        let mut tx = connection.begin().await.or_failed("let a role read")?;
        take_turns(&mut tx, self.options().schema()).await?;
        let oid = check_role(&mut tx, role).await?;
        note(&mut tx, role, oid, tenant).await?;
        grant(&mut tx, self.options().schema(), role).await?;
        tx.commit().await.or_failed("let a role read")
    }

    /// Takes back what [`let_read`](Self::let_read) gave, so that the role can be dropped too.
    ///
    /// # Errors
    ///
    /// `NotFound` if the role reads nothing.
    pub async fn stop_reading(&self, role: &str) -> Result<()> {
        let mut connection = self.readers.acquire().await.or_failed("stop a role from reading")?;
        let mut tx = connection.begin().await.or_failed("stop a role from reading")?;
        let schema = self.options().schema();
        take_turns(&mut tx, schema).await?;
        let forgotten = sqlx::query("DELETE FROM reader WHERE name = $1")
            .bind(role)
            .execute(&mut *tx)
            .await
            .or_failed("stop a role from reading")?;
        if forgotten.rows_affected() == 0 {
            return Err(Error::not_found(format!("role {role:?} among those that read")));
        }
        // One that is gone has nothing any more.
        if find_role(&mut tx, role).await?.is_some() {
            let role = quoted(role);
            let sql = format!(
                "REVOKE ALL ON ALL TABLES IN SCHEMA \"{schema}\" FROM {role};
                 REVOKE ALL ON ALL FUNCTIONS IN SCHEMA \"{schema}\" FROM {role};
                 REVOKE ALL ON SCHEMA \"{schema}\" FROM {role}"
            );
            run(&mut tx, sql).await.or_failed("stop a role from reading")?;
        }
        tx.commit().await.or_failed("stop a role from reading")
    }
}

/// Gives all readers what has become readable since.
pub(crate) async fn grant_to_all(connection: &mut PgConnection, schema: &str) -> Result<()> {
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT r.name FROM reader r JOIN pg_roles p ON p.oid = r.role AND p.rolname = r.name")
            .fetch_all(&mut *connection)
            .await
            .or_failed("read the roles that read")?;
    for role in &roles {
        grant(connection, schema, role).await?;
    }
    Ok(())
}

/// Whether policies bind the role of this connection, which then sees nothing of any tenant.
pub(crate) async fn is_bound(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT row_security_active('migration'::regclass)").fetch_one(connection).await
}

/// Two that change rights of the same table would fail each other; migrations change them too.
async fn take_turns(connection: &mut PgConnection, schema: &str) -> Result<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('worktruck migrations ' || $1, 0))")
        .bind(schema)
        .execute(connection)
        .await
        .or_failed("wait for a turn")
        .map(drop)
}

async fn find_role(connection: &mut PgConnection, role: &str) -> Result<Option<PgRow>> {
    // Whoever may become another role can do what that one can.
    sqlx::query(
        "SELECT r.oid::bigint AS oid, EXISTS (
             SELECT 1 FROM pg_roles other WHERE pg_has_role(r.oid, other.oid, 'MEMBER')
                 AND (other.rolsuper OR other.rolbypassrls OR other.rolcreaterole OR other.oid IN (
                     SELECT relowner FROM pg_class WHERE oid = 'head'::regclass))
         ) AS is_free
         FROM pg_roles r WHERE r.rolname = $1",
    )
    .bind(role)
    .fetch_optional(connection)
    .await
    .or_failed("look for a role")
}

/// The number of a role that policies bind.
async fn check_role(connection: &mut PgConnection, role: &str) -> Result<i64> {
    let found = find_role(connection, role).await?;
    let found = found.ok_or_else(|| Error::not_found(format!("role {role:?}: make it with CREATE ROLE first")))?;
    if found.flag("is_free")? {
        return Err(Error::invalid(format!(
            "role {role:?} would see every tenant: it is a superuser, has BYPASSRLS or CREATEROLE, owns the tables, or is \
             a member of such a role"
        )));
    }
    found.number("oid")
}

async fn note(connection: &mut PgConnection, role: &str, oid: i64, tenant: TenantId) -> Result<()> {
    // A role of this name that was dropped is not this one.
    sqlx::query("DELETE FROM reader WHERE name = $1 AND role <> $2::bigint::oid")
        .bind(role)
        .bind(oid)
        .execute(&mut *connection)
        .await
        .or_failed("note a reader")?;
    let noted = sqlx::query(
        "INSERT INTO reader AS r (role, name, tenant) SELECT $2::bigint::oid, $1, id FROM tenant WHERE id = $3
         ON CONFLICT (role) DO UPDATE SET name = excluded.name
         RETURNING r.tenant",
    )
    .bind(role)
    .bind(oid)
    .bind(tenant.as_uuid())
    .fetch_optional(connection)
    .await
    .or_failed("note a reader")?;
    let Some(noted) = noted else { return Err(Error::not_found(format!("tenant {tenant}"))) };
    let reads: Uuid = noted.try_get("tenant").or_failed("note a reader")?;
    if reads != tenant.as_uuid() {
        return Err(Error::conflict(format!("role {role:?} reads another tenant; let it stop reading first")));
    }
    Ok(())
}

async fn grant(connection: &mut PgConnection, schema: &str, role: &str) -> Result<()> {
    let name = quoted(role);
    let sql = format!(
        "GRANT USAGE ON SCHEMA \"{schema}\" TO {name};
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA \"{schema}\" TO {name};
         GRANT SELECT ON {READABLE} TO {name}"
    );
    run(connection, sql).await.or_failed("grant a role what it may read")?;
    // Whoever may not grant is only warned.
    let may_read: bool = sqlx::query_scalar("SELECT has_schema_privilege($1, $2, 'USAGE')")
        .bind(role)
        .bind(schema)
        .fetch_one(connection)
        .await
        .or_failed("grant a role what it may read")?;
    if may_read {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the store's role may not give access to the schema {schema}: let it own the schema, or grant it USAGE WITH GRANT \
         OPTION"
    )))
}

async fn run(connection: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// A name as an identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
