use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::entity::Kind;
use crate::store::MemoryStore;
use crate::{EntityId, ErrorKind};

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

async fn write(store: &dyn Store, number: u128) -> Result<Applied> {
    let key = EntityKey::new(Kind::Contact, EntityId::from_uuid(Uuid::from_u128(number)));
    let changes = Changes::none().create(key, json!({ "display_name": "Ada" }));
    store.apply(tenant(), changes, Provenance::new("user:1", "user_edit"), Timestamp::EPOCH).await
}

async fn commits(store: &MemoryStore) -> usize {
    store.changes(tenant(), None, PageRequest::default()).await.unwrap().data.len()
}

#[tokio::test]
async fn fault_before_a_call_has_no_effect_and_after_it_all_of_it() {
    let store = FaultyStore::new(MemoryStore::default());
    store.fail(2, Fault::Before);
    store.fail(3, Fault::After);

    assert!(write(&store, 1).await.is_ok());
    assert_eq!(write(&store, 2).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(commits(store.inner()).await, 1);
    assert_eq!(write(&store, 2).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(commits(store.inner()).await, 2);
    assert_eq!(write(&store, 2).await.unwrap_err().kind(), ErrorKind::Conflict, "it took effect before");
    assert_eq!(store.calls(), ["apply"; 4]);
}

#[tokio::test]
async fn call_that_the_store_refuses_keeps_its_error_under_a_fault_after_it() {
    let store = FaultyStore::new(MemoryStore::default());
    store.fail(1, Fault::After);
    let tenant = NewTenant::new(tenant(), "No Slug");
    let error = store.create_tenant(tenant, Timestamp::EPOCH).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}
