//! Several contacts become one, and part again.

mod combine;
mod give_back;
mod merged;
mod references;
mod slices;
#[cfg(test)]
mod tests;
mod unmerge;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::entity::contact::{Contact, ContactKind};
use crate::entity::merge_proposal::ProposalStatus;
use crate::pim::write::present;
use crate::pim::{MOST_TOGETHER, Operation, Records, Stored};
use crate::store::Changes;
use crate::temporal::WriteOp;
use crate::{EntityId, Error, Result};

use super::{cascade, no_affiliations, reading};
use combine::{combine, read_body};
use references::repoint;
use slices::{over, slices};

pub use unmerge::unmerge;

/// Which contacts become a part of another.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The contacts that end.
    pub source_ids: Vec<EntityId>,
    /// Whose field it is, for fields that hold one value; what is not named is the survivor's, else that of the first
    /// source that has one.
    #[serde(default)]
    pub prefer: BTreeMap<String, EntityId>,
}

impl Merge {
    /// A merge that prefers nothing.
    #[must_use]
    pub fn of(source_ids: impl Into<Vec<EntityId>>) -> Self {
        Self { source_ids: source_ids.into(), prefer: BTreeMap::new() }
    }
}

/// Merges contacts into `survivor`, from now on and in one commit.
///
/// The survivor gets every channel, address, date, tag and member of `metadata` that it does not have; of two channels
/// with one canonical value it keeps its own, and at most one of a type is primary. A field with one value is filled
/// from the sources in their order. What does not fit is kept in `metadata` under
/// [`MERGED_KEY`](crate::entity::contact::MERGED_KEY). Everything that refers to a source refers to the survivor
/// afterwards; what would then say something twice, or of a contact and itself, ends.
///
/// The sources end, and reading one answers with the survivor, which has their ids in `merged_ids`, and those of what
/// was merged into them. Proposals to merge no other contacts than these are accepted thereby, others that name a
/// source become stale.
///
/// # Errors
///
/// - `NotFound` or `VersionMismatch` for the survivor;
/// - `Conflict` if a contact is merged already, somebody is affiliated with one that would be no organization, or more
///   than [`MOST_TOGETHER`] entities are concerned;
/// - `InvalidRequest` with the JSON pointer of what is wrong with `wanted`, and at `/valid_from` or `/valid_to` if the
///   operation writes anything but what holds from now on;
/// - those of the store.
pub async fn merge(
    operation: &Operation,
    survivor: EntityId,
    expected: Option<u64>,
    wanted: &Merge,
) -> Result<Changes> {
    from_now_on(operation)?;
    let (kept, _) = present::<Contact>(operation, survivor, expected).await?;
    let sources = sources(operation, survivor, wanted).await?;
    check_prefer(survivor, wanted)?;
    let mut changes = Changes::none().require(cascade::version(&kept));
    let parties: Vec<(EntityId, &Contact)> = sources.iter().map(|source| (source.id, &source.data)).collect();
    let mut is_organization = true;
    for slice in slices(operation, kept.stored.clone(), None).await? {
        let mut whole = combine((survivor, &read_body(&slice)?), &parties, &wanted.prefer)?;
        whole.normalise(operation.locale.region)?;
        is_organization &= whole.kind == ContactKind::Organization;
        let body =
            serde_json::to_value(whole).map_err(|e| Error::internal("a contact has no JSON form").with_source(e))?;
        changes = changes.write_valid(kept.key(), over(operation, &slice, WriteOp::Put(body)));
    }
    let ids: Vec<EntityId> = sources.iter().map(|source| source.id).collect();
    if !is_organization {
        let all: Vec<EntityId> = ids.iter().copied().chain([survivor]).collect();
        let none = no_affiliations(operation, &all).await.map_err(|error| error.at("/source_ids"))?;
        changes.requires.extend(none);
    }
    for source in &sources {
        changes = changes.require(cascade::version(source)).write(source.key(), WriteOp::Delete);
    }
    let changes = changes.and(repoint(operation, survivor, &ids).await?).and(settle(operation, survivor, &ids).await?);
    if changes.writes.len() > MOST_TOGETHER {
        let message = format!("the merge would change more than {MOST_TOGETHER} entities; merge fewer at once");
        return Err(Error::conflict(message));
    }
    Ok(changes)
}

