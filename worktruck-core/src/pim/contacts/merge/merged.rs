//! What history tells of a merge.

use serde_json::Value;

use crate::entity::contact::{Contact, MERGED_TERM};
use crate::entity::{Entity as _, Kind};
use crate::pim::{Operation, Stored};
use crate::store::{EntityKey, ListQuery, Version};
use crate::temporal::At;
use crate::{EntityId, Error, PageRequest, Result, Timestamp};

use super::combine::read_body;
use super::give_back::{Leaving, Past, given_back, without};
use super::references::rewritten;
use super::slices::moment;

/// The commit that merged a contact.
pub(super) struct Merged {
    /// When it was.
    at: Timestamp,
    /// The last moment before.
    pub(super) before: Timestamp,
    /// The source as it would be now without it.
    pub(super) source: Version,
    /// Earlier merges into the same contact that have been undone since, the latest first: what the commit found of
    /// them is not the survivor's own.
    undone: Vec<Self>,
}

impl Merged {
    /// The commit that merged `source` into `survivor`.
    pub(super) async fn find(operation: &Operation, survivor: &Stored<Contact>, source: EntityId) -> Result<Self> {
        let refused = |message: String| Err(Error::conflict(message).at("/source_id"));
        if !survivor.data.merged_ids.contains(&source) {
            return refused(format!("contact {source} was not merged into contact {}", survivor.id));
        }
        let Some((at, last)) = last_state(operation, source, None).await? else {
            return refused(format!("nothing is kept of contact {source} from before it was merged"));
        };
        let mut merge = Self { at, before: at.previous(), source: last, undone: Vec::new() };
        let (before, merged) = merge.beliefs(operation, survivor.key(), at).await?;
        let had = |version: Option<Version>| -> Result<Vec<EntityId>> {
            Ok(version.as_ref().map(read_body).transpose()?.map(|contact| contact.merged_ids).unwrap_or_default())
        };
        let (before, merged) = (had(before)?, had(merged)?);
        if !before.contains(&source) && merged.contains(&source) {
            for id in before.into_iter().filter(|id| !survivor.data.merged_ids.contains(id)) {
                if let Some((at, source)) = last_state(operation, id, Some(merge.before)).await? {
                    merge.undone.push(Self { at, before: at.previous(), source, undone: Vec::new() });
                }
            }
            merge.undone.sort_by_key(|earlier| std::cmp::Reverse(earlier.at));
            return Ok(merge);
        }
        let first = ListQuery { at: At::as_of(at), ..ListQuery::new(Contact::KIND).with(MERGED_TERM, Some(source)) };
        match operation.first::<Contact>(first).await? {
            Some(first) if first.id != survivor.id => refused(format!(
                "contact {source} was merged into contact {}, which was merged into this one; unmerge that first",
                first.id
            )),
            _ => refused(format!("contact {source} was not merged into contact {}", survivor.id)),
        }
    }

    /// What was believed of an entity at `valid_at` before the merge, and what when it was done.
    pub(super) async fn beliefs(
        &self,
        operation: &Operation,
        key: EntityKey,
        valid_at: Timestamp,
    ) -> Result<(Option<Version>, Option<Version>)> {
        let at = |as_of| At { as_of: Some(as_of), valid_at: Some(valid_at) };
        let before = operation.view.entity(key, at(self.before)).await?;
        Ok((before, operation.view.entity(key, at(self.at)).await?))
    }

    /// What is left of the survivor in one of its slices.
    pub(super) async fn parted(
        &self,
        operation: &Operation,
        slice: &Version,
        leaving: &Leaving<'_>,
    ) -> Result<Contact> {
        let now = read_body(slice)?;
        let (mut before, mut merged) = self.contacts(operation, slice, &now).await?;
        for earlier in &self.undone {
            let source = read_body(&earlier.source)?;
            let gone: Vec<EntityId> =
                [earlier.source.key.id].into_iter().chain(source.merged_ids.iter().copied()).collect();
            let (was, became) = earlier.contacts(operation, slice, &before).await?;
            let others = [leaving.source.clone()];
            let leaving = Leaving { source: &source, gone: &gone, others: &others };
            merged = without(&Past { before: &was, merged: &became, now: &merged }, &leaving)?;
            let leaving = Leaving { others: &[], ..leaving };
            before = without(&Past { before: &was, merged: &became, now: &before }, &leaving)?;
        }
        let mut contact = without(&Past { before: &before, merged: &merged, now: &now }, leaving)?;
        contact.normalise(operation.locale.region)?;
        Ok(contact)
    }

    /// The survivor before the merge, and as the merge left it; where it found nothing, it changed nothing.
    async fn contacts(&self, operation: &Operation, slice: &Version, now: &Contact) -> Result<(Contact, Contact)> {
        let (before, merged) = self.beliefs(operation, slice.key, moment(operation, slice)).await?;
        let read = |version: Option<Version>| version.as_ref().map(read_body).transpose();
        let merged = read(merged)?.unwrap_or_else(|| now.clone());
        Ok((read(before)?.unwrap_or_else(|| merged.clone()), merged))
    }

    /// What an entity that referred to the source was before the merge, and as the merge left it, where those who are
    /// `still` merged are the survivor.
    pub(super) async fn bodies(
        &self,
        operation: &Operation,
        slice: &Version,
        (survivor, still): (EntityId, &[EntityId]),
    ) -> Result<(Option<Value>, Option<Value>)> {
        let moment = moment(operation, slice);
        let body = |version: Option<Version>, gone: &[EntityId]| {
            version.and_then(|version| version.slice.body).map(|body| rewritten(&body, gone, survivor))
        };
        let (before, merged) = self.beliefs(operation, slice.key, moment).await?;
        let (mut before, mut merged) = (body(before, still), body(merged, still));
        let with_source: Vec<EntityId> = still.iter().copied().chain([self.source.key.id]).collect();
        for earlier in &self.undone {
            let (was, became) = earlier.beliefs(operation, slice.key, moment).await?;
            for (past, gone) in [(&mut before, still), (&mut merged, &with_source[..])] {
                let (was, became) = (body(was.clone(), gone), body(became.clone(), gone));
                if let (Some(was), Some(became), Some(then)) = (was, became, past.as_ref()) {
                    *past = Some(given_back(&was, &became, then, earlier.source.key.id));
                }
            }
        }
        Ok((before, merged))
    }
}

/// When a contact last ended, as known at `by` or now, and what it would be now if it had not; nothing if it has not
/// ended or nothing is kept of it.
pub(super) async fn last_state(
    operation: &Operation,
    id: EntityId,
    by: Option<Timestamp>,
) -> Result<Option<(Timestamp, Version)>> {
    let key = EntityKey::new(Kind::Contact, id);
    let mut cursor = None;
    let newest = loop {
        let page = operation.view.history(key, PageRequest::largest(cursor)).await?;
        let known = page.data.into_iter().find(|version| by.is_none_or(|by| version.sys().from() <= by));
        cursor = page.next_cursor;
        if known.is_some() || cursor.is_none() {
            break known;
        }
    };
    let Some(end) = newest.filter(|version| version.slice.body.is_none()) else { return Ok(None) };
    let at = end.sys().from();
    for valid_at in [operation.now().max(at), at.previous()] {
        let at_both = At { as_of: Some(at.previous()), valid_at: Some(valid_at) };
        if let Some(version) = operation.view.entity(key, at_both).await? {
            return Ok(Some((at, version)));
        }
    }
    Ok(None)
}
