//! Brings the schema up to date, once however many processes begin at the same time.

use sqlx::{Connection as _, PgConnection};
use worktruck_core::{Digest, Error, Result};

use crate::access;
use crate::error::{OrFailed as _, cannot_open};
use crate::options::PgOptions;
use crate::rows::Columns as _;

/// A step of the schema.
struct Migration {
    version: i64,
    /// The oldest version whose software can still work on the schema after this step.
    oldest: i64,
    sql: &'static str,
}

/// Steps are only ever added, and what is already there is not taken away before the software that
/// needs it is two versions old.
const MIGRATIONS: [Migration; 11] = [
    Migration { version: 1, oldest: 1, sql: include_str!("../migrations/0001_tenants.sql") },
    Migration { version: 2, oldest: 2, sql: include_str!("../migrations/0002_runs.sql") },
    Migration { version: 3, oldest: 3, sql: include_str!("../migrations/0003_entities.sql") },
    Migration { version: 4, oldest: 3, sql: include_str!("../migrations/0004_readers.sql") },
    Migration { version: 5, oldest: 3, sql: include_str!("../migrations/0005_views.sql") },
    Migration { version: 6, oldest: 6, sql: include_str!("../migrations/0006_retention.sql") },
    Migration { version: 7, oldest: 6, sql: include_str!("../migrations/0007_secrets.sql") },
    Migration { version: 8, oldest: 8, sql: include_str!("../migrations/0008_outbox.sql") },
    Migration { version: 9, oldest: 9, sql: include_str!("../migrations/0009_approvals.sql") },
    Migration { version: 10, oldest: 10, sql: include_str!("../migrations/0010_audit.sql") },
    Migration { version: 11, oldest: 11, sql: include_str!("../migrations/0011_service.sql") },
];

/// Checks the schema, and brings it up to date where the options allow.
pub(crate) async fn migrate(options: &PgOptions) -> Result<()> {
    let place = options.place();
    let connect = options.plain();
    let mut connection = PgConnection::connect_with(&connect).await.map_err(|e| cannot_open(&place, e))?;
    // Whoever waited for another process must see what that one did.
    let mut tx =
        connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(|e| cannot_open(&place, e))?;
    // A pool may have given this connection to others before. Migrations take as long as they take.
    let settings = format!(
        "DEALLOCATE ALL; SET LOCAL search_path = '{}'; SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0",
        options.schema()
    );
    run(&mut tx, &place, settings).await?;
    check_server(&mut tx, &place).await?;
    if options.migrates() {
        // Two processes that begin at once take turns; the second finds nothing left to do.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('worktruck migrations ' || $1, 0))")
            .bind(options.schema())
            .execute(&mut *tx)
            .await
            .map_err(|e| cannot_open(&place, e))?;
        catch_up(&mut tx, options).await?;
    }
    let applied = applied(&mut tx, options).await?;
    check_versions(&applied, options)?;
    tx.commit().await.map_err(|e| cannot_open(&place, e))?;
    connection.close().await.or_failed("close a connection")
}

async fn check_server(connection: &mut PgConnection, place: &str) -> Result<()> {
    let (version, is_read_only): (i32, bool) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int,
             pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean",
    )
    .fetch_one(connection)
    .await
    .map_err(|e| cannot_open(place, e))?;
    check_release(version, place)?;
    if is_read_only {
        return Err(Error::invalid(format!(
            "the store {place} cannot be opened: its server takes no writes, as a standby does; connect to the primary"
        )));
    }
    Ok(())
}

/// The number of a release is 150003 for 15.3.
fn check_release(number: i32, place: &str) -> Result<()> {
    if number < 150_000 {
        return Err(Error::invalid(format!(
            "the store {place} cannot be opened: its server is PostgreSQL {}, and 15 or later is needed",
            number / 10_000
        )));
    }
    Ok(())
}

struct Applied {
    version: i64,
    oldest: i64,
    digest: Option<Digest>,
}

