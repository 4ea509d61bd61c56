//! Who did what: the port that keeps it.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{Error, Page, PageRequest, Result, TenantId, Timestamp};

use super::outbox::derived_id;
use super::{EntityKey, Provenance};

/// Something that somebody did, for those who must know later who it was.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// What kind of somebody: `user`, `api_key`, `agent`, `system`.
    pub actor_type: String,
    /// Who.
    pub actor_id: String,
    /// What was done, such as `api_key.created`.
    pub action: String,
    /// What it was done to: a kind of thing, such as `webhook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// Which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// The address that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// The request that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What else is to be known, and never a secret.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

impl AuditEntry {
    /// `action` of `principal`, as [`Provenance`] names it: `user:ada` is the user `ada`, and one without a type is
    /// part of the system.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::store::AuditEntry;
    ///
    /// let entry = AuditEntry::new("agent:contact_deduper", "contact.purged").of("contact", "0194a8b3");
    /// assert_eq!((&*entry.actor_type, &*entry.actor_id), ("agent", "contact_deduper"));
    /// assert_eq!(AuditEntry::new("breaker", "agent_config.disabled").actor_type, "system");
    /// ```
    pub fn new(principal: &str, action: impl Into<String>) -> Self {
        let (actor_type, actor_id) = principal.split_once(':').unwrap_or(("system", principal));
        Self {
            actor_type: actor_type.to_owned(),
            actor_id: actor_id.to_owned(),
            action: action.into(),
            resource_type: None,
            resource_id: None,
            ip_address: None,
            request_id: None,
            metadata: Map::new(),
        }
    }

    /// Done to this.
    #[must_use]
    pub fn of(self, resource_type: &str, resource_id: impl fmt::Display) -> Self {
        let (resource_type, resource_id) = (Some(resource_type.to_owned()), Some(resource_id.to_string()));
        Self { resource_type, resource_id, ..self }
    }

    /// That an entity was erased: what remains of it.
    #[must_use]
    pub fn purged(key: EntityKey, provenance: &Provenance) -> Self {
        let entry = Self::new(&provenance.captured_by, format!("{}.purged", key.kind)).of(key.kind.as_str(), key.id);
        Self { request_id: provenance.request_id.clone(), ..entry }
    }

    /// Checks that every text can be kept.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if one is empty where it must not be, longer than 512 characters, or has a NUL.
    pub fn check(&self) -> Result<()> {
        let needed = [("/actor_type", &self.actor_type), ("/actor_id", &self.actor_id), ("/action", &self.action)];
        let others = [
            ("/resource_type", &self.resource_type),
            ("/resource_id", &self.resource_id),
            ("/ip_address", &self.ip_address),
            ("/request_id", &self.request_id),
        ];
        let others = others.into_iter().filter_map(|(pointer, text)| Some((pointer, text.as_ref()?)));
        for (pointer, text) in needed.into_iter().chain(others) {
            if text.is_empty() || text.chars().count() > 512 || text.contains('\0') {
                let message = "an audit entry has texts of 1 to 512 characters without NUL";
                return Err(Error::invalid(message).at(pointer));
            }
        }
        crate::entity::check_object("/metadata", &self.metadata)
    }

    /// The name under which it is [recorded](Self::recorded) of a thing to which this is done once.
    #[must_use]
    pub fn about(&self, id: impl fmt::Display) -> String {
        format!("{}:{id}", self.action)
    }

    /// The record of it, the one at `place` of what happened `at` one moment under a `name` that only that has.
    #[must_use]
    pub fn recorded(self, tenant: TenantId, name: &str, place: usize, at: Timestamp) -> AuditRecord {
        let id = derived_id(&format!("audit:{tenant}:{name}:{place}"), at);
        AuditRecord { id, tenant_id: tenant, created_at: at, entry: self }
    }
}

/// An entry of the audit log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AuditRecord {
    /// Names it.
    pub id: Uuid,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// When it was done.
    pub created_at: Timestamp,
    /// What was done, and by whom.
    #[serde(flatten)]
    pub entry: AuditEntry,
}

/// What is asked of an audit log.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Only what was done so.
    pub action: Option<String>,
    /// Only what was done to a thing of this kind.
    pub resource_type: Option<String>,
    /// Only what this one did.
    pub actor_id: Option<String>,
    /// Which page.
    pub page: PageRequest,
}

impl AuditQuery {
    /// Whether a record is asked for.
    #[must_use]
    pub fn admits(&self, record: &AuditRecord) -> bool {
        let entry = &record.entry;
        let is = |wanted: &Option<String>, found: Option<&String>| wanted.is_none() || wanted.as_ref() == found;
        is(&self.action, Some(&entry.action))
            && is(&self.resource_type, entry.resource_type.as_ref())
            && is(&self.actor_id, Some(&entry.actor_id))
    }

    /// What the cursors of this list are bound to.
    #[must_use]
    pub fn scope(&self, tenant: TenantId) -> impl Serialize + use<> {
        ("audit", tenant, self.action.clone(), self.resource_type.clone(), self.actor_id.clone())
    }
}

/// Keeps who did what. Nothing of it is ever changed.
///
/// # Contract
///
/// - `audit_entries_of_changes_are_kept_with_them`, `audit_entries_of_refused_changes_are_not_kept`
/// - `erasure_leaves_an_audit_entry`
#[async_trait]
pub trait AuditStore: fmt::Debug + Send + Sync + 'static {
    /// Adds what was done to something that is no entity: what is done to entities is part of their
    /// [`Changes`](super::Changes).
    ///
    /// # Contract
    ///
    /// - `audit_log_is_listed_newest_first_by_what_is_asked`
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if a text cannot be kept.
    async fn add_audit_entry(&self, tenant: TenantId, id: Uuid, entry: AuditEntry, now: Timestamp) -> Result<()>;

    /// A page of what was done, newest first.
    ///
    /// # Contract
    ///
    /// - `audit_log_is_listed_newest_first_by_what_is_asked`, `audit_log_of_another_tenant_is_empty`
    ///
    /// # Errors
    ///
    /// `InvalidCursor` if the cursor is damaged or belongs to another list.
    async fn audit_log(&self, tenant: TenantId, query: AuditQuery) -> Result<Page<AuditRecord>>;
}
