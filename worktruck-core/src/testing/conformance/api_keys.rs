//! What [`ApiKeyStore`](crate::store::ApiKeyStore) promises.

use crate::store::{ApiKey, AuditEntry, Environment, NewApiKey};
use crate::{ApiKeyId, Digest, ErrorKind, TenantId};

use super::Stage;
use super::build::*;

fn id(n: u32) -> ApiKeyId {
    ApiKeyId::from_uuid(uuid(8, n))
}

fn hash(n: u32) -> Digest {
    Digest::of_bytes(&n.to_be_bytes())
}

/// Key number `n` of a tenant, made at second `n`.
fn key(tenant: TenantId, n: u32) -> NewApiKey {
    let key = ApiKey {
        id: id(n),
        tenant_id: tenant,
        sees: tenant_id(9),
        name: format!("key \u{2014} {n}"),
        environment: Environment::Test,
        scopes: Some(vec!["contacts:read".to_owned(), "crm:write".to_owned()]),
        key_hint: format!("{n:04}"),
        created_at: at(i64::from(n)),
        expires_at: Some(at(1_000)),
        last_used_at: None,
        revoked_at: None,
    };
    NewApiKey { key, hash: hash(n) }
}

fn entry(action: &str) -> AuditEntry {
    AuditEntry::new("user:ada", action)
}

impl Stage {
    async fn add_key(&self, tenant: TenantId, n: u32) -> ApiKey {
        self.store.add_api_key(key(tenant, n), entry("api_key.created")).await.expect("a key is added");
        key(tenant, n).key
    }

    async fn key(&self, tenant: TenantId, n: u32) -> Option<ApiKey> {
        self.store.api_key(tenant, id(n)).await.expect("an answer")
    }

    async fn found(&self, n: u32) -> Option<ApiKey> {
        self.store.api_key_by_hash(hash(n)).await.expect("an answer")
    }

    /// The numbers of a tenant's keys, in pages of `limit`.
    async fn key_numbers(&self, tenant: TenantId, limit: u16) -> Vec<u32> {
        let (mut numbers, mut cursor) = (Vec::new(), None);
        loop {
            let found = self.store.api_keys(tenant, page(limit, cursor)).await.expect("a page");
            assert!(found.data.len() <= usize::from(limit), "a page has at most {limit}");
            numbers.extend(found.data.iter().map(|key| key.key_hint.parse::<u32>().expect("a number")));
            cursor = found.next_cursor;
            if cursor.is_none() {
                return numbers;
            }
        }
    }
}

/// A key is found by its hash alone, with all that is known of it.
pub async fn api_key_is_found_by_its_hash(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let made = stage.add_key(tenant, 1).await;
    let mut all = key(tenant, 2);
    (all.key.scopes, all.key.expires_at, all.key.environment) = (None, None, Environment::Live);
    stage.store.add_api_key(all.clone(), entry("api_key.created")).await.expect("a key is added");
    assert_eq!(stage.found(1).await, Some(made.clone()));
    assert_eq!(stage.found(2).await, Some(all.key));
    assert_eq!(stage.found(3).await, None);
    assert_eq!(stage.key(tenant, 1).await, Some(made));
}

/// Neither an id nor a hash is given twice, and what people chose is checked.
pub async fn api_key_is_added_once(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let made = stage.add_key(tenant, 1).await;
    let same_id = NewApiKey { hash: hash(2), ..key(tenant, 1) };
    let same_hash = NewApiKey { hash: hash(1), ..key(stage.tenant(2).await, 2) };
    for again in [same_id, same_hash] {
        let refused = stage.store.add_api_key(again, entry("api_key.created")).await;
        assert_refused(refused, ErrorKind::Conflict, "a key that is there");
    }
    for name in ["", " ", "a\0"] {
        let mut wrong = key(tenant, 3);
        name.clone_into(&mut wrong.key.name);
        let refused = stage.store.add_api_key(wrong, entry("api_key.created")).await;
        assert_refused(refused, ErrorKind::InvalidRequest, "a key without a name");
    }
    assert_eq!(stage.found(1).await, Some(made));
    assert_eq!((stage.found(2).await, stage.found(3).await), (None, None));
    assert_eq!(stage.key_numbers(tenant, 50).await, [1]);
}

/// The newest comes first, revoked ones too, and pages join.
pub async fn api_keys_are_listed_newest_first(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for n in [2, 1, 3] {
        stage.add_key(tenant, n).await;
    }
    stage.store.revoke_api_key(tenant, id(2), None, entry("api_key.revoked"), at(9)).await.expect("it is revoked");
    assert_eq!(stage.key_numbers(tenant, 50).await, [3, 2, 1]);
    assert_eq!(stage.key_numbers(tenant, 1).await, [3, 2, 1]);
}