/// What was applied, in order; nothing if there is no store yet.
async fn applied(connection: &mut PgConnection, options: &PgOptions) -> Result<Vec<Applied>> {
    let place = options.place();
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1 || '.migration') IS NOT NULL")
        .bind(options.schema())
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| cannot_open(&place, e))?;
    if !exists {
        return Ok(Vec::new());
    }
    if access::is_bound(connection).await.map_err(|e| cannot_open(&place, e))? {
        return Err(Error::invalid(format!(
            "the store {place} cannot be opened: this user does not own the tables, and row-level security would hide \
             them from it; let it be a member of the role that owns them"
        )));
    }
    let rows = sqlx::query(
        "SELECT version::bigint AS version, oldest::bigint AS oldest, digest::bytea AS digest FROM migration
         ORDER BY version",
    )
    .fetch_all(connection)
    .await
    .map_err(|e| cannot_open(&place, e))?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(Applied {
            version: row.number("version")?,
            oldest: row.number("oldest")?,
            digest: row.maybe_digest("digest")?,
        })
    };
    rows.iter().map(read).collect()
}

async fn catch_up(connection: &mut PgConnection, options: &PgOptions) -> Result<()> {
    let place = options.place();
    let schema = options.schema();
    let applied = applied(connection, options).await?;
    if applied.is_empty() {
        // Whoever has been given a schema need not be allowed to make one.
        let exists: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
            .bind(format!("\"{schema}\""))
            .fetch_one(&mut *connection)
            .await
            .map_err(|e| cannot_open(&place, e))?;
        if !exists {
            run(connection, &place, format!("CREATE SCHEMA \"{schema}\"")).await?;
        }
        let first = "CREATE TABLE IF NOT EXISTS migration (
                 version bigint NOT NULL PRIMARY KEY, oldest bigint NOT NULL, digest bytea NOT NULL,
                 applied_at timestamptz NOT NULL DEFAULT now()
             )";
        run(connection, &place, first.to_owned()).await?;
    }
    let mut is_changed = false;
    for migration in &MIGRATIONS {
        if applied.iter().any(|applied| applied.version == migration.version) {
            continue;
        }
        run(connection, &place, migration.sql.to_owned()).await?;
        sqlx::query("INSERT INTO migration (version, oldest, digest) VALUES ($1, $2, $3)")
            .bind(migration.version)
            .bind(migration.oldest)
            .bind(Digest::of_bytes(migration.sql.as_bytes()).as_bytes().to_vec())
            .execute(&mut *connection)
            .await
            .map_err(|e| cannot_open(&place, e))?;
        is_changed = true;
    }
    if is_changed { access::grant_to_all(connection, schema).await } else { Ok(()) }
}

async fn run(connection: &mut PgConnection, place: &str, sql: String) -> Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(drop).map_err(|e| cannot_open(place, e))
}

fn check_versions(applied: &[Applied], options: &PgOptions) -> Result<()> {
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    let place = format!("{}, schema {}", options.place(), options.schema());
    let known = |version| MIGRATIONS.iter().find(|migration| migration.version == version);
    for step in applied {
        match known(step.version) {
            Some(migration) if step.digest != Some(Digest::of_bytes(migration.sql.as_bytes())) => {
                return Err(Error::invalid(format!(
                    "the store {place} has tables of another software (at step {}): name another schema",
                    step.version
                )));
            }
            None if step.oldest > newest => {
                return Err(Error::invalid(format!(
                    "the store {place} was brought to version {} by newer software, and this one knows version \
                     {newest}: use the newer one",
                    step.version
                )));
            }
            Some(_) | None => {}
        }
    }
    let last = applied.iter().map(|step| step.version).max().unwrap_or(0);
    let is_there = |version| applied.iter().any(|step| step.version == version);
    if let Some(missing) = MIGRATIONS.iter().find(|step| step.version < last && !is_there(step.version)) {
        return Err(Error::invalid(format!(
            "the store {place} has tables of another software (step {} is missing): name another schema",
            missing.version
        )));
    }
    if last < newest {
        return Err(Error::invalid(format!(
            "the store {place} is at version {last}, and this software needs version {newest}: open it once with \
             migrations allowed"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use worktruck_core::ErrorKind;

    use super::check_release;

    #[test]
    fn an_old_server_is_refused_with_its_release_and_the_one_needed() {
        for number in [90_624, 120_001, 149_999] {
            let error = check_release(number, "crm at localhost:5432").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            let says = format!("crm at localhost:5432 cannot be opened: its server is PostgreSQL {}", number / 10_000);
            assert!(error.to_string().contains(&says), "{error}");
            assert!(error.to_string().contains("15 or later"), "{error}");
        }
        for number in [150_000, 150_018, 180_001] {
            check_release(number, "crm at localhost:5432").unwrap();
        }
    }
}
