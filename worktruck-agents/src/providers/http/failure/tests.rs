use serde_json::json;

use super::*;
use ModelErrorCategory as Category;

const KEY: &str = "sk-ant-api03-abcd";

/// The plainest of dialects: a type, a code and a message, of which one code and one type are known.
const PLAIN: Dialect = Dialect {
    report: |body| {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        Report { kind: text("type"), code: text("code"), message: text("message"), request_id: text("request_id") }
    },
    category: |report, _| match (report.code.as_deref(), report.kind.as_deref()) {
        (Some("broke"), _) => Some(Category::QuotaExhausted),
        (_, Some("known")) => Some(Category::RateLimited),
        _ => None,
    },
};

fn of_body(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> ModelError {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    // 1994-11-06T08:49:07Z
    let now = Timestamp::from_micros(784_111_747_000_000);
    of_response(PLAIN, StatusCode::from_u16(status).unwrap(), &headers, body, now, &Secret::new(KEY))
}

fn of_json(status: u16, headers: &[(&'static str, &str)], body: &Value) -> ModelError {
    of_body(status, headers, body.to_string().as_bytes())
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
        (413, Category::ContextWindowExceeded),
        (422, Category::InvalidRequest),
        (429, Category::RateLimited),
        (500, Category::ProviderUnavailable),
        (502, Category::ProviderUnavailable),
        (503, Category::ProviderUnavailable),
        (504, Category::ProviderUnavailable),
        (529, Category::ProviderUnavailable),
    ] {
        for body in [&b""[..], b"<html>", b"{\"error\": \"text\"}", b"[]", b"\xff", b"{\"type\": \"new\"}"] {
            assert_eq!(of_body(status, &[], body).category, category, "{status}");
        }
    }
}

#[test]
fn what_the_dialect_knows_decides_before_the_status() {
    assert_eq!(of_json(500, &[], &json!({"type": "known"})).category, Category::RateLimited);
    assert_eq!(of_json(500, &[], &json!({"type": "known", "code": "broke"})).category, Category::QuotaExhausted);
    let of = |error: &Value| of_event(PLAIN, error, &Secret::new(KEY));
    assert_eq!(of(&json!({"type": "known"})).category, Category::RateLimited);
    assert_eq!(of(&json!({"type": "new"})).category, Category::ProviderUnavailable, "there is no status any more");
    assert_eq!(of(&json!({"type": "new", "message": KEY})).message, "new while answering, message: [secret]");
}

#[test]
fn only_what_may_have_been_worked_on_may_be_billed() {
    let own = json!({"type": "new", "message": "failed"});
    for (status, without_report, with_report) in [
        (301, false, false),
        (400, false, false),
        (401, false, false),
        (408, false, false),
        (429, false, false),
        (500, true, false),
        (502, true, false),
        (503, true, false),
        (504, true, true),
        (524, true, true),
        (529, false, false),
    ] {
        assert_eq!(of_body(status, &[], b"<html>").may_be_billed, without_report, "{status}");
        assert_eq!(of_json(status, &[], &own).may_be_billed, with_report, "{status}");
    }
}

#[test]
fn the_wait_is_read_in_every_form() {
    let wait = |headers: &[(&'static str, &str)]| of_body(429, headers, b"").retry_after;
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
    assert_eq!(of_body(401, &[("retry-after", "30")], b"").retry_after, None, "waiting makes no key valid");
}

#[test]
fn the_provider_may_say_whether_repeating_helps() {
    let said = |status, body: &Value, retry| of_json(status, &[("x-should-retry", retry)], body).category;
    let (nothing, new_code) = (json!({}), json!({"code": "new"}));
    assert_eq!(said(400, &nothing, "true"), Category::ProviderUnavailable);
    assert_eq!(said(400, &new_code, "true"), Category::InvalidRequest);
    assert_eq!(said(401, &nothing, "true"), Category::InvalidKey);
    assert_eq!(said(429, &json!({"code": "broke"}), "true"), Category::QuotaExhausted);
    assert_eq!(said(429, &nothing, "false"), Category::QuotaExhausted);
    assert_eq!(said(500, &nothing, "false"), Category::InvalidRequest);
    assert_eq!(said(529, &nothing, "perhaps"), Category::ProviderUnavailable);
    assert_eq!(said(403, &nothing, "false"), Category::InsufficientPermissions);
}

#[test]
fn the_text_names_everything_but_the_key_in_one_short_line() {
    let all = json!({"type": "known", "code": "fast", "message": "because", "request_id": "req_1"});
    assert_eq!(of_json(429, &[], &all).message, "known (429), code: fast, message: because, request: req_1");
    for name in ["request-id", "x-request-id"] {
        assert_eq!(of_body(500, &[(name, "req_2")], b"").message, "HTTP status 500, request: req_2");
    }
    let long = format!("no key {KEY}\r\n{}", "x".repeat(5_000));
    let error = of_json(401, &[], &json!({"message": long}));
    assert!(!error.message.contains(KEY) && error.message.contains("no key [secret]  x"), "{error}");
    assert_eq!(error.message.chars().count(), LONGEST_MESSAGE);
}
