use serde_json::json;

use super::*;
use ModelErrorCategory as Category;

fn meant(status: u16, body: &Value) -> Option<Category> {
    category(&report(body), Some(StatusCode::from_u16(status).unwrap()))
}

#[test]
fn a_code_decides_before_the_type_and_a_new_one_leaves_it_to_the_type() {
    for (status, kind, code, expected) in [
        (429, "rate_limit_error", "enforced_spend_limit_reached", Some(Category::QuotaExhausted)),
        (429, "rate_limit_error", "contract_spend_limit_reached", Some(Category::QuotaExhausted)),
        (402, "billing_error", "linked_organization_spend_limit_reached", Some(Category::QuotaExhausted)),
        (402, "billing_error", "linked_organization_billing_unavailable", Some(Category::QuotaExhausted)),
        (400, "invalid_request_error", "workspace_spend_limit_reached", Some(Category::QuotaExhausted)),
        (429, "rate_limit_error", "ramp_limit_exceeded", Some(Category::RateLimited)),
        (429, "rate_limit_error", "brand_new_code", Some(Category::RateLimited)),
        (400, "invalid_request_error", "organization_on_hold", Some(Category::InsufficientPermissions)),
        (403, "permission_error", "organization_on_hold", Some(Category::InsufficientPermissions)),
        (403, "permission_error", "brand_new_code", Some(Category::InsufficientPermissions)),
        (400, "invalid_request_error", "request_body_timeout", Some(Category::ProviderUnavailable)),
        (401, "authentication_error", "api_key_revoked", Some(Category::RevokedOrExpired)),
        (401, "authentication_error", "key_expired", Some(Category::RevokedOrExpired)),
        (401, "authentication_error", "brand_new_code", Some(Category::InvalidKey)),
        (404, "not_found_error", "file_expired", Some(Category::InvalidRequest)),
        (418, "overloaded_error", "", Some(Category::ProviderUnavailable)),
        (418, "brand_new_error", "", None),
    ] {
        let body = json!({"type": "error", "request_id": "req_1", "error":
            {"type": kind, "message": "because", "details": {"error_code": code}}});
        assert_eq!(meant(status, &body), expected, "{status} {kind} {code}");
        let said = report(&body);
        assert_eq!((said.message.as_deref(), said.request_id.as_deref()), (Some("because"), Some("req_1")));
    }
}

#[test]
fn the_message_decides_nothing() {
    let body = json!({"error": {"type": "rate_limit_error", "message": "enforced_spend_limit_reached, key revoked"}});
    assert_eq!(meant(429, &body), Some(Category::RateLimited));
}

#[test]
fn what_is_no_error_body_says_nothing() {
    for body in [json!(null), json!("text"), json!([]), json!({"error": "text"}), json!({"error": {"type": 7}})] {
        assert_eq!((report(&body), meant(500, &body)), (Report::default(), None), "{body}");
    }
}
