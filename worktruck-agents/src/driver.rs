//! Turns the effects of an executor into futures.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tracing::{Instrument as _, Span};
use worktruck_core::executor::{Effect, Event, Executor, ToolCall};
use worktruck_core::model::{ModelError, ModelErrorCategory, ModelRequest};
use worktruck_core::run::{Commit, FailureCategory, Run, RunStatus, Transition};
use worktruck_core::store::CommitOutcome;
use worktruck_core::tool::{ToolContext, ToolError, ToolOutput};
use worktruck_core::{DerivedIds, Error, ErrorKind, Result};

use crate::held::{Held, Order};
use crate::runtime::Ports;
use crate::{metrics, telemetry};

/// How long to leave the store alone after it could not be reached.
pub(crate) const STORE_PAUSE: Duration = Duration::from_millis(200);

/// Goes on with a run until it ends, waits, or is given back.
pub(crate) async fn drive(
    mut executor: Executor,
    run: &Run,
    held: &Held,
    mut orders: mpsc::UnboundedReceiver<Order>,
    ports: &Ports,
) -> Result<RunStatus> {
    let mut under_way: FuturesUnordered<BoxFuture<'_, Result<Event>>> = FuturesUnordered::new();
    loop {
        while let Ok(order) = orders.try_recv() {
            executor.handle(event_of(order), ports.clock.now())?;
        }
        match executor.next(ports.clock.now())? {
            Effect::Ask(request) => {
                let span = telemetry::turn(executor.model(), &request);
                let asked = ask(ports, run, held, executor.model().to_owned(), request, span.clone());
                under_way.push(asked.instrument(span).boxed());
            }
            Effect::Call(call) => {
                let span = telemetry::call(&call);
                under_way.push(call_tool(ports, run, held, call, span.clone()).instrument(span).boxed());
            }
            Effect::Commit(effect) => {
                if effect.transition != Transition::Continue {
                    under_way.clear();
                }
                let (event, cancelled) = commit(*effect, held, ports).await?;
                executor.handle(event, ports.clock.now())?;
                if cancelled {
                    executor.handle(Event::CancelRequested, ports.clock.now())?;
                }
            }
            Effect::Wait { until } => {
                let nap = until.since(ports.clock.now());
                let event = tokio::select! {
                    biased;
                    () = held.lost(&*ports.clock) => return Err(lost()),
                    Some(order) = orders.recv() => Some(event_of(order)),
                    Some(event) = under_way.next() => Some(event?),
                    () = tokio::time::sleep(nap) => None,
                };
                if let Some(event) = event {
                    executor.handle(event, ports.clock.now())?;
                }
            }
            Effect::Stop(status) => return Ok(status),
        }
    }
}

const fn event_of(order: Order) -> Event {
    match order {
        Order::Cancel => Event::CancelRequested,
        Order::Drain => Event::Drain,
        Order::Abort => Event::Abort,
    }
}

/// Goes on with a call outside only while the lease lasts. It is looked at before every poll, the one
/// that hands the request over included: a process may be stopped wherever a call waits.
async fn while_live<T>(held: &Held, ports: &Ports, call: impl Future<Output = T>) -> Result<T> {
    let mut call = pin!(call);
    poll_fn(|cx| if held.is_live(&*ports.clock) { call.as_mut().poll(cx).map(Ok) } else { Poll::Ready(Err(lost())) })
        .await
}

fn lost() -> Error {
    Error::new(ErrorKind::LeaseLost, "the lease ran out before it could be renewed")
}

async fn ask(ports: &Ports, run: &Run, held: &Held, model: String, request: ModelRequest, span: Span) -> Result<Event> {
    let (provider, is_brought) = match ports.provider_of(run, &model).await {
        Ok(found) => found,
        Err(error) => {
            let reply = Err(error);
            telemetry::replied(&span, &reply);
            return Ok(Event::Replied(reply));
        }
    };
    let reply = AssertUnwindSafe(provider.complete(request)).catch_unwind();
    let reply = while_live(held, ports, reply)
        .await?
        .unwrap_or_else(|_| Err(ModelError::new(ModelErrorCategory::InvalidRequest, "the model provider panicked")));
    let is_refused = reply.as_ref().is_err_and(|error| {
        matches!(error.category, ModelErrorCategory::InvalidKey | ModelErrorCategory::RevokedOrExpired)
    });
    if is_brought
        && is_refused
        && let Err(error) = ports.note_refused_key(run).await
    {
        tracing::warn!(run = %run.id, error = %error.chain(), "cannot note that the key of a tenant was refused");
    }
    telemetry::replied(&span, &reply);
    Ok(Event::Replied(reply))
}

