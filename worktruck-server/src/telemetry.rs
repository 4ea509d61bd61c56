//! A span around each request, with the names of OpenTelemetry's conventions for HTTP.
//!
//! No span has a field for what a path names, a query string or a body says, or who has sent it. `otel.name`,
//! `otel.kind` and `otel.status_code` are what the bridge from `tracing` to OpenTelemetry reads.

use axum::http::{Method, StatusCode};
use tracing::field::{Empty, display};
use tracing::{Span, info_span};

use crate::{PREFIX, Principal};

/// A request has come. It may name its method as it likes.
pub(crate) fn request(method: &Method, id: &str) -> Span {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let method = if known.contains(method) { method.as_str() } else { "_OTHER" };
    info_span!(
        "request",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = Empty,
        http.response.status_code = Empty,
        worktruck.request.id = id,
        worktruck.tenant.id = Empty,
    )
}

/// It is known what it is for.
pub(crate) fn routed(method: &Method, path: &str) {
    let (span, route) = (Span::current(), format!("{PREFIX}{path}"));
    span.record("otel.name", format!("{method} {route}"));
    span.record("http.route", route);
}

/// It is known whose data it is about.
pub(crate) fn asked(principal: &Principal) {
    Span::current().record("worktruck.tenant.id", display(principal.tenant));
}

/// It has its answer.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}
