//! What is to be told to webhooks: the port that keeps it, and the rules that all backends share.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::{Builder, Uuid};

use crate::entity::webhook::EVENTS;
use crate::entity::{Kind, Term};
use crate::run::{Event, Run};
use crate::{DeliveryId, Digest, EntityId, Error, ErrorKind, Page, PageRequest, Result, RunId, TenantId, Timestamp};

/// Something that webhooks may ask for and that happens when the changes are committed that say so.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct News {
    /// What happens: one of [`EVENTS`] that is no event of a run.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What is told of it, an object.
    pub data: Value,
}

impl News {
    /// Checks that webhooks may ask for it.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if they may not.
    pub fn check(&self) -> Result<()> {
        if EVENTS.contains(&self.event_type.as_str()) {
            return Ok(());
        }
        Err(Error::invalid(format!("{:?} is not an event that webhooks may ask for", self.event_type)))
    }
}

/// Something that happened and that webhooks may ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What the ids of its deliveries are made of.
    pub id: Uuid,
    /// The run and its place among the events of the run, if it happened to one.
    pub event: Option<(RunId, u64)>,
    /// What happened.
    pub event_type: String,
    /// When.
    pub at: Timestamp,
    /// What a webhook is sent.
    pub body: Value,
}

impl Message {
    /// The messages that `events` of a run make: none for most commits.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::run::{NewRun, RunRecord, Signal};
    /// use worktruck_core::store::Message;
    /// use worktruck_core::{RunId, TenantId, Timestamp};
    ///
    /// let run = RunId::from_uuid(uuid::Uuid::from_u128(1));
    /// let tenant = TenantId::from_uuid(uuid::Uuid::from_u128(2));
    /// let new = NewRun::new(run, "sweep", serde_json::json!({}));
    /// let (mut record, queued) = RunRecord::accept(new, tenant, Timestamp::EPOCH);
    /// assert!(Message::of(&record.run, &queued).is_empty());
    ///
    /// let events = record.signal(&Signal::Cancel { actor: None }, &mut [], Timestamp::EPOCH)?;
    /// let [message] = &Message::of(&record.run, &events)[..] else { panic!("one of the two events is told") };
    /// assert_eq!(message.body["type"], "run.cancelled");
    /// assert_eq!(message.body["data"]["agent_blueprint"], "sweep");
    /// # Ok::<(), worktruck_core::Error>(())
    /// ```
    #[must_use]
    pub fn of(run: &Run, events: &[Event]) -> Vec<Self> {
        events.iter().filter(|event| event.event_type.is_told()).map(|event| Self::new(run, event)).collect()
    }

    fn new(run: &Run, event: &Event) -> Self {
        let mut data = event.data.as_object().cloned().unwrap_or_else(Map::new);
        data.insert("run_id".to_owned(), json!(run.id));
        data.insert("agent_blueprint".to_owned(), json!(run.agent_blueprint));
        data.insert("seq".to_owned(), json!(event.seq));
        if let Some(actor) = &event.actor {
            data.insert("actor".to_owned(), json!(actor));
        }
        Self {
            id: derived_id(&format!("message:{}", event.id), event.at),
            event: Some((run.id, event.seq)),
            event_type: event.event_type.as_str().to_owned(),
            at: event.at,
            body: json!({ "type": event.event_type, "timestamp": event.at, "data": data }),
        }
    }

    /// The message that commit `tx_id` of a tenant makes of the news at `place` of its changes.
    pub(super) fn of_commit(tenant: TenantId, tx_id: u64, place: usize, news: &News, at: Timestamp) -> Self {
        Self {
            id: derived_id(&format!("news:{tenant}:{tx_id}:{place}"), at),
            event: None,
            event_type: news.event_type.clone(),
            at,
            body: json!({ "type": news.event_type, "timestamp": at, "data": news.data }),
        }
    }

    /// The id of its delivery to a webhook: its own, with the last six bytes of the webhook's id mixed in, which
    /// every database can do.
    #[must_use]
    pub fn delivery_to(&self, webhook: EntityId) -> DeliveryId {
        let (mut bytes, other) = (self.id.into_bytes(), webhook.as_uuid().into_bytes());
        for (byte, other) in bytes.iter_mut().zip(other).skip(10) {
            *byte ^= other;
        }
        DeliveryId::from_uuid(Uuid::from_bytes(bytes))
    }

