//! JSON of any kind, in and out.

use serde::Serialize;
use serde_json::{Value, json};
use worktruck_core::Error;

use crate::Failure;

/// Reads JSON, whatever it is.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        let place = json!({ "pointer": "", "line": error.line(), "column": error.column() });
        Error::invalid(format!("the body is not JSON: {error}")).with_details(place).into()
    })
}

/// Refuses what has no JSON form, which nothing of ours lacks.
pub(crate) fn to_value<T: Serialize>(data: &T) -> Result<Value, Failure> {
    serde_json::to_value(data).map_err(|error| {
        tracing::error!(%error, "an answer has no JSON form");
        Failure::internal()
    })
}
