//! Where an example keeps its store.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use worktruck_core::run::Run;
use worktruck_core::store::{NewTenant, RunQuery, RunStore, TenantStore};
use worktruck_core::{Clock, Digest, Error, IdSource, Result, TenantId};
use worktruck_store_sqlite::SqliteStore;

/// A store that was named, or one of the example's own that is removed when its work is done.
#[derive(Debug)]
pub struct Place {
    /// The URL of the store.
    pub url: String,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    path: PathBuf,
    /// Held while this process uses the store.
    _lock: File,
}

impl Place {
    /// The store at `url`, or a file of the example's own in the temporary folder, one for each
    /// `purpose`. If that file holds work that was broken off, it is there still.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the temporary folder cannot be written.
    pub fn find(url: Option<String>, purpose: &Digest) -> Result<Self> {
        if let Some(url) = url {
            return Ok(Self { url, own: None });
        }
        for n in 0.. {
            let path = std::env::temp_dir().join(format!("worktruck-example-{:.16}-{n}.db", purpose.to_string()));
            let unwritable = |e: std::io::Error| {
                Error::unavailable(format!("cannot write {}: {e}; name a store with --store", path.display()))
            };
            let lock = File::create(path.with_extension("lock")).map_err(unwritable)?;
            match lock.try_lock() {
                Ok(()) => {
                    create_private(&path).map_err(unwritable)?;
                    let url = format!("sqlite://{}", path.display());
                    return Ok(Self { url, own: Some(Own { path, _lock: lock }) });
                }
                // Another process is at the same work: it keeps its file.
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(unwritable(e)),
            }
        }
        Err(Error::unavailable("every store of this example is in use; name one with --store"))
    }

    /// Opens the store. One of the example's own starts empty unless it holds a run to go on with.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteStore::open`], naming the path and what to do.
    pub async fn open(&self, ids: &dyn IdSource, clock: &dyn Clock) -> Result<(SqliteStore, TenantId, Option<Run>)> {
        match self.open_as_it_is(ids, clock).await {
            found if self.own.is_none() => return found,
            Ok(found) if found.2.is_some() => return Ok(found),
            Ok((store, ..)) => store.close().await,
            Err(error) => tracing::debug!(error = %error.chain(), "the example's own store is of no use any more"),
        }
        self.clear();
        if let Some(Own { path, .. }) = &self.own {
            create_private(path).map_err(|e| Error::unavailable(format!("cannot write {}: {e}", path.display())))?;
        }
        self.open_as_it_is(ids, clock).await
    }

    /// Removes a store of the example's own; one that was named stays.
    pub fn clear(&self) {
        if let Some(Own { path, .. }) = &self.own {
            for suffix in ["", "-wal", "-shm"] {
                // What is not there need not be removed.
                let _ = fs::remove_file(format!("{}{suffix}", path.display()));
            }
        }
    }

    async fn open_as_it_is(
        &self,
        ids: &dyn IdSource,
        clock: &dyn Clock,
    ) -> Result<(SqliteStore, TenantId, Option<Run>)> {
        let store = SqliteStore::open(&self.url).await?;
        let tenant = match store.tenant_by_slug("example").await? {
            Some(tenant) => tenant.id,
            None => {
                let id = TenantId::new(ids, clock.now());
                let new = NewTenant::new(id, "example");
                store.create_tenant(new, clock.now()).await?.id
            }
        };
        let newest = store.runs(tenant, RunQuery::default()).await?;
        let unfinished = newest.data.into_iter().find(|run| !run.status.is_terminal());
        Ok((store, tenant, unfinished))
    }
}

/// Makes sure that the file is there, and that a new one is for its owner alone: it will hold data
/// of people, in a folder that everybody shares. SQLite gives its other files the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_store_of_the_example_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.db");
        create_private(&path).unwrap();
        let store = SqliteStore::open(&format!("sqlite://{}", path.display())).await.unwrap();
        for name in ["own.db", "own.db-wal"] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        store.close().await;
    }
}