    /// Its delivery to a webhook, which nobody has tried yet.
    #[must_use]
    pub fn deliver(&self, tenant: TenantId, webhook: EntityId) -> Delivery {
        let new = NewDelivery {
            id: self.delivery_to(webhook),
            webhook_id: webhook,
            event_type: self.event_type.clone(),
            body: self.body.clone(),
        };
        let (run_id, seq) = self.event.unzip();
        Delivery { run_id, seq, ..new.made(tenant, self.at) }
    }
}

/// The id that only this text has, of the moment `at`.
pub(super) fn derived_id(text: &str, at: Timestamp) -> Uuid {
    let mut random = [0; 10];
    random.copy_from_slice(&Digest::of_bytes(text.as_bytes()).as_bytes()[..10]);
    let millis = u64::try_from(at.as_micros().div_euclid(1_000)).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Which entities are told of messages of a type: those of the kind that have the term now.
#[must_use]
pub fn told_of(event_type: &str) -> (Kind, Term) {
    (Kind::Webhook, Term::new(crate::entity::webhook::EVENT_TERM, event_type))
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It is to be tried, for the first time or again.
    Pending,
    /// Its receiver has taken it.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryStatus {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for DeliveryStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Pending, Self::Delivered, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::invalid(format!("{text:?} is not a status of a delivery")))
    }
}

/// A message on its way to a webhook.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Delivery {
    /// Names it; the same for every attempt.
    pub id: DeliveryId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Where it goes.
    pub webhook_id: EntityId,
    /// The run it tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The place of what it tells of among the events of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: String,
    /// How far it is.
    pub status: DeliveryStatus,
    /// How many times it was tried, the attempt under way included. It is the fencing number of an attempt.
    pub attempts: u32,
    /// How many attempts have failed since it was first made, or sent again.
    pub failures: u32,
    /// When it may be tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// What the receiver last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_status: Option<u16>,
    /// Why the last attempt failed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When what it tells of happened.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    /// What is sent.
    pub body: Value,
}

/// A delivery that belongs to no run.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    /// Names it.
    pub id: DeliveryId,
    /// Where it goes.
    pub webhook_id: EntityId,
    /// What happened.
    pub event_type: String,
    /// What is sent.
    pub body: Value,
}

