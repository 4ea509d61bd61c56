use async_trait::async_trait;
use serde_json::json;

use crate::entity::deal::Deal;
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::Stage;
use crate::entity::{Entity as _, Kind, Term};
use crate::store::{ListQuery, Require};
use crate::temporal::WriteOp;
use crate::{EntityId, Error, Result};

use super::super::{ByTime, Deleting, Everything, Operation, Record, Stored, Writing};
use super::{now, unchanged};

#[async_trait]
impl Record for Pipeline {
    type Filter = Everything;
    type Sort = ByTime;

    /// Of all pipelines exactly one is the default one: the first, until another is made that.
    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        if !writing.is_changed(|pipeline| &pipeline.is_default) {
            return Ok(());
        }
        let other = default_pipeline(writing.operation).await?.filter(|other| other.id != writing.id);
        match other {
            Some(other) => {
                writing.require(Require::Exists { key: other.key() });
                if writing.new.is_default {
                    let op = WriteOp::Patch(json!({ "is_default": false }));
                    let changes = std::mem::take(&mut writing.changes);
                    writing.changes = changes.write_valid(other.key(), writing.operation.write(op));
                }
            }
            None if writing.old.is_some() && !writing.new.is_default => {
                let message = "one pipeline is always the default one; make another that instead";
                return Err(Error::conflict(message).at("/is_default"));
            }
            None => writing.new.is_default = true,
        }
        writing.require(one_default());
        Ok(())
    }

    /// A pipeline that deals use stays. Its stages go with it, and the oldest other takes its place as the default.
    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let (operation, id) = (deleting.operation, deleting.old.id);
        if let Some(deal) = operation.first::<Deal>(now::<Deal>().with("pipeline_id", Some(id))).await? {
            let message = format!("pipeline {id} is used by deals such as {}; move or delete them first", deal.id);
            return Err(Error::conflict(message));
        }
        let stages = operation.all::<Stage>(of_pipeline(id)).await?;
        let changes = &mut deleting.changes;
        for stage in stages {
            *changes = std::mem::take(changes)
                .require(Require::Exists { key: stage.key() })
                .write_valid(stage.key(), operation.write(WriteOp::Delete));
        }
        for kind in [Kind::Deal, Kind::Stage] {
            changes.requires.push(Require::NoTerm { kind, term: Term::new("pipeline_id", id.to_string()) });
        }
        if deleting.old.data.is_default {
            let heir = operation.first::<Self>(now::<Self>().with(Self::DEFAULT_TERM, Some(false))).await?;
            *changes = match heir {
                Some(heir) => {
                    let op = WriteOp::Patch(json!({ "is_default": true }));
                    let own = std::mem::take(changes).require(unchanged(&heir)).require(one_default());
                    own.write_valid(heir.key(), operation.write(op))
                }
                None => {
                    let term = Term::new(Self::DEFAULT_TERM, "false");
                    std::mem::take(changes).require(Require::NoTerm { kind: Self::KIND, term })
                }
            };
        }
        Ok(())
    }
}

/// The pipeline that deals go to if nothing is said.
pub(super) async fn default_pipeline(operation: &Operation) -> Result<Option<Stored<Pipeline>>> {
    operation.first(now::<Pipeline>().with(Pipeline::DEFAULT_TERM, Some(true))).await
}

/// A query for the stages of a pipeline as they are now.
pub(super) fn of_pipeline(id: EntityId) -> ListQuery {
    now::<Stage>().with("pipeline_id", Some(id))
}

fn one_default() -> Require {
    Require::UniqueTerm { kind: Kind::Pipeline, term: Term::new(Pipeline::DEFAULT_TERM, "true") }
}
