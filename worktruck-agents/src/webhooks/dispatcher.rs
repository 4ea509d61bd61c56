use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use tokio::task::JoinSet;
use worktruck_core::entity::webhook::{Webhook, WebhookStatus};
use worktruck_core::pim::Stored;
use worktruck_core::pim::webhooks::disable;
use worktruck_core::store::{Attempted, Delivery, Outcome, Provenance};
use worktruck_core::{Error, ErrorKind, Result, Timestamp};

use crate::net::{AllowedHosts, GuardedClient, explain};

use super::Webhooks;
use super::sign::seconds;

/// How long is waited after each failure, in seconds: three days in all.
const DELAYS: [u64; 10] = [5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 73_440];
/// How often a webhook that somebody else writes to is read again before it is disabled.
const ATTEMPTS: usize = 8;
/// How many old deliveries are removed at once.
const PIECE: usize = 1_000;

/// How a dispatcher works.
#[derive(Clone, Debug)]
pub struct DispatcherOptions {
    /// How many messages it sends at once.
    pub concurrency: usize,
    /// How long it sleeps at most before it looks for new ones.
    pub poll: Duration,
    /// How long an attempt is its own; longer than one can take, by as much as clocks may differ.
    pub lease_for: Duration,
    /// How long deliveries that are done or given up are shown.
    pub keep_for: Duration,
}

impl Default for DispatcherOptions {
    fn default() -> Self {
        Self {
            concurrency: 16,
            poll: Duration::from_secs(1),
            lease_for: Duration::from_secs(60),
            keep_for: Duration::from_hours(24 * 30),
        }
    }
}

/// What came of attempts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// How many were taken by their receivers.
    pub delivered: u64,
    /// How many are tried again.
    pub retried: u64,
    /// How many were given up.
    pub given_up: u64,
    /// How many attempts came to nothing here; others make them again.
    pub lost: u64,
}

/// Sends what is in the outbox of a store. Any number of processes may do so for one store.
///
/// A receiver has taken a message if it answers with 2xx. Every other answer, and none, is a failure, after which the
/// message is sent again: after 5 seconds, a minute, and so on for three days. A webhook that has not taken a message
/// by then is disabled, and one that answers 410 (gone) at once; what else it was to be sent is given up.
#[derive(Debug)]
pub struct Dispatcher {
    desk: Arc<Desk>,
}

/// What attempts are made with.
#[derive(Debug)]
struct Desk {
    webhooks: Webhooks,
    client: GuardedClient,
    options: DispatcherOptions,
}

impl Dispatcher {
    pub(super) fn new(webhooks: Webhooks, allowed: AllowedHosts, options: DispatcherOptions) -> Result<Self> {
        let client = GuardedClient::new(allowed)?;
        Ok(Self { desk: Arc::new(Desk { webhooks, client, options }) })
    }

    /// Sends until `stop` completes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future breaks attempts off; they are made again when their leases are over.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => {}
            () = self.run() => {}
        }
    }

    /// Sends all whose time has come, and what follows them, until there is nothing more to send now.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn run_once(&self) -> Result<Totals> {
        let mut totals = Totals::default();
        let mut tasks = JoinSet::new();
        while self.start(self.desk.options.concurrency.max(1), &mut tasks).await? > 0 {
            while let Some(done) = tasks.join_next().await {
                totals.count(done.as_ref().ok().and_then(Option::as_ref));
            }
        }
        Ok(totals)
    }

    async fn run(&self) {
        let options = &self.desk.options;
        let mut tasks = JoinSet::new();
        let mut forgot_at: Option<Timestamp> = None;
        loop {
            while tasks.try_join_next().is_some() {}
            let free = options.concurrency.max(1).saturating_sub(tasks.len());
            if free > 0
                && let Err(error) = self.start(free, &mut tasks).await
            {
                tracing::warn!(error = %error.chain(), "cannot look for what webhooks are told");
            }
            let now = self.desk.webhooks.runtime.now();
            if forgot_at.is_none_or(|at| at.after(Duration::from_hours(1)) <= now) {
                forgot_at = Some(now);
                self.forget(now).await;
            }
            tokio::select! {
                // What follows it can be sent now.
                Some(_) = tasks.join_next() => {}
                () = tokio::time::sleep(options.poll) => {}
            }
        }
    }

    /// Begins up to `free` attempts, and gives how many.
    async fn start(&self, free: usize, tasks: &mut JoinSet<Option<Outcome>>) -> Result<usize> {
        let runtime = &self.desk.webhooks.runtime;
        let taken = runtime.store().take_deliveries(free, self.desk.options.lease_for, runtime.now()).await?;
        let count = taken.len();
        for delivery in taken {
            let desk = Arc::clone(&self.desk);
            tasks.spawn(async move {
                let (id, attempt) = (delivery.id, delivery.attempts);
                match desk.attempt(delivery).await {
                    Ok(outcome) => Some(outcome),
                    Err(error) => {
                        // It is made again when its lease is over.
                        tracing::warn!(error = %error.chain(), delivery = %id, attempt, "an attempt came to nothing");
                        None
                    }
                }
            });
        }
        Ok(count)
    }

    async fn forget(&self, now: Timestamp) {
        let store = self.desk.webhooks.runtime.store();
        let before = now.before(self.desk.options.keep_for);
        if let Err(error) = store.forget_deliveries(before, PIECE).await {
            tracing::warn!(error = %error.chain(), "cannot remove old deliveries");
        }
    }
}

