use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Measured, Metrics};

/// Numbers in memory. `Display` writes them in the text format of Prometheus.
///
/// # Examples
///
/// ```
/// use worktruck_agents::metrics::{Counters, Measured, Metrics};
///
/// let counters = Counters::default();
/// counters.record(Measured::Claimed { blueprint: "follow_up" });
/// counters.record(Measured::Claimed { blueprint: "follow_up" });
/// assert_eq!(counters.get("worktruck_claims_total", &[("blueprint", "follow_up")]), 2);
/// assert_eq!(
///     counters.to_string(),
///     "# TYPE worktruck_claims_total counter\nworktruck_claims_total{blueprint=\"follow_up\"} 2\n"
/// );
/// ```
#[derive(Debug, Default)]
pub struct Counters {
    numbers: Mutex<BTreeMap<&'static str, BTreeMap<Labels, u64>>>,
}

type Labels = Vec<(&'static str, String)>;

impl Counters {
    /// How often something happened, by the name of the metric and its labels in their order; 0 if it never did.
    #[must_use]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let numbers = self.numbers();
        let all = numbers.get(name).into_iter().flatten();
        let is_asked = |found: &Labels| found.iter().map(|(name, value)| (*name, &**value)).eq(labels.iter().copied());
        all.filter(|(found, _)| is_asked(found)).map(|(_, number)| *number).sum()
    }

    fn set(&self, name: &'static str, labels: &[(&'static str, &str)], number: u64) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.numbers().entry(name).or_default().insert(labels, number);
    }

    fn add(&self, name: &'static str, labels: &[(&'static str, &str)], number: u64) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut numbers = self.numbers();
        let sum = numbers.entry(name).or_default().entry(labels).or_default();
        *sum = sum.saturating_add(number);
    }

    fn numbers(&self) -> MutexGuard<'_, BTreeMap<&'static str, BTreeMap<Labels, u64>>> {
        // A panic elsewhere cannot leave the map half written.
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Metrics for Counters {
    fn record(&self, measured: Measured<'_>) {
        match measured {
            Measured::Claimed { blueprint } => self.add("worktruck_claims_total", &[("blueprint", blueprint)], 1),
            Measured::LeaseLost { blueprint } => {
                self.add("worktruck_leases_lost_total", &[("blueprint", blueprint)], 1)
            }
            Measured::Step { blueprint, kind, outcome } => {
                let labels = [("blueprint", blueprint), ("kind", kind.as_str()), ("outcome", outcome.as_str())];
                self.add("worktruck_steps_total", &labels, 1);
            }
            Measured::Turn { blueprint, model, usage, cost } => {
                let tokens = [
                    ("input", usage.input_tokens),
                    ("output", usage.output_tokens),
                    ("cache_read", usage.cache_read_tokens),
                    ("cache_write", usage.cache_write_tokens),
                ];
                for (token, number) in tokens.into_iter().filter(|(_, number)| *number > 0) {
                    let labels = [("blueprint", blueprint), ("model", model), ("type", token)];
                    self.add("worktruck_tokens_total", &labels, number);
                }
                let nanos = u64::try_from(cost.as_nanos()).unwrap_or(0);
                self.add("worktruck_cost_nano_usd_total", &[("blueprint", blueprint), ("model", model)], nanos);
            }
            Measured::Queued { blueprint, depth, age } => {
                self.set("worktruck_queue_depth", &[("blueprint", blueprint)], depth);
                self.set("worktruck_queue_age_seconds", &[("blueprint", blueprint)], age.as_secs());
            }
            Measured::Disabled { blueprint } => {
                self.add("worktruck_configs_disabled_total", &[("blueprint", blueprint)], 1);
            }
            Measured::Ended { blueprint, status } => {
                self.add("worktruck_runs_ended_total", &[("blueprint", blueprint), ("status", status.as_str())], 1);
            }
        }
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, all) in &*self.numbers() {
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            writeln!(f, "# TYPE {name} {kind}")?;
            for (labels, number) in all {
                let labels: Vec<String> =
                    labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
                writeln!(f, "{name}{{{}}} {number}", labels.join(","))?;
            }
        }
        Ok(())
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use worktruck_core::NanoUsd;
    use worktruck_core::model::Usage;

    use super::*;

    #[test]
    fn what_is_queued_is_what_was_seen_last() {
        let counters = Counters::default();
        let queued = |depth, seconds| {
            counters.record(Measured::Queued { blueprint: "b", depth, age: Duration::from_secs(seconds) });
        };
        queued(7, 90);
        queued(2, 5);
        let text = "# TYPE worktruck_queue_age_seconds gauge
worktruck_queue_age_seconds{blueprint=\"b\"} 5
# TYPE worktruck_queue_depth gauge
worktruck_queue_depth{blueprint=\"b\"} 2
";
        assert_eq!(counters.to_string(), text);
    }

    #[test]
    fn labels_are_escaped_and_kinds_of_tokens_are_apart() {
        let counters = Counters::default();
        let usage = Usage { input_tokens: 5, cache_write_tokens: 7, ..Usage::default() };
        let turn = Measured::Turn { blueprint: "a\"b\\c\nd", model: "m", usage, cost: NanoUsd::new(9) };
        counters.record(turn);
        counters.record(turn);
        let text = r#"# TYPE worktruck_cost_nano_usd_total counter
worktruck_cost_nano_usd_total{blueprint="a\"b\\c\nd",model="m"} 18
# TYPE worktruck_tokens_total counter
worktruck_tokens_total{blueprint="a\"b\\c\nd",model="m",type="cache_write"} 14
worktruck_tokens_total{blueprint="a\"b\\c\nd",model="m",type="input"} 10
"#;
        assert_eq!(counters.to_string(), text);
        assert_eq!(counters.get("worktruck_tokens_total", &[]), 0);
    }
}
