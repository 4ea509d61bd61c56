//! Affiliations of contacts with organizations.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::entity::affiliation::Affiliation;
use crate::entity::contact::ContactKind;
use crate::pim::{ByTime, Filter, Operation, Record, Writing};
use crate::store::ListQuery;
use crate::{EntityId, Error, Result};

use super::{cascade, reading};

/// What lists of affiliations can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AffiliationFilter {
    /// Whose they are; what was merged is the survivor.
    pub contact_id: Option<EntityId>,
    /// The organization; what was merged is the survivor.
    pub organization_id: Option<EntityId>,
    /// Whether they still hold.
    pub is_current: Option<bool>,
}

#[async_trait]
impl Filter for AffiliationFilter {
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery> {
        let query = reading::of_contact(query, operation, "contact_id", self.contact_id).await?;
        let query = reading::of_contact(query, operation, "organization_id", self.organization_id).await?;
        Ok(query.with("is_current", self.is_current))
    }
}

#[async_trait]
impl Record for Affiliation {
    type Filter = AffiliationFilter;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        let is_new = writing.is_changed(|affiliation| &affiliation.contact_id);
        reading::refer(writing, "/contact_id", writing.new.contact_id, is_new).await?;
        if writing.is_changed(|affiliation| &affiliation.organization_id) {
            let pointer = "/organization_id";
            let id = writing.new.organization_id;
            let organization = reading::referred(writing.operation, pointer, id).await?;
            if organization.data.kind != ContactKind::Organization {
                let message = format!("contact {id} is a {}, not an organization", organization.data.kind.as_str());
                return Err(Error::invalid(message).at(pointer));
            }
            // It must not become something else meanwhile.
            writing.changes.requires.push(cascade::version(&organization));
        }
        Ok(())
    }
}
