//! What refers to contacts, and how it comes to refer to another.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use crate::entity::relationship::END_TERM;
use crate::entity::{Kind, Term, index};
use crate::pim::{MOST_TOGETHER, Operation};
use crate::store::{Changes, ListQuery, Require, Version};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, Error, PageRequest, Result, Timestamp};

use super::slices::{over, slices};

/// A kind whose entities refer to contacts.
pub(super) struct Reference {
    pub(super) kind: Kind,
    /// The index terms of its references: a name, and what stands before the id in the value.
    pub(super) terms: &'static [(&'static str, &'static str)],
    /// What no two of them may have in common.
    unique: Unique,
}

enum Unique {
    /// Nothing.
    Nothing,
    /// An index term of this name.
    Term(&'static str),
    /// All that they say.
    Content,
}

/// Every kind that refers to contacts. One that is missing keeps referring to a contact that was merged.
pub(super) const REFERENCES: &[Reference] = &[
    Reference {
        kind: Kind::Affiliation,
        terms: &[("contact_id", ""), ("organization_id", "")],
        unique: Unique::Content,
    },
    Reference { kind: Kind::Relationship, terms: &[(END_TERM, "")], unique: Unique::Term("says") },
    Reference { kind: Kind::Interaction, terms: &[("contact_id", "")], unique: Unique::Nothing },
    Reference { kind: Kind::GroupMember, terms: &[("contact_id", "")], unique: Unique::Term("membership") },
    Reference {
        kind: Kind::Deal,
        terms: &[("contact_id", ""), ("introduced_by", ""), ("organization_id", "")],
        unique: Unique::Nothing,
    },
    Reference { kind: Kind::Task, terms: &[("assignee_id", ""), ("creator_id", "")], unique: Unique::Nothing },
    Reference { kind: Kind::ProjectMember, terms: &[("contact_id", "")], unique: Unique::Term("member") },
    Reference { kind: Kind::Event, terms: &[("organizer_id", "")], unique: Unique::Nothing },
    Reference { kind: Kind::Attendee, terms: &[("contact_id", "")], unique: Unique::Nothing },
    Reference { kind: Kind::EventLink, terms: &[("entity_id", "")], unique: Unique::Term("event_target") },
    Reference { kind: Kind::NoteLink, terms: &[("target", "contact:")], unique: Unique::Content },
];

/// Proposals to merge: they do not come to name another contact, but a merge decides them.
pub(super) const PROPOSALS: Reference =
    Reference { kind: Kind::MergeProposal, terms: &[("contact_id", "")], unique: Unique::Nothing };

/// The fields that hold the id of a contact, or of anything.
const ID_FIELDS: &[&str] = &[
    "contact_id",
    "related_contact_id",
    "organization_id",
    "assignee_id",
    "creator_id",
    "organizer_id",
    "introduced_by",
    "target_id",
    "entity_id",
];

/// `body` with the ids of `gone` contacts replaced by that of the survivor.
pub(super) fn rewritten(body: &Value, gone: &[EntityId], survivor: EntityId) -> Value {
    let is_gone = |value: &Value| value.as_str().is_some_and(|text| gone.iter().any(|id| id.to_string() == text));
    let Some(members) = body.as_object() else { return body.clone() };
    let mut members = with_ids(members, &is_gone, survivor);
    if let Some(Value::Array(ids)) = members.get_mut("contact_ids") {
        let mut seen = HashSet::new();
        for id in ids.iter_mut().filter(|id| is_gone(id)) {
            *id = json!(survivor);
        }
        ids.retain(|id| seen.insert(id.to_string()));
    }
    if let Some(Value::Array(links)) = members.get_mut("contacts") {
        let mut kept: Vec<Map<String, Value>> = Vec::new();
        for link in links.iter().filter_map(Value::as_object) {
            let link = with_ids(link, &is_gone, survivor);
            match kept.iter_mut().find(|kept| kept.get("contact_id") == link.get("contact_id")) {
                // The one to turn to stays so, whichever of its links is kept.
                Some(kept) if link.get("is_primary") == Some(&json!(true)) => {
                    kept.insert("is_primary".to_owned(), json!(true));
                }
                Some(_) => {}
                None => kept.push(link),
            }
        }
        *links = kept.into_iter().map(Value::Object).collect();
    }
    Value::Object(members)
}

fn with_ids(members: &Map<String, Value>, is_gone: &impl Fn(&Value) -> bool, survivor: EntityId) -> Map<String, Value> {
    let mut members = members.clone();
    for field in ID_FIELDS {
        if let Some(id) = members.get_mut(*field).filter(|id| is_gone(id)) {
            *id = json!(survivor);
        }
    }
    // Nobody is introduced by themselves.
    if members.contains_key("introduced_by") && members.get("introduced_by") == members.get("contact_id") {
        members.remove("introduced_by");
    }
    members
}

/// The end of the years that are written, where what was written for a time to come, and does not end again, holds.
pub(super) const LATER: At = At { as_of: None, valid_at: Some(Timestamp::from_micros(253_402_300_799_999_999)) };

/// Makes everything that refers to `sources` refer to `survivor`, now or from a later time on.
///
/// What refers to a source only for a while that is yet to come keeps doing so. That reads as the survivor.
pub(super) async fn repoint(operation: &Operation, survivor: EntityId, sources: &[EntityId]) -> Result<Changes> {
    let mut changes = Changes::none();
    for reference in REFERENCES {
        let mut said = HashSet::new();
        if !matches!(reference.unique, Unique::Nothing) {
            for version in referring(operation, reference, &[survivor], At::NOW).await?.into_values() {
                said.extend(reference.unique_part(version.slice.body.as_ref())?);
            }
        }
        let found = referring(operation, reference, sources, At::NOW).await?;
        let mut later = referring(operation, reference, sources, LATER).await?;
        later.retain(|id, _| !found.contains_key(id));
        changes = changes.and(repoint_later(operation, survivor, sources, later).await?);
        for version in found.into_values() {
            let key = version.key;
            changes.requires.push(Require::Version { key, version: version.slice.version });
            let body = rewritten(version.slice.body.as_ref().unwrap_or(&Value::Null), sources, survivor);
            let is_said = reference.unique_part(Some(&body))?.is_some_and(|unique| !said.insert(unique));
            if is_said || is_about_itself(key.kind, &body) {
                changes = changes.write(key, WriteOp::Delete);
                continue;
            }
            if let Unique::Term(name) = reference.unique {
                let terms = index(key.kind, &body)?.terms.into_iter().filter(|term| term.name == name);
                changes.requires.extend(terms.map(|term| Require::UniqueTerm { kind: key.kind, term }));
            }
            for slice in slices(operation, version, None).await? {
                let Some(was) = &slice.slice.body else { continue };
                let body = rewritten(was, sources, survivor);
                if body != *was {
                    changes = changes.write_valid(key, over(operation, &slice, WriteOp::Put(body)));
                }
            }
        }
        let terms = sources.iter().flat_map(|id| reference.terms_of(*id));
        changes.requires.extend(terms.map(|term| Require::NoTerm { kind: reference.kind, term }));
    }
    Ok(changes)
}

/// Makes what refers to `sources` not now but later refer to `survivor`. What would then be there twice is left as it
/// is.
async fn repoint_later(
    operation: &Operation,
    survivor: EntityId,
    sources: &[EntityId],
    later: BTreeMap<EntityId, Version>,
) -> Result<Changes> {
    let mut changes = Changes::none();
    for last in later.into_values() {
        let key = last.key;
        let all = match operation.view.entity(key, At::NOW).await? {
            Some(present) => {
                changes.requires.push(Require::Version { key, version: present.slice.version });
                slices(operation, present, None).await?
            }
            None => {
                changes.requires.push(Require::Absent { key });
                vec![last]
            }
        };
        for slice in all {
            let Some(was) = &slice.slice.body else { continue };
            let body = rewritten(was, sources, survivor);
            if body != *was && !is_about_itself(key.kind, &body) {
                changes = changes.write_valid(key, over(operation, &slice, WriteOp::Put(body)));
            }
        }
    }
    Ok(changes)
}

impl Reference {
    fn terms_of(&self, id: EntityId) -> impl Iterator<Item = Term> {
        self.terms.iter().map(move |(name, prefix)| Term::new(*name, format!("{prefix}{id}")))
    }

