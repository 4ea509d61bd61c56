use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use worktruck_core::Clock;
use worktruck_core::run::Lease;

/// A run that this worker holds: its lease as last confirmed, and what it is told.
#[derive(Debug)]
pub(crate) struct Held {
    state: Mutex<State>,
    lost: Notify,
    orders: mpsc::UnboundedSender<Order>,
}

#[derive(Debug)]
struct State {
    lease: Lease,
    /// On the monotonic clock, which runs on while the process is stopped.
    live_until: Duration,
    lost: bool,
}

/// What a run under way is told by its worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    Cancel,
    Drain,
    Abort,
}

impl Held {
    /// `asked_at` is when the claim was sent: the lease lasts no longer than from then.
    pub(crate) fn new(lease: Lease, asked_at: Duration, lease_for: Duration) -> (Self, mpsc::UnboundedReceiver<Order>) {
        let (orders, received) = mpsc::unbounded_channel();
        let state = Mutex::new(State { lease, live_until: asked_at + lease_for, lost: false });
        (Self { state, lost: Notify::new(), orders }, received)
    }

    pub(crate) fn lease(&self) -> Lease {
        self.state().lease.clone()
    }

    /// Whether nobody else can have taken the run yet.
    ///
    /// The monotonic clock runs on while the process is stopped; the wall clock also while the
    /// machine sleeps.
    pub(crate) fn is_live(&self, clock: &dyn Clock) -> bool {
        let state = self.state();
        !state.lost && clock.monotonic() < state.live_until && clock.now() < state.lease.expires_at()
    }

    /// Takes in a lease confirmed by a call that was sent at `asked_at`.
    pub(crate) fn confirm(&self, lease: Lease, asked_at: Duration, lease_for: Duration) {
        let mut state = self.state();
        state.live_until = state.live_until.max(asked_at + lease_for);
        state.lease = lease;
    }

    pub(crate) fn lose(&self) {
        self.state().lost = true;
        self.lost.notify_one();
    }

    /// Returns when the lease is lost, or has run out unconfirmed.
    pub(crate) async fn lost(&self, clock: &dyn Clock) {
        loop {
            let (lost, left) = {
                let state = self.state();
                (state.lost, state.live_until.saturating_sub(clock.monotonic()))
            };
            if lost || left.is_zero() {
                return;
            }
            // The lease may be confirmed meanwhile, so that more is left.
            let _ = tokio::time::timeout(left, self.lost.notified()).await;
        }
    }

    pub(crate) fn order(&self, order: Order) {
        // A run that has ended listens to no orders.
        let _ = self.orders.send(order);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the state half written.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
