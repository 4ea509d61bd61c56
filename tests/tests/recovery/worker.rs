//! A worker process as the test sees it.

use std::future::Future;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use worktruck_tests::{Announcement, Position};

use crate::world::World;

/// How a worker process is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) lease: Duration,
    pub(crate) behind: Duration,
    pub(crate) concurrency: usize,
    pub(crate) grace: Duration,
    pub(crate) poll: Duration,
    pub(crate) deaf: bool,
    pub(crate) hold: Option<Position>,
}

impl Setup {
    pub(crate) const USUAL: Self = Self {
        lease: Duration::from_secs(30),
        behind: Duration::ZERO,
        concurrency: 1,
        grace: Duration::from_secs(30),
        poll: Duration::from_millis(50),
        deaf: false,
        hold: None,
    };
}

impl Default for Setup {
    fn default() -> Self {
        Self::USUAL
    }
}

pub(crate) struct Worker {
    child: Child,
    announcements: mpsc::UnboundedReceiver<Announcement>,
}

/// What a test waits for comes, or the test fails: nothing here may take so long.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(120), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

impl Worker {
    /// Starts a worker and returns when it is ready.
    pub(crate) async fn start(world: &World, setup: Setup) -> Self {
        let mut child = command(world, setup).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, announcements) = mpsc::unbounded_channel();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                // A killed process may leave half a line.
                if let Ok(announcement) = serde_json::from_str(&line) {
                    let _ = sender.send(announcement);
                }
            }
        });
        let mut worker = Self { child, announcements };
        worker.until("it is ready", |announcement| (*announcement == Announcement::Ready).then_some(())).await;
        worker
    }

    /// Starts a worker that does not get so far, and gives back what it complains of.
    pub(crate) async fn refused(world: &World) -> String {
        let mut command = command(world, Setup::default());
        let ended = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = in_time("the worker gives up", ended).await.unwrap();
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(1), true), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// What it says next.
    pub(crate) async fn said(&mut self) -> Announcement {
        match self.announcements.recv().await {
            Some(announcement) => announcement,
            None => panic!("the worker has ended: {:?}", self.child.wait().await),
        }
    }

    /// The first announcement that `pick` picks; those before it are forgotten.
    pub(crate) async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&Announcement) -> Option<T>) -> T {
        in_time(what, async {
            loop {
                if let Some(picked) = pick(&self.said().await) {
                    return picked;
                }
            }
        })
        .await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Tells it what it waits for: that its call has arrived, or that it may go on.
    pub(crate) async fn tell(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"go on\n").await.unwrap();
    }

    /// Kills it, and checks that this is what it died of.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::KILL);
        let status = in_time("the killed worker is gone", self.child.wait()).await.unwrap();
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{status}");
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits until it has stopped, which it does without complaint, and gives back what it said.
    pub(crate) async fn stopped(mut self) -> Vec<Announcement> {
        let status = in_time("the worker stops", self.child.wait()).await.unwrap();
        assert!(status.success(), "{status}");
        let mut rest = Vec::new();
        while let Some(announcement) = in_time("the pipe ends", self.announcements.recv()).await {
            rest.push(announcement);
        }
        rest
    }
}

fn command(world: &World, setup: Setup) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recovery_worker"));
    command.args(["--store", &world.place.url, "--server", &world.server.url]);
    let numbers = [
        ("--lease-ms", setup.lease.as_millis()),
        ("--behind-secs", u128::from(setup.behind.as_secs())),
        ("--concurrency", setup.concurrency as u128),
        ("--grace-ms", setup.grace.as_millis()),
        ("--poll-ms", setup.poll.as_millis()),
    ];
    for (name, value) in numbers {
        command.arg(name).arg(value.to_string());
    }
    if setup.deaf {
        command.arg("--deaf");
    }
    if let Some(hold) = setup.hold {
        command.arg("--hold").arg(hold.to_string());
    }
    command.stdin(Stdio::piped()).kill_on_drop(true);
    command
}
