use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn known(model: &str) -> Vec<Price> {
    prices_of(&builtin(), &model_name(model).unwrap(), at("2026-11-22T00:00:00Z"))
}

const fn usage(input_tokens: u64, output_tokens: u64, cache_write_tokens: u64, cache_read_tokens: u64) -> Usage {
    Usage { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens }
}

#[test]
fn a_million_tokens_of_each_sort_cost_what_is_listed() {
    // US cents for a million tokens: input, output, cache write, cache read.
    let table = [
        ("claude-fable-5-1", ["1000", "5000", "1250", "25"]),
        ("claude-mythos-5-1", ["1000", "5000", "1250", "25"]),
        ("claude-fable-5", ["1000", "5000", "1250", "100"]),
        ("claude-mythos-5", ["1000", "5000", "1250", "100"]),
        ("claude-opus-5-5", ["400", "2000", "500", "20"]),
        ("claude-opus-5", ["500", "2500", "625", "50"]),
        ("claude-opus-4-8", ["500", "2500", "625", "50"]),
        ("claude-opus-4-7", ["500", "2500", "625", "50"]),
        ("claude-opus-4-6", ["500", "2500", "625", "50"]),
        ("claude-opus-4-5", ["500", "2500", "625", "50"]),
        ("claude-opus-4-5-20251101", ["500", "2500", "625", "50"]),
        ("claude-sonnet-5-5", ["200", "1000", "250", "10"]),
        ("claude-sonnet-5", ["200", "1000", "250", "20"]),
        ("claude-sonnet-4-6", ["300", "1500", "375", "30"]),
        ("claude-sonnet-4-5", ["300", "1500", "375", "30"]),
        ("claude-haiku-4-5", ["100", "500", "125", "10"]),
        ("claude-haiku-4-5-20251001", ["100", "500", "125", "10"]),
        ("local/rules", ["0", "0", "0", "0"]),
    ];
    let million = 1_000_000;
    for (model, expected) in table {
        let prices = known(model);
        let sorts =
            [usage(million, 0, 0, 0), usage(0, million, 0, 0), usage(0, 0, million, 0), usage(0, 0, 0, million)];
        let found = sorts.map(|usage| cost(&prices, &usage).unwrap().cents().to_string());
        assert_eq!(found, expected, "{model}");
    }
    let mut models: Vec<_> = builtin().into_iter().map(|price| price.model).collect();
    models.sort();
    models.dedup();
    assert_eq!(models.len(), table.len() + 1, "every model but claude-haiku-5-5 is in the table above");
}

#[test]
fn a_turn_costs_the_sum_of_its_parts() {
    // Worked out by hand, in nano-dollars.
    let table = [
        ("claude-sonnet-5-5", usage(1, 0, 0, 0), 2_000),
        ("claude-sonnet-5-5", usage(0, 1, 0, 0), 10_000),
        ("claude-sonnet-5-5", usage(0, 0, 1, 0), 2_500),
        ("claude-sonnet-5-5", usage(0, 0, 0, 1), 100),
        ("claude-sonnet-5-5", usage(1_234, 567, 890, 12_345), 11_597_500),
        ("claude-opus-4-5", usage(100, 20, 7, 3), 1_045_250),
        ("claude-haiku-5-5", usage(800, 150, 0, 4_000), 195_000),
        ("claude-haiku-5-5", usage(100_000, 0, 0, 0), 10_000_000),
        ("claude-haiku-5-5", usage(100_001, 0, 0, 0), 50_000_500),
        ("claude-haiku-5-5", usage(40_000, 1_000, 20_000, 40_000), 7_400_000),
        ("claude-haiku-5-5", usage(40_000, 1_000, 20_000, 40_001), 37_000_050),
        ("claude-haiku-5-5", usage(0, 0, 0, 0), 0),
        ("local/rules", usage(1_000_000, 1_000_000, 0, 0), 0),
    ];
    for (model, usage, expected) in table {
        assert_eq!(cost(&known(model), &usage), Some(NanoUsd::new(expected)), "{model} {usage:?}");
    }
}

