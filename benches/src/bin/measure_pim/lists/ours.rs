use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_benches::Result;
use worktruck_core::entity::Kind;
use worktruck_core::entity::contact::Contact;
use worktruck_core::entity::deal::Deal;
use worktruck_core::entity::event::Event;
use worktruck_core::entity::note::Note;
use worktruck_core::entity::task::Task;
use worktruck_core::pim::{Pim, Record};
use worktruck_core::store::{Changes, EntityKey, EntityStore, Provenance};
use worktruck_core::temporal::WriteOp;
use worktruck_core::{Cursor, EntityId, TenantId, Timestamp};

use super::bodies::body;
use super::world::{World, began};

/// How many entities one commit writes.
pub(super) const BATCH: usize = 400;

/// Entities in a store.
#[derive(Debug)]
pub(super) struct Ours {
    pim: Pim,
    tenant: TenantId,
}

/// When what was written.
#[derive(Debug)]
pub(super) struct Written {
    /// The first and the last time of each entity that is measured, by kind and number.
    times: BTreeMap<(Kind, usize), (i64, i64)>,
    /// The time of the commit in the middle.
    pub(super) middle: Timestamp,
    pub(super) commits: u32,
    pub(super) took: Duration,
}

/// What a list is read by.
#[derive(Clone, Debug)]
pub(super) struct Read<'a> {
    pub(super) filter: &'a Map<String, Value>,
    pub(super) sort: &'static str,
    pub(super) is_down: bool,
    pub(super) limit: u16,
    pub(super) cursor: Option<Cursor>,
    pub(super) as_of: Option<Timestamp>,
}

impl Written {
    /// When the entity was first written, and when last.
    pub(super) fn times(&self, kind: Kind, n: usize) -> (i64, i64) {
        self.times.get(&(kind, n)).copied().unwrap_or_default()
    }
}

impl Ours {
    /// Writes all versions of all entities.
    pub(super) async fn load(store: Arc<dyn EntityStore>, world: &World) -> Result<(Self, Written)> {
        let (times, took) = (BTreeMap::new(), Duration::ZERO);
        let mut written = Written { times, middle: began(), commits: 0, took };
        let began_at = Instant::now();
        for batch in world.beside().chunks(BATCH) {
            let new = batch.iter().fold(Changes::none(), |changes, (key, body)| changes.create(*key, body.clone()));
            written.commit(&*store, world, new).await?;
        }
        let first = written.commits;
        let (commits, mut batch) = (world.versions().div_ceil(BATCH), Vec::with_capacity(BATCH));
        let mut writes = world.writes();
        loop {
            batch.clear();
            batch.extend(writes.by_ref().take(BATCH));
            if batch.is_empty() {
                break;
            }
            let mut changes = Changes::none();
            for (kind, n, version) in &batch {
                let (key, body) = (EntityKey::new(*kind, world.id(*kind, *n)), body(world, *kind, *n, *version));
                changes = match version {
                    0 => changes.create(key, body),
                    _ => changes.write(key, WriteOp::Put(body)),
                };
            }
            let at = written.commit(&*store, world, changes).await?;
            if usize::try_from(written.commits - first)? == commits / 2 {
                written.middle = at;
            }
            for (kind, n, _) in &batch {
                written.times.entry((*kind, *n)).or_insert((at.as_micros(), 0)).1 = at.as_micros();
            }
        }
        written.took = began_at.elapsed();
        let pim = Pim::new(store, Arc::new(SystemClock::new()), Arc::new(RandomIds::new()));
        Ok((Self { pim, tenant: world.tenant }, written))
    }

    /// A page of a list: the ids, and where it goes on.
    pub(super) async fn page(&self, kind: Kind, read: &Read<'_>) -> Result<(Vec<EntityId>, Option<Cursor>)> {
        match kind {
            Kind::Deal => self.page_of::<Deal>(read).await,
            Kind::Task => self.page_of::<Task>(read).await,
            Kind::Event => self.page_of::<Event>(read).await,
            Kind::Note => self.page_of::<Note>(read).await,
            _ => self.page_of::<Contact>(read).await,
        }
    }

    async fn page_of<E: Record>(&self, read: &Read<'_>) -> Result<(Vec<EntityId>, Option<Cursor>)> {
        let mut records = self.pim.records::<E>(self.tenant);
        if let Some(as_of) = read.as_of {
            records = records.as_of(as_of);
        }
        let filter = serde_json::from_value(Value::Object(read.filter.clone()))?;
        let mut list = records.list(filter).sort(serde_json::from_value(json!(read.sort))?).limit(read.limit);
        if read.is_down {
            list = list.descending();
        }
        if let Some(cursor) = &read.cursor {
            list = list.after(cursor.clone());
        }
        let page = list.await?;
        Ok((page.data.iter().map(|stored| stored.id).collect(), page.next_cursor))
    }
}

impl Written {
    /// Makes a commit, a minute after the one before.
    async fn commit(&mut self, store: &dyn EntityStore, world: &World, changes: Changes) -> Result<Timestamp> {
        let now = began().after(Duration::from_secs(60) * self.commits);
        self.commits += 1;
        Ok(store.apply(world.tenant, changes, Provenance::new("user:1", "import"), now).await?.at)
    }
}
