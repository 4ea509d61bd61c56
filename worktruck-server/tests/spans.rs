//! What a trace has of a request, and what it has not.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use worktruck_core::store::{MemoryStore, NewTenant, TenantStore as _};
use worktruck_core::testing::{CountingIds, SimClock};
use worktruck_core::{TenantId, Timestamp};
use worktruck_server::{FixedTokens, Principal, Service, router};

/// The fields of all spans and events, the last value of each.
#[derive(Clone, Debug, Default)]
struct Capture(Arc<Mutex<BTreeMap<String, String>>>);

impl Visit for Capture {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.lock().unwrap().insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.lock().unwrap().insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: Subscriber> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        attributes.record(&mut self.clone());
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut self.clone());
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

#[tokio::test]
async fn a_request_has_a_span_that_shows_nothing_of_it() {
    let capture = Capture::default();
    let _listening = tracing::subscriber::set_default(tracing_subscriber::registry().with(capture.clone()));
    let (store, ids) = (Arc::new(MemoryStore::default()), Arc::new(CountingIds::new(1)));
    let tenant = TenantId::new(&*ids, Timestamp::EPOCH);
    store.create_tenant(NewTenant::new(tenant, "acme"), Timestamp::EPOCH).await.unwrap();
    let tokens = FixedTokens::new().with("hidden-token", Principal::new(tenant, "user:hidden"));
    let clock = Arc::new(SimClock::starting_at(Timestamp::EPOCH));
    let router = router(Service::new(store, clock, ids, Arc::new(tokens)));
    let request = Request::get("/api/v1/tasks/by-identifier/hidden-path?as_of=1970-01-01T00:00:00Z")
        .header("authorization", "Bearer hidden-token")
        .header("x-request-id", "r-17")
        .body(Body::empty())
        .unwrap();
    assert_eq!(router.clone().oneshot(request).await.unwrap().status(), 404);

    let fields = capture.0.lock().unwrap().clone();
    let is = |name: &str| fields.get(name).map(String::as_str);
    let route = "/api/v1/tasks/by-identifier/{identifier}";
    assert_eq!(is("otel.name"), Some(&*format!("GET {route}")));
    assert_eq!(is("http.route"), Some(route));
    assert_eq!(is("http.response.status_code"), Some("404"));
    assert_eq!(is("worktruck.request.id"), Some("r-17"));
    assert_eq!(is("worktruck.tenant.id"), Some(&*tenant.to_string()));
    assert_eq!(is("otel.status_code"), None, "the server is not at fault");
    assert!(!format!("{fields:?}").contains("hidden"), "{fields:?}");
}
