//! Relationships between contacts, from either end.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::entity::Entity as _;
use crate::entity::contact::Contact;
use crate::entity::relationship::{END_TERM, Relationship};
use crate::pim::{ByTime, Filter, Operation, Record, Records, Stored, Writing};
use crate::store::{ListQuery, Require};
use crate::{EntityId, Error, Page, PageRequest, Result};

use super::reading;

/// What lists of relationships can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RelationshipFilter {
    /// One of the ends; what was merged is the survivor.
    pub contact_id: Option<EntityId>,
    /// What they are, as stored.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

#[async_trait]
impl Filter for RelationshipFilter {
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery> {
        let query = reading::of_contact(query, operation, END_TERM, self.contact_id).await?;
        Ok(query.with("type", self.kind.as_ref()))
    }
}

#[async_trait]
impl Record for Relationship {
    type Filter = RelationshipFilter;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        let is_new = writing.is_changed(|relationship| &relationship.contact_id);
        reading::refer(writing, "/contact_id", writing.new.contact_id, is_new).await?;
        let is_new = writing.is_changed(|relationship| &relationship.related_contact_id);
        reading::refer(writing, "/related_contact_id", writing.new.related_contact_id, is_new).await?;
        let term = writing.new.unique_term()?;
        let same = ListQuery::new(Self::KIND).with(&term.name, Some(&term.value));
        if let Some(same) = writing.operation.first::<Self>(same).await?
            && same.id != writing.id
        {
            let message = format!("relationship {} says this already", same.id);
            return Err(Error::conflict(message).at("/related_contact_id"));
        }
        writing.require(Require::UniqueTerm { kind: Self::KIND, term });
        Ok(())
    }
}

/// The relationship as it is read from one of its ends: from the second, its ends are exchanged and its type is the
/// [inverse](crate::entity::relationship::inverse_type).
///
/// The resource then has a `direction` too, `outgoing` as it is stored and `incoming` the other way round: for a type
/// of the tenant's own nothing else tells who is what to whom.
#[must_use]
pub fn seen_from(mut relationship: Stored<Relationship>, end: EntityId) -> Stored<Relationship> {
    let is_incoming = relationship.data.related_contact_id == end;
    if is_incoming {
        relationship.data = relationship.data.inverse();
    }
    if let Some(body) = relationship.stored.slice.body.as_mut().and_then(serde_json::Value::as_object_mut) {
        body.insert("contact_id".to_owned(), json!(relationship.data.contact_id));
        body.insert("related_contact_id".to_owned(), json!(relationship.data.related_contact_id));
        body.insert("type".to_owned(), json!(relationship.data.kind));
        body.insert("direction".to_owned(), json!(if is_incoming { "incoming" } else { "outgoing" }));
    }
    relationship
}

impl Records<Contact> {
    /// A page of the relationships of a contact, each [seen from](seen_from) there.
    ///
    /// # Errors
    ///
    /// `NotFound` if the contact does not exist, and those of a list.
    pub async fn relationships(&self, contact: EntityId, page: PageRequest) -> Result<Page<Stored<Relationship>>> {
        let operation = self.operation();
        let end = reading::read(&operation, contact).await?.id;
        let query = ListQuery { page, ..operation.query::<Relationship>().with(END_TERM, Some(end)) };
        Ok(operation.page(query).await?.map(|relationship| seen_from(relationship, end)))
    }
}
