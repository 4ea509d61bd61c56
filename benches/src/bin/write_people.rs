//! Writes the people of the examples and the truth about them: `write_people [DIRECTORY]`.
#![expect(clippy::print_stdout, reason = "a command that says what it wrote")]

use std::io;
use std::path::PathBuf;

use clap::Parser;
use worktruck_benches::people::sample;

/// Writes the people of the examples and the truth about them.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to.
    #[arg(default_value = "examples/data")]
    directory: PathBuf,
}

fn main() -> io::Result<()> {
    let directory = Arguments::parse().directory;
    let people = sample();
    for (name, text) in [("people.csv", people.csv()), ("people_truth.csv", people.truth_csv())] {
        let path = directory.join(name);
        std::fs::write(&path, text)?;
        println!("wrote {}", path.display());
    }
    let (rows, pairs) = (people.rows.len(), people.truth().len());
    let (duplicates, corrupted) = (people.duplicates, people.corrupted);
    println!(
        "{rows} rows, {pairs} true pairs, {duplicates} duplicates, {corrupted} of them with two or more corrupted fields"
    );
    println!("{} pairs of twins, {} of parent and child of one name", people.twins.len(), people.namesakes.len());
    Ok(())
}
