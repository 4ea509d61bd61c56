//! Stored keys from their first write to their end, and providers that are played on loopback.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use tokio::net::TcpListener;
use uuid::Uuid;
use worktruck_core::Clock as _;
use worktruck_core::store::{MemoryStore, SecretStore};
use worktruck_core::testing::{CountingIds, Fault, FaultyStore, SimClock};

use super::*;
use crate::net::{AllowedHosts, GuardedClient};
use crate::vault::{KeyBytes, KeyRing};

const KEY: &str = "k-0123456789abcdef-WXYZ";

fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

/// Providers, all at one address. An answer is found by path; each request is kept.
#[derive(Clone, Debug, Default)]
struct Services {
    answers: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Services {
    async fn start() -> (Self, String) {
        let services = Self::default();
        let router = Router::new().fallback(answer).with_state(services.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (services, url)
    }

    fn say(&self, path: &str, status: u16, body: &str) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, body.to_owned()));
    }

    fn asked(&self) -> Vec<(String, HeaderMap)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn answer(State(services): State<Services>, request: Request) -> impl IntoResponse {
    let path = request.uri().to_string();
    services.asked.lock().unwrap().push((path.clone(), request.headers().clone()));
    let found = services.answers.lock().unwrap().get(&path).cloned();
    let (status, body) = found.unwrap_or_else(|| (404, "{}".to_owned()));
    (StatusCode::from_u16(status).unwrap(), body)
}

fn endpoints(url: &str) -> Endpoints {
    Endpoints {
        cloudflare: format!("{url}/client/v4"),
        github: url.to_owned(),
        postmark: url.to_owned(),
        outstand: format!("{url}/v1"),
    }
}

fn live(url: &str) -> LiveVerifier {
    let client = GuardedClient::new("127.0.0.1".parse().unwrap()).unwrap();
    LiveVerifier::new(client).with_endpoints(endpoints(url))
}

struct Desk {
    keys: IntegrationKeys,
    clock: Arc<SimClock>,
    store: Arc<FaultyStore<MemoryStore>>,
}

fn desk(verifier: impl KeyVerifier) -> Desk {
    let store = Arc::new(FaultyStore::new(MemoryStore::default()));
    let clock = Arc::new(SimClock::starting_at("2026-04-14T12:00:00Z".parse().unwrap()));
    let vault = Vault::new(store.clone(), Arc::new(KeyRing::new(KeyBytes::new([1; 32]))), clock.clone());
    let pim = Pim::new(store.clone(), clock.clone(), Arc::new(CountingIds::new(1)));
    Desk { keys: IntegrationKeys::new(pim, vault, Arc::new(verifier)), clock, store }
}

impl Desk {
    async fn sealed(&self) -> usize {
        self.store.secrets(tenant(1), None, PageRequest::default()).await.unwrap().data.len()
    }
}

fn new(provider: Provider, key: &str) -> NewIntegrationKey {
    let mut new = NewIntegrationKey::new(provider, Secret::new(key));
    if provider == Provider::Netdata {
        new.metadata.insert("base_url".to_owned(), "https://app.netdata.cloud".into());
    }
    new
}

/// A provider that says what it was told to.
#[derive(Debug)]
struct Says(Mutex<Verdict>);

#[async_trait::async_trait]
impl KeyVerifier for Says {
    async fn verify(&self, _: &IntegrationKey, _: &Secret) -> Verdict {
        self.0.lock().unwrap().clone()
    }
}

fn says(verdict: Verdict) -> Says {
    Says(Mutex::new(verdict))
}

