//! Reads, lists and updates of entities with a long history, beside a plain table without one.

mod ours;
mod pick;
mod plain;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::task::JoinSet;

use crate::Result;
use crate::bench::Bench;
use worktruck_benches::machine::progress;
use worktruck_benches::report::{Figure, Goal};
use worktruck_benches::samples::{Samples, rotated};

use ours::Ours;
use pick::{Picks, World};
use plain::Plain;

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Op {
    Read,
    List,
    Update,
    ReadAsOf,
    ListAsOf,
}

const OPS: &[(Op, &str)] = &[
    (Op::Read, "read by id"),
    (Op::List, "list of 50"),
    (Op::Update, "update"),
    (Op::ReadAsOf, "read by id as of"),
    (Op::ListAsOf, "list of 50 as of"),
];
const AT_ONCE: &[usize] = &[1, 8];

/// Where it is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum System {
    Ours,
    Plain,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let world = Arc::new(World::new(bench.size.pick(500, 10_000)));
    let database = bench.database().await?;
    progress(&format!("loading {} versions", world.versions()));
    let (ours, loading) = Ours::load(&database.url, bench.size.pool, &world).await?;
    let plain = Plain::load(&database.url, bench.size.pool, &world).await?;
    let mut connection = PgConnection::connect(&database.url).await?;
    connection.execute("VACUUM ANALYZE").await?;
    connection.execute("CHECKPOINT").await?;
    connection.close().await?;

    let (ours, plain) = (Arc::new(ours), Arc::new(plain));
    let mut samples = Samples::default();
    for round in 0..=bench.size.rounds {
        progress(&if round == 0 { "warming up".to_owned() } else { format!("round {round}: entities") });
        for (op, what) in OPS {
            for at_once in AT_ONCE {
                for system in rotated(&[System::Ours, System::Plain], round) {
                    if system == System::Plain && matches!(op, Op::ReadAsOf | Op::ListAsOf) {
                        continue;
                    }
                    let rate = rate(bench, (&ours, &plain), &world, (system, *op, *at_once)).await?;
                    if round > 0 {
                        samples.push(&name(system, what, *at_once), rate);
                    }
                }
            }
        }
    }
    let mut figures = vec![
        Figure::new(format!("loading {} versions", world.versions()), "s", &[loading.as_secs_f64()]),
        Figure::new("versions loaded", "/s", &[f64::from(u32::try_from(world.versions())?) / loading.as_secs_f64()]),
    ];
    AT_ONCE.iter().for_each(|at_once| figures.extend(compare(&samples, *at_once)));
    ours.close().await;
    plain.close().await;
    Ok(figures)
}

fn name(system: System, what: &str, at_once: usize) -> String {
    match system {
        System::Ours => format!("{what}, {at_once} at once: ours"),
        System::Plain => format!("{what}, {at_once} at once: plain table"),
    }
}

fn compare(samples: &Samples, at_once: usize) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (_, what) in OPS {
        for system in [System::Ours, System::Plain] {
            let name = name(system, what, at_once);
            if !samples.of(&name).is_empty() {
                figures.push(Figure::new(name.clone(), "/s", samples.of(&name)));
            }
        }
    }
    let (ours, plain) = (System::Ours, System::Plain);
    let ratios = [
        ("read by id", (plain, "read by id"), 1.1),
        ("list of 50", (plain, "list of 50"), 1.3),
        ("update", (plain, "update"), 2.5),
        ("read by id as of", (plain, "read by id"), 1.6),
        ("list of 50 as of", (ours, "list of 50"), 4.0),
    ];
    for (what, (beside, other), goal) in ratios {
        // How many times as long: the rates the other way round.
        let times = samples.ratio(&name(beside, other, at_once), &name(ours, what, at_once));
        let beside = if beside == plain { "the plain table" } else { "our current list" };
        let title = format!("{what}, {at_once} at once: as long as {beside}");
        figures.push(Figure::new(title, "x", &times).with_goal(Goal::AtMost(goal)));
    }
    figures
}

/// How often in a second something is done by so many tasks.
async fn rate(
    bench: &Bench,
    (ours, plain): (&Arc<Ours>, &Arc<Plain>),
    world: &Arc<World>,
    (system, op, at_once): (System, Op, usize),
) -> Result<f64> {
    let time = Duration::from_millis(u64::try_from(bench.size.pick(300, 2_000))?);
    let began = Instant::now();
    let done = Arc::new(AtomicU64::new(0));
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    for task in 0..at_once {
        let (ours, plain, done) = (Arc::clone(ours), Arc::clone(plain), Arc::clone(&done));
        let mut picks = Picks::new(Arc::clone(world), u64::try_from(task)?);
        tasks.spawn(async move {
            while began.elapsed() < time {
                match system {
                    System::Ours => ours.once(op, &mut picks).await?,
                    System::Plain => plain.once(op, &mut picks).await?,
                }
                done.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(f64::from(u32::try_from(done.load(Ordering::SeqCst))?) / began.elapsed().as_secs_f64())
}
