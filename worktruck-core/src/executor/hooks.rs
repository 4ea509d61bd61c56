//! What is done when a part of the budget is spent.

use std::time::Duration;

use serde_json::{Value, json};

use crate::guardrail::{Gate, OnExpiry, RuleRef};
use crate::run::{
    Approval, BudgetAction, Decision, EventType, NewEvent, ON_BUDGET, OnBudget, Transition, WaitingReason,
};
use crate::{NanoUsd, Result, Timestamp};

use super::{Executor, exhausted, models};

/// How long a person may think about a budget: a day.
const TIME_TO_DECIDE: Duration = Duration::from_secs(86_400);

/// Said to a model that is to finish.
pub(super) const FINISH: &str = "The budget of this run is nearly spent. Finish now: answer with what you have, and say \
    what is left undone. Tools are no longer called.";

/// How far a run is with the hooks of its budget.
///
/// What counts is what the journal holds, so that a worker which takes the run over comes to the same.
#[derive(Debug)]
pub(super) struct Hooks {
    budget: NanoUsd,
    hooks: Vec<OnBudget>,
    /// How many of them the run has reached, and how many of these are done with.
    reached: usize,
    done: usize,
    /// Whether the model is to finish.
    pub(super) finishing: bool,
    /// Whether it has called a tool all the same.
    pub(super) warned: bool,
    /// What people were asked, as far as the journal knows.
    pub(super) questions: Vec<Approval>,
    /// What a person is asked with the next commit.
    pub(super) asks: Option<Approval>,
}

impl Hooks {
    pub(super) fn new(budget_usd_cents: Option<u32>, hooks: &[OnBudget]) -> Self {
        // Nothing is a part of no budget.
        let budget = NanoUsd::from_cents(budget_usd_cents.unwrap_or(0).into());
        let mut hooks = if budget == NanoUsd::ZERO { Vec::new() } else { hooks.to_vec() };
        hooks.sort_by_key(|hook| hook.at_percent);
        Self { budget, hooks, reached: 0, done: 0, finishing: false, warned: false, questions: Vec::new(), asks: None }
    }

    /// Takes in what is spent by now, and tells which hooks the run has reached with it.
    pub(super) fn reach(&mut self, spent: NanoUsd) -> Vec<NewEvent> {
        let before = self.reached;
        let is_reached = |hook: &OnBudget| {
            i128::from(spent.as_nanos()) * 100 >= i128::from(self.budget.as_nanos()) * i128::from(hook.at_percent)
        };
        while self.hooks.get(self.reached).is_some_and(is_reached) {
            self.reached += 1;
        }
        let told = |hook: &OnBudget| {
            let data = json!({
                "at_percent": hook.at_percent, "action": hook.action, "spent_usd_nano": spent, "budget_usd_nano": self.budget,
            });
            NewEvent::with(EventType::BudgetThreshold, data)
        };
        self.hooks[before..self.reached].iter().map(told).collect()
    }

    fn due(&self) -> Option<OnBudget> {
        self.hooks[..self.reached].get(self.done).copied()
    }

    /// Takes over that a turn was begun after all that was reached: people had agreed, and a model had been changed to.
    pub(super) fn recall_turn(&mut self) {
        while let Some(hook) = self.due() {
            self.finishing |= hook.action == BudgetAction::Finish;
            self.done += 1;
        }
    }
}

impl Executor {
    /// Does what is to be done before the next turn, or says why it must not begin.
    pub(super) fn heed_hooks(&mut self, now: Timestamp) -> Result<Result<(), Transition>> {
        while let Some(hook) = self.hooks.due() {
            match hook.action {
                BudgetAction::Warn => {}
                BudgetAction::Finish => self.hooks.finishing = true,
                BudgetAction::FallbackModel => {
                    let reason = format!("{} % of the budget are spent", hook.at_percent);
                    self.step_down(&reason);
                }
                BudgetAction::AskApproval => {
                    if let Err(transition) = self.permission(hook, now)? {
                        return Ok(Err(transition));
                    }
                }
            }
            self.hooks.done += 1;
        }
        Ok(Ok(()))
    }

    fn step_down(&mut self, reason: &str) {
        let from = self.models.current().to_owned();
        if self.models.step_down() {
            self.events.push(models::changed(&from, self.models.current(), reason));
            self.use_current_model();
        }
    }

    /// Whether a person has agreed that the run goes on.
    fn permission(&mut self, hook: OnBudget, now: Timestamp) -> Result<Result<(), Transition>> {
        let asked = self.hooks.questions.iter().position(|it| it.input["at_percent"] == hook.at_percent);
        let Some(at) = asked else {
            let question = self.budget_question(hook, now)?;
            self.events.push(question.requested());
            self.hooks.asks = Some(question);
            return Ok(Err(Transition::Wait { reason: WaitingReason::Approval }));
        };
        let mut question = self.hooks.questions[at].clone();
        if question.is_pending() && now < question.expires_at {
            self.hooks.asks = Some(question);
            return Ok(Err(Transition::Wait { reason: WaitingReason::Approval }));
        }
        if question.is_pending() {
            self.events.push(question.expire(now));
            self.expired.push(question.clone());
        }
        Ok(match question.decision {
            Some(Decision::Approve { .. } | Decision::Respond { .. }) => Ok(()),
            Some(Decision::Reject { .. }) => {
                let note = question.note.map(|note| format!(": {note}")).unwrap_or_default();
                let detail = format!("a person decided at {} % of the budget to end the run{note}", hook.at_percent);
                Err(exhausted(self.redacted(&detail)))
            }
            None => Err(exhausted(format!(
                "nobody decided before {} whether the run may spend more than {} % of its budget",
                question.expires_at, hook.at_percent
            ))),
        })
    }

    fn budget_question(&self, hook: OnBudget, now: Timestamp) -> Result<Approval> {
        let (spent, budget) = (self.ledger.spent(), self.hooks.budget);
        let input: Value = json!({
            "at_percent": hook.at_percent, "spent_usd_nano": spent, "budget_usd_nano": budget,
        });
        let rule = RuleRef { rule_index: 0, rule_id: Some(ON_BUDGET.to_owned()) };
        let summary = format!("this run has spent {spent} of its budget of {budget}: approve it to let it go on");
        let gate = Gate {
            expires_secs: u32::try_from(TIME_TO_DECIDE.as_secs()).unwrap_or(u32::MAX),
            on_expiry: OnExpiry::FailRun,
            summary: Some(summary),
        };
        self.question(self.seq + 1, (ON_BUDGET, &input), (&rule, gate), now)
    }
}
