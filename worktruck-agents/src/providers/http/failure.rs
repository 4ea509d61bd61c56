//! From a refused or broken answer to a [`ModelError`].

use std::error::Error as StdError;
use std::time::Duration;

use chrono::DateTime;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;
use worktruck_core::model::{ModelError, ModelErrorCategory};
use worktruck_core::{Secret, Timestamp};

/// How an API words its errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// Reads what can be read of an error body or of an error within a stream.
    pub(crate) report: fn(&Value) -> Report,
    /// What an error of a known code or type means; newer ones leave the decision to the status.
    pub(crate) category: fn(&Report, Option<StatusCode>) -> Option<ModelErrorCategory>,
}

/// What an error says, whichever part of it is there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Report {
    /// Its type.
    pub(crate) kind: Option<String>,
    /// Names the cause, where there is one.
    pub(crate) code: Option<String>,
    /// For people: hardly anything is decided by it.
    pub(crate) message: Option<String>,
    /// What the provider's support asks for.
    pub(crate) request_id: Option<String>,
}

impl Report {
    fn sentence(&self, status: Option<StatusCode>) -> String {
        let mut text = match (&self.kind, status) {
            (Some(kind), Some(status)) => format!("{kind} ({})", status.as_u16()),
            (Some(kind), None) => format!("{kind} while answering"),
            (None, Some(status)) => format!("HTTP status {}", status.as_u16()),
            (None, None) => "an error of no known type while answering".to_owned(),
        };
        let named = [("code", &self.code), ("message", &self.message), ("request", &self.request_id)];
        for (name, value) in named.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value))) {
            text.push_str(&format!(", {name}: {value}"));
        }
        text
    }
}

/// The error that a response with an error status means; `now` is the local clock, for a
/// `retry-after` that is a date.
pub(super) fn of_response(
    dialect: Dialect,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
    key: &Secret,
) -> ModelError {
    let mut report = (dialect.report)(&serde_json::from_slice(body).unwrap_or_default());
    if report.request_id.is_none() {
        let id = header(headers, "request-id").or_else(|| header(headers, "x-request-id"));
        report.request_id = id.map(str::to_owned);
    }
    let mut category = (dialect.category)(&report, Some(status)).unwrap_or_else(|| by_status(status));
    let mut text = report.sentence(Some(status));
    match header(headers, "x-should-retry") {
        Some("true") if category == ModelErrorCategory::InvalidRequest && report.code.is_none() => {
            category = ModelErrorCategory::ProviderUnavailable;
        }
        Some("false") if category.is_transient() => {
            text.push_str("; the provider asks not to repeat the request");
            category = match category {
                ModelErrorCategory::RateLimited => ModelErrorCategory::QuotaExhausted,
                _ => ModelErrorCategory::InvalidRequest,
            };
        }
        _ => {}
    }
    let mut error = ModelError::new(category, presentable(&text, key));
    error.retry_after = retry_after(headers, now).filter(|_| category.is_transient());
    error.may_be_billed = may_be_billed(status, &report);
    error
}

/// Whether the request may have been worked on all the same: somebody gave up waiting for the
/// answer, or somebody between here and the provider speaks for it and knows no better. A provider
/// that says itself what went wrong bills nothing.
fn may_be_billed(status: StatusCode, report: &Report) -> bool {
    let is_its_own = report.kind.is_some() || report.code.is_some();
    match status.as_u16() {
        504 | 524 => true,
        529 => false,
        500.. => !is_its_own,
        _ => false,
    }
}

/// The error that is told of within an answer that began well.
pub(crate) fn of_event(dialect: Dialect, error: &Value, key: &Secret) -> ModelError {
    let report = (dialect.report)(error);
    let category = (dialect.category)(&report, None).unwrap_or(ModelErrorCategory::ProviderUnavailable);
    ModelError::new(category, presentable(&report.sentence(None), key))
}

/// The error that a connection which cannot be made, stalls or breaks means.
pub(super) fn of_transport(error: reqwest::Error, key: &Secret) -> ModelError {
    let what = if error.is_connect() {
        "the connection cannot be made"
    } else if error.is_timeout() {
        "no answer came in time"
    } else {
        "the connection broke"
    };
    // The address may be somebody's own, and its parts secret.
    let error = error.without_url();
    let mut text = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    ModelError::new(ModelErrorCategory::ProviderUnavailable, presentable(&text, key))
}

/// The error that an answer means which is none.
pub(crate) fn broken(what: &str) -> ModelError {
    ModelError::new(ModelErrorCategory::ProviderUnavailable, format!("the provider's answer is broken: {what}"))
}

/// What a status means where nothing else is known.
pub(crate) fn by_status(status: StatusCode) -> ModelErrorCategory {
    match status.as_u16() {
        401 => ModelErrorCategory::InvalidKey,
        413 => ModelErrorCategory::ContextWindowExceeded,
        402 => ModelErrorCategory::QuotaExhausted,
        403 => ModelErrorCategory::InsufficientPermissions,
        429 => ModelErrorCategory::RateLimited,
        408 | 409 | 500.. => ModelErrorCategory::ProviderUnavailable,
        _ => ModelErrorCategory::InvalidRequest,
    }
}

/// How long the provider wants to be left alone: `retry-after-ms`, else `retry-after` in seconds
/// or as a date. A date is compared with the provider's own clock where its `date` is there.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let seconds = |text: &str| text.trim().parse::<f64>().ok();
    let wait = if let Some(millis) = header(headers, "retry-after-ms").and_then(seconds) {
        Duration::try_from_secs_f64(millis / 1000.0).ok()?
    } else {
        let text = header(headers, RETRY_AFTER.as_str())?;
        match seconds(text) {
            Some(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
            None => {
                let there = header(headers, DATE.as_str()).and_then(http_date).unwrap_or(now);
                http_date(text)?.since(there)
            }
        }
    };
    (!wait.is_zero()).then_some(wait.min(LONGEST_WAIT))
}

fn http_date(text: &str) -> Option<Timestamp> {
    Some(Timestamp::from_micros(DateTime::parse_from_rfc2822(text.trim()).ok()?.timestamp_micros()))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Without the key, in one line, and not longer than a person reads.
fn presentable(text: &str, key: &Secret) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    key.redact(text).chars().map(clean).take(LONGEST_MESSAGE).collect()
}

/// Longer than this is a mistake, and a run's deadline has passed anyway.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Characters of an error message.
const LONGEST_MESSAGE: usize = 600;

#[cfg(test)]
mod tests;
