//! Which of a run's models is asked: the first one, until it stays away.

use serde_json::json;

use crate::journal::Snapshot;
use crate::model::{ModelError, ModelErrorCategory};
use crate::run::{EventType, NewEvent};

/// How often a model is asked for one turn before the next one has its turn.
const PATIENCE: u32 = 2;

/// The models of a run, in the order in which they are tried.
///
/// A run stays with the model that answered last: the thoughts of one are of no use to another, and its cache holds
/// the conversation. What a step records of it is enough to find it again.
#[derive(Debug)]
pub(super) struct Models {
    names: Vec<String>,
    /// Those that are out of credit, or whose turns no budget can be kept for.
    out: Vec<bool>,
    current: usize,
    /// How often the current one has failed since it was last changed to or answered.
    failures: u32,
}

/// What follows when a model could not be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// It is asked again.
    Same,
    /// Another one is asked at once.
    Another,
    /// All were asked, and the first of them is asked again.
    Around,
    /// None is left.
    Nobody,
}

impl Models {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let priced = |name: &String| snapshot.prices.iter().any(|price| price.model == *name);
        let mut names = vec![snapshot.model.clone()];
        names.extend(snapshot.fallback_models.iter().cloned());
        // A run with a budget falls back on no model that nobody knows the price of.
        let has_budget = snapshot.budget_usd_cents.is_some();
        let out = (0..).zip(&names).map(|(at, name)| at > 0 && has_budget && !priced(name)).collect();
        Self { names, out, current: 0, failures: 0 }
    }

    /// The model that is asked, `provider/model`.
    pub(super) fn current(&self) -> &str {
        &self.names[self.current]
    }

    /// Takes over from a journal which model answered. Whether it is one of the run's, and another than before.
    pub(super) fn recall(&mut self, name: &str) -> bool {
        let Some(at) = self.names.iter().position(|known| known == name) else { return false };
        self.failures = 0;
        std::mem::replace(&mut self.current, at) != at
    }

    /// The model that is asked has answered.
    pub(super) fn answered(&mut self) {
        self.failures = 0;
    }

    /// Decides who is asked next, and changes to it.
    pub(super) fn failed(&mut self, error: &ModelError) -> Next {
        self.failures += 1;
        if error.category == ModelErrorCategory::QuotaExhausted {
            self.out[self.current] = true;
        } else if self.failures < PATIENCE {
            return Next::Same;
        }
        let is_out = self.out[self.current];
        match self.change() {
            Some(true) => Next::Another,
            Some(false) => Next::Around,
            None if is_out => Next::Nobody,
            None => Next::Same,
        }
    }

    /// Changes to the next model for good, if there is one behind the current one.
    pub(super) fn step_down(&mut self) -> bool {
        match (self.current + 1..self.names.len()).find(|at| !self.out[*at]) {
            Some(next) => {
                (self.current, self.failures) = (next, 0);
                true
            }
            None => false,
        }
    }

    /// Changes to the next one that is not out, and says whether it stands behind the one before.
    fn change(&mut self) -> Option<bool> {
        let count = self.names.len();
        let next = (1..count).map(|step| (self.current + step) % count).find(|at| !self.out[*at])?;
        let is_behind = next > self.current;
        (self.current, self.failures) = (next, 0);
        Some(is_behind)
    }
}

/// Tells of a change of models.
pub(super) fn changed(from: &str, to: &str, reason: &str) -> NewEvent {
    NewEvent::with(EventType::ModelFallback, json!({ "from": from, "to": to, "reason": reason }))
}