/// Whoever knows the id of a key of another tenant learns nothing of it and does nothing to it.
pub async fn api_keys_of_another_tenant_are_not_there(stage: Stage) {
    let (tenant, other) = (stage.tenant(1).await, stage.tenant(2).await);
    let made = stage.add_key(tenant, 1).await;
    assert_eq!(stage.key(other, 1).await, None);
    assert_eq!(stage.key_numbers(other, 50).await, [0; 0]);
    let refused = stage.store.revoke_api_key(other, id(1), None, entry("api_key.revoked"), at(9)).await;
    assert_refused(refused, ErrorKind::NotFound, "a key of another tenant");
    stage.store.note_api_key_use(vec![(other, id(1), at(9))]).await.expect("it is noted");
    assert_eq!(stage.key(tenant, 1).await, Some(made));
}

/// A revoked key stays what it was, and says since when it is refused.
pub async fn api_key_is_revoked_once(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let made = stage.add_key(tenant, 1).await;
    let revoke = |at| stage.store.revoke_api_key(tenant, id(1), None, entry("api_key.revoked"), at);
    let revoked = revoke(at(9)).await.expect("it is revoked");
    assert_eq!(revoked, ApiKey { revoked_at: Some(at(9)), ..made });
    assert_refused(revoke(at(10)).await, ErrorKind::Conflict, "a key that is revoked");
    assert_eq!((stage.key(tenant, 1).await, stage.found(1).await), (Some(revoked.clone()), Some(revoked)));
    let unknown = stage.store.revoke_api_key(tenant, id(2), None, entry("api_key.revoked"), at(9)).await;
    assert_refused(unknown, ErrorKind::NotFound, "a key that is not there");
}

/// A key is revoked and another is in its place, or nothing happens.
pub async fn api_key_is_replaced_as_a_whole(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.add_key(tenant, 1).await;
    stage.add_key(tenant, 2).await;
    let taken = NewApiKey { hash: hash(2), ..key(tenant, 3) };
    let replace = |with| stage.store.revoke_api_key(tenant, id(1), Some(with), entry("api_key.rotated"), at(9));
    assert_refused(replace(taken).await, ErrorKind::Conflict, "a hash that is taken");
    assert_eq!(stage.key(tenant, 1).await.and_then(|key| key.revoked_at), None);
    assert_eq!(stage.key(tenant, 3).await, None);
    replace(key(tenant, 3)).await.expect("it is replaced");
    assert_eq!(stage.key(tenant, 1).await.and_then(|key| key.revoked_at), Some(at(9)));
    assert_eq!(stage.found(3).await, Some(key(tenant, 3).key));
    assert_refused(replace(key(tenant, 4)).await, ErrorKind::Conflict, "a key that is revoked");
    assert_eq!(stage.key(tenant, 4).await, None);
}

/// The latest use is kept, whatever order it is told in.
pub async fn use_of_api_keys_is_noted(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.add_key(tenant, 1).await;
    stage.add_key(tenant, 2).await;
    stage.store.note_api_key_use(Vec::new()).await.expect("nothing is noted");
    let used = vec![(tenant, id(1), at(20)), (tenant, id(1), at(30)), (tenant, id(1), at(10))];
    stage.store.note_api_key_use(used).await.expect("it is noted");
    stage.store.note_api_key_use(vec![(tenant, id(1), at(5)), (tenant, id(7), at(5))]).await.expect("it is noted");
    assert_eq!(stage.found(1).await.and_then(|key| key.last_used_at), Some(at(30)));
    assert_eq!(stage.key(tenant, 2).await.and_then(|key| key.last_used_at), None);
}

/// Each thing that is done to a key is one entry of the log, and what is refused is none.
pub async fn what_is_done_to_api_keys_is_audited(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.add_key(tenant, 1).await;
    let again = stage.store.add_api_key(key(tenant, 1), entry("api_key.created")).await;
    assert_refused(again, ErrorKind::Conflict, "a key that is there");
    let rotate = |n| stage.store.revoke_api_key(tenant, id(1), Some(key(tenant, n)), entry("api_key.rotated"), at(8));
    rotate(2).await.expect("it is replaced");
    assert_refused(rotate(3).await, ErrorKind::Conflict, "a key that is revoked");
    stage.store.revoke_api_key(tenant, id(2), None, entry("api_key.revoked"), at(9)).await.expect("it is revoked");
    let actions: Vec<_> = stage.audit(tenant).await.into_iter().map(|it| (it.entry.action, it.created_at)).collect();
    let expected = [("api_key.revoked", at(9)), ("api_key.rotated", at(8)), ("api_key.created", at(1))];
    assert_eq!(actions, expected.map(|(action, at)| (action.to_owned(), at)));
}
