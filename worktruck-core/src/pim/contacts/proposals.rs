//! Proposals to merge contacts, and what people decide on them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::entity::Entity as _;
use crate::entity::merge_proposal::{MergeProposal, ProposalStatus};
use crate::pim::write::present;
use crate::pim::{ByTime, Filter, Operation, Record, Records, Stored, Writing};
use crate::store::{Changes, ListQuery, News, Require};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, Error, Result, RunId};

use super::{Merge, cascade, merge, reading};

/// What lists of merge proposals can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct MergeProposalFilter {
    /// What has become of them.
    pub status: Option<ProposalStatus>,
    /// A contact that they name.
    pub contact_id: Option<EntityId>,
    /// The run that proposed them.
    pub run_id: Option<RunId>,
}

#[async_trait]
impl Filter for MergeProposalFilter {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        Ok(query
            .with("status", self.status.map(ProposalStatus::as_str))
            .with("contact_id", self.contact_id)
            .with("run_id", self.run_id))
    }
}

#[async_trait]
impl Record for MergeProposal {
    type Filter = MergeProposalFilter;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        let known = writing.old.map_or(&[][..], |old| &old.data.contact_ids);
        let new: Vec<(usize, EntityId)> = writing.new.contact_ids.iter().copied().enumerate().collect();
        for (at, id) in new.into_iter().filter(|(_, id)| !known.contains(id)) {
            reading::refer(writing, &format!("/contact_ids/{at}"), id, true).await?;
        }
        if writing.new.status != ProposalStatus::Stale {
            let term = Self::contacts_term(&writing.new.contact_ids)?;
            let same = ListQuery::new(Self::KIND).with(&term.name, Some(&term.value));
            if let Some(same) = writing.operation.first::<Self>(same).await?
                && same.id != writing.id
            {
                let message = format!("proposal {} is about the same contacts", same.id);
                return Err(Error::conflict(message).at("/contact_ids"));
            }
            writing.require(Require::UniqueTerm { kind: Self::KIND, term });
        }
        if writing.old.is_none() {
            writing.changes.news.push(proposed(writing.id, writing.new));
        }
        Ok(())
    }
}

/// What webhooks are told of a new proposal.
#[must_use]
pub fn proposed(id: EntityId, proposal: &MergeProposal) -> News {
    let MergeProposal { contact_ids, survivor_id, score, reasons, run_id, .. } = proposal;
    let mut data = json!({
        "id": id, "contact_ids": contact_ids, "survivor_id": survivor_id, "score": score, "reasons": reasons,
    });
    if let Some(run) = run_id {
        data["run_id"] = json!(run);
    }
    News { event_type: "merge_proposal.created".to_owned(), data }
}

/// What came of accepting a proposal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// Its contacts are merged.
    Merged,
    /// It does not stand, because this contact is gone or was merged into another.
    Stale(EntityId),
}

/// Merges the contacts that a proposal names into the one that it says remains.
///
/// If one of them does not exist any more the changes make the proposal stale, and nothing is merged: whoever commits
/// them says so.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, `Conflict` if somebody has decided already, those of [`merge()`] and of the store.
pub async fn accept(operation: &Operation, id: EntityId, expected: Option<u64>) -> Result<(Changes, Decided)> {
    let proposal = pending(operation, id, expected).await?;
    let present = Operation { at: At::NOW, ..operation.clone() };
    for contact in &proposal.data.contact_ids {
        if present.find::<crate::entity::contact::Contact>(*contact).await?.is_none() {
            return Ok((decided(&proposal, ProposalStatus::Stale), Decided::Stale(*contact)));
        }
    }
    let survivor = proposal.data.survivor_id;
    let sources = proposal.data.contact_ids.iter().copied().filter(|id| *id != survivor);
    // Merging them accepts it.
    let changes = merge(operation, survivor, None, &Merge::of(sources.collect::<Vec<_>>())).await?;
    Ok((changes.require(cascade::version(&proposal)), Decided::Merged))
}

/// Says that the contacts of a proposal are not the same.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, `Conflict` if somebody has decided already, and those of the store.
pub async fn reject(operation: &Operation, id: EntityId, expected: Option<u64>) -> Result<Changes> {
    Ok(decided(&pending(operation, id, expected).await?, ProposalStatus::Rejected))
}

async fn pending(operation: &Operation, id: EntityId, expected: Option<u64>) -> Result<Stored<MergeProposal>> {
    let (proposal, _) = present::<MergeProposal>(operation, id, expected).await?;
    match proposal.data.status {
        ProposalStatus::Pending => Ok(proposal),
        status => Err(Error::conflict(format!("proposal {id} is {} already", status.as_str())).at("/status")),
    }
}

fn decided(proposal: &Stored<MergeProposal>, status: ProposalStatus) -> Changes {
    let patch = WriteOp::Patch(json!({ "status": status }));
    Changes::none().require(cascade::version(proposal)).write(proposal.key(), patch)
}

impl Records<MergeProposal> {
    /// Merges the contacts that a proposal names, and gives the proposal, accepted.
    ///
    /// # Errors
    ///
    /// As for [`accept`], and `Conflict` if the proposal turned out to be stale, which it is from then on.
    pub async fn accept(&self, id: EntityId) -> Result<Stored<MergeProposal>> {
        let expected = self.expected;
        let run = |operation: Operation| async move { accept(&operation, id, expected).await };
        let (applied, decided) = self.commit(run).await?;
        match decided {
            Decided::Merged => self.written(id, &applied).await,
            Decided::Stale(contact) => Err(Error::conflict(format!(
                "contact {contact} does not exist any more as it was proposed, so that nothing was merged"
            ))),
        }
    }

    /// Says that the contacts of a proposal are not the same.
    ///
    /// # Errors
    ///
    /// As for [`reject`].
    pub async fn reject(&self, id: EntityId) -> Result<Stored<MergeProposal>> {
        let expected = self.expected;
        let applied = self.commit_all(|operation| async move { reject(&operation, id, expected).await }).await?;
        self.written(id, &applied).await
    }
}
