use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::entity::deal::Deal;
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::{Stage, StageType};
use crate::entity::stage_change::StageChange;
use crate::entity::{Entity as _, Kind};
use crate::store::{Change, Changes, EntityKey, ListQuery, Require};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, Error, Page, PageRequest, Result, Timestamp};

use super::super::write::present;
use super::super::{ByTime, Deleting, Filter, Operation, Record, Records, Stored, Writing, update};
use super::pipelines::default_pipeline;
use super::stages::first_stage;
use super::{from_then_on, now, referred, unchanged};

/// Moves a deal to a stage; to its pipeline too, if that is another.
///
/// It is closed when it comes into a stage of won or lost deals, and open again when it comes into another. A
/// `reason` is kept with the change of the stage, and becomes the deal's `won_reason` or `lost_reason` if that is
/// what it comes to. Moving it to where it is changes nothing.
///
/// # Errors
///
/// `NotFound` or `VersionMismatch` for the deal, `InvalidRequest` at `/stage_id` or `/reason`, and those of the store.
pub async fn move_deal(
    operation: &Operation,
    id: EntityId,
    expected: Option<u64>,
    stage_id: EntityId,
    reason: Option<&str>,
) -> Result<Changes> {
    // Whoever asks for a deal that is not there is told that, whatever else is wrong.
    present::<Deal>(operation, id, expected).await?;
    StageChange::check_reason(reason)?;
    let stage = referred::<Stage>(operation, "/stage_id", stage_id).await?;
    let patch = json!({ "pipeline_id": stage.data.pipeline_id, "stage_id": stage_id });
    let mut changes = update::<Deal>(operation, id, expected, &patch).await?;
    let Some(reason) = reason else { return Ok(changes) };
    let mut is_moved = false;
    for Change { key, write } in &mut changes.writes {
        if let (Kind::StageChange, WriteOp::Put(body)) = (key.kind, &mut write.op) {
            body.as_object_mut().and_then(|body| body.insert("reason".to_owned(), json!(reason)));
            is_moved = true;
        }
    }
    let field = match stage.data.stage_type {
        StageType::Won if is_moved => "won_reason",
        StageType::Lost if is_moved => "lost_reason",
        StageType::Open | StageType::Won | StageType::Lost => return Ok(changes),
    };
    let op = WriteOp::Patch(json!({ field: reason }));
    Ok(changes.write_valid(EntityKey::new(Kind::Deal, id), operation.write(op)))
}

/// A page of the stages that a deal came into, in the order in which it did.
///
/// # Errors
///
/// `NotFound` if there is no such deal at the two times, and those of the store.
pub async fn stage_changes(
    operation: &Operation,
    deal: EntityId,
    page: PageRequest,
) -> Result<Page<Stored<StageChange>>> {
    operation.expect::<Deal>(deal).await?;
    let query = operation.query::<StageChange>().with("deal_id", Some(deal));
    operation.page(ListQuery { page, ..query }).await
}

/// A deal that comes into a stage, or is new.
pub(super) async fn enter(writing: &mut Writing<'_, Deal>) -> Result<()> {
    let operation = writing.operation;
    let (pipeline, stage) = find_place(writing).await?;
    let (place, before) = ((Some(pipeline.id), Some(stage.id)), writing.old);
    (writing.new.pipeline_id, writing.new.stage_id) = place;
    if before.is_some_and(|old| (old.data.pipeline_id, old.data.stage_id) == place) {
        return stay(writing).await;
    }
    writing.require(Require::Exists { key: pipeline.key() });
    // What the stage says of its deals must still be so.
    writing.require(unchanged(&stage));
    writing.new.currency = writing.new.currency.or_else(|| {
        // What a deal was in by itself it may cease to be in.
        let is_new = before.is_none_or(|old| old.data.pipeline_id != Some(pipeline.id) && old.data.currency.is_none());
        pipeline.data.currency.filter(|_| is_new)
    });
    let at = moment(operation, before);
    if !(writing.new.closed_at.is_some() && writing.is_changed(|deal| &deal.closed_at)) {
        let known = writing.new.closed_at.filter(|_| stage.data.stage_type != StageType::Open);
        let is_as_before = match (known, before.and_then(|old| old.data.stage_id)) {
            (Some(_), Some(old)) => {
                let old = operation.find_at::<Stage>(old, At::NOW).await?;
                old.is_some_and(|old| old.data.stage_type == stage.data.stage_type)
            }
            _ => false,
        };
        if !is_as_before {
            writing.new.closed_at = (stage.data.stage_type != StageType::Open).then_some(at);
        }
    }
    let change = StageChange {
        deal_id: writing.id,
        pipeline_id: pipeline.id,
        from_stage_id: before.and_then(|old| old.data.stage_id),
        to_stage_id: stage.id,
        amount: writing.new.amount,
        currency: writing.new.currency,
        changed_at: at,
        changed_by: operation.principal.to_string(),
        reason: None,
        metadata: Map::new(),
    };
    let body =
        serde_json::to_value(&change).map_err(|e| Error::internal("a stage change has no JSON form").with_source(e))?;
    let key = EntityKey::new(StageChange::KIND, operation.new_id());
    writing.changes = std::mem::take(&mut writing.changes)
        .require(Require::Absent { key })
        .write_valid(key, from_then_on(WriteOp::Put(body), operation.valid_from));
    Ok(())
}

