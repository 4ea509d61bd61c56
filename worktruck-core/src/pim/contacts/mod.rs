//! Contacts and what belongs to them: ways to reach them, affiliations, relationships, interactions, groups, and
//! how several become one and part again.

mod affiliations;
mod cascade;
mod complete;
mod groups;
mod interactions;
mod merge;
mod parts;
mod proposals;
mod reading;
mod relationships;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::affiliation::Affiliation;
use crate::entity::contact::{Contact, ContactKind};
use crate::entity::group_member::GroupMember;
use crate::entity::{Entity, Kind};
use crate::store::{ListQuery, Require, SortField};
use crate::{EntityId, Error, Result};

use super::{Deleting, Filter, Operation, Record, Stored, Writing};

pub use affiliations::AffiliationFilter;
pub use groups::{GroupMemberFilter, add_member, remove_member};
pub use interactions::{InteractionFilter, InteractionSort, log_interaction};
pub use merge::{Merge, merge, unmerge};
pub use parts::{Part, add_part, change_part, remove_part, tag, untag};
pub use proposals::{Decided, MergeProposalFilter, accept, proposed, reject};
pub use reading::find_by_channel;
pub(super) use reading::{of_contact, referred, refuse_merged, resolved};
pub use relationships::{RelationshipFilter, seen_from};

/// What lists of contacts can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ContactFilter {
    /// What it is.
    pub kind: Option<ContactKind>,
    /// A tag that it has.
    pub tag: Option<String>,
    /// A group that it is in, of at most [`MOST_TOGETHER`](super::MOST_TOGETHER) members.
    pub group_id: Option<EntityId>,
    /// An organization that it is or was affiliated with, of at most [`MOST_TOGETHER`](super::MOST_TOGETHER)
    /// affiliations.
    pub organization_id: Option<EntityId>,
}

/// What lists of contacts can be sorted by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContactSort {
    /// By when it was first written.
    #[default]
    CreatedAt,
    /// By when it was last written.
    UpdatedAt,
    /// By name.
    DisplayName,
}

impl From<ContactSort> for SortField {
    fn from(by: ContactSort) -> Self {
        match by {
            ContactSort::CreatedAt => Self::CreatedAt,
            ContactSort::UpdatedAt => Self::UpdatedAt,
            ContactSort::DisplayName => Self::Key("display_name".to_owned()),
        }
    }
}

#[async_trait]
impl Filter for ContactFilter {
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery> {
        let mut query = query.with("kind", self.kind.map(ContactKind::as_str)).with("tag", self.tag.as_ref());
        if let Some(group) = self.group_id {
            let members = operation.query::<GroupMember>().with("group_id", Some(group));
            let members: Vec<Stored<GroupMember>> = operation.all(members).await.map_err(|e| e.at("/group_id"))?;
            query = query.asked("group_id", group).among(members.into_iter().map(|member| member.data.contact_id));
        }
        if let Some(organization) = self.organization_id {
            query = query.asked("organization_id", organization);
            let affiliated =
                of_contact(operation.query::<Affiliation>(), operation, "organization_id", Some(organization)).await?;
            let affiliated: Vec<Stored<Affiliation>> =
                operation.all(affiliated).await.map_err(|e| e.at("/organization_id"))?;
            query = query.among(affiliated.into_iter().map(|affiliation| affiliation.data.contact_id));
        }
        Ok(query)
    }
}

#[async_trait]
impl Record for Contact {
    type Filter = ContactFilter;
    type Sort = ContactSort;

    fn complete(body: &mut Value, old: Option<&Stored<Self>>, operation: &Operation) -> Result<()> {
        complete::complete(body, old, operation);
        Ok(())
    }

    async fn read(operation: &Operation, id: EntityId) -> Result<Stored<Self>> {
        reading::read(operation, id).await
    }

    fn absorbed(&self) -> &[EntityId] {
        &self.merged_ids
    }

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        let known = writing.old.map_or(&[][..], |old| &old.data.merged_ids);
        if writing.new.merged_ids != known {
            return Err(Error::invalid("merged_ids changes by merging and unmerging only").at("/merged_ids"));
        }
        let was_organization = writing.old.is_some_and(|old| old.data.kind == ContactKind::Organization);
        if was_organization && writing.new.kind != ContactKind::Organization {
            let none = no_affiliations(writing.operation, &[writing.id]).await.map_err(|e| e.at("/kind"))?;
            writing.changes.requires.extend(none);
        }
        Ok(())
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        cascade::of_contact(deleting).await
    }
}

/// What must hold for contacts to be no organizations: nobody is affiliated with them.
async fn no_affiliations(operation: &Operation, ids: &[EntityId]) -> Result<Vec<Require>> {
    let query = ListQuery::new(Kind::Affiliation).with_any("organization_id", ids);
    if let Some(one) = operation.first::<Affiliation>(query).await? {
        let message = format!("contact {} is affiliated with it; end that first", one.data.contact_id);
        return Err(Error::conflict(message));
    }
    let term = |id: &EntityId| crate::entity::Term::new("organization_id", id.to_string());
    Ok(ids.iter().map(|id| Require::NoTerm { kind: Affiliation::KIND, term: term(id) }).collect())
}
