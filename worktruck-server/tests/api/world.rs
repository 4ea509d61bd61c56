//! A service in this process, two tenants, and a way to ask.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use worktruck_agents::vault::{KeyBytes, KeyRing, Vault};
use worktruck_core::pim::Pim;
use worktruck_core::store::{MemoryStore, NewTenant, Store};
use worktruck_core::testing::{CountingIds, SimClock};
use worktruck_core::{Secret, TenantId, Timestamp};
use worktruck_server::{AnyOf, ApiKeys, FixedTokens, Limits, Principal, Scopes, Service, router};
use worktruck_store_sqlite::SqliteStore;

use crate::described;

/// Somebody of the first tenant who may do everything.
pub(crate) const ADA: &str = "ada";
/// Somebody of the second tenant who may do everything.
pub(crate) const BOB: &str = "bob";

pub(crate) struct World {
    router: Router,
    clock: Arc<SimClock>,
    pim: Pim,
    pub(crate) tenant: TenantId,
    pub(crate) service: Service,
    /// The file of the store, if it has one.
    pub(crate) folder: Option<tempfile::TempDir>,
}

impl World {
    pub(crate) async fn in_memory() -> Self {
        Self::over(Arc::new(MemoryStore::default()), None).await
    }

    pub(crate) async fn in_a_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("worktruck.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        Self::over(Arc::new(store), Some(folder)).await
    }

    pub(crate) async fn over(store: Arc<dyn Store>, folder: Option<tempfile::TempDir>) -> Self {
        let start: Timestamp = "2026-04-14T09:00:00Z".parse().unwrap();
        let (clock, ids) = (Arc::new(SimClock::starting_at(start)), Arc::new(CountingIds::new(7)));
        let mut tokens = FixedTokens::new();
        for (name, seed) in [(ADA, 1), (BOB, 2)] {
            let tenant = TenantId::new(&CountingIds::new(seed), start);
            let new = NewTenant { timezone: "Europe/Berlin".to_owned(), ..NewTenant::new(tenant, name) };
            store.create_tenant(new, start).await.unwrap();
            tokens = tokens.with(name, Principal::new(tenant, format!("user:{name}")));
            if name == ADA {
                for scope in SCOPES {
                    let scopes = Scopes::only([scope.parse().unwrap()]);
                    let only = Principal::new(tenant, "key:narrow").with_scopes(scopes);
                    tokens = tokens.with(scope, only);
                }
            }
        }
        let mut limits = Limits::default();
        limits.body = 4096;
        limits.import = 16_384;
        let pepper = Secret::new("a pepper of the tests");
        let keys = Arc::new(ApiKeys::new(store.clone(), clock.clone(), &pepper).unwrap());
        let vault = Vault::new(store.clone(), Arc::new(KeyRing::new(KeyBytes::random().unwrap())), clock.clone());
        let authenticator = AnyOf(vec![Arc::new(Arc::clone(&keys)), Arc::new(tokens)]);
        let service = Service::new(store, clock.clone(), ids, Arc::new(authenticator))
            .with_limits(limits)
            .with_api_keys(keys)
            .with_vault(vault);
        let (pim, tenant) = (service.pim().clone(), TenantId::new(&CountingIds::new(1), start));
        Self { router: router(service.clone()), clock, pim, tenant, service, folder }
    }

    /// Another server over the same store, in Great Britain and without a vault.
    pub(crate) fn another(&self) -> Self {
        let pepper = Secret::new("a pepper of the tests");
        let (store, clock) = (Arc::clone(self.service.store()), Arc::clone(&self.clock));
        let keys = Arc::new(ApiKeys::new(Arc::clone(&store), clock.clone(), &pepper).unwrap());
        let ids = Arc::clone(self.service.ids());
        let mut limits = Limits::default();
        limits.region = Some("GB".parse().unwrap());
        let service = Service::new(store, clock.clone(), ids, Arc::new(Arc::clone(&keys)))
            .with_limits(limits)
            .with_api_keys(keys);
        let (router, pim) = (router(service.clone()), service.pim().clone());
        Self { router, clock, pim, tenant: self.tenant, service, folder: None }
    }

