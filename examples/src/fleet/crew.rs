//! The worker processes as the one that starts them sees them.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use worktruck_core::{Error, Result};

use super::worker::{Orders, Word};

/// How long a worker that is told to stop may take.
const TIME_TO_STOP: Duration = Duration::from_secs(15);

/// Worker processes, numbered from 0. Dropping it kills them.
#[derive(Debug)]
pub struct Crew {
    workers: Vec<Child>,
    heard: mpsc::UnboundedReceiver<(usize, Heard)>,
}

/// What comes from a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Heard {
    /// It said something.
    Said(Word),
    /// It will never say anything again.
    Gone,
}

impl Crew {
    /// Starts `count` workers: this program, with the subcommand `worker`.
    ///
    /// # Errors
    ///
    /// `Unavailable` if a process cannot be started.
    pub fn start(count: usize, orders: &Orders) -> Result<Self> {
        let (sender, heard) = mpsc::unbounded_channel();
        let mut workers = Vec::with_capacity(count);
        for number in 0..count {
            let mut worker =
                start(orders).map_err(|e| Error::unavailable("a worker cannot be started").with_source(e))?;
            if let Some(output) = worker.stdout.take() {
                let (mut lines, sender) = (BufReader::new(output).lines(), sender.clone());
                tokio::spawn(async move {
                    while let Ok(Some(line)) = lines.next_line().await {
                        // A killed process may leave half a line.
                        if let Ok(word) = serde_json::from_str(&line) {
                            let _ = sender.send((number, Heard::Said(word)));
                        }
                    }
                    let _ = sender.send((number, Heard::Gone));
                });
            }
            workers.push(worker);
        }
        Ok(Self { workers, heard })
    }

    /// How many workers were started.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.workers.len()
    }

    /// What comes next, and from whom; what a worker says comes in order.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn hear(&mut self) -> Option<(usize, Heard)> {
        self.heard.recv().await
    }

    /// Kills a worker, which gets no chance to do anything about it.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the system refuses.
    pub async fn kill(&mut self, worker: usize) -> Result<()> {
        let Some(child) = self.workers.get_mut(worker) else { return Ok(()) };
        child.kill().await.map_err(|e| Error::unavailable("a worker cannot be killed").with_source(e))
    }

    /// Tells all workers to stop, and waits until they have.
    ///
    /// # Errors
    ///
    /// `Unavailable` if one does not.
    pub async fn stop(mut self) -> Result<()> {
        self.workers.iter_mut().for_each(|worker| drop(worker.stdin.take()));
        for worker in &mut self.workers {
            let ended = tokio::time::timeout(TIME_TO_STOP, worker.wait()).await;
            ended
                .map_err(|_| Error::unavailable("a worker was told to stop and goes on"))?
                .map_err(|e| Error::unavailable("a worker cannot be waited for").with_source(e))?;
        }
        Ok(())
    }
}

fn start(orders: &Orders) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["worker", "--store", &orders.store, "--schema", &orders.schema]);
    for (name, value) in [
        ("--lease-ms", orders.lease_ms.to_string()),
        ("--pause-ms", orders.pause_ms.to_string()),
        ("--concurrency", orders.concurrency.to_string()),
    ] {
        command.args([name, &value]);
    }
    // A worker stops when this process is gone, because its input ends then.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()
}

/// Completes when somebody presses Ctrl-C or ends this process in another friendly way.
pub async fn until_interrupted() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
