use std::fmt::{self, Debug, Write as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down all that is logged in this process, at every level, by `tracing` and by `log`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listener {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// The one listener of this process: all tests hear what each of them does.
    pub(crate) fn start() -> Self {
        static LISTENER: OnceLock<Listener> = OnceLock::new();
        let start = || {
            let listener = Self::default();
            tracing::subscriber::set_global_default(listener.clone()).expect("nobody else listens");
            log::set_boxed_logger(Box::new(listener.clone())).expect("nobody else listens");
            log::set_max_level(log::LevelFilter::Trace);
            tracing::trace!("heard by tracing");
            log::trace!("heard by log");
            listener
        };
        LISTENER.get_or_init(start).clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, about: &Metadata<'_>, record: impl FnOnce(&mut Text)) {
        let mut text = Text(format!("{} {} {}", about.level(), about.target(), about.name()));
        record(&mut text);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(text.0);
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.write(span.metadata(), |text| span.record(text));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut text = Text(String::new());
        values.record(&mut text);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(text.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.write(event.metadata(), |text| event.record(text));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn flush(&self) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _: fmt::Result = write!(self.0, " {field}={value:?}");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _: fmt::Result = write!(self.0, " {field}={value}");
    }
}
