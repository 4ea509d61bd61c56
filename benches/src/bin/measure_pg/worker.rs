//! A worker in a process of its own, which says on standard output when each turn of a run begins.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use worktruck_agents::clock::SystemClock;
use worktruck_agents::providers::Policy;
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::Clock as _;
use worktruck_core::model::{Block, Message, ModelRequest, UserBlock};

use crate::Result;
use crate::agent::{self, BenchTool};
use crate::plan::Work;
use crate::store;

/// What such a process is started with; not for people.
#[derive(Args, Clone, Debug)]
pub(crate) struct WorkerArguments {
    /// Works on this store until SIGTERM.
    #[arg(long, hide = true)]
    worker: Option<String>,
    #[arg(long, hide = true, default_value_t = 30_000)]
    lease_ms: u64,
    /// How long a call takes.
    #[arg(long, hide = true, default_value_t = 0)]
    call_ms: u64,
    /// How many calls a run makes.
    #[arg(long, hide = true, default_value_t = 0)]
    calls: usize,
}

/// What such a process says.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// It looks for work.
    Ready,
    /// The turn of a run begins.
    Turn {
        /// The number in the input of the run.
        run: usize,
        /// The microseconds of the machine's clock.
        at: i64,
    },
}

impl WorkerArguments {
    /// Works, if that is what this process is for; gives whether it was.
    pub(crate) async fn work(&self, pool: u32) -> Result<bool> {
        let Some(url) = &self.worker else { return Ok(false) };
        let mut terminated = signal(SignalKind::terminate())?;
        let store = Arc::new(store::open(url, pool).await?);
        let runtime = Runtime::builder(Arc::clone(&store) as Arc<dyn worktruck_core::store::Store>)
            .lease(Duration::from_millis(self.lease_ms))
            .tool(Arc::new(BenchTool::new(Work::Journal, Duration::from_millis(self.call_ms))))
            .blueprint(agent::blueprint(Arc::new(Telling { calls: self.calls })))
            .build()?;
        say(Said::Ready);
        let stop = async {
            terminated.recv().await;
        };
        runtime.worker(WorkerOptions::default()).run_until(stop).await;
        store.close().await;
        Ok(true)
    }
}

fn say(said: Said) {
    // Whoever has gone reads nothing, and kills this process.
    if let Ok(line) = serde_json::to_string(&said) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

/// Rules that tell of each turn, and play a model that makes so many calls.
#[derive(Debug)]
struct Telling {
    calls: usize,
}

impl Policy for Telling {
    fn reply(&self, request: &ModelRequest) -> std::result::Result<Vec<Block>, String> {
        let at = SystemClock::new().now().as_micros();
        say(Said::Turn { run: number(request).ok_or("the run has no number")?, at });
        let turn = agent::turn(request);
        if turn >= self.calls {
            Ok(vec![Block::Text { text: "{}".to_owned() }])
        } else {
            Ok(vec![agent::call(turn, 100)])
        }
    }
}

/// The number in the input of the run, which its first message shows.
fn number(request: &ModelRequest) -> Option<usize> {
    let Message::User { content } = &**request.messages.first()? else { return None };
    let UserBlock::Text { text } = content.first()? else { return None };
    let input: serde_json::Value = serde_json::from_str(text.get(text.find('{')?..)?).ok()?;
    usize::try_from(input["number"].as_u64()?).ok()
}

/// A worker process that this process has started.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl WorkerProcess {
    /// Starts one on the store at `url`, and returns when it looks for work.
    pub(crate) async fn start(url: &str, options: &[(&str, u64)]) -> Result<Self> {
        let program: PathBuf = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args(["--worker", url]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        for (name, value) in options {
            command.arg(format!("--{name}")).arg(value.to_string());
        }
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("the worker has no standard output")?;
        let mut process = Self { child, said: BufReader::new(stdout).lines() };
        while !matches!(process.hear().await?, Said::Ready) {}
        Ok(process)
    }

    /// The next that it says.
    pub(crate) async fn hear(&mut self) -> Result<Said> {
        let line = tokio::time::timeout(Duration::from_secs(60), self.said.next_line()).await;
        let line = line.map_err(|_| "a worker has said nothing for a minute")??;
        Ok(serde_json::from_str(&line.ok_or("a worker has ended early")?)?)
    }

    /// Kills it at once.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Tells it to stop. It gives back what it holds and ends by itself.
    pub(crate) fn terminate(&self) -> Result<()> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        Ok(rustix::process::kill_process(id.ok_or("the worker has ended")?, rustix::process::Signal::TERM)?)
    }
}
