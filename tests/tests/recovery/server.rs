//! The outside, played by the test: what arrives is counted the moment it arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use worktruck_core::RunId;

/// Something that reached the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Arrival {
    /// The model was asked.
    Asked { label: String, turn: usize },
    /// A tool was called, with its key if it has one.
    Called { tool: String, run: RunId, to: String, key: Option<String> },
}

pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Default)]
struct Shared {
    arrivals: Mutex<Vec<Arrival>>,
    hold: Mutex<Option<Hold>>,
    held: Notify,
    release: Notify,
    models: watch::Sender<Models>,
}

#[derive(Default)]
struct Models {
    /// How many runs must have asked the model before any is answered.
    gate: usize,
    /// Those that have.
    labels: BTreeSet<String>,
}

type Hold = Box<dyn FnMut(&Arrival) -> bool + Send>;

impl Server {
    pub(crate) async fn start() -> Self {
        let state = Arc::<Shared>::default();
        let routes = Router::new().route("/model", post(model)).route("/{tool}", post(tool));
        let routes = routes.with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() }).abort_handle();
        Self { url, state, task }
    }

    /// Does not answer the first arrival that `which` is true for, until it is released.
    pub(crate) fn hold(&self, which: impl FnMut(&Arrival) -> bool + Send + 'static) {
        *self.state.hold.lock().unwrap() = Some(Box::new(which));
    }

    /// Returns when that arrival is there.
    pub(crate) async fn held(&self) {
        crate::worker::in_time("the held call arrives", self.state.held.notified()).await;
    }

    /// Answers it.
    pub(crate) fn release(&self) {
        self.state.release.notify_one();
    }

    /// Lets no model answer before this many runs have asked.
    pub(crate) fn gate(&self, runs: usize) {
        self.state.models.send_modify(|models| models.gate = runs);
    }

    /// Returns when so many runs have asked the model.
    pub(crate) async fn asked(&self, runs: usize) {
        let mut models = self.state.models.subscribe();
        let asked = models.wait_for(|models| models.labels.len() >= runs);
        crate::worker::in_time("the model is asked", asked).await.unwrap();
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.state.arrivals.lock().unwrap().clone()
    }

    /// How often the model was asked for each turn of the run with this label.
    pub(crate) fn asks(&self, label: &str) -> BTreeMap<usize, usize> {
        let of_run = |arrival| match arrival {
            Arrival::Asked { label: of, turn } if of == label => Some(turn),
            Arrival::Asked { .. } | Arrival::Called { .. } => None,
        };
        count(self.arrivals().into_iter().filter_map(of_run))
    }

    /// How often a letter was sent with each key.
    pub(crate) fn letters(&self, of: RunId) -> BTreeMap<String, usize> {
        let key_of = |arrival| match arrival {
            Arrival::Called { run, key, .. } if run == of => key,
            Arrival::Called { .. } | Arrival::Asked { .. } => None,
        };
        count(self.arrivals().into_iter().filter_map(key_of))
    }

    /// How often a fax was sent to each number.
    pub(crate) fn faxes(&self, of: RunId) -> BTreeMap<String, usize> {
        let number_of = |arrival| match arrival {
            Arrival::Called { run, to, key: None, .. } if run == of => Some(to),
            Arrival::Called { .. } | Arrival::Asked { .. } => None,
        };
        count(self.arrivals().into_iter().filter_map(number_of))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn count<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

impl Shared {
    /// Answers later what the worker wants to stay in, and what the test holds.
    async fn arrive(&self, arrival: Arrival, held: bool) {
        let is_held = held || self.hold.lock().unwrap().take_if(|which| which(&arrival)).is_some();
        self.arrivals.lock().unwrap().push(arrival);
        if is_held {
            self.held.notify_one();
            self.release.notified().await;
        }
    }
}

#[derive(Deserialize)]
struct Ask {
    label: String,
    turn: usize,
    held: bool,
}

async fn model(State(state): State<Arc<Shared>>, Json(ask): Json<Ask>) {
    let Ask { label, turn, held } = ask;
    state.arrive(Arrival::Asked { label: label.clone(), turn }, held).await;
    state.models.send_if_modified(|models| models.labels.insert(label));
    state.models.subscribe().wait_for(|models| models.labels.len() >= models.gate).await.unwrap();
}

#[derive(Deserialize)]
struct Call {
    run: RunId,
    to: String,
    key: Option<String>,
    held: bool,
}

async fn tool(
    State(state): State<Arc<Shared>>,
    Path(tool): Path<String>,
    Json(call): Json<Call>,
) -> (StatusCode, Json<Value>) {
    let Call { run, to, key, held } = call;
    state.arrive(Arrival::Called { tool, run, to: to.clone(), key }, held).await;
    if to == "nobody" {
        return (StatusCode::NOT_FOUND, Json(json!({ "error": "nobody lives there; try somebody else" })));
    }
    (StatusCode::OK, Json(json!({ "sent_to": to })))
}
