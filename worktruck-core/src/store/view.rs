use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::entity::{self, Kind};
use crate::temporal::{At, Slice, Write, WriteOp, merge_patch};
use crate::{Cursor, EntityId, Error, ErrorKind, Page, PageRequest, Period, Result, TenantId, Timestamp};

use super::query::{Filter, ListScope, Position};
use super::{Changes, EntityKey, EntityStore, ListQuery, Provenance, Require, Sort, Version};

/// The entities of one tenant as one operation may see them: the store, and on top of it changes
/// that are not committed yet.
///
/// A pending change shows as the version that its commit will make: with the next number, commit
/// number 0, and `pending` as its reason. A pending change that no longer fits the store does not
/// show; the commit will refuse it.
#[derive(Clone, Debug)]
pub struct View {
    store: Arc<dyn EntityStore>,
    tenant: TenantId,
    now: Timestamp,
    known: Known,
    pending: Arc<[Changes]>,
    /// What it takes for the present, if not that.
    present: Option<At>,
}

/// What reads of the present see.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Known {
    /// What is committed when they are made.
    Now,
    /// What was committed by this moment.
    Fixed(Timestamp),
    /// What was committed by this moment, and for them nothing has happened since.
    Pinned(Timestamp),
}

impl Known {
    const fn moment(self) -> Option<Timestamp> {
        match self {
            Self::Now => None,
            Self::Fixed(moment) | Self::Pinned(moment) => Some(moment),
        }
    }
}

impl View {
    /// The entities of `tenant` at `now` with nothing pending.
    #[must_use]
    pub fn new(store: Arc<dyn EntityStore>, tenant: TenantId, now: Timestamp) -> Self {
        Self { store, tenant, now, known: Known::Now, pending: Arc::from([]), present: None }
    }

    /// The same view, in which what is asked about the present is answered as of `present`. What it shows is nothing to
    /// rest a write on.
    #[must_use]
    pub fn about(mut self, present: At) -> Self {
        // A commit may be stamped later than the clock shows.
        self.now = present.as_of.map_or(self.now, |as_of| self.now.max(as_of));
        self.present = Some(present);
        self
    }

    /// The two times that are meant by `at`.
    fn meant(&self, at: At) -> At {
        self.present.filter(|_| at == At::NOW).unwrap_or(at)
    }

    /// The same view with `pending` on top, oldest first.
    #[must_use]
    pub fn with_pending(mut self, pending: Arc<[Changes]>) -> Self {
        self.pending = pending;
        self
    }

    /// The same view with further changes on top of what is pending.
    #[must_use]
    pub fn and_pending(mut self, changes: Changes) -> Self {
        self.pending = self.pending.iter().cloned().chain([changes]).collect();
        self
    }

    /// The same view of what was committed by `moment`, which it takes for the present of both times: what others wrote
    /// since does not show, what is pending does.
    ///
    /// A search for words finds what has the words now, and shows it as it was.
    #[must_use]
    pub const fn pinned(mut self, moment: Timestamp) -> Self {
        self.now = moment;
        self.known = Known::Pinned(moment);
        self
    }

    /// The same view of what is committed by now: its reads of the present see the same, whatever others commit
    /// meanwhile.
    ///
    /// Searches for words and histories are of the moment at which they are made. The cursors of its lists lead on in
    /// itself only.
    ///
    /// # Errors
    ///
    /// Those of [`EntityStore::head`].
    pub async fn fixed(mut self) -> Result<Self> {
        if self.known == Known::Now {
            self.known = Known::Fixed(self.store.head(self.tenant).await?.floor);
        }
        Ok(self)
    }

    /// A moment for views to be [pinned](Self::pinned) to: `as_of`, or what is committed by now, also by others whose
    /// clocks are ahead. From now on nothing is committed at or before it.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: `as_of` lies in the future.
    /// - `HistoryExpired`: `as_of` lies before what the tenant keeps.
    pub async fn moment(&self, as_of: Option<Timestamp>) -> Result<Timestamp> {
        let moment = match as_of {
            Some(as_of) => as_of,
            None => self.store.head(self.tenant).await?.floor.max(self.now),
        };
        let nothing = EntityKey::new(Kind::AgentConfig, EntityId::from_uuid(uuid::Uuid::nil()));
        let present = if as_of.is_some() { self.now } else { moment };
        // Whatever it shows, the read fixes the moment.
        self.store.entity(self.tenant, nothing, At::as_of(moment), present).await?;
        Ok(moment)
    }

