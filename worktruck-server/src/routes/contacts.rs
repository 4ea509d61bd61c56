//! Contacts and what belongs to them.

use schemars::JsonSchema;
use serde::Deserialize;
use worktruck_core::EntityId;
use worktruck_core::entity::affiliation::Affiliation;
use worktruck_core::entity::contact::{Address, Channel, ChannelKind, Contact, ContactDate};
use worktruck_core::entity::group::Group;
use worktruck_core::entity::interaction::Interaction;
use worktruck_core::entity::merge_proposal::MergeProposal;
use worktruck_core::entity::relationship::Relationship;
use worktruck_core::pim::contacts::Part as PartOfContact;
use worktruck_core::pim::contacts::{ContactFilter, ContactSort, InteractionFilter, InteractionSort, Merge, seen_from};
use worktruck_core::pim::{ByTime, Nested as _};

use crate::answer::{Added, Created, Many, Nothing, One, Plain};
use crate::body::{Json, NewIn, Part, Patch};
use crate::call::Call;
use crate::entities::{Called, shown, written};
use crate::parts::delete_part;
use crate::route::Routes;
use crate::{Domain, Failure};

use super::contact_files::{export, import};

/// The routes of contacts.
pub(crate) fn routes() -> Routes {
    let relationships = Called("a relationship", "relationships");
    Routes::of(Domain::Contacts)
        .entity::<Contact>("/contacts", Called("a contact", "contacts"))
        .get("/contacts/find-by-channel", "Finds the contact with a channel.", find_by_channel)
        .post("/contacts/import", "Imports a file of contacts.", import)
        .at_once()
        .get("/contacts/export", "Exports all contacts as a file.", export)
        .post("/contacts/{id}/merge", "Merges other contacts into a contact.", merge)
        .post("/contacts/{id}/unmerge", "Makes a merged contact one of its own again.", unmerge)
        .items::<Channel>("a channel")
        .items::<Address>("an address")
        .items::<ContactDate>("a date")
        .put("/contacts/{id}/tags/{name}", "Gives a contact a tag.", tag)
        .delete("/contacts/{id}/tags/{name}", "Takes a tag from a contact.", untag)
        .parts::<Affiliation>("/contacts/{id}/affiliations", Called("an affiliation", "affiliations"))
        .list("/contacts/{id}/relationships", &format!("Lists {}.", relationships.1), related)
        .sorted::<ByTime>()
        .post("/contacts/{id}/relationships", &format!("Adds {}.", relationships.0), relate)
        .get("/contacts/{id}/relationships/{part_id}", &format!("Reads {}.", relationships.0), relationship)
        .delete(
            "/contacts/{id}/relationships/{part_id}",
            "Ends a relationship, or erases it.",
            delete_part::<Relationship>,
        )
        .part_travels::<Relationship>("/contacts/{id}/relationships/{part_id}")
        .list("/contacts/{id}/interactions", "Lists interactions with a contact.", interactions)
        .sorted::<InteractionSort>()
        .post("/contacts/{id}/interactions", "Adds an interaction with a contact.", log)
        .reads::<Interaction>("/interactions/{id}", INTERACTION)
        .updates::<Interaction>("/interactions/{id}", INTERACTION)
        .deletes::<Interaction>("/interactions/{id}", INTERACTION)
        .travels::<Interaction>("/interactions/{id}", "history")
        .entity::<Group>("/groups", Called("a group", "groups"))
        .list("/groups/{id}/members", "Lists the contacts in a group.", members)
        .sorted::<ContactSort>()
        .put("/groups/{id}/members/{contact_id}", "Puts a contact into a group.", add_member)
        .delete("/groups/{id}/members/{contact_id}", "Takes a contact out of a group.", remove_member)
        .lists::<MergeProposal>("/merge-proposals", PROPOSAL)
        .reads::<MergeProposal>("/merge-proposals/{id}", PROPOSAL)
        .travels::<MergeProposal>("/merge-proposals/{id}", "history")
        .post("/merge-proposals/{id}/accept", "Merges the contacts of a proposal.", accept)
        .at_once()
        .post("/merge-proposals/{id}/reject", "Says that the contacts of a proposal differ.", reject)
        .at_once()
}

const INTERACTION: Called = Called("an interaction", "interactions");
const PROPOSAL: Called = Called("a merge proposal", "merge proposals");

impl Routes {
    /// To add, change and remove one of the lists that a contact holds.
    fn items<P: PartOfContact + JsonSchema>(self, one: &str) -> Self {
        let list = format!("/contacts/{{id}}/{}", P::LIST);
        let item = format!("{list}/{{item_id}}");
        self.post(&list, &format!("Adds {one} to a contact."), add_item::<P>)
            .patch(&item, &format!("Changes {one} of a contact by a merge patch."), change_item::<P>)
            .delete(&item, &format!("Takes {one} from a contact."), remove_item::<P>)
    }
}

