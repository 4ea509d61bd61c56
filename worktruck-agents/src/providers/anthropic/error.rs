//! From a refused or broken answer to a [`ModelError`].

use std::error::Error as StdError;
use std::time::Duration;

use chrono::DateTime;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;
use worktruck_core::model::{ModelError, ModelErrorCategory};
use worktruck_core::{Secret, Timestamp};

/// What an error body says, whichever part of it is there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Report {
    /// `error.type`.
    kind: Option<String>,
    /// `error.details.error_code`: names the cause, where there is one.
    code: Option<String>,
    /// `error.message`, for people: nothing is decided by it.
    message: Option<String>,
    /// What the provider's support asks for.
    request_id: Option<String>,
}

impl Report {
    /// Reads what can be read of an error body or of an `error` event.
    pub(crate) fn of(body: &Value) -> Self {
        let text = |pointer| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Self {
            kind: text("/error/type"),
            code: text("/error/details/error_code"),
            message: text("/error/message"),
            request_id: text("/request_id"),
        }
    }

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
pub(crate) fn of_response(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
    key: &Secret,
) -> ModelError {
    let mut report = Report::of(&serde_json::from_slice(body).unwrap_or_default());
    if report.request_id.is_none() {
        report.request_id = header(headers, "request-id").map(str::to_owned);
    }
    let mut category = category(Some(status), &report);
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
    error
}

/// The error that an `error` event means, after a response that began well.
pub(crate) fn of_event(report: &Report, key: &Secret) -> ModelError {
    ModelError::new(category(None, report), presentable(&report.sentence(None), key))
}

/// The error that a connection which cannot be made, stalls or breaks means.
pub(crate) fn of_transport(error: reqwest::Error, key: &Secret) -> ModelError {
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

/// The code decides, then the type, then the status: newer codes and types leave the decision to
/// the next.
fn category(status: Option<StatusCode>, report: &Report) -> ModelErrorCategory {
    let by_code = report.code.as_deref().and_then(|code| by_code(code, status, report.kind.as_deref()));
    by_code
        .or_else(|| report.kind.as_deref().and_then(by_kind))
        .or_else(|| status.map(by_status))
        .unwrap_or(ModelErrorCategory::ProviderUnavailable)
}

fn by_code(code: &str, status: Option<StatusCode>, kind: Option<&str>) -> Option<ModelErrorCategory> {
    let unauthorized = status == Some(StatusCode::UNAUTHORIZED) || kind == Some("authentication_error");
    Some(match code {
        // A limit on money comes as 400, 402 or 429, by whose limit it is. Waiting lifts none.
        "linked_organization_billing_unavailable" => ModelErrorCategory::QuotaExhausted,
        _ if code.ends_with("spend_limit_reached") => ModelErrorCategory::QuotaExhausted,
        "ramp_limit_exceeded" => ModelErrorCategory::RateLimited,
        "organization_on_hold" | "api_key_scope_missing" => ModelErrorCategory::InsufficientPermissions,
        "request_body_timeout" => ModelErrorCategory::ProviderUnavailable,
        _ if unauthorized && code.split('_').any(|word| matches!(word, "revoked" | "expired" | "disabled")) => {
            ModelErrorCategory::RevokedOrExpired
        }
        _ => return None,
    })
}

fn by_kind(kind: &str) -> Option<ModelErrorCategory> {
    Some(match kind {
        "authentication_error" => ModelErrorCategory::InvalidKey,
        "billing_error" => ModelErrorCategory::QuotaExhausted,
        "permission_error" => ModelErrorCategory::InsufficientPermissions,
        "rate_limit_error" => ModelErrorCategory::RateLimited,
        "api_error" | "conflict_error" | "overloaded_error" | "timeout_error" => {
            ModelErrorCategory::ProviderUnavailable
        }
        "invalid_request_error" | "not_found_error" | "request_too_large" => ModelErrorCategory::InvalidRequest,
        _ => return None,
    })
}

fn by_status(status: StatusCode) -> ModelErrorCategory {
    match status.as_u16() {
        401 => ModelErrorCategory::InvalidKey,
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
