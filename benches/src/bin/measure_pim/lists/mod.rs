use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use worktruck_benches::Result;
use worktruck_benches::cluster::Cluster;
use worktruck_benches::machine::{machine, progress};
use worktruck_store_pg::{PgOptions, PgStore};
use worktruck_store_sqlite::{SqliteOptions, SqliteStore};

use crate::Measured;

mod asked;
mod bodies;
mod filters;
mod ours;
mod plain;
mod run;
mod shape;
mod world;

use ours::{Ours, Written};
use plain::Plain;
use run::{Effort, Systems};
use world::{KINDS, World};

/// How lists are measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which store; both if this is not said, one after the other.
    #[arg(long, value_enum)]
    store: Option<Store>,
    /// How many versions there are; 1,000,000, or 20,000 if it is quick.
    #[arg(long)]
    versions: Option<usize>,
    /// Measures only lists that have this in their name, such as "task overdue".
    #[arg(long)]
    only: Option<String>,
    /// How often each list is read at most, each time with the next value of its filter.
    #[arg(long, default_value_t = 200)]
    reads: usize,
    /// How many milliseconds each list is read; 300, or 30 if it is quick. One that is slow is read three times.
    #[arg(long)]
    time: Option<u64>,
    /// Where the databases are made; on the disk that is to be measured.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Leaves the SQLite files where they are and says where, to be looked at with other tools.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Store {
    /// A file.
    Sqlite,
    /// A server of its own.
    Pg,
}

impl Store {
    /// How many milliseconds a page is to take at most.
    const fn limit(self) -> f64 {
        match self {
            Self::Sqlite => 10.0,
            Self::Pg => 5.0,
        }
    }
}

/// Measures lists in one store or in both.
pub(crate) async fn measure(arguments: &Arguments, quick: bool) -> Result<Vec<Measured>> {
    let mut measured = Vec::new();
    for store in arguments.store.map_or_else(|| vec![Store::Sqlite, Store::Pg], |store| vec![store]) {
        let versions = arguments.versions.unwrap_or(if quick { 20_000 } else { 1_000_000 });
        progress(&format!("{store:?}: loading {versions} versions"));
        let world = World::new(versions)?;
        measured.push(match store {
            Store::Sqlite => in_file(arguments, quick, &world).await?,
            Store::Pg => in_database(arguments, quick, &world).await?,
        });
    }
    Ok(measured)
}

async fn in_file(arguments: &Arguments, quick: bool, world: &World) -> Result<Measured> {
    let folder = folder(arguments)?;
    let path = folder.path().join("ours.db");
    let store = Arc::new(SqliteStore::open_with(SqliteOptions::new(&path)).await?);
    let (ours, written) = Ours::load(Arc::clone(&store) as _, world).await?;
    let plain = Plain::in_file(&folder.path().join("plain.db"), world, &written).await?;
    let mut settings = settings(Store::Sqlite, world, &written);
    settings["file_bytes"] = json!(std::fs::metadata(&path)?.len());
    let measured = measure_in(Store::Sqlite, (arguments, quick), world, (ours, plain, &written), settings).await?;
    store.close().await;
    if arguments.keep {
        progress(&format!("tenant {} in {}", world.tenant, folder.keep().display()));
    }
    Ok(measured)
}

async fn in_database(arguments: &Arguments, quick: bool, world: &World) -> Result<Measured> {
    let cluster = Cluster::start(arguments.folder.as_deref())?;
    let (own, plain) = (cluster.database().await?, cluster.database().await?);
    // Each connection plans its statements itself: one is soon warm.
    let store = Arc::new(PgStore::open_with(PgOptions::parse(&own.url)?.with_readers(1)).await?);
    let (ours, written) = Ours::load(Arc::clone(&store) as _, world).await?;
    let plain = Plain::in_database(&plain.url, world, &written).await?;
    progress("the server cleans up, as it does by itself in time");
    cluster.tidy(&own).await?;
    let settings = settings(Store::Pg, world, &written);
    let measured = measure_in(Store::Pg, (arguments, quick), world, (ours, plain, &written), settings).await?;
    if arguments.keep {
        progress(&format!("tenant {} in {}; press enter to end", world.tenant, own.url));
        std::io::stdin().read_line(&mut String::new())?;
    }
    store.close().await;
    Ok(measured)
}

async fn measure_in(
    store: Store,
    (arguments, quick): (&Arguments, bool),
    world: &World,
    (ours, plain, written): (Ours, Plain, &Written),
    mut settings: Value,
) -> Result<Measured> {
    let time = Duration::from_millis(arguments.time.unwrap_or(if quick { 30 } else { 300 }));
    let effort = Effort { time, reads: arguments.reads.max(1) };
    settings["milliseconds_each"] = json!(time.as_millis());
    settings["reads_each"] = json!(effort.reads);
    progress(&format!("{store:?}: loaded in {} s; measuring", written.took.as_secs()));
    let mut systems = Systems { ours, plain, middle: written.middle, effort };
    let (mut timed, mut kind) = (Vec::new(), None);
    for filter in filters::all(world) {
        for sort in filters::sorts(filter.kind) {
            let name = format!("{} {} by {sort}", filter.kind, filter.name);
            if arguments.only.as_ref().is_some_and(|only| !name.contains(only)) {
                continue;
            }
            if kind.replace(filter.kind) != Some(filter.kind) {
                progress(&format!("{store:?}: lists of kind {}", filter.kind));
            }
            timed.extend(systems.measure(&filter, sort).await?);
        }
    }
    systems.plain.close().await?;
    let lines = shape::table(&mut timed, store.limit());
    let figures = timed.iter().map(|timed| timed.json(store.limit())).collect();
    Ok(Measured { settings, figures, lines })
}

fn settings(store: Store, world: &World, written: &Written) -> Value {
    let mut settings = machine();
    let seconds = written.took.as_secs_f64();
    let versions = u32::try_from(world.versions()).map_or(f64::INFINITY, f64::from);
    for (name, value) in [
        ("store", json!(format!("{store:?}").to_lowercase())),
        ("limit_ms", json!(store.limit())),
        ("versions", json!(world.versions())),
        ("entities", json!(world.count * KINDS.len())),
        ("commits", json!(written.commits)),
        ("entities_to_a_commit", json!(ours::BATCH)),
        ("load_seconds", json!(seconds.round())),
        ("versions_per_second", json!((versions / seconds).round())),
    ] {
        settings[name] = value;
    }
    settings
}

fn folder(arguments: &Arguments) -> Result<TempDir> {
    Ok(match &arguments.folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    })
}
