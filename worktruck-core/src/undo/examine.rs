//! What has become of an entity since a run wrote to it.

use std::collections::BTreeMap;

use crate::store::{EntityKey, Provenance, Version};
use crate::temporal::{Stretch, compare};
use crate::{PageRequest, Period, Result, RunId, TenantId, Timestamp};

use super::Undo;
use super::changes::hull;
use super::obstacles::Edit;
use super::written::Commit;

/// An entity that a run wrote to, as it is now.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) key: EntityKey,
    /// Its newest version.
    pub(super) newest: u64,
    /// Where, within what the run wrote, it is not what it was before the run.
    pub(super) stretches: Vec<Stretch>,
    /// What others have written since, if any of that still stands.
    pub(super) edits: Vec<Edit>,
}

impl Examined {
    /// What the entity would be made of at `moment`, and of what: `None` if it stays as it is then.
    pub(super) fn at(&self, moment: Timestamp) -> Option<&Stretch> {
        self.stretches.iter().find(|stretch| stretch.valid.contains(moment))
    }
}

impl Undo {
    /// What has become of an entity that a run wrote to with `writes`; nothing if it was erased, or is what it was before
    /// them.
    pub(super) async fn examine(
        &self,
        tenant: TenantId,
        run: RunId,
        key: EntityKey,
        writes: &[Commit],
    ) -> Result<Option<Examined>> {
        let Some(&(first, first_at)) = writes.first() else { return Ok(None) };
        let rows = self.rows_since(tenant, key, first).await?;
        let Some(newest) = rows.first().map(|row| row.slice.version) else { return Ok(None) };
        let is_own = |row: &&Version| writes.iter().any(|(tx_id, _)| *tx_id == row.slice.tx_id);
        let mut stretches = Vec::new();
        for over in union(rows.iter().filter(is_own).map(Version::valid)) {
            stretches.extend(self.between(tenant, key, over, Some(first_at.previous()), None).await?);
        }
        if stretches.is_empty() {
            return Ok(None);
        }
        let others = rows.iter().filter(|row| !is_own(row) && !is_revert(&row.provenance, run));
        let edits: BTreeMap<u64, Edit> = others.map(|row| (row.slice.tx_id, Edit::of(row))).collect();
        let over = rows.iter().map(Version::valid).reduce(hull);
        let stand = match over {
            Some(over) if !edits.is_empty() => self.do_stand(tenant, key, over, writes, &edits).await?,
            _ => false,
        };
        let edits = if stand { edits.into_values().collect() } else { Vec::new() };
        Ok(Some(Examined { key, newest, stretches, edits }))
    }

    /// The writes to an entity from a commit on, newest first.
    async fn rows_since(&self, tenant: TenantId, key: EntityKey, first: u64) -> Result<Vec<Version>> {
        let (mut rows, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store.history(tenant, key, PageRequest::largest(cursor)).await?;
            let is_last = page.data.last().is_none_or(|row| row.slice.tx_id < first);
            rows.extend(page.data.into_iter().take_while(|row| row.slice.tx_id >= first));
            cursor = page.next_cursor;
            if is_last || cursor.is_none() {
                return Ok(rows);
            }
        }
    }

    /// Whether anything of `edits` is left: where they lie between two writes of the run, or after the last, the entity
    /// is not what the one before had made of it.
    async fn do_stand(
        &self,
        tenant: TenantId,
        key: EntityKey,
        over: Period,
        writes: &[Commit],
        edits: &BTreeMap<u64, Edit>,
    ) -> Result<bool> {
        for (place, (tx_id, at)) in writes.iter().enumerate() {
            let next = writes.get(place + 1);
            let until = next.map_or(u64::MAX, |(tx_id, _)| *tx_id);
            if edits.range(tx_id + 1..until).next().is_none() {
                continue;
            }
            let then = next.map(|(_, at)| at.previous());
            if !self.between(tenant, key, over, Some(*at), then).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where what was known of an entity at one moment differs from what was known at another, or is known now.
    async fn between(
        &self,
        tenant: TenantId,
        key: EntityKey,
        over: Period,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    ) -> Result<Vec<Stretch>> {
        // A commit may be stamped later than the clock shows.
        let now = before.into_iter().chain(after).fold(self.clock.now(), Timestamp::max);
        let before = self.store.slices(tenant, key, over, before, now).await?;
        let after = self.store.slices(tenant, key, over, after, now).await?;
        Ok(compare(before.iter().map(|v| &v.slice), after.iter().map(|v| &v.slice), over))
    }
}

/// Whether something undid `run`: that is no edit, and leaves what was before the run.
fn is_revert(provenance: &Provenance, run: RunId) -> bool {
    provenance.run_id == Some(run) && provenance.step_seq.is_none() && provenance.capture_reason == Provenance::REVERT
}

/// The periods that have what any of `periods` has, in order and apart from each other.
fn union(periods: impl Iterator<Item = Period>) -> Vec<Period> {
    let mut periods: Vec<Period> = periods.collect();
    periods.sort_unstable();
    let mut apart: Vec<Period> = Vec::new();
    for period in periods {
        match apart.last_mut() {
            Some(last) if period.from() <= last.to() => *last = hull(*last, period),
            _ => apart.push(period),
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_that_touch_are_one() {
        let at = Timestamp::from_micros;
        let period = |from, to| Period::new(at(from), at(to)).unwrap();
        let parts = [period(30, 40), period(1, 5), period(5, 9), period(3, 4), period(20, 31)];
        assert_eq!(union(parts.into_iter()), [period(1, 9), period(20, 40)]);
    }
}