    /// Lets time pass, and says what time it is then.
    pub(crate) fn later(&self) -> String {
        self.clock.advance(Duration::from_secs(60));
        worktruck_core::Clock::now(&*self.clock).to_string()
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        let request = Request::builder().method(method).uri(address(path));
        Ask { world: self, request: Some(request), token: Some(ADA.to_owned()), body: Body::empty() }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path).json(&body).send().await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.ask("PATCH", path).json(&body).send().await
    }

    pub(crate) async fn put(&self, path: &str) -> Reply {
        self.ask("PUT", path).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.ask("DELETE", path).send().await
    }

    /// Proposes to merge contacts into the first of them, as an agent does; gives the id of the proposal.
    pub(crate) async fn propose(&self, contacts: &[&str]) -> String {
        let body = json!({ "contact_ids": contacts, "survivor_id": contacts[0], "score": 0.9, "reasons": ["name"] });
        self.pim.merge_proposals(self.tenant).create_from(body).await.unwrap().id.to_string()
    }

    /// Creates something, and gives its id.
    pub(crate) async fn create(&self, path: &str, body: Value) -> String {
        let made = self.post(path, body).await.is(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// What the items of a list have at `field`.
    pub(crate) async fn list(&self, path: &str, field: &str) -> Vec<Value> {
        let page = self.get(path).await.is(200);
        page["data"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
    }
}

/// The scopes of tokens that have no other: each token is called as its scope.
pub(crate) const SCOPES: &[&str] = &[
    "contacts:read",
    "contacts:write",
    "crm:read",
    "crm:write",
    "tasks:read",
    "tasks:write",
    "calendar:read",
    "calendar:write",
    "notes:read",
    "notes:write",
    "admin:read",
    "admin:write",
];

fn address(path: &str) -> String {
    let is_outside = ["/health", "/ready", "/docs", "/nowhere"].iter().any(|known| path.starts_with(known));
    if is_outside { path.to_owned() } else { format!("/api/v1{path}") }
}

pub(crate) struct Ask<'w> {
    world: &'w World,
    request: Option<axum::http::request::Builder>,
    token: Option<String>,
    body: Body,
}

impl Ask<'_> {
    /// As whoever has this token.
    pub(crate) fn by(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// As nobody.
    pub(crate) fn by_nobody(mut self) -> Self {
        self.token = None;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.map(|request| request.header(name, value));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text("application/json", &body.to_string())
    }

    pub(crate) fn text(self, media_type: &str, body: &str) -> Self {
        Self { body: Body::from(body.to_owned()), ..self.header("content-type", media_type) }
    }

    pub(crate) async fn send(self) -> Reply {
        let request = self.request.unwrap();
        let method = request.method_ref().unwrap().clone();
        let path = request.uri_ref().unwrap().path().to_owned();
        let mut request = request;
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = self.world.router.clone().oneshot(request.body(self.body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let reply = Reply { status: parts.status.as_u16(), headers: parts.headers, text };
        described::check(method.as_str(), &path, &reply);
        reply
    }
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// Its JSON, if it has this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).unwrap() }
    }

    /// Its error, if it has this status and code.
    #[track_caller]
    pub(crate) fn refuses(self, status: u16, code: &str) -> Value {
        let body = self.is(status);
        assert_eq!(body["error"]["code"], code, "{body}");
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
        body["error"].clone()
    }

    /// Where its error is, if it is 400.
    #[track_caller]
    pub(crate) fn wrong_at(self) -> String {
        let error = self.refuses(400, "invalid_request");
        error["details"]["pointer"].as_str().unwrap_or("nowhere").to_owned()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Makes of each scenario a test on each store.
macro_rules! on_every_store {
    ($($scenario:ident,)*) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario(crate::world::World::in_memory().await).await;
            })*
        }

        mod in_a_file {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario(crate::world::World::in_a_file().await).await;
            })*
        }
    };
}

pub(crate) use on_every_store;
