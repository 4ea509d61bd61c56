use serde_json::Value;
use worktruck_core::entity::contact::{Channel, ChannelKind, Contact, ContactDate};
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::{Changes, EntityKey, EntityStore, ListQuery, Provenance, Require, Version};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{Clock, EntityId, Error, IdSource, PageRequest, Result, TenantId};

use super::{Imported, Parsed, Report};

/// How many contacts are committed together.
const BATCH: usize = 1_000;

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

/// Writes the contacts of a file to a store, a thousand in a commit.
///
/// A contact with a UID that the tenant has already is updated by what the file says of it, and
/// left alone if that changes nothing, so that the same file can be imported again, also after it was broken off.
/// So is one that had no UID when it was exported, by its id. Any other one without a UID is always new.
/// `progress` is told how many contacts are done.
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
    let mut batches = parsed.contacts.chunks(BATCH).peekable();
    let mut ready = None;
    while let Some(batch) = batches.next() {
        let changes = match ready.take() {
            Some(changes) => changes?,
            None if fresh => target.all_new(batch)?,
            None => target.changes(batch, &mut report).await?,
        };
        // Where nothing was, nothing needs to be looked up: the next ones are made ready while the store writes.
        let next = batches.peek().filter(|_| fresh);
        let (applied, made) =
            tokio::join!(biased; target.apply(changes), async { next.map(|batch| target.all_new(batch)) });
        applied?;
        if fresh {
            report.created += batch.len();
        }
        ready = made;
        done += batch.len();
        progress(done);
    }
    Ok(report)
}

impl Target<'_> {
    fn all_new(&self, batch: &[Imported]) -> Result<Changes> {
        batch.iter().try_fold(Changes::none(), |changes, imported| self.create(changes, &imported.contact))
    }

    /// What a batch comes to beside the contacts that are there.
    async fn changes(&self, batch: &[Imported], report: &mut Report) -> Result<Changes> {
        let mut changes = Changes::none();
        for Imported { contact, .. } in batch {
            let known = match &contact.vcard_uid {
                Some(uid) => self.known(uid).await?,
                None => None,
            };
            changes = match known {
                None => {
                    report.created += 1;
                    self.create(changes, contact)?
                }
                Some(version) => match self.update(&version, contact)? {
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
        Ok(changes)
    }

    async fn apply(&self, changes: Changes) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let provenance = Provenance::new(self.captured_by, "import");
        self.store.apply(self.tenant, changes, provenance, self.clock.now()).await.map(drop)
    }

    async fn is_empty(&self) -> Result<bool> {
        let mut query = ListQuery::new(Kind::Contact);
        query.page = PageRequest::new(1, None)?;
        Ok(self.store.list(self.tenant, query, self.clock.now()).await?.data.is_empty())
    }

    async fn known(&self, uid: &str) -> Result<Option<Version>> {
        let mut query = ListQuery::new(Kind::Contact);
        query.terms.push(Term::new("vcard_uid", uid));
        let found = self.store.list(self.tenant, query, self.clock.now()).await?.data.pop();
        match (found, exported_id(uid)) {
            (None, Some(id)) => {
                let key = EntityKey::new(Kind::Contact, id);
                let version = self.store.entity(self.tenant, key, At::NOW, self.clock.now()).await?;
                // One with another UID is another contact.
                let has_none =
                    |version: &Version| version.slice.body.as_ref().is_some_and(|b| b.get("vcard_uid").is_none());
                Ok(version.filter(has_none))
            }
            (found, _) => Ok(found),
        }
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
    /// What the file says of a field replaces what was there; what it does not mention stays, and so
    /// does what was added since: channels, dates of other types, tags, metadata.
    fn update(&self, version: &Version, contact: &Contact) -> Result<Option<Value>> {
        let old = version.slice.body.clone().unwrap_or_default();
        let known: Contact = serde_json::from_value(old.clone())
            .map_err(|e| Error::internal(format!("contact {} is unreadable", version.key.id)).with_source(e))?;
        let mut new = contact.clone();
        if known.vcard_uid.is_none() && new.vcard_uid.as_deref().and_then(exported_id) == Some(version.key.id) {
            new.vcard_uid = None;
        }
        new.channels = joined_channels(&known.channels, new.channels);
        for (address, known) in new.addresses.iter_mut().zip(&known.addresses) {
            address.id = known.id;
        }
        new.addresses.extend(known.addresses.iter().skip(new.addresses.len()).cloned());
        new.dates = joined_dates(known.dates, new.dates);
        new.merged_ids = known.merged_ids;
        new.tags.extend(known.tags);
        new.tags.sort();
        new.tags.dedup();
        let (mut metadata, added) = (known.metadata, std::mem::take(&mut new.metadata));
        metadata.extend(added);
        new.metadata = metadata;
        let (Value::Object(mut merged), Value::Object(written)) = (old.clone(), body(&new)?) else {
            return Err(Error::internal(format!("contact {} is unreadable", version.key.id)));
        };
        merged.extend(written);
        let merged = Value::Object(merged);
        Ok((merged != old).then_some(merged))
    }
}

/// The channels that are there, as they are, and those that are new.
fn joined_channels(known: &[Channel], found: Vec<Channel>) -> Vec<Channel> {
    let mut joined = known.to_vec();
    for mut channel in found {
        // The label of a custom channel says what it is.
        let is_alike =
            |k: &Channel| k.kind == channel.kind && (k.kind != ChannelKind::Custom || k.label == channel.label);
        if known.iter().any(|k| is_alike(k) && k.canonical_value == channel.canonical_value) {
            continue;
        }
        let has_primary = known.iter().any(|k| is_alike(k) && k.is_primary);
        channel.is_primary &= !has_primary;
        joined.push(channel);
    }
    joined
}

/// What the file says of a type of date, and the dates of other types that are there.
fn joined_dates(known: Vec<ContactDate>, mut found: Vec<ContactDate>) -> Vec<ContactDate> {
    let mut free: Vec<usize> = (0..found.len()).collect();
    let mut others = Vec::new();
    for known in known {
        let is_of_type = |at: &usize| found[*at].date_type == known.date_type;
        match free.iter().position(is_of_type) {
            Some(place) => found[free.remove(place)].id = known.id,
            None if found.iter().any(|date| date.date_type == known.date_type) => {}
            None => others.push(known),
        }
    }
    found.append(&mut others);
    found
}

/// The contact that an export gave this UID because it had none.
fn exported_id(uid: &str) -> Option<EntityId> {
    uid.strip_prefix("urn:uuid:")?.parse().ok()
}

fn body(contact: &Contact) -> Result<Value> {
    serde_json::to_value(contact).map_err(|e| Error::internal("a contact has no JSON form").with_source(e))
}
