//! What the tests of the store share.

use std::fmt::Debug;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use tempfile::TempDir;
use worktruck_core::entity::Kind;
use worktruck_core::run::{BlueprintVersion, ClaimRequest};
use worktruck_core::store::{Changes, EntityKey, Provenance};
use worktruck_core::testing::CountingIds;
use worktruck_core::{EntityId, Result, TenantId, Timestamp};
use worktruck_store_sqlite::{SqliteOptions, SqliteStore};

pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// A store in a folder of its own.
pub(crate) async fn fresh() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().expect("a folder is made");
    (again(&folder).await, folder)
}

/// One more store on the file of that folder.
pub(crate) async fn again(folder: &TempDir) -> SqliteStore {
    SqliteStore::open_with(SqliteOptions::new(folder.path().join("store.db"))).await.expect("the store opens")
}

/// The file itself, past the store.
pub(crate) async fn file_of(folder: &TempDir) -> SqliteConnection {
    SqliteConnectOptions::new().filename(folder.path().join("store.db")).connect().await.expect("the file opens")
}

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

pub(crate) fn tenant(n: u16) -> TenantId {
    TenantId::new(&CountingIds::new(n), at(0))
}

pub(crate) fn contact(n: u128) -> EntityKey {
    EntityKey::new(
        Kind::Contact,
        EntityId::from_uuid(uuid::Uuid::from_u128(0x0194_a8b3_7e5a_77c1_9d0f_0000_0000_0000 + n)),
    )
}

pub(crate) fn named(name: &str) -> Value {
    json!({ "display_name": name })
}

pub(crate) fn user() -> Provenance {
    Provenance::new("user:1", "user_edit")
}

pub(crate) fn create(n: u128, name: &str) -> Changes {
    Changes::none().create(contact(n), named(name))
}

pub(crate) fn claim_any(limit: usize) -> ClaimRequest {
    let blueprints = vec![BlueprintVersion { blueprint: "echo".into(), version: 1 }];
    ClaimRequest { blueprints, limit, lease_for: LEASE }
}

/// Both answers, where errors are compared by kind.
pub(crate) fn same<T: Debug + PartialEq>(sqlite: Result<T>, memory: Result<T>, what: &dyn Debug) -> Option<T> {
    match (sqlite, memory) {
        (Ok(sqlite), Ok(memory)) => {
            assert_eq!(sqlite, memory, "{what:?}");
            Some(sqlite)
        }
        (Err(sqlite), Err(memory)) => {
            assert_eq!((sqlite.kind(), sqlite.to_string()), (memory.kind(), memory.to_string()), "{what:?}");
            None
        }
        (sqlite, memory) => panic!("{what:?}: SQLite says {sqlite:?}, the reference {memory:?}"),
    }
}
