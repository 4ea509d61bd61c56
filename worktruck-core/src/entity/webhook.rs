//! Webhooks: where to tell of what happens.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result, Timestamp};

use super::text::{check_object, check_optional, check_optional_text, check_url};
use super::{Entity, Index, Kind, Locale};

/// The index term that names what a webhook is told of, while it is active.
pub const EVENT_TERM: &str = "event";

/// What a webhook can ask for.
pub const EVENTS: [&str; 9] = [
    "run.succeeded",
    "run.failed",
    "run.cancelled",
    "run.waiting",
    "config.disabled",
    "approval.requested",
    "approval.decided",
    "app.unhealthy",
    "merge_proposal.created",
];

/// Whether a webhook is told of anything.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookStatus {
    /// It is.
    #[default]
    Active,
    /// It is not, because somebody said so or because it did not answer for days.
    Disabled,
}

/// Where to tell of what happens. What signs the messages is kept elsewhere: an entity has a history.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::webhook::Webhook;
///
/// let webhook = Webhook::new("https://example.com/hook", ["run.failed"]);
/// webhook.check()?;
///
/// let wrong = Webhook::new("https://example.com/hook", ["run.faild"]);
/// assert_eq!(wrong.check().unwrap_err().pointer(), Some("/events/0"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// `https://…`, or `http://…`.
    pub url: String,
    /// What it is told of.
    pub events: Vec<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is told of anything.
    #[serde(default)]
    pub status: WebhookStatus,
    /// When it was disabled because it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Webhook {
    /// A webhook that is told of these events.
    pub fn new(url: impl Into<String>, events: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { url: url.into(), events: events.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_url("/url", Some(&self.url))?;
        let rest = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        let authority = rest.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
        if authority.is_empty() || authority.contains('@') || self.url.contains('#') {
            let message = "the url must be https://host/… without a name, a password and a fragment";
            return Err(Error::invalid(message).at("/url"));
        }
        if self.events.is_empty() {
            return Err(Error::invalid("a webhook asks for one event or more").at("/events"));
        }
        for (at, event) in self.events.iter().enumerate() {
            let pointer = format!("/events/{at}");
            if !EVENTS.contains(&event.as_str()) {
                let message = format!("{event:?} is not an event; there are {}", EVENTS.join(", "));
                return Err(Error::invalid(message).at(pointer));
            }
            if self.events.iter().take(at).any(|before| before == event) {
                return Err(Error::invalid(format!("{event} is named twice")).at(pointer));
            }
        }
        check_optional("/description", self.description.as_deref())?;
        check_optional_text("/disabled_reason", self.disabled_reason.as_deref())?;
        check_object("/metadata", &self.metadata)
    }
}

impl Entity for Webhook {
    const KIND: Kind = Kind::Webhook;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        let events = match self.status {
            WebhookStatus::Active => &self.events[..],
            WebhookStatus::Disabled => &[],
        };
        Ok(Index::default().terms(EVENT_TERM, events))
    }
}
