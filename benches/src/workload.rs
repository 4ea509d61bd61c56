//! What the measurements of the stores write: steps of a given size, and contacts.

use std::time::Duration;

use serde_json::{Value, json};
use worktruck_agents::clock::RandomIds;
use worktruck_core::journal::{Snapshot, Step, StepKind, StepOutcome};
use worktruck_core::run::{BlueprintVersion, ClaimRequest, Commit, CommitStep, Cost, Transition};
use worktruck_core::{Digest, NanoUsd, StepId, Timestamp};

/// The blueprint of runs that no runtime executes.
pub const BLUEPRINT: &str = "echo";

/// A step at `seq` whose input and output are together about so many bytes.
#[must_use]
pub fn step(ids: &RandomIds, seq: u32, bytes: usize, now: Timestamp) -> Step {
    Step {
        id: StepId::new(ids, now),
        seq,
        kind: StepKind::Tool,
        name: BLUEPRINT.into(),
        call_digest: Digest::of_bytes(&seq.to_le_bytes()),
        hash: Digest::of_bytes(&seq.to_be_bytes()),
        input: json!({ "text": "x".repeat(bytes / 2) }),
        output: Some(json!({ "text": "y".repeat(bytes / 2) })),
        outcome: StepOutcome::Ok,
        model: None,
        usage: None,
        cost: Cost::default(),
        started_at: now,
        completed_at: Some(now),
        payload_ref: None,
        tried: None,
    }
}

/// How long the leases of such runs last.
pub const LEASE: Duration = Duration::from_secs(30);

/// What takes up to `limit` of such runs.
#[must_use]
pub fn claim(limit: usize) -> ClaimRequest {
    let blueprints = vec![BlueprintVersion { blueprint: BLUEPRINT.into(), version: 1 }];
    ClaimRequest { blueprints, limit, lease_for: LEASE }
}

/// The commit `number` of such a run.
#[must_use]
pub fn commit(number: u64, steps: Vec<CommitStep>, transition: Transition) -> Commit {
    Commit {
        number,
        snapshot: (number == 1).then(snapshot),
        steps,
        calls: Vec::new(),
        approvals: Vec::new(),
        events: Vec::new(),
        reserved: NanoUsd::ZERO,
        forfeited: NanoUsd::ZERO,
        transition,
        lease_for: LEASE,
    }
}

/// The contact number `n`.
#[must_use]
pub fn person(n: u32) -> Value {
    let (given, family) = (["Ada", "Zoë", "Łukasz", "Mary", "Ivan"], ["King", "Byron", "Novak", "Smith"]);
    let pick =
        |of: &[&str], n: u32| of.iter().cycle().nth(usize::try_from(n % 97).unwrap_or(0)).map(|s| (*s).to_owned());
    let (given, family) = (pick(&given, n).unwrap_or_default(), pick(&family, n / 5).unwrap_or_default());
    json!({
        "display_name": format!("{given} {family} {n}"), "given_name": given, "family_name": family,
        "tags": [format!("group-{}", n % 50)], "vcard_uid": format!("uid-{n}"),
        "metadata": { "note": "met at the fair, wants to hear from us in spring" }
    })
}

/// What such a run lives by.
fn snapshot() -> Snapshot {
    Snapshot {
        blueprint: BLUEPRINT.into(),
        blueprint_version: 1,
        config_version: None,
        model: "local/echo".into(),
        system_prompt: "Say it again.".into(),
        first_message: String::new(),
        tools: Vec::new(),
        guardrails: Vec::new(),
        prices: Vec::new(),
        budget_usd_cents: None,
        deadline_at: Timestamp::from_micros(4_000_000_000_000_000),
        max_steps: 10_000,
        max_tokens: 100,
        max_repeats: 3,
        fallback_models: Vec::new(),
        on_budget: Vec::new(),
        timezone: None,
        trial: None,
    }
}