/// A deal that stays in its stage.
pub(super) async fn stay(writing: &Writing<'_, Deal>) -> Result<()> {
    let is_reopened = writing.new.closed_at.is_none() && writing.is_changed(|deal| &deal.closed_at);
    let Some(stage) = writing.new.stage_id.filter(|_| is_reopened) else { return Ok(()) };
    let stage = referred::<Stage>(writing.operation, "/stage_id", stage).await?;
    if stage.data.stage_type == StageType::Open {
        return Ok(());
    }
    let message = "a deal that is won or lost has a time when it was closed; move it to an open stage to clear that";
    Err(Error::invalid(message).at("/closed_at"))
}

/// What a deal went through goes with it.
pub(super) async fn forget_moves(deleting: &mut Deleting<'_, Deal>) -> Result<()> {
    let operation = deleting.operation;
    if operation.valid_to.is_some() {
        // It is only away for a while.
        return Ok(());
    }
    let query = now::<StageChange>().with("deal_id", Some(deleting.old.id));
    for change in operation.all::<StageChange>(query).await? {
        deleting.changes = std::mem::take(&mut deleting.changes)
            .require(Require::Exists { key: change.key() })
            .write_valid(change.key(), operation.write(WriteOp::Delete));
    }
    Ok(())
}

/// Where a deal is to be: where it says, and else, if it is new, in the first stage.
async fn find_place(writing: &Writing<'_, Deal>) -> Result<(Stored<Pipeline>, Stored<Stage>)> {
    let (operation, deal) = (writing.operation, &*writing.new);
    let named = match deal.pipeline_id {
        Some(id) => Some(referred::<Pipeline>(operation, "/pipeline_id", id).await?),
        None => None,
    };
    let Some(stage_id) = deal.stage_id else {
        if writing.old.is_some() {
            return Err(Error::invalid("a deal is always in a stage; name one").at("/stage_id"));
        }
        return first_place(operation, named).await;
    };
    let stage = referred::<Stage>(operation, "/stage_id", stage_id).await?;
    let pipeline = match named {
        Some(pipeline) => pipeline,
        None => referred::<Pipeline>(operation, "/stage_id", stage.data.pipeline_id).await?,
    };
    if stage.data.pipeline_id != pipeline.id {
        let message = format!("stage {} is of another pipeline; name one of pipeline {}", stage.id, pipeline.id);
        return Err(Error::invalid(message).at("/stage_id"));
    }
    Ok((pipeline, stage))
}

/// The first stage of a pipeline; of the default one if there is none.
async fn first_place(
    operation: &Operation,
    pipeline: Option<Stored<Pipeline>>,
) -> Result<(Stored<Pipeline>, Stored<Stage>)> {
    let pipeline = match pipeline {
        Some(pipeline) => pipeline,
        None => default_pipeline(operation).await?.ok_or_else(|| {
            Error::invalid("there is no pipeline that the deal could be in; make one first").at("/pipeline_id")
        })?,
    };
    let stage = first_stage(operation, pipeline.id).await?.ok_or_else(|| {
        let message = format!("pipeline {} has no stage that the deal could be in; add one first", pipeline.id);
        Error::invalid(message).at("/stage_id")
    })?;
    Ok((pipeline, stage))
}

/// When a deal comes into a stage: never before or when it came into the last one, however clocks run.
fn moment(operation: &Operation, old: Option<&Stored<Deal>>) -> Timestamp {
    let present = || old.map_or(Timestamp::EPOCH, |old| old.updated_at().next()).max(operation.now());
    operation.valid_from.unwrap_or_else(present)
}

/// What lists of stage changes can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct StageChangeFilter {
    /// The deal.
    pub deal_id: Option<EntityId>,
    /// The pipeline that it came into, or stayed in.
    pub pipeline_id: Option<EntityId>,
}

#[async_trait]
impl Filter for StageChangeFilter {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        Ok(query.with("deal_id", self.deal_id).with("pipeline_id", self.pipeline_id))
    }
}

#[async_trait]
impl Record for StageChange {
    type Filter = StageChangeFilter;
    type Sort = ByTime;

    /// Only a deal that is moved writes one.
    async fn on_write(_: &mut Writing<'_, Self>) -> Result<()> {
        Err(Error::conflict("a stage change is what a move leaves; move the deal instead"))
    }

    async fn on_delete(_: &mut Deleting<'_, Self>) -> Result<()> {
        Err(Error::conflict("a stage change goes with its deal only"))
    }
}

impl Records<Deal> {
    /// Moves a deal to a stage.
    ///
    /// # Errors
    ///
    /// As for [`move_deal`].
    pub async fn move_to(&self, id: EntityId, stage_id: EntityId, reason: Option<&str>) -> Result<Stored<Deal>> {
        let expected = self.expected;
        let run = |operation: Operation| async move { move_deal(&operation, id, expected, stage_id, reason).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }

    /// A page of the stages that a deal came into.
    ///
    /// # Errors
    ///
    /// As for [`stage_changes`].
    pub async fn stage_changes(&self, id: EntityId, page: PageRequest) -> Result<Page<Stored<StageChange>>> {
        stage_changes(&self.operation(), id, page).await
    }
}
