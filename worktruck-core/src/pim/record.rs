use std::fmt;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::Entity;
use crate::store::{ListQuery, SortField};
use crate::{EntityId, Result};

use super::{Deleting, Operation, Stored, Writing};

/// An entity that people write: how it is listed, and what a write to it entails beside itself.
#[async_trait]
pub trait Record: Entity {
    /// What lists of it can be filtered by.
    type Filter: Filter;

    /// What lists of it can be sorted by.
    type Sort: Copy + Default + DeserializeOwned + Into<SortField> + Send + Sync;

    /// Fills in what the JSON of a new or changed entity may leave out, such as the ids of its parts, before it is
    /// read. `old` is what it was.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` with the JSON pointer of the field.
    fn complete(_body: &mut Value, _old: Option<&Stored<Self>>, _operation: &Operation) -> Result<()> {
        Ok(())
    }

    /// The entity that answers for `id`: itself, or the one that it has become a part of.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is neither, and those of the store.
    async fn read(operation: &Operation, id: EntityId) -> Result<Stored<Self>> {
        operation.expect(id).await
    }

    /// The entities of the kind that have become a part of it, which are erased with it.
    fn absorbed(&self) -> &[EntityId] {
        &[]
    }

    /// Checks a write against other entities, and adds what comes with it. The entity is normalised already.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` or `Conflict` with the JSON pointer of the field, and those of the store.
    async fn on_write(_writing: &mut Writing<'_, Self>) -> Result<()> {
        Ok(())
    }

    /// Checks whether an entity may be deleted, and adds what goes with it.
    ///
    /// # Errors
    ///
    /// `Conflict` if it is in use, and those of the store.
    async fn on_delete(_deleting: &mut Deleting<'_, Self>) -> Result<()> {
        Ok(())
    }
}

/// What a list can be filtered by; what is left out filters nothing.
#[async_trait]
pub trait Filter: Clone + Default + fmt::Debug + DeserializeOwned + Send + Serialize + Sync + 'static {
    /// Adds what it asks for to a query.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` with the JSON pointer of the field, and those of the store.
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery>;
}

/// The filter of lists that cannot be filtered.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Everything {}

#[async_trait]
impl Filter for Everything {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        Ok(query)
    }
}

/// The order of lists that can be sorted by the times of writes only.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ByTime {
    /// By when it was first written.
    #[default]
    CreatedAt,
    /// By when it was last written.
    UpdatedAt,
}

impl From<ByTime> for SortField {
    fn from(by: ByTime) -> Self {
        match by {
            ByTime::CreatedAt => Self::CreatedAt,
            ByTime::UpdatedAt => Self::UpdatedAt,
        }
    }
}