#[tokio::test]
async fn a_key_is_stored_replaced_listed_and_removed() {
    let desk = desk(says(Verdict::Active));
    let (first, put) = desk.keys.put(tenant(1), new(Provider::Github, KEY), "user:1").await.unwrap();
    assert_eq!((put, first.data.key_hint.as_str(), first.data.status), (Put::Added, "WXYZ", KeyStatus::Unverified));
    assert_eq!(desk.keys.key(tenant(1), Provider::Github).await.unwrap().unwrap().expose(), KEY);
    assert!(desk.keys.verify(tenant(1), Provider::Github, "user:1").await.unwrap().valid);

    let mut second = new(Provider::Github, "another-key-of-github");
    second.label = Some("ours".to_owned());
    let (second, put) = desk.keys.put(tenant(1), second, "user:2").await.unwrap();
    assert_eq!((put, second.id), (Put::Replaced, first.id));
    assert_eq!((second.data.status, second.data.last_verified_at), (KeyStatus::Unverified, None), "another key");
    assert_eq!(second.stored.provenance.captured_by, "user:2");
    assert_eq!(desk.keys.key(tenant(1), Provider::Github).await.unwrap().unwrap().expose(), "another-key-of-github");
    assert_eq!(desk.sealed().await, 1, "the key before is gone");

    desk.keys.put(tenant(1), new(Provider::Netdata, KEY), "user:1").await.unwrap();
    let listed: Vec<_> = desk.keys.list(tenant(1)).await.unwrap().iter().map(|key| key.data.provider).collect();
    assert_eq!(listed, [Provider::Github, Provider::Netdata]);
    assert!(desk.keys.list(tenant(2)).await.unwrap().is_empty());
    let shown = resource(&desk.keys.get(tenant(1), Provider::Github).await.unwrap());
    let mut members: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let expected = [
        "created_at",
        "id",
        "key_hint",
        "label",
        "metadata",
        "provider",
        "status",
        "tenant_id",
        "updated_at",
        "version",
    ];
    assert_eq!(members, expected);

    desk.keys.delete(tenant(1), Provider::Github, "user:1").await.unwrap();
    assert_eq!(desk.sealed().await, 1, "the key is gone with what was known of it");
    for error in [
        desk.keys.get(tenant(1), Provider::Github).await.map(drop).unwrap_err(),
        desk.keys.delete(tenant(1), Provider::Github, "user:1").await.unwrap_err(),
        desk.keys.verify(tenant(1), Provider::Github, "user:1").await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    assert!(desk.keys.key(tenant(1), Provider::Github).await.unwrap().is_none());
}

#[tokio::test]
async fn a_malformed_key_is_refused_and_nothing_is_sealed() {
    let desk = desk(says(Verdict::Active));
    let mut in_label = new(Provider::Github, KEY);
    in_label.label = Some(format!("key {KEY}"));
    let mut in_metadata = new(Provider::Github, KEY);
    in_metadata.metadata.insert("note".to_owned(), json!({ "is": [KEY] }));
    let mut quoted = new(Provider::Github, r#"with"quotes\and-so-on"#);
    quoted.label = Some(quoted.key.expose().to_owned());
    let table = [
        (new(Provider::Github, "1234567"), "/key"),
        (new(Provider::Github, "1234 5678"), "/key"),
        (new(Provider::Github, "12345678\n"), "/key"),
        (new(Provider::Github, "k\u{e9}y-12345678"), "/key"),
        (new(Provider::Github, &"x".repeat(4_097)), "/key"),
        (NewIntegrationKey::new(Provider::Netdata, Secret::new(KEY)), "/metadata/base_url"),
        (in_label, "/label"),
        (in_metadata, "/metadata"),
        (quoted, "/label"),
    ];
    for (new, pointer) in table {
        let error = desk.keys.put(tenant(1), new, "user:1").await.map(drop).expect_err(pointer);
        assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some(pointer)));
        assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    }
    assert_eq!(desk.sealed().await, 0);
    desk.keys.put(tenant(1), new(Provider::Github, "12345678"), "user:1").await.unwrap();
}

#[tokio::test]
async fn keys_stored_at_once_leave_one_that_fits_its_hint() {
    let desk = desk(says(Verdict::Active));
    let puts = (0..8).map(|n| {
        let keys = desk.keys.clone();
        tokio::spawn(async move {
            keys.put(tenant(1), new(Provider::Github, &format!("a-key-of-github-000{n}")), "user").await
        })
    });
    let mut added = 0;
    for put in puts.collect::<Vec<_>>() {
        if put.await.unwrap().unwrap().1 == Put::Added {
            added += 1;
        }
    }
    assert_eq!(added, 1);
    let stored = desk.keys.get(tenant(1), Provider::Github).await.unwrap();
    let key = desk.keys.key(tenant(1), Provider::Github).await.unwrap().unwrap();
    assert_eq!(key.hint(), stored.data.key_hint);
    assert_eq!(desk.sealed().await, 1);
}

