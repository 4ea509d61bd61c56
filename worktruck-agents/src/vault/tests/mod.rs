//! What the vault promises, on the store in memory.

mod files;
mod rotation;

use std::sync::Arc;

use uuid::Uuid;
use worktruck_core::store::{MemoryStore, Put, SealedSecret, SecretName, SecretStore};
use worktruck_core::testing::SimClock;
use worktruck_core::{ErrorKind, Secret, TenantId, Timestamp};

use super::{KeyBytes, KeyRing, Vault};

const VALUE: &str = "a value that nobody may see";

fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

fn key(n: u8) -> KeyBytes {
    KeyBytes::new([n; 32])
}

fn name(n: usize) -> SecretName {
    SecretName::new("integration_key", format!("github/{n}"))
}

fn vault(store: &Arc<impl SecretStore>, ring: KeyRing) -> Vault {
    let clock = Arc::new(SimClock::starting_at(Timestamp::EPOCH));
    Vault::new(Arc::clone(store) as _, Arc::new(ring), clock)
}

fn fresh() -> (Arc<MemoryStore>, Vault) {
    let store = Arc::new(MemoryStore::default());
    let vault = vault(&store, KeyRing::new(key(1)));
    (store, vault)
}

async fn put(vault: &Vault, tenant: TenantId, name: &SecretName, value: &str) -> Put {
    vault.put(tenant, name, &Secret::new(value)).await.unwrap()
}

async fn get(vault: &Vault, tenant: TenantId, name: &SecretName) -> Option<String> {
    vault.get(tenant, name).await.unwrap().map(|value| value.expose().to_owned())
}

/// Asserts that a value does not open, and that the error says so without showing it.
async fn assert_closed(vault: &Vault, tenant: TenantId, name: &SecretName, why: &str) {
    let error = vault.get(tenant, name).await.expect_err(why);
    assert_eq!(error.kind(), ErrorKind::Internal, "{why}: {}", error.chain());
    let says = format!("{error} {error:?} {}", error.chain());
    assert!(says.contains(&name.to_string()) || says.contains("data key"), "{why}: {says}");
    assert!(!says.contains("nobody may see"), "{why}: {says}");
}

