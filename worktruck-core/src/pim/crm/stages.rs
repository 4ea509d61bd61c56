use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::entity::deal::Deal;
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::{Stage, StageType};
use crate::entity::{Kind, Term};
use crate::store::{Changes, ListQuery, Require, Sort, SortField};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, Error, Result};

use super::super::{Deleting, Filter, Operation, Record, Records, Stored, Writing};
use super::pipelines::of_pipeline;
use super::{now, unchanged};

/// What lists of stages can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct StageFilter {
    /// The pipeline.
    pub pipeline_id: Option<EntityId>,
    /// What it says of its deals.
    pub stage_type: Option<StageType>,
}

/// What lists of stages can be sorted by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StageSort {
    /// As they follow each other in a pipeline.
    #[default]
    #[serde(skip)]
    Position,
    /// By when it was first written.
    CreatedAt,
    /// By when it was last written.
    UpdatedAt,
}

impl From<StageSort> for SortField {
    fn from(by: StageSort) -> Self {
        match by {
            StageSort::Position => Self::Key("position".to_owned()),
            StageSort::CreatedAt => Self::CreatedAt,
            StageSort::UpdatedAt => Self::UpdatedAt,
        }
    }
}

#[async_trait]
impl Filter for StageFilter {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        Ok(query.with("pipeline_id", self.pipeline_id).with("stage_type", self.stage_type.map(StageType::as_str)))
    }
}

#[async_trait]
impl Record for Stage {
    type Filter = StageFilter;
    type Sort = StageSort;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        if let Some(old) = writing.old {
            if old.data.pipeline_id != writing.new.pipeline_id {
                return Err(Error::invalid("a stage stays in its pipeline; make one in the other").at("/pipeline_id"));
            }
            if old.data.stage_type != writing.new.stage_type {
                // Their deals would have to be closed or opened.
                let unused = unused(writing.operation, writing.id).await.map_err(|e| e.at("/stage_type"))?;
                writing.require(unused);
            }
        }
        writing.refer("/pipeline_id", Kind::Pipeline, |stage| Some(stage.pipeline_id)).await?;
        put_in_place(writing).await
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let unused = unused(deleting.operation, deleting.old.id).await?;
        deleting.changes.requires.push(unused);
        Ok(())
    }
}

/// Gives a stage its position. The one that has it already, and those that follow it without a gap, move up by one.
async fn put_in_place(writing: &mut Writing<'_, Stage>) -> Result<()> {
    let (operation, pipeline) = (writing.operation, writing.new.pipeline_id);
    let before = writing.old.and_then(|old| old.data.position);
    writing.new.position = writing.new.position.or(before);
    if before.is_some() && writing.new.position == before {
        return Ok(());
    }
    let others = in_order(operation, of_pipeline(pipeline)).await?;
    let position = match writing.new.position {
        Some(position) => position,
        None => others.last().and_then(|last| last.data.position).map_or(Ok(0), following)?,
    };
    writing.new.position = Some(position);
    let mut changes = Changes::none().require(alone(pipeline, position));
    let mut taken = position;
    for other in others.iter().filter(|other| other.id != writing.id) {
        if other.data.position == Some(taken) {
            taken = following(taken)?;
            changes = changes.and(place(operation, other, taken));
        }
    }
    writing.changes = std::mem::take(&mut writing.changes).and(changes);
    Ok(())
}

/// The stages of a pipeline, in their order.
///
/// # Errors
///
/// `NotFound` if there is no such pipeline, and those of the store.
pub async fn stages(operation: &Operation, pipeline: EntityId) -> Result<Vec<Stored<Stage>>> {
    operation.expect::<Pipeline>(pipeline).await?;
    in_order(operation, operation.query::<Stage>().with("pipeline_id", Some(pipeline))).await
}