#[tokio::test]
async fn a_write_that_is_interrupted_anywhere_leaves_a_key_that_works() {
    for fault in [Fault::Before, Fault::After] {
        for at in 1.. {
            let desk = desk(says(Verdict::Active));
            desk.keys.put(tenant(1), new(Provider::Github, "the-first-key-000A"), "user").await.unwrap();
            let calls = desk.store.calls().len();
            desk.store.fail(calls + at, fault);
            let put = desk.keys.put(tenant(1), new(Provider::Github, "the-second-key-00B"), "user").await;
            if desk.store.calls().len() < calls + at {
                assert!(put.is_ok() && at > 8, "a put makes calls");
                break;
            }
            let stored = desk.keys.get(tenant(1), Provider::Github).await.unwrap();
            let key = desk.keys.key(tenant(1), Provider::Github).await.unwrap().expect("a key is there");
            assert_eq!(key.hint(), stored.data.key_hint, "{fault:?} at {at}");
            // Once it is old enough, what came to nothing is tidied up.
            desk.clock.advance(ABANDONED + Duration::from_secs(1));
            desk.keys.put(tenant(1), new(Provider::Github, "the-third-key-000C"), "user").await.unwrap();
            assert_eq!(desk.sealed().await, 1, "{fault:?} at {at}");
        }
    }
}

#[tokio::test]
async fn a_verdict_is_written_down_and_no_answer_is_none() {
    let verdicts = [
        (Verdict::Active, true, KeyStatus::Active),
        (Verdict::Invalid("unknown".to_owned()), false, KeyStatus::Invalid),
        (Verdict::Revoked(format!("{KEY} is disabled")), false, KeyStatus::Revoked),
    ];
    for (verdict, valid, status) in verdicts {
        let desk = desk(says(verdict));
        desk.keys.put(tenant(1), new(Provider::Github, KEY), "user:1").await.unwrap();
        desk.clock.advance(Duration::from_secs(5));
        let verification = desk.keys.verify(tenant(1), Provider::Github, "user:2").await.unwrap();
        assert_eq!((verification.valid, verification.reason.is_none()), (valid, valid));
        assert!(!format!("{verification:?}").contains(KEY), "whoever says it, the key is not in a reason");
        let stored = desk.keys.get(tenant(1), Provider::Github).await.unwrap();
        assert_eq!((stored.data.status, stored.data.last_verified_at), (status, Some(desk.clock.now())));
        let tool = desk.keys.for_tool(tenant(1), Provider::Github).await;
        assert_eq!(tool.is_ok(), valid);
        if let Err(error) = tool {
            assert_eq!(error.fatal, Some(FailureCategory::AuthFailed));
            assert!(error.message.contains("github") && error.message.contains("store"), "{error}");
        }
    }
    let desk = desk(says(Verdict::Unknown("github cannot be reached".to_owned())));
    desk.keys.put(tenant(1), new(Provider::Github, KEY), "user:1").await.unwrap();
    let verification = desk.keys.verify(tenant(1), Provider::Github, "user:2").await.unwrap();
    assert_eq!(verification, Verification { valid: false, reason: Some("github cannot be reached".to_owned()) });
    assert_eq!(
        serde_json::to_value(&verification).unwrap(),
        json!({ "valid": false, "reason": "github cannot be reached" })
    );
    let stored = desk.keys.get(tenant(1), Provider::Github).await.unwrap();
    assert_eq!((stored.data.status, stored.data.last_verified_at), (KeyStatus::Unverified, None));
}

/// Stores another key while the first one is verified.
#[derive(Debug, Default)]
struct Meanwhile(Mutex<Option<IntegrationKeys>>);

