//! What goes wrong inside.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::request::Parts;
use serde_json::Value;
use tower::ServiceExt as _;
use worktruck_core::Timestamp;
use worktruck_core::store::MemoryStore;
use worktruck_core::testing::{CountingIds, SimClock};
use worktruck_server::{Authenticator, Failure, Limits, Principal, Service, router};

/// Does not do what it should.
#[derive(Debug)]
enum Broken {
    Panics,
    Sleeps,
}

#[async_trait]
impl Authenticator for Broken {
    async fn authenticate(&self, _: &Parts) -> Result<Option<Principal>, Failure> {
        match self {
            Self::Panics => panic!("secret"),
            Self::Sleeps => std::future::pending().await,
        }
    }
}

async fn answer(broken: Broken) -> (u16, Value) {
    let (clock, ids) = (Arc::new(SimClock::starting_at(Timestamp::EPOCH)), Arc::new(CountingIds::new(1)));
    let mut limits = Limits::default();
    limits.timeout = Duration::from_millis(1);
    let service = Service::new(Arc::new(MemoryStore::default()), clock, ids, Arc::new(broken)).with_limits(limits);
    let request = Request::get("/api/v1/contacts").header("x-request-id", "r-1").body(Body::empty()).unwrap();
    let response = router(service).oneshot(request).await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "r-1");
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn a_panic_is_an_answer_that_shows_nothing() {
    let (status, body) = answer(Broken::Panics).await;
    assert_eq!((status, &body["error"]["code"]), (500, &"internal".into()));
    assert!(!body.to_string().contains("secret"));
}

#[tokio::test]
async fn a_request_that_takes_too_long_ends() {
    let (status, body) = answer(Broken::Sleeps).await;
    assert_eq!((status, &body["error"]["code"]), (503, &"unavailable".into()));
}
