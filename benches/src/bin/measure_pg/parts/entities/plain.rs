use serde_json::Value;
use sqlx::postgres::{PgPoolOptions, PgRow};
use sqlx::{Executor as _, PgPool, Row as _};
use uuid::Uuid;
use worktruck_agents::clock::SystemClock;
use worktruck_core::Clock as _;
use worktruck_core::entity::{Kind, index};

use crate::Result;

use super::Op;
use super::pick::{Picks, VERSIONS, Walk, World, body};

/// The same contacts in a table without history.
///
/// It is found by the same things as in the store: by its key, in order of creation, by its terms,
/// by name, by the time of the last update, and by words.
#[derive(Debug)]
pub(super) struct Plain {
    pool: PgPool,
}

const TABLE: &str = "
    CREATE TABLE plain (
        tenant uuid NOT NULL, kind text COLLATE \"C\" NOT NULL, id uuid NOT NULL, created_at bigint NOT NULL,
        updated_at bigint NOT NULL, version bigint NOT NULL, body json NOT NULL, terms text[] NOT NULL,
        display_name text COLLATE \"C\" NOT NULL, words tsvector NOT NULL, PRIMARY KEY (tenant, kind, id)
    ) WITH (fillfactor = 70);
    CREATE INDEX plain_created ON plain (tenant, kind, created_at, id);
    CREATE INDEX plain_updated ON plain (tenant, kind, updated_at, id);
    CREATE INDEX plain_name ON plain (tenant, kind, display_name, id);
    CREATE INDEX plain_terms ON plain USING gin (terms);
    CREATE INDEX plain_words ON plain USING gin (words);";

/// How many rows one statement inserts.
const BATCH: usize = 1_000;

impl Plain {
    /// Writes the newest version of every contact.
    pub(super) async fn load(url: &str, connections: u32, world: &World) -> Result<Self> {
        let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false).connect(url).await?;
        pool.execute(TABLE).await?;
        for (tenant, keys) in &world.tenants {
            let numbered: Vec<_> = keys.iter().enumerate().collect();
            for batch in numbered.chunks(BATCH) {
                insert(&pool, tenant.as_uuid(), batch, world).await?;
            }
        }
        Ok(Self { pool })
    }

    /// Does something once.
    pub(super) async fn once(&self, op: Op, picks: &mut Picks) -> Result<()> {
        match op {
            Op::Read | Op::ReadAsOf => {
                let (tenant, key, _) = picks.contact();
                let row = sqlx::query(
                    "SELECT id, created_at, updated_at, version, body FROM plain
                     WHERE tenant = $1 AND kind = $2 AND id = $3",
                )
                .bind(tenant.as_uuid())
                .bind(Kind::Contact.as_str())
                .bind(key.id.as_uuid())
                .fetch_one(&self.pool)
                .await?;
                read(&row)?;
            }
            Op::List | Op::ListAsOf => self.list(picks).await?,
            Op::Update => {
                let (tenant, key, n) = picks.contact();
                let done = sqlx::query(
                    "UPDATE plain SET body = $4, updated_at = $5, version = version + 1
                     WHERE tenant = $1 AND kind = $2 AND id = $3",
                )
                .bind(tenant.as_uuid())
                .bind(Kind::Contact.as_str())
                .bind(key.id.as_uuid())
                .bind(sqlx::types::Json(Picks::update(n)))
                .bind(SystemClock::new().now().as_micros())
                .execute(&self.pool)
                .await?;
                if done.rows_affected() != 1 {
                    return Err(format!("{key} is not there").into());
                }
            }
        }
        Ok(())
    }

    async fn list(&self, picks: &mut Picks) -> Result<()> {
        let walk = picks.walk();
        let rows = sqlx::query(
            "SELECT id, created_at, updated_at, version, body FROM plain
             WHERE tenant = $1 AND kind = $2 AND (created_at, id) > ($3, $4) ORDER BY created_at, id LIMIT 51",
        )
        .bind(walk.tenant.as_uuid())
        .bind(Kind::Contact.as_str())
        .bind(walk.after.0)
        .bind(walk.after.1)
        .fetch_all(&self.pool)
        .await?;
        let page: Vec<_> = rows.iter().take(50).map(read).collect::<Result<_>>()?;
        match page.last() {
            Some((after, _)) if page.len() == 50 => {
                picks.walk = (rows.len() > 50).then_some(Walk { after: *after, ..walk });
                Ok(())
            }
            _ => Err(format!("a page has {} contacts", page.len()).into()),
        }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A row as a program wants it: where it is in the list, and its body.
fn read(row: &PgRow) -> Result<((i64, Uuid), Value)> {
    let _: (i64, i64) = (row.try_get("updated_at")?, row.try_get("version")?);
    Ok(((row.try_get("created_at")?, row.try_get("id")?), row.try_get("body")?))
}

async fn insert(
    pool: &PgPool,
    tenant: Uuid,
    batch: &[(usize, &worktruck_core::store::EntityKey)],
    world: &World,
) -> Result<()> {
    let (mut ids, mut bodies, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let (mut terms, mut words) = (Vec::new(), Vec::new());
    for (n, key) in batch {
        let body = body(*n, VERSIONS - 1);
        let found_by = index(Kind::Contact, &body)?;
        ids.push(key.id.as_uuid());
        bodies.push(body.to_string());
        names.push(body["display_name"].as_str().unwrap_or_default().to_lowercase());
        let of_row: Vec<String> = found_by.terms.iter().map(|term| format!("{}={}", term.name, term.value)).collect();
        terms.push(of_row.join("\n"));
        words.push(found_by.text);
    }
    sqlx::query(
        "INSERT INTO plain (tenant, kind, id, created_at, updated_at, version, body, terms, display_name, words)
         SELECT $1, $2, id, $3, $4, 10, body::json, string_to_array(terms, chr(10)), name, to_tsvector('simple', words)
         FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[]) AS r(id, body, terms, name, words)",
    )
    .bind(tenant)
    .bind(Kind::Contact.as_str())
    .bind(world.written_at(0).as_micros())
    .bind(world.written_at(VERSIONS - 1).as_micros())
    .bind(ids)
    .bind(bodies)
    .bind(terms)
    .bind(names)
    .bind(words)
    .execute(pool)
    .await?;
    Ok(())
}
