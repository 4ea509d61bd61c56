use crate::journal::Snapshot;
use crate::model::Usage;
use crate::pricing::{self, Price};
use crate::run::{FailureCategory, Transition};
use crate::{NanoUsd, Result};

use super::exhausted;

/// A turn with fewer output tokens is not worth its prompt.
const MIN_TOKENS: u32 = 256;

/// What a run has spent, what is set aside, and what is left.
///
/// Invariant: when a model is asked, spent + forfeited + reserved is within the budget.
#[derive(Debug)]
pub(super) struct Ledger {
    budget: Option<NanoUsd>,
    /// Of the model that is asked.
    prices: Vec<Price>,
    spent: NanoUsd,
    reserved: NanoUsd,
    forfeited: NanoUsd,
    max_tokens: u32,
}

impl Ledger {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        Self {
            budget: snapshot.budget_usd_cents.map(|cents| NanoUsd::from_cents(cents.into())),
            prices: Vec::new(),
            spent: NanoUsd::ZERO,
            reserved: NanoUsd::ZERO,
            forfeited: NanoUsd::ZERO,
            max_tokens: snapshot.max_tokens,
        }
    }

    /// From now on, what is asked is paid for at the prices of `model`.
    pub(super) fn use_model(&mut self, model: &str, snapshot: &Snapshot) {
        self.prices = snapshot.prices.iter().filter(|price| price.model == model).cloned().collect();
    }

    /// Sets aside the worst case of a turn whose prompt has at most `prompt_tokens`.
    ///
    /// The answer is limited to what the budget leaves. Fails if that is too little, or if the
    /// model has no price, so that nobody could say what is left.
    pub(super) fn reserve(
        &mut self,
        model: &str,
        prompt_tokens: u64,
        snapshot: &Snapshot,
    ) -> Result<NanoUsd, Transition> {
        self.max_tokens = snapshot.max_tokens;
        let Some(budget) = self.budget else { return Ok(NanoUsd::ZERO) };
        let left = budget - self.spent - self.forfeited;
        let affordable = pricing::affordable_tokens(&self.prices, prompt_tokens, left, snapshot.max_tokens);
        self.max_tokens = affordable.ok_or_else(|| Transition::Fail {
            category: FailureCategory::ConfigError,
            detail: format!(
                "the model {model} has no known price, so a budget of {budget} cannot be kept; add its price or leave out the budget"
            ),
        })?;
        if self.max_tokens < MIN_TOKENS.min(snapshot.max_tokens) {
            return Err(exhausted(format!(
                "of the budget of {budget}, {left} is left, which does not pay for the next turn"
            )));
        }
        // Invariant: the prices are not empty, so there is a worst case.
        self.reserved = pricing::worst_case(&self.prices, prompt_tokens, self.max_tokens).unwrap_or(left);
        Ok(self.reserved)
    }

    /// What a turn that used `usage` cost.
    pub(super) fn cost(&self, usage: &Usage) -> NanoUsd {
        pricing::cost(&self.prices, usage).unwrap_or(NanoUsd::ZERO)
    }

    /// Replaces what was set aside by what the turn cost.
    pub(super) fn settle(&mut self, cost: NanoUsd) {
        self.spent += cost;
        self.reserved = NanoUsd::ZERO;
    }

    /// Counts a recorded cost.
    pub(super) fn recorded(&mut self, cost: NanoUsd) {
        self.spent += cost;
    }

    /// Counts `amount` against the budget, though nobody knows whether it was spent.
    pub(super) fn forfeit(&mut self, amount: NanoUsd) {
        self.forfeited += amount;
    }

    /// What was set aside for a turn that is dropped while under way.
    pub(super) fn forfeit_reserved(&mut self) {
        self.forfeited += self.reserved;
        self.reserved = NanoUsd::ZERO;
    }

    /// Gives back what was set aside for a turn that was not begun.
    pub(super) fn give_back(&mut self) {
        self.reserved = NanoUsd::ZERO;
    }

    pub(super) const fn spent(&self) -> NanoUsd {
        self.spent
    }

    pub(super) const fn reserved(&self) -> NanoUsd {
        self.reserved
    }

    pub(super) const fn forfeited(&self) -> NanoUsd {
        self.forfeited
    }

    pub(super) const fn max_tokens(&self) -> u32 {
        self.max_tokens
    }
}
