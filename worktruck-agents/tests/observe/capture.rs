//! A layer that writes down spans.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, ThreadId};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// A span: its name, that of the span around it, and what was recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) name: &'static str,
    pub(crate) parent: Option<&'static str>,
    pub(crate) fields: BTreeMap<String, String>,
}

impl Seen {
    pub(crate) fn is(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }
}

/// All spans and what was logged, by thread: each test has its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Capture {
    spans: Arc<Mutex<Vec<(ThreadId, u64, Seen)>>>,
    events: Arc<Mutex<Vec<(ThreadId, String)>>>,
}

/// Listens from now on. Every test does so before it does anything else: what is met before anybody listens may be
/// passed over for ever.
pub(crate) fn listen() -> &'static Capture {
    static CAPTURE: OnceLock<Capture> = OnceLock::new();
    CAPTURE.get_or_init(|| {
        let capture = Capture::default();
        let listener = tracing_subscriber::registry().with(capture.clone());
        tracing::subscriber::set_global_default(listener).unwrap();
        capture
    })
}

impl Capture {
    /// The spans of this test with this name.
    pub(crate) fn named(&self, name: &str) -> Vec<Seen> {
        let (spans, here) = (self.spans.lock().unwrap(), thread::current().id());
        let own = spans.iter().filter(|(thread, _, seen)| *thread == here && seen.name == name);
        own.map(|(_, _, seen)| seen.clone()).collect()
    }

    /// All that was written down of this test.
    pub(crate) fn text(&self) -> String {
        let here = thread::current().id();
        let (spans, events) = (self.spans.lock().unwrap(), self.events.lock().unwrap());
        let spans: Vec<_> = spans.iter().filter(|(thread, ..)| *thread == here).collect();
        let events: Vec<_> = events.iter().filter(|(thread, _)| *thread == here).collect();
        format!("{spans:?} {events:?}")
    }
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut seen = Seen { name: attributes.metadata().name(), ..Seen::default() };
        seen.parent = context.span(id).and_then(|span| span.parent()).map(|parent| parent.name());
        attributes.record(&mut Fields(&mut seen.fields));
        self.spans.lock().unwrap().push((thread::current().id(), id.into_u64(), seen));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.spans.lock().unwrap();
        if let Some((.., seen)) = spans.iter_mut().rev().find(|(_, known, _)| *known == id.into_u64()) {
            values.record(&mut Fields(&mut seen.fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        self.events.lock().unwrap().push((thread::current().id(), format!("{fields:?}")));
    }
}
