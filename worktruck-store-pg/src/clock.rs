use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::task::AbortHandle;
use worktruck_core::{Clock, Result, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;

/// How often the server is asked for the time.
const EVERY: Duration = Duration::from_secs(10);
/// How many times in a row: the quickest answer says most.
const PROBES: usize = 4;
/// How much slower or faster than the server's clock the machine's may run: a part in a thousand.
const DRIFT: u32 = 1_000;
/// A server whose clock goes back by more than this was set, and is followed.
const SET_BACK: Duration = Duration::from_secs(1);

impl PgStore {
    /// A clock that shows the time of the server, so that the leases of many machines agree.
    ///
    /// It asks the server every ten seconds and counts on with the monotonic clock of `machine` in
    /// between; what `machine` takes the present to be does not matter. It is as exact as half of
    /// the quickest round trip. It does not run backwards: where it was ahead it stands still until
    /// the server has caught up. Only if the clock of the server was set back, by more than a
    /// second, it goes back too, because newcomers would.
    ///
    /// It asks no more when it is dropped or the store is closed, and counts on with what it knows.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the server cannot be reached.
    pub async fn clock(&self, machine: Arc<dyn Clock>) -> Result<Arc<dyn Clock>> {
        let mut connection = self.readers.acquire().await.or_failed("read the server's clock")?;
        let first = ask(&mut connection, &*machine).await.or_failed("read the server's clock")?;
        let shared = Arc::new(Shared { machine, known: Mutex::new(Known::of(first)) });
        shared.refresh(&mut connection).await.or_failed("read the server's clock")?;
        let task = tokio::spawn(keep_asking(self.readers.clone(), Arc::clone(&shared))).abort_handle();
        Ok(Arc::new(PgClock { shared, task }))
    }
}

/// Shows the time of a server.
#[derive(Debug)]
struct PgClock {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Clock for PgClock {
    fn now(&self) -> Timestamp {
        let machine = self.shared.machine.monotonic();
        self.shared.known().show(machine)
    }

    fn monotonic(&self) -> Duration {
        self.shared.machine.monotonic()
    }
}

impl Drop for PgClock {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Shared {
    machine: Arc<dyn Clock>,
    known: Mutex<Known>,
}

impl Shared {
    async fn refresh(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        for _ in 0..PROBES {
            let answer = ask(connection, &*self.machine).await?;
            self.known().take_in(answer);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic elsewhere cannot leave it half changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep_asking(pool: PgPool, shared: Arc<Shared>) {
    while !pool.is_closed() {
        tokio::time::sleep(EVERY).await;
        let asked = async { shared.refresh(&mut *pool.acquire().await?).await };
        if let Err(error) = asked.await {
            tracing::debug!(%error, "cannot read the server's clock; counting on");
        }
    }
}

async fn ask(connection: &mut PgConnection, machine: &dyn Clock) -> sqlx::Result<Answer> {
    let sent = machine.monotonic();
    let server: i64 = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        .fetch_one(connection)
        .await?;
    Ok(Answer { sent, server: Timestamp::from_micros(server), received: machine.monotonic() })
}

/// What the server's clock showed at some moment between two of the machine's.
#[derive(Clone, Copy, Debug)]
struct Answer {
    sent: Duration,
    server: Timestamp,
    received: Duration,
}

/// What is known of the server's time: what it was when the machine's monotonic clock was zero lies
/// between two moments.
#[derive(Clone, Copy, Debug)]
struct Known {
    low: Timestamp,
    high: Timestamp,
    /// When that was known, on the machine's monotonic clock.
    at: Duration,
    shown: Timestamp,
}

impl Known {
    fn of(answer: Answer) -> Self {
        let Answer { sent, server, received } = answer;
        Self { low: server.before(received), high: server.before(sent), at: received, shown: Timestamp::EPOCH }
    }

    /// Narrows what is known down to what the answer allows too. If that is nothing, one of the
    /// clocks was set, and the answer is all that is known.
    fn take_in(&mut self, answer: Answer) {
        let new = Self::of(answer);
        let strayed = new.at.saturating_sub(self.at) / DRIFT;
        let (low, high) = (self.low.before(strayed).max(new.low), self.high.after(strayed).min(new.high));
        let (low, high) = if low <= high { (low, high) } else { (new.low, new.high) };
        *self = Self { low, high, at: new.at, shown: self.shown };
        let present = self.present(new.at);
        if self.shown.since(present) > SET_BACK {
            self.shown = present;
        }
    }

    /// The present when the machine's monotonic clock shows `machine`; not before what was shown.
    fn show(&mut self, machine: Duration) -> Timestamp {
        self.shown = self.shown.max(self.present(machine));
        self.shown
    }

    fn present(&self, machine: Duration) -> Timestamp {
        self.low.after(self.high.since(self.low) / 2).after(machine)
    }
}

#[cfg(test)]
mod tests;