/// A channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ByChannel {
    /// Its type.
    r#type: ChannelKind,
    /// Its value, however it is spelled.
    value: String,
}

async fn find_by_channel(call: Call<ByChannel>) -> Result<One<Contact>, Failure> {
    let ByChannel { r#type, value } = &call.query;
    Ok(call.records::<Contact>().find_by_channel(*r#type, value).await?.into())
}

async fn merge(call: Call<(), Json<Merge>>) -> Result<One<Contact>, Failure> {
    Ok(call.records::<Contact>().merge(call.id()?, &call.body.0).await?.into())
}

/// Which contact is to be one of its own again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Unmerge {
    /// The contact that was merged.
    source_id: EntityId,
}

async fn unmerge(call: Call<(), Json<Unmerge>>) -> Result<One<Contact>, Failure> {
    Ok(call.records::<Contact>().unmerge(call.id()?, call.body.0.source_id).await?.into())
}

async fn add_item<P: PartOfContact + JsonSchema>(call: Call<(), Part<P>>) -> Result<Added<P>, Failure> {
    let (records, id, place) = (call.records::<Contact>(), call.id()?, call.context.place.clone());
    let part = records.add::<P>(id, call.body.0).await?;
    Ok(Added { path: format!("{place}/{}", part.id()), part })
}

async fn change_item<P: PartOfContact + JsonSchema>(call: Call<(), Patch<P>>) -> Result<Plain<P>, Failure> {
    let (records, id, item) = (call.records::<Contact>(), call.id()?, call.item()?);
    Ok(Plain(records.change::<P>(id, item, call.body.0).await?))
}

async fn remove_item<P: PartOfContact>(call: Call) -> Result<Nothing, Failure> {
    call.records::<Contact>().remove::<P>(call.id()?, call.item()?).await?;
    Ok(Nothing)
}

async fn tag(call: Call) -> Result<One<Contact>, Failure> {
    Ok(call.records::<Contact>().tag(call.id()?, call.text("name")).await?.into())
}

async fn untag(call: Call) -> Result<Nothing, Failure> {
    call.records::<Contact>().untag(call.id()?, call.text("name")).await?;
    Ok(Nothing)
}

async fn related(call: Call) -> Result<Many<Relationship>, Failure> {
    let records = call.records::<Relationship>();
    let contact = call.records::<Contact>().get(call.id()?).await?.id;
    let page = call.ordered(records.list(Relationship::of(contact)))?.await?;
    shown(&records, page.map(|relationship| seen_from(relationship, contact))).await
}

async fn relate(call: Call<(), NewIn<Relationship>>) -> Result<Created<Relationship>, Failure> {
    let (records, id, place) = (call.records::<Relationship>(), call.id()?, call.context.place.clone());
    let made = seen_from(records.create_part(id, call.body.0).await?, id);
    Ok(Created::at(&place, made.id, made.into()))
}

async fn relationship(call: Call) -> Result<One<Relationship>, Failure> {
    let contact = call.records::<Contact>().get(call.id()?).await?.id;
    let found = call.records::<Relationship>().get_part(contact, call.named("part_id")?).await?;
    Ok(seen_from(found, contact).into())
}

async fn interactions(call: Call) -> Result<Many<Interaction>, Failure> {
    let records = call.records::<Interaction>();
    let contact = call.records::<Contact>().get(call.id()?).await?.id;
    let filter = InteractionFilter { contact_id: Some(contact), ..InteractionFilter::default() };
    let page = call.ordered(records.list(filter))?.await?;
    shown(&records, page).await
}

async fn log(call: Call<(), crate::body::New<Interaction>>) -> Result<Created<Interaction>, Failure> {
    let (records, id) = (call.records::<Interaction>(), call.id()?);
    let made = records.log(id, call.body.0).await?;
    Ok(Created::at("/interactions", made.id, written(&records, made).await?))
}

async fn members(call: Call) -> Result<Many<Contact>, Failure> {
    let (records, group) = (call.records::<Contact>(), call.id()?);
    call.records::<Group>().get(group).await?;
    let filter = ContactFilter { group_id: Some(group), ..ContactFilter::default() };
    let page = call.ordered(records.list(filter))?.await?;
    shown(&records, page).await
}

async fn add_member(call: Call) -> Result<Nothing, Failure> {
    call.records::<Group>().add_member(call.id()?, call.named("contact_id")?).await?;
    Ok(Nothing)
}

async fn remove_member(call: Call) -> Result<Nothing, Failure> {
    call.records::<Group>().remove_member(call.id()?, call.named("contact_id")?).await?;
    Ok(Nothing)
}

async fn accept(call: Call) -> Result<One<MergeProposal>, Failure> {
    Ok(call.records::<MergeProposal>().accept(call.id()?).await?.into())
}

async fn reject(call: Call) -> Result<One<MergeProposal>, Failure> {
    Ok(call.records::<MergeProposal>().reject(call.id()?).await?.into())
}