impl Totals {
    const fn count(&mut self, outcome: Option<&Outcome>) {
        match outcome {
            Some(Outcome::Delivered) => self.delivered += 1,
            Some(Outcome::Retry { .. }) => self.retried += 1,
            Some(Outcome::GivenUp { .. }) => self.given_up += 1,
            None => self.lost += 1,
        }
    }
}

/// What a receiver made of a message.
enum Answer {
    Taken,
    Gone,
    Failed(String),
}

impl Desk {
    /// Makes an attempt, and keeps what came of it.
    async fn attempt(&self, delivery: Delivery) -> Result<Outcome> {
        let (tenant, runtime) = (delivery.tenant_id, &self.webhooks.runtime);
        let webhook = match self.webhooks.pim.webhooks(tenant).get(delivery.webhook_id).await {
            Ok(webhook) => Some(webhook).filter(|webhook| webhook.data.status == WebhookStatus::Active),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (response_status, outcome) = match webhook {
            None => (None, Outcome::GivenUp { error: "the webhook is disabled or deleted".to_owned() }),
            Some(webhook) => {
                let (status, answer) = self.send(&webhook, &delivery).await;
                (status, self.judge(&webhook, &delivery, answer).await?)
            }
        };
        let attempted = Attempted { response_status, outcome: outcome.clone() };
        runtime.store().settle_delivery(tenant, delivery.id, delivery.attempts, attempted, runtime.now()).await?;
        Ok(outcome)
    }

    /// What becomes of a message by what its receiver answered. A webhook is disabled before its message is given up,
    /// so that whoever is interrupted in between does it again.
    async fn judge(&self, webhook: &Stored<Webhook>, delivery: &Delivery, answer: Answer) -> Result<Outcome> {
        let failures = usize::try_from(delivery.failures).unwrap_or(usize::MAX);
        let (error, reason) = match (answer, DELAYS.get(failures)) {
            (Answer::Taken, _) => return Ok(Outcome::Delivered),
            (Answer::Failed(error), Some(delay)) => {
                let at = self.webhooks.runtime.now().after(Duration::from_secs(*delay));
                return Ok(Outcome::Retry { at, error });
            }
            (Answer::Failed(error), None) => {
                let reason = format!("delivery {} could not be made for three days: {error}", delivery.id);
                (error, reason)
            }
            (Answer::Gone, _) => {
                let error = "it answered 410: it wants no more".to_owned();
                (error.clone(), error)
            }
        };
        self.disable(webhook, &reason).await?;
        Ok(Outcome::GivenUp { error })
    }

    async fn send(&self, webhook: &Stored<Webhook>, delivery: &Delivery) -> (Option<u16>, Answer) {
        match self.post(webhook, delivery).await {
            Ok(status @ 200..=299) => (Some(status), Answer::Taken),
            Ok(410) => (Some(410), Answer::Gone),
            Ok(status) => (Some(status), Answer::Failed(format!("it answered {status}"))),
            Err(error) => (None, Answer::Failed(error.to_string())),
        }
    }

    /// Sends a message and gives the status of the answer, whose body is not read.
    async fn post(&self, webhook: &Stored<Webhook>, delivery: &Delivery) -> Result<u16> {
        let keys = self.webhooks.keys(delivery.tenant_id, webhook.id).await?;
        let (id, at) = (delivery.id.to_string(), self.webhooks.runtime.now());
        let body = serde_json::to_vec(&delivery.body)
            .map_err(|e| Error::internal("a message has no JSON form").with_source(e))?;
        let request = self.client.request(Method::POST, &webhook.data.url)?;
        let signature = keys.sign(&id, at, &body)?;
        let answer = request
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", seconds(at))
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await;
        answer.map(|answer| answer.status().as_u16()).map_err(|e| Error::unavailable(explain(&e)))
    }

    async fn disable(&self, webhook: &Stored<Webhook>, reason: &str) -> Result<()> {
        let (tenant, runtime) = (webhook.tenant(), &self.webhooks.runtime);
        let mut webhook = webhook.clone();
        for _ in 0..ATTEMPTS {
            let by = Provenance::new("webhooks", "webhook_disabled");
            let changes = disable(&webhook, &by.captured_by, reason, runtime.now());
            match runtime.store().apply(tenant, changes, by, runtime.now()).await {
                Ok(_) => {
                    tracing::warn!(webhook = %webhook.id, reason, "a webhook was disabled");
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::VersionMismatch => {
                    webhook = self.webhooks.pim.webhooks(tenant).get(webhook.id).await?;
                    if webhook.data.status == WebhookStatus::Disabled {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable(format!("webhook {} changes too fast to be disabled", webhook.id)))
    }
}
