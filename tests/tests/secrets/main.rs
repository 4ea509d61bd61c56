//! Secrets are nowhere in the clear: planted in every place where they come in, and looked for wherever
//! something comes out.

#![expect(clippy::unwrap_used, reason = "what cannot be done fails the test")]

mod forms;
mod listener;
mod places;
mod provider;
mod runs;
mod tools;

use std::sync::Arc;

use serde_json::json;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::integrations::{Endpoints, IntegrationKeys, LiveVerifier, NewIntegrationKey, resource};
use worktruck_agents::net::GuardedClient;
use worktruck_agents::vault::{KeyBytes, KeyRing, Vault};
use worktruck_core::entity::integration_key::Provider;
use worktruck_core::pim::Pim;
use worktruck_core::store::{NewTenant, SecretName, SecretStore as _, TenantStore as _};
use worktruck_core::{Clock as _, Secret, TenantId};
use worktruck_store_sqlite::SqliteStore;

use forms::{Scan, forms};
use listener::Listener;
use places::{echo, files};

/// With characters that base64, URLs and JSON write differently.
const PLANTED: &str = r#"planted+/=%"\secret-ÄQ~9f3b71"#;
/// What a header can hold: an integration key is sent to its provider.
const KEY: &str = r#"planted+/=%"\key-~9f3b71c4d2"#;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_sealed_is_anywhere_in_the_clear() {
    let heard = Listener::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    let store = Arc::new(SqliteStore::open(&format!("sqlite://{}", file.display())).await.unwrap());
    let clock = Arc::new(SystemClock::new());
    let kek = KeyBytes::random().unwrap();
    let kek_bytes = kek.expose().to_vec();
    let ids = Arc::new(RandomIds::new());
    let tenant = TenantId::new(&*ids, clock.now());
    store.create_tenant(NewTenant::new(tenant, "acme"), clock.now()).await.unwrap();
    let vault = Vault::new(store.clone(), Arc::new(KeyRing::new(kek)), clock.clone());
    let provider = echo().await;
    let client = GuardedClient::new("127.0.0.1".parse().unwrap()).unwrap();
    let endpoints = Endpoints {
        cloudflare: provider.clone(),
        github: provider.clone(),
        postmark: provider.clone(),
        outstand: provider.clone(),
    };
    let verifier = LiveVerifier::new(client).with_endpoints(endpoints);
    let pim = Pim::new(store.clone(), clock.clone(), ids);
    let keys = IntegrationKeys::new(pim.clone(), vault.clone(), Arc::new(verifier));

    // What comes in: into the vault, as a key of each provider, and where it is refused.
    let mut out = Vec::new();
    let name = SecretName::new("test", "planted");
    vault.put(tenant, &name, &Secret::new(PLANTED)).await.unwrap();
    for service in Provider::ALL {
        let mut new = NewIntegrationKey::new(service, Secret::new(KEY));
        new.metadata.insert("base_url".to_owned(), json!(provider));
        out.push(format!("{new:?}"));
        let mut wrong = new.clone();
        wrong.label = Some(KEY.to_owned());
        out.push(format!("{:?}", keys.put(tenant, wrong, "user").await.unwrap_err()));
        let put = keys.put(tenant, new, "user").await.unwrap();
        out.push(format!("{put:?} {}", resource(&put.0)));
        let verification = keys.verify(tenant, service, "user").await.unwrap();
        assert!(!verification.valid, "the provider here takes no key");
        out.push(format!("{verification:?} {}", json!(verification)));
        out.push(format!("{:?}", keys.for_tool(tenant, service).await.map(|(about, _)| about)));
        let opened = keys.key(tenant, service).await.unwrap().unwrap();
        out.push(format!("{opened:?}"));
        assert_eq!(opened.expose(), KEY);
    }
    let long = KEY.repeat(8_000);
    let refused = NewIntegrationKey::new(Provider::Github, Secret::new(format!("{KEY} \n")));
    let refused = keys.put(tenant, refused, "user").await.unwrap_err();
    out.push(format!("{refused:?} {}", refused.chain()));
    let refused = vault.put(tenant, &name, &Secret::new(long)).await.unwrap_err();
    out.push(format!("{refused:?} {}", refused.chain()));

    // What goes wrong: changed, moved, under another key.
    let row = store.secret(tenant, &name).await.unwrap().unwrap();
    let data_keys = store.data_keys(tenant).await.unwrap();
    out.push(format!("{row:?} {data_keys:?} {vault:?} {keys:?}"));
    let mut changed = row.clone();
    *changed.sealed.last_mut().unwrap() ^= 1;
    store.put_secret(tenant, changed).await.unwrap();
    let other = Vault::new(store.clone(), Arc::new(KeyRing::new(KeyBytes::random().unwrap())), clock);
    for error in [
        vault.get(tenant, &name).await.map(drop).unwrap_err(),
        vault.rotate(tenant).await.map(drop).unwrap_err(),
        other.get(tenant, &name).await.map(drop).unwrap_err(),
        other.rewrap().await.map(drop).unwrap_err(),
    ] {
        out.push(format!("{error:?} {error} {}", error.chain()));
    }
    store.put_secret(tenant, row).await.unwrap();
    vault.rotate(tenant).await.unwrap();
    assert_eq!(vault.get(tenant, &name).await.unwrap().unwrap().expose(), PLANTED, "it is there all the same");
    out.push(format!("{:?}", pim.changes(tenant, None, 200).await.unwrap()));

    let mut scan = Scan::default();
    let logs = heard.lines();
    for heard in ["heard by tracing", "heard by log"] {
        assert!(logs.iter().any(|line| line.contains(heard)), "{heard}: {logs:?}");
    }
    assert!(logs.len() > 20, "those below log too: {logs:?}");
    // Before the store is closed, what is in the log of the database counts too.
    for (place, bytes) in files(folder.path()) {
        scan.look(&format!("the file {place}"), &bytes);
    }
    store.close().await;
    let closed = files(folder.path());
    let is_there = closed.iter().any(|(_, bytes)| bytes.windows(4).any(|part| part == b"acme"));
    assert!(is_there, "what is not secret is there to be read");
    for (place, bytes) in closed {
        scan.look(&format!("the file {place} of a closed store"), &bytes);
    }
    for text in out {
        scan.look("what was shown", text.as_bytes());
    }
    scan.look("the log", logs.join("\n").as_bytes());
    for secret in [PLANTED.as_bytes(), KEY.as_bytes(), &kek_bytes] {
        scan.expect_none_of(&forms(secret));
    }
    assert!(scan.bytes() > 100_000, "{} bytes were looked at", scan.bytes());
}

#[test]
fn a_secret_is_found_in_each_form_that_it_can_take() {
    for form in forms(PLANTED.as_bytes()) {
        let mut scan = Scan::default();
        scan.look("here", &[b"before ", &form.bytes[..], b" after"].concat());
        let found = scan.found(std::slice::from_ref(&form));
        assert_eq!(found.len(), 1, "{}", form.name);
    }
    assert!(forms(PLANTED.as_bytes()).len() > 8);
}
