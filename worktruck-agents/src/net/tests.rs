use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use tokio::net::TcpListener;
use worktruck_core::ErrorKind;

use super::*;

#[test]
fn addresses_that_are_not_public_are_known_in_every_form() {
    let private = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "168.63.129.16",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:192.168.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2001:10::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    ];
    for address in private {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
    let public = [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "2001:4860:4860::8888",
        "64:ff9b::808:808",
    ];
    for address in public {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn what_may_not_be_asked_is_refused_before_anything_is_sent() {
    let client = GuardedClient::new(AllowedHosts::none()).unwrap();
    let refused = [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1]:8443/",
        "https://10.0.0.1:8443/x",
        "https://127.0.0.1./",
        "https://%31%32%37.0.0.1/",
        "no url",
        "",
    ];
    for url in refused {
        let error = client.request(Method::GET, url).map(drop).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{url}");
        assert!(!error.to_string().contains("word"), "{error}");
    }
    for url in ["https://example.com/", "https://1.1.1.1/", "https://[2606:4700:4700::1111]/"] {
        assert!(client.request(Method::GET, url).is_ok(), "{url}");
    }
}

#[test]
fn a_host_is_allowed_at_its_port_and_no_other() {
    let allowed: AllowedHosts = " localhost, 10.0.0.1:8443,[::1]:9, fd00::5 ,example.com:80".parse().unwrap();
    let has = |host: &str, port| allowed.has(host, Some(port));
    assert!(has("localhost", 1) && has("LOCALHOST", 443) && has("localhost.", 443));
    assert!(has("10.0.0.1", 8443) && !has("10.0.0.1", 443) && !has("10.0.0.2", 8443));
    assert!(has("[::1]", 9) && !has("[::1]", 10) && has("[fd00::5]", 443));
    assert!(has("example.com", 80) && !has("example.com", 443));
    assert!(!has("evil.localhost", 443) && !has("localhost.evil", 443));
    assert_eq!("".parse::<AllowedHosts>().unwrap(), AllowedHosts::none());
    for wrong in ["a b", "http://a", "a/b", "a:b", "a:70000", "u@a", "a?b"] {
        assert!(wrong.parse::<AllowedHosts>().is_err(), "{wrong:?}");
    }
}

/// A server that nobody may be led to, and one that leads there.
async fn servers() -> (String, String) {
    let inner = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let secret = format!("http://{}/secret", inner.local_addr().unwrap());
    let router = Router::new().route("/secret", get(|| async { "x".repeat(100_000) }));
    tokio::spawn(async move { axum::serve(inner, router).await });
    let outer = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let leading = format!("http://{}/", outer.local_addr().unwrap());
    let to = secret.clone();
    let router = Router::new().route("/", get(move || async move { Redirect::temporary(&to) }));
    tokio::spawn(async move { axum::serve(outer, router).await });
    (secret, leading)
}

#[tokio::test]
async fn a_name_that_resolves_to_this_machine_is_not_asked() {
    let client = GuardedClient::new(AllowedHosts::none()).unwrap();
    for url in ["https://localhost:1/", "https://LOCALHOST/"] {
        let error = client.request(Method::GET, url).unwrap().send().await.expect_err(url);
        let says = explain(&error);
        assert!(says.contains("is not public"), "{says}: {error:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (secret, leading) = servers().await;
    let client = GuardedClient::new("127.0.0.1".parse().unwrap()).unwrap();
    let answer = client.request(Method::GET, &leading).unwrap().send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 307);
    let answer = client.request(Method::GET, &secret).unwrap().send().await.unwrap();
    assert_eq!(body(answer, 1_000).await.unwrap().len(), 1_000, "a long answer is cut");
    assert!(GuardedClient::new(AllowedHosts::none()).unwrap().request(Method::GET, &secret).is_err());
}

#[tokio::test]
async fn a_host_that_is_away_is_named_and_its_address_is_not() {
    let client = GuardedClient::new("127.0.0.1".parse().unwrap()).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/path?token=word", listener.local_addr().unwrap());
    drop(listener);
    let error = client.request(Method::GET, &url).unwrap().send().await.unwrap_err();
    assert_eq!(explain(&error), "127.0.0.1 cannot be reached");
}
