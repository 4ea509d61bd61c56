//! Pipelines, stages and deals.

use schemars::JsonSchema;
use serde::Deserialize;
use worktruck_core::entity::deal::{Deal, DealContact};
use worktruck_core::entity::pipeline::Pipeline;
use worktruck_core::entity::stage::Stage;
use worktruck_core::entity::stage_change::StageChange;
use worktruck_core::pim::crm::Analytics;
use worktruck_core::{EntityId, Page, Timestamp};

use crate::answer::{Added, Many, Nothing, One, Pages, Plain};
use crate::body::Json;
use crate::call::Call;
use crate::entities::{Called, shown};
use crate::route::Routes;
use crate::{Domain, Failure};

/// The routes of pipelines and deals.
pub(crate) fn routes() -> Routes {
    Routes::of(Domain::Crm)
        .entity::<Pipeline>("/pipelines", Called("a pipeline", "pipelines"))
        .get("/pipelines/{id}/analytics", "Tells how a pipeline does.", analytics)
        .parts::<Stage>("/pipelines/{id}/stages", Called("a stage", "stages in their order"))
        .post("/pipelines/{id}/stages/reorder", "Puts the stages of a pipeline in order.", reorder)
        .lists::<Deal>("/deals", DEAL)
        .creates::<Deal>("/deals", DEAL)
        .reads::<Deal>("/deals/{id}", DEAL)
        .updates::<Deal>("/deals/{id}", DEAL)
        .deletes::<Deal>("/deals/{id}", DEAL)
        .travels::<Deal>("/deals/{id}", "version-history")
        .list("/deals/{id}/history", "Lists the stages that a deal came into.", stage_changes)
        .post("/deals/{id}/move", "Moves a deal to a stage.", move_deal)
        .list("/deals/{id}/contacts", "Lists the contacts of a deal.", contacts)
        .post("/deals/{id}/contacts", "Links a deal with a contact.", add_contact)
        .delete("/deals/{id}/contacts/{contact_id}", "Ends the link of a deal with a contact.", remove_contact)
}

const DEAL: Called = Called("a deal", "deals");

/// A stretch of time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Period {
    /// From then on.
    from: Option<Timestamp>,
    /// Before then.
    to: Option<Timestamp>,
}

async fn analytics(call: Call<Period>) -> Result<Plain<Analytics>, Failure> {
    let Period { from, to } = call.query;
    Ok(Plain(call.records::<Pipeline>().analytics(call.id()?, from, to).await?))
}

/// The stages of a pipeline in a new order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reorder {
    /// All of them, each once.
    stage_ids: Vec<EntityId>,
}

async fn reorder(call: Call<(), Json<Reorder>>) -> Result<Many<Stage>, Failure> {
    let stages = call.records::<Pipeline>().reorder_stages(call.id()?, &call.body.0.stage_ids).await?;
    shown(&call.records(), Page::new(stages, None)).await
}

async fn stage_changes(call: Call) -> Result<Many<StageChange>, Failure> {
    let page = call.records::<Deal>().stage_changes(call.id()?, call.page()?).await?;
    shown(&call.records(), page).await
}

/// Where a deal goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MoveTo {
    /// The stage.
    stage_id: EntityId,
    /// Why.
    reason: Option<String>,
}

async fn move_deal(call: Call<(), Json<MoveTo>>) -> Result<One<Deal>, Failure> {
    let MoveTo { stage_id, reason } = &call.body.0;
    Ok(call.records::<Deal>().move_to(call.id()?, *stage_id, reason.as_deref()).await?.into())
}

async fn contacts(call: Call) -> Result<Pages<DealContact>, Failure> {
    let deal = call.records::<Deal>().get(call.id()?).await?;
    Ok(Pages(call.part_of_list(&deal.data.contacts, |link| link.contact_id)?))
}

async fn add_contact(call: Call<(), Json<DealContact>>) -> Result<Added<DealContact>, Failure> {
    let (records, id, place) = (call.records::<Deal>(), call.id()?, call.context.place.clone());
    let contact = call.body.0.contact_id;
    let deal = records.add_contact(id, call.body.0).await?;
    let part = deal.data.contacts.into_iter().find(|link| link.contact_id == contact);
    let part = part.ok_or_else(Failure::internal)?;
    Ok(Added { part, path: format!("{place}/{contact}") })
}

async fn remove_contact(call: Call) -> Result<Nothing, Failure> {
    call.records::<Deal>().remove_contact(call.id()?, call.named("contact_id")?).await?;
    Ok(Nothing)
}