async fn call_tool(ports: &Ports, run: &Run, held: &Held, call: ToolCall, span: Span) -> Result<Event> {
    let Some(tool) = ports.tools.get(&call.name) else {
        let message = format!("this worker has no tool named {}", call.name);
        let result = Err(ToolError::fatal(FailureCategory::ConfigError, message));
        telemetry::returned(&span, &result);
        return Ok(Event::Returned { seq: call.seq, result });
    };
    loop {
        let (context, input) = (context(ports, run, &call), call.input.clone());
        let tried = call.is_tried.then(|| context.view.clone());
        let call_it = async {
            let output = tool.call(context, input).await?;
            match tried {
                Some(view) if !output.changes.is_empty() => {
                    let changes = view.tried(output.changes).await.map_err(|error| ToolError::not_made(&error))?;
                    Ok(ToolOutput { changes, ..output })
                }
                _ => Ok(output),
            }
        };
        let result = AssertUnwindSafe(call_it).catch_unwind();
        let result = if call.effect.is_outside() { while_live(held, ports, result).await? } else { result.await };
        let result = result.unwrap_or_else(|_| {
            Err(ToolError::fatal(FailureCategory::ToolFailed, format!("the tool {} panicked", call.name)))
        });
        match result {
            // What only reads the store, or is not committed yet, can be called again without harm.
            Err(error) if error.transient && !call.effect.is_outside() => {
                let error = ports.redacted(&error.message);
                tracing::warn!(error, tool = call.name, "the store could not be reached; calling again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            result => {
                telemetry::returned(&span, &result);
                return Ok(Event::Returned { seq: call.seq, result });
            }
        }
    }
}

fn context(ports: &Ports, run: &Run, call: &ToolCall) -> ToolContext {
    let store = Arc::clone(&ports.store);
    ToolContext {
        tenant: run.tenant_id,
        run: run.id,
        seq: call.seq,
        now: call.asked_at,
        view: call.view(store, run.tenant_id),
        ids: DerivedIds::new(run.id, call.seq),
        idempotency_key: call.idempotency_key,
    }
}

/// Commits until the store answers. A commit whose answer is lost is made again under the same
/// number, so that it takes effect once.
pub(crate) async fn commit(commit: Commit, held: &Held, ports: &Ports) -> Result<(Event, bool)> {
    // Any of the attempts may be the one that took effect: the lease lasts no longer than from the
    // first of them.
    let asked_at = ports.clock.monotonic();
    loop {
        match ports.store.commit(&held.lease(), commit.clone(), ports.clock.now()).await {
            Ok(CommitOutcome::Committed { run, lease }) => {
                held.confirm(lease, asked_at, commit.lease_for);
                metrics::committed(&*ports.metrics, &run, &commit);
                ports.listeners.tell(run.id);
                return Ok((Event::Committed, run.cancel_requested_at.is_some()));
            }
            Ok(CommitOutcome::Conflicted { seq, error }) => return Ok((Event::Conflicted { seq, error }, false)),
            Err(error) if error.is_retryable() && held.is_live(&*ports.clock) => {
                tracing::warn!(error = %error.chain(), "the store could not be reached; committing again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use worktruck_core::journal::Snapshot;
    use worktruck_core::run::{BlueprintVersion, ClaimRequest, Lease, NewRun};
    use worktruck_core::store::{MemoryStore, NewTenant, RunStore as _, TenantStore as _};
    use worktruck_core::testing::{CountingIds, Fault, FaultyStore, SimClock};
    use worktruck_core::{Clock as _, NanoUsd, RunId, TenantId, Timestamp};

    use super::*;
    use crate::Runtime;

    const LEASE: Duration = Duration::from_secs(30);

    fn snapshot() -> Snapshot {
        Snapshot {
            blueprint: "any".to_owned(),
            blueprint_version: 1,
            config_version: None,
            model: "local/rules".to_owned(),
            system_prompt: String::new(),
            first_message: String::new(),
            tools: Vec::new(),
            guardrails: Vec::new(),
            prices: Vec::new(),
            budget_usd_cents: None,
            deadline_at: Timestamp::FOREVER,
            max_steps: 1,
            max_tokens: 1,
            max_repeats: 1,
            fallback_models: Vec::new(),
            on_budget: Vec::new(),
            timezone: None,
            trial: None,
        }
    }

    /// A call that waits for its connection when the process is stopped, and would send when it wakes.
    #[tokio::test]
    async fn a_call_that_waited_through_its_lease_goes_no_further() {
        let clock = Arc::new(SimClock::starting_at(Timestamp::EPOCH));
        let runtime = Runtime::builder(Arc::new(MemoryStore::default())).clock(clock.clone()).build().unwrap();
        let tenant = TenantId::from_uuid(uuid::Uuid::from_u128(1));
        let run = RunId::from_uuid(uuid::Uuid::from_u128(2));
        let lease = Lease::new(tenant, run, 1, Timestamp::FOREVER);
        let (held, _orders) = Held::new(lease, clock.monotonic(), LEASE);
        for (stopped_for, sends) in [(LEASE - Duration::from_micros(1), true), (LEASE, false)] {
            let sent = std::cell::Cell::new(false);
            let call = while_live(&held, &runtime.ports, async {
                tokio::task::yield_now().await;
                sent.set(true);
            });
            let mut call = pin!(call);
            assert!(futures::poll!(call.as_mut()).is_pending());
            clock.advance(stopped_for - clock.monotonic());
            let ended = call.await;
            assert_eq!(sent.get(), sends);
            assert_eq!(ended.map_err(|error| error.kind()), if sends { Ok(()) } else { Err(ErrorKind::LeaseLost) });
        }
    }

    /// The second attempt is answered as the first, whose lease does not last from the second on.
    #[tokio::test(start_paused = true)]
    async fn a_commit_made_again_makes_no_lease_last_longer() {
        let clock = Arc::new(SimClock::starting_at(Timestamp::EPOCH));
        let store = Arc::new(FaultyStore::new(MemoryStore::default()));
        let (ids, now) = (CountingIds::new(1), clock.now());
        let tenant = TenantId::new(&ids, now);
        store.create_tenant(NewTenant::new(tenant, "test"), now).await.unwrap();
        store.enqueue(tenant, vec![NewRun::new(RunId::new(&ids, now), "any", json!({}))], now).await.unwrap();
        let blueprints = vec![BlueprintVersion { blueprint: "any".into(), version: 1 }];
        let request = ClaimRequest { blueprints, limit: 1, lease_for: LEASE };
        let lease = store.claim(request, now).await.unwrap().remove(0).lease;
        let (held, _orders) = Held::new(lease, clock.monotonic(), LEASE);
        let runtime = Runtime::builder(store.clone()).clock(clock.clone()).build().unwrap();

        store.fail(store.calls().len() + 1, Fault::After);
        let begin = Commit {
            number: 1,
            snapshot: Some(snapshot()),
            steps: Vec::new(),
            calls: Vec::new(),
            approvals: Vec::new(),
            events: Vec::new(),
            reserved: NanoUsd::ZERO,
            forfeited: NanoUsd::ZERO,
            transition: Transition::Continue,
            lease_for: LEASE,
        };
        let meanwhile = async {
            clock.advance(LEASE / 2);
            // Somebody sets the wall clock back, so that the monotonic clock alone knows.
            clock.set(Timestamp::EPOCH);
        };
        let (committed, ()) = tokio::join!(commit(begin, &held, &runtime.ports), meanwhile);
        committed.unwrap();
        assert!(held.is_live(&*clock));
        clock.advance(LEASE / 2);
        clock.set(Timestamp::EPOCH);
        assert!(!held.is_live(&*clock), "a lease has passed since the first attempt");
    }
}
