//! The Anthropic Messages API as a provider.

mod error;
mod request;
mod stream;
mod wire;

use std::fmt;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::StreamExt;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, Url, redirect, retry};
use sse_stream::SseByteStream;
use worktruck_core::model::{ModelError, ModelErrorCategory, ModelProvider, ModelReply, ModelRequest};
use worktruck_core::{Error, Result, Secret, Timestamp};

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
    /// Without a slash at its end.
    base_url: String,
    max_response_bytes: usize,
    client: Client,
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
        Self::build(key, options, Client::builder().no_proxy())
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
        Self::build(key, &options, Client::builder())
    }

    fn build(key: Secret, options: &AnthropicOptions, client: ClientBuilder) -> Result<Self> {
        let client = client
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.stall_timeout)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .user_agent(concat!("worktruck/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::unavailable("the HTTP client cannot be set up").with_source(e))?;
        let base_url = base_url(&options.base_url)?;
        Ok(Self { key, base_url, max_response_bytes: options.max_response_bytes, client })
    }

    async fn read(&self, response: Response, asked: &str) -> Result<ModelReply, ModelError> {
        let mut left = self.max_response_bytes;
        let bytes = response.bytes_stream().map(|chunk| {
            let chunk = chunk.map_err(|e| error::of_transport(e, &self.key))?;
            left = left.checked_sub(chunk.len()).ok_or_else(too_large)?;
            Ok::<_, ModelError>(chunk)
        });
        let mut events = pin!(SseByteStream::new(bytes));
        let mut assembly = Assembly::default();
        while let Some(event) = events.next().await {
            if let Some(data) = event.map_err(undecodable)?.data.filter(|data| !data.is_empty()) {
                assembly.feed(&data, &self.key)?;
            }
            if assembly.is_complete() {
                // A connection that was read to its end serves the next turn, too.
                let _ = tokio::time::timeout(LINGER, events.next()).await;
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
        let ask = self.client.post(format!("{}/v1/messages", self.base_url)).headers(headers(&self.key)?).json(&body);
        let response = ask.send().await.map_err(|e| {
            // Once the request is on its way, the provider may work on it whatever becomes of the answer.
            let may_be_billed = !e.is_connect() && !e.is_builder();
            ModelError { may_be_billed, ..error::of_transport(e, &self.key) }
        })?;
        let answer = accepted(response, &self.key).await?;
        self.read(answer, &request.model).await.map_err(|e| ModelError { may_be_billed: true, ..e })
    }

    async fn probe(&self, key: &Secret) -> Result<(), ModelError> {
        let ask = self.client.get(format!("{}/v1/models?limit=1", self.base_url)).headers(headers(key)?);
        let response = ask.timeout(PROBE_TIMEOUT).send().await.map_err(|e| error::of_transport(e, key))?;
        accepted(response, key).await.map(drop)
    }
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anthropic").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

fn settings(variable: impl Fn(&str) -> Option<String>) -> Result<(Secret, AnthropicOptions)> {
    let set = |name| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let key = set("ANTHROPIC_API_KEY")
        .ok_or_else(|| Error::invalid("ANTHROPIC_API_KEY is not set: it must hold a key of the Anthropic API"))?;
    let mut options = AnthropicOptions::default();
    options.base_url = set("ANTHROPIC_BASE_URL").unwrap_or(options.base_url);
    Ok((Secret::new(key), options))
}

/// The text is not repeated in an error: it may hold credentials.
fn base_url(text: &str) -> Result<String> {
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

fn headers(key: &Secret) -> Result<HeaderMap, ModelError> {
    let mut key = HeaderValue::from_str(key.expose())
        .map_err(|_| ModelError::new(ModelErrorCategory::InvalidKey, "the key has characters that no key has"))?;
    key.set_sensitive(true);
    Ok(HeaderMap::from_iter([
        (HeaderName::from_static("x-api-key"), key),
        (HeaderName::from_static("anthropic-version"), HeaderValue::from_static(API_VERSION)),
        (ACCEPT, HeaderValue::from_static("text/event-stream, application/json")),
    ]))
}

/// The response if it is no error.
async fn accepted(mut response: Response, key: &Secret) -> Result<Response, ModelError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ERROR_BODY {
            break;
        }
    }
    Err(error::of_response(response.status(), response.headers(), &body, local_now(), key))
}

fn local_now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.after(since)
}

fn too_large() -> ModelError {
    ModelError::new(ModelErrorCategory::InvalidRequest, "the provider's answer is longer than is accepted")
}

fn undecodable(error: sse_stream::Error) -> ModelError {
    let other = || ModelError::new(ModelErrorCategory::ProviderUnavailable, "the provider's answer is no event stream");
    match error {
        sse_stream::Error::Body(cause) => cause.downcast::<ModelError>().map_or_else(|_| other(), |error| *error),
        _ => other(),
    }
}

const API_VERSION: &str = "2026-10-21";
/// How long the end of a finished answer is waited for.
const LINGER: Duration = Duration::from_millis(100);
/// A probe has a person waiting for it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// More of an error is not read.
const LONGEST_ERROR_BODY: usize = 64 << 10;

#[cfg(test)]
mod tests;
