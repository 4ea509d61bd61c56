//! The HTTP API of Worktruck, as a router of axum.
//!
//! [`router`] makes it of a [`Service`]: a store, a clock, a source of ids, and an [`Authenticator`], which an
//! application may bring itself. Handlers parse, call the operations of `worktruck_core::pim`, and render. The OpenAPI
//! document at `/docs/openapi.json` is made of what the routes are registered with.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::body::Body;
//! use axum::http::{Request, StatusCode};
//! use tower::ServiceExt as _;
//! use worktruck_agents::clock::{RandomIds, SystemClock};
//! use worktruck_core::store::{MemoryStore, NewTenant, TenantStore as _};
//! use worktruck_core::{Clock as _, TenantId};
//! use worktruck_server::{FixedTokens, Principal, Service, router};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (store, clock, ids) = (Arc::new(MemoryStore::default()), Arc::new(SystemClock::new()), Arc::new(RandomIds::new()));
//! let tenant = TenantId::new(&*ids, clock.now());
//! store.create_tenant(NewTenant::new(tenant, "acme"), clock.now()).await?;
//!
//! let tokens = FixedTokens::new().with("a-token", Principal::new(tenant, "user:ada"));
//! let router = router(Service::new(store, clock, ids, Arc::new(tokens)));
//! let request = Request::post("/api/v1/contacts")
//!     .header("authorization", "Bearer a-token")
//!     .header("content-type", "application/json")
//!     .body(Body::from(r#"{"display_name":"Ada Lovelace"}"#))?;
//! assert_eq!(router.oneshot(request).await?.status(), StatusCode::CREATED);
//! # Ok(())
//! # }
//! ```

mod answer;
mod auth;
mod body;
mod call;
mod entities;
mod failure;
mod gate;
mod health;
mod idempotency;
mod json;
mod keys;
mod layers;
mod openapi;
mod parts;
mod query;
mod route;
mod routes;
mod schema;
mod serve;
mod service;
mod shown;
mod takes;
mod telemetry;

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;

pub use auth::{Action, AnyOf, Authenticator, Domain, FixedTokens, Principal, Scope, Scopes, bearer};
pub use failure::Failure;
pub use keys::ApiKeys;
pub use layers::RequestId;
pub use service::{Limits, Service};

/// What the paths of the API begin with.
pub const PREFIX: &str = "/api/v1";

/// The OpenAPI 3.1 document of the API, which the router serves at `/docs/openapi.json`.
#[must_use]
pub fn openapi() -> serde_json::Value {
    openapi::document(&routes::all())
}

/// All of the API, to be served alone or put into another router.
pub fn router(service: Service) -> Router {
    let mut router = Router::new().route("/health", get(health::health)).route("/ready", get(health::ready));
    let routes = routes::all();
    let document = Bytes::from(openapi::document(&routes).to_string());
    router = router.route("/docs/openapi.json", get(async || openapi::serve(document)));
    for (path, methods) in routes.into_iter().filter_map(route::Route::serve) {
        router = router.route(&path, methods);
    }
    let router = router
        .fallback(async || Failure::not_found())
        .method_not_allowed_fallback(async || Failure::method_not_allowed());
    layers::around(router, &service).with_state(service)
}
