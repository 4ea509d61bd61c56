//! Parting contacts again, with what history tells of how they were merged.

use std::collections::HashMap;

use serde_json::Value;

use crate::entity::Kind;
use crate::entity::contact::Contact;
use crate::pim::write::present;
use crate::pim::{MOST_TOGETHER, Operation};
use crate::store::{Changes, EntityKey, Require, Version};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, Error, Result};

use super::super::{cascade, reading};
use super::combine::read_body;
use super::from_now_on;
use super::give_back::{Leaving, given_back};
use super::merged::{Merged, last_state};
use super::references::{LATER, PROPOSALS, REFERENCES, referring, rewritten};
use super::slices::{over, slices};

/// Makes `source`, which was merged into `survivor`, a contact of its own again, from now on and in one commit.
///
/// The source is what it was before. What the survivor has of it alone leaves the survivor, and what came to refer to
/// the survivor by the merge refers to the source again, each unless somebody has changed it since; what ended by
/// the merge is there again, if what it is about is. A proposal that the merge decided is pending again.
///
/// # Errors
///
/// - `NotFound` or `VersionMismatch` for the survivor;
/// - `Conflict` at `/source_id` if the source was not merged into it, or into a contact that was merged into it later:
///   that one is to be unmerged first;
/// - `HistoryExpired` if the merge lies before what is kept;
/// - `InvalidRequest` at `/valid_from` or `/valid_to` if the operation writes anything but what holds from now on;
/// - those of the store.
pub async fn unmerge(
    operation: &Operation,
    survivor: EntityId,
    expected: Option<u64>,
    source: EntityId,
) -> Result<Changes> {
    from_now_on(operation)?;
    let (kept, _) = present::<Contact>(operation, survivor, expected).await?;
    let merge = Merged::find(operation, &kept, source).await?;
    let mut changes = Changes::none().require(cascade::version(&kept));
    let (body, first) = (read_body(&merge.source)?, merge.source.clone());
    let key = first.key;
    changes = changes.require(Require::Absent { key });
    for slice in slices(operation, first, Some(merge.before)).await? {
        if let Some(body) = &slice.slice.body {
            changes = changes.write_valid(key, over(operation, &slice, WriteOp::Put(body.clone())));
        }
    }
    let gone: Vec<EntityId> = [source].into_iter().chain(body.merged_ids.iter().copied()).collect();
    let still: Vec<EntityId> = kept.data.merged_ids.iter().copied().filter(|id| !gone.contains(id)).collect();
    let mut others = Vec::new();
    for id in &still {
        if let Some((_, version)) = last_state(operation, *id, None).await? {
            others.push(read_body(&version)?);
        }
    }
    let leaving = Leaving { source: &body, gone: &gone, others: &others };
    for slice in slices(operation, kept.stored.clone(), None).await? {
        let contact = merge.parted(operation, &slice, &leaving).await?;
        let body =
            serde_json::to_value(contact).map_err(|e| Error::internal("a contact has no JSON form").with_source(e))?;
        changes = changes.write_valid(kept.key(), over(operation, &slice, WriteOp::Put(body)));
    }
    for reference in REFERENCES.iter().chain([&PROPOSALS]) {
        let mut referred = referring(operation, reference, &[source], At::as_of(merge.before)).await?;
        let later = At { as_of: Some(merge.before), ..LATER };
        referred.extend(referring(operation, reference, &[source], later).await?);
        for was in referred.into_values() {
            changes = changes.and(merge.give_back(operation, was.key, (survivor, &still)).await?);
        }
    }
    if changes.writes.len() > MOST_TOGETHER {
        return Err(Error::conflict(format!("unmerging would change more than {MOST_TOGETHER} entities")));
    }
    Ok(changes)
}

impl Merged {
    /// Gives an entity that referred to the source back to it.
    async fn give_back(
        &self,
        operation: &Operation,
        key: EntityKey,
        (survivor, still): (EntityId, &[EntityId]),
    ) -> Result<Changes> {
        let mut changes = Changes::none();
        let now = operation.view.entity(key, At::NOW).await?;
        let later = if now.is_none() { operation.view.entity(key, LATER).await? } else { None };
        let Some(first) = now.as_ref().or(later.as_ref()).cloned() else {
            let (before, merged) = self.beliefs(operation, key, operation.now()).await?;
            return match (before, merged) {
                (Some(before), None) => self.restore(operation, before, (survivor, still)).await,
                // Somebody has ended it since.
                _ => Ok(changes),
            };
        };
        let require = match &now {
            Some(now) => Require::Version { key, version: now.slice.version },
            None => Require::Absent { key },
        };
        for slice in slices(operation, first, None).await? {
            let (before, merged) = self.bodies(operation, &slice, (survivor, still)).await?;
            let (Some(before), Some(now)) = (before, &slice.slice.body) else { continue };
            let source = self.source.key.id;
            let back = match merged {
                Some(merged) => given_back(&before, &merged, now, source),
                // It ended by the merge, and is there again since another contact was unmerged.
                None if *now == rewritten(&before, &[source], survivor) => before,
                None => continue,
            };
            if back != *now {
                changes = changes.write_valid(key, over(operation, &slice, WriteOp::Put(back)));
            }
        }
        if changes.writes.is_empty() { Ok(changes) } else { Ok(changes.require(require)) }
    }

    /// What ended by the merge, if what it is about exists.
    async fn restore(
        &self,
        operation: &Operation,
        before: Version,
        (survivor, still): (EntityId, &[EntityId]),
    ) -> Result<Changes> {
        let key = before.key;
        let mut changes = Changes::none().require(Require::Absent { key });
        let mut standins = Standins { source: self.source.key.id, known: HashMap::new() };
        for slice in slices(operation, before, Some(self.before)).await? {
            let Some(body) = &slice.slice.body else { continue };
            let Some(body) = standins.of(operation, rewritten(body, still, survivor), &mut changes).await? else {
                return Ok(Changes::none());
            };
            changes = changes.write_valid(key, over(operation, &slice, WriteOp::Put(body)));
        }
        Ok(changes)
    }
}

/// Which contacts stand in for those that have been merged into others since.
struct Standins {
    source: EntityId,
    known: HashMap<EntityId, EntityId>,
}

impl Standins {
    /// `body` about what exists; nothing if something that it is about does not.
    async fn of(&mut self, operation: &Operation, mut body: Value, changes: &mut Changes) -> Result<Option<Value>> {
        const ABOUT: &[(&str, Kind)] = &[
            ("contact_id", Kind::Contact),
            ("related_contact_id", Kind::Contact),
            ("organization_id", Kind::Contact),
            ("group_id", Kind::Group),
            ("project_id", Kind::Project),
            ("event_id", Kind::Event),
            ("note_id", Kind::Note),
        ];
        for (field, kind) in ABOUT {
            let Some(id) = body.get(*field).and_then(Value::as_str).and_then(|id| id.parse().ok()) else { continue };
            if id == self.source {
                continue;
            }
            let key = if *kind == Kind::Contact {
                let standin = match self.known.get(&id) {
                    Some(known) => *known,
                    None => {
                        let present = Operation { at: At::NOW, ..operation.clone() };
                        reading::resolved(&present, id).await?
                    }
                };
                self.known.insert(id, standin);
                body = rewritten(&body, &[id], standin);
                EntityKey::new(*kind, standin)
            } else {
                EntityKey::new(*kind, id)
            };
            if operation.view.entity(key, At::NOW).await?.is_none() {
                return Ok(None);
            }
            changes.requires.push(Require::Exists { key });
        }
        Ok(Some(body))
    }
}
