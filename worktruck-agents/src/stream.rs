//! What happens to a run, told while it happens.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt as _, try_unfold};
use worktruck_core::journal::Timeline;
use worktruck_core::run::{Event, EventType};
use worktruck_core::store::event_cursor;
use worktruck_core::{Error, PageRequest, Result, RunId, TenantId};

use crate::Runtime;
use crate::listeners::Listener;

/// How long it takes at most to learn of what another process did.
const POLL: Duration = Duration::from_millis(500);

impl Runtime {
    /// The events of a run after the one with the number `after`, as they happen; after 0 come all of them.
    ///
    /// The stream ends after the event that ends the run, and at once if that is not after `after`. It misses no event
    /// and repeats none: whoever breaks off goes on with the number of the last event they have, as `Last-Event-ID`
    /// does. What this runtime does to the run, or a clone of it, is told at once; what another process does is told
    /// within half a second. While the store cannot be reached the stream waits for it.
    ///
    /// # Cancel safety
    ///
    /// Waiting for the next event may be given up and begun again; no event is lost by it.
    ///
    /// # Errors
    ///
    /// `NotFound` if the tenant has no such run, and those of the store. An error that comes out of the stream ends it.
    pub async fn stream(&self, tenant: TenantId, run: RunId, after: u64) -> Result<BoxStream<'static, Result<Event>>> {
        let listener = self.ports.listeners.listen(run);
        let found = self.store().run(tenant, run).await?;
        let found = found.ok_or_else(|| Error::not_found(format!("run {run}")))?;
        let place = Place {
            runtime: self.clone(),
            listener,
            tenant,
            run,
            after,
            read: VecDeque::new(),
            // What has ended by now has all its events by now.
            has_ended: found.status.is_terminal(),
        };
        Ok(try_unfold(place, |mut place| async move { Ok(place.next().await?.map(|event| (event, place))) }).boxed())
    }

    /// What happened to a run, in plain language.
    ///
    /// # Errors
    ///
    /// `NotFound` if the tenant has no such run, and those of the store.
    pub async fn timeline(&self, tenant: TenantId, run: RunId) -> Result<Timeline> {
        let missing = || Error::not_found(format!("run {run}"));
        // The events first: what is recorded with them is there by the time that the journal is read.
        let mut events = Vec::new();
        let mut page = PageRequest::largest(None);
        loop {
            let read = self.store().events(tenant, run, page).await?;
            events.extend(read.data);
            let Some(cursor) = read.next_cursor else { break };
            page = PageRequest::largest(Some(cursor));
        }
        let journal = self.store().journal(tenant, run).await?.ok_or_else(missing)?;
        let found = self.store().run(tenant, run).await?.ok_or_else(missing)?;
        Ok(Timeline::new(&found, &journal, &events, &self.ports.secrets))
    }
}

/// A place in the events of a run.
#[derive(Debug)]
struct Place {
    runtime: Runtime,
    listener: Listener,
    tenant: TenantId,
    run: RunId,
    after: u64,
    read: VecDeque<Event>,
    has_ended: bool,
}

impl Place {
    async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.after = event.seq;
                self.has_ended |= ends(event.event_type);
                return Ok(Some(event));
            }
            // Listens before it reads, so that what happens in between is heard.
            let mut told = pin!(self.listener.told());
            told.as_mut().enable();
            match self.read().await {
                Ok(events) if events.is_empty() && self.has_ended => return Ok(None),
                Ok(events) if !events.is_empty() => {
                    self.read = events;
                    continue;
                }
                Ok(_) => {}
                Err(error) if error.is_retryable() => {
                    tracing::warn!(error = %error.chain(), run = %self.run, "the store could not be reached; reading events again");
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = told => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn read(&self) -> Result<VecDeque<Event>> {
        let cursor = event_cursor(self.tenant, self.run, self.after)?;
        let page = self.runtime.store().events(self.tenant, self.run, PageRequest::largest(Some(cursor))).await?;
        Ok(page.data.into())
    }
}

const fn ends(event: EventType) -> bool {
    matches!(event, EventType::RunSucceeded | EventType::RunFailed | EventType::RunCancelled)
}
