use worktruck_core::{NanoUsd, pricing};

use crate::book::Entry;
use crate::part;

use super::{Check, Ended, Invariant};

/// What the provider has billed is within the budget, turns included whose answers nobody got.
pub(crate) fn at_bill(entry: &Entry) -> Check {
    let Some(cents) = entry.part.budget_cents else { return Ok(()) };
    let budget = NanoUsd::from_cents(cents.into());
    Invariant::Budget.holds(entry.bill <= budget, || {
        format!("run {} was billed {}, and its budget is {budget}", entry.run, entry.bill)
    })
}

/// A run costs exactly what its steps cost, and these what they used; the provider has billed no less.
pub(super) fn at_the_end(ended: &Ended<'_>) -> Check {
    let Ended { entry, run, journal, .. } = ended;
    let used = |step: &worktruck_core::journal::Step| pricing::cost(&[part::price()], &step.usage?);
    let cost: NanoUsd = journal.steps.iter().filter_map(used).sum();
    Invariant::Budget.holds(run.cost.0 == journal.cost() && cost == journal.cost(), || {
        format!("run {} costs {}, its steps {}, their tokens {cost}", entry.run, run.cost.0, journal.cost())
    })?;
    Invariant::Budget
        .holds(cost <= entry.bill, || format!("run {} costs {cost}, and was billed {}", entry.run, entry.bill))
}
