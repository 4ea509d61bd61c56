//! How servers word their errors. There is a book, and each reads it in its own way.

use reqwest::StatusCode;
use serde_json::Value;
use worktruck_core::model::ModelErrorCategory;

use crate::providers::http::{Dialect, Report, by_status};

pub(super) const DIALECT: Dialect = Dialect { report, category };

/// By the book an error is a member `error` with type, code and message. Others are a text, are the
/// body itself, or stand in a list.
fn report(body: &Value) -> Report {
    let body = body.get(0).unwrap_or(body);
    let error = if body["error"].is_object() { &body["error"] } else { body };
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let message = text(&error["message"]).or_else(|| text(&body["error"])).or_else(|| text(&body["detail"]));
    let kind = text(&error["type"]).or_else(|| text(&error["status"]));
    Report { kind, code: text(&error["code"]), message, request_id: text(&body["request_id"]) }
}

/// The code decides, then a type that is as precise as a code, then the status. Most types say no
/// more than the status, and some less.
fn category(report: &Report, status: Option<StatusCode>) -> Option<ModelErrorCategory> {
    let [code, kind] = [&report.code, &report.kind].map(|name| name.as_deref().unwrap_or_default());
    let unauthorized = status == Some(StatusCode::UNAUTHORIZED);
    let precise = by_code(code, unauthorized).or_else(|| by_code(kind, unauthorized));
    precise.or_else(|| status.map(by_status)).or_else(|| {
        // Within an answer the code may be the status that the error would have had.
        let status = code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
        status.filter(|status| status.as_u16() >= 400).map(by_status).or_else(|| by_kind(kind))
    })
}

fn by_code(code: &str, unauthorized: bool) -> Option<ModelErrorCategory> {
    Some(match code {
        "insufficient_quota" | "credit_balance_exhausted" | "billing_hard_limit_reached" | "billing_not_active" => {
            ModelErrorCategory::QuotaExhausted
        }
        _ if code.ends_with("spend_limit_exceeded") || code.ends_with("spend_limit_reached") => {
            ModelErrorCategory::QuotaExhausted
        }
        "rate_limit_exceeded" | "slow_down" => ModelErrorCategory::RateLimited,
        "server_is_overloaded" => ModelErrorCategory::ProviderUnavailable,
        "model_not_found" => ModelErrorCategory::InvalidRequest,
        "context_length_exceeded" => ModelErrorCategory::ContextWindowExceeded,
        "unsupported_country_region_territory" => ModelErrorCategory::InsufficientPermissions,
        _ if unauthorized
            && code.split('_').any(|word| matches!(word, "revoked" | "expired" | "disabled" | "deactivated")) =>
        {
            ModelErrorCategory::RevokedOrExpired
        }
        _ => return None,
    })
}

fn by_kind(kind: &str) -> Option<ModelErrorCategory> {
    Some(match kind {
        "authentication_error" => ModelErrorCategory::InvalidKey,
        "permission_error" => ModelErrorCategory::InsufficientPermissions,
        "rate_limit_error" => ModelErrorCategory::RateLimited,
        "invalid_request_error" | "not_found_error" => ModelErrorCategory::InvalidRequest,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use ModelErrorCategory as Category;

    fn meant(status: impl Into<Option<u16>>, body: &Value) -> Option<Category> {
        category(&report(body), status.into().map(|status| StatusCode::from_u16(status).unwrap()))
    }

    #[test]
    fn a_code_or_a_precise_type_decides_before_the_status() {
        for (status, kind, code, expected) in [
            (401, "invalid_request_error", "invalid_api_key", Category::InvalidKey),
            (401, "invalid_request_error", "account_deactivated", Category::RevokedOrExpired),
            (401, "authentication_error", "token_expired", Category::RevokedOrExpired),
            (404, "invalid_request_error", "token_expired", Category::InvalidRequest),
            (403, "request_forbidden", "unsupported_country_region_territory", Category::InsufficientPermissions),
            (404, "invalid_request_error", "model_not_found", Category::InvalidRequest),
            (403, "invalid_request_error", "model_not_found", Category::InvalidRequest),
            (400, "invalid_request_error", "context_length_exceeded", Category::ContextWindowExceeded),
            (429, "requests", "rate_limit_exceeded", Category::RateLimited),
            (429, "tokens", "rate_limit_exceeded", Category::RateLimited),
            (429, "insufficient_quota", "insufficient_quota", Category::QuotaExhausted),
            (429, "insufficient_quota", "credit_balance_exhausted", Category::QuotaExhausted),
            (429, "insufficient_quota", "organization_spend_limit_exceeded", Category::QuotaExhausted),
            (429, "insufficient_quota", "brand_new_code", Category::QuotaExhausted),
            (400, "invalid_request_error", "billing_hard_limit_reached", Category::QuotaExhausted),
            (429, "billing_not_active", "billing_not_active", Category::QuotaExhausted),
            (503, "service_unavailable_error", "slow_down", Category::RateLimited),
            (503, "service_unavailable_error", "server_is_overloaded", Category::ProviderUnavailable),
            (500, "server_error", "", Category::ProviderUnavailable),
            (402, "unknown_error", "invalid_request_error", Category::QuotaExhausted),
        ] {
            let body = json!({"error": {"message": "because", "type": kind, "param": null, "code": code}});
            assert_eq!(meant(status, &body), Some(expected), "{status} {kind} {code}");
        }
    }

    #[test]
    fn every_wording_is_read() {
        for (body, kind, code, message) in [
            (
                json!({"error": {"message": "no", "type": "server_error", "code": null}}),
                Some("server_error"),
                None,
                "no",
            ),
            (json!({"error": {"message": "no", "code": 502}}), None, Some("502"), "no"),
            (
                json!({"object": "error", "message": "no", "type": "BadRequestError", "code": 400}),
                Some("BadRequestError"),
                Some("400"),
                "no",
            ),
            (
                json!([{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}]),
                Some("INVALID_ARGUMENT"),
                Some("400"),
                "no",
            ),
            (json!({"error": "no"}), None, None, "no"),
            (json!({"detail": "no"}), None, None, "no"),
        ] {
            let said = report(&body);
            assert_eq!((said.kind.as_deref(), said.code.as_deref()), (kind, code), "{body}");
            assert_eq!(said.message.as_deref(), Some(message), "{body}");
        }
        for body in [json!(null), json!("text"), json!([]), json!({"detail": [{"loc": []}]})] {
            assert_eq!(report(&body), Report::default(), "{body}");
        }
    }

    #[test]
    fn within_an_answer_code_and_type_say_what_a_status_would() {
        for (kind, code, expected) in [
            (json!(null), json!(429), Some(Category::RateLimited)),
            (json!(null), json!("502"), Some(Category::ProviderUnavailable)),
            (json!("server_error"), json!(null), None),
            (json!("BadRequestError"), json!(400), Some(Category::InvalidRequest)),
            (json!("invalid_request_error"), json!(null), Some(Category::InvalidRequest)),
            (json!("rate_limit_error"), json!(7), Some(Category::RateLimited)),
            (json!("insufficient_quota"), json!(null), Some(Category::QuotaExhausted)),
        ] {
            let body = json!({"error": {"type": kind, "code": code, "message": "no"}});
            assert_eq!(meant(None, &body), expected, "{kind} {code}");
        }
    }
}
