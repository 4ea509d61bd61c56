//! Groups and their members.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::entity::Entity as _;
use crate::entity::contact::Contact;
use crate::entity::group::Group;
use crate::entity::group_member::GroupMember;
use crate::pim::write::present;
use crate::pim::{ByTime, Deleting, Everything, Filter, Operation, Record, Records, Stored, Writing, create, delete};
use crate::store::{Changes, ListQuery, Require};
use crate::temporal::At;
use crate::{EntityId, Error, Page, PageRequest, Result};

use super::{ContactFilter, cascade, reading};

/// What lists of memberships can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct GroupMemberFilter {
    /// The group.
    pub group_id: Option<EntityId>,
    /// The contact; what was merged is the survivor.
    pub contact_id: Option<EntityId>,
}

#[async_trait]
impl Filter for GroupMemberFilter {
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery> {
        let query = reading::of_contact(query, operation, "contact_id", self.contact_id).await?;
        Ok(query.with("group_id", self.group_id))
    }
}

#[async_trait]
impl Record for Group {
    type Filter = Everything;
    type Sort = ByTime;

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        cascade::of_group(deleting).await
    }
}

#[async_trait]
impl Record for GroupMember {
    type Filter = GroupMemberFilter;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        writing.refer("/group_id", Group::KIND, |member| Some(member.group_id)).await?;
        let is_new = writing.is_changed(|member| &member.contact_id);
        reading::refer(writing, "/contact_id", writing.new.contact_id, is_new).await?;
        let (group, contact) = (writing.new.group_id, writing.new.contact_id);
        if let Some(same) = membership(writing.operation, group, contact).await?
            && same.id != writing.id
        {
            return Err(Error::conflict(format!("contact {contact} is in the group already")).at("/contact_id"));
        }
        let term = writing.new.unique_term();
        writing.require(Require::UniqueTerm { kind: Self::KIND, term });
        Ok(())
    }
}

/// Puts a contact into a group; nothing changes if it is in it.
///
/// # Errors
///
/// `NotFound` if the group or the contact does not exist, `Conflict` if the contact was merged, and those of the store.
pub async fn add_member(operation: &Operation, group: EntityId, contact: EntityId) -> Result<Changes> {
    present::<Group>(operation, group, None).await?;
    reading::present(operation, contact).await?;
    if membership(operation, group, contact).await?.is_some() {
        return Ok(Changes::none());
    }
    Ok(create::<GroupMember>(operation, json!({ "group_id": group, "contact_id": contact })).await?.0)
}

/// Takes a contact out of a group; nothing changes if it is not in it.
///
/// # Errors
///
/// `NotFound` if the group does not exist, `Conflict` if the contact was merged, and those of the store.
pub async fn remove_member(operation: &Operation, group: EntityId, contact: EntityId) -> Result<Changes> {
    present::<Group>(operation, group, None).await?;
    match membership(operation, group, contact).await? {
        Some(member) => delete::<GroupMember>(operation, member.id, None).await,
        None if reading::resolved(operation, contact).await? == contact => Ok(Changes::none()),
        // It says which contact may be written.
        None => reading::present(operation, contact).await.map(|_| Changes::none()),
    }
}

/// That the contact is in the group, if it is, where the operation writes.
async fn membership(operation: &Operation, group: EntityId, contact: EntityId) -> Result<Option<Stored<GroupMember>>> {
    let term = GroupMember::new(group, contact).unique_term();
    let at = At { as_of: None, valid_at: operation.valid_from };
    operation.first(ListQuery { at, ..ListQuery::new(GroupMember::KIND).with(&term.name, Some(term.value)) }).await
}

impl Records<Group> {
    /// Puts a contact into a group; nothing changes if it is in it.
    ///
    /// # Errors
    ///
    /// As for [`add_member`].
    pub async fn add_member(&self, group: EntityId, contact: EntityId) -> Result<()> {
        self.commit_all(|operation| async move { add_member(&operation, group, contact).await }).await?;
        Ok(())
    }

    /// Takes a contact out of a group; nothing changes if it is not in it.
    ///
    /// # Errors
    ///
    /// As for [`remove_member`].
    pub async fn remove_member(&self, group: EntityId, contact: EntityId) -> Result<()> {
        self.commit_all(|operation| async move { remove_member(&operation, group, contact).await }).await?;
        Ok(())
    }

    /// A page of the contacts that are in a group, in order of their creation.
    ///
    /// # Errors
    ///
    /// `NotFound` if the group does not exist, and those of a list.
    pub async fn members(&self, group: EntityId, page: PageRequest) -> Result<Page<Stored<Contact>>> {
        let operation = self.operation();
        operation.expect::<Group>(group).await?;
        let filter = ContactFilter { group_id: Some(group), ..ContactFilter::default() };
        let query = filter.apply(operation.query::<Contact>(), &operation).await?;
        operation.page(ListQuery { page, ..query }).await
    }
}
