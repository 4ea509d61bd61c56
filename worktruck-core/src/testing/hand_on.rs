/// Implements the ports that only a service needs for a store that stands before another one, which it hands every
/// call on to.
///
/// `$store` is the store, `$inner` the one behind it, `$name` the name of the method, and `$call` the future of the
/// call that was handed on: what becomes of it is `$then`. The caller depends on `async-trait`.
///
/// # Examples
///
/// ```
/// use worktruck_core::store::{AuditQuery, AuditStore as _, MemoryStore};
///
/// #[derive(Debug)]
/// struct Loud(MemoryStore);
///
/// worktruck_core::hand_on_service_ports!([] Loud, |store, name, call| store.0 => {
///     assert_eq!(name, "audit_log");
///     call.await
/// });
///
/// let tenant = worktruck_core::TenantId::from_uuid(uuid::Uuid::nil());
/// let store = Loud(MemoryStore::default());
/// let log = futures::executor::block_on(store.audit_log(tenant, AuditQuery::default()))?;
/// assert!(log.data.is_empty());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[macro_export]
macro_rules! hand_on_service_ports {
    ([$($generics:tt)*] $type:ty, |$store:ident, $name:ident, $call:ident| $inner:expr => $then:expr) => {
        $crate::hand_on! { [$($generics)*] $type, |$store, $name, $call| $inner => $then, $crate::store::AuditStore {
            add_audit_entry(
                tenant: $crate::TenantId, id: $crate::testing::Uuid, entry: $crate::store::AuditEntry, now: $crate::Timestamp
            ) -> ();
            audit_log(tenant: $crate::TenantId, query: $crate::store::AuditQuery)
                -> $crate::Page<$crate::store::AuditRecord>;
        } }
        $crate::hand_on! { [$($generics)*] $type, |$store, $name, $call| $inner => $then, $crate::store::ApiKeyStore {
            add_api_key(new: $crate::store::NewApiKey, audit: $crate::store::AuditEntry) -> ();
            api_key_by_hash(hash: $crate::Digest) -> Option<$crate::store::ApiKey>;
            api_key(tenant: $crate::TenantId, id: $crate::ApiKeyId) -> Option<$crate::store::ApiKey>;
            api_keys(tenant: $crate::TenantId, page: $crate::PageRequest) -> $crate::Page<$crate::store::ApiKey>;
            revoke_api_key(
                tenant: $crate::TenantId, id: $crate::ApiKeyId, instead: Option<$crate::store::NewApiKey>,
                audit: $crate::store::AuditEntry, now: $crate::Timestamp
            ) -> $crate::store::ApiKey;
            note_api_key_use(used: Vec<($crate::TenantId, $crate::ApiKeyId, $crate::Timestamp)>) -> ();
        } }
        $crate::hand_on! { [$($generics)*] $type, |$store, $name, $call| $inner => $then, $crate::store::RequestStore {
            begin_request(
                tenant: $crate::TenantId, new: $crate::store::NewRequest, lease_for: ::std::time::Duration,
                now: $crate::Timestamp
            ) -> $crate::store::Begun;
            end_request(
                tenant: $crate::TenantId, key: &str, attempt: $crate::testing::Uuid, answer: Option<$crate::store::StoredAnswer>
            ) -> ();
            forget_requests(before: $crate::Timestamp, limit: usize) -> u64;
        } }
        $crate::hand_on! { [$($generics)*] $type, |$store, $name, $call| $inner => $then, $crate::store::UsageStore {
            add_usage(used: Vec<($crate::TenantId, $crate::store::UsageDay)>) -> ();
            usage(tenant: $crate::TenantId, from: $crate::testing::NaiveDate, to: $crate::testing::NaiveDate)
                -> Vec<$crate::store::UsageDay>;
            take_quota(
                tenant: $crate::TenantId, quotas: &[$crate::store::Quota], wanted: u64, now: $crate::Timestamp
            ) -> $crate::store::Share;
            give_back_quota(
                tenant: $crate::TenantId, quotas: &[$crate::store::Quota], unused: u64, taken_at: $crate::Timestamp
            ) -> ();
        } }
    };
}

/// Implements one port by handing every call on; see [`hand_on_service_ports`].
#[macro_export]
macro_rules! hand_on {
    (
        [$($generics:tt)*] $type:ty, |$store:ident, $name:ident, $call:ident| $inner:expr => $then:expr,
        $port:path { $($method:ident($($argument:ident: $of:ty),*) -> $answer:ty;)* }
    ) => {
        #[::async_trait::async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl $($generics)* $port for $type {
            $(async fn $method(&self, $($argument: $of),*) -> $crate::Result<$answer> {
                let ($store, $name) = (self, stringify!($method));
                let _ = ($store, $name);
                let $call = <_ as $port>::$method(&$inner, $($argument),*);
                $then
            })*
        }
    };
}
