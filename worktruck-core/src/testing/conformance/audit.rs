//! What [`AuditStore`](crate::store::AuditStore) promises.

use serde_json::{Map, json};

use crate::store::{AuditEntry, AuditQuery, AuditRecord, Changes};
use crate::temporal::WriteOp;
use crate::{ErrorKind, TenantId};

use super::Stage;
use super::build::*;

/// An entry with everything that one can have.
fn entry(actor: &str, action: &str, resource: &str) -> AuditEntry {
    let mut metadata = Map::new();
    metadata.insert("reason".to_owned(), json!("it \u{2014} \"did\" not answer"));
    AuditEntry {
        ip_address: Some("2001:db8::1".to_owned()),
        request_id: Some("req-1".to_owned()),
        metadata,
        ..AuditEntry::new(actor, action).of(resource, contact(1).id)
    }
}

impl Stage {
    async fn audited(&self, tenant: TenantId, query: AuditQuery) -> Vec<AuditRecord> {
        self.store.audit_log(tenant, query).await.expect("the log is read").data
    }

    pub(super) async fn audit(&self, tenant: TenantId) -> Vec<AuditRecord> {
        self.audited(tenant, AuditQuery::default()).await
    }

    /// Adds entry number `n` at second `n`.
    async fn note(&self, tenant: TenantId, n: u32, entry: AuditEntry) {
        self.store.add_audit_entry(tenant, uuid(7, n), entry, at(i64::from(n))).await.expect("an entry is added");
    }
}

/// What changes carry for the log is there when they are, with the moment of their commit.
pub async fn audit_entries_of_changes_are_kept_with_them(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let (made, told) = (entry("user:ada", "webhook.created", "webhook"), AuditEntry::new("breaker", "agent.disabled"));
    let changes = Changes::none().create(contact(1), named("Ada")).audited(made.clone()).audited(told.clone());
    let applied = stage.apply(tenant, changes, at(1)).await;

    let found = stage.audit(tenant).await;
    let mut entries: Vec<_> = found.iter().map(|record| record.entry.clone()).collect();
    entries.sort_by(|one, other| other.action.cmp(&one.action));
    assert_eq!(entries, [made, told]);
    assert!(found.iter().all(|record| record.created_at == applied.at && record.tenant_id == tenant), "{found:?}");
    assert_ne!(found[0].id, found[1].id);
}

/// Changes that are refused leave nothing in the log, and neither do those that write nothing.
pub async fn audit_entries_of_refused_changes_are_not_kept(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.apply(tenant, Changes::none().create(contact(1), named("Ada")), at(1)).await;
    let what = || entry("user:ada", "contact.created", "contact");
    let again = Changes::none().create(contact(1), named("Eve")).audited(what());
    assert_refused(stage.store.apply(tenant, again, person(), at(2)).await, ErrorKind::Conflict, "it is there already");
    let same = Changes::none().write(contact(1), WriteOp::Patch(json!({}))).audited(what());
    stage.store.apply(tenant, same, person(), at(3)).await.expect("nothing is written");
    for wrong in [AuditEntry::new("user:", "a"), AuditEntry::new("user:ada", ""), AuditEntry::new("user:\0", "a")] {
        let changes = Changes::none().create(contact(2), named("Bob")).audited(wrong.clone());
        let refused = stage.store.apply(tenant, changes, person(), at(4)).await;
        assert_refused(refused, ErrorKind::InvalidRequest, "an entry that cannot be kept");
        let refused = stage.store.add_audit_entry(tenant, uuid(7, 1), wrong, at(4)).await;
        assert_refused(refused, ErrorKind::InvalidRequest, "an entry that cannot be kept");
    }
    assert_eq!(stage.audit(tenant).await, []);
}

/// The log says what was erased and by whom, and nothing of what it was.
pub async fn erasure_leaves_an_audit_entry(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.apply(tenant, Changes::none().create(contact(1), named("Ada")), at(1)).await;
    stage.store.purge(tenant, contact(1), person(), at(2)).await.expect("it is erased");
    let found = stage.audit(tenant).await;
    let [record] = &found[..] else { panic!("one entry: {found:?}") };
    assert_eq!(record.entry, AuditEntry::new("user:ada", "contact.purged").of("contact", contact(1).id));
    assert_eq!(record.created_at, at(2));
    assert!(!serde_json::to_string(record).expect("it has a JSON form").contains("\"Ada\""));
}

/// The newest comes first, pages join, and each of the three questions leaves out what it does not ask for.
pub async fn audit_log_is_listed_newest_first_by_what_is_asked(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let entries = [
        entry("user:ada", "api_key.created", "api_key"),
        entry("user:bob", "api_key.revoked", "api_key"),
        entry("api_key:k1", "webhook.created", "webhook"),
        entry("user:ada", "webhook.deleted", "webhook"),
        AuditEntry::new("user:ada", "api_key.created"),
    ];
    for (n, entry) in (1..).zip(&entries) {
        stage.note(tenant, n, entry.clone()).await;
    }
    let numbers = |found: Vec<AuditRecord>| -> Vec<i64> {
        found.into_iter().map(|record| (record.created_at.as_micros() - at(0).as_micros()) / 1_000_000).collect()
    };
    let newest = stage.audit(tenant).await;
    assert_eq!(newest[4].entry, entries[0]);
    assert_eq!(newest[4].id, uuid(7, 1));
    assert_eq!(numbers(newest), [5, 4, 3, 2, 1]);
    let some = |text: &str| Some(text.to_owned());
    for (query, expected) in [
        (AuditQuery { action: some("api_key.created"), ..AuditQuery::default() }, &[5, 1][..]),
        (AuditQuery { resource_type: some("api_key"), ..AuditQuery::default() }, &[2, 1]),
        (AuditQuery { actor_id: some("ada"), ..AuditQuery::default() }, &[5, 4, 1]),
        (AuditQuery { actor_id: some("ada"), resource_type: some("webhook"), ..AuditQuery::default() }, &[4]),
        (AuditQuery { action: some("nothing\0"), ..AuditQuery::default() }, &[]),
    ] {
        let mut walked = Vec::new();
        let mut cursor = None;
        loop {
            let query = AuditQuery { page: page(1, cursor), ..query.clone() };
            let found = stage.store.audit_log(tenant, query).await.expect("a page");
            walked.extend(numbers(found.data));
            cursor = found.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(walked, expected, "{query:?}");
    }
    let cursor = stage.store.audit_log(tenant, AuditQuery { page: page(1, None), ..AuditQuery::default() }).await;
    let cursor = cursor.expect("a page").next_cursor;
    let other = AuditQuery { actor_id: some("ada"), page: page(1, cursor), ..AuditQuery::default() };
    assert_refused(stage.store.audit_log(tenant, other).await, ErrorKind::InvalidCursor, "a cursor of another list");
}

/// Nobody reads the log of another tenant.
pub async fn audit_log_of_another_tenant_is_empty(stage: Stage) {
    let (tenant, other) = (stage.tenant(1).await, stage.tenant(2).await);
    stage.note(tenant, 1, entry("user:ada", "api_key.created", "api_key")).await;
    assert_eq!(stage.audit(other).await, []);
    assert_eq!(stage.audit(tenant).await.len(), 1);
}
