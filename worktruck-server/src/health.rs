//! Whether the server is there, and whether it can work.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use worktruck_core::PageRequest;

use crate::{Failure, Service};

/// It is there.
pub(crate) async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// It reaches its store, whose schema it has checked when it was opened.
pub(crate) async fn ready(State(service): State<Service>) -> Response {
    let limits = service.limits();
    let asked = async { service.store().tenants(PageRequest::new(1, None)?).await };
    match tokio::time::timeout(limits.timeout, asked).await {
        Ok(Ok(_)) => Json(json!({ "status": "ready" })).into_response(),
        Ok(Err(_)) | Err(_) => Failure::unavailable("the store cannot be reached now; try again").into_response(),
    }
}
