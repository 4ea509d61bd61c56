//! Random writes and reads of entities.

use serde_json::{Value, json};
use worktruck_core::entity::agent_config::{AgentConfig, BLUEPRINT_TERM};
use worktruck_core::entity::contact::{Channel, ChannelKind, Contact};
use worktruck_core::entity::merge_proposal::MergeProposal;
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::{Changes, EntityKey, EntityStore as _, ListQuery, Provenance, Require, Sort, SortField};
use worktruck_core::temporal::{At, Write, WriteOp};
use worktruck_core::testing::CountingIds;
use worktruck_core::{Cursor, EntityId, ItemId, PageRequest, TenantId, Timestamp};

use crate::dice::Dice;
use crate::watched::Watched;
use crate::world::{BLUEPRINTS, at, begin, page, person, tenants};

/// How many entities of each kind there are.
const EACH: i64 = 6;

impl Dice {
    pub(crate) fn kind(&mut self) -> Kind {
        self.pick(&[Kind::Contact, Kind::Contact, Kind::Contact, Kind::Contact, Kind::MergeProposal, Kind::AgentConfig])
    }

    pub(crate) fn key(&mut self) -> EntityKey {
        let kind = self.kind();
        entity(kind, self.roll(EACH))
    }

    /// A body, now and then of the wrong kind.
    fn body(&mut self, kind: Kind) -> Value {
        if self.one_in(40) {
            return self.pick(&[json!({ "colour": "green" }), json!([1, 2]), json!(null), json!({ "score": 2 })]);
        }
        match kind {
            Kind::Contact => self.contact(),
            Kind::MergeProposal => self.proposal(),
            Kind::AgentConfig => self.config(),
        }
    }

    fn contact(&mut self) -> Value {
        let name = self.pick(&["Ada King", "ada b", "Bob", "Łukasz", "Zoë", "Zoe\u{308}", "ß 李 😀", "-"]);
        let tags = self.pick(&[&["vip"][..], &["vip", "new"], &[]]);
        let channels = self.maybe(3, |dice| {
            let value = dice.pick(&["ada@example.org", "BOB@example.org"]);
            Channel::new(ItemId::new(&CountingIds::new(9), at(0)), ChannelKind::Email, value)
        });
        let mut contact = Contact {
            display_name: name.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            channels: channels.into_iter().collect(),
            bio: self
                .maybe(4, |dice| dice.pick(&["plays chess", "Played in Łódź\nand Århus", "a'b\"c\\d%_"]).to_owned()),
            ..Contact::default()
        };
        contact.normalise(None).expect("the contact is one");
        // A store takes what callers should not have let through.
        contact.metadata.extend(self.maybe(5, Self::odd).map(|odd| ("odd".to_owned(), odd)));
        json!(contact)
    }

    fn proposal(&mut self) -> Value {
        let first = self.roll(EACH - 1);
        let ids: Vec<EntityId> = [first, first + 1].map(|n| entity(Kind::Contact, n).id).into();
        let score = self.pick(&[0.1 + 0.2, 1.0, 0.0, 1e-9]);
        json!(MergeProposal::new(ids.clone(), ids[0], score, vec!["same phone".to_owned()]))
    }

    /// A config, which may limit how many runs there are at once.
    fn config(&mut self) -> Value {
        let limit = self.maybe(2, |dice| u32::try_from(1 + dice.roll(3)).unwrap_or(1));
        json!(AgentConfig { max_concurrent_runs: limit, ..AgentConfig::new(self.pick(&BLUEPRINTS)) })
    }

    /// JSON that is easily damaged on its way.
    pub(crate) fn odd(&mut self) -> Value {
        match self.roll(8) {
            0 => json!(0.1 + 0.2),
            1 => json!([u64::MAX, i64::MIN, 1e308, 5e-324, -0.0]),
            2 => json!("NUL \u{0} and \u{1f} and \u{7f} and 😀 and \"\\"),
            3 => json!({ "": null, "a": {}, "b": [] }),
            4 => json!("long ".repeat(4_000)),
            5 => Value::Null,
            6 => json!(true),
            _ => json!({ "nested": { "n": 1, "list": [1.5, "x", null] } }),
        }
    }

    fn write(&mut self, kind: Kind, now: Timestamp) -> Write {
        let op = match self.roll(6) {
            0 => WriteOp::Delete,
            1 => WriteOp::Patch(match kind {
                Kind::Contact => json!({ "tags": self.pick(&[&["vip"][..], &["new"], &[]]) }),
                Kind::MergeProposal => json!({ "status": self.pick(&["accepted", "stale", "nothing"]) }),
                Kind::AgentConfig => json!({ "max_concurrent_runs": self.pick(&[json!(1), json!(0), Value::Null]) }),
            }),
            _ => WriteOp::Put(self.body(kind)),
        };
        // Corrections of the past, what is scheduled, and what ends by itself.
        let valid_from = self.maybe(3, |dice| now.before(dice.micros(40)).after(dice.micros(60)));
        let valid_to = self.maybe(4, |dice| now.after(dice.micros(60)));
        let write = Write { op, valid_from, valid_to };
        match self.roll(80) {
            0 => Write { valid_from: Some(Timestamp::EPOCH), ..write },
            1 => Write { valid_from: Some(Timestamp::from_micros(-5)), valid_to: Some(Timestamp::EPOCH), ..write },
            2 => Write { valid_to: Some(Timestamp::FOREVER), ..write },
            3 => Write { valid_from: Some(Timestamp::FOREVER), ..write },
            _ => write,
        }
    }

