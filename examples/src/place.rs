//! Where an example keeps its store.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;

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
                let new = NewTenant { id, slug: "example".to_owned(), name: None };
                store.create_tenant(new, clock.now()).await?.id
            }
        };
        let newest = store.runs(tenant, RunQuery::default()).await?;
        let unfinished = newest.data.into_iter().find(|run| !run.status.is_terminal());
        Ok((store, tenant, unfinished))
    }
}
