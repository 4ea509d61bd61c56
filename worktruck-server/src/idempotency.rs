//! Requests with an `Idempotency-Key`, which are done once however often they are sent.

use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;
use worktruck_core::store::{Begun, Effect, NewRequest, SecretName, StoredAnswer};
use worktruck_core::{Digest, Error, ErrorKind, Secret, TenantId};

use crate::{Failure, Service};

/// The header with the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The headers of an answer that are kept with it.
const KEPT: [HeaderName; 3] = [CONTENT_TYPE, ETAG, LOCATION];
/// How long an attempt may take beyond the time that its request may.
const SLACK: Duration = Duration::from_secs(10);

/// An attempt at a request.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) key: String,
    pub(crate) id: Uuid,
    /// What an attempt before it did.
    pub(crate) done: Option<Effect>,
}

/// What becomes of a request.
pub(crate) enum Next {
    /// It is to be done.
    Do(Attempt),
    /// It was answered already.
    Answer(Response),
}

/// The key of a request, if it has one.
///
/// # Errors
///
/// 400 if it is malformed.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=255).contains(&text.len()));
    let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
    let wrong = || Failure::invalid("Idempotency-Key must be 1 to 255 visible ASCII characters");
    text.map(|text| Some(text.to_owned())).ok_or_else(wrong)
}

/// Begins an attempt at a request that takes `time` at most; `asked` is all that says what is asked for.
///
/// # Errors
///
/// 409 while somebody else is at it, 422 if the key was used for another request.
pub(crate) async fn begin(
    service: &Service,
    tenant: TenantId,
    key: String,
    asked: &[&[u8]],
    time: Duration,
) -> Result<Next, Failure> {
    let mut bytes = Vec::new();
    for part in asked {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    let now = service.clock().now();
    let id = service.ids().next_uuid(now);
    let new = NewRequest { key: key.clone(), digest: Digest::of_bytes(&bytes), attempt: id };
    let done = match service.store().begin_request(tenant, new, time + SLACK, now).await? {
        Begun::New => None,
        Begun::Interrupted(done) => done,
        Begun::InProgress => {
            let message = "a request with this Idempotency-Key is in progress; send it again later";
            return Err(Failure::from(Error::conflict(message)).with_header(RETRY_AFTER, HeaderValue::from_static("1")));
        }
        Begun::Answered(answer) => return replay(service, tenant, &key, answer).await.map(Next::Answer),
    };
    Ok(Next::Do(Attempt { key, id, done }))
}

/// Keeps the answer of an attempt, and gives it.
///
/// What was refused is as if it had never been asked for. After a defect, or without the store, nobody knows what was
/// done: the next attempt finds out.
pub(crate) async fn end(
    service: &Service,
    tenant: TenantId,
    attempt: &Attempt,
    is_secret: bool,
    answer: Result<Response, Failure>,
) -> Result<Response, Failure> {
    let store = service.store();
    let response = match answer {
        Ok(response) => response,
        Err(failure) => {
            if failure.status().is_client_error() {
                given(store.end_request(tenant, &attempt.key, attempt.id, None).await)?;
            }
            return Err(failure);
        }
    };
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|_| Failure::internal())?;
    let text = String::from_utf8(body.to_vec()).map_err(|_| Failure::internal())?;
    let text = match (is_secret, service.vault()) {
        (false, _) => text,
        (true, Some(vault)) => vault.seal(tenant, &name(&attempt.key), &Secret::new(text)).await?,
        // Such a request is refused before it begins.
        (true, None) => return Err(Failure::internal()),
    };
    let header = |name: &HeaderName| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    let stored = StoredAnswer {
        status: parts.status.as_u16(),
        headers: KEPT.iter().filter_map(header).collect(),
        body: text,
        is_sealed: is_secret,
    };
    given(store.end_request(tenant, &attempt.key, attempt.id, Some(stored)).await)?;
    Ok(Response::from_parts(parts, body.into()))
}

/// An attempt that somebody else has taken over has nothing more to say of it.
fn given(ended: Result<(), Error>) -> Result<(), Failure> {
    match ended {
        Err(error) if error.kind() == ErrorKind::LeaseLost => {
            Err(Error::conflict("another attempt at this request has begun; send it again").into())
        }
        ended => Ok(ended?),
    }
}

async fn replay(service: &Service, tenant: TenantId, key: &str, answer: StoredAnswer) -> Result<Response, Failure> {
    let body = match service.vault() {
        _ if !answer.is_sealed => answer.body,
        Some(vault) => match vault.unseal(tenant, &name(key), &answer.body).await? {
            Some(secret) => secret.expose().to_owned(),
            None => return Err(cannot_be_shown()),
        },
        None => return Err(cannot_be_shown()),
    };
    let status = StatusCode::from_u16(answer.status).map_err(|_| Failure::internal())?;
    let mut response = (status, Bytes::from(body)).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name).map_err(|_| Failure::internal())?;
        response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(|_| Failure::internal())?);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn cannot_be_shown() -> Failure {
    Error::conflict("the request was done, and its answer holds a secret that cannot be shown any more").into()
}

fn name(key: &str) -> SecretName {
    SecretName::new("request", key)
}
