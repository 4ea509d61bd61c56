use std::sync::atomic::{AtomicBool, Ordering};

use worktruck_core::testing::{Fault, FaultyStore};

use super::*;

#[tokio::test]
async fn after_a_new_key_has_wrapped_everything_the_old_one_is_not_needed() {
    let (store, old) = fresh();
    for n in 1..=3 {
        put(&old, tenant(n), &name(1), VALUE).await;
    }
    let both = vault(&store, KeyRing::new(key(2)).with_older(key(1)));
    assert_eq!(get(&both, tenant(1), &name(1)).await.as_deref(), Some(VALUE), "the older key still opens");
    put(&both, tenant(4), &name(1), VALUE).await;
    let done = both.rewrap().await.unwrap();
    assert_eq!((done.by, done.count), (key(2).id(), 3));
    assert_eq!(both.rewrap().await.unwrap().count, 0, "nothing is left");
    let new = vault(&store, KeyRing::new(key(2)));
    for n in 1..=4 {
        assert_eq!(get(&new, tenant(n), &name(1)).await.as_deref(), Some(VALUE));
    }
    assert_closed(&old, tenant(1), &name(1), "the old key alone").await;
}

#[tokio::test]
async fn a_data_key_that_does_not_open_does_not_keep_others_from_being_wrapped_again() {
    let (store, old) = fresh();
    put(&vault(&store, KeyRing::new(key(9))), tenant(1), &name(1), VALUE).await;
    put(&old, tenant(2), &name(1), VALUE).await;
    let error = vault(&store, KeyRing::new(key(2)).with_older(key(1))).rewrap().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.chain().contains("1 data keys could not be opened"), "{}", error.chain());
    assert!(error.chain().contains(&key(9).id()), "{}", error.chain());
    let new = vault(&store, KeyRing::new(key(2)));
    assert_eq!(get(&new, tenant(2), &name(1)).await.as_deref(), Some(VALUE));
}

#[tokio::test]
async fn a_new_data_key_takes_all_values_over() {
    let (store, vault) = fresh();
    assert_eq!(vault.rotate(tenant(1)).await.unwrap().number, 0, "there is nothing yet");
    for n in 0..450 {
        put(&vault, tenant(1), &name(n), &format!("value {n}")).await;
    }
    let before = store.secret(tenant(1), &name(1)).await.unwrap().unwrap();
    let done = vault.rotate(tenant(1)).await.unwrap();
    assert_eq!((done.number, done.count), (2, 450));
    let numbers: Vec<u32> = store.data_keys(tenant(1)).await.unwrap().iter().map(|key| key.number).collect();
    assert_eq!(numbers, [2]);
    for n in 0..450 {
        assert_eq!(get(&vault, tenant(1), &name(n)).await, Some(format!("value {n}")));
    }
    // What somebody has copied before opens no more.
    assert!(store.put_secret(tenant(1), before.clone()).await.is_err(), "its key is gone");
    store.put_secret(tenant(1), SealedSecret { key: 2, ..before }).await.unwrap();
    assert_closed(&vault, tenant(1), &name(1), "a copy under the number of the new key").await;
}

#[tokio::test]
async fn a_value_that_does_not_open_keeps_its_data_key_and_is_named() {
    let (store, vault) = fresh();
    for n in 1..=3 {
        put(&vault, tenant(1), &name(n), VALUE).await;
    }
    let mut damaged = store.secret(tenant(1), &name(2)).await.unwrap().unwrap();
    damaged.sealed[20] ^= 1;
    store.put_secret(tenant(1), damaged).await.unwrap();
    let error = vault.rotate(tenant(1)).await.unwrap_err();
    assert!(error.chain().contains(&name(2).to_string()), "{}", error.chain());
    for n in [1, 3] {
        assert_eq!(store.secret(tenant(1), &name(n)).await.unwrap().unwrap().key, 2, "others are sealed again");
    }
    vault.remove(tenant(1), &name(2)).await.unwrap();
    assert_eq!(vault.rotate(tenant(1)).await.unwrap().number, 2, "the rotation goes on where it was");
    assert_eq!(store.data_keys(tenant(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_rotation_that_was_stopped_anywhere_goes_on() {
    for fault in [Fault::Before, Fault::After] {
        for at in 1.. {
            let store = Arc::new(FaultyStore::new(MemoryStore::default()));
            let vault = vault(&store, KeyRing::new(key(2)).with_older(key(1)));
            for n in 0..3 {
                put(&vault, tenant(1), &name(n), &format!("value {n}")).await;
            }
            let calls = store.calls().len();
            store.fail(calls + at, fault);
            let stopped = vault.rotate(tenant(1)).await.is_err();
            if store.calls().len() < calls + at {
                assert!(!stopped && at > 8, "a rotation makes calls");
                break;
            }
            for n in 0..3 {
                assert_eq!(get(&vault, tenant(1), &name(n)).await, Some(format!("value {n}")), "stopped at {at}");
            }
            assert!(stopped, "call {at} has failed");
            vault.rotate(tenant(1)).await.unwrap();
            assert_eq!(store.data_keys(tenant(1)).await.unwrap().len(), 1, "stopped {fault:?} call {at}");
            for n in 0..3 {
                assert_eq!(get(&vault, tenant(1), &name(n)).await, Some(format!("value {n}")), "stopped at {at}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn others_read_and_write_while_keys_are_replaced() {
    let store = Arc::new(MemoryStore::default());
    let vault = vault(&store, KeyRing::new(key(2)).with_older(key(1)));
    for n in 0..8 {
        put(&vault, tenant(1), &name(n), "0").await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let writers = (0..8).map(|n| {
        let (vault, over) = (vault.clone(), Arc::clone(&over));
        tokio::spawn(async move {
            let mut last = 0_u64;
            while !over.load(Ordering::Relaxed) {
                last += 1;
                put(&vault, tenant(1), &name(n), &last.to_string()).await;
                assert_eq!(get(&vault, tenant(1), &name(n)).await, Some(last.to_string()), "what was written last");
                tokio::task::yield_now().await;
            }
            last
        })
    });
    let writers: Vec<_> = writers.collect();
    let rotators: Vec<_> = (0..2)
        .map(|_| {
            let vault = vault.clone();
            tokio::spawn(async move {
                let mut rounds = 0;
                while rounds < 10 {
                    match vault.rotate(tenant(1)).await {
                        Ok(_) => rounds += 1,
                        Err(error) => assert!(error.is_retryable(), "{}", error.chain()),
                    }
                    vault.rewrap().await.unwrap();
                }
            })
        })
        .collect();
    for rotator in rotators {
        rotator.await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    for (n, writer) in writers.into_iter().enumerate() {
        let last = writer.await.unwrap();
        assert!(last > 0, "a writer wrote");
        assert_eq!(get(&vault, tenant(1), &name(n)).await, Some(last.to_string()));
    }
    vault.rotate(tenant(1)).await.unwrap();
    assert_eq!(store.data_keys(tenant(1)).await.unwrap().len(), 1);
}
