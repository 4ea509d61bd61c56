//! What came of it all, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::board::workers;
use super::count::Count;
use super::desk::EFFECTS;
use super::place::Place;
use super::watch::Seen;

/// What was seen, what was counted, and whether both are as they must be.
#[derive(Debug)]
pub struct Outcome {
    /// What was seen while it went on.
    pub seen: Seen,
    /// What the store says afterwards.
    pub count: Count,
    /// How many runs were accepted.
    pub runs: usize,
    /// How long a lease lasts.
    pub lease: Duration,
}

impl Outcome {
    /// Each thing that must hold, in words, and whether it does.
    #[must_use]
    pub fn checks(&self) -> Vec<(bool, String)> {
        let Self { seen, count, runs, lease } = self;
        let taken_over = count.takeovers.len();
        let mut checks = vec![
            (
                count.runs == *runs && count.succeeded == *runs,
                format!("{} of {runs} runs succeeded, each once", count.succeeded),
            ),
            (
                count.right == *runs && count.is_exactly_once(*runs),
                format!("{} of {} effects are in the store, each once", count.effects, runs * EFFECTS),
            ),
            (
                taken_over >= seen.killed.left_behind,
                format!(
                    "of worker {} {} runs were left behind, and {taken_over} were taken over",
                    seen.killed.worker + 1,
                    seen.killed.left_behind
                ),
            ),
        ];
        if let (Some(first), Some(last)) = (count.takeovers.first(), count.takeovers.last()) {
            checks.push((
                count.broken == 0,
                format!(
                    "that was {:.1} to {:.1} s after the crash, with leases of {lease:?}; their journals verify",
                    first.as_secs_f64(),
                    last.as_secs_f64()
                ),
            ));
        }
        checks
    }

    /// Whether everything is as it must be.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.checks().iter().all(|(holds, _)| *holds)
    }

    /// The report for a person.
    #[must_use]
    pub fn to_text(&self, place: &Place) -> String {
        let mut lines = vec![String::new()];
        lines.extend(workers(&self.seen.tally));
        lines.push(String::new());
        let checks = self.checks();
        lines
            .extend(checks.iter().map(|(holds, what)| format!("   {} {what}", if *holds { "ok:" } else { "NOT SO:" })));
        lines.push(String::new());
        let seconds = self.seen.took.as_secs_f64();
        lines.push(format!("All {} runs had ended after {seconds:.1} s.", self.runs));
        if place.stays() {
            lines.push(format!("Everything is in the schema {} still.", place.schema));
        }
        lines.join("\n")
    }

    /// The report for a program.
    #[must_use]
    pub fn to_json(&self, place: &Place) -> Value {
        let Self { seen, count, runs, lease } = self;
        let workers: Vec<Value> = (1..)
            .zip(&seen.tally.workers)
            .map(|(number, worker): (usize, _)| {
                json!({
                    "worker": number, "state": worker.state.as_str(), "finished": worker.finished,
                    "taken_over": worker.taken_over,
                })
            })
            .collect();
        let tenants: Vec<Value> = seen
            .tally
            .tenants
            .iter()
            .map(|tenant| json!({ "tenant": tenant.slug, "runs": tenant.runs, "ended": tenant.ended }))
            .collect();
        let takeovers: Vec<u128> = count.takeovers.iter().map(Duration::as_millis).collect();
        json!({
            "exactly_once": self.is_right(),
            "runs": runs,
            "succeeded": count.succeeded,
            "effects": { "wanted": runs * EFFECTS, "made": count.effects },
            "visits": count.visits,
            "killed": { "worker": seen.killed.worker + 1, "left_behind": seen.killed.left_behind },
            "taken_over": { "runs": takeovers.len(), "after_ms": takeovers },
            "lease_ms": lease.as_millis(),
            "seconds": seen.took.as_secs_f64(),
            "workers": workers,
            "tenants": tenants,
            "schema": place.stays().then_some(&place.schema),
        })
    }
}