    /// Whose entities it shows.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The moment that it takes for the present.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The committed writes to an entity, newest first; pending changes do not show.
    ///
    /// # Errors
    ///
    /// As for [`EntityStore::history`].
    pub async fn history(&self, key: EntityKey, page: PageRequest) -> Result<Page<Version>> {
        self.store.history(self.tenant, key, page).await
    }

    /// The entity as it was at `at`. Pending changes show unless `at` has an `as_of`.
    ///
    /// # Errors
    ///
    /// As for [`EntityStore::entity`].
    pub async fn entity(&self, key: EntityKey, at: At) -> Result<Option<Version>> {
        let at = self.meant(at);
        let commits = self.pending_writes(key);
        let seen = self.store.entity(self.tenant, key, self.seen(at), self.present()).await;
        let stored = seen.map_err(|error| self.lost(at, error))?;
        if at.as_of.is_some() || commits.iter().all(Vec::is_empty) {
            return Ok(stored);
        }
        // What the next write goes by is that of the newest write, which need not be visible.
        let newest = Box::pin(self.newest(key)).await?;
        // A reader whose clock runs behind writes after what it sees.
        let present = newest.as_ref().map_or(self.now, |version| self.now.max(version.slice.sys.from().next()));
        let micros = i64::try_from(self.pending.len()).unwrap_or(0);
        let moment = at.valid_at.unwrap_or_else(|| Timestamp::from_micros(present.as_micros() + micros));
        let mut overlay = Overlay {
            version: stored,
            newest: newest.as_ref().map_or(0, |version| version.slice.version),
            created_at: newest.map(|version| version.created_at),
            moment,
        };
        let mut sys = present;
        for writes in commits {
            overlay.commit(self.tenant, key, &writes, sys);
            sys = sys.next();
        }
        Ok(overlay.version)
    }

    /// A page of entities. Pending changes show, each in its place of the order, unless the query
    /// has an `as_of`.
    ///
    /// The cursors of a view with pending changes also lead on in one whose changes are committed.
    ///
    /// # Errors
    ///
    /// As for [`EntityStore::list`].
    pub async fn list(&self, query: ListQuery) -> Result<Page<Version>> {
        let query = ListQuery { at: self.meant(query.at), ..query };
        if query.at.as_of.is_some() {
            return self.store.list(self.tenant, query, self.now).await;
        }
        let filter = Filter::of(&query);
        let scope = ListScope::new(self.tenant, &query, &filter).of_view();
        let place = query.page.cursor().map(|cursor| cursor.open::<Place>(&scope)).transpose()?.unwrap_or_default();
        let keys = self.pending_keys(query.kind);
        let is_search = query.text.is_some() || query.title.is_some();
        let pending = self.pending_items(&keys, &query, &filter, place.after.as_ref()).await?;
        let limit = query.page.limit();
        let Place { stored, stored_done, .. } = place;
        let mut merge = Merge { stored, stored_done, pending: pending.into(), data: Vec::new(), limit };
        while !merge.is_full() && !merge.stored_done {
            let at = if is_search { query.at } else { self.seen(query.at) };
            let part = ListQuery { page: merge.request()?, at, ..query.clone() };
            let page = self.store.list(self.tenant, part, self.present()).await;
            let page = page.map_err(|error| self.lost(query.at, error))?;
            let mut stored = Vec::with_capacity(page.data.len());
            for version in page.data {
                let position = position(&version, &query.sort)?;
                let version = if is_search { Box::pin(self.as_it_was(version)).await? } else { Some(version) };
                stored.push((position, version.filter(|version| !keys.contains(&version.key))));
            }
            merge.take(stored, page.next_cursor, &query.sort);
        }
        merge.finish(&scope)
    }

    /// A moment after all that is pending.
    pub(super) fn after_pending(&self) -> Timestamp {
        let micros = i64::try_from(self.pending.len()).unwrap_or(0);
        Timestamp::from_micros(self.present().as_micros().saturating_add(micros)).next()
    }

    /// The newest write to an entity that the view knows of.
    async fn newest(&self, key: EntityKey) -> Result<Option<Version>> {
        let until = if let Known::Pinned(moment) = self.known { moment } else { Timestamp::FOREVER };
        let mut cursor = None;
        loop {
            // The newest one will do, but for entities that were written since.
            let limit = if cursor.is_none() { 1 } else { PageRequest::MAX_LIMIT };
            let page = self.store.history(self.tenant, key, PageRequest::new(limit, cursor)?).await?;
            let found = page.data.into_iter().find(|version| version.sys().from() <= until);
            cursor = page.next_cursor;
            if found.is_some() || cursor.is_none() {
                return Ok(found);
            }
        }
    }

