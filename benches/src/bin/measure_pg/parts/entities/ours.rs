use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use worktruck_agents::clock::SystemClock;
use worktruck_core::entity::Kind;
use worktruck_core::store::{Changes, EntityStore as _, ListQuery, Provenance};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{Clock as _, PageRequest};
use worktruck_store_pg::PgStore;

use crate::Result;
use crate::store;

use super::Op;
use super::pick::{Picks, VERSIONS, Walk, World, body};

/// Contacts in the store.
#[derive(Debug)]
pub(super) struct Ours {
    store: PgStore,
}

/// How many contacts one commit writes.
const BATCH: usize = 500;

impl Ours {
    /// Writes all versions of all contacts, tenants side by side; gives how long it took.
    pub(super) async fn load(url: &str, pool: u32, world: &Arc<World>) -> Result<(Self, Duration)> {
        let store = Arc::new(store::open(url, pool).await?);
        let began = Instant::now();
        let mut tasks: JoinSet<worktruck_core::Result<()>> = JoinSet::new();
        for tenant in 0..world.tenants.len() {
            tasks.spawn(load(Arc::clone(&store), Arc::clone(world), tenant));
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        let store = Arc::into_inner(store).ok_or("a task that loads has not ended")?;
        Ok((Self { store }, began.elapsed()))
    }

    /// Does something once.
    pub(super) async fn once(&self, op: Op, picks: &mut Picks) -> Result<()> {
        let now = SystemClock::new().now();
        match op {
            Op::Read | Op::ReadAsOf => {
                let (tenant, key, _) = picks.contact();
                let at = if op == Op::Read { At::NOW } else { At::as_of(picks.moment()) };
                let found = self.store.entity(tenant, key, at, now).await?;
                found.map(drop).ok_or_else(|| format!("{key} is not there").into())
            }
            Op::List | Op::ListAsOf => {
                let mut walk = picks.walk();
                let at = if op == Op::List { At::NOW } else { At::as_of(walk.as_of) };
                let page = PageRequest::new(50, walk.cursor.take())?;
                let query = ListQuery { at, page, ..ListQuery::new(Kind::Contact) };
                let found = self.store.list(walk.tenant, query, now).await?;
                if found.data.len() != 50 {
                    return Err(format!("a page has {} contacts", found.data.len()).into());
                }
                picks.walk = found.next_cursor.map(|cursor| Walk { cursor: Some(cursor), ..walk });
                Ok(())
            }
            Op::Update => {
                let (tenant, key, n) = picks.contact();
                let changes = Changes::none().write(key, WriteOp::Put(Picks::update(n)));
                self.store.apply(tenant, changes, Provenance::new("user:1", "user_edit"), now).await?;
                Ok(())
            }
        }
    }

    pub(super) async fn close(&self) {
        self.store.close().await;
    }
}

async fn load(store: Arc<PgStore>, world: Arc<World>, tenant: usize) -> worktruck_core::Result<()> {
    let (tenant, keys) = &world.tenants[tenant];
    for version in 0..VERSIONS {
        let numbered: Vec<_> = keys.iter().enumerate().collect();
        for batch in numbered.chunks(BATCH) {
            let changes = batch.iter().fold(Changes::none(), |changes, (n, key)| {
                let body = body(*n, version);
                if version == 0 { changes.create(**key, body) } else { changes.write(**key, WriteOp::Put(body)) }
            });
            store.apply(*tenant, changes, Provenance::new("user:1", "import"), world.written_at(version)).await?;
        }
    }
    Ok(())
}
