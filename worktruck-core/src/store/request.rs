//! Requests that are made once however often they are sent: the port that remembers them.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{Digest, Error, ErrorKind, Result, TenantId, Timestamp};

/// How long a request is remembered.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// A request under a key that its sender chose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewRequest {
    /// 1 to 255 visible ASCII characters.
    pub key: String,
    /// What is asked for: another request under the same key is refused.
    pub digest: Digest,
    /// Names this attempt at it, and no other.
    pub attempt: Uuid,
}

impl NewRequest {
    /// Checks the key.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is empty, too long or has other characters.
    pub fn check(&self) -> Result<()> {
        check_key(&self.key)
    }
}

fn check_key(key: &str) -> Result<()> {
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::invalid("an idempotency key has 1 to 255 visible ASCII characters").at("/idempotency_key"))
}

/// That the changes of a commit are what a request asked for.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RequestMark {
    /// The key of the request.
    pub key: String,
    /// The attempt, which must still be the one that is under way.
    pub attempt: Uuid,
    /// What its answer is made of, should nobody have stored that.
    pub note: Value,
}

/// What a request did before it was interrupted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Effect {
    /// The number of its commit.
    pub tx_id: u64,
    /// The system time of its commit.
    pub at: Timestamp,
    /// What its answer is made of.
    pub note: Value,
}

/// An answer that was given.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StoredAnswer {
    /// The status of HTTP.
    pub status: u16,
    /// Names and values of headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body, or what it is sealed as.
    pub body: String,
    /// Whether the body is sealed, because it holds a secret.
    #[serde(default)]
    pub is_sealed: bool,
}

/// What a request finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Begun {
    /// Nobody has asked for it: it is to be done.
    New,
    /// Somebody has, did not get to the end of it, and has gone: it is to be done if it has no effect yet, and to be
    /// answered.
    Interrupted(Option<Effect>),
    /// Somebody is at it.
    InProgress,
    /// It was answered.
    Answered(StoredAnswer),
}

/// What is remembered of a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RequestRecord {
    /// What is asked for.
    pub digest: Digest,
    /// The newest attempt at it.
    pub attempt: Uuid,
    /// Until when nobody else tries.
    pub held_until: Timestamp,
    /// When it was first made.
    pub created_at: Timestamp,
    /// What it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// What was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<StoredAnswer>,
}

impl RequestRecord {
    /// What a request finds where this is remembered, and what is remembered then.
    ///
    /// # Errors
    ///
    /// `IdempotencyMismatch` if another request has the key.
    pub fn begin(known: Option<Self>, new: &NewRequest, lease_for: Duration, now: Timestamp) -> Result<(Begun, Self)> {
        let held_until = now.after(lease_for);
        let Some(known) = known.filter(|known| now < known.created_at.after(KEPT_FOR)) else {
            let (digest, attempt) = (new.digest, new.attempt);
            let record = Self { digest, attempt, held_until, created_at: now, effect: None, answer: None };
            return Ok((Begun::New, record));
        };
        if known.digest != new.digest {
            let message = "the idempotency key was used for another request; choose a new one";
            return Err(Error::new(ErrorKind::IdempotencyMismatch, message));
        }
        if let Some(answer) = &known.answer {
            return Ok((Begun::Answered(answer.clone()), known));
        }
        if now < known.held_until {
            return Ok((Begun::InProgress, known));
        }
        Ok((Begun::Interrupted(known.effect.clone()), Self { attempt: new.attempt, held_until, ..known }))
    }

    /// What a commit does that says that it is what was asked for.
    ///
    /// # Errors
    ///
    /// As for [`held`](Self::held); `Conflict` if it was done already.
    pub fn effect(&self, mark: &RequestMark, tx_id: u64, at: Timestamp) -> Result<Effect> {
        self.held(mark.attempt)?;
        if self.effect.is_some() {
            return Err(done_already());
        }
        Ok(Effect { tx_id, at, note: mark.note.clone() })
    }

    /// Refuses an attempt that is not the one under way.
    ///
    /// # Errors
    ///
    /// `LeaseLost` if another attempt has begun, or the request was answered.
    pub fn held(&self, attempt: Uuid) -> Result<()> {
        if self.attempt == attempt && self.answer.is_none() {
            return Ok(());
        }
        Err(attempt_lost())
    }
}

/// The error of a commit for a request that has had its effect.
pub(super) fn done_already() -> Error {
    Error::conflict("what the request asked for is done already")
}

/// The error of an attempt that is not the one under way.
#[must_use]
pub fn attempt_lost() -> Error {
    Error::new(ErrorKind::LeaseLost, "somebody else has taken the request over")
}

/// Remembers requests, so that one that is sent again is not done again.
///
/// A request begins, has an effect, and is answered. The effect on entities is a commit that
/// [says so](super::Changes::request): the commit and what is remembered of it are one transaction. An attempt whose
/// process is gone is taken over after its lease, and what it does late is refused.
///
/// # Contract
///
/// - `effect_of_a_request_is_committed_once`, `late_attempt_at_a_request_changes_nothing`
#[async_trait]
pub trait RequestStore: fmt::Debug + Send + Sync + 'static {
    /// Begins an attempt at a request, which is the only one for as long as `lease_for`.
    ///
    /// # Contract
    ///
    /// - `request_that_was_answered_is_answered_again`, `request_is_attempted_by_one`
    /// - `key_of_another_request_is_refused`, `request_is_remembered_for_a_day`
    /// - `requests_of_tenants_have_nothing_to_do_with_each_other`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: the key is malformed.
    /// - `IdempotencyMismatch`: another request has the key.
    async fn begin_request(
        &self,
        tenant: TenantId,
        new: NewRequest,
        lease_for: Duration,
        now: Timestamp,
    ) -> Result<Begun>;

    /// Ends a request with its answer; without one, as if it had never been made.
    ///
    /// # Contract
    ///
    /// - `request_that_was_answered_is_answered_again`, `request_that_is_given_up_can_be_made`
    /// - `late_attempt_at_a_request_changes_nothing`
    ///
    /// # Errors
    ///
    /// `LeaseLost` if another attempt has begun, or the request was answered.
    async fn end_request(&self, tenant: TenantId, key: &str, attempt: Uuid, answer: Option<StoredAnswer>)
    -> Result<()>;

    /// Forgets up to `limit` requests of all tenants that were made before `before`; gives how many.
    ///
    /// # Contract
    ///
    /// - `old_requests_are_forgotten`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn forget_requests(&self, before: Timestamp, limit: usize) -> Result<u64>;
}