    /// What no other entity of the kind may have, if anything.
    pub(super) fn unique_part(&self, body: Option<&Value>) -> Result<Option<String>> {
        let Some(body) = body else { return Ok(None) };
        Ok(match self.unique {
            Unique::Nothing => None,
            Unique::Term(name) => {
                index(self.kind, body)?.terms.into_iter().find(|term| term.name == name).map(|term| term.value)
            }
            Unique::Content => {
                let mut content = body.clone();
                content.as_object_mut().and_then(|members| members.remove("metadata"));
                Some(content.to_string())
            }
        })
    }
}

/// Whether it says something of a contact and itself.
fn is_about_itself(kind: Kind, body: &Value) -> bool {
    match kind {
        Kind::Affiliation => body.get("contact_id") == body.get("organization_id"),
        Kind::Relationship => body.get("contact_id") == body.get("related_contact_id"),
        _ => false,
    }
}

/// The entities that refer to one of `contacts` at `at`.
pub(super) async fn referring(
    operation: &Operation,
    reference: &Reference,
    contacts: &[EntityId],
    at: At,
) -> Result<BTreeMap<EntityId, Version>> {
    let mut found = BTreeMap::new();
    for (name, prefix) in reference.terms {
        let values = contacts.iter().map(|id| format!("{prefix}{id}"));
        let query = ListQuery { at, ..ListQuery::new(reference.kind).with_any(name, values) };
        let mut cursor = None;
        loop {
            let page = operation.view.list(ListQuery { page: PageRequest::largest(cursor), ..query.clone() }).await?;
            found.extend(page.data.into_iter().map(|version| (version.key.id, version)));
            if found.len() > MOST_TOGETHER {
                let message = format!("more than {MOST_TOGETHER} entities of kind {} are concerned", reference.kind);
                return Err(Error::conflict(message));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(found)
}
