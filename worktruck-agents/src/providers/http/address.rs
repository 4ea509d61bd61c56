//! Where an API is.

use reqwest::Url;
use worktruck_core::{Error, Result};

/// The base URL without a slash at its end. The text is not repeated in an error: it may hold
/// credentials.
///
/// # Errors
///
/// [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if it is not an address
/// and nothing else.
pub(super) fn base_url(text: &str) -> Result<String> {
    let url = Url::parse(text).map_err(|e| Error::invalid("the base URL is not a URL").with_source(e))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Error::invalid("the base URL must begin with https:// or http://"));
    }
    let plain = url.username().is_empty() && url.password().is_none();
    if !plain || url.query().is_some() || url.fragment().is_some() {
        return Err(Error::invalid("the base URL must have no credentials, query or fragment"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether `base_url` is at `domain` or below it.
pub(crate) fn is_of_domain(base_url: &str, domain: &str) -> bool {
    let url = Url::parse(base_url).ok();
    url.as_ref()
        .and_then(Url::host_str)
        .is_some_and(|host| host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_an_address_and_nothing_else() {
        for (given, used) in [
            ("https://gateway.example", "https://gateway.example"),
            ("https://gateway.example/", "https://gateway.example"),
            ("http://127.0.0.1:8080/anthropic/", "http://127.0.0.1:8080/anthropic"),
        ] {
            assert_eq!(base_url(given).unwrap(), used);
        }
        for refused in [
            "",
            "gateway.example",
            "file:///etc/passwd",
            "unix:/run/model.sock",
            "https://user@gateway.example",
            "https://:hunter2@gateway.example",
            "https://gateway.example?key=hunter2",
            "https://gateway.example#hunter2",
        ] {
            let error = base_url(refused).unwrap_err();
            assert_eq!(error.kind(), worktruck_core::ErrorKind::InvalidRequest, "{refused}");
            assert!(!format!("{} {error:?}", error.chain()).contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_domain_has_those_below_it_and_no_namesake() {
        for (url, is_of) in [
            ("https://api.openai.com/v1", true),
            ("https://API.OpenAI.com:443/v1", true),
            ("https://eu.api.openai.com/v1", true),
            ("https://notopenai.com/v1", false),
            ("https://openai.com.example/v1", false),
            ("http://127.0.0.1:8080/openai.com", false),
            ("no address", false),
        ] {
            assert_eq!(is_of_domain(url, "openai.com"), is_of, "{url}");
        }
    }
}
