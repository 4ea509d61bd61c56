//! What is sealed stays what it is, and is never there without its key: one scenario a method.

use futures::FutureExt as _;

use crate::store::{DataKey, Put, SealedSecret, SecretName};
use crate::{Cursor, ErrorKind, TenantId};

use super::Stage;
use super::build::*;

/// A data key whose bytes say whose it is.
fn key(number: u32, wrapped_by: &str) -> DataKey {
    let wrapped = format!("\0{number} under {wrapped_by}\u{ff}").into_bytes();
    DataKey { number, wrapped_by: wrapped_by.to_owned(), wrapped, made_at: at(1) }
}

/// A value whose bytes are those of `sealed`.
fn value(name: SecretName, key: u32, sealed: &str) -> SealedSecret {
    SealedSecret { name, key, sealed: sealed.as_bytes().to_vec(), sealed_at: at(2) }
}

fn github() -> SecretName {
    SecretName::new("integration_key", "github")
}

impl Stage {
    /// A tenant with its first data key.
    async fn sealing_tenant(&self, n: u32) -> TenantId {
        let tenant = self.tenant(n).await;
        self.store.add_data_key(tenant, key(1, "kek-1")).await.expect("a key is added");
        tenant
    }

    async fn put(&self, tenant: TenantId, secret: &SealedSecret) -> Put {
        self.store.put_secret(tenant, secret.clone()).await.expect("a value is kept")
    }

    async fn sealed(&self, tenant: TenantId, name: &SecretName) -> Option<SealedSecret> {
        self.store.secret(tenant, name).await.expect("an answer")
    }

    async fn keys(&self, tenant: TenantId) -> Vec<DataKey> {
        self.store.data_keys(tenant).await.expect("an answer")
    }

    /// The names of a tenant's values, in pages of `limit`.
    async fn names(&self, tenant: TenantId, purpose: Option<&str>, limit: u16) -> Vec<String> {
        let (mut names, mut cursor) = (Vec::new(), None);
        loop {
            let found = self.store.secrets(tenant, purpose, page(limit, cursor)).await.expect("a page");
            assert!(found.data.len() <= usize::from(limit), "a page has at most {limit}");
            names.extend(found.data.iter().map(|secret| secret.name.to_string()));
            cursor = found.next_cursor;
            if cursor.is_none() {
                return names;
            }
        }
    }
}

/// Every byte comes back, under the name it was kept by, and the last one that was kept counts.
pub async fn sealed_value_comes_back_as_it_was_kept(stage: Stage) {
    let tenant = stage.sealing_tenant(1).await;
    let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let first = SealedSecret { name: github(), key: 1, sealed: all, sealed_at: at(5) };
    assert_eq!(stage.sealed(tenant, &github()).await, None);
    assert_eq!(stage.put(tenant, &first).await, Put::Added);
    assert_eq!(stage.sealed(tenant, &github()).await, Some(first));
    let second = SealedSecret { name: github(), key: 1, sealed: vec![0], sealed_at: at(6) };
    assert_eq!(stage.put(tenant, &second).await, Put::Replaced);
    assert_eq!(stage.sealed(tenant, &github()).await, Some(second));
    for other in [SecretName::new("integration_key", "GitHub"), SecretName::new("byok", "github")] {
        assert_eq!(stage.sealed(tenant, &other).await, None, "{other}");
        assert_eq!(stage.put(tenant, &value(other.clone(), 1, "other")).await, Put::Added, "{other}");
    }
}

/// A value is kept under a data key that is there.
pub async fn value_needs_its_data_key(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let refused = stage.store.put_secret(tenant, value(github(), 1, "a")).await;
    assert_refused(refused, ErrorKind::Conflict, "a value of a tenant without data keys");
    stage.store.add_data_key(tenant, key(1, "kek-1")).await.expect("a key is added");
    let kept = value(github(), 1, "a");
    stage.put(tenant, &kept).await;
    let refused = stage.store.put_secret(tenant, value(github(), 2, "b")).await;
    assert_refused(refused, ErrorKind::Conflict, "a value under another data key");
    let refused = stage.store.swap_secret(tenant, &kept, value(github(), 2, "b")).await;
    assert_refused(refused, ErrorKind::Conflict, "a swap to another data key");
    assert_eq!(stage.sealed(tenant, &github()).await, Some(kept), "what is refused changes nothing");
}

