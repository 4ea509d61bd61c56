//! Random values that scripts are made of.

use serde_json::{Value, json};
use worktruck_core::entity::agent_config::{AgentConfig, BLUEPRINT_TERM};
use worktruck_core::entity::contact::{Channel, ChannelKind, Contact};
use worktruck_core::entity::merge_proposal::MergeProposal;
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::{Changes, EntityKey, ListQuery, Require, Sort, SortField};
use worktruck_core::temporal::{At, Write, WriteOp};
use worktruck_core::testing::{CountingIds, Dice};
use worktruck_core::{EntityId, ItemId, Timestamp};

use crate::world::{BLUEPRINTS, at};

/// How many entities of each kind there are.
const EACH: i64 = 6;

fn kind(dice: &mut Dice) -> Kind {
    dice.pick(&[Kind::Contact, Kind::Contact, Kind::Contact, Kind::Contact, Kind::MergeProposal, Kind::AgentConfig])
}

pub(crate) fn key(dice: &mut Dice) -> EntityKey {
    let kind = kind(dice);
    entity(kind, dice.roll(EACH))
}

/// A body, now and then of the wrong kind.
fn body(dice: &mut Dice, kind: Kind) -> Value {
    if dice.one_in(40) {
        return dice.pick(&[json!({ "colour": "green" }), json!([1, 2]), json!(null), json!({ "score": 2 })]);
    }
    match kind {
        Kind::Contact => contact(dice),
        Kind::MergeProposal => proposal(dice),
        _ => config(dice),
    }
}

fn contact(dice: &mut Dice) -> Value {
    let name = dice.pick(&["Ada King", "ada b", "Bob", "Łukasz", "Zoë", "Zoe\u{308}", "ß 李 😀", "-"]);
    let tags = dice.pick(&[&["vip"][..], &["vip", "new"], &[]]);
    let channels = dice.maybe(3, |dice| {
        let value = dice.pick(&["ada@example.org", "BOB@example.org"]);
        Channel::new(ItemId::new(&CountingIds::new(9), at(0)), ChannelKind::Email, value)
    });
    let mut contact = Contact {
        display_name: name.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        channels: channels.into_iter().collect(),
        bio: dice.maybe(4, |dice| dice.pick(&["plays chess", "Played in Łódź\nand Århus", "a'b\"c\\d%_"]).to_owned()),
        ..Contact::default()
    };
    contact.normalise(None).expect("the contact is one");
    // A store takes what callers should not have let through.
    contact.metadata.extend(dice.maybe(5, odd).map(|odd| ("odd".to_owned(), odd)));
    json!(contact)
}

fn proposal(dice: &mut Dice) -> Value {
    let first = dice.roll(EACH - 1);
    let ids: Vec<EntityId> = [first, first + 1].map(|n| entity(Kind::Contact, n).id).into();
    let score = dice.pick(&[0.1 + 0.2, 1.0, 0.0, 1e-9]);
    json!(MergeProposal::new(ids.clone(), ids[0], score, vec!["same phone".to_owned()]))
}

/// A config, which may limit how many runs there are at once.
fn config(dice: &mut Dice) -> Value {
    let limit = dice.maybe(2, |dice| u32::try_from(1 + dice.roll(3)).unwrap_or(1));
    json!(AgentConfig { max_concurrent_runs: limit, ..AgentConfig::new(dice.pick(&BLUEPRINTS)) })
}

/// JSON that is easily damaged on its way.
pub(crate) fn odd(dice: &mut Dice) -> Value {
    match dice.roll(8) {
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

fn write(dice: &mut Dice, kind: Kind, now: Timestamp) -> Write {
    let op = match dice.roll(6) {
        0 => WriteOp::Delete,
        1 => WriteOp::Patch(match kind {
            Kind::Contact => json!({ "tags": dice.pick(&[&["vip"][..], &["new"], &[]]) }),
            Kind::MergeProposal => json!({ "status": dice.pick(&["accepted", "stale", "nothing"]) }),
            _ => json!({ "max_concurrent_runs": dice.pick(&[json!(1), json!(0), Value::Null]) }),
        }),
        _ => WriteOp::Put(body(dice, kind)),
    };
    // Corrections of the past, what is scheduled, and what ends by itdice.
    let valid_from = dice.maybe(3, |dice| now.before(dice.micros(40)).after(dice.micros(60)));
    let valid_to = dice.maybe(4, |dice| now.after(dice.micros(60)));
    let write = Write { op, valid_from, valid_to };
    match dice.roll(80) {
        0 => Write { valid_from: Some(Timestamp::EPOCH), ..write },
        1 => Write { valid_from: Some(Timestamp::from_micros(-5)), valid_to: Some(Timestamp::EPOCH), ..write },
        2 => Write { valid_to: Some(Timestamp::FOREVER), ..write },
        3 => Write { valid_from: Some(Timestamp::FOREVER), ..write },
        _ => write,
    }
}

pub(crate) fn changes(dice: &mut Dice, now: Timestamp) -> Changes {
    let mut changes = Changes::none();
    for _ in 0..=dice.roll(3) {
        let key = key(dice);
        changes = changes.write_valid(key, write(dice, key.kind, now));
    }
    if dice.one_in(4) {
        let (kind, term) = dice.pick(&[
            (Kind::Contact, Term::new("tag", "new")),
            (Kind::AgentConfig, Term::new(BLUEPRINT_TERM, BLUEPRINTS[0])),
        ]);
        changes = changes.require(Require::UniqueTerm { kind, term });
    }
    if dice.one_in(6) {
        changes = changes.require(Require::Absent { key: key(dice) });
    }
    if dice.one_in(6) {
        let version = dice.roll(4).unsigned_abs();
        changes = changes.require(Require::Version { key: key(dice), version });
    }
    changes
}

pub(crate) fn when(dice: &mut Dice, now: Timestamp) -> At {
    // Now and then a moment that is yet to come, which nobody may know.
    let as_of = dice.maybe(3, |dice| now.before(dice.micros(60)).after(dice.micros(4)));
    At { as_of, valid_at: dice.maybe(3, |dice| now.before(dice.micros(50)).after(dice.micros(100))) }
}

pub(crate) fn query(dice: &mut Dice, now: Timestamp) -> ListQuery {
    let field = match dice.roll(3) {
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
        terms: (0..dice.roll(3)).map(|_| dice.pick(&terms)).collect(),
        text: dice.maybe(3, |dice| dice.pick(&["ada", "luk", "zoe", "k", "?", "chess ada", "李", "%"]).to_owned()),
        sort: Sort { field, descending: dice.one_in(2) },
        at: when(dice, now),
        ..ListQuery::new(kind(dice))
    }
}

/// The entity number `n` of a kind.
pub(crate) fn entity(kind: Kind, n: i64) -> EntityKey {
    let base = 0x0194_a8b3_7e5a_77c1_9d0f_0000_0000_0000;
    EntityKey::new(kind, EntityId::from_uuid(uuid::Uuid::from_u128(base + u128::from(n.unsigned_abs()))))
}
