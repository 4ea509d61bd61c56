//! Integration keys as entities: the keys themselves are sealed elsewhere.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::entity::integration_key::{IntegrationKey, KeyStatus, PROVIDER_TERM, Provider};
use crate::entity::{Entity as _, Term};
use crate::store::{ListQuery, Require};
use crate::{Error, Result};

use super::{ByTime, Filter, Operation, Record, Writing};

/// What lists of integration keys can be filtered by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntegrationKeyFilter {
    /// The service.
    pub provider: Option<Provider>,
    /// What is known of the key.
    pub status: Option<KeyStatus>,
}

#[async_trait]
impl Filter for IntegrationKeyFilter {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        Ok(query.with(PROVIDER_TERM, self.provider).with("status", self.status))
    }
}

/// A tenant has one key for each provider.
#[async_trait]
impl Record for IntegrationKey {
    type Filter = IntegrationKeyFilter;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        let provider = writing.new.provider;
        if writing.old.is_some_and(|old| old.data.provider != provider) {
            return Err(Error::invalid("the provider of a key does not change; store another key").at("/provider"));
        }
        let term = Term::new(PROVIDER_TERM, provider.as_str());
        let mut query = ListQuery::new(Self::KIND);
        query.terms.push(term.clone());
        let found = writing.operation.all::<Self>(query).await?;
        if found.iter().any(|found| found.id != writing.id) {
            return Err(Error::conflict(format!("there is a key for {provider}; replace that")).at("/provider"));
        }
        writing.require(Require::UniqueTerm { kind: Self::KIND, term });
        Ok(())
    }
}
