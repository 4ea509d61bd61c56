//! Whether the tables are what the store promises them to be.

mod checks;

use std::collections::BTreeSet;
use std::fmt;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use uuid::Uuid;
use worktruck_core::{EntityId, Result, RunId, TenantId};

use crate::PgStore;
use crate::entity::Unfound;
use crate::error::OrFailed as _;
use crate::rows::Columns as _;

use checks::{CHAIN, Check, OF_ENTITIES, OF_RUNS, OF_TENANTS, SORT_KEYS, TERMS, UNREADABLE, WORDS};

/// A promise of the tables that is broken, and where.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub what: &'static str,
    /// The tenant.
    pub tenant: TenantId,
    /// The kind of the entity, if it is about one.
    pub kind: Option<String>,
    /// The entity, if it is about one.
    pub id: Option<EntityId>,
    /// The run, if it is about one.
    pub run: Option<RunId>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {}", self.tenant)?;
        if let (Some(kind), Some(id)) = (&self.kind, &self.id) {
            write!(f, ", {kind} {id}")?;
        }
        if let Some(run) = &self.run {
            write!(f, ", run {run}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// How many places are told for one promise.
const MOST: usize = 100;

const VERIFY: &str = "verify its tables";

/// The tenants that are looked at, by their ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenants {
    pub(crate) first: Uuid,
    pub(crate) last: Uuid,
}

impl PgStore {
    /// Reads all tables, or what they have of one tenant, and tells where they are not what the store
    /// promises; nothing if they are sound.
    ///
    /// No slices of an entity overlap in both times; what holds is a head, and heads are found, sorted
    /// and searched by what they say; commits are numbered; what has not ended is in the queue, and
    /// journals are what was recorded, their chains computed again. Of each promise at most 100 places
    /// are told. A journal is not computed where something else is wrong with its run.
    ///
    /// It sees one moment and changes nothing, on a connection of its own and however long it takes:
    /// ask a copy of a large database, because the server keeps what is deleted meanwhile.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the server cannot be reached; `InvalidRequest` if this user may not read
    /// the tables.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "testing")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> worktruck_core::Result<()> {
    /// # use worktruck_store_pg::{PgStore, testing::Database};
    /// # let database = Database::fresh().await?;
    /// # let url = database.url();
    /// let store = PgStore::open(url).await?;
    /// for finding in store.verify(None).await? {
    ///     panic!("{finding}");
    /// }
    /// # store.close().await;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "testing"))]
    /// # fn main() {}
    /// ```
    pub async fn verify(&self, tenant: Option<TenantId>) -> Result<Vec<Finding>> {
        let session = self.options().reading();
        let tenants = tenant.map_or(Tenants { first: Uuid::nil(), last: Uuid::max() }, |tenant| {
            let id = tenant.as_uuid();
            Tenants { first: id, last: id }
        });
        let mut connection = session.connect().connect().await.or_failed(VERIFY)?;
        connection.execute(sqlx::raw_sql(AssertSqlSafe(session.look()))).await.or_failed(VERIFY)?;
        let found = look(&mut connection, tenants).await?;
        connection.execute("COMMIT").await.or_failed(VERIFY)?;
        connection.close().await.or_failed(VERIFY)?;
        Ok(found)
    }
}

async fn look(connection: &mut PgConnection, tenants: Tenants) -> Result<Vec<Finding>> {
    // What is found in two ways is told once.
    let mut found = BTreeSet::new();
    for check in &OF_TENANTS {
        for row in rows(connection, check, tenants).await? {
            found.insert(of_tenant(check.what, &row)?);
        }
    }
    for check in &OF_ENTITIES {
        for row in rows(connection, check, tenants).await? {
            found.insert(of_entity(check.what, &row)?);
        }
    }
    for (unfound, rows) in crate::entity::unfound(connection, tenants, MOST).await? {
        let what = match unfound {
            Unfound::Terms => TERMS,
            Unfound::SortKeys => SORT_KEYS,
            Unfound::Words => WORDS,
            Unfound::All => UNREADABLE,
        };
        for row in rows {
            found.insert(of_entity(what, &row)?);
        }
    }
    let mut named = BTreeSet::new();
    for check in &OF_RUNS {
        for row in rows(connection, check, tenants).await? {
            let run = RunId::from_uuid(row.id("run")?);
            let finding = Finding { run: Some(run), ..of_tenant(check.what, &row)? };
            named.insert((finding.tenant, run));
            found.insert(finding);
        }
    }
    for (tenant, run) in crate::run::unchained(connection, tenants, &named, MOST).await? {
        found.insert(Finding { what: CHAIN, tenant, kind: None, id: None, run: Some(run) });
    }
    // In order of what is wrong.
    let (mut last, mut count) = ("", 0);
    found.retain(|finding| {
        count = if finding.what == last { count + 1 } else { 1 };
        last = finding.what;
        count <= MOST
    });
    Ok(found.into_iter().collect())
}

async fn rows(connection: &mut PgConnection, check: &Check, tenants: Tenants) -> Result<Vec<PgRow>> {
    sqlx::query(AssertSqlSafe(format!("{} LIMIT {MOST}", check.sql)))
        .bind(tenants.first)
        .bind(tenants.last)
        .fetch_all(connection)
        .await
        .or_failed(VERIFY)
}

fn of_tenant(what: &'static str, row: &PgRow) -> Result<Finding> {
    Ok(Finding { what, tenant: TenantId::from_uuid(row.id("tenant")?), kind: None, id: None, run: None })
}

fn of_entity(what: &'static str, row: &PgRow) -> Result<Finding> {
    let (kind, id) = (row.text("kind")?.to_owned(), EntityId::from_uuid(row.id("id")?));
    Ok(Finding { kind: Some(kind), id: Some(id), ..of_tenant(what, row)? })
}
