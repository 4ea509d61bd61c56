//! Which note a title stands for, and what of that must still hold at the commit.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Builder;

use crate::entity::counter::Counter;
use crate::entity::note::Note;
use crate::entity::{Entity as _, Kind};
use crate::pim::{Operation, Stored};
use crate::store::{Changes, EntityKey, ListQuery, Require};
use crate::temporal::{At, WriteOp};
use crate::{Digest, EntityId, PageRequest, Result};

use super::names::Way;
use super::span::{Span, Written};

/// Finds the notes that titles stand for, in the world as it will be when one note is written.
///
/// The oldest note with a title has it; where none has, the oldest with it as an alias. Two commits never decide that
/// from different states: what was found is required at the commit, and where several notes have one title, which of
/// them is the oldest is decided by one commit at a time (a [`Counter`] guards it).
#[derive(Debug)]
pub(super) struct Resolver<'a> {
    operation: &'a Operation,
    pub(super) span: Span,
    pub(super) written: Written,
    known: BTreeMap<String, Option<EntityId>>,
    requires: Vec<Require>,
    guards: BTreeMap<EntityKey, Option<Stored<Counter>>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(operation: &'a Operation, written: Written) -> Self {
        let (known, requires, guards) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        Self { operation, span: Span::of(operation), written, known, requires, guards }
    }

    /// The note that links by this title lead to.
    pub(super) async fn target(&mut self, key: &str) -> Result<Option<EntityId>> {
        if let Some(known) = self.known.get(key) {
            return Ok(*known);
        }
        // It is read before what it guards: whoever decides about the title after that is noticed.
        let guard = self.guard(key).await?;
        let mut target = None;
        for way in Way::ALL {
            let others = self.others(way, key).await?;
            let is_mine = way.is_of(&self.written.names, key);
            let term = way.term(key);
            match others.len() + usize::from(is_mine) {
                0 => {
                    self.requires.push(Require::NoTerm { kind: Kind::Note, term });
                    continue;
                }
                1 => self.requires.push(Require::UniqueTerm { kind: Kind::Note, term }),
                _ => self.guards.extend(guard.clone()),
            }
            let place = (self.written.created_at, self.written.id);
            target = match others.first() {
                Some(other) if !is_mine || (other.created_at(), other.id) < place => {
                    self.requires.push(Require::Version { key: other.key(), version: other.version() });
                    Some(other.id)
                }
                _ => Some(self.written.id),
            };
            break;
        }
        self.known.insert(key.to_owned(), target);
        Ok(target)
    }

    /// The note that the title would stand for without the written one.
    pub(super) async fn rival(&self, key: &str) -> Result<Option<EntityId>> {
        for way in Way::ALL {
            if let Some(other) = self.others(way, key).await?.first() {
                return Ok(Some(other.id));
            }
        }
        Ok(None)
    }

    /// The two oldest notes beside the written one that are called so.
    async fn others(&self, way: Way, key: &str) -> Result<Vec<Stored<Note>>> {
        let mut query = ListQuery { at: self.span.elsewhere(), ..ListQuery::new(Note::KIND) };
        query.terms.push(way.term(key));
        query.page = PageRequest::new(3, None)?;
        let found = self.operation.page::<Note>(query).await?.data;
        Ok(found.into_iter().filter(|note| note.id != self.written.id).take(2).collect())
    }

    /// What guards which of several notes has a title, if the note is written at the present.
    async fn guard(&self, key: &str) -> Result<Option<(EntityKey, Option<Stored<Counter>>)>> {
        if !self.span.is_present {
            return Ok(None);
        }
        let guard = EntityKey::new(Kind::Counter, guard_of(key));
        Ok(Some((guard, self.operation.find_at::<Counter>(guard.id, At::NOW).await?)))
    }

    /// What must hold for all that was found.
    pub(super) fn rests_on(self) -> Changes {
        let mut changes = Changes::none();
        if !self.span.is_present {
            return changes;
        }
        changes.requires = self.requires;
        for (guard, found) in self.guards {
            let require = match &found {
                Some(counter) => Require::Version { key: guard, version: counter.version() },
                None => Require::Absent { key: guard },
            };
            let next = found.map_or(1, |counter| counter.data.next).saturating_add(1);
            changes = changes.require(require).write(guard, WriteOp::Put(json!({ "next": next })));
        }
        changes
    }
}

/// The counter that guards which of several notes has a title.
fn guard_of(key: &str) -> EntityId {
    let digest = Digest::of_bytes(format!("notes with the title {key}").as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&digest.as_bytes()[..10]);
    EntityId::from_uuid(Builder::from_unix_timestamp_millis(0, &random).into_uuid())
}
