use std::collections::BTreeMap;

use serde::Serialize;

use crate::entity::Entity;
use crate::entity::amount::{Amount, Currency};
use crate::entity::deal::Deal;
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::Stage;
use crate::entity::stage_change::StageChange;
use crate::store::ListQuery;
use crate::{EntityId, Error, PageRequest, Result, Timestamp};

use super::super::{Operation, Records, Stored};
use super::stages::stages;
use super::tally::{Path, Tally};

/// How a pipeline does, for each currency that its deals are in.
///
/// Amounts are exact sums, whatever their `value_period`. Rates and averages are rounded to four digits behind the
/// point, and absent where there is nothing to divide by.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Analytics {
    /// The pipeline.
    pub pipeline_id: EntityId,
    /// One entry for each currency, in the order of their codes; last the deals that are in none.
    pub currencies: Vec<CurrencyAnalytics>,
}

/// How the deals of a pipeline in one currency do.
///
/// A deal that names no currency is in that of the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CurrencyAnalytics {
    /// The currency.
    pub currency: Option<Currency>,
    /// How many deals are in open stages.
    pub open_count: u64,
    /// What they are worth together.
    pub open_value: Amount,
    /// The same, each amount times the deal's effective probability; rounded to millionths, the sum only.
    pub weighted_value: Amount,
    /// How many of the deals that were closed in the period are won.
    pub won_count: u64,
    /// What those are worth together.
    pub won_value: Amount,
    /// How many of the deals that were closed in the period are lost.
    pub lost_count: u64,
    /// The share of the won among the deals that were closed in the period, 0 to 1.
    pub win_rate: Option<f64>,
    /// How many days those won were open on average.
    pub average_days_to_close: Option<f64>,
    /// Each stage of the pipeline, in their order.
    pub stages: Vec<StageAnalytics>,
}

/// How the deals of a stage in one currency do.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StageAnalytics {
    /// The stage.
    pub stage_id: EntityId,
    /// How many deals are in it.
    pub count: u64,
    /// What they are worth together.
    pub value: Amount,
    /// The same, each amount times the deal's effective probability.
    pub weighted_value: Amount,
    /// How many days deals that came into it in the period were in it on average. Of an open stage, those still in
    /// it count with the days so far.
    pub average_days_in_stage: Option<f64>,
    /// Of the deals that came into it in the period, the share that later came into an open stage behind it or into
    /// one of won deals, 0 to 1; of open stages only.
    pub conversion_rate: Option<f64>,
}

/// How a pipeline does at the two times, by the deals that are in it then. All of it is of one moment.
///
/// What is open and what is in a stage does not depend on the period from `from` up to, and not including, `to`: it
/// narrows the won and lost to those that were closed in it, and how deals go through the stages to those that came
/// into the stage in it.
///
/// # Errors
///
/// `NotFound` if there is no such pipeline, `InvalidRequest` if the period ends before it begins or a sum is beyond
/// 7.9 × 10²², and those of the store.
pub async fn analytics(
    operation: &Operation,
    pipeline: EntityId,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Analytics> {
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        return Err(Error::invalid(format!("to must not be before from, but {to} is before {from}")).at("/to"));
    }
    let operation = &operation.fixed().await?;
    let found = operation.expect::<Pipeline>(pipeline).await?;
    let stages: Vec<Stored<Stage>> = stages(operation, pipeline).await?;
    let is_in = |at: Timestamp| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to);
    let mut tally = Tally::new(&stages, operation.moment());
    let mut paths: BTreeMap<EntityId, Path> = BTreeMap::new();
    let deals = operation.query::<Deal>().with("pipeline_id", Some(pipeline));
    for_each(operation, deals, |deal: Stored<Deal>| {
        let begins = deal.created_at();
        let currency = deal.data.currency.or(found.data.currency);
        paths.insert(deal.id, Path { deal: deal.data, currency, begins, entries: Vec::new() });
    })
    .await?;
    // Those out of its stages say when a deal left one for another pipeline.
    let changes = operation.query::<StageChange>().with_any("stage_id", stages.iter().map(|stage| stage.id));
    for_each(operation, changes, |change: Stored<StageChange>| {
        if let Some(path) = paths.get_mut(&change.data.deal_id) {
            path.begins = path.begins.min(change.data.changed_at);
            path.entries.push((change.data.changed_at, change.data.to_stage_id));
        }
    })
    .await?;
    for path in paths.values_mut() {
        // What was written later may have been so earlier.
        path.entries.sort_by_key(|(at, _)| *at);
        tally.add(path, &is_in);
    }
    Ok(Analytics { pipeline_id: pipeline, currencies: tally.finish()? })
}

async fn for_each<E: Entity>(
    operation: &Operation,
    query: ListQuery,
    mut take: impl FnMut(Stored<E>) + Send,
) -> Result<()> {
    let mut cursor = None;
    loop {
        let page = operation.page(ListQuery { page: PageRequest::largest(cursor), ..query.clone() }).await?;
        page.data.into_iter().for_each(&mut take);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

impl Records<Pipeline> {
    /// How a pipeline does, by the deals that are in it.
    ///
    /// # Errors
    ///
    /// As for [`analytics`].
    pub async fn analytics(&self, id: EntityId, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Analytics> {
        analytics(&self.operation(), id, from, to).await
    }
}
