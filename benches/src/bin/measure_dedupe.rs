//! Measures the deduper on generated people: `measure_dedupe [--count N] [--profile NAME] [--seed N]`.
#![expect(clippy::print_stdout, reason = "a command that prints its measurement")]

use std::collections::HashMap;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use worktruck_agents::dedupe::{Band, Candidate, Settings, analyse, blocked_pairs};
use worktruck_benches::people::{Profile, generate};
use worktruck_benches::score::PairScore;

/// Measures the deduper on generated people.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many rows.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// What the rows look like.
    #[arg(long, value_enum, default_value_t = Shape::Sample)]
    profile: Shape,
    /// How likely a field of a further record is corrupted, where the profile's own rate is not meant.
    #[arg(long)]
    corruption: Option<f64>,
    /// Whether to measure the recall of blocking too.
    #[arg(long)]
    blocking: bool,
    /// From which probability on a cluster is proposed.
    #[arg(long, default_value_t = Settings::default().propose)]
    propose: f64,
    /// Where the random numbers start.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shape {
    Sample,
    Sparse,
    Postal,
    Historical,
    Census,
}

fn main() {
    let arguments = Arguments::parse();
    let mut profile = match arguments.profile {
        Shape::Sample => Profile::sample(),
        Shape::Sparse => Profile::sparse(),
        Shape::Postal => Profile::postal(),
        Shape::Historical => Profile::historical(),
        Shape::Census => Profile::census(),
    };
    profile.corruption = arguments.corruption.unwrap_or(profile.corruption);
    let people = generate(&profile, arguments.count, arguments.seed);
    let contacts = people.contacts();
    let candidates: Vec<_> = contacts
        .iter()
        .map(|(id, created_at, contact)| Candidate { id: *id, created_at: *created_at, contact })
        .collect();
    let started = Instant::now();
    let analysis = analyse(&candidates, &Settings { propose: arguments.propose, ..Settings::default() });
    let seconds = started.elapsed().as_secs_f64();
    let uids: HashMap<_, _> =
        contacts.iter().zip(&people.rows).map(|((id, ..), row)| (*id, row.uid.as_str())).collect();
    let proposed = analysis.clusters.iter().filter(|c| c.band == Band::Propose);
    let clusters = proposed.map(|c| c.contact_ids.iter().map(|id| uids[id]).collect::<Vec<_>>());
    let score = PairScore::of(clusters, people.truth());
    println!(
        "{:?} {} rows: {seconds:.2} s, {} pairs compared, precision {:.4}, recall {:.4}, F1 {:.4}",
        arguments.profile,
        contacts.len(),
        analysis.pairs_compared,
        score.precision(),
        score.recall(),
        score.f1(),
    );
    if arguments.blocking {
        let blocked = blocked_pairs(&candidates);
        let blocking = PairScore::of(blocked.iter().map(|(a, b)| [uids[a], uids[b]]), people.truth());
        println!("blocking recall {:.4}", blocking.recall());
    }
}