/// The contacts that end, as they are.
async fn sources(operation: &Operation, survivor: EntityId, wanted: &Merge) -> Result<Vec<Stored<Contact>>> {
    if wanted.source_ids.is_empty() {
        return Err(Error::invalid("name at least one contact to merge").at("/source_ids"));
    }
    let mut seen = HashSet::new();
    let mut sources = Vec::with_capacity(wanted.source_ids.len());
    for (at, id) in wanted.source_ids.iter().enumerate() {
        let pointer = format!("/source_ids/{at}");
        if *id == survivor {
            return Err(Error::invalid("a contact cannot be merged into itself").at(pointer));
        }
        if !seen.insert(id) {
            return Err(Error::invalid(format!("contact {id} is named twice")).at(pointer));
        }
        sources.push(reading::referred(operation, &pointer, *id).await?);
    }
    Ok(sources)
}

fn check_prefer(survivor: EntityId, wanted: &Merge) -> Result<()> {
    for (field, id) in &wanted.prefer {
        let pointer = format!("/prefer/{}", field.replace('~', "~0").replace('/', "~1"));
        if !combine::FIELDS.contains(&field.as_str()) {
            let fields = combine::FIELDS.join(", ");
            return Err(Error::invalid(format!("{field:?} is not one of {fields}")).at(pointer));
        }
        if *id != survivor && !wanted.source_ids.contains(id) {
            return Err(Error::invalid(format!("contact {id} is not one of those that are merged")).at(pointer));
        }
    }
    Ok(())
}

/// What becomes of the proposals that nobody has decided on.
async fn settle(operation: &Operation, survivor: EntityId, sources: &[EntityId]) -> Result<Changes> {
    let mut changes = Changes::none();
    for proposal in cascade::pending_proposals(operation, sources).await? {
        let is_done = proposal.data.contact_ids.iter().all(|id| *id == survivor || sources.contains(id));
        let status = if is_done { ProposalStatus::Accepted } else { ProposalStatus::Stale };
        let patch = WriteOp::Patch(json!({ "status": status }));
        changes = changes.require(cascade::version(&proposal)).write(proposal.key(), patch);
    }
    Ok(changes)
}

/// Refuses to merge or unmerge anything but what holds from now on: what it would mean in between has no answer.
fn from_now_on(operation: &Operation) -> Result<()> {
    let refused = |pointer: &str| Err(Error::invalid("contacts are merged from now on; leave it out").at(pointer));
    match (operation.valid_from, operation.valid_to) {
        (Some(_), _) => refused("/valid_from"),
        (None, Some(_)) => refused("/valid_to"),
        (None, None) => Ok(()),
    }
}

impl Records<Contact> {
    /// Merges contacts into `survivor`, and gives what it has become.
    ///
    /// # Errors
    ///
    /// As for [`merge`].
    pub async fn merge(&self, survivor: EntityId, wanted: &Merge) -> Result<Stored<Contact>> {
        let expected = self.expected;
        let run = |operation: Operation| async move { merge(&operation, survivor, expected, wanted).await };
        let applied = Box::pin(self.commit_all(run)).await?;
        self.written(survivor, &applied).await
    }

    /// Makes `source` a contact of its own again, and gives it.
    ///
    /// # Errors
    ///
    /// As for [`unmerge()`].
    pub async fn unmerge(&self, survivor: EntityId, source: EntityId) -> Result<Stored<Contact>> {
        let expected = self.expected;
        let run = |operation: Operation| async move { unmerge(&operation, survivor, expected, source).await };
        let applied = Box::pin(self.commit_all(run)).await?;
        self.written(source, &applied).await
    }
}
