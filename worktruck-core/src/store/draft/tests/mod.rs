mod placing;
mod random;
mod tables;
mod together;

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::ErrorKind;
use crate::store::{Operation, Require};
use crate::temporal::{Write, WriteOp};

use tables::{Load, Tables};

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(7))
}

fn key(number: u128) -> EntityKey {
    EntityKey::new(Kind::Contact, EntityId::from_uuid(Uuid::from_u128(number)))
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn user() -> Provenance {
    Provenance::new("user:1", "user_edit")
}

fn named(name: &str, tags: &[&str]) -> Value {
    json!({ "display_name": name, "tags": tags })
}

fn put(number: u128, name: &str, tags: &[&str]) -> Changes {
    Changes::none().write(key(number), WriteOp::Put(named(name, tags)))
}

fn over(number: u128, op: WriteOp, from: i64, to: Option<i64>) -> Changes {
    Changes::none().write_valid(key(number), Write { op, valid_from: Some(at(from)), valid_to: to.map(at) })
}

fn unique(changes: Changes, tag: &str) -> Changes {
    changes.require(Require::UniqueTerm { kind: Kind::Contact, term: Term::new("tag", tag) })
}

/// The tables after these commits, each written by itself.
fn written(commits: &[(i64, Changes)]) -> Tables {
    let mut tables = Tables::default();
    for (now, changes) in commits {
        let mut draft = tables.draft(&[changes], at(*now), Load::All);
        draft.apply(changes, user(), at(*now)).unwrap();
        tables.write(draft);
    }
    tables
}

/// What one more commit comes to.
fn rows(tables: &Tables, now: i64, changes: &Changes) -> DraftRows<u32> {
    let mut draft = tables.draft(&[changes], at(now), Load::All);
    draft.apply(changes, user(), at(now)).unwrap();
    draft.rows().unwrap()
}
