//! The Anthropic Messages API as a provider.

mod error;
mod request;
mod stream;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use worktruck_core::model::{ModelError, ModelProvider, ModelReply, ModelRequest};
use worktruck_core::{Error, Result, Secret};

use super::http::{Answer, Endpoint, Proxies, Reach, key_header, variable};
use stream::Assembly;

/// The Anthropic Messages API, version 2026-10-21.
///
/// Answers are streamed, so that dropping the future of a turn closes the connection and stops the
/// answer. Every request is made once, follows no redirect, and goes through no proxy unless
/// [`Anthropic::from_env`] finds one in the environment. The key is in no error and no `Debug`.
///
/// # Examples
///
/// ```
/// use worktruck_agents::providers::{Anthropic, AnthropicOptions};
/// use worktruck_core::Secret;
///
/// let key = Secret::new("sk-ant-api03-abcd");
/// let options = AnthropicOptions { base_url: "http://127.0.0.1:8080/".into(), ..AnthropicOptions::default() };
/// let provider = Anthropic::with_options(key, &options)?;
/// assert_eq!(format!("{provider:?}"), r#"Anthropic { base_url: "http://127.0.0.1:8080", .. }"#);
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub struct Anthropic {
    key: Secret,
    endpoint: Endpoint,
}

/// Where the API is and how long it is waited for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AnthropicOptions {
    /// What stands before `/v1/messages`: the address of the API or of a gateway to it, `https` or
    /// `http`, without credentials, query and fragment.
    pub base_url: String,
    /// How long making a connection may take; 10 seconds by default.
    pub connect_timeout: Duration,
    /// How long nothing may come, before the answer begins or within it; 2 minutes by default. The
    /// API sends a sign of life more often while a model thinks.
    pub stall_timeout: Duration,
    /// How many bytes an answer may have on the wire; 64 MiB by default, several times the longest
    /// answer of any model.
    pub max_response_bytes: usize,
}

impl Default for AnthropicOptions {
    fn default() -> Self {
        Self {
            base_url: "https://api.anthropic.com".to_owned(),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(120),
            max_response_bytes: 64 << 20,
        }
    }
}

impl Anthropic {
    /// The API at its own address, used with `key`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](worktruck_core::ErrorKind::Unavailable) if this machine has no
    /// trusted certificates.
    pub fn new(key: Secret) -> Result<Self> {
        Self::with_options(key, &AnthropicOptions::default())
    }

    /// The API as `options` say, used with `key`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if the base URL
    ///   is not one.
    /// - [`ErrorKind::Unavailable`](worktruck_core::ErrorKind::Unavailable) if this machine has no
    ///   trusted certificates.
    pub fn with_options(key: Secret, options: &AnthropicOptions) -> Result<Self> {
        Self::build(key, options, Proxies::None)
    }

    /// The API as the environment says: the key in `ANTHROPIC_API_KEY`, the base URL in
    /// `ANTHROPIC_BASE_URL` if it is there, and the usual variables for proxies.
    ///
    /// # Errors
    ///
    /// Those of [`Anthropic::with_options`], and
    /// [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if there is no key.
    pub fn from_env() -> Result<Self> {
        let (key, options) = settings(|name| std::env::var(name).ok())?;
        Self::build(key, &options, Proxies::OfEnvironment)
    }

    fn build(key: Secret, options: &AnthropicOptions, proxies: Proxies) -> Result<Self> {
        let reach = Reach {
            base_url: &options.base_url,
            connect_timeout: options.connect_timeout,
            stall_timeout: options.stall_timeout,
            max_response_bytes: options.max_response_bytes,
        };
        Ok(Self { key, endpoint: Endpoint::new(reach, proxies, error::DIALECT)? })
    }

    async fn read(&self, answer: Answer, asked: &str) -> Result<ModelReply, ModelError> {
        let mut events = answer.events();
        let mut assembly = Assembly::default();
        while let Some(data) = events.next().await? {
            assembly.feed(&data, &self.key)?;
            if assembly.is_complete() {
                events.linger().await;
                break;
            }
        }
        assembly.finish(asked)
    }
}

#[async_trait]
impl ModelProvider for Anthropic {
    async fn complete(&self, request: ModelRequest) -> Result<ModelReply, ModelError> {
        let body = request::body(&request)?;
        let answer = self.endpoint.ask("/v1/messages", headers(&self.key)?, &body, &self.key).await?;
        // What has begun is billed, whatever comes of it.
        self.read(answer, &request.model).await.map_err(|e| ModelError { may_be_billed: true, ..e })
    }

    fn with_key(&self, key: &Secret) -> Option<Arc<dyn ModelProvider>> {
        Some(Arc::new(Self { key: key.clone(), endpoint: self.endpoint.clone() }))
    }

    async fn probe(&self, key: &Secret) -> Result<(), ModelError> {
        self.endpoint.look("/v1/models?limit=1", headers(key)?, key).await
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.key.clone()]
    }
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anthropic").field("base_url", &self.endpoint.base_url()).finish_non_exhaustive()
    }
}

fn settings(find: impl Fn(&str) -> Option<String>) -> Result<(Secret, AnthropicOptions)> {
    let key = variable(&find, "ANTHROPIC_API_KEY")
        .ok_or_else(|| Error::invalid("ANTHROPIC_API_KEY is not set: it must hold a key of the Anthropic API"))?;
    let mut options = AnthropicOptions::default();
    options.base_url = variable(&find, "ANTHROPIC_BASE_URL").unwrap_or(options.base_url);
    Ok((Secret::new(key), options))
}

fn headers(key: &Secret) -> Result<HeaderMap, ModelError> {
    Ok(HeaderMap::from_iter([
        (HeaderName::from_static("x-api-key"), key_header(key.expose())?),
        (HeaderName::from_static("anthropic-version"), HeaderValue::from_static(API_VERSION)),
        (ACCEPT, HeaderValue::from_static("text/event-stream, application/json")),
    ]))
}

const API_VERSION: &str = "2026-10-21";

#[cfg(test)]
mod tests;
