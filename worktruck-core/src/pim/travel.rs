//! What was known of an entity, and when.

use serde::{Deserialize, Serialize};

use crate::store::{EntityKey, Version};
use crate::temporal::{At, FieldChange, FieldEvent, Slice, diff, timeline};
use crate::{Cursor, EntityId, Error, Page, PageRequest, Result, RunId, Timestamp};

use super::{Record, Records};

/// What changed of an entity between two moments.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Difference {
    /// The first moment.
    pub from: Timestamp,
    /// The second.
    pub to: Timestamp,
    /// The fields that differ.
    pub changes: Vec<FieldChange>,
    /// How many versions were written after the first moment, up to the second.
    pub intermediate_versions: usize,
    /// Whether it exists at the second moment only.
    pub created_in_window: bool,
    /// Whether it exists at the first moment only.
    pub deleted_in_window: bool,
}

/// One change of one field, and who made it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FieldEntry {
    /// When it was learned.
    pub at: Timestamp,
    /// The field, what it was, and what it became.
    #[serde(flatten)]
    pub change: FieldChange,
    /// The principal.
    pub captured_by: String,
    /// Why.
    pub capture_reason: String,
    /// The run that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

impl<E: Record> Records<E> {
    /// A page of the writes to an entity, newest first: a version for each slice of valid time that one touched.
    ///
    /// # Errors
    ///
    /// `NotFound` if it was never written or is erased, and those of
    /// [`EntityStore::history`](crate::store::EntityStore::history).
    pub async fn history(&self, id: EntityId, page: PageRequest) -> Result<Page<Version>> {
        let key = EntityKey::new(E::KIND, id);
        let is_first = page.cursor().is_none();
        let found = self.pim.store().history(self.tenant, key, page).await?;
        if is_first && found.data.is_empty() { Err(Error::not_found(key)) } else { Ok(found) }
    }

    /// What changed between two moments of system time, each about itself.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if `to` is before `from` or in the future, `NotFound` if it exists at neither, and
    /// `HistoryExpired` if `from` lies before the horizon.
    pub async fn diff(&self, id: EntityId, from: Timestamp, to: Timestamp) -> Result<Difference> {
        if to < from {
            return Err(Error::invalid(format!("to must not be before from, but {to} is before {from}")).at("/to"));
        }
        let key = EntityKey::new(E::KIND, id);
        let operation = self.operation();
        let before = operation.view.entity(key, At::as_of(from)).await?;
        let after = operation.view.entity(key, At::as_of(to)).await?;
        if before.is_none() && after.is_none() {
            return Err(Error::not_found(key));
        }
        let mut versions: Vec<u64> = Vec::new();
        for version in self.writes(id).await? {
            let at = version.slice.sys.from();
            if from < at && at <= to {
                versions.push(version.slice.version);
            }
        }
        versions.dedup();
        let body = |version: &Option<Version>| version.as_ref().and_then(|version| version.slice.body.clone());
        Ok(Difference {
            from,
            to,
            changes: shown(E::INNER_FIELDS, diff(body(&before).as_ref(), body(&after).as_ref()), |change| {
                &change.field
            }),
            intermediate_versions: versions.len(),
            created_in_window: before.is_none(),
            deleted_in_window: after.is_none(),
        })
    }

    /// A page of the changes of an entity's fields in the order in which they were learned, from `from` on and
    /// before `to`; of `fields`, JSON pointers of fields or what they are in, if any are named. What one write did
    /// alike to several stretches of valid time is one change.
    ///
    /// # Errors
    ///
    /// `NotFound` if it was never written or is erased, `InvalidCursor`, and those of the store.
    pub async fn timeline(
        &self,
        id: EntityId,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        fields: &[String],
        page: PageRequest,
    ) -> Result<Page<FieldEntry>> {
        let key = EntityKey::new(E::KIND, id);
        let writes = self.writes(id).await?;
        if writes.is_empty() {
            return Err(Error::not_found(key));
        }
        let scope = ("timeline", self.tenant, key, from, to, fields);
        let skipped: usize = page.cursor().map_or(Ok(0), |cursor| cursor.open(&scope))?;
        let slices: Vec<&Slice> = writes.iter().map(|version| &version.slice).collect();
        let is_wanted = |event: &FieldEvent| {
            let is_in = from.is_none_or(|from| from <= event.at) && to.is_none_or(|to| event.at < to);
            is_in && (fields.is_empty() || fields.iter().any(|field| is_within(&event.change.field, field)))
        };
        let mut events = once(shown(E::INNER_FIELDS, timeline(slices), |event| &event.change.field))
            .into_iter()
            .filter(is_wanted)
            .skip(skipped);
        let data: Vec<FieldEntry> =
            events.by_ref().take(page.limit()).map(|event| entry(event, &writes)).collect::<Result<_>>()?;
        let next = match events.next() {
            Some(_) => Some(Cursor::seal(&scope, &(skipped + data.len()))?),
            None => None,
        };
        Ok(Page::new(data, next))
    }

    /// Every write to an entity that is kept, newest first.
    async fn writes(&self, id: EntityId) -> Result<Vec<Version>> {
        let key = EntityKey::new(E::KIND, id);
        let (mut writes, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.pim.store().history(self.tenant, key, PageRequest::largest(cursor)).await?;
            writes.extend(page.data);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(writes);
            }
        }
    }
}

/// The changes without those of fields that nobody is shown.
fn shown<T>(inner: &[&str], mut changes: Vec<T>, field: impl Fn(&T) -> &str) -> Vec<T> {
    let is_inner = |field: &str| inner.iter().any(|inner| is_within(field, &format!("/{inner}")));
    changes.retain(|change| !is_inner(field(change)));
    changes
}

/// The events without those that tell of a commit what one before has told.
fn once(events: Vec<FieldEvent>) -> Vec<FieldEvent> {
    let mut told: Vec<FieldEvent> = Vec::with_capacity(events.len());
    for event in events {
        let mut of_commit = told.iter().rev().take_while(|other| other.tx_id == event.tx_id);
        if !of_commit.any(|other| other.change == event.change) {
            told.push(event);
        }
    }
    told
}

fn is_within(field: &str, wanted: &str) -> bool {
    field.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn entry(event: FieldEvent, writes: &[Version]) -> Result<FieldEntry> {
    let write = writes.iter().find(|version| version.slice.tx_id == event.tx_id);
    let provenance = &write.ok_or_else(|| Error::internal("a change is of no write"))?.provenance;
    Ok(FieldEntry {
        at: event.at,
        change: event.change,
        captured_by: provenance.captured_by.clone(),
        capture_reason: provenance.capture_reason.clone(),
        run_id: provenance.run_id,
    })
}
