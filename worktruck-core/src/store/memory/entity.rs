use std::ops::Bound;

use async_trait::async_trait;
use serde::Serialize;

use crate::store::{
    Applied, AuditEntry, Beside, Changes, Commits, EntityKey, EntityStore, ListPlan, ListQuery, Position, Provenance,
    RequestEffect, SortField, SortKey, TenantCommit, TenantHead, Version, run_commit_scope,
};
use crate::temporal::{At, Slice};
use crate::{Cursor, EntityId, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp};

use super::entities::{Entities, Row, Staged, Staging};
use super::{MemoryStore, State};

#[async_trait]
impl EntityStore for MemoryStore {
    async fn apply(
        &self,
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        let mut state = self.state();
        let mut staging = Staging::new(tenant, state.entities.entry(tenant).or_default());
        let applied = staging.apply(&changes, provenance, now)?;
        let staged = staging.finish();
        state.absorb(tenant, staged, now);
        Ok(applied)
    }

    async fn entity(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>> {
        let mut state = self.state();
        let entities = state.entities.entry(tenant).or_default();
        let point = entities.head.read(at, now)?;
        let Some(entity) = entities.by_key(key) else { return Ok(None) };
        entity.visible(point).map(|row| entities.version(tenant, key, entity, row)).transpose()
    }

    async fn head(&self, tenant: TenantId) -> Result<TenantHead> {
        Ok(self.state().entities.get(&tenant).map(|entities| entities.head).unwrap_or_default())
    }

    async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        let mut state = self.state();
        let entities = state.entities.entry(tenant).or_default();
        let plan = ListPlan::new(tenant, &query, &mut entities.head, now)?;
        plan.page(find(entities, tenant, &query, &plan)?)
    }

    async fn history(&self, tenant: TenantId, key: EntityKey, page: PageRequest) -> Result<Page<Version>> {
        let scope = Scope { list: "history", tenant, key: Some(key) };
        let after: Option<(u64, i64)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let state = self.state();
        let Some((entities, entity)) = state.entities.get(&tenant).and_then(|all| Some((all, all.by_key(key)?))) else {
            return Ok(Page::new(Vec::new(), None));
        };
        let place = |slice: &Slice| (slice.tx_id, slice.valid.from().as_micros());
        let horizon = entities.head.horizon;
        let shown = |row: &&Row| !row.slice.carried && !horizon.hides(row.slice.sys);
        let mut rows: Vec<_> = entity.rows.iter().filter(shown).collect();
        rows.sort_by_key(|row| (std::cmp::Reverse(row.slice.tx_id), row.slice.valid.from()));
        rows.retain(|row| {
            let (tx, from) = place(&row.slice);
            after.is_none_or(|(last_tx, last_from)| tx < last_tx || (tx == last_tx && from > last_from))
        });
        let has_more = rows.len() > page.limit();
        rows.truncate(page.limit());
        let next = match rows.last() {
            Some(row) if has_more => Some(Cursor::seal(&scope, &place(&row.slice))?),
            _ => None,
        };
        let versions = rows.into_iter().map(|row| entities.version(tenant, key, entity, row));
        Ok(Page::new(versions.collect::<Result<_>>()?, next))
    }

