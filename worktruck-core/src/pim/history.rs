use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

use crate::entity::Entity;
use crate::store::{EntityKey, Version};
use crate::temporal::Point;
use crate::{Cursor, EntityId, Error, Page, PageRequest, Result, Timestamp};

use super::{Record, Records, Stored, Temporal};

/// One write in the history of an entity: what it made of the entity over one stretch of valid time.
///
/// Its JSON is that of the entity with `_temporal`, and of a deletion what the store knows of the entity with
/// `is_deleted`. A read at the two times that `_temporal` names gives the same.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry<E> {
    /// The data; absent if the write ended the entity.
    pub data: Option<E>,
    /// The version, as the store returned it.
    pub stored: Version,
    /// Where it stands on both axes, and who wrote it.
    pub temporal: Temporal,
}

impl<E: Entity> HistoryEntry<E> {
    fn read(stored: Version) -> Result<Self> {
        let point = Point { sys: stored.slice.sys.from(), valid: stored.slice.valid.from() };
        let temporal = Temporal::of(&stored, point);
        let data = Stored::read(stored.clone())?.map(|found: Stored<E>| found.data);
        Ok(Self { data, stored, temporal })
    }

    /// The number of the write, from 1.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.stored.slice.version
    }
}

impl<E: Entity> Serialize for HistoryEntry<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut resource = self.stored.resource().unwrap_or_else(|| {
            let mut resource = self.stored.of_store();
            resource.insert("is_deleted".to_owned(), json!(true));
            resource.into()
        });
        if let Some(members) = resource.as_object_mut() {
            members.insert("_temporal".to_owned(), json!(self.temporal));
        }
        resource.serialize(serializer)
    }
}

/// Where a page begins.
#[derive(Default, Deserialize, Serialize)]
struct Place {
    /// The page of the store that it begins in.
    stored: Option<Cursor>,
    /// The number of the commit, and the first moment of valid time, of the last entry shown.
    after: Option<(u64, i64)>,
}

impl<E: Record> Records<E> {
    /// A page of the writes to an entity that were learned from `from` on and before `to`, newest first: an entry for
    /// each slice of valid time that one touched.
    ///
    /// # Errors
    ///
    /// `NotFound` if it was never written or is erased, `InvalidRequest` at `/to` if `to` is before `from`, and those
    /// of [`EntityStore::history`](crate::store::EntityStore::history).
    pub async fn history(
        &self,
        id: EntityId,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        page: PageRequest,
    ) -> Result<Page<HistoryEntry<E>>> {
        check_window(from, to)?;
        let key = EntityKey::new(E::KIND, id);
        let scope = ("history", self.tenant, key, from, to);
        let Place { mut stored, after } =
            page.cursor().map(|cursor| cursor.open(&scope)).transpose()?.unwrap_or_default();
        let mut entries = Vec::new();
        let mut last = after;
        loop {
            let found = self.pim.store().history(self.tenant, key, PageRequest::largest(stored.clone())).await?;
            if stored.is_none() && found.data.is_empty() {
                return Err(Error::not_found(key));
            }
            for version in found.data {
                let place = (version.slice.tx_id, version.valid().from().as_micros());
                let is_shown = after.is_some_and(|(tx, valid)| place.0 > tx || (place.0 == tx && place.1 <= valid));
                let learned = version.slice.sys.from();
                if is_shown || to.is_some_and(|to| to <= learned) {
                    continue;
                }
                if from.is_some_and(|from| learned < from) {
                    return Ok(Page::new(entries, None));
                }
                if entries.len() == page.limit() {
                    let next = Cursor::seal(&scope, &Place { stored, after: last })?;
                    return Ok(Page::new(entries, Some(next)));
                }
                last = Some(place);
                entries.push(HistoryEntry::read(version)?);
            }
            stored = found.next_cursor;
            if stored.is_none() {
                return Ok(Page::new(entries, None));
            }
        }
    }
}

/// Refuses a stretch of time that ends before it begins.
pub(super) fn check_window(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<()> {
    match from.zip(to) {
        Some((from, to)) if to < from => {
            Err(Error::invalid(format!("to must not be before from, but {to} is before {from}")).at("/to"))
        }
        _ => Ok(()),
    }
}
