//! A worker dies in the middle of a run, and another one goes on: nothing is lost, nothing happens twice.
//!
//! `cargo run --release --example 02_survive_a_crash`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::collections::BTreeSet;
use std::io;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use clap::Parser;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::{Instant, timeout};
use worktruck_core::run::RunStatus;
use worktruck_core::{Error, Result};
use worktruck_examples::crash::{Case, LEASE, work_until_killed};
use worktruck_examples::report::{print, timeline};

/// The proposal during which the first worker dies: its turn has made some, and committed none of them.
const FATAL: u32 = 75;

/// Kills a worker in the middle of a run, and shows that another one finishes it with every effect exactly once.
#[derive(Debug, Parser)]
struct Args {
    #[arg(long, hide = true, value_name = "URL")]
    doomed: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Args::parse().doomed {
        Some(url) => work_until_killed(&url, FATAL, || println!("kill me")).await,
        None => survive().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn survive() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::unavailable("there is no temporary folder").with_source(e))?;
    let url = |name| format!("sqlite://{}", folder.path().join(name).display());

    print("1. About 1,000 people are in a store, and a run that looks for duplicates among them is accepted.")?;
    print(&format!("   A worker in a process of its own takes it, and is killed while it makes proposal {FATAL}.\n"))?;
    let case = Case::prepare(&url("crash.db")).await?;
    let died = kill_a_worker(&url("crash.db")).await?;
    let (before, kept) = (case.journal().await?.steps, case.proposals().await?.len());
    print(&format!("\n{}\n", timeline(&before, 10).join("\n")))?;
    let steps = before.len();
    print(&format!(
        "   The process is gone ({died}). Its journal holds {steps} steps and the store {kept} proposals:"
    ))?;
    print(&format!(
        "   those of the turns that were committed. Proposals {} to {} died with it.",
        kept + 1,
        FATAL - 1
    ))?;
    check(case.run().await?.status == RunStatus::Running, "nobody has noticed: the dead worker still has its lease")?;

    print(&format!(
        "\n2. A second worker starts. When the lease has run out, {LEASE:?} here and 30 s by default, it takes the"
    ))?;
    print(&format!("   run over and goes on after step {steps}, without asking again for what is journaled.\n"))?;
    let started = Instant::now();
    case.finish().await?;
    let (run, after) = (case.run().await?, case.journal().await?.steps);
    print(&format!("{}\n", timeline(&after, 16).join("\n")))?;
    let seconds = started.elapsed().as_secs_f64();
    print(&format!("   Done {seconds:.1} s after the crash, of which waiting for the lease took {LEASE:?} at most."))?;
    check(run.status == RunStatus::Succeeded && run.attempt == 2, "the run succeeded, in its second attempt")?;

    print("\n3. Was it exactly once? The same run on another store, where nobody dies, shows what should be.\n")?;
    let undisturbed = Case::prepare(&url("undisturbed.db")).await?;
    undisturbed.finish().await?;
    let (proposals, wanted) = (case.proposals().await?, undisturbed.proposals().await?);
    print(&format!("   There are {} steps and {} proposals\n", after.len(), proposals.len()))?;
    let places: BTreeSet<u32> = after.iter().map(|step| step.seq).collect();
    let distinct: BTreeSet<&Vec<String>> = proposals.iter().collect();
    check(!before.is_empty() && kept < proposals.len(), "the crash was in the middle")?;
    check(after.starts_with(&before), "the chain verifies, and the steps from before the crash are as they were")?;
    check(places.len() == after.len(), "no step ran twice")?;
    check(after.len() == undisturbed.journal().await?.steps.len(), "there are as many steps as without a crash")?;
    check(distinct.len() == proposals.len(), "no proposal is doubled")?;
    check(proposals == wanted, "the proposals are those of the run without a crash")?;
    tokio::join!(case.close(), undisturbed.close());
    Ok(())
}

/// Starts this program as a worker, waits until it is in the middle of a turn, and kills it.
async fn kill_a_worker(url: &str) -> Result<ExitStatus> {
    let failed = |e: io::Error| Error::unavailable("the worker cannot be started, heard or killed").with_source(e);
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    let mut worker =
        command.args(["--doomed", url]).stdout(Stdio::piped()).kill_on_drop(true).spawn().map_err(failed)?;
    let mut line = String::new();
    if let Some(stdout) = worker.stdout.take() {
        let reading = timeout(Duration::from_secs(60), BufReader::new(stdout).read_line(&mut line)).await;
        reading.map_err(|e| failed(e.into()))?.map_err(failed)?;
    }
    worker.kill().await.map_err(failed)?;
    check(line == "kill me\n", "the worker was in the middle of a turn when it was killed")?;
    worker.wait().await.map_err(failed)
}

fn check(holds: bool, what: &str) -> Result<()> {
    print(&format!("   {} {what}", if holds { "ok:" } else { "NOT SO:" }))?;
    if holds { Ok(()) } else { Err(Error::internal(format!("not so: {what}"))) }
}