    async fn slices(
        &self,
        tenant: TenantId,
        key: EntityKey,
        valid: Period,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Version>> {
        let mut state = self.state();
        let entities = state.entities.entry(tenant).or_default();
        let known = as_of.map(|as_of| entities.head.read(At::as_of(as_of), now)).transpose()?.map(|point| point.sys);
        let Some(entity) = entities.by_key(key) else { return Ok(Vec::new()) };
        let is_known = |slice: &Slice| known.map_or_else(|| slice.sys.is_open(), |known| slice.sys.contains(known));
        let shown = |row: &&Row| is_known(&row.slice) && row.slice.valid.intersect(valid).is_some();
        let mut rows: Vec<_> = entity.rows.iter().filter(shown).collect();
        rows.sort_by_key(|row| row.slice.valid);
        rows.into_iter().map(|row| entities.version(tenant, key, entity, row)).collect()
    }

    async fn commits_of(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<TenantCommit>> {
        let scope = run_commit_scope(tenant, run);
        let after: Option<u64> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let state = self.state();
        let Some(entities) = state.entities.get(&tenant) else { return Ok(Page::new(Vec::new(), None)) };
        let after = entities.head.horizon.tx_id.max(after.unwrap_or(0));
        let mut found = entities.commits_of(run, after).take(page.limit() + 1).cloned().collect::<Vec<_>>();
        let has_more = found.len() > page.limit();
        found.truncate(page.limit());
        let next = match found.last() {
            Some(last) if has_more => Some(Cursor::seal(&scope, &last.tx_id)?),
            _ => None,
        };
        Ok(Page::new(found, next))
    }

    async fn changes(&self, tenant: TenantId, since: Option<Cursor>, limit: PageRequest) -> Result<Commits> {
        let scope = Scope { list: "changes", tenant, key: None };
        let since: Option<u64> = since.map(|cursor| cursor.open(&scope)).transpose()?;
        let state = self.state();
        let entities = state.entities.get(&tenant);
        let since = entities.map(|entities| entities.head.horizon).unwrap_or_default().follow(since)?;
        let after = (Bound::Excluded(since), Bound::Unbounded);
        let mut rest =
            entities.into_iter().flat_map(|entities| entities.commits.range(after)).map(|(_, commit)| commit);
        let data: Vec<TenantCommit> = rest.by_ref().take(limit.limit()).cloned().collect();
        let has_more = rest.next().is_some();
        let last = data.last().map_or(since, |commit| commit.tx_id);
        Ok(Commits { data, next_cursor: Cursor::seal(&scope, &last)?, has_more })
    }

    async fn purge(&self, tenant: TenantId, key: EntityKey, provenance: Provenance, now: Timestamp) -> Result<()> {
        let mut state = self.state();
        let entry = AuditEntry::purged(key, &provenance);
        let stamp = state.entities.entry(tenant).or_default().erase(key, provenance, now)?;
        let mut beside = Beside::default();
        beside.add(tenant, stamp.tx_id, &Changes::none().audited(entry), None, stamp.sys)?;
        state.write_beside(tenant, beside, now);
        Ok(())
    }
}

impl State {
    /// Takes in all that was staged.
    pub(super) fn absorb(&mut self, tenant: TenantId, mut staged: Staged, now: Timestamp) {
        let beside = std::mem::take(&mut staged.beside);
        // Webhooks are told as they were before.
        self.write_beside(tenant, beside, now);
        self.entities.entry(tenant).or_default().absorb(staged);
    }

    fn write_beside(&mut self, tenant: TenantId, beside: Beside, now: Timestamp) {
        let Beside { messages, audit, effects } = beside;
        self.send(tenant, &messages, now);
        self.audit.add(audit);
        let requests = &mut self.entities.entry(tenant).or_default().requests;
        for RequestEffect { key, effect, .. } in effects {
            if let Some(request) = requests.get_mut(&key) {
                request.effect = Some(effect);
            }
        }
    }
}

#[derive(Serialize)]
struct Scope {
    list: &'static str,
    tenant: TenantId,
    key: Option<EntityKey>,
}

/// The entities after the plan's place, in order, one more than a page holds if there are so many.
fn find(entities: &Entities, tenant: TenantId, query: &ListQuery, plan: &ListPlan) -> Result<Vec<(Position, Version)>> {
    let wanted = plan.limit + 1;
    let matching = |id: EntityId| {
        let key = EntityKey::new(query.kind, id);
        let entity = entities.by_key(key)?;
        let row = entity.visible(plan.point)?;
        let updated_at = row.slice.sys.from();
        let position = Position::new(id, entity.created_at, updated_at, &row.index, &plan.sort.field);
        let follows = plan.after.as_ref().is_none_or(|after| position.is_after(after, &plan.sort));
        let sort = |name: &str| row.index.sort.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        let is_shown = follows && plan.filter.admits(id, &row.index.terms, sort, &row.index.text);
        is_shown.then_some((position, key, entity, row))
    };
    let mut found: Vec<_> = match (plan.filter.terms.first(), &plan.sort.field) {
        _ if plan.filter.among.is_some() => plan.filter.among.iter().flatten().copied().filter_map(matching).collect(),
        (None, SortField::CreatedAt) => {
            let after = plan.after.as_ref().and_then(|after| match &after.key {
                SortKey::Time(at) => Some((*at, after.id)),
                SortKey::Text(_) => None,
            });
            let ids = entities.in_order_of_creation(query.kind, after, plan.sort.descending);
            ids.filter_map(matching).take(wanted).collect()
        }
        (None, _) => entities.in_order_of_creation(query.kind, None, false).filter_map(matching).collect(),
        (Some(term), _) => entities.with_term(query.kind, term).filter_map(matching).collect(),
    };
    found.sort_by(|(one, ..), (other, ..)| {
        let ascending = one.cmp(other);
        if plan.sort.descending { ascending.reverse() } else { ascending }
    });
    found.truncate(wanted);
    let version = |(position, key, entity, row)| Ok((position, entities.version(tenant, key, entity, row)?));
    found.into_iter().map(version).collect()
}
