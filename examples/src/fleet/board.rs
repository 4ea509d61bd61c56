//! Shows who does what: as a table that lives on a terminal, and as plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use worktruck_core::Result;

use super::tally::{State, Tally};
use crate::report::print;

/// Where people see a fleet at work.
#[derive(Debug)]
pub struct Board {
    quiet: bool,
    table: Option<Table>,
    /// How many quarters of the runs were told to have ended.
    quarters: usize,
}

/// The lines of the live table: some text, and a bar for each tenant.
#[derive(Debug)]
struct Table {
    all: MultiProgress,
    lines: Vec<ProgressBar>,
    bars: Vec<ProgressBar>,
}

impl Board {
    /// A board that shows nothing if `quiet`.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let is_seen = !quiet && std::io::stderr().is_terminal();
        let table = is_seen.then(|| Table { all: MultiProgress::new(), lines: Vec::new(), bars: Vec::new() });
        Self { quiet, table, quarters: 0 }
    }

    /// Prints a line, above the table if there is one.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it cannot be written.
    pub fn say(&self, line: &str) -> Result<()> {
        match &self.table {
            _ if self.quiet => Ok(()),
            None => print(line),
            Some(table) => table.all.suspend(|| print(line)),
        }
    }

    /// Shows how far the fleet is; without a table, a line for each quarter.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it cannot be written.
    pub fn show(&mut self, tally: &Tally, elapsed: Duration) -> Result<()> {
        let (ended, runs) = (tally.ended(), tally.runs());
        let held: usize = tally.workers.iter().map(|worker| worker.holds.len()).sum();
        let waiting = runs.saturating_sub(ended + held);
        if let Some(table) = &mut self.table {
            let mut lines = workers(tally);
            lines.push(format!("{ended:>6} ended, {held} held, {waiting} waiting, {:.1} s", elapsed.as_secs_f64()));
            table.draw(&lines, tally);
            return Ok(());
        }
        let quarters = 4 * ended / runs.max(1);
        if quarters > self.quarters {
            self.quarters = quarters;
            self.say(&format!("{:>5.1} s  {ended} ended, {held} held, {waiting} waiting", elapsed.as_secs_f64()))?;
        }
        Ok(())
    }

    /// Takes the table away.
    pub fn clear(&mut self) {
        if let Some(table) = self.table.take() {
            // A terminal that cannot be written to shows nothing to take away.
            let _ = table.all.clear();
        }
    }
}

impl Table {
    fn draw(&mut self, lines: &[String], tally: &Tally) {
        if self.lines.is_empty() {
            let line = |_| self.all.add(ProgressBar::new(0).with_style(style("{msg}")));
            self.lines = lines.iter().map(line).collect();
            let bar = |tenant: &super::tally::Tenant| {
                let bar = ProgressBar::new(tenant.runs as u64).with_prefix(tenant.slug.clone());
                self.all.add(bar.with_style(style("{prefix:>8} {bar:40.cyan/blue} {pos:>5} of {len}")))
            };
            self.bars = tally.tenants.iter().map(bar).collect();
        }
        self.lines.iter().zip(lines).for_each(|(bar, line)| bar.set_message(line.clone()));
        // Under the line that says what is in them.
        for (bar, worker) in self.lines[1..].iter().zip(&tally.workers) {
            if worker.state == State::Killed {
                bar.set_style(style(if worker.holds.is_empty() { "{msg:.dim}" } else { "{msg:.red}" }));
            }
        }
        self.bars.iter().zip(&tally.tenants).for_each(|(bar, tenant)| bar.set_position(tenant.ended as u64));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A line for each worker, under one that says what is in them.
#[must_use]
pub fn workers(tally: &Tally) -> Vec<String> {
    let mut lines =
        vec![format!("{:>8}  {:8} {:>9} {:>9} {:>11}", "worker", "state", "runs held", "finished", "taken over")];
    lines.extend(tally.workers.iter().enumerate().map(|(n, worker)| {
        let (state, held) = (worker.state.as_str(), worker.holds.len());
        format!("{:>8}  {state:8} {held:>9} {:>9} {:>11}", n + 1, worker.finished, worker.taken_over)
    }));
    lines
}
