use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use worktruck_agents::clock::RandomIds;
use worktruck_benches::people::Random;
use worktruck_benches::workload::person;
use worktruck_core::entity::Kind;
use worktruck_core::store::EntityKey;
use worktruck_core::{Cursor, EntityId, TenantId, Timestamp};

/// How many tenants there are.
const TENANTS: usize = 10;
/// How many versions each contact has.
pub(super) const VERSIONS: usize = 10;
const DAY: Duration = Duration::from_secs(86_400);

/// The contacts that there are, and when each version was written.
#[derive(Debug)]
pub(super) struct World {
    pub(super) tenants: Vec<(TenantId, Vec<EntityKey>)>,
    began: Timestamp,
}

impl World {
    /// So many contacts for each tenant.
    pub(super) fn new(contacts: usize) -> Self {
        let (ids, began) = (RandomIds::new(), Timestamp::from_micros(1_700_000_000_000_000));
        let key = || EntityKey::new(Kind::Contact, EntityId::new(&ids, began));
        let tenant = || (TenantId::new(&ids, began), (0..contacts).map(|_| key()).collect());
        Self { tenants: (0..TENANTS).map(|_| tenant()).collect(), began }
    }

    /// How many versions there are in all.
    pub(super) fn versions(&self) -> usize {
        self.tenants.iter().map(|(_, keys)| keys.len()).sum::<usize>() * VERSIONS
    }

    /// When the versions with this number were written: a day after those before.
    pub(super) fn written_at(&self, version: usize) -> Timestamp {
        self.began.after(DAY * u32::try_from(version).unwrap_or(u32::MAX))
    }
}

/// The contact number `n` as its version with this number has it.
pub(super) fn body(n: usize, version: usize) -> Value {
    let mut body = person(u32::try_from(n).unwrap_or(u32::MAX));
    body["metadata"]["visits"] = json!(version);
    body
}

/// What a task does next.
#[derive(Debug)]
pub(super) struct Picks {
    world: Arc<World>,
    random: Random,
    /// Where a walk through the list of a tenant is.
    pub(super) walk: Option<Walk>,
}

/// A walk through a list.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub(super) tenant: TenantId,
    /// For our list.
    pub(super) cursor: Option<Cursor>,
    /// For a plain one: when the last row was created, and its id.
    pub(super) after: (i64, uuid::Uuid),
    pub(super) as_of: Timestamp,
}

/// How many updates there were: no two write the same.
static UPDATES: AtomicU64 = AtomicU64::new(0);

impl Picks {
    /// Picks that differ from those of another task.
    pub(super) const fn new(world: Arc<World>, task: u64) -> Self {
        Self { world, random: Random::new(task), walk: None }
    }

    /// A contact of a tenant, and its number.
    pub(super) fn contact(&mut self) -> (TenantId, EntityKey, usize) {
        let (tenant, keys) = &self.world.tenants[self.random.below(self.world.tenants.len())];
        let n = self.random.below(keys.len());
        (*tenant, keys[n], n)
    }

    /// A moment between two versions.
    pub(super) fn moment(&mut self) -> Timestamp {
        self.world.written_at(self.random.below(VERSIONS)).after(DAY / 2)
    }

    /// What a contact is to be from now on.
    pub(super) fn update(n: usize) -> Value {
        let mut updated = body(n, VERSIONS);
        updated["metadata"]["updated"] = json!(UPDATES.fetch_add(1, Ordering::SeqCst));
        updated
    }

    /// The walk where it is, or a new one.
    pub(super) fn walk(&mut self) -> Walk {
        if let Some(walk) = self.walk.take() {
            return walk;
        }
        let (tenant, ..) = self.contact();
        Walk { tenant, cursor: None, after: (i64::MIN, uuid::Uuid::nil()), as_of: self.moment() }
    }
}
