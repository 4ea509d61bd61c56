//! Interactions with contacts.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::entity::interaction::{Interaction, InteractionType, OCCURRED_AT_KEY};
use crate::pim::{Filter, Operation, Record, Records, Stored, Writing, create};
use crate::store::{Changes, ListQuery, SortField};
use crate::{EntityId, Error, Result, Timestamp};

use super::reading;

/// What lists of interactions can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct InteractionFilter {
    /// With whom; what was merged is the survivor.
    pub contact_id: Option<EntityId>,
    /// What they were.
    #[serde(rename = "type")]
    pub kind: Option<InteractionType>,
    /// Those from this moment on.
    pub from: Option<Timestamp>,
    /// Those before this moment.
    pub to: Option<Timestamp>,
}

/// What lists of interactions can be sorted by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum InteractionSort {
    /// By when it was first written.
    #[default]
    CreatedAt,
    /// By when it was last written.
    UpdatedAt,
    /// By when it took place.
    #[serde(skip)]
    OccurredAt,
}

impl From<InteractionSort> for SortField {
    fn from(by: InteractionSort) -> Self {
        match by {
            InteractionSort::CreatedAt => Self::CreatedAt,
            InteractionSort::UpdatedAt => Self::UpdatedAt,
            InteractionSort::OccurredAt => Self::Key(OCCURRED_AT_KEY.to_owned()),
        }
    }
}

#[async_trait]
impl Filter for InteractionFilter {
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery> {
        let mut query = reading::of_contact(query, operation, "contact_id", self.contact_id).await?;
        if self.from.is_some() || self.to.is_some() {
            let from = self.from.map_or_else(String::new, |from| from.to_string());
            // Later than every moment as it is written.
            let to = self.to.map_or_else(|| ":".to_owned(), |to| to.to_string());
            query = query.within(OCCURRED_AT_KEY, [(from, to)]);
        }
        Ok(query.with("type", self.kind.map(InteractionType::as_str)))
    }
}

#[async_trait]
impl Record for Interaction {
    type Filter = InteractionFilter;
    type Sort = InteractionSort;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        let known = writing.old.map_or(&[][..], |old| &old.data.contact_ids);
        let new: Vec<(usize, EntityId)> = writing.new.contact_ids.iter().copied().enumerate().collect();
        for (at, id) in new.into_iter().filter(|(_, id)| !known.contains(id)) {
            reading::refer(writing, &format!("/contact_ids/{at}"), id, true).await?;
        }
        Ok(())
    }
}

/// A new interaction with `contact`, and with those that the JSON `body` names beside it in `contact_ids`, if any.
///
/// # Errors
///
/// `NotFound` if the contact does not exist, `Conflict` if it was merged, `InvalidRequest` with the JSON pointer of the
/// field, and those of the store.
pub async fn log_interaction(operation: &Operation, contact: EntityId, mut body: Value) -> Result<(Changes, EntityId)> {
    reading::present(operation, contact).await?;
    let Some(members) = body.as_object_mut() else {
        return Err(Error::invalid("an interaction must be an object"));
    };
    match members.entry("contact_ids").or_insert(Value::Null) {
        Value::Array(ids) if !ids.contains(&json!(contact)) => ids.insert(0, json!(contact)),
        ids @ Value::Null => *ids = json!([contact]),
        _ => {}
    }
    create::<Interaction>(operation, body).await
}

impl Records<Interaction> {
    /// Makes a new interaction with `contact`, and with those that the JSON `body` names beside it.
    ///
    /// # Errors
    ///
    /// As for [`log_interaction`].
    pub async fn log(&self, contact: EntityId, body: Value) -> Result<Stored<Interaction>> {
        let body = &body;
        let run = |operation: Operation| async move { log_interaction(&operation, contact, body.clone()).await };
        let (applied, id) = self.commit(run).await?;
        self.written(id, &applied).await
    }
}
