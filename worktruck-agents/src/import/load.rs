use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use worktruck_core::entity::contact::Contact;
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::{Changes, EntityKey, EntityStore, ListQuery, Provenance, Require, Version};
use worktruck_core::temporal::WriteOp;
use worktruck_core::{Clock, EntityId, Error, IdSource, ItemId, PageRequest, Result, TenantId};

use super::{Imported, Parsed, Problem};

/// How many contacts are committed together.
const BATCH: usize = 200;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Contacts that are new.
    pub created: usize,
    /// Contacts that were there under the same UID and have changed.
    pub updated: usize,
    /// Rows and cards left out, and contacts that were there unchanged.
    pub skipped: usize,
    /// What was not understood.
    pub errors: Vec<Problem>,
}

/// Where contacts are loaded into, and as whose work.
#[derive(Debug)]
pub struct Target<'a> {
    /// The store.
    pub store: &'a dyn EntityStore,
    /// Whose contacts they become.
    pub tenant: TenantId,
    /// Where new ids come from.
    pub ids: &'a dyn IdSource,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// Who imports.
    pub captured_by: &'a str,
}

/// Writes the contacts of a file to a store, some hundred in a commit.
///
/// A contact with a UID that the tenant has already is updated, and left alone if nothing has
/// changed, so that the same file can be imported again, also after it was broken off. One without
/// a UID is always new. `progress` is told how many contacts are done.
///
/// # Cancel safety
///
/// Dropping the future leaves whole batches written; importing the file again completes it.
///
/// # Errors
///
/// Those of [`EntityStore::apply`]; what was committed before stays.
pub async fn load(target: Target<'_>, parsed: Parsed, mut progress: impl FnMut(usize)) -> Result<Report> {
    let mut report = Report { skipped: parsed.skipped(), errors: parsed.problems, ..Report::default() };
    let fresh = target.is_empty().await?;
    let mut done = 0;
    for batch in parsed.contacts.chunks(BATCH) {
        let mut changes = Changes::none();
        for Imported { contact, .. } in batch {
            let known = match &contact.vcard_uid {
                Some(uid) if !fresh => target.known(uid).await?,
                _ => None,
            };
            changes = match known {
                None => {
                    report.created += 1;
                    target.create(changes, contact)?
                }
                Some(version) => match target.update(&version, contact)? {
                    None => {
                        report.skipped += 1;
                        changes
                    }
                    Some(body) => {
                        report.updated += 1;
                        let version_is = Require::Version { key: version.key, version: version.slice.version };
                        changes.write(version.key, WriteOp::Put(body)).require(version_is)
                    }
                },
            };
        }
        if !changes.is_empty() {
            let provenance = Provenance::new(target.captured_by, "import");
            target.store.apply(target.tenant, changes, provenance, target.clock.now()).await?;
        }
        done += batch.len();
        progress(done);
    }
    Ok(report)
}

impl Target<'_> {
    async fn is_empty(&self) -> Result<bool> {
        let mut query = ListQuery::new(Kind::Contact);
        query.page = PageRequest::new(1, None)?;
        Ok(self.store.list(self.tenant, query, self.clock.now()).await?.data.is_empty())
    }

    async fn known(&self, uid: &str) -> Result<Option<Version>> {
        let mut query = ListQuery::new(Kind::Contact);
        query.terms.push(Term::new("vcard_uid", uid));
        Ok(self.store.list(self.tenant, query, self.clock.now()).await?.data.pop())
    }

    fn create(&self, changes: Changes, contact: &Contact) -> Result<Changes> {
        let key = EntityKey::new(Kind::Contact, EntityId::new(self.ids, self.clock.now()));
        let changes = changes.create(key, body(contact)?);
        Ok(match &contact.vcard_uid {
            Some(uid) => {
                changes.require(Require::UniqueTerm { kind: Kind::Contact, term: Term::new("vcard_uid", &**uid) })
            }
            None => changes,
        })
    }

    /// The body that `contact` gives the entity; `None` if it is what it has.
    ///
    /// Parts that are there already keep their ids; tags and mergers of the entity stay.
    fn update(&self, version: &Version, contact: &Contact) -> Result<Option<Value>> {
        let old = version.slice.body.clone().unwrap_or_default();
        let known: Contact = serde_json::from_value(old.clone())
            .map_err(|e| Error::internal(format!("contact {} is unreadable", version.key.id)).with_source(e))?;
        let mut new = contact.clone();
        let channels: BTreeMap<_, ItemId> =
            known.channels.iter().map(|c| ((c.kind, c.canonical_value.as_str()), c.id)).collect();
        for channel in &mut new.channels {
            if let Some(id) = channels.get(&(channel.kind, channel.canonical_value.as_str())) {
                channel.id = *id;
            }
        }
        for (address, known) in new.addresses.iter_mut().zip(&known.addresses) {
            address.id = known.id;
        }
        for (date, known) in new.dates.iter_mut().zip(&known.dates) {
            date.id = known.id;
        }
        new.merged_ids.clone_from(&known.merged_ids);
        new.tags.extend(known.tags);
        new.tags.sort();
        new.tags.dedup();
        let new = body(&new)?;
        Ok((new != old).then_some(new))
    }
}

fn body(contact: &Contact) -> Result<Value> {
    serde_json::to_value(contact).map_err(|e| Error::internal("a contact has no JSON form").with_source(e))
}
