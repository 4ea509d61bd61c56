use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use worktruck_core::{Error, Result, Secret, Timestamp};

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// How many random bytes a secret has.
const BYTES: usize = 32;
/// How long an old secret signs beside the new one.
const OVERLAP: Duration = Duration::from_hours(24);

/// The secret that signs the messages to a webhook, and the one before it as long as that signs too.
///
/// # Examples
///
/// ```
/// use worktruck_agents::webhooks::SigningKeys;
/// use worktruck_core::{Secret, Timestamp};
///
/// let keys = SigningKeys::of(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))?;
/// let at = Timestamp::from_micros(1_614_265_330_000_000);
/// let signature = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#)?;
/// assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SigningKeys {
    current: Secret,
    previous: Option<(Secret, Timestamp)>,
}

impl SigningKeys {
    /// A secret that is not known yet to anybody.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the system has no randomness.
    pub fn generate() -> Result<Self> {
        Ok(Self { current: new_secret()?, previous: None })
    }

    /// A secret that is there already.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is not `whsec_` and base64.
    pub fn of(secret: Secret) -> Result<Self> {
        key(&secret)?;
        Ok(Self { current: secret, previous: None })
    }

    /// The secret that signs.
    #[must_use]
    pub const fn current(&self) -> &Secret {
        &self.current
    }

    /// A new secret, beside which the present one signs for a day.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the system has no randomness.
    pub fn rotate(self, now: Timestamp) -> Result<Self> {
        Ok(Self { current: new_secret()?, previous: Some((self.current, now.after(OVERLAP))) })
    }

    /// The signatures of a message, sent at `at`: what the header `webhook-signature` has.
    ///
    /// # Errors
    ///
    /// `Internal` if a secret is damaged.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> Result<String> {
        let previous = self.previous.as_ref().filter(|(_, until)| at < *until).map(|(secret, _)| secret);
        let mut signatures = Vec::with_capacity(2);
        for secret in std::iter::once(&self.current).chain(previous) {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret)?)
                .map_err(|e| Error::internal("a secret cannot sign").with_source(e))?;
            mac.update(format!("{id}.{}.", seconds(at)).as_bytes());
            mac.update(body);
            signatures.push(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
        }
        Ok(signatures.join(" "))
    }

    /// All of it as one text, to be kept where secrets are.
    ///
    /// # Errors
    ///
    /// `Internal` if it has no JSON form.
    pub fn seal(&self) -> Result<Secret> {
        let mut text = json!({ "current": self.current.expose() });
        if let Some((previous, until)) = &self.previous {
            text["previous"] = json!(previous.expose());
            text["until"] = json!(until);
        }
        let text = serde_json::to_string(&text).map_err(|e| Error::internal("secrets have no form").with_source(e))?;
        Ok(Secret::new(text))
    }

    /// Reads what [`seal`](Self::seal) made.
    ///
    /// # Errors
    ///
    /// `Internal` if it is damaged.
    pub fn open(text: &Secret) -> Result<Self> {
        // Whatever is wrong with it, its text is not repeated.
        let damaged = || Error::internal("the secret of a webhook is stored damaged; rotate it");
        let read: Value = serde_json::from_str(text.expose()).map_err(|_| damaged())?;
        let secret = |name: &str| read.get(name).and_then(Value::as_str).map(Secret::new);
        let current = secret("current").ok_or_else(damaged)?;
        let previous = match (secret("previous"), read.get("until").and_then(Value::as_str)) {
            (Some(previous), Some(until)) => Some((previous, until.parse().map_err(|_| damaged())?)),
            _ => None,
        };
        Ok(Self { current, previous })
    }
}

/// The moment as a header has it.
pub(super) fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

fn new_secret() -> Result<Secret> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|e| Error::unavailable(format!("the system has no randomness: {e}")))?;
    Ok(Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes))))
}

fn key(secret: &Secret) -> Result<Vec<u8>> {
    let bytes = secret.expose().strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    bytes.ok_or_else(|| Error::invalid(format!("a secret is {PREFIX} and base64")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_secret_signs_beside_the_new_one_for_a_day() {
        let at = |hours: u64| Timestamp::EPOCH.after(Duration::from_hours(hours));
        let first = SigningKeys::generate().unwrap();
        let second = first.clone().rotate(at(1)).unwrap();
        assert_ne!(first.current().expose(), second.current().expose());
        let kept = SigningKeys::open(&second.seal().unwrap()).unwrap();
        let alone = |now| first.sign("msg", now, b"{}").unwrap();
        let both = kept.sign("msg", at(24), b"{}").unwrap();
        assert_eq!(both.split(' ').nth(1), Some(alone(at(24)).as_str()));
        assert_eq!(kept.sign("msg", at(25), b"{}").unwrap().split(' ').count(), 1);
    }

    #[test]
    fn damaged_secret_is_refused_without_its_text() {
        for text in
            ["", "{}", "whsec_abc", r#"{"current":1}"#, r#"{"current":"whsec_QQ==","previous":"x","until":"x"}"#]
        {
            let error = SigningKeys::open(&Secret::new(text)).unwrap_err();
            assert!(!error.chain().contains("QQ"), "{error}");
        }
        assert!(SigningKeys::of(Secret::new("abc")).is_err());
    }
}
