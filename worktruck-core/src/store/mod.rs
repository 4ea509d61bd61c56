//! The ports of storage: what a backend must do, and what it must promise.
//!
//! Every method is atomic and takes `now`. Every bullet of a `# Contract` is the name of a
//! scenario of the conformance suite (feature `testing`).

mod api_key;
mod audit;
mod beside;
mod changes;
mod claim;
mod cost;
pub mod draft;
mod entity;
mod feed;
mod gather;
mod head;
mod memory;
mod outbox;
mod plan;
mod query;
mod request;
mod retention;
mod run;
mod secret;
mod tenant;
mod tried;
mod usage;
mod view;
mod walk;
mod words;

pub use api_key::{ApiKey, ApiKeyStore, Environment, NewApiKey, api_key_scope};
pub use audit::{AuditEntry, AuditQuery, AuditRecord, AuditStore};
pub use beside::{Beside, RequestEffect};
pub use changes::{Change, Changes, NextNumber, Require};
pub use claim::{Candidate, in_turn, limit_of_runs, limited_by, turn};
pub use cost::{AgentCost, AgentCostQuery, CostTable, Costs, MOST_COST_DAYS};
pub use entity::{Applied, EntityKey, EntityStore, KeyRange, ListQuery, Provenance, Sort, SortField, Version};
pub use feed::{ChangedEntity, Commits, Operation, TenantCommit, run_commit_scope};
pub use gather::Gathered;
pub use head::TenantHead;
pub use memory::MemoryStore;
pub use outbox::{
    Attempted, Delivery, DeliveryStatus, Message, NewDelivery, News, Outbox, Outcome, delivery_scope, no_delivery,
    told_of,
};
pub use plan::{EntityPlan, keys, plan_changes};
pub use query::{
    Filter, ListPlan, Position, SortKey, most_with_term, not_unique, number_after_erasure, run_content,
    too_many_with_term,
};
pub use request::{
    Begun, Effect, KEPT_FOR, NewRequest, RequestMark, RequestRecord, RequestStore, StoredAnswer, attempt_lost,
};
pub use retention::{Expired, Horizon, OldCommit, RetentionStore, check_expiry};
pub use run::{
    ApprovalQuery, CommitOutcome, Queue, RunQuery, RunStore, approval_scope, event_cursor, event_scope, run_scope,
};
pub use secret::{
    DataKey, Put, SealedSecret, SecretName, SecretStore, check_key_swap, check_swap, data_key_scope, secret_scope,
};
pub use tenant::{NewTenant, Tenant, TenantPatch, TenantStore, tenant_scope};
pub use usage::{Plan, Quota, Share, UsageDay, UsageStore, most_of, sum_of_usage};
pub use view::View;
pub use words::{MAX_WORDS, Titled, fold, searched};

/// All that a runtime and a service need of a backend.
pub trait Store:
    EntityStore
    + RunStore
    + TenantStore
    + RetentionStore
    + SecretStore
    + Outbox
    + AuditStore
    + ApiKeyStore
    + RequestStore
    + UsageStore
{
}

impl<T> Store for T where
    T: EntityStore
        + RunStore
        + TenantStore
        + RetentionStore
        + SecretStore
        + Outbox
        + AuditStore
        + ApiKeyStore
        + RequestStore
        + UsageStore
{
}