#[async_trait::async_trait]
impl KeyVerifier for Meanwhile {
    async fn verify(&self, _: &IntegrationKey, _: &Secret) -> Verdict {
        let keys = self.0.lock().unwrap().clone();
        if let Some(keys) = keys {
            keys.put(tenant(1), new(Provider::Github, "another-key-of-github"), "user").await.unwrap();
        }
        Verdict::Active
    }
}

#[tokio::test]
async fn a_key_that_was_replaced_while_another_was_verified_is_not_called_active() {
    let store = Arc::new(MemoryStore::default());
    let clock = Arc::new(SimClock::starting_at(Timestamp::EPOCH));
    let vault = Vault::new(store.clone(), Arc::new(KeyRing::new(KeyBytes::new([1; 32]))), clock.clone());
    let pim = Pim::new(store, clock, Arc::new(CountingIds::new(1)));
    let verifier = Arc::new(Meanwhile::default());
    let keys = IntegrationKeys::new(pim, vault, verifier.clone());
    keys.put(tenant(1), new(Provider::Github, KEY), "user").await.unwrap();
    *verifier.0.lock().unwrap() = Some(keys.clone());
    let error = keys.verify(tenant(1), Provider::Github, "user").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(keys.get(tenant(1), Provider::Github).await.unwrap().data.status, KeyStatus::Unverified);
}

#[tokio::test]
async fn a_tool_without_a_key_says_which_one_to_store() {
    let desk = desk(says(Verdict::Active));
    let error = desk.keys.for_tool(tenant(1), Provider::Postmark).await.map(drop).unwrap_err();
    assert_eq!(error.fatal, Some(FailureCategory::AuthFailed));
    assert!(error.message.contains("postmark"), "{error}");
    desk.keys.put(tenant(1), new(Provider::Postmark, KEY), "user").await.unwrap();
    let (about, key) = desk.keys.for_tool(tenant(1), Provider::Postmark).await.unwrap();
    assert_eq!((about.provider, key.expose()), (Provider::Postmark, KEY));
    desk.store.shred(tenant(1)).await.unwrap();
    let error = desk.keys.for_tool(tenant(1), Provider::Postmark).await.map(drop).unwrap_err();
    assert_eq!(error.fatal, Some(FailureCategory::AuthFailed), "one that was shredded is missing");
    let gone = desk.keys.verify(tenant(1), Provider::Postmark, "user").await.unwrap();
    assert_eq!(gone.reason.as_deref(), Some("the key is gone; store it again"));
    desk.store.fail(desk.store.calls().len() + 1, Fault::Before);
    let error = desk.keys.for_tool(tenant(1), Provider::Postmark).await.map(drop).unwrap_err();
    assert_eq!((error.fatal, error.transient), (None, true), "a store that is away is not a key that is missing");
}

fn about(provider: Provider, metadata: &[(&str, &str)]) -> IntegrationKey {
    let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    IntegrationKey { metadata, ..IntegrationKey::new(provider, "x/1") }
}

#[derive(Debug, Eq, PartialEq)]
enum Kind {
    Active,
    Invalid,
    Revoked,
    Unknown,
}

fn kind(verdict: &Verdict) -> Kind {
    match verdict {
        Verdict::Active => Kind::Active,
        Verdict::Invalid(_) => Kind::Invalid,
        Verdict::Revoked(_) => Kind::Revoked,
        Verdict::Unknown(_) => Kind::Unknown,
    }
}

