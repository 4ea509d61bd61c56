//! An answer on its way, of which no more is taken than is allowed.

use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use sse_stream::{Sse, SseByteStream};
use worktruck_core::Secret;
use worktruck_core::model::{ModelError, ModelErrorCategory};

use super::failure::{broken, of_transport};

/// An answer that began well.
#[derive(Debug)]
pub(crate) struct Answer {
    response: Response,
    left: usize,
    key: Secret,
}

impl Answer {
    pub(super) const fn new(response: Response, left: usize, key: Secret) -> Self {
        Self { response, left, key }
    }

    /// Whether it comes in one piece, although it was asked for as a stream.
    pub(crate) fn is_json(&self) -> bool {
        let kind = self.response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("application/json"))
    }

    /// The whole body as text.
    ///
    /// # Errors
    ///
    /// What an end before its time, a body that is too long or one that is no text means.
    pub(crate) async fn text(self) -> Result<String, ModelError> {
        let Self { mut response, left, key } = self;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| of_transport(e, &key))? {
            if left - body.len() < chunk.len() {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| broken("it is no text"))
    }

    /// The body as events.
    pub(crate) fn events(self) -> Events {
        let Self { response, mut left, key } = self;
        let bytes = response.bytes_stream().map(move |chunk| {
            let chunk = chunk.map_err(|e| of_transport(e, &key))?;
            left = left.checked_sub(chunk.len()).ok_or_else(too_long)?;
            Ok::<_, ModelError>(chunk)
        });
        Events { inner: Box::pin(SseByteStream::new(bytes)) }
    }
}

/// The events of an answer.
pub(crate) struct Events {
    inner: Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>,
}

impl Events {
    /// The data of the next event that has some; `None` at the end.
    ///
    /// # Errors
    ///
    /// What an end before its time, a body that is too long or one that is no event stream means.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, ModelError> {
        while let Some(event) = self.inner.next().await {
            if let Some(data) = event.map_err(undecodable)?.data.filter(|data| !data.is_empty()) {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Waits shortly for the end: a connection that was read to it serves the next turn, too.
    pub(crate) async fn linger(mut self) {
        let _ = tokio::time::timeout(LINGER, self.inner.next()).await;
    }
}

/// Repeating the request would cost the same again.
fn too_long() -> ModelError {
    ModelError::new(ModelErrorCategory::InvalidRequest, "the provider's answer is longer than is accepted")
}

fn undecodable(error: sse_stream::Error) -> ModelError {
    match error {
        sse_stream::Error::Body(cause) => {
            cause.downcast::<ModelError>().map_or_else(|_| broken("it is no event stream"), |error| *error)
        }
        _ => broken("it is no event stream"),
    }
}

/// How long the end of a finished answer is waited for.
const LINGER: Duration = Duration::from_millis(100);
