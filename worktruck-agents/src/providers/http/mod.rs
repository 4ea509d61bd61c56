//! The one way to a provider: requests that are made once, and answers that are bounded.

mod address;
mod answer;
mod failure;

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, redirect, retry};
use serde::Serialize;
use worktruck_core::model::{ModelError, ModelErrorCategory};
use worktruck_core::{Error, Result, Secret, Timestamp};

pub(crate) use address::is_of_domain;
pub(crate) use answer::Answer;
pub(crate) use failure::{Dialect, Report, broken, by_status, of_event};

/// What the options of a provider say about its connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach<'a> {
    pub(crate) base_url: &'a str,
    pub(crate) connect_timeout: Duration,
    pub(crate) stall_timeout: Duration,
    pub(crate) max_response_bytes: usize,
}

/// Whose variables for proxies hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Proxies {
    None,
    OfEnvironment,
}

/// An API at its address.
///
/// A request is made once and follows no redirect, so that the key goes to this address alone.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// Without a slash at its end.
    base_url: String,
    max_response_bytes: usize,
    client: Client,
    dialect: Dialect,
}

impl Endpoint {
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if the base URL
    ///   is not one.
    /// - [`ErrorKind::Unavailable`](worktruck_core::ErrorKind::Unavailable) if this machine has no
    ///   trusted certificates.
    pub(crate) fn new(reach: Reach<'_>, proxies: Proxies, dialect: Dialect) -> Result<Self> {
        let client = match proxies {
            Proxies::None => ClientBuilder::new().no_proxy(),
            Proxies::OfEnvironment => ClientBuilder::new(),
        };
        let client = client
            .connect_timeout(reach.connect_timeout)
            .read_timeout(reach.stall_timeout)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .user_agent(concat!("worktruck/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::unavailable("the HTTP client cannot be set up").with_source(e))?;
        let base_url = address::base_url(reach.base_url)?;
        Ok(Self { base_url, max_response_bytes: reach.max_response_bytes, client, dialect })
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Asks for a turn; the answer is good so far.
    ///
    /// # Errors
    ///
    /// What the refusal or the failure means.
    pub(crate) async fn ask(
        &self,
        path: &str,
        headers: HeaderMap,
        body: &impl Serialize,
        key: &Secret,
    ) -> Result<Answer, ModelError> {
        let body = serde_json::to_vec(body)
            .map_err(|_| ModelError::new(ModelErrorCategory::InvalidRequest, "the request has no JSON form"))?;
        let ask = self.client.post(format!("{}{path}", self.base_url)).headers(headers);
        let ask = ask.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
        let response = ask.send().await.map_err(|e| {
            // Once the request is on its way, the provider may work on it whatever becomes of the answer.
            let may_be_billed = !e.is_connect() && !e.is_builder();
            ModelError { may_be_billed, ..failure::of_transport(e, key) }
        })?;
        let response = self.accepted(response, key).await?;
        Ok(Answer::new(response, self.max_response_bytes, key.clone()))
    }

    /// Asks for something that costs nothing, with a person waiting for it.
    ///
    /// # Errors
    ///
    /// What the refusal or the failure means.
    pub(crate) async fn look(&self, path: &str, headers: HeaderMap, key: &Secret) -> Result<(), ModelError> {
        let ask = self.client.get(format!("{}{path}", self.base_url)).headers(headers).timeout(PROBE_TIMEOUT);
        let response = ask.send().await.map_err(|e| failure::of_transport(e, key))?;
        let looked = self.accepted(response, key).await.map(drop);
        looked.map_err(|e| ModelError { may_be_billed: false, ..e })
    }

    /// The response if it is no error.
    async fn accepted(&self, mut response: Response, key: &Secret) -> Result<Response, ModelError> {
        if response.status().is_success() {
            return Ok(response);
        }
        let mut body = Vec::new();
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > LONGEST_ERROR_BODY {
                    break;
                }
            }
        };
        // The status says enough where the body does not come.
        let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, read).await;
        Err(failure::of_response(self.dialect, response.status(), response.headers(), &body, local_now(), key))
    }
}

/// The value of a header that carries a key.
///
/// # Errors
///
/// [`ModelErrorCategory::InvalidKey`] if no header can carry it.
pub(crate) fn key_header(text: &str) -> Result<HeaderValue, ModelError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| ModelError::new(ModelErrorCategory::InvalidKey, "the key has characters that no key has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A value of the environment that says something.
pub(crate) fn variable(find: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    find(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn local_now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.after(since)
}

/// A probe has a person waiting for it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// More of an error is not read.
const LONGEST_ERROR_BODY: usize = 64 << 10;
/// Longer an error is not read.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_no_header_can_carry_is_invalid() {
        let error = key_header("sk-ant\r\nx-injected: yes").unwrap_err();
        assert_eq!(error.category, ModelErrorCategory::InvalidKey);
        assert!(!format!("{error} {error:?}").contains("injected"));
        assert!(!format!("{:?}", key_header("sk-ant-api03-abcd").unwrap()).contains("abcd"));
    }
}
