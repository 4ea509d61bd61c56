//! How the server carried out the statements of a store, as the server itself tells.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

use crate::fixture::Database;

/// Lets the server tell every later connection how it carries out each statement.
pub(crate) async fn tell(database: &Database) {
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_timing = off",
        "auto_explain.log_format = json",
        "auto_explain.log_level = notice",
    ] {
        database.set(setting).await;
    }
}

/// What the server tells the stores that are used on this thread.
pub(crate) struct Plans {
    told: Arc<Mutex<Vec<String>>>,
    _listening: DefaultGuard,
}

impl Plans {
    pub(crate) fn listen() -> Self {
        let told = Arc::default();
        let listening = tracing::subscriber::set_default(Listener(Arc::clone(&told)));
        Self { told, _listening: listening }
    }

    /// The plans since the last call.
    pub(crate) fn take(&self) -> Vec<Plan> {
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        told.iter().filter_map(|told| told.split_once("plan:")).map(|(_, json)| Plan::read(json)).collect()
    }
}

/// How one statement was carried out.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) statement: String,
    /// The tables that were read from one end to the other.
    pub(crate) scanned: Vec<String>,
    /// How many rows were read, or compared, for nothing.
    pub(crate) removed: f64,
    /// How many rows were read of tables and indexes.
    pub(crate) read: f64,
}

impl Plan {
    fn read(json: &str) -> Self {
        let whole: Value = serde_json::from_str(json).expect("a plan is JSON");
        let statement = whole["Query Text"].as_str().unwrap_or_default().to_owned();
        let mut plan = Self { statement, ..Self::default() };
        plan.take_in(&whole["Plan"]);
        plan
    }

    fn take_in(&mut self, node: &Value) {
        let loops = node["Actual Loops"].as_f64().unwrap_or(0.0);
        let is_scan = node["Node Type"].as_str().is_some_and(|kind| kind.contains("Scan"));
        if node["Node Type"] == "Seq Scan" && loops > 0.0 {
            self.scanned.extend(node["Relation Name"].as_str().map(str::to_owned));
        }
        for why in ["Filter", "Join Filter", "Index Recheck"] {
            self.removed += loops * node[format!("Rows Removed by {why}")].as_f64().unwrap_or(0.0);
        }
        if is_scan {
            self.read += loops * node["Actual Rows"].as_f64().unwrap_or(0.0);
        }
        node["Plans"].as_array().into_iter().flatten().for_each(|part| self.take_in(part));
    }
}

struct Listener(Arc<Mutex<Vec<String>>>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::postgres::notice"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Message(&self.0));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message<'a>(&'a Mutex<Vec<String>>);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value.to_owned());
        }
    }
}
