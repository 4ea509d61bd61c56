//! Random writes and reads of entities.

use worktruck_core::store::{EntityStore as _, ListQuery, Provenance, RetentionStore as _};
use worktruck_core::testing::Dice;
use worktruck_core::{Cursor, PageRequest, Period, TenantId, Timestamp};

use crate::draw;
use crate::watched::Watched;
use crate::world::{at, begin, page, person, tenants};

/// A random script about entities alone.
pub(crate) async fn script(store: &Watched, seed: u64) {
    // What is removed, and when, leaves the rest of a script as it is.
    let (mut dice, mut of_removal) = (Dice::new(seed), Dice::new(seed + 1_000));
    begin(store).await;
    let mut now = at(100);
    for _ in 0..60 {
        // Mostly forward, sometimes back: clocks do that.
        now = now.after(dice.micros(30)).before(dice.micros(6));
        let tenant = dice.pick(&tenants());
        act(store, &mut dice, tenant, &mut now).await;
        expire(store, &mut of_removal, tenant, now).await;
    }
}

/// Does something with the entities of a tenant.
pub(crate) async fn act(store: &Watched, dice: &mut Dice, tenant: TenantId, now: &mut Timestamp) {
    match dice.roll(10) {
        0..5 => write(store, dice, tenant, *now).await,
        5 => drop(store.purge(tenant, draw::key(dice), person(), *now).await),
        6 => read(store, dice, tenant, *now).await,
        7 => history(store, dice, tenant).await,
        8 => feed(store, dice, tenant).await,
        _ => walk(store, dice, tenant, now).await,
    }
}

/// Reads an entity at one moment, and slices of what is known then.
async fn read(store: &Watched, dice: &mut Dice, tenant: TenantId, now: Timestamp) {
    let (key, when) = (draw::key(dice), draw::when(dice, now));
    drop(store.entity(tenant, key, when, now).await);
    let since = when.valid_at.unwrap_or(Timestamp::EPOCH);
    for valid in [Period::starting(since), Period::starting(Timestamp::from_micros(i64::MIN))] {
        drop(store.slices(tenant, key, valid, when.as_of, now).await);
    }
}

async fn write(store: &Watched, dice: &mut Dice, tenant: TenantId, now: Timestamp) {
    let provenance = if dice.one_in(3) {
        Provenance { request_id: Some("request 7".to_owned()), ..Provenance::new("import", "import") }
    } else {
        person()
    };
    drop(store.apply(tenant, draw::changes(dice, now), provenance, now).await);
}

/// Now and then removes two pieces of what is old, up to a moment that may be yet to come.
pub(crate) async fn expire(store: &Watched, dice: &mut Dice, tenant: TenantId, now: Timestamp) {
    if !dice.one_in(12) {
        return;
    }
    let before = now.before(dice.micros(80)).after(dice.micros(4));
    for limit in 1..3 {
        drop(store.expire(tenant, before, limit, now).await);
    }
}

async fn history(store: &Watched, dice: &mut Dice, tenant: TenantId) {
    let key = draw::key(dice);
    let mut cursor = None;
    while let Ok(found) = store.history(tenant, key, page(2, cursor.take())).await {
        cursor = found.next_cursor;
        if cursor.is_none() {
            return;
        }
    }
}

async fn feed(store: &Watched, dice: &mut Dice, tenant: TenantId) {
    let mut since = None;
    while let Ok(found) = store.changes(tenant, since.take(), page(3, None)).await {
        if !found.has_more || dice.one_in(4) {
            return;
        }
        since = Some(found.next_cursor);
    }
}

/// Walks a list to its end, with writes between the pages; now and then with a cursor that does not
/// belong to it.
async fn walk(store: &Watched, dice: &mut Dice, tenant: TenantId, now: &mut Timestamp) {
    let query = draw::query(dice, *now);
    let mut cursor: Option<Cursor> = None;
    loop {
        let asked = ListQuery { page: page(2, cursor), ..query.clone() };
        let Ok(found) = store.list(tenant, asked, *now).await else { return };
        if found.next_cursor.is_none() {
            return;
        }
        if dice.one_in(8) {
            let other = ListQuery { page: PageRequest::largest(found.next_cursor.clone()), ..draw::query(dice, *now) };
            drop(store.list(tenant, other, *now).await);
        }
        cursor = found.next_cursor;
        *now = now.after(dice.micros(5));
        write(store, dice, tenant, *now).await;
    }
}
