//! Steps per second: ours through the ports and through the runtime, the peer's, and rows that the
//! database inserts.

use std::time::Duration;

use crate::Result;
use crate::bench::Bench;
use crate::plan::{Plan, Work};
use crate::{pgbench, ports, runtime};
use worktruck_benches::machine::progress;
use worktruck_benches::report::{Figure, Goal};
use worktruck_benches::samples::{Samples, rotated};

const AT_ONCE: &[usize] = &[1, 16, 64];
const STEPS: u32 = 10;
const BYTES: usize = 1_000;

/// Something that does steps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum System {
    Ports,
    Runtime,
    Peer,
    PeerQueue,
    Limit,
}

/// What the systems do, beside each other.
#[derive(Clone, Copy, Debug)]
struct Case {
    work: Work,
    tenants: usize,
}

const CASES: &[Case] = &[
    Case { work: Work::Journal, tenants: 1 },
    Case { work: Work::Entity, tenants: 1 },
    Case { work: Work::Entity, tenants: 64 },
];

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let mut samples = Samples::default();
    for round in 0..bench.size.rounds {
        for case in CASES {
            for at_once in rotated(AT_ONCE, round) {
                for system in rotated(&case.systems(), round) {
                    let name = case.name(system, at_once);
                    if !bench.wants(&name) {
                        continue;
                    }
                    progress(&format!("round {}: {name}", round + 1));
                    samples.push(&name, rate(bench, *case, system, at_once).await?);
                }
            }
        }
    }
    let figures = CASES.iter().flat_map(|case| AT_ONCE.iter().flat_map(|at_once| figures(&samples, *case, *at_once)));
    Ok(figures.filter(|figure| !figure.is_empty()).collect())
}

impl Case {
    /// The peer knows no tenants.
    fn systems(self) -> Vec<System> {
        match (self.work, self.tenants) {
            (Work::Journal, _) => {
                vec![System::Limit, System::Ports, System::Peer, System::Runtime, System::PeerQueue]
            }
            (Work::Entity, 1) => vec![System::Limit, System::Ports, System::Peer, System::Runtime],
            (Work::Entity, _) => vec![System::Limit, System::Ports, System::Runtime],
        }
    }

    fn name(self, system: System, at_once: usize) -> String {
        let (work, tenants) = match (self.work, self.tenants) {
            (Work::Journal, _) => ("journal", ""),
            (Work::Entity, 1) => ("entity", ", 1 tenant"),
            (Work::Entity, _) => ("entity", ", 64 tenants"),
        };
        match system {
            System::Ports => format!("{work} steps{tenants}, {at_once} at once: ports"),
            System::Runtime => format!("{work} steps{tenants}, {at_once} at once: runtime"),
            System::Peer => format!("{work} steps, {at_once} at once: durare, started directly"),
            System::PeerQueue => format!("{work} steps, {at_once} at once: durare, queue polled every 20 ms"),
            System::Limit => format!("{work} steps{tenants}: rows inserted by pgbench, {at_once} clients"),
        }
    }
}

/// Steps in a second.
async fn rate(bench: &Bench, case: Case, system: System, at_once: usize) -> Result<f64> {
    let plan = plan(bench, case, system, at_once);
    let steps = |steps: usize| f64::from(u32::try_from(plan.runs * steps).unwrap_or(u32::MAX));
    if system == System::Limit {
        let seconds = u64::try_from(bench.size.pick(1, 3))?;
        return pgbench::inserts(bench, at_once, Duration::from_secs(seconds)).await;
    }
    let database = bench.database().await?;
    match system {
        System::Ports => {
            let took = ports::measure(&database.url, &plan, bench.size.pool).await?;
            Ok(steps(usize::try_from(plan.steps)?) / took.as_secs_f64())
        }
        System::Runtime => {
            let (took, of_run) = runtime::measure(&database.url, &plan, bench.size.pool).await?;
            Ok(steps(of_run) / took.as_secs_f64())
        }
        System::Peer | System::PeerQueue | System::Limit => {
            let how = if system == System::Peer { "direct" } else { "queued" };
            let seconds = bench.peers.rate(&database, how, &plan)?;
            Ok(steps(usize::try_from(plan.steps)?) / seconds)
        }
    }
}

/// The slower a system, the fewer runs: each takes some seconds.
fn plan(bench: &Bench, case: Case, system: System, at_once: usize) -> Plan {
    let full = match at_once {
        1 => 200,
        16 => 2_000,
        _ => 3_000,
    };
    let runs = match system {
        System::Peer | System::PeerQueue => full / 4,
        System::Ports | System::Runtime | System::Limit => full,
    };
    Plan {
        work: case.work,
        tenants: case.tenants,
        at_once,
        runs: bench.size.pick((runs / 8).max(at_once), runs),
        // So many that every form of a statement has been planned.
        warm: at_once.max(10) * 10,
        steps: STEPS,
        bytes: BYTES,
    }
}

/// What came of a case, and how it compares.
fn figures(samples: &Samples, case: Case, at_once: usize) -> Vec<Figure> {
    let systems = case.systems();
    let mut figures: Vec<_> = systems
        .iter()
        .map(|system| Figure::new(case.name(*system, at_once), "/s", samples.of(&case.name(*system, at_once))))
        .collect();
    let limit = case.name(System::Limit, 16);
    for system in [System::Ports, System::Runtime] {
        let name = case.name(system, at_once);
        let beside_limit = Figure::new(format!("{name} / pgbench with 16"), "x", &samples.ratio(&name, &limit));
        let goal = if case.work == Work::Journal { 1.0 } else { 0.5 };
        figures.push(if at_once == 1 { beside_limit } else { beside_limit.with_goal(Goal::AtLeast(goal)) });
        if systems.contains(&System::Peer) {
            let ratio = samples.ratio(&name, &case.name(System::Peer, at_once));
            let beside_peer = Figure::new(format!("{name} / durare, started directly"), "x", &ratio);
            figures.push(if at_once == 1 { beside_peer } else { beside_peer.with_goal(Goal::AtLeast(3.0)) });
        }
    }
    figures
}