/// Puts the stages of a pipeline into another order, in which each is named once.
///
/// The positions stay the same; which stage has which one changes.
///
/// # Errors
///
/// `NotFound` if there is no such pipeline, `InvalidRequest` at `/stage_ids` if they are not its stages, and those of
/// the store.
pub async fn reorder_stages(operation: &Operation, pipeline: EntityId, stage_ids: &[EntityId]) -> Result<Changes> {
    let found = operation.find_at::<Pipeline>(pipeline, At::NOW).await?;
    let found = found.ok_or_else(|| Error::not_found(format!("{} {pipeline}", Kind::Pipeline)))?;
    let stages = in_order(operation, of_pipeline(pipeline)).await?;
    let named: BTreeSet<EntityId> = stage_ids.iter().copied().collect();
    let known: BTreeSet<EntityId> = stages.iter().map(|stage| stage.id).collect();
    if named.len() != stage_ids.len() || named != known {
        let message = "stage_ids must name every stage of the pipeline exactly once, and no others";
        return Err(Error::invalid(message).at("/stage_ids"));
    }
    let mut changes = Changes::none().require(Require::Exists { key: found.key() });
    for (id, position) in stage_ids.iter().zip(stages.iter().map(|stage| stage.data.position)) {
        let stage = stages.iter().find(|stage| stage.id == *id);
        if let (Some(stage), Some(position)) = (stage.filter(|stage| stage.data.position != position), position) {
            changes = changes.require(alone(pipeline, position)).and(place(operation, stage, position));
        }
    }
    Ok(changes)
}

/// The stage that a pipeline begins with.
pub(super) async fn first_stage(operation: &Operation, pipeline: EntityId) -> Result<Option<Stored<Stage>>> {
    let query = ListQuery { sort: by_position(), ..of_pipeline(pipeline) };
    operation.first(query).await
}

async fn in_order(operation: &Operation, query: ListQuery) -> Result<Vec<Stored<Stage>>> {
    operation.all(ListQuery { sort: by_position(), ..query }).await
}

fn by_position() -> Sort {
    Sort { field: StageSort::Position.into(), descending: false }
}

fn following(position: u32) -> Result<u32> {
    position.checked_add(1).ok_or_else(|| Error::invalid("the position is too great").at("/position"))
}

fn alone(pipeline: EntityId, position: u32) -> Require {
    Require::UniqueTerm { kind: Kind::Stage, term: Stage::place(pipeline, position) }
}

fn place(operation: &Operation, stage: &Stored<Stage>, position: u32) -> Changes {
    let op = WriteOp::Patch(json!({ "position": position }));
    Changes::none()
        .require(unchanged(stage))
        .require(alone(stage.data.pipeline_id, position))
        .write_valid(stage.key(), operation.write(op))
}

/// What must hold for a stage to be of another type or to go: no deal is in it.
async fn unused(operation: &Operation, id: EntityId) -> Result<Require> {
    match operation.first::<Deal>(now::<Deal>().with("stage_id", Some(id))).await? {
        None => Ok(Require::NoTerm { kind: Kind::Deal, term: Term::new("stage_id", id.to_string()) }),
        Some(deal) => {
            let message = format!("deals such as {} are in stage {id}; move or delete them first", deal.id);
            Err(Error::conflict(message))
        }
    }
}

impl Records<Pipeline> {
    /// The stages of a pipeline, in their order.
    ///
    /// # Errors
    ///
    /// As for [`stages`].
    pub async fn stages(&self, id: EntityId) -> Result<Vec<Stored<Stage>>> {
        stages(&self.operation(), id).await
    }

    /// Puts the stages of a pipeline into another order, and gives them in it.
    ///
    /// # Errors
    ///
    /// As for [`reorder_stages`].
    pub async fn reorder_stages(&self, id: EntityId, stage_ids: &[EntityId]) -> Result<Vec<Stored<Stage>>> {
        self.commit_all(|operation| async move { reorder_stages(&operation, id, stage_ids).await }).await?;
        self.stages(id).await
    }
}
