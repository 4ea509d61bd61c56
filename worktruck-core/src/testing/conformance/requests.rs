//! What [`RequestStore`](crate::store::RequestStore) promises.

use std::time::Duration;

use futures::FutureExt as _;
use serde_json::json;

use crate::store::{Begun, Changes, Effect, NewRequest, RequestMark, StoredAnswer};
use crate::temporal::At;
use crate::{Digest, ErrorKind, Result, TenantId, Timestamp};

use super::Stage;
use super::build::*;

const KEY: &str = "order-66/~!";
const LEASE: Duration = Duration::from_secs(60);

/// Attempt number `n` at the request with this body.
fn attempt(n: u32, body: &str) -> NewRequest {
    NewRequest { key: KEY.to_owned(), digest: Digest::of_bytes(body.as_bytes()), attempt: uuid(9, n) }
}

fn answer() -> StoredAnswer {
    StoredAnswer {
        status: 201,
        headers: vec![("location".to_owned(), "/api/v1/contacts/1".to_owned())],
        body: "{\"display_name\":\"\u{c4}da\"}".to_owned(),
        is_sealed: false,
    }
}

/// A contact that attempt number `n` makes.
fn effect(n: u32, what: u32) -> Changes {
    let mark = RequestMark { key: KEY.to_owned(), attempt: uuid(9, n), note: json!({ "made": what }) };
    Changes { request: Some(Box::new(mark)), ..Changes::none().create(contact(what), named("Ada")) }
}

impl Stage {
    async fn begin(&self, tenant: TenantId, n: u32, now: Timestamp) -> Result<Begun> {
        self.store.begin_request(tenant, attempt(n, "ada"), LEASE, now).await
    }

    async fn end(&self, tenant: TenantId, n: u32, answer: Option<StoredAnswer>) -> Result<()> {
        self.store.end_request(tenant, KEY, uuid(9, n), answer).await
    }

    async fn exists(&self, tenant: TenantId, n: u32) -> bool {
        self.store.entity(tenant, contact(n), At::NOW, at(500)).await.expect("an answer").is_some()
    }
}

/// Whoever sends it again gets the first answer, with or without an effect.
pub async fn request_that_was_answered_is_answered_again(stage: Stage) {
    let tenant = stage.tenant(1).await;
    assert_eq!(stage.begin(tenant, 1, at(0)).await.expect("it begins"), Begun::New);
    stage.store.apply(tenant, effect(1, 1), person(), at(1)).await.expect("it is committed");
    stage.end(tenant, 1, Some(answer())).await.expect("it ends");
    for (n, now) in [(2, at(2)), (3, at(500))] {
        assert_eq!(stage.begin(tenant, n, now).await.expect("an answer"), Begun::Answered(answer()));
    }
    let late = stage.end(tenant, 2, None).await;
    assert_refused(late, ErrorKind::LeaseLost, "an attempt at what was answered");
    assert_eq!(stage.begin(tenant, 4, at(3)).await.expect("an answer"), Begun::Answered(answer()));
}

/// Of many that begin it at once one does, and the others are told that somebody is at it.
pub async fn request_is_attempted_by_one(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let begun = stage
        .in_parallel(8, move |n, store| {
            async move { store.begin_request(tenant, attempt(n, "ada"), LEASE, at(0)).await }.boxed()
        })
        .await;
    let begun: Vec<_> = begun.into_iter().map(|begun| begun.expect("an answer")).collect();
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::New).count(), 1, "{begun:?}");
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::InProgress).count(), 7, "{begun:?}");
    assert_eq!(stage.begin(tenant, 20, just_before(at(60))).await.expect("an answer"), Begun::InProgress);
    let begun = stage
        .in_parallel(8, move |n, store| {
            async move { store.begin_request(tenant, attempt(n + 30, "ada"), LEASE, at(60)).await }.boxed()
        })
        .await;
    let taken = begun.into_iter().filter(|begun| matches!(begun, Ok(Begun::Interrupted(None)))).count();
    assert_eq!(taken, 1, "one takes it over");
}

/// A key is for one request only.
pub async fn key_of_another_request_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.begin(tenant, 1, at(0)).await.expect("it begins");
    let other = || stage.store.begin_request(tenant, attempt(2, "eve"), LEASE, at(100));
    assert_refused(other().await, ErrorKind::IdempotencyMismatch, "another request under the key");
    stage.end(tenant, 1, Some(answer())).await.expect("it ends");
    assert_refused(other().await, ErrorKind::IdempotencyMismatch, "another request under the key");
    for key in ["", "a b", "a\n", "\u{e4}", &"x".repeat(256)] {
        let new = NewRequest { key: key.to_owned(), ..attempt(1, "ada") };
        let refused = stage.store.begin_request(tenant, new, LEASE, at(0)).await;
        assert_refused(refused, ErrorKind::InvalidRequest, "a malformed key");
    }
}