/// A data key goes when nothing is sealed under it.
pub async fn data_key_in_use_stays(stage: Stage) {
    let tenant = stage.sealing_tenant(1).await;
    let old = value(github(), 1, "a");
    stage.put(tenant, &old).await;
    stage.store.add_data_key(tenant, key(2, "kek-1")).await.expect("a key is added");
    assert_refused(stage.store.remove_data_key(tenant, 1).await, ErrorKind::Conflict, "the removal of a key in use");
    assert_eq!(stage.sealed(tenant, &github()).await, Some(old.clone()));
    stage.store.swap_secret(tenant, &old, value(github(), 2, "b")).await.expect("it is sealed again");
    stage.store.remove_data_key(tenant, 1).await.expect("nothing is sealed under it");
    assert_eq!(stage.keys(tenant).await, [key(2, "kek-1")]);
    assert_refused(stage.store.remove_data_key(tenant, 1).await, ErrorKind::NotFound, "a second removal");
}

/// Whatever happens at once, a value that is there has its key.
pub async fn value_is_never_left_without_its_key(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for round in 1..=20 {
        stage.store.add_data_key(tenant, key(round, "kek-1")).await.expect("a key is added");
        stage
            .in_parallel(4, move |n, store| {
                async move {
                    let name = SecretName::new("test", format!("{round}-{n}"));
                    // Each of them comes first sometimes.
                    let outcome = match (n + round) % 4 {
                        0 => store.remove_data_key(tenant, round).await,
                        1 if round % 3 == 0 => store.shred(tenant).await,
                        _ => store.put_secret(tenant, value(name, round, "x")).await.map(drop),
                    };
                    if let Err(error) = outcome {
                        let lost = matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound);
                        assert!(lost, "one of them was too late, and not: {}", error.chain());
                    }
                }
                .boxed()
            })
            .await;
        let keys: Vec<u32> = stage.keys(tenant).await.iter().map(|key| key.number).collect();
        let values = stage.store.secrets(tenant, None, page(200, None)).await.expect("a page").data;
        let lost: Vec<_> = values.iter().filter(|value| !keys.contains(&value.key)).collect();
        assert!(lost.is_empty(), "there are the keys {keys:?}, and without one: {lost:?}");
    }
}

/// Every value is on one page of the walk, by purpose and name; a purpose cuts it.
pub async fn secrets_are_walked_in_order(stage: Stage) {
    let tenant = stage.sealing_tenant(1).await;
    for (purpose, name) in [("b", "1"), ("ab", "z"), ("a", "b"), ("a", "B"), ("a_", "~"), ("a", "b/")] {
        stage.put(tenant, &value(SecretName::new(purpose, name), 1, "x")).await;
    }
    let all = ["a/B", "a/b", "a/b/", "a_/~", "ab/z", "b/1"];
    for limit in [1, 2, 5, 6, 200] {
        assert_eq!(stage.names(tenant, None, limit).await, all, "in pages of {limit}");
        assert_eq!(stage.names(tenant, Some("a"), limit).await, all[..3], "of one purpose in pages of {limit}");
    }
    assert_eq!(stage.names(tenant, Some("c"), 1).await, [""; 0]);
    let cursor = stage.store.secrets(tenant, None, page(1, None)).await.expect("a page").next_cursor;
    for (purpose, cursor) in [(Some("a"), cursor), (None, Some(Cursor::from_text("damaged")))] {
        let refused = stage.store.secrets(tenant, purpose, page(1, cursor)).await;
        assert_refused(refused, ErrorKind::InvalidCursor, "a cursor of another list, or a damaged one");
    }
}

/// A swap takes effect on exactly what was read.
pub async fn swap_needs_what_is_there(stage: Stage) {
    let tenant = stage.sealing_tenant(1).await;
    let (old, new) = (value(github(), 1, "old"), value(github(), 1, "new"));
    let early = stage.store.swap_secret(tenant, &old, new.clone()).await;
    assert_refused(early, ErrorKind::Conflict, "a swap of what is not there");
    stage.put(tenant, &old).await;
    stage.store.swap_secret(tenant, &old, new.clone()).await.expect("it is there");
    assert_eq!(stage.sealed(tenant, &github()).await, Some(new.clone()));
    assert_refused(
        stage.store.swap_secret(tenant, &old, value(github(), 1, "late")).await,
        ErrorKind::Conflict,
        "a swap of what was",
    );
    // Removed and made again it is another one.
    stage.store.remove_secret(tenant, &github()).await.expect("it is removed");
    let again = value(github(), 1, "again");
    stage.put(tenant, &again).await;
    assert_refused(stage.store.swap_secret(tenant, &new, old).await, ErrorKind::Conflict, "a swap of what was removed");
    assert_eq!(stage.sealed(tenant, &github()).await, Some(again));
}

