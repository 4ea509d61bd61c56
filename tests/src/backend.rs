use tempfile::TempDir;
use worktruck_store_pg::testing::Database;

/// A kind of store that keeps what it is given when its process ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// A database of a server.
    Postgres,
}

/// A place for a store that nobody else knows of, without anything in it. It is gone when dropped.
#[derive(Debug)]
pub struct Place {
    /// Names the store.
    pub url: String,
    _keeps: Keeps,
}

/// What is gone with a place.
#[derive(Debug)]
enum Keeps {
    Folder {
        _folder: TempDir,
    },
    Database {
        _database: Box<Database>,
    },
    /// Somebody else keeps it.
    Nothing,
}

impl Place {
    /// A new place.
    ///
    /// # Panics
    ///
    /// If there is none: tests that cannot have a store must fail.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "whatever goes wrong here fails the test")]
    pub async fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", folder.path().join("store.db").display());
                Self { url, _keeps: Keeps::Folder { _folder: folder } }
            }
            Backend::Postgres => {
                let database = Database::fresh().await.unwrap();
                Self { url: database.url().to_owned(), _keeps: Keeps::Database { _database: Box::new(database) } }
            }
        }
    }

    /// The place that `url` names, which somebody else keeps.
    #[must_use]
    pub const fn at(url: String) -> Self {
        Self { url, _keeps: Keeps::Nothing }
    }
}
