//! Chat completions, as OpenAI and many others serve them, as a provider.

mod call;
mod error;
mod own;
mod request;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use worktruck_core::model::{ModelError, ModelProvider, ModelReply, ModelRequest};
use worktruck_core::{Error, Result, Secret};

use super::http::{Answer, Endpoint, Proxies, Reach, is_of_domain, key_header, variable};
use stream::Assembly;

pub(crate) use own::is_own;

/// A server of chat completions: OpenAI, a gateway, or a model on this machine.
///
/// Answers are streamed, so that dropping the future of a turn closes the connection and stops the
/// answer. Every request is made once, follows no redirect, and goes through no proxy unless
/// [`OpenAi::from_env`] finds one in the environment. The key is in no error and no `Debug`.
///
/// What a server counts is believed. One that counts nothing is charged the most that can have been:
/// a token for every byte of the prompt, and all tokens that the answer was allowed.
///
/// Thoughts that a server wants back go back to the model that had them. Blocks of other providers
/// are left out.
///
/// # Examples
///
/// ```
/// use worktruck_agents::providers::{OpenAi, OpenAiOptions};
/// use worktruck_core::Secret;
///
/// // A server on this machine wants no key.
/// let options = OpenAiOptions { base_url: "http://127.0.0.1:11434/v1/".into(), ..OpenAiOptions::default() };
/// let provider = OpenAi::with_options(None, &options)?;
/// assert_eq!(format!("{provider:?}"), r#"OpenAi { base_url: "http://127.0.0.1:11434/v1", .. }"#);
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub struct OpenAi {
    /// Empty if there is none.
    key: Secret,
    limit: TokenLimit,
    ask_for_usage: bool,
    endpoint: Endpoint,
}

/// Where the server is, how long it is waited for, and what it is known not to understand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenAiOptions {
    /// What stands before `/chat/completions`, mostly with `/v1` at its end: `https` or `http`,
    /// without credentials, query and fragment.
    pub base_url: String,
    /// How long making a connection may take; 10 seconds by default.
    pub connect_timeout: Duration,
    /// How long nothing may come, before the answer begins or within it; 5 minutes by default. Some
    /// servers give no sign of life while a model thinks or is loaded.
    pub stall_timeout: Duration,
    /// How many bytes an answer may have on the wire; 64 MiB by default.
    pub max_response_bytes: usize,
    /// What the server calls the limit of an answer's tokens.
    pub token_limit: TokenLimit,
    /// Whether it is asked to count tokens, with `stream_options`; by default it is. Few servers
    /// refuse to be asked, and they mostly count unasked.
    pub ask_for_usage: bool,
}

/// What a server calls the limit of an answer's tokens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum TokenLimit {
    /// `max_completion_tokens` where the base URL is OpenAI's or Azure's, `max_tokens` elsewhere.
    #[default]
    ByAddress,
    /// `max_tokens`, which nearly all servers know and the newer models of OpenAI refuse.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

impl TokenLimit {
    fn at(self, base_url: &str) -> Self {
        let new = ["openai.com", "openai.azure.com"].iter().any(|domain| is_of_domain(base_url, domain));
        match self {
            Self::ByAddress if new => Self::MaxCompletionTokens,
            Self::ByAddress => Self::MaxTokens,
            chosen => chosen,
        }
    }
}

impl Default for OpenAiOptions {
    fn default() -> Self {
        Self {
            base_url: "https://api.openai.com/v1".to_owned(),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(300),
            max_response_bytes: 64 << 20,
            token_limit: TokenLimit::ByAddress,
            ask_for_usage: true,
        }
    }
}

impl OpenAi {
    /// OpenAI at its own address, used with `key`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](worktruck_core::ErrorKind::Unavailable) if this machine has no
    /// trusted certificates.
    pub fn new(key: Secret) -> Result<Self> {
        Self::with_options(Some(key), &OpenAiOptions::default())
    }

    /// A server as `options` say, used with `key` if it wants one.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if the base URL
    ///   is not one.
    /// - [`ErrorKind::Unavailable`](worktruck_core::ErrorKind::Unavailable) if this machine has no
    ///   trusted certificates.
    pub fn with_options(key: Option<Secret>, options: &OpenAiOptions) -> Result<Self> {
        Self::build(key, options, Proxies::None)
    }