/// Of many that swap the same value one does.
pub async fn one_of_many_swaps_wins(stage: Stage) {
    let tenant = stage.sealing_tenant(1).await;
    let old = value(github(), 1, "old");
    stage.put(tenant, &old).await;
    let outcomes = stage
        .in_parallel(8, move |n, store| {
            let old = old.clone();
            async move { store.swap_secret(tenant, &old, value(github(), 1, &format!("new {n}"))).await.map(|()| n) }
                .boxed()
        })
        .await;
    let won: Vec<u32> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    assert_eq!(won.len(), 1, "one wins: {outcomes:?}");
    let there = stage.sealed(tenant, &github()).await.expect("it is there");
    assert_eq!(there.sealed, format!("new {}", won[0]).into_bytes());
}

/// What is removed is not there, and cannot be removed again.
pub async fn removed_secret_is_gone(stage: Stage) {
    let tenant = stage.sealing_tenant(1).await;
    let (gone, stays) = (github(), SecretName::new("integration_key", "netdata"));
    for name in [&gone, &stays] {
        stage.put(tenant, &value(name.clone(), 1, "x")).await;
    }
    stage.store.remove_secret(tenant, &gone).await.expect("it is removed");
    assert_eq!(stage.sealed(tenant, &gone).await, None);
    assert!(stage.sealed(tenant, &stays).await.is_some(), "another one stays");
    assert_refused(stage.store.remove_secret(tenant, &gone).await, ErrorKind::NotFound, "a second removal");
}

/// A number names one data key, however many are added at once.
pub async fn data_key_number_is_given_once(stage: Stage) {
    let tenant = stage.tenant(1).await;
    assert_eq!(stage.keys(tenant).await, []);
    let outcomes = stage
        .in_parallel(8, move |n, store| {
            async move { store.add_data_key(tenant, key(1, &format!("kek-{n}"))).await.map(|()| n) }.boxed()
        })
        .await;
    let won: Vec<u32> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    assert_eq!(won.len(), 1, "one adds it: {outcomes:?}");
    let first = key(1, &format!("kek-{}", won[0]));
    assert_eq!(stage.keys(tenant).await, std::slice::from_ref(&first));
    assert_refused(stage.store.add_data_key(tenant, key(1, "late")).await, ErrorKind::Conflict, "a number twice");
    for number in [10, 2] {
        stage.store.add_data_key(tenant, key(number, "kek-1")).await.expect("a key is added");
    }
    assert_eq!(stage.keys(tenant).await, [first, key(2, "kek-1"), key(10, "kek-1")], "in order of their numbers");
}

/// A data key is wrapped again if nobody else has done it.
pub async fn data_key_is_wrapped_again_once(stage: Stage) {
    let tenant = stage.sealing_tenant(1).await;
    let (old, new) = (key(1, "kek-1"), key(1, "kek-2"));
    stage.store.swap_data_key(tenant, &old, new.clone()).await.expect("it is wrapped again");
    assert_eq!(stage.keys(tenant).await, std::slice::from_ref(&new));
    let late = stage.store.swap_data_key(tenant, &old, key(1, "kek-3")).await;
    assert_refused(late, ErrorKind::Conflict, "a swap of what was");
    let unknown = stage.store.swap_data_key(tenant, &key(2, "kek-1"), key(2, "kek-2")).await;
    assert_refused(unknown, ErrorKind::Conflict, "a swap of a key that is not there");
    let other = stage.store.swap_data_key(tenant, &new, key(2, "kek-2")).await;
    assert_refused(other, ErrorKind::InvalidRequest, "a swap of another number");
    assert_eq!(stage.keys(tenant).await, [new], "what is refused changes nothing");
}

/// Whoever wraps keys again finds those of all tenants, each once.
pub async fn data_keys_of_all_tenants_are_walked(stage: Stage) {
    let mut expected = Vec::new();
    for n in [3, 1, 2] {
        let tenant = stage.tenant(n).await;
        for number in [2, 1] {
            stage.store.add_data_key(tenant, key(number, "kek-1")).await.expect("a key is added");
            expected.push((tenant, key(number, "kek-1")));
        }
    }
    expected.sort_by_key(|(tenant, key)| (*tenant, key.number));
    for limit in [1, 4, 6, 200] {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let next = stage.store.all_data_keys(page(limit, cursor)).await.expect("a page");
            found.extend(next.data);
            cursor = next.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "in pages of {limit}");
    }
    let damaged = stage.store.all_data_keys(page(1, Some(Cursor::from_text("damaged")))).await;
    assert_refused(damaged, ErrorKind::InvalidCursor, "a damaged cursor");
}