#[test]
fn a_price_holds_from_its_moment_on() {
    let table = builtin();
    let cache_read = |when: &str| {
        let prices = prices_of(&table, "anthropic/claude-sonnet-5-5", at(when));
        cost(&prices, &usage(0, 0, 0, 1_000_000)).unwrap().cents().to_string()
    };
    assert_eq!(cache_read("2026-01-01T00:00:00Z"), "20");
    assert_eq!(cache_read("2026-10-06T23:59:59.999999Z"), "20");
    assert_eq!(cache_read("2026-10-07T00:00:00Z"), "10");
    assert_eq!(cache_read("2027-01-01T00:00:00Z"), "10");
}

#[test]
fn an_unknown_model_has_no_price() {
    for model in ["anthropic/claude-fable-5-2", "anthropic/claude-mythos-5-2", "openai/gpt", "claude-sonnet-5-5", ""] {
        let prices = prices_of(&builtin(), model, at("2026-11-22T00:00:00Z"));
        assert_eq!(prices, [], "{model}");
        assert_eq!(cost(&prices, &usage(1, 1, 0, 0)), None);
        assert_eq!(worst_case(&prices, 1, 1), None);
        assert_eq!(affordable_tokens(&prices, 1, NanoUsd::MAX, 1), None);
    }
}

#[test]
fn a_row_put_behind_replaces_one_before_it() {
    let mut table = builtin();
    let mut cheaper = known("claude-sonnet-5-5").remove(0);
    cheaper.input = 1;
    table.push(cheaper.clone());
    let november = at("2026-11-22T00:00:00Z");
    assert_eq!(prices_of(&table, &cheaper.model, november), [cheaper.clone()]);

    // A later price without a step for long prompts ends the step.
    let haiku = "anthropic/claude-haiku-5-5";
    assert_eq!(prices_of(&table, haiku, november).len(), 2);
    table.push(Price { model: haiku.to_owned(), effective_from: november, ..cheaper });
    assert_eq!(prices_of(&table, haiku, november).len(), 1);
}

#[test]
fn the_worst_case_is_the_dearest_that_can_happen() {
    let haiku = known("claude-haiku-5-5");
    let sonnet = known("claude-sonnet-5-5");
    let table = [
        (&sonnet, 0, 0, 0),
        (&sonnet, 10_000, 1_000, 35_000_000),
        (&haiku, 0, 10, 5_000),
        (&haiku, 100_000, 1_000, 13_000_000),
        (&haiku, 100_001, 1_000, 65_000_625),
    ];
    for (prices, bound, max_tokens, expected) in table {
        assert_eq!(worst_case(prices, bound, max_tokens), Some(NanoUsd::new(expected)), "{bound} {max_tokens}");
    }
    let only_long: Vec<_> = haiku.into_iter().filter(|price| price.above_prompt_tokens > 0).collect();
    assert_eq!(worst_case(&only_long, 200_000, 1), None, "a short prompt would have no price");
}

#[test]
fn a_dear_step_counts_where_a_longer_prompt_is_cheaper() {
    let price = |above_prompt_tokens, each| Price {
        model: "x/y".to_owned(),
        effective_from: Timestamp::EPOCH,
        above_prompt_tokens,
        input: each,
        output: each,
        cache_write: each,
        cache_read: each,
    };
    let prices = [price(0, 100), price(10, 1)];
    assert_eq!(worst_case(&prices, 11, 0), Some(NanoUsd::new(1_000)));
    assert_eq!(worst_case(&prices, 2_000, 0), Some(NanoUsd::new(2_000)));
}

#[test]
fn a_budget_buys_what_fits_it() {
    let sonnet = known("claude-sonnet-5-5");
    let prompt = 1_000 * 2_500;
    let table = [
        (prompt + 10_000 * 300, 4_096, 300),
        (prompt + 10_000 * 300 - 1, 4_096, 299),
        (prompt + 10_000, 4_096, 1),
        (prompt, 4_096, 0),
        (prompt - 1, 4_096, 0),
        (0, 4_096, 0),
        (-1, 4_096, 0),
        (i64::MAX, 4_096, 4_096),
        (i64::MAX, u32::MAX, u32::MAX),
        (i64::MAX, 0, 0),
        (0, 0, 0),
    ];
    for (left, max_tokens, expected) in table {
        let found = affordable_tokens(&sonnet, 1_000, NanoUsd::new(left), max_tokens);
        assert_eq!(found, Some(expected), "{left} {max_tokens}");
    }
    let free = known("local/rules");
    assert_eq!(affordable_tokens(&free, u64::MAX, NanoUsd::ZERO, 4_096), Some(4_096), "a budget of 0 allows it");
}

