//! What was known of an entity, and when.

use serde::{Deserialize, Serialize};

use crate::store::{EntityKey, Version};
use crate::temporal::{At, FieldChange, FieldEvent, Slice, diff, timeline};
use crate::{Cursor, EntityId, Error, Page, PageRequest, Result, RunId, Timestamp};

use super::history::check_window;
use super::{Record, Records};

/// What changed of an entity between two moments.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// How far a timeline was shown. It is the same wherever the timeline begins, so that a page stays in its place when
/// what is before it expires.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Shown {
    /// The number of the last commit.
    tx_id: u64,
    /// How many of its changes.
    changes: usize,
}

impl Shown {
    /// With the next change, which is one of the commit `tx_id`.
    const fn with(self, tx_id: u64) -> Self {
        Self { tx_id, changes: if self.tx_id == tx_id { self.changes + 1 } else { 1 } }
    }

    const fn is_in(self, shown: Self) -> bool {
        self.tx_id < shown.tx_id || (self.tx_id == shown.tx_id && self.changes <= shown.changes)
    }
}

impl<E: Record> Records<E> {
    /// What changed between two moments of system time, each about itself.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `/from` or `/to` if that is in the future or `to` is before `from`, `NotFound` if it exists
    /// at neither, and `HistoryExpired` if `from` lies before the horizon.
    pub async fn diff(&self, id: EntityId, from: Timestamp, to: Timestamp) -> Result<Difference> {
        check_window(Some(from), Some(to))?;
        let key = EntityKey::new(E::KIND, id);
        let operation = self.operation();
        let before = operation.view.entity(key, At::as_of(from)).await.map_err(|e| e.at("/from"))?;
        let after = operation.view.entity(key, At::as_of(to)).await.map_err(|e| e.at("/to"))?;
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
            changes: without(E::INNER_FIELDS, diff(body(&before).as_ref(), body(&after).as_ref()), |change| {
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
    /// `NotFound` if it was never written or is erased, `InvalidRequest` at `/to` if `to` is before `from`,
    /// `InvalidCursor`, and those of the store.
    pub async fn timeline(
        &self,
        id: EntityId,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        fields: &[String],
        page: PageRequest,
    ) -> Result<Page<FieldEntry>> {
        check_window(from, to)?;
        let key = EntityKey::new(E::KIND, id);
        let writes = self.writes(id).await?;
        if writes.is_empty() {
            return Err(Error::not_found(key));
        }
        let scope = ("timeline", self.tenant, key, from, to, fields);
        let shown: Shown = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?.unwrap_or_default();
        let slices: Vec<&Slice> = writes.iter().map(|version| &version.slice).collect();
        let is_wanted = |event: &FieldEvent| {
            let is_in = from.is_none_or(|from| from <= event.at) && to.is_none_or(|to| event.at < to);
            is_in && (fields.is_empty() || fields.iter().any(|field| is_within(&event.change.field, field)))
        };
        let mut last = shown;
        let mut of_commit = Shown::default();
        let mut data = Vec::new();
        let events = once(without(E::INNER_FIELDS, timeline(slices), |event| &event.change.field));
        for event in events.into_iter().filter(is_wanted) {
            of_commit = of_commit.with(event.tx_id);
            if of_commit.is_in(shown) {
                continue;
            }
            if data.len() == page.limit() {
                return Ok(Page::new(data, Some(Cursor::seal(&scope, &last)?)));
            }
            last = of_commit;
            data.push(entry(event, &writes)?);
        }
        Ok(Page::new(data, None))
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
fn without<T>(inner: &[&str], mut changes: Vec<T>, field: impl Fn(&T) -> &str) -> Vec<T> {
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