    /// A server as the environment says: the key in `OPENAI_API_KEY`, the base URL in
    /// `OPENAI_BASE_URL`, and the usual variables for proxies.
    ///
    /// # Errors
    ///
    /// Those of [`OpenAi::with_options`], and
    /// [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if there is neither
    /// a key nor a base URL.
    pub fn from_env() -> Result<Self> {
        let (key, options) = settings(|name| std::env::var(name).ok())?;
        Self::build(key, &options, Proxies::OfEnvironment)
    }

    fn build(key: Option<Secret>, options: &OpenAiOptions, proxies: Proxies) -> Result<Self> {
        let reach = Reach {
            base_url: &options.base_url,
            connect_timeout: options.connect_timeout,
            stall_timeout: options.stall_timeout,
            max_response_bytes: options.max_response_bytes,
        };
        let endpoint = Endpoint::new(reach, proxies, error::DIALECT)?;
        Ok(Self {
            key: key.unwrap_or_else(|| Secret::new("")),
            limit: options.token_limit.at(endpoint.base_url()),
            ask_for_usage: options.ask_for_usage,
            endpoint,
        })
    }

    async fn read(&self, answer: Answer, assembly: &mut Assembly) -> Result<(), ModelError> {
        if answer.is_json() {
            return assembly.feed(&answer.text().await?, &self.key);
        }
        let mut events = answer.events();
        loop {
            let data = match events.next().await {
                Ok(Some(data)) => data,
                Ok(None) => return Ok(()),
                // All was said; only the count did not come.
                Err(_) if assembly.has_ended() => return Ok(()),
                Err(error) => return Err(error),
            };
            if data.trim() == DONE {
                events.linger().await;
                return Ok(());
            }
            assembly.feed(&data, &self.key)?;
        }
    }
}

#[async_trait]
impl ModelProvider for OpenAi {
    async fn complete(&self, request: ModelRequest) -> Result<ModelReply, ModelError> {
        let body = request::body(&request, self.limit, self.ask_for_usage)?;
        let answer = self.endpoint.ask("/chat/completions", headers(&self.key)?, &body, &self.key).await?;
        let mut assembly = Assembly::default();
        let read = self.read(answer, &mut assembly).await;
        // What has begun is billed, whatever comes of it.
        read.and_then(|()| assembly.finish(&request)).map_err(|e| ModelError { may_be_billed: true, ..e })
    }

    /// Asks for the list of models. A server that shows it to everybody accepts every key here.
    fn with_key(&self, key: &Secret) -> Option<Arc<dyn ModelProvider>> {
        let Self { limit, ask_for_usage, endpoint, .. } = self;
        let endpoint = endpoint.clone();
        Some(Arc::new(Self { key: key.clone(), limit: *limit, ask_for_usage: *ask_for_usage, endpoint }))
    }

    async fn probe(&self, key: &Secret) -> Result<(), ModelError> {
        self.endpoint.look("/models", headers(key)?, key).await
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.key.clone()]
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("base_url", &self.endpoint.base_url()).finish_non_exhaustive()
    }
}

fn settings(find: impl Fn(&str) -> Option<String>) -> Result<(Option<Secret>, OpenAiOptions)> {
    let key = variable(&find, "OPENAI_API_KEY").map(Secret::new);
    let base_url = variable(&find, "OPENAI_BASE_URL");
    if key.is_none() && base_url.is_none() {
        return Err(Error::invalid(
            "OPENAI_API_KEY is not set: it must hold a key, unless OPENAI_BASE_URL names a server that wants none",
        ));
    }
    let mut options = OpenAiOptions::default();
    options.base_url = base_url.unwrap_or(options.base_url);
    Ok((key, options))
}

fn headers(key: &Secret) -> Result<HeaderMap, ModelError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
    if !key.expose().is_empty() {
        let bearer = Secret::new(format!("Bearer {}", key.expose()));
        headers.insert(AUTHORIZATION, key_header(bearer.expose())?);
    }
    Ok(headers)
}

/// What stands for the end of a stream.
const DONE: &str = "[DONE]";

#[cfg(test)]
mod tests;