/// A tenant whose keys are removed has no values left, and may begin anew.
pub async fn shredding_leaves_nothing(stage: Stage) {
    let (tenant, other) = (stage.sealing_tenant(1).await, stage.sealing_tenant(2).await);
    for tenant in [tenant, other] {
        stage.store.add_data_key(tenant, key(2, "kek-1")).await.expect("a key is added");
        for key in [1, 2] {
            stage.put(tenant, &value(SecretName::new("test", key.to_string()), key, "x")).await;
        }
    }
    for _ in 0..2 {
        stage.store.shred(tenant).await.expect("the keys are removed");
        assert_eq!(stage.keys(tenant).await, []);
        assert_eq!(stage.names(tenant, None, 10).await, [""; 0]);
        assert_eq!(stage.sealed(tenant, &SecretName::new("test", "1")).await, None);
    }
    assert_eq!((stage.keys(other).await.len(), stage.names(other, None, 10).await.len()), (2, 2), "the other's stay");
    stage.store.add_data_key(tenant, key(1, "kek-1")).await.expect("a new key is added");
    assert_eq!(stage.put(tenant, &value(github(), 1, "x")).await, Put::Added);
}

/// No method sees or touches what is another tenant's under the same name.
pub async fn secrets_of_another_tenant_are_not_there(stage: Stage) {
    let (rich, poor) = (stage.sealing_tenant(1).await, stage.tenant(2).await);
    let kept = value(github(), 1, "rich");
    stage.put(rich, &kept).await;
    assert_eq!(stage.sealed(poor, &github()).await, None);
    assert_eq!(stage.names(poor, None, 10).await, [""; 0]);
    assert_eq!(stage.keys(poor).await, []);
    let refused = stage.store.put_secret(poor, value(github(), 1, "poor")).await;
    assert_refused(refused, ErrorKind::Conflict, "a value under another tenant's key");
    let refused = stage.store.swap_secret(poor, &kept, value(github(), 1, "poor")).await;
    assert_refused(refused, ErrorKind::Conflict, "a swap of another tenant's value");
    let refused = stage.store.swap_data_key(poor, &key(1, "kek-1"), key(1, "kek-2")).await;
    assert_refused(refused, ErrorKind::Conflict, "a swap of another tenant's key");
    assert_refused(stage.store.remove_secret(poor, &github()).await, ErrorKind::NotFound, "another tenant's value");
    assert_refused(stage.store.remove_data_key(poor, 1).await, ErrorKind::NotFound, "another tenant's key");
    stage.store.shred(poor).await.expect("there is nothing to remove");
    stage.put(rich, &value(SecretName::new("test", "2"), 1, "x")).await;
    let cursor = stage.store.secrets(rich, None, page(1, None)).await.expect("a page").next_cursor;
    let refused = stage.store.secrets(poor, None, page(1, cursor)).await;
    assert_refused(refused, ErrorKind::InvalidCursor, "a foreign cursor");
    stage.store.add_data_key(poor, key(1, "kek-9")).await.expect("a key of its own");
    assert_eq!(stage.put(poor, &value(github(), 1, "poor")).await, Put::Added);
    stage.store.remove_secret(poor, &github()).await.expect("its own value is removed");
    stage.store.remove_data_key(poor, 1).await.expect("its own key is removed");
    assert_eq!(stage.sealed(rich, &github()).await, Some(kept));
    assert_eq!(stage.keys(rich).await, [key(1, "kek-1")]);
}

/// What no store can keep is refused.
pub async fn malformed_secret_is_refused(stage: Stage) {
    let tenant = stage.sealing_tenant(1).await;
    let long = "x".repeat(256);
    let names =
        [("", "a"), ("A", "a"), ("a b", "a"), (&long, "a"), ("a", ""), ("a", "a b"), ("a", "\u{e9}"), ("a", &long)];
    let values = names.map(|(purpose, name)| value(SecretName::new(purpose, name), 1, "x"));
    let sizes = [Vec::new(), vec![0; (1 << 17) + 1]];
    let sizes = sizes.map(|sealed| SealedSecret { sealed, ..value(github(), 1, "") });
    for secret in values.into_iter().chain(sizes) {
        let what = format!("{secret:.80?}");
        assert_refused(stage.store.put_secret(tenant, secret).await, ErrorKind::InvalidRequest, &what);
    }
    let keys = [
        DataKey { number: 0, ..key(2, "kek-1") },
        DataKey { wrapped_by: String::new(), ..key(2, "kek-1") },
        DataKey { wrapped_by: "a\nb".to_owned(), ..key(2, "kek-1") },
        DataKey { wrapped: Vec::new(), ..key(2, "kek-1") },
        DataKey { wrapped: vec![0; (1 << 12) + 1], ..key(2, "kek-1") },
    ];
    for key in keys {
        let what = format!("{key:?}");
        assert_refused(stage.store.add_data_key(tenant, key).await, ErrorKind::InvalidRequest, &what);
    }
    assert_eq!((stage.keys(tenant).await.len(), stage.names(tenant, None, 10).await.len()), (1, 0), "nothing is kept");
}
