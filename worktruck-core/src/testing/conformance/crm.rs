//! Scenarios of pipelines, stages and deals.

#![expect(clippy::unwrap_used, reason = "a scenario is a test that other crates run")]

mod analytics;
mod deals;
mod moves;
mod pipelines;

pub use analytics::{
    analytics_never_add_currencies, analytics_of_a_moment_are_as_they_were,
    analytics_of_a_period_count_what_was_closed_in_it, analytics_tell_how_deals_go_through_stages,
};
pub use deals::{
    amounts_of_deals_are_exact_and_sort, bad_deal_is_refused_at_its_place, contacts_linked_at_once_are_all_kept,
    contacts_of_a_deal_are_linked_and_unlinked, deal_begins_in_the_first_stage_of_the_default_pipeline,
    deals_are_filtered_at_any_moment, deals_are_found_by_words, detail_of_a_deal_is_that_of_its_moment,
    walk_over_open_deals_goes_on_when_stages_change,
};
pub use moves::{
    deal_does_not_get_into_a_pipeline_that_goes, deal_moved_by_many_at_once_leaves_no_gap,
    deleted_deal_takes_its_stage_changes_along, every_change_of_stage_is_kept,
    move_that_is_told_late_stands_at_its_time, moved_deal_is_closed_and_opened,
    pending_moves_fit_when_they_are_committed,
};
pub use pipelines::{
    one_pipeline_is_the_default, pipeline_in_use_stays_and_takes_its_stages_along,
    pipelines_made_at_once_have_one_default, stage_with_deals_keeps_its_type_and_stays,
    stages_added_at_once_have_positions_of_their_own, stages_are_reordered_exactly, stages_keep_their_order,
};

use serde_json::{Value, json};

use crate::entity::deal::Deal;
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::Stage as DealStage;
use crate::pim::{Records, Stored};
use crate::{EntityId, Timestamp};

use super::Stage;
use super::desk::{Desk, refusal};

/// A desk with a pipeline in euros, which has two open stages, one of won and one of lost deals.
#[derive(Clone, Debug)]
struct Shop {
    desk: Desk,
    pipeline: EntityId,
    lead: EntityId,
    talk: EntityId,
    won: EntityId,
    lost: EntityId,
}

impl Shop {
    async fn new(stage: &Stage) -> Self {
        let desk = Desk::new(stage);
        let pipeline = desk.create::<Pipeline>(json!({ "name": "Sales", "currency": "EUR" })).await.id;
        let add = async |name: &str, stage_type: &str, probability: f64| {
            let body = json!({
                "pipeline_id": pipeline, "name": name, "stage_type": stage_type, "probability": probability,
            });
            desk.create::<DealStage>(body).await.id
        };
        let (lead, talk) = (add("Lead", "open", 0.1).await, add("Talk", "open", 0.5).await);
        let (won, lost) = (add("Won", "won", 1.0).await, add("Lost", "lost", 0.0).await);
        Self { pipeline, lead, talk, won, lost, desk }
    }

    fn deals(&self) -> Records<Deal> {
        self.desk.of()
    }

    /// A new deal with these fields and a name.
    async fn deal(&self, mut fields: Value) -> Stored<Deal> {
        fields["name"] = json!("Roof");
        self.desk.create(fields).await
    }
}

/// The names of stages, with their positions.
fn places(stages: &[Stored<DealStage>]) -> Vec<(&str, u32)> {
    stages.iter().map(|stage| (stage.data.name.as_str(), stage.data.position.unwrap())).collect()
}

/// A moment after all that was written, and before all that will be.
fn settled(desk: &Desk) -> Timestamp {
    desk.wait(1);
    desk.wait(1)
}