    /// What a search found in the present, as a pinned view shows it.
    async fn as_it_was(&self, found: Version) -> Result<Option<Version>> {
        let Known::Pinned(_) = self.known else { return Ok(Some(found)) };
        self.store.entity(self.tenant, found.key, self.seen(At::NOW), self.present()).await
    }

    /// The same view by a clock that shows `moment` at least.
    pub(crate) fn not_before(mut self, moment: Timestamp) -> Self {
        self.now = self.now.max(moment);
        self
    }

    /// The present of its reads: a reader whose clock runs behind sees what was written.
    fn present(&self) -> Timestamp {
        self.known.moment().map_or(self.now, |known| known.max(self.now))
    }

    /// The two times that the store is asked for.
    pub(crate) fn seen(&self, at: At) -> At {
        match (at.as_of, self.known.moment()) {
            (None, Some(known)) => {
                At { as_of: Some(known), valid_at: Some(at.valid_at.unwrap_or_else(|| self.present())) }
            }
            _ => at,
        }
    }

    /// What a reader of the present is told when the moment that the view is fixed to has expired meanwhile.
    fn lost(&self, at: At, error: Error) -> Error {
        if at.as_of.is_none() && error.kind() == ErrorKind::HistoryExpired {
            return Error::unavailable("the history that was read has just expired; ask again").with_source(error);
        }
        error
    }

    /// What each pending commit writes to the entity.
    fn pending_writes(&self, key: EntityKey) -> Vec<Vec<Write>> {
        let of_key = |changes: &Changes| {
            changes.writes.iter().filter(|change| change.key == key).map(|change| change.write.clone()).collect()
        };
        self.pending.iter().map(of_key).collect()
    }

    /// Whether the entity may show in a list with this filter. That it cannot is known without the
    /// store if all that is pending of it is its creation.
    fn may_show(&self, key: EntityKey, filter: &Filter) -> bool {
        let mut of_key = self.pending.iter().filter(|changes| changes.writes.iter().any(|change| change.key == key));
        let (Some(only), None) = (of_key.next(), of_key.next()) else { return true };
        let mut writes = only.writes.iter().filter(|change| change.key == key).map(|change| &change.write.op);
        match (writes.next(), writes.next()) {
            (Some(WriteOp::Put(body)), None) if only.requires.contains(&Require::Absent { key }) => {
                // A body that is not one of its kind is refused by the commit.
                entity::index(key.kind, body).is_ok_and(|index| filter.admits_index(key.id, &index))
            }
            _ => true,
        }
    }

    fn pending_keys(&self, kind: Kind) -> BTreeSet<EntityKey> {
        let writes = self.pending.iter().flat_map(|changes| &changes.writes);
        writes.map(|change| change.key).filter(|key| key.kind == kind).collect()
    }

    /// The entities of `keys` that the list shows after `after`, in its order.
    async fn pending_items(
        &self,
        keys: &BTreeSet<EntityKey>,
        query: &ListQuery,
        filter: &Filter,
        after: Option<&Position>,
    ) -> Result<Vec<(Position, Version)>> {
        let mut items = Vec::new();
        for key in keys.iter().filter(|key| self.may_show(**key, filter)) {
            let Some(version) = self.entity(*key, query.at).await? else { continue };
            let Some(body) = &version.slice.body else { continue };
            // A body that is not one of its kind is refused by the commit.
            let Ok(index) = entity::index(key.kind, body) else { continue };
            let position = Position::of(&version, &index, &query.sort.field);
            let follows = after.is_none_or(|after| position.is_after(after, &query.sort));
            if follows && filter.admits_index(key.id, &index) {
                items.push((position, version));
            }
        }
        items.sort_by(|(one, _), (other, _)| one.cmp(other));
        if query.sort.descending {
            items.reverse();
        }
        Ok(items)
    }
}

fn position(version: &Version, sort: &Sort) -> Result<Position> {
    let body = version.slice.body.as_ref().ok_or_else(|| Error::internal("a list shows a deleted entity"))?;
    Ok(Position::of(version, &entity::index(version.key.kind, body)?, &sort.field))
}

