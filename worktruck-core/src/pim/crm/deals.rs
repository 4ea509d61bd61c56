use async_trait::async_trait;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

use crate::entity::Kind;
use crate::entity::deal::{Deal, DealContact};
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::{Probability, Stage, StageType};
use crate::store::{ListQuery, SortField};
use crate::{EntityId, Result};

use super::super::contacts::of_contact;
use super::super::{Deleting, Filter, Operation, Record, Records, Stored, Writing};
use super::moves::{enter, forget_moves, stay};

/// What lists of deals can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DealFilter {
    /// The pipeline.
    pub pipeline_id: Option<EntityId>,
    /// The stage.
    pub stage_id: Option<EntityId>,
    /// What the stage says of it.
    pub stage_type: Option<StageType>,
    /// A contact that it is with or is linked with; what was merged is the survivor.
    pub contact_id: Option<EntityId>,
    /// The organization that it is with; what was merged is the survivor.
    pub organization_id: Option<EntityId>,
}

/// What lists of deals can be sorted by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DealSort {
    /// By when it was first written.
    #[default]
    CreatedAt,
    /// By when it was last written.
    UpdatedAt,
    /// By the number, whatever the currency; those without come first.
    Amount,
    /// By when it should be decided; those without come first.
    ExpectedCloseDate,
}

impl From<DealSort> for SortField {
    fn from(by: DealSort) -> Self {
        match by {
            DealSort::CreatedAt => Self::CreatedAt,
            DealSort::UpdatedAt => Self::UpdatedAt,
            DealSort::Amount => Self::Key("amount".to_owned()),
            DealSort::ExpectedCloseDate => Self::Key("expected_close_date".to_owned()),
        }
    }
}

#[async_trait]
impl Filter for DealFilter {
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery> {
        let query = query.with("pipeline_id", self.pipeline_id).with("stage_id", self.stage_id);
        let query = of_contact(query, operation, "contact_id", self.contact_id).await?;
        let query = of_contact(query, operation, "organization_id", self.organization_id).await?;
        let Some(stage_type) = self.stage_type else { return Ok(query) };
        let stages = operation.query::<Stage>().with("pipeline_id", self.pipeline_id);
        let stages = operation.all::<Stage>(stages.with("stage_type", Some(stage_type.as_str()))).await?;
        let query = query.asked("stage_type", stage_type.as_str());
        Ok(query.with_moving("stage_id", stages.iter().map(|stage| stage.id)))
    }
}

#[async_trait]
impl Record for Deal {
    type Filter = DealFilter;
    type Sort = DealSort;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        writing.refer("/contact_id", Kind::Contact, |deal| deal.contact_id).await?;
        writing.refer("/organization_id", Kind::Contact, |deal| deal.organization_id).await?;
        refer_contacts(writing).await?;
        let is_same =
            |deal: &Self| deal.stage_id == writing.new.stage_id && deal.pipeline_id == writing.new.pipeline_id;
        match writing.old {
            Some(old) if is_same(&old.data) => stay(writing).await,
            _ => enter(writing).await,
        }
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        forget_moves(deleting).await
    }
}

/// Requires that the contacts that are named anew exist.
async fn refer_contacts(writing: &mut Writing<'_, Deal>) -> Result<()> {
    let old = writing.old.map_or(&[][..], |old| &old.data.contacts);
    let mut requires = Vec::new();
    for (at, link) in writing.new.contacts.iter().enumerate() {
        if !old.iter().any(|known| known.contact_id == link.contact_id) {
            let pointer = format!("/contacts/{at}/contact_id");
            requires.push(writing.operation.refer(&pointer, Kind::Contact, link.contact_id).await?);
        }
        if let Some(by) = link.introduced_by
            && !old.iter().any(|known| known.introduced_by == Some(by))
        {
            let pointer = format!("/contacts/{at}/introduced_by");
            requires.push(writing.operation.refer(&pointer, Kind::Contact, by).await?);
        }
    }
    writing.changes.requires.extend(requires);
    Ok(())
}

/// A deal with what a single read adds to it. Its JSON is that of the deal with all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct DealDetail {
    /// The deal.
    pub deal: Stored<Deal>,
    /// What its pipeline is called; absent if it did not exist at the two times.
    pub pipeline_name: Option<String>,
    /// What its stage is called; absent if it did not exist at the two times.
    pub stage_name: Option<String>,
    /// The contacts that it is linked with.
    pub contacts: Vec<DealContact>,
    /// How likely it is to be won: as it says itself, else as its stage does.
    pub effective_probability: Option<Probability>,
}

impl Serialize for DealDetail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut resource = self.deal.resource();
        if let Some(members) = resource.as_object_mut() {
            members.insert("pipeline_name".to_owned(), json!(self.pipeline_name));
            members.insert("stage_name".to_owned(), json!(self.stage_name));
            members.insert("effective_probability".to_owned(), json!(self.effective_probability));
        }
        resource.serialize(serializer)
    }
}

/// A deal with what a single read adds to it, of one moment.
///
/// # Errors
///
/// `NotFound` if it does not exist at the two times, and those of the store.
pub async fn detail(operation: &Operation, id: EntityId) -> Result<DealDetail> {
    let operation = &operation.fixed().await?;
    let stored = operation.expect::<Deal>(id).await?;
    let deal = &stored.data;
    let pipeline = match deal.pipeline_id {
        Some(id) => operation.find::<Pipeline>(id).await?,
        None => None,
    };
    let stage = match deal.stage_id {
        Some(id) => operation.find::<Stage>(id).await?,
        None => None,
    };
    Ok(DealDetail {
        pipeline_name: pipeline.map(|pipeline| pipeline.data.name),
        effective_probability: deal.probability.or_else(|| Some(stage.as_ref()?.data.likelihood())),
        stage_name: stage.map(|stage| stage.data.name),
        contacts: deal.contacts.clone(),
        deal: stored,
    })
}

impl Records<Deal> {
    /// A deal with what a single read adds to it.
    ///
    /// # Errors
    ///
    /// As for [`detail`].
    pub async fn detail(&self, id: EntityId) -> Result<DealDetail> {
        detail(&self.operation(), id).await
    }
}