#[tokio::test]
async fn each_provider_is_asked_where_and_how_it_wants() {
    let (services, url) = Services::start().await;
    let verifier = live(&url);
    let account = "0123456789abcdef0123456789abcdef";
    let bearer = format!("Bearer {KEY}");
    let active = r#"{"success": true, "result": {"id": "1", "status": "active"}}"#;
    let table = [
        (about(Provider::Cloudflare, &[]), "/client/v4/user/tokens/verify", active, "authorization", bearer.as_str()),
        (about(Provider::Github, &[]), "/rate_limit", "{}", "authorization", &bearer),
        (about(Provider::Netdata, &[("base_url", &url)]), "/api/v2/spaces", "[]", "authorization", &bearer),
        (about(Provider::Postmark, &[]), "/server", "{}", "x-postmark-server-token", KEY),
        (about(Provider::Outstand, &[]), "/v1/social-accounts?limit=1", "{}", "authorization", &bearer),
    ];
    for (about, path, body, header, value) in table {
        let provider = about.provider;
        for (status, expected) in [
            (200, Kind::Active),
            (401, Kind::Invalid),
            (429, Kind::Unknown),
            (500, Kind::Unknown),
            (302, Kind::Unknown),
        ] {
            services.say(path, status, body);
            let verdict = verifier.verify(&about, &Secret::new(KEY)).await;
            assert_eq!(kind(&verdict), expected, "{provider} answers {status}: {verdict:?}");
            assert!(!format!("{verdict:?}").contains(KEY), "{verdict:?}");
            let asked = services.asked();
            assert_eq!(asked.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), [path], "{provider}");
            assert_eq!(asked[0].1.get(header).and_then(|value| value.to_str().ok()), Some(value), "{provider}");
        }
    }

    // A token of an account is one that no user has.
    let about = about(Provider::Cloudflare, &[("account_id", account)]);
    services.say("/client/v4/user/tokens/verify", 401, r#"{"success": false}"#);
    services.say(&format!("/client/v4/accounts/{account}/tokens/verify"), 200, active);
    assert_eq!(verifier.verify(&about, &Secret::new(KEY)).await, Verdict::Active);
    for (status, expected) in [("disabled", Kind::Revoked), ("expired", Kind::Revoked), ("odd", Kind::Unknown)] {
        let body = format!(r#"{{"result": {{"status": "{status}"}}}}"#);
        services.say("/client/v4/user/tokens/verify", 200, &body);
        assert_eq!(kind(&verifier.verify(&about, &Secret::new(KEY)).await), expected, "{status}");
    }
    services.say("/client/v4/user/tokens/verify", 400, "{}");
    let no_account = self::about(Provider::Cloudflare, &[("account_id", "../../x")]);
    services.asked();
    assert_eq!(kind(&verifier.verify(&no_account, &Secret::new(KEY)).await), Kind::Unknown);
    assert_eq!(services.asked().len(), 1, "what is no account is in no path");
}

#[tokio::test]
async fn an_agent_of_netdata_says_whom_it_takes_the_caller_for() {
    let (services, url) = Services::start().await;
    let verifier = live(&url);
    let about = about(Provider::Netdata, &[("base_url", &format!("{url}/"))]);
    for (status, body, expected) in [
        (200, r#"{"auth": "bearer"}"#, Kind::Active),
        (200, r#"{"auth": "none"}"#, Kind::Invalid),
        (401, "{}", Kind::Invalid),
        (200, "<html>", Kind::Unknown),
        (404, "{}", Kind::Unknown),
    ] {
        services.say("/api/v3/me", status, body);
        let verdict = verifier.verify(&about, &Secret::new(KEY)).await;
        assert_eq!(kind(&verdict), expected, "{status} {body}: {verdict:?}");
    }
    let asked: Vec<_> = services.asked().into_iter().map(|(path, _)| path).take(2).collect();
    assert_eq!(asked, ["/api/v2/spaces", "/api/v3/me"]);
}

#[tokio::test]
async fn no_address_of_a_tenant_leads_where_only_this_machine_is() {
    let (services, url) = Services::start().await;
    services.say("/api/v2/spaces", 200, "[]");
    let verifier = LiveVerifier::new(GuardedClient::new(AllowedHosts::none()).unwrap());
    let port = url.rsplit(':').next().unwrap();
    let inside = [
        url.clone(),
        format!("https://127.0.0.1:{port}"),
        format!("https://localhost:{port}"),
        format!("https://[::ffff:127.0.0.1]:{port}"),
        "https://169.254.169.254".to_owned(),
    ];
    for url in inside {
        let verdict = verifier.verify(&about(Provider::Netdata, &[("base_url", &url)]), &Secret::new(KEY)).await;
        assert_eq!(kind(&verdict), Kind::Unknown, "{url}: {verdict:?}");
    }
    assert!(services.asked().is_empty(), "nobody was asked");
}