#[test]
fn a_model_has_a_whole_name() {
    let table = [
        ("claude-opus-5", Some("anthropic/claude-opus-5")),
        ("anthropic/claude-opus-5", Some("anthropic/claude-opus-5")),
        ("local/rules", Some("local/rules")),
        ("openai/a/b", Some("openai/a/b")),
        ("claude-", None),
        ("gpt-9", None),
        ("", None),
        ("/", None),
        ("/x", None),
        ("x/", None),
        (" claude-opus-5", None),
        ("claude-opus-5 ", None),
        ("a b/c", None),
        ("a/b\0", None),
    ];
    for (name, expected) in table {
        assert_eq!(model_name(name).ok().as_deref(), expected, "{name:?}");
    }
}

fn any_prices() -> impl Strategy<Value = Vec<Price>> {
    let each = 0_i64..1_000_000;
    let row = (0_u64..300_000, each.clone(), each.clone(), each.clone(), each);
    proptest::collection::vec(row, 1..4).prop_map(|mut rows| {
        rows[0].0 = 0;
        let table: Vec<_> = rows
            .into_iter()
            .map(|(above_prompt_tokens, input, output, cache_write, cache_read)| Price {
                model: "x/y".to_owned(),
                effective_from: Timestamp::EPOCH,
                above_prompt_tokens,
                input,
                output,
                cache_write,
                cache_read,
            })
            .collect();
        prices_of(&table, "x/y", Timestamp::EPOCH)
    })
}

fn any_usage() -> impl Strategy<Value = Usage> {
    (0_u64..200_000, 0_u64..5_000, 0_u64..200_000, 0_u64..200_000).prop_map(|(a, b, c, d)| usage(a, b, c, d))
}

proptest! {
    #[test]
    fn a_turn_never_costs_more_than_its_worst_case(prices in any_prices(), usage in any_usage(),
        spare in 0_u64..200_000, spare_output in 0_u32..100) {
        let bound = usage.prompt_tokens() + spare;
        let max_tokens = u32::try_from(usage.output_tokens).unwrap() + spare_output;
        prop_assert!(cost(&prices, &usage).unwrap() <= worst_case(&prices, bound, max_tokens).unwrap());
    }

    #[test]
    fn a_cost_is_exact(prices in any_prices(), usage in any_usage()) {
        let prompt = usage.prompt_tokens();
        let price = prices.iter().rev().find(|price| price.above_prompt_tokens == 0 || prompt > price.above_prompt_tokens).unwrap();
        let exact = i128::from(price.input) * i128::from(usage.input_tokens)
            + i128::from(price.output) * i128::from(usage.output_tokens)
            + i128::from(price.cache_write) * i128::from(usage.cache_write_tokens)
            + i128::from(price.cache_read) * i128::from(usage.cache_read_tokens);
        prop_assert_eq!(i128::from(cost(&prices, &usage).unwrap().as_nanos()), exact);
    }

    #[test]
    fn the_worst_case_grows_with_both_bounds(prices in any_prices(), bound in 0_u64..500_000, more in 0_u64..500_000,
        max_tokens in 0_u32..10_000, more_tokens in 0_u32..10_000) {
        let one = worst_case(&prices, bound, max_tokens);
        let other = worst_case(&prices, bound + more, max_tokens + more_tokens);
        prop_assert!(one <= other);
    }

    #[test]
    fn the_affordable_tokens_are_the_most_that_fit(prices in any_prices(), bound in 0_u64..300_000,
        left in 0_i64..400_000_000_000, cap in 0_u32..200_000) {
        let left = NanoUsd::new(left);
        let tokens = affordable_tokens(&prices, bound, left, cap).unwrap();
        prop_assert!(tokens <= cap);
        prop_assert!(tokens == 0 || worst_case(&prices, bound, tokens).unwrap() <= left);
        prop_assert!(tokens == cap || worst_case(&prices, bound, tokens + 1).unwrap() > left);
    }
}