#[tokio::test]
async fn a_value_comes_back_and_a_second_one_takes_its_place() {
    let (_, vault) = fresh();
    assert_eq!(get(&vault, tenant(1), &name(1)).await, None);
    assert_eq!(put(&vault, tenant(1), &name(1), VALUE).await, Put::Added);
    assert_eq!(get(&vault, tenant(1), &name(1)).await.as_deref(), Some(VALUE));
    for value in ["", "é\0\u{1F600}", &"x".repeat(100_000)] {
        assert_eq!(put(&vault, tenant(1), &name(1), value).await, Put::Replaced);
        assert_eq!(get(&vault, tenant(1), &name(1)).await.as_deref(), Some(value));
    }
    assert_eq!(get(&vault, tenant(2), &name(1)).await, None, "another tenant has none");
    vault.remove(tenant(1), &name(1)).await.unwrap();
    assert_eq!(get(&vault, tenant(1), &name(1)).await, None);
    assert_eq!(vault.remove(tenant(1), &name(1)).await.unwrap_err().kind(), ErrorKind::NotFound);
    let long = vault.put(tenant(1), &name(1), &Secret::new("x".repeat(1 << 17))).await;
    assert_eq!(long.unwrap_err().kind(), ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_row_that_was_moved_does_not_open() {
    let (store, vault) = fresh();
    let (here, there) = (tenant(1), tenant(2));
    for tenant in [here, there] {
        put(&vault, tenant, &name(1), VALUE).await;
        put(&vault, tenant, &name(2), "another value").await;
    }
    let row = store.secret(here, &name(1)).await.unwrap().unwrap();
    let places = [
        (here, name(2)),
        (there, name(1)),
        (here, SecretName::new("byok", "github/1")),
        // The same letters, cut at another place.
        (here, SecretName::new("integration_ke", "ygithub/1")),
    ];
    for (tenant, place) in places {
        store.put_secret(tenant, SealedSecret { name: place.clone(), ..row.clone() }).await.unwrap();
        assert_closed(&vault, tenant, &place, "a row that was moved").await;
    }
    assert_eq!(get(&vault, here, &name(1)).await.as_deref(), Some(VALUE), "the row itself opens");

    // A data key of another tenant is not one of this.
    let (own, foreign) = (store.data_keys(here).await.unwrap(), store.data_keys(there).await.unwrap());
    store.swap_data_key(here, &own[0], foreign[0].clone()).await.unwrap();
    assert_closed(&vault, here, &name(1), "a data key that was moved").await;
}

#[tokio::test]
async fn a_row_that_was_changed_does_not_open() {
    let (store, vault) = fresh();
    put(&vault, tenant(1), &name(1), VALUE).await;
    let row = store.secret(tenant(1), &name(1)).await.unwrap().unwrap();
    for at in 0..row.sealed.len() {
        let mut flipped = row.clone();
        flipped.sealed[at] ^= 0x10;
        let mut cut = row.clone();
        cut.sealed.truncate(at.max(1));
        for changed in [flipped, cut] {
            store.put_secret(tenant(1), changed).await.unwrap();
            assert_closed(&vault, tenant(1), &name(1), "a row that was changed").await;
        }
    }
    store.put_secret(tenant(1), row).await.unwrap();

    let own = store.data_keys(tenant(1)).await.unwrap().remove(0);
    for at in 0..own.wrapped.len() {
        let mut changed = own.clone();
        changed.wrapped[at] ^= 1;
        store.swap_data_key(tenant(1), &own, changed.clone()).await.unwrap();
        assert_closed(&vault, tenant(1), &name(1), "a data key that was changed").await;
        store.swap_data_key(tenant(1), &changed, own.clone()).await.unwrap();
    }
    assert_eq!(get(&vault, tenant(1), &name(1)).await.as_deref(), Some(VALUE), "as it was it opens");
}

#[tokio::test]
async fn a_wrong_key_says_which_one_is_missing() {
    let (store, right) = fresh();
    put(&right, tenant(1), &name(1), VALUE).await;
    let wrong = vault(&store, KeyRing::new(key(2)));
    assert_closed(&wrong, tenant(1), &name(1), "another key").await;
    for error in [
        wrong.get(tenant(1), &name(1)).await.map(drop).unwrap_err(),
        wrong.put(tenant(1), &name(2), &Secret::new(VALUE)).await.map(drop).unwrap_err(),
    ] {
        let says = error.chain();
        assert!(says.contains(&key(1).id()) && says.contains(&key(2).id()), "{says}");
    }
    assert_eq!(get(&wrong, tenant(1), &name(2)).await, None, "nothing was sealed");
}

#[tokio::test]
async fn what_is_left_of_a_shredded_tenant_does_not_open() {
    let (store, vault) = fresh();
    for n in [1, 2] {
        put(&vault, tenant(n), &name(1), VALUE).await;
    }
    let copy = store.secret(tenant(1), &name(1)).await.unwrap().unwrap();
    vault.shred(tenant(1)).await.unwrap();
    assert_eq!(get(&vault, tenant(1), &name(1)).await, None);
    assert_eq!(get(&vault, tenant(2), &name(1)).await.as_deref(), Some(VALUE), "another tenant's stay");

    // A copy that was kept elsewhere is of no use, also under a new data key of the same number.
    assert_eq!(put(&vault, tenant(1), &name(2), "anew").await, Put::Added);
    store.put_secret(tenant(1), copy).await.unwrap();
    assert_closed(&vault, tenant(1), &name(1), "a copy").await;
    assert_eq!(get(&vault, tenant(1), &name(2)).await.as_deref(), Some("anew"));
}

#[test]
fn keys_do_not_show() {
    let secret = KeyBytes::new(*b"0123456789abcdefghijklmnopqrstuv");
    let (id, base64) = (secret.id(), secret.to_base64().to_string());
    let ring = KeyRing::new(secret);
    let (_, vault) = (0, vault(&Arc::new(MemoryStore::default()), ring));
    let shown = format!("{vault:?} {id}");
    for plain in ["0123456789abcdef", &base64, "48, 49, 50"] {
        assert!(!shown.contains(plain), "{shown}");
    }
    let wrong = KeyBytes::from_base64("bm90IGEga2V5").unwrap_err();
    assert!(!format!("{wrong:?} {}", wrong.chain()).contains("bm90IGEga2V5"));
}
