//! What is the same for every request: its id, panics, compression, and who may ask from a browser.

use std::any::Any;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{Any as AnyOrigin, CorsLayer};
use tracing::Instrument as _;

use crate::{Failure, Service, telemetry};

/// The header that names a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that a request may bring.
const MAX_ID_CHARS: usize = 128;

/// Names a request in answers, logs and the provenance of what it writes.
#[derive(Clone, Debug)]
pub struct RequestId(String);

impl RequestId {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn of(extensions: &Extensions) -> String {
        extensions.get::<Self>().map(|id| id.0.clone()).unwrap_or_default()
    }
}

/// Puts what is the same for every request around a router, the id outermost.
pub(crate) fn around(router: Router<Service>, service: &Service) -> Router<Service> {
    let panics: fn(Box<dyn Any + Send>) -> Response = Failure::of_panic;
    router
        .layer(CatchPanicLayer::custom(panics))
        .layer(CompressionLayer::new())
        .layer(cors())
        .layer(from_fn_with_state(service.clone(), name))
}

/// Any page of the web may ask, because a credential is a header that a browser never sends by itself.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("payment-signature"),
            HeaderName::from_static("traceparent"),
            HeaderName::from_static("x-capture-reason"),
            REQUEST_ID,
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            HeaderName::from_static("idempotent-replayed"),
            HeaderName::from_static("x-ratelimit-limit"),
            HeaderName::from_static("x-ratelimit-remaining"),
            HeaderName::from_static("x-ratelimit-reset"),
            REQUEST_ID,
        ])
}

/// Gives a request its id: the one that it brings, if that can be an id, or a new one.
async fn name(State(service): State<Service>, mut request: Request, next: Next) -> Response {
    let brought = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_id = |id: &&str| (1..=MAX_ID_CHARS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let id = match brought.filter(is_id) {
        Some(id) => id.to_owned(),
        None => service.ids().next_uuid(service.clock().now()).to_string(),
    };
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = telemetry::request(request.method(), &id);
    let mut response = next.run(request).instrument(span.clone()).await;
    telemetry::answered(&span, response.status());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
