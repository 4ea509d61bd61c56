use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Result;
use crate::plan::Plan;
use worktruck_benches::cluster::{Database, run};
use worktruck_benches::machine::progress;

/// The program that does the same work on the peer, built from its own package.
#[derive(Debug)]
pub(crate) struct Peers {
    program: PathBuf,
    pool: u32,
}

impl Peers {
    /// Builds the program, which takes minutes the first time.
    pub(crate) fn build(pool: u32) -> Result<Self> {
        progress("building the peer's program");
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml");
        let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let options = ["build", "--release", "--locked", "--message-format=json-render-diagnostics"];
        cargo.args(options).arg("--manifest-path").arg(manifest).stderr(std::process::Stdio::inherit());
        let messages = run(&mut cargo)?;
        let programs = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let program = programs.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
        Ok(Self { program: program.ok_or("the peer's package has no program")?, pool })
    }

    /// The peer's name and version.
    pub(crate) const fn version(&self) -> &'static str {
        "durare 0.5.0"
    }

    /// The seconds that the runs of the plan take, started `direct` or `queued`.
    pub(crate) fn rate(&self, database: &Database, how: &str, plan: &Plan) -> Result<f64> {
        let options = [
            ("--work", plan.work.as_str().to_owned()),
            ("--runs", plan.runs.to_string()),
            ("--warm", plan.warm.to_string()),
            ("--at-once", plan.at_once.to_string()),
            ("--steps", plan.steps.to_string()),
            ("--bytes", plan.bytes.to_string()),
        ];
        let mut command = vec![how.to_owned()];
        options.into_iter().for_each(|(name, value)| command.extend([name.to_owned(), value]));
        let printed = self.measure(database, &command)?;
        printed["seconds"].as_f64().ok_or_else(|| format!("the peer told no time: {printed}").into())
    }

    /// What the program prints for a command, run on `database`.
    pub(crate) fn measure(&self, database: &Database, command: &[String]) -> Result<Value> {
        let mut program = std::process::Command::new(&self.program);
        program.args(["--url", &database.url, "--pool", &self.pool.to_string()]).args(command);
        let printed = run(&mut program)?;
        Ok(serde_json::from_str(&printed)?)
    }
}
