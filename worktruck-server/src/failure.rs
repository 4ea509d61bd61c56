//! Answers that say what went wrong.

use std::any::Any;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use worktruck_core::{Error, ErrorKind};

use crate::takes::Expected;

/// An answer that says what went wrong: `{"error":{"code","message","details"?}}` with its status.
#[derive(Clone, Debug)]
pub struct Failure(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Option<Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    /// A failure with a status, a code for programs and a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { status, code, message: message.into(), details: None, headers: Vec::new() }))
    }

    /// 400: something in the request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::from(Error::invalid(message))
    }

    /// 401: the credential is missing, wrong, expired or revoked.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        let challenge = HeaderValue::from_static("Bearer");
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message).with_header(WWW_AUTHENTICATE, challenge)
    }

    /// 403: the credential does not allow it.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404: there is nothing there, or it is another tenant's.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
    }

    /// 404: it is not part of this server. `what` begins the sentence, such as "API keys are".
    pub(crate) fn off(what: &str) -> Self {
        let message = format!("{what} off on this server; whoever runs it can switch them on");
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405: there is something there, and this cannot be done to it.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let message = "this method is not one of this address; Allow names those that are";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    /// 413: the body is longer than `limit` bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let message = format!("the body is longer than {limit} bytes; send less");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    /// 415: the body is none of these types.
    #[must_use]
    pub fn unsupported(types: &[&str]) -> Self {
        let message = format!("the Content-Type of the body must be {}", types.join(" or "));
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    }

    /// 500: a defect. The answer does not say which.
    #[must_use]
    pub fn internal() -> Self {
        let message = "something is wrong with this server; X-Request-Id names the request in its log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// 503: the same request may succeed later.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// With data for programs.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// With a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What a panic becomes.
    pub(crate) fn of_panic(_: Box<dyn Any + Send>) -> Response {
        tracing::error!("a request has panicked");
        Self::internal().into_response()
    }

    /// A failed expectation of a version, as whoever asked has said it.
    pub(crate) fn of_version(self, expected: Option<Expected>) -> Self {
        if self.0.code != ErrorKind::VersionMismatch.as_str() {
            return self;
        }
        match expected {
            Some(Expected::Version(_)) => self,
            Some(Expected::Nothing) => {
                let message = "If-Match is no ETag of this API, which is a version in quotes, such as \"3\"";
                Self::new(self.0.status, self.0.code, message)
            }
            None => Self::new(StatusCode::CONFLICT, "conflict", "others are writing to it; try again"),
        }
    }
}

/// The status and code of each kind of error: the one table of them.
const fn answer_to(kind: ErrorKind) -> (StatusCode, &'static str) {
    let status = match kind {
        ErrorKind::InvalidRequest | ErrorKind::InvalidCursor => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict | ErrorKind::ConfigDisabled => StatusCode::CONFLICT,
        ErrorKind::HistoryExpired => StatusCode::GONE,
        ErrorKind::VersionMismatch => StatusCode::PRECONDITION_FAILED,
        ErrorKind::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // A lease is a matter between workers and the store, and a kind that is not known here is a defect.
        _ => return (StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Internal.as_str()),
    };
    (status, kind.as_str())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (status, code) = answer_to(error.kind());
        match status {
            StatusCode::INTERNAL_SERVER_ERROR => {
                tracing::error!(kind = error.kind().as_str(), %error, "a request has failed");
                return Self::internal();
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                tracing::warn!(%error, "the store is away");
                return Self::unavailable("the store cannot be reached now; try again");
            }
            _ => {}
        }
        let mut details = match error.details() {
            Some(Value::Object(details)) => details.clone(),
            Some(other) => Map::from_iter([("value".to_owned(), other.clone())]),
            None => Map::new(),
        };
        details.extend(error.pointer().map(|pointer| ("pointer".to_owned(), json!(pointer))));
        let failure = Self::new(status, code, error.to_string());
        if details.is_empty() { failure } else { failure.with_details(details.into()) }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Inner { status, code, message, details, headers } = *self.0;
        let mut error = json!({ "code": code, "message": message });
        if let (Some(details), Some(members)) = (details, error.as_object_mut()) {
            members.insert("details".to_owned(), details);
        }
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        response.headers_mut().extend(headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_status_and_code() {
        for (kind, status, code) in [
            (ErrorKind::InvalidRequest, 400, "invalid_request"),
            (ErrorKind::InvalidCursor, 400, "invalid_cursor"),
            (ErrorKind::NotFound, 404, "not_found"),
            (ErrorKind::Conflict, 409, "conflict"),
            (ErrorKind::ConfigDisabled, 409, "config_disabled"),
            (ErrorKind::HistoryExpired, 410, "history_expired"),
            (ErrorKind::VersionMismatch, 412, "version_mismatch"),
            (ErrorKind::IdempotencyMismatch, 422, "idempotency_mismatch"),
            (ErrorKind::Internal, 500, "internal"),
            (ErrorKind::LeaseLost, 500, "internal"),
            (ErrorKind::Unavailable, 503, "unavailable"),
        ] {
            let (found, name) = answer_to(kind);
            assert_eq!((found.as_u16(), name), (status, code), "{kind}");
        }
    }

    #[test]
    fn a_defect_is_not_shown() {
        let failure = Failure::from(Error::internal("no such table: slices"));
        assert!(!failure.0.message.contains("slices"));
        let failure = Failure::from(Error::unavailable("db.example:5432 is away"));
        assert!(!failure.0.message.contains("5432"));
    }
}
