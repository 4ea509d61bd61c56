//! What ends with a contact or a group.

use std::collections::BTreeMap;

use serde_json::json;

use crate::entity::affiliation::Affiliation;
use crate::entity::contact::Contact;
use crate::entity::group::Group;
use crate::entity::group_member::GroupMember;
use crate::entity::merge_proposal::{MergeProposal, ProposalStatus};
use crate::entity::project_member::ProjectMember;
use crate::entity::relationship::{END_TERM, Relationship};
use crate::entity::{Entity, Term};
use crate::pim::{Deleting, MOST_TOGETHER, Stored};
use crate::store::{ListQuery, Require};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, Error, Result};

/// Ends the affiliations, relationships and memberships of a contact where it ends itself, those in projects too.
/// Interactions stay: they have taken place. A pending proposal to merge it no longer stands.
pub(super) async fn of_contact(deleting: &mut Deleting<'_, Contact>) -> Result<()> {
    let id = deleting.old.id;
    end::<_, Affiliation>(deleting, Term::new("contact_id", id.to_string())).await?;
    end::<_, Affiliation>(deleting, Term::new("organization_id", id.to_string())).await?;
    end::<_, Relationship>(deleting, Term::new(END_TERM, id.to_string())).await?;
    end::<_, GroupMember>(deleting, Term::new("contact_id", id.to_string())).await?;
    end::<_, ProjectMember>(deleting, Term::new("contact_id", id.to_string())).await?;
    if is_about_now(deleting) {
        for proposal in pending_proposals(deleting.operation, &[id]).await? {
            let stale = WriteOp::Patch(json!({ "status": ProposalStatus::Stale }));
            deleting.changes.requires.push(version(&proposal));
            deleting.changes = std::mem::take(&mut deleting.changes).write(proposal.key(), stale);
        }
    }
    Ok(())
}

/// Ends the memberships of a group where it ends itself.
pub(super) async fn of_group(deleting: &mut Deleting<'_, Group>) -> Result<()> {
    let term = Term::new("group_id", deleting.old.id.to_string());
    end::<_, GroupMember>(deleting, term).await
}

/// The proposals with one of `contacts` that nobody has decided on.
pub(super) async fn pending_proposals(
    operation: &crate::pim::Operation,
    contacts: &[EntityId],
) -> Result<Vec<Stored<MergeProposal>>> {
    let pending = ListQuery::new(MergeProposal::KIND).with("status", Some(ProposalStatus::Pending.as_str()));
    operation.all(pending.with_any("contact_id", contacts)).await
}

/// What must hold for an entity to be still what was read.
pub(super) fn version<E: Entity>(stored: &Stored<E>) -> Require {
    Require::Version { key: stored.key(), version: stored.version() }
}

/// Ends, over the part of the valid axis that is written, all entities with `term` that exist where it begins or now.
async fn end<E: Entity, C: Entity>(deleting: &mut Deleting<'_, E>, term: Term) -> Result<()> {
    let operation = deleting.operation;
    let query = |valid_at| ListQuery {
        at: At { as_of: None, valid_at },
        ..ListQuery::new(C::KIND).with(&term.name, Some(&term.value))
    };
    let mut found = BTreeMap::new();
    for one in operation.all::<C>(query(operation.valid_from)).await? {
        found.insert(one.id, one.key());
    }
    if is_about_now(deleting) {
        if operation.valid_from.is_some() {
            for one in operation.all::<C>(query(None)).await? {
                found.insert(one.id, one.key());
            }
        }
        deleting.changes.requires.push(Require::NoTerm { kind: C::KIND, term });
    }
    if deleting.changes.writes.len() + found.len() > MOST_TOGETHER {
        let message =
            format!("more than {MOST_TOGETHER} entities end with {}; end some of them first", deleting.old.key());
        return Err(Error::conflict(message));
    }
    for key in found.into_values() {
        // What ends for two reasons ends once.
        if !deleting.changes.writes.iter().any(|change| change.key == key) {
            let write = operation.write(WriteOp::Delete);
            deleting.changes = std::mem::take(&mut deleting.changes).write_valid(key, write);
        }
    }
    Ok(())
}

fn is_about_now<E>(deleting: &Deleting<'_, E>) -> bool {
    let (operation, now) = (deleting.operation, deleting.operation.now());
    operation.valid_from.is_none_or(|from| from <= now) && operation.valid_to.is_none_or(|to| now < to)
}