/// One entity at one moment of valid time, while pending changes are laid over it.
struct Overlay {
    /// What is visible; `None` if the entity does not exist.
    version: Option<Version>,
    /// The newest number.
    newest: u64,
    /// When the entity was first written, if it ever was.
    created_at: Option<Timestamp>,
    moment: Timestamp,
}

impl Overlay {
    /// Lays the writes of one commit, taken to happen at `sys`, on top.
    fn commit(&mut self, tenant: TenantId, key: EntityKey, writes: &[Write], sys: Timestamp) {
        let mut body = self.version.as_ref().and_then(|version| version.slice.body.clone());
        let mut valid = self.version.as_ref().map(Version::valid);
        let mut is_elsewhere = false;
        for write in writes {
            let from = write.valid_from.unwrap_or(sys);
            let Ok(range) = Period::new(from, write.valid_to.unwrap_or(Timestamp::FOREVER)) else { return };
            if !range.contains(self.moment) {
                is_elsewhere = true;
                continue;
            }
            (body, valid) = match (&write.op, body) {
                (WriteOp::Put(new), _) => (Some(new.clone()), Some(range)),
                (WriteOp::Patch(_) | WriteOp::Delete, None) => return,
                (WriteOp::Patch(patch), Some(old)) => {
                    (Some(merge_patch(&old, patch)), valid.and_then(|valid| valid.intersect(range)))
                }
                (WriteOp::Delete, Some(_)) => (None, None),
            };
        }
        let is_changed = body.as_ref() != self.version.as_ref().and_then(|version| version.slice.body.as_ref());
        if is_changed || is_elsewhere {
            self.newest += 1;
        }
        if is_changed {
            self.version = body.zip(valid).map(|(body, valid)| Version {
                tenant,
                key,
                created_at: *self.created_at.get_or_insert(sys),
                slice: Slice {
                    version: self.newest,
                    body: Some(body),
                    sys: Period::starting(sys),
                    valid,
                    carried: false,
                    tx_id: 0,
                },
                provenance: Provenance::new("pending", "pending"),
            });
        }
    }
}

/// Where a page of a view begins.
#[derive(Default, Deserialize, Serialize)]
struct Place {
    /// Where the store's list goes on.
    stored: Option<Cursor>,
    /// Whether the store's list has ended.
    stored_done: bool,
    /// The last item shown.
    after: Option<Position>,
}

/// A page of a view while it is put together from the store's list and what is pending.
struct Merge {
    stored: Option<Cursor>,
    stored_done: bool,
    /// What is pending and not shown yet, in the order of the list.
    pending: VecDeque<(Position, Version)>,
    data: Vec<(Position, Version)>,
    limit: usize,
}

impl Merge {
    fn is_full(&self) -> bool {
        self.data.len() >= self.limit
    }

    /// The next stretch of the store's list: so much that it fits whatever of the pending items
    /// falls between, because a store's page cannot be left in the middle.
    fn request(&self) -> Result<PageRequest> {
        let room = self.limit.saturating_sub(self.data.len());
        let ask = room.saturating_sub(self.pending.len()).max(1);
        PageRequest::new(u16::try_from(ask).unwrap_or(PageRequest::MAX_LIMIT), self.stored.clone())
    }

    /// Takes in a page of the store's list, in which pending items are masked.
    fn take(&mut self, page: Vec<(Position, Option<Version>)>, next: Option<Cursor>, sort: &Sort) {
        for (position, version) in page {
            while self.pending.front().is_some_and(|(pending, _)| position.is_after(pending, sort)) {
                if self.is_full() {
                    // Only a page of a single item comes here: it is asked for again.
                    return;
                }
                self.data.extend(self.pending.pop_front());
            }
            if let Some(version) = version {
                if self.is_full() {
                    return;
                }
                self.data.push((position, version));
            }
        }
        self.stored_done = next.is_none();
        self.stored = next;
    }

    fn finish(mut self, scope: &ListScope) -> Result<Page<Version>> {
        while self.stored_done && !self.is_full() && !self.pending.is_empty() {
            self.data.extend(self.pending.pop_front());
        }
        let has_more = !self.stored_done || !self.pending.is_empty();
        let next = if has_more {
            let after = self.data.last().map(|(position, _)| position.clone());
            Some(Cursor::seal(scope, &Place { stored: self.stored, stored_done: self.stored_done, after })?)
        } else {
            None
        };
        Ok(Page::new(self.data.into_iter().map(|(_, version)| version).collect(), next))
    }
}

#[cfg(test)]
mod tests;