    pub(crate) fn changes(&mut self, now: Timestamp) -> Changes {
        let mut changes = Changes::none();
        for _ in 0..=self.roll(3) {
            let key = self.key();
            changes = changes.write_valid(key, self.write(key.kind, now));
        }
        if self.one_in(4) {
            let (kind, term) = self.pick(&[
                (Kind::Contact, Term::new("tag", "new")),
                (Kind::AgentConfig, Term::new(BLUEPRINT_TERM, BLUEPRINTS[0])),
            ]);
            changes = changes.require(Require::UniqueTerm { kind, term });
        }
        if self.one_in(6) {
            changes = changes.require(Require::Absent { key: self.key() });
        }
        if self.one_in(6) {
            let version = self.roll(4).unsigned_abs();
            changes = changes.require(Require::Version { key: self.key(), version });
        }
        changes
    }

    fn when(&mut self, now: Timestamp) -> At {
        // Now and then a moment that is yet to come, which nobody may know.
        let as_of = self.maybe(3, |dice| now.before(dice.micros(60)).after(dice.micros(4)));
        At { as_of, valid_at: self.maybe(3, |dice| now.before(dice.micros(50)).after(dice.micros(100))) }
    }

    fn query(&mut self, now: Timestamp) -> ListQuery {
        let field = match self.roll(3) {
            0 => SortField::CreatedAt,
            1 => SortField::UpdatedAt,
            _ => SortField::Key("display_name".into()),
        };
        let terms = [
            Term::new("tag", "vip"),
            Term::new("tag", "new"),
            Term::new("kind", "person"),
            Term::new("channel:email", "bob@example.org"),
        ];
        ListQuery {
            terms: (0..self.roll(3)).map(|_| self.pick(&terms)).collect(),
            text: self.maybe(3, |dice| dice.pick(&["ada", "luk", "zoe", "k", "?", "chess ada", "李", "%"]).to_owned()),
            sort: Sort { field, descending: self.one_in(2) },
            at: self.when(now),
            ..ListQuery::new(self.kind())
        }
    }
}

/// The entity number `n` of a kind.
pub(crate) fn entity(kind: Kind, n: i64) -> EntityKey {
    let base = 0x0194_a8b3_7e5a_77c1_9d0f_0000_0000_0000;
    EntityKey::new(kind, EntityId::from_uuid(uuid::Uuid::from_u128(base + u128::from(n.unsigned_abs()))))
}

/// A random script about entities alone.
pub(crate) async fn script(store: &Watched, seed: u64) {
    let mut dice = Dice::new(seed);
    begin(store).await;
    let mut now = at(100);
    for _ in 0..60 {
        // Mostly forward, sometimes back: clocks do that.
        now = now.after(dice.micros(30)).before(dice.micros(6));
        let tenant = dice.pick(&tenants());
        act(store, &mut dice, tenant, &mut now).await;
    }
}

/// Does something with the entities of a tenant.
pub(crate) async fn act(store: &Watched, dice: &mut Dice, tenant: TenantId, now: &mut Timestamp) {
    match dice.roll(10) {
        0..5 => write(store, dice, tenant, *now).await,
        5 => drop(store.purge(tenant, dice.key(), person(), *now).await),
        6 => drop(store.entity(tenant, dice.key(), dice.when(*now), *now).await),
        7 => history(store, dice, tenant).await,
        8 => feed(store, dice, tenant).await,
        _ => walk(store, dice, tenant, now).await,
    }
}

async fn write(store: &Watched, dice: &mut Dice, tenant: TenantId, now: Timestamp) {
    let provenance = if dice.one_in(3) {
        Provenance { request_id: Some("request 7".to_owned()), ..Provenance::new("import", "import") }
    } else {
        person()
    };
    drop(store.apply(tenant, dice.changes(now), provenance, now).await);
}

async fn history(store: &Watched, dice: &mut Dice, tenant: TenantId) {
    let key = dice.key();
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
    let query = dice.query(*now);
    let mut cursor: Option<Cursor> = None;
    loop {
        let asked = ListQuery { page: page(2, cursor), ..query.clone() };
        let Ok(found) = store.list(tenant, asked, *now).await else { return };
        if found.next_cursor.is_none() {
            return;
        }
        if dice.one_in(8) {
            let other = ListQuery { page: PageRequest::largest(found.next_cursor.clone()), ..dice.query(*now) };
            drop(store.list(tenant, other, *now).await);
        }
        cursor = found.next_cursor;
        *now = now.after(dice.micros(5));
        write(store, dice, tenant, *now).await;
    }
}
