//! How the API words its errors.

use reqwest::StatusCode;
use serde_json::Value;
use worktruck_core::model::ModelErrorCategory;

use crate::providers::http::{Dialect, Report};

pub(crate) const DIALECT: Dialect = Dialect { report, category };

fn report(body: &Value) -> Report {
    let text = |pointer| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Report {
        kind: text("/error/type"),
        code: text("/error/details/error_code"),
        message: text("/error/message"),
        request_id: text("/request_id"),
    }
}

/// The code decides, then the type: newer ones leave the decision to the next.
fn category(report: &Report, status: Option<StatusCode>) -> Option<ModelErrorCategory> {
    // There is no code for it.
    let is_too_long = report.kind.as_deref() == Some("invalid_request_error")
        && report.message.as_deref().is_some_and(|text| text.starts_with("prompt is too long"));
    if is_too_long {
        return Some(ModelErrorCategory::ContextWindowExceeded);
    }
    let by_code = report.code.as_deref().and_then(|code| by_code(code, status, report.kind.as_deref()));
    by_code.or_else(|| report.kind.as_deref().and_then(by_kind))
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
        "request_too_large" => ModelErrorCategory::ContextWindowExceeded,
        "invalid_request_error" | "not_found_error" => ModelErrorCategory::InvalidRequest,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
