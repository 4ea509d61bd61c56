use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use async_trait::async_trait;
use uuid::Uuid;

use crate::store::{AuditEntry, AuditQuery, AuditRecord, AuditStore};
use crate::{Cursor, Page, Result, TenantId, Timestamp};

use super::MemoryStore;

/// The audit logs of all tenants, in order.
#[derive(Debug, Default)]
pub(super) struct AuditLog(BTreeMap<(TenantId, Timestamp, Uuid), AuditRecord>);

impl AuditLog {
    pub(super) fn add(&mut self, records: Vec<AuditRecord>) {
        self.0.extend(records.into_iter().map(|record| ((record.tenant_id, record.created_at, record.id), record)));
    }
}

#[async_trait]
impl AuditStore for MemoryStore {
    async fn add_audit_entry(&self, tenant: TenantId, id: Uuid, entry: AuditEntry, now: Timestamp) -> Result<()> {
        entry.check()?;
        self.state().audit.add(vec![AuditRecord { id, tenant_id: tenant, created_at: now, entry }]);
        Ok(())
    }

    async fn audit_log(&self, tenant: TenantId, query: AuditQuery) -> Result<Page<AuditRecord>> {
        let scope = query.scope(tenant);
        let before: Option<(i64, Uuid)> = query.page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let end = before.map(|(at, id)| (tenant, Timestamp::from_micros(at), id));
        let state = self.state();
        let all = state.audit.0.range((Unbounded, end.map_or(Unbounded, Excluded))).rev().map(|(_, record)| record);
        let found = all.filter(|record| record.tenant_id == tenant && query.admits(record));
        let found = found.take(query.page.limit() + 1).cloned().collect();
        let place = |last: &AuditRecord| (last.created_at.as_micros(), last.id);
        Page::cut(found, query.page.limit(), |last| Cursor::seal(&scope, &place(last)))
    }
}
