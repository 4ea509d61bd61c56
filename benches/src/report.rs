//! Figures, for people and for programs.

use serde_json::{Value, json};

use crate::samples::{Part, median, quantile};

/// Something that was measured.
#[derive(Clone, Debug)]
pub struct Figure {
    name: String,
    unit: &'static str,
    value: f64,
    least: f64,
    most: f64,
    rounds: usize,
    goal: Option<Goal>,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// Not less.
    AtLeast(f64),
    /// Not more.
    AtMost(f64),
}

impl Figure {
    /// The median of several rounds.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: &'static str, rounds: &[f64]) -> Self {
        let least = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let (value, most) = (median(rounds), quantile(rounds, Part::All));
        Self {
            name: name.into(),
            unit,
            value,
            least: if least.is_finite() { least } else { 0.0 },
            most,
            rounds: rounds.len(),
            goal: None,
        }
    }

    /// Whether nothing was measured.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rounds == 0
    }

    /// The same figure with what it should be.
    #[must_use]
    pub const fn with_goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    /// A line of the table.
    #[must_use]
    pub fn line(&self) -> String {
        let spread = if self.least < self.most {
            format!("[{} .. {}]", number(self.least), number(self.most))
        } else {
            String::new()
        };
        let goal = match self.goal {
            None => String::new(),
            Some(goal) => {
                let (sign, bound) = goal.parts();
                let verdict = if goal.is_met(self.value) { "met" } else { "MISSED" };
                format!("{sign} {bound} {verdict}")
            }
        };
        let line = format!("  {:<58} {:>9} {:<7} {spread:<22} {goal}", self.name, number(self.value), self.unit);
        line.trim_end().to_owned()
    }

    /// The figure for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut figure = json!({
            "name": self.name, "unit": self.unit, "median": self.value, "least": self.least, "most": self.most,
            "rounds": self.rounds,
        });
        if let Some(goal) = self.goal {
            let (sign, bound) = goal.parts();
            figure["goal"] = json!({ "is": sign, "bound": bound, "met": goal.is_met(self.value) });
        }
        figure
    }
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }

    const fn parts(self) -> (&'static str, f64) {
        match self {
            Self::AtLeast(bound) => (">=", bound),
            Self::AtMost(bound) => ("<=", bound),
        }
    }
}

/// Three digits or more, as many as mean something.
fn number(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_median_the_spread_and_whether_the_goal_is_met() {
        let figure = Figure::new("steps", "/s", &[120.0, 90.0, 100.4]);
        assert_eq!(figure.line().split_whitespace().collect::<Vec<_>>(), ["steps", "100", "/s", "[90.0", "..", "120]"]);
        assert!(figure.clone().with_goal(Goal::AtLeast(100.0)).line().ends_with(">= 100 met"));
        assert!(figure.with_goal(Goal::AtMost(100.0)).line().ends_with("<= 100 MISSED"));
    }

    #[test]
    fn json_has_the_goal_if_there_is_one() {
        let figure = Figure::new("ratio", "", &[2.0]);
        assert!(figure.json().get("goal").is_none());
        let goal = figure.with_goal(Goal::AtLeast(3.0)).json();
        assert_eq!(goal["goal"], json!({ "is": ">=", "bound": 3.0, "met": false }));
    }
}