impl NewDelivery {
    /// The delivery, made at `now` and to be tried at once.
    #[must_use]
    pub fn made(self, tenant: TenantId, now: Timestamp) -> Delivery {
        Delivery {
            id: self.id,
            tenant_id: tenant,
            webhook_id: self.webhook_id,
            run_id: None,
            seq: None,
            event_type: self.event_type,
            status: DeliveryStatus::Pending,
            attempts: 0,
            failures: 0,
            next_attempt_at: Some(now),
            response_status: None,
            error: None,
            created_at: now,
            settled_at: None,
            body: self.body,
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attempted {
    /// What the receiver answered, if it did.
    pub response_status: Option<u16>,
    /// What becomes of the delivery.
    pub outcome: Outcome,
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is done.
    Delivered,
    /// It is tried again at that moment.
    Retry {
        /// When.
        at: Timestamp,
        /// Why this attempt failed.
        error: String,
    },
    /// It is given up.
    GivenUp {
        /// Why.
        error: String,
    },
}

impl Delivery {
    /// Gives it to somebody who tries it, until the lease is over.
    pub fn take(&mut self, lease_for: Duration, now: Timestamp) {
        self.attempts += 1;
        self.next_attempt_at = Some(now.after(lease_for));
    }

    /// Takes in what came of the attempt with this number.
    ///
    /// # Errors
    ///
    /// `LeaseLost` if somebody else has tried it since, or it is settled.
    pub fn settle(&mut self, attempt: u32, attempted: Attempted, now: Timestamp) -> Result<()> {
        if self.attempts != attempt || self.status != DeliveryStatus::Pending {
            let message = format!("delivery {} is at attempt {}, not at {attempt}", self.id, self.attempts);
            return Err(Error::new(ErrorKind::LeaseLost, message));
        }
        self.response_status = attempted.response_status;
        (self.status, self.next_attempt_at, self.error) = match attempted.outcome {
            Outcome::Delivered => (DeliveryStatus::Delivered, None, None),
            Outcome::Retry { at, error } => (DeliveryStatus::Pending, Some(at), Some(error)),
            Outcome::GivenUp { error } => (DeliveryStatus::Failed, None, Some(error)),
        };
        if self.status != DeliveryStatus::Delivered {
            self.failures += 1;
        }
        if self.status != DeliveryStatus::Pending {
            self.settled_at = Some(now);
        }
        Ok(())
    }

    /// Has it tried anew at `now`, whatever came of it before.
    pub fn send_again(&mut self, now: Timestamp) {
        self.status = DeliveryStatus::Pending;
        // Who is at it now is at an older attempt.
        self.attempts += 1;
        self.failures = 0;
        self.next_attempt_at = Some(now);
        self.settled_at = None;
    }
}

/// What the cursors of a list of deliveries are bound to.
#[must_use]
pub fn delivery_scope(tenant: TenantId, webhook: EntityId) -> impl Serialize + use<> {
    ("deliveries", tenant, webhook)
}

/// Keeps what is to be told to webhooks until it is delivered.
///
/// A commit or a signal that makes [messages](Message), of events of a run or of the [news](News) that changes of
/// entities carry, makes a delivery of each to every webhook that is [told of](told_of) it, in its own transaction:
/// there is a delivery if and only if it happened. A webhook counts as it is at the tenant's newest commit before.
///
/// # Contract
///
/// - `event_that_a_webhook_asks_for_is_delivered`, `webhook_is_told_only_what_it_asks_for`
/// - `refused_commit_tells_nobody`, `commit_made_again_tells_once`
/// - `news_of_changes_are_delivered_with_them`, `news_of_refused_changes_are_not_told`
#[async_trait]
pub trait Outbox: fmt::Debug + Send + Sync + 'static {
    /// Takes up to `limit` deliveries of any tenant whose time has come, those first that have waited longest, and
    /// gives each for as long as `lease_for`. If nobody settles one until then, it can be taken again.
    ///
    /// Of the deliveries of one run to one webhook that are pending, only the first is taken.
    ///
    /// # Contract
    ///
    /// - `delivery_is_taken_by_one`, `delivery_that_nobody_settles_is_taken_again`
    /// - `deliveries_of_a_run_are_taken_in_order`, `retry_waits_for_its_time`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn take_deliveries(&self, limit: usize, lease_for: Duration, now: Timestamp) -> Result<Vec<Delivery>>;

    /// Keeps what came of the attempt with this number.
    ///
    /// # Contract
    ///
    /// - `late_answer_of_an_attempt_changes_nothing`, `retry_waits_for_its_time`
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such delivery.
    /// - `LeaseLost`: somebody else has taken it since, or it is settled.
    async fn settle_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        attempt: u32,
        attempted: Attempted,
        now: Timestamp,
    ) -> Result<Delivery>;

    /// Adds a delivery that belongs to no run.
    ///
    /// # Contract
    ///
    /// - `delivery_can_be_added_and_sent_again`
    ///
    /// # Errors
    ///
    /// `Conflict` if the tenant has one with this id.
    async fn add_delivery(&self, tenant: TenantId, new: NewDelivery, now: Timestamp) -> Result<Delivery>;

    /// Has a delivery tried anew, whatever came of it before.
    ///
    /// # Contract
    ///
    /// - `delivery_can_be_added_and_sent_again`, `late_answer_of_an_attempt_changes_nothing`
    ///
    /// # Errors
    ///
    /// `NotFound` if the tenant has no such delivery.
    async fn redeliver(&self, tenant: TenantId, id: DeliveryId, now: Timestamp) -> Result<Delivery>;

    /// A page of the deliveries to a webhook, newest first.
    ///
    /// # Contract
    ///
    /// - `deliveries_are_listed_newest_first`, `deliveries_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// `InvalidCursor` if the cursor is damaged or belongs to another list.
    async fn deliveries(&self, tenant: TenantId, webhook: EntityId, page: PageRequest) -> Result<Page<Delivery>>;

    /// Removes up to `limit` deliveries of all tenants that were settled before `before`; gives how many.
    ///
    /// # Contract
    ///
    /// - `old_deliveries_are_forgotten`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn forget_deliveries(&self, before: Timestamp, limit: usize) -> Result<u64>;
}

/// The error of a store that has no such delivery.
#[must_use]
pub fn no_delivery(id: DeliveryId) -> Error {
    Error::not_found(format!("delivery {id}"))
}
