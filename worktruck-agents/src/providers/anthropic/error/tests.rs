use serde_json::json;

use super::*;
use ModelErrorCategory as Category;

const KEY: &str = "sk-ant-api03-abcd";

fn mapped(status: u16, headers: &[(&'static str, &str)], kind: &str, code: &Value) -> ModelError {
    let body = json!({"type": "error", "request_id": "req_1", "error":
        {"type": kind, "message": "because", "details": {"error_code": code}}});
    of_body(status, headers, body.to_string().as_bytes())
}

fn of_body(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> ModelError {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    // 1994-11-06T08:49:07Z
    let now = Timestamp::from_micros(784_111_747_000_000);
    of_response(StatusCode::from_u16(status).unwrap(), &headers, body, now, &Secret::new(KEY))
}

#[test]
fn a_status_alone_decides_when_the_body_says_nothing() {
    for (status, category) in [
        (301, Category::InvalidRequest),
        (400, Category::InvalidRequest),
        (401, Category::InvalidKey),
        (402, Category::QuotaExhausted),
        (403, Category::InsufficientPermissions),
        (404, Category::InvalidRequest),
        (408, Category::ProviderUnavailable),
        (409, Category::ProviderUnavailable),
        (413, Category::InvalidRequest),
        (422, Category::InvalidRequest),
        (429, Category::RateLimited),
        (500, Category::ProviderUnavailable),
        (502, Category::ProviderUnavailable),
        (503, Category::ProviderUnavailable),
        (504, Category::ProviderUnavailable),
        (529, Category::ProviderUnavailable),
    ] {
        for body in [&b""[..], b"<html>", b"{\"error\": \"text\"}", b"[]", b"\xff"] {
            assert_eq!(of_body(status, &[], body).category, category, "{status}");
        }
    }
}

#[test]
fn a_code_decides_before_the_type_and_a_new_one_leaves_it_to_the_type() {
    for (status, kind, code, category) in [
        (429, "rate_limit_error", "enforced_spend_limit_reached", Category::QuotaExhausted),
        (429, "rate_limit_error", "contract_spend_limit_reached", Category::QuotaExhausted),
        (402, "billing_error", "linked_organization_spend_limit_reached", Category::QuotaExhausted),
        (402, "billing_error", "linked_organization_billing_unavailable", Category::QuotaExhausted),
        (400, "invalid_request_error", "workspace_spend_limit_reached", Category::QuotaExhausted),
        (429, "rate_limit_error", "ramp_limit_exceeded", Category::RateLimited),
        (429, "rate_limit_error", "brand_new_code", Category::RateLimited),
        (400, "invalid_request_error", "organization_on_hold", Category::InsufficientPermissions),
        (403, "permission_error", "organization_on_hold", Category::InsufficientPermissions),
        (403, "permission_error", "brand_new_code", Category::InsufficientPermissions),
        (400, "invalid_request_error", "request_body_timeout", Category::ProviderUnavailable),
        (401, "authentication_error", "api_key_revoked", Category::RevokedOrExpired),
        (401, "authentication_error", "key_expired", Category::RevokedOrExpired),
        (401, "authentication_error", "brand_new_code", Category::InvalidKey),
        (404, "not_found_error", "file_expired", Category::InvalidRequest),
        (418, "overloaded_error", "", Category::ProviderUnavailable),
        (418, "brand_new_error", "", Category::InvalidRequest),
    ] {
        assert_eq!(mapped(status, &[], kind, &json!(code)).category, category, "{status} {kind} {code}");
    }
}

#[test]
fn the_message_decides_nothing() {
    let body = json!({"error": {"type": "rate_limit_error", "message": "enforced_spend_limit_reached, key revoked"}});
    assert_eq!(of_body(429, &[], body.to_string().as_bytes()).category, Category::RateLimited);
}

#[test]
fn the_wait_is_read_in_every_form() {
    let wait = |headers: &[(&'static str, &str)]| mapped(429, headers, "rate_limit_error", &Value::Null).retry_after;
    let millis = |millis| Some(Duration::from_millis(millis));
    assert_eq!(wait(&[]), None);
    assert_eq!(wait(&[("retry-after", "30")]), millis(30_000));
    assert_eq!(wait(&[("retry-after", "0.5")]), millis(500));
    assert_eq!(wait(&[("retry-after-ms", "250"), ("retry-after", "30")]), millis(250));
    assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]), millis(30_000), "by the local clock");
    let date = ("date", "Sun, 06 Nov 1994 08:49:27 GMT");
    assert_eq!(wait(&[date, ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]), millis(10_000));
    assert_eq!(wait(&[date, ("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT")]), None, "already past");
    for nothing in ["", "soon", "-1", "0", "NaN", "inf", "1e400"] {
        assert_eq!(wait(&[("retry-after", nothing)]), None, "{nothing}");
    }
    assert_eq!(wait(&[("retry-after", "1e18")]), Some(LONGEST_WAIT));
    let lasting = mapped(401, &[("retry-after", "30")], "authentication_error", &Value::Null);
    assert_eq!(lasting.retry_after, None, "waiting makes no key valid");
}

#[test]
fn the_provider_may_say_whether_repeating_helps() {
    let said = |status, kind, code: &Value, retry| mapped(status, &[("x-should-retry", retry)], kind, code).category;
    assert_eq!(said(400, "invalid_request_error", &Value::Null, "true"), Category::ProviderUnavailable);
    assert_eq!(said(400, "invalid_request_error", &json!("tool_name_conflict"), "true"), Category::InvalidRequest);
    assert_eq!(said(401, "authentication_error", &Value::Null, "true"), Category::InvalidKey);
    assert_eq!(said(429, "rate_limit_error", &json!("enforced_spend_limit_reached"), "true"), Category::QuotaExhausted);
    assert_eq!(said(429, "rate_limit_error", &Value::Null, "false"), Category::QuotaExhausted);
    assert_eq!(said(500, "api_error", &Value::Null, "false"), Category::InvalidRequest);
    assert_eq!(said(529, "overloaded_error", &Value::Null, "perhaps"), Category::ProviderUnavailable);
    assert_eq!(said(403, "permission_error", &Value::Null, "false"), Category::InsufficientPermissions);
}

#[test]
fn the_text_names_everything_but_the_key_in_one_short_line() {
    let error = mapped(429, &[], "rate_limit_error", &json!("ramp_limit_exceeded"));
    let text = "rate_limit_error (429), code: ramp_limit_exceeded, message: because, request: req_1";
    assert_eq!(error.message, text);
    let error = of_body(500, &[("request-id", "req_2")], b"");
    assert_eq!(error.message, "HTTP status 500, request: req_2");
    let long = format!("no key {KEY}\r\n{}", "x".repeat(5_000));
    let body = json!({"error": {"type": "authentication_error", "message": long}});
    let error = of_body(401, &[], body.to_string().as_bytes());
    assert!(!error.message.contains(KEY) && error.message.contains("no key [secret]  x"), "{error}");
    assert_eq!(error.message.chars().count(), LONGEST_MESSAGE);
}