/// A day later nobody remembers it, whatever came of it.
pub async fn request_is_remembered_for_a_day(stage: Stage) {
    let tenant = stage.tenant(1).await;
    const DAY: i64 = 24 * 60 * 60;
    stage.begin(tenant, 1, at(0)).await.expect("it begins");
    stage.end(tenant, 1, Some(answer())).await.expect("it ends");
    assert_eq!(stage.begin(tenant, 2, just_before(at(DAY))).await.expect("an answer"), Begun::Answered(answer()));
    let new = stage.store.begin_request(tenant, attempt(3, "eve"), LEASE, at(DAY)).await;
    assert_eq!(new.expect("another request may have the key"), Begun::New);
    assert_eq!(
        stage.store.begin_request(tenant, attempt(4, "eve"), LEASE, at(DAY + 1)).await.expect("an answer"),
        Begun::InProgress
    );
}

/// The same key is another request for another tenant.
pub async fn requests_of_tenants_have_nothing_to_do_with_each_other(stage: Stage) {
    let (tenant, other) = (stage.tenant(1).await, stage.tenant(2).await);
    stage.begin(tenant, 1, at(0)).await.expect("it begins");
    stage.end(tenant, 1, Some(answer())).await.expect("it ends");
    let begun = stage.store.begin_request(other, attempt(2, "eve"), LEASE, at(1)).await;
    assert_eq!(begun.expect("it begins"), Begun::New);
    assert_refused(stage.end(other, 1, None).await, ErrorKind::LeaseLost, "an attempt of another tenant");
    let refused = stage.store.apply(other, effect(1, 1), person(), at(2)).await;
    assert_refused(refused, ErrorKind::LeaseLost, "an attempt of another tenant");
}

/// What failed can be tried again under the same key, also as another request.
pub async fn request_that_is_given_up_can_be_made(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.begin(tenant, 1, at(0)).await.expect("it begins");
    stage.end(tenant, 1, None).await.expect("it is given up");
    assert_refused(stage.end(tenant, 1, None).await, ErrorKind::LeaseLost, "what is given up already");
    let begun = stage.store.begin_request(tenant, attempt(2, "eve"), LEASE, at(1)).await;
    assert_eq!(begun.expect("it begins"), Begun::New);
}

/// The commit says what the request did; whoever takes the request over is told, and cannot do it again.
pub async fn effect_of_a_request_is_committed_once(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.begin(tenant, 1, at(0)).await.expect("it begins");
    let applied = stage.store.apply(tenant, effect(1, 1), person(), at(1)).await.expect("it is committed");
    let again = stage.store.apply(tenant, effect(1, 2), person(), at(2)).await;
    assert_refused(again, ErrorKind::Conflict, "a second effect of one attempt");
    let done = Effect { tx_id: applied.tx_id, at: applied.at, note: json!({ "made": 1 }) };
    let begun = stage.begin(tenant, 2, at(60)).await.expect("it is taken over");
    assert_eq!(begun, Begun::Interrupted(Some(done)));
    let again = stage.store.apply(tenant, effect(2, 2), person(), at(61)).await;
    assert_refused(again, ErrorKind::Conflict, "an effect of what has had one");
    assert!(!stage.exists(tenant, 2).await, "nothing of what is refused is written");
    stage.end(tenant, 2, Some(answer())).await.expect("it ends");
    assert_eq!(stage.begin(tenant, 3, at(62)).await.expect("an answer"), Begun::Answered(answer()));
}

/// What an attempt does after another one has begun is refused, as is what nobody began.
pub async fn late_attempt_at_a_request_changes_nothing(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let unknown = stage.store.apply(tenant, effect(1, 1), person(), at(0)).await;
    assert_refused(unknown, ErrorKind::LeaseLost, "an attempt that nobody began");
    stage.begin(tenant, 1, at(0)).await.expect("it begins");
    assert_eq!(stage.begin(tenant, 2, at(60)).await.expect("it is taken over"), Begun::Interrupted(None));
    let late = stage.store.apply(tenant, effect(1, 1), person(), at(61)).await;
    assert_refused(late, ErrorKind::LeaseLost, "a late commit");
    assert_refused(stage.end(tenant, 1, None).await, ErrorKind::LeaseLost, "a late end");
    assert_refused(stage.end(tenant, 1, Some(answer())).await, ErrorKind::LeaseLost, "a late answer");
    assert!(!stage.exists(tenant, 1).await, "nothing of it is written");
    stage.store.apply(tenant, effect(2, 2), person(), at(62)).await.expect("the newest attempt commits");
    stage.end(tenant, 2, Some(answer())).await.expect("it ends");
    let after = stage.store.apply(tenant, effect(2, 3), person(), at(63)).await;
    assert_refused(after, ErrorKind::LeaseLost, "a commit after the answer");
}

/// Those are forgotten that are old, as many as asked for.
pub async fn old_requests_are_forgotten(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for n in 0..4 {
        let new = NewRequest { key: format!("k{n}"), ..attempt(n, "ada") };
        stage.store.begin_request(tenant, new, LEASE, at(i64::from(n))).await.expect("it begins");
    }
    let forget = |limit| stage.store.forget_requests(at(3), limit);
    assert_eq!(forget(2).await.expect("two are gone"), 2);
    assert_eq!(forget(10).await.expect("one is gone"), 1);
    assert_eq!(forget(10).await.expect("none is left"), 0);
    let kept = NewRequest { key: "k3".to_owned(), ..attempt(9, "ada") };
    let kept = stage.store.begin_request(tenant, kept, LEASE, at(4)).await;
    assert_eq!(kept.expect("it is remembered"), Begun::InProgress);
}
