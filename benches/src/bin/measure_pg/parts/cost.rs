//! What a step costs the server: statements, commits and bytes of its log.

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use crate::Result;
use crate::bench::Bench;
use crate::plan::{Plan, Work};
use crate::{ports, runtime};
use worktruck_benches::cluster::Database;
use worktruck_benches::machine::progress;
use worktruck_benches::report::{Figure, Goal};

/// Pages in full and the work of vacuum say how long it is since something, not what a step costs.
const WHILE_COUNTING: &[(&str, &str)] =
    &[("full_page_writes", "off"), ("autovacuum", "off"), ("pg_stat_statements.track", "top")];
const ELSE: &[(&str, &str)] = &[("full_page_writes", "on"), ("autovacuum", "on"), ("pg_stat_statements.track", "none")];

/// Whose steps.
#[derive(Clone, Copy, Debug)]
enum System {
    Ports,
    Runtime,
    Peer,
    PeerQueue,
}

const CASES: &[(System, Work, usize)] = &[
    (System::Ports, Work::Journal, 1),
    (System::Runtime, Work::Journal, 1),
    (System::Peer, Work::Journal, 1),
    (System::Ports, Work::Journal, 16),
    (System::Runtime, Work::Journal, 16),
    (System::Peer, Work::Journal, 16),
    (System::PeerQueue, Work::Journal, 16),
    (System::Ports, Work::Entity, 1),
    (System::Peer, Work::Entity, 1),
    (System::Ports, Work::Entity, 16),
    (System::Peer, Work::Entity, 16),
];

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let mut admin = bench.cluster.admin().await?;
    admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").await?;
    bench.set(WHILE_COUNTING).await?;
    let mut figures = Vec::new();
    for case in CASES {
        progress(&format!("the cost of a step: {}", name(*case)));
        figures.extend(marginal(bench, &mut admin, *case).await?);
    }
    bench.set(ELSE).await?;
    admin.close().await?;
    Ok(figures)
}

fn name((system, work, at_once): (System, Work, usize)) -> String {
    let system = match system {
        System::Ports => "ports",
        System::Runtime => "runtime",
        System::Peer => "durare, started directly",
        System::PeerQueue => "durare, queue polled every 20 ms",
    };
    format!("{} steps of 200 bytes, {at_once} at once, {system}", work.as_str())
}

/// What was counted.
#[derive(Clone, Copy, Debug)]
struct Counted {
    statements: f64,
    commits: f64,
    log: f64,
    steps: f64,
}

/// What ten more steps in each run cost, for each of them.
async fn marginal(bench: &Bench, admin: &mut PgConnection, case: (System, Work, usize)) -> Result<Vec<Figure>> {
    let few = counted(bench, admin, case, 2).await?;
    let many = counted(bench, admin, case, 12).await?;
    let steps = many.steps - few.steps;
    // To hundredths: connections that open and close are counted too, and are not always as many.
    let each = |count: fn(&Counted) -> f64| [((count(&many) - count(&few)) / steps * 100.0).round() / 100.0];
    let name = name(case);
    let figures = [
        (Figure::new(format!("{name}: statements"), "", &each(|c| c.statements)), 1.0),
        (Figure::new(format!("{name}: commits"), "", &each(|c| c.commits)), 1.0),
        (Figure::new(format!("{name}: log"), "B", &each(|c| c.log)), 700.0),
    ];
    // A step of the runtime has what a model said around its bytes.
    let has_goal = matches!(case, (System::Ports, Work::Journal, 1));
    let with_goal =
        |(figure, goal): (Figure, f64)| if has_goal { figure.with_goal(Goal::AtMost(goal)) } else { figure };
    Ok(figures.into_iter().map(with_goal).collect())
}

/// What runs of so many steps cost in all.
async fn counted(
    bench: &Bench,
    admin: &mut PgConnection,
    (system, work, at_once): (System, Work, usize),
    steps: u32,
) -> Result<Counted> {
    let database = bench.database().await?;
    let runs = bench.size.pick(30, 100).max(at_once * 5);
    let plan = Plan { work, tenants: 1, at_once, runs, warm: 0, steps, bytes: 200 };
    let before = log(admin).await?;
    let of_run = match system {
        System::Ports => {
            ports::measure(&database.url, &plan, bench.size.pool).await?;
            usize::try_from(steps)?
        }
        System::Runtime => runtime::measure(&database.url, &plan, bench.size.pool).await?.1,
        System::Peer | System::PeerQueue => {
            let how = if matches!(system, System::Peer) { "direct" } else { "queued" };
            bench.peers.rate(&database, how, &plan)?;
            usize::try_from(steps)?
        }
    };
    // A connection hands in what it has counted when it ends.
    while connections(admin, &database).await? > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let after = log(admin).await?;
    let row = sqlx::query(
        "SELECT d.xact_commit::float8, (SELECT sum(s.calls)::float8 FROM pg_stat_statements s WHERE s.dbid = d.datid)
         FROM pg_stat_database d WHERE d.datname = $1",
    )
    .bind(&database.name)
    .fetch_one(admin)
    .await?;
    let steps = f64::from(u32::try_from(of_run * runs)?);
    Ok(Counted { statements: row.try_get(1)?, commits: row.try_get(0)?, log: after - before, steps })
}

async fn connections(admin: &mut PgConnection, database: &Database) -> Result<i64> {
    let count = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE datname = $1");
    Ok(count.bind(&database.name).fetch_one(admin).await?)
}

/// How long the server's log is, in bytes.
async fn log(admin: &mut PgConnection) -> Result<f64> {
    let length = sqlx::query_scalar("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8");
    Ok(length.fetch_one(admin).await?)
}
