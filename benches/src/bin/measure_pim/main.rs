//! Measures contacts, deals, tasks, events and notes: lists of a million versions beside plain tables, and the
//! import of vCards beside a plain insert.
//!
//! `measure_pim lists|import [--quick] [--json]`. Whatever is compared is measured in one run, the systems taking
//! turns; medians are printed. Lists on PostgreSQL need the programs of a server.
#![expect(clippy::print_stdout, reason = "a command that prints its measurement")]

mod import;
mod lists;

use clap::{Parser, Subcommand};
use serde_json::Value;
use worktruck_benches::Result;
use worktruck_benches::report::Figure;

/// Measures lists and imports of contacts, deals, tasks, events and notes beside what the database does by itself.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
    /// Less of everything, for development: the figures are rough.
    #[arg(long, global = true)]
    quick: bool,
    /// Prints only JSON, and no table for people before it.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Pages of 50 by every filter and sort, beside a plain table with an index for exactly that list.
    ///
    /// One tenant has so many versions of contacts, deals, tasks, events and notes, written by the store itself in
    /// commits of some hundred. The plain tables have the newest body of each entity and no history; the index for
    /// a list is made before it is measured and dropped after it. Both are read in turn, each time with another
    /// value of the filter: first pages in all orders both ways; in all orders upwards also pages up to two thousand
    /// entities deep, and first pages as of the middle of all commits, beside the present of the plain table. That
    /// the first pages are the same is checked.
    Lists(lists::Arguments),
    /// Parsing and loading vCards into a SQLite file, beside a plain insert with an index of the same words.
    ///
    /// The plain insert has the bodies and their texts ready in memory and writes as many to a transaction, with
    /// several rows to a statement, into a table and an FTS5 table. Both files are on the same disk, with a log
    /// (WAL) and `synchronous=FULL`, and both systems take turns, several times.
    Import(import::Arguments),
}

/// What a part has measured.
#[derive(Debug)]
struct Measured {
    settings: Value,
    /// For programs.
    figures: Vec<Value>,
    /// For people.
    lines: Vec<String>,
}

impl Measured {
    fn of(settings: Value, figures: &[Figure]) -> Self {
        let lines = figures.iter().map(Figure::line).collect();
        Self { settings, figures: figures.iter().map(Figure::json).collect(), lines }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let measured = match &arguments.part {
        Part::Lists(part) => lists::measure(part, arguments.quick).await?,
        Part::Import(part) => import::measure(part, arguments.quick).await?,
    };
    for measured in measured {
        let all = serde_json::json!({ "settings": measured.settings, "figures": measured.figures });
        if arguments.json {
            println!("{all}");
        } else {
            println!("{:#}\n\n{}\n", measured.settings, measured.lines.join("\n"));
        }
    }
    Ok(())
}
