use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::import::{self, Format, Options, Parsed, Target};
use worktruck_benches::Result;
use worktruck_benches::machine::{machine, progress};
use worktruck_benches::report::{Figure, Goal};
use worktruck_benches::samples::Samples;
use worktruck_core::{Clock as _, TenantId};
use worktruck_store_sqlite::{SqliteOptions, SqliteStore};

use crate::Measured;

mod cards;
mod plain;
mod shown;

use plain::{BATCH, Plain, Row};
use shown::Shown;

/// How the import is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many vCards the file has; 100,000, or 5,000 if it is quick.
    #[arg(long)]
    count: Option<usize>,
    /// How often each thing is measured; 3, or 1 if it is quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// Where the databases are made; on the disk that is to be measured.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// What an import is to reach of the rate of the plain insert.
const GOAL: f64 = 0.3;

/// Measures the import of vCards beside a plain insert of the same bodies.
pub(crate) async fn measure(arguments: &Arguments, quick: bool) -> Result<Vec<Measured>> {
    let count = arguments.count.unwrap_or(if quick { 5_000 } else { 100_000 }).max(1);
    let rounds = arguments.rounds.unwrap_or(if quick { 1 } else { 3 }).max(1);
    progress(&format!("writing {count} vCards"));
    let file = cards::file(count)?;
    let rows = plain::rows(&parse(&file)?)?;
    let mut samples = Samples::default();
    for round in 0..rounds {
        let folder = match &arguments.folder {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        // Neither is always the first on a disk that is at rest.
        for is_ours in [round % 2 == 0, round % 2 == 1] {
            if is_ours {
                progress(&format!("round {}: parse and load", round + 1));
                ours(folder.path(), &file, &mut samples).await?;
            } else {
                progress(&format!("round {}: plain insert", round + 1));
                insert(folder.path(), &rows, &mut samples).await?;
            }
        }
    }
    let mut settings = machine();
    settings["count"] = json!(count);
    settings["rounds"] = json!(rounds);
    settings["bytes_of_vcards"] = json!(file.len());
    settings["rows_to_a_transaction"] = json!(BATCH);
    settings["sqlite"] = json!("WAL, synchronous=FULL, no checkpoint inside a commit; the store checkpoints beside it");
    let figure = |name: &str, of: &str| Figure::new(name, "/s", samples.of(of));
    let figures = [
        figure("contacts parsed and loaded", "import"),
        figure("contacts parsed", "parse"),
        figure("contacts loaded", "load"),
        figure("plain insert with an index of words", "plain"),
        Figure::new("parsed and loaded, beside the plain insert", "x", &samples.ratio("import", "plain"))
            .with_goal(Goal::AtLeast(GOAL)),
        Figure::new("loaded, beside the plain insert", "x", &samples.ratio("load", "plain")),
    ];
    Ok(vec![Measured::of(settings, &figures)])
}

fn parse(file: &[u8]) -> Result<Parsed> {
    let now = SystemClock::new().now();
    Ok(import::parse("people.vcf", file, Format::Vcard, &Options::default(), &RandomIds::new(), now)?)
}

/// Imports the file into a new store.
async fn ours(folder: &Path, file: &[u8], samples: &mut Samples) -> Result<()> {
    let store = SqliteStore::open_with(SqliteOptions::new(folder.join("ours.db"))).await?;
    let (ids, clock) = (RandomIds::new(), SystemClock::new());
    let tenant = TenantId::new(&ids, clock.now());
    let began = Instant::now();
    let parsed = parse(file)?;
    let parse_took = began.elapsed();
    let count = parsed.contacts.len();
    let mut shown = Shown::new(count);
    let target = Target { store: &store, tenant, ids: &ids, clock: &clock, captured_by: "user:1" };
    let report = import::load(target, parsed, |done| shown.show(done)).await?;
    let took = began.elapsed();
    shown.end();
    store.close().await;
    if report.created != count {
        return Err(format!("{} of {count} contacts were created", report.created).into());
    }
    let rate = |took: std::time::Duration| count as f64 / took.as_secs_f64();
    samples.push("parse", rate(parse_took));
    samples.push("load", rate(took.saturating_sub(parse_took)));
    samples.push("import", rate(took));
    Ok(())
}

async fn insert(folder: &Path, rows: &[Row], samples: &mut Samples) -> Result<()> {
    let mut plain = Plain::create(&folder.join("plain.db")).await?;
    let mut shown = Shown::new(rows.len());
    let began = Instant::now();
    let mut done = 0;
    for batch in rows.chunks(BATCH) {
        plain.insert(batch).await?;
        done += batch.len();
        shown.show(done);
    }
    samples.push("plain", rows.len() as f64 / began.elapsed().as_secs_f64());
    shown.end();
    plain.close().await
}
