//! What is known of stored keys of other services: one scenario a method.

use serde_json::json;

use crate::ErrorKind;
use crate::entity::integration_key::{IntegrationKey, KeyStatus, Provider};
use crate::pim::integrations::IntegrationKeyFilter;

use super::Stage;
use super::desk::{Desk, refusal};

/// A tenant has one key for each provider, however many are stored at once.
pub async fn provider_has_one_integration_key(stage: Stage) {
    let desk = Desk::new(&stage);
    let keys = desk.of::<IntegrationKey>();
    let first =
        desk.create::<IntegrationKey>(json!({ "provider": "github", "key_hint": "abcd", "secret_ref": "a" })).await;
    let second = keys.create(IntegrationKey::new(Provider::Github, "b")).await;
    assert_eq!(refusal(second), (ErrorKind::Conflict, "/provider".to_owned()));
    let moved =
        desk.create::<IntegrationKey>(json!({ "provider": "postmark", "key_hint": "", "secret_ref": "c" })).await;
    let moved = keys.update(moved.id, json!({ "provider": "github" })).await;
    assert_eq!(refusal(moved), (ErrorKind::InvalidRequest, "/provider".to_owned()));
    keys.delete(first.id).await.expect("it is deleted");
    keys.create(IntegrationKey::new(Provider::Github, "d")).await.expect("there is room again");
    let other = Desk::of_tenant(&stage, 2).of::<IntegrationKey>();
    other.create(IntegrationKey::new(Provider::Github, "e")).await.expect("another tenant has its own");

    let answers = stage
        .in_parallel(8, {
            let keys = keys.clone();
            move |n, _| {
                let keys = keys.clone();
                Box::pin(async move { keys.create(IntegrationKey::new(Provider::Outstand, format!("f{n}"))).await })
            }
        })
        .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
}

/// What is known of a key is read and filtered at any moment.
pub async fn status_of_an_integration_key_is_read_at_any_moment(stage: Stage) {
    let desk = Desk::new(&stage);
    let keys = desk.of::<IntegrationKey>();
    let key = keys.create(IntegrationKey::new(Provider::Cloudflare, "a")).await.expect("a key is stored");
    keys.create(IntegrationKey::new(Provider::Github, "b")).await.expect("a key is stored");
    // Two commits at one moment are not at the same one.
    desk.wait(60);
    let before = desk.wait(60);
    let patch = json!({ "status": "active", "last_verified_at": before });
    let active = keys.update(key.id, patch).await.expect("a status is written");
    assert_eq!((active.data.status, active.data.last_verified_at), (KeyStatus::Active, Some(before)));
    let with = |status| IntegrationKeyFilter { status: Some(status), ..IntegrationKeyFilter::default() };
    let active = keys.list(with(KeyStatus::Active)).all().await.expect("a list");
    assert_eq!(active.iter().map(|key| key.data.provider).collect::<Vec<_>>(), [Provider::Cloudflare]);
    let then = keys.clone().as_of(before).list(with(KeyStatus::Unverified)).all().await.expect("a list");
    assert_eq!(then.len(), 2, "nobody had asked yet");
    let github = IntegrationKeyFilter { provider: Some(Provider::Github), ..IntegrationKeyFilter::default() };
    assert_eq!(keys.list(github).all().await.expect("a list").len(), 1);
}

/// Netdata has no address of its own.
pub async fn netdata_needs_its_address(stage: Stage) {
    let desk = Desk::new(&stage);
    let keys = desk.of::<IntegrationKey>();
    let refused = keys.create(IntegrationKey::new(Provider::Netdata, "a")).await;
    assert_eq!(refusal(refused), (ErrorKind::InvalidRequest, "/metadata/base_url".to_owned()));
    let body = json!({ "provider": "netdata", "key_hint": "", "secret_ref": "a",
        "metadata": { "base_url": "https://app.netdata.cloud" } });
    let key = desk.create::<IntegrationKey>(body).await;
    let refused = keys.update(key.id, json!({ "metadata": { "base_url": null } })).await;
    assert_eq!(refusal(refused), (ErrorKind::InvalidRequest, "/metadata/base_url".to_owned()));
}
