//! Prices of model tokens, as data, and what a turn costs.
//!
//! # Examples
//!
//! ```
//! use worktruck_core::model::Usage;
//! use worktruck_core::pricing::{affordable_tokens, builtin, cost, model_name, prices_of, worst_case};
//! use worktruck_core::{NanoUsd, Timestamp};
//!
//! let at: Timestamp = "2026-11-01T00:00:00Z".parse()?;
//! let prices = prices_of(&builtin(), &model_name("claude-sonnet-5-5")?, at);
//! let usage = Usage { input_tokens: 1_000, output_tokens: 200, cache_read_tokens: 5_000, cache_write_tokens: 0 };
//! assert_eq!(cost(&prices, &usage), Some(NanoUsd::new(1_000 * 2_000 + 200 * 10_000 + 5_000 * 100)));
//!
//! let limit = worst_case(&prices, 6_000, 200).unwrap_or_default();
//! assert_eq!(limit, NanoUsd::new(6_000 * 2_500 + 200 * 10_000));
//! assert_eq!(affordable_tokens(&prices, 6_000, limit, 4_096), Some(200));
//! # Ok::<(), worktruck_core::Error>(())
//! ```

mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::model::Usage;
use crate::{Error, NanoUsd, Result, Timestamp};

pub use table::builtin;

/// What the tokens of a model cost from a day on, for prompts of a length and more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Price {
    /// The model, `provider/model`.
    pub model: String,
    /// From this moment on.
    pub effective_from: Timestamp,
    /// For whole requests whose prompt has more tokens than this; 0 also for an empty prompt.
    pub above_prompt_tokens: u64,
    /// Nano-dollars for a prompt token that no cache served.
    pub input: i64,
    /// Nano-dollars for a token of the answer.
    pub output: i64,
    /// Nano-dollars for a prompt token written to the five-minute cache.
    pub cache_write: i64,
    /// Nano-dollars for a prompt token that a cache served.
    pub cache_read: i64,
}

impl Price {
    fn is_for(&self, prompt_tokens: u64) -> bool {
        self.above_prompt_tokens == 0 || prompt_tokens > self.above_prompt_tokens
    }

    fn dearest_prompt_token(&self) -> NanoUsd {
        NanoUsd::new(self.input.max(self.cache_write).max(self.cache_read))
    }
}

/// The whole name of a model, `provider/model`: a name that begins with `claude-` is Anthropic's.
///
/// # Errors
///
/// `InvalidRequest` if it is neither that nor `provider/model`.
///
/// # Examples
///
/// ```
/// use worktruck_core::pricing::model_name;
///
/// assert_eq!(model_name("claude-haiku-5-5")?, "anthropic/claude-haiku-5-5");
/// assert_eq!(model_name("openai/meta/llama-5")?, "openai/meta/llama-5");
/// assert!(model_name("haiku").is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn model_name(name: &str) -> Result<String> {
    let is_visible = |text: &str| !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    match name.split_once('/') {
        Some((provider, model)) if is_visible(provider) && is_visible(model) => Ok(name.to_owned()),
        None if name.strip_prefix("claude-").is_some_and(is_visible) => Ok(format!("anthropic/{name}")),
        _ => Err(Error::invalid(format!("{name:?} is not a model; models are named claude-… or provider/model"))),
    }
}

/// The rows of `table` that are in force for `model` at `at`, one for each length of prompts that
/// has its own price, shortest first; none if the model has no price.
///
/// A change of price states the prices for all lengths anew. Of rows that differ in prices only,
/// the last one counts, so that rows put behind the [built-in ones](builtin) replace them.
#[must_use]
pub fn prices_of(table: &[Price], model: &str, at: Timestamp) -> Vec<Price> {
    let begun = || table.iter().filter(|price| price.model == model && price.effective_from <= at);
    let Some(newest) = begun().map(|price| price.effective_from).max() else {
        return Vec::new();
    };
    let mut prices: Vec<Price> = Vec::new();
    for price in begun().filter(|price| price.effective_from == newest) {
        match prices.iter_mut().find(|other| other.above_prompt_tokens == price.above_prompt_tokens) {
            Some(other) => other.clone_from(price),
            None => prices.push(price.clone()),
        }
    }
    prices.sort_by_key(|price| price.above_prompt_tokens);
    prices
}

/// What `usage` costs at `prices`, the rows in force for its model; `None` if none of them is for
/// a prompt of this length.
#[must_use]
pub fn cost(prices: &[Price], usage: &Usage) -> Option<NanoUsd> {
    let prompt_tokens = usage.prompt_tokens();
    let price =
        prices.iter().filter(|price| price.is_for(prompt_tokens)).max_by_key(|price| price.above_prompt_tokens)?;
    let parts = [
        (price.input, usage.input_tokens),
        (price.output, usage.output_tokens),
        (price.cache_write, usage.cache_write_tokens),
        (price.cache_read, usage.cache_read_tokens),
    ];
    Some(parts.into_iter().map(|(each, count)| NanoUsd::new(each).times(count)).sum())
}

/// The most that a turn can cost whose prompt has at most `input_bound_tokens` tokens and whose
/// answer at most `max_tokens`; `None` if such a turn may have no price.
#[must_use]
pub fn worst_case(prices: &[Price], input_bound_tokens: u64, max_tokens: u32) -> Option<NanoUsd> {
    prices.iter().find(|price| price.above_prompt_tokens == 0)?;
    let reachable = prices.iter().filter(|price| price.is_for(input_bound_tokens));
    reachable
        .map(|price| {
            let longer = prices.iter().map(|other| other.above_prompt_tokens);
            // The longest prompt that still has this price.
            let longest = longer.filter(|above| *above > price.above_prompt_tokens).min();
            let prompt = input_bound_tokens.min(longest.unwrap_or(u64::MAX));
            price.dearest_prompt_token().times(prompt) + NanoUsd::new(price.output).times(u64::from(max_tokens))
        })
        .max()
}

/// How many tokens an answer may have so that the worst case of the turn costs at most `left`:
/// `max_tokens` at most, 0 if not even the prompt is affordable, `None` if there is no price.
#[must_use]
pub fn affordable_tokens(prices: &[Price], input_bound_tokens: u64, left: NanoUsd, max_tokens: u32) -> Option<u32> {
    let fits = |tokens| worst_case(prices, input_bound_tokens, tokens).map(|cost| cost <= left);
    if fits(max_tokens)? {
        return Some(max_tokens);
    }
    // Invariant: `low` fits or is 0, `high` does not fit.
    let (mut low, mut high) = (0, max_tokens);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle)? { low = middle } else { high = middle }
    }
    Some(low)
}
