use crate::Timestamp;

use super::Price;

/// Models that cost the same, without their provider where it is Anthropic.
struct Row {
    models: &'static [&'static str],
    effective_from: Timestamp,
    above_prompt_tokens: u64,
    /// Nano-dollars a token: input, output, write to the five-minute cache, read from a cache.
    price: [i64; 4],
}

const ALWAYS: Timestamp = Timestamp::EPOCH;
/// 2026-10-07T00:00:00Z.
const OCTOBER_7: Timestamp = Timestamp::from_micros(1_791_331_200_000_000);

const fn row(models: &'static [&'static str], price: [i64; 4]) -> Row {
    Row { models, effective_from: ALWAYS, above_prompt_tokens: 0, price }
}

/// 1,000 nano-dollars a token are one dollar a million tokens.
const ROWS: [Row; 13] = [
    row(&["claude-fable-5-1", "claude-mythos-5-1"], [10_000, 50_000, 12_500, 250]),
    row(&["claude-fable-5", "claude-mythos-5"], [10_000, 50_000, 12_500, 1_000]),
    row(&["claude-opus-5-5"], [4_000, 20_000, 5_000, 200]),
    row(&["claude-opus-5", "claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6"], [5_000, 25_000, 6_250, 500]),
    row(&["claude-opus-4-5", "claude-opus-4-5-20251101"], [5_000, 25_000, 6_250, 500]),
    row(&["claude-sonnet-5-5"], [2_000, 10_000, 2_500, 200]),
    Row { effective_from: OCTOBER_7, ..row(&["claude-sonnet-5-5"], [2_000, 10_000, 2_500, 100]) },
    row(&["claude-sonnet-5"], [2_000, 10_000, 2_500, 200]),
    row(&["claude-sonnet-4-6", "claude-sonnet-4-5"], [3_000, 15_000, 3_750, 300]),
    row(&["claude-haiku-5-5"], [100, 500, 125, 10]),
    Row { above_prompt_tokens: 100_000, ..row(&["claude-haiku-5-5"], [500, 2_500, 625, 50]) },
    row(&["claude-haiku-4-5", "claude-haiku-4-5-20251001"], [1_000, 5_000, 1_250, 100]),
    // The built-in stand-in for a model: it calls nobody.
    row(&["local/rules"], [0, 0, 0, 0]),
];

/// The prices that are known to this version.
///
/// A model without a row has no price, which is not the price zero: a run with a budget is refused.
#[must_use]
pub fn builtin() -> Vec<Price> {
    ROWS.iter().flat_map(|row| row.models.iter().map(move |model| price(row, model))).collect()
}

fn price(row: &Row, model: &str) -> Price {
    let [input, output, cache_write, cache_read] = row.price;
    Price {
        model: if model.contains('/') { model.to_owned() } else { format!("anthropic/{model}") },
        effective_from: row.effective_from,
        above_prompt_tokens: row.above_prompt_tokens,
        input,
        output,
        cache_write,
        cache_read,
    }
}
