//! Agent runs as scripts: a model that says what it is told, tools that count, and a stage that
//! plays a run against any store, crashes where it is told to, and writes down what happens.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use serde_json::json;
//! use worktruck_core::store::MemoryStore;
//! use worktruck_core::testing::script::{Reply, Script, Stage};
//!
//! let script = Script::new([Reply::calls([("contacts_search", json!({}))]), Reply::text("nobody")]);
//! let mut stage = Stage::new(script, Arc::new(MemoryStore::default()));
//! stage.prepare()?;
//! stage.play()?;
//! assert_eq!(
//!     stage.trace(),
//!     [
//!         "== worker 1",
//!         "commit 1: snapshot, continue",
//!         "-> ask #1",
//!         "<- answer #1",
//!         "commit 2: step 1, continue",
//!         "-> call 2 contacts_search",
//!         "<- call 2 ok",
//!         "commit 3: step 2, continue",
//!         "-> ask #2",
//!         "<- answer #2",
//!         "commit 4: step 3, succeed",
//!         "== succeeded",
//!     ]
//! );
//! # Ok::<(), worktruck_core::Error>(())
//! ```

mod cast;
mod model;
pub mod scripts;
mod stage;
mod tools;
mod trace;

use std::time::Duration;

use serde_json::{Value, json};

use crate::guardrail::{Gate, OnBlock, OnExpiry, Rule, RuleKind};
use crate::journal::{Recalled, Snapshot, Trial};
use crate::pricing::Price;
use crate::run::{BudgetAction, OnBudget, Run};
use crate::tool::{Tool, ToolSpec};
use crate::{Secret, Timestamp};

pub use cast::Cast;
pub use model::{Reply, ScriptedModel};
pub use stage::{Order, ReturnOrder, Stage};
pub use tools::ScriptedTool;

/// A run as it is to be played.
#[derive(Clone, Debug)]
pub struct Script {
    /// What the model does, in order.
    pub replies: Vec<Reply>,
    /// The rules of the run; one that allows everything unless changed.
    pub guardrails: Vec<Rule>,
    /// The models that are asked in the place of the first one; none unless changed.
    pub fallback_models: Vec<String>,
    /// What the run may cost.
    pub budget_usd_cents: Option<u32>,
    /// What is done when parts of that are spent; nothing unless changed.
    pub on_budget: Vec<OnBudget>,
    /// The prices of the model.
    pub prices: Vec<Price>,
    /// How long the run may take from its first start; an hour unless changed.
    pub deadline: Duration,
    /// How many steps it may have; 100 unless changed.
    pub max_steps: u32,
    /// How many output tokens a turn may have; 4,096 unless changed.
    pub max_tokens: u32,
    /// How many times the same call may be made; 5 unless changed.
    pub max_repeats: u32,
    /// What must not be journaled.
    pub secrets: Vec<Secret>,
    /// In which order calls return that run side by side.
    pub returns: ReturnOrder,
    /// How long a lease lasts, and how much time passes until a crash is noticed; nothing with
    /// zero, so that a run that is taken over goes on as if nothing had happened.
    pub lease_for: Duration,
    /// Names of contacts that are there before the run.
    pub contacts: Vec<String>,
    /// Whether the run is a trial.
    pub dry_run: bool,
    /// What stands for calls outside in a trial.
    pub answers: Vec<Recalled>,
}

/// The model's name in snapshots.
const MODEL: &str = "scripted/scripted-1";
/// The blueprint of scripted runs.
const BLUEPRINT: &str = "scripted";

impl Script {
    /// A run whose model has these replies, without a budget, with every tool allowed.
    pub fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self {
            replies: replies.into_iter().collect(),
            guardrails: vec![Rule::new(RuleKind::Allowlist, ["*"])],
            fallback_models: Vec::new(),
            budget_usd_cents: None,
            on_budget: Vec::new(),
            prices: Vec::new(),
            deadline: Duration::from_secs(3_600),
            max_steps: 100,
            max_tokens: 4_096,
            max_repeats: 5,
            secrets: Vec::new(),
            returns: ReturnOrder::Oldest,
            lease_for: Duration::from_secs(30),
            contacts: Vec::new(),
            dry_run: false,
            answers: Vec::new(),
        }
    }

    /// The same run as a trial.
    #[must_use]
    pub const fn tried_out(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// The same run under a further rule.
    #[must_use]
    pub fn denying(mut self, tools: &str, on_block: OnBlock) -> Self {
        self.guardrails.push(Rule { on_block, ..Rule::new(RuleKind::Denylist, [tools]) });
        self
    }

    /// The same run, in which a person decides about calls of these tools; a day long, and then they are not made.
    #[must_use]
    pub fn asking(mut self, tools: &str) -> Self {
        let gate = Gate { expires_secs: 86_400, on_expiry: OnExpiry::Reject, summary: None };
        self.guardrails.push(Rule::new(RuleKind::ApprovalGate(gate), [tools]));
        self
    }

    /// The same run with a budget, and with a model that costs 2,000 nano-dollars for a token of
    /// the prompt and 10,000 for one of the answer.
    #[must_use]
    pub fn with_budget(mut self, cents: u32) -> Self {
        self.budget_usd_cents = Some(cents);
        self.prices = vec![Price {
            model: MODEL.to_owned(),
            effective_from: Timestamp::EPOCH,
            above_prompt_tokens: 0,
            input: 2_000,
            output: 10_000,
            cache_write: 2_000,
            cache_read: 200,
        }];
        self
    }

    /// The same run with another model, which is asked when the ones before it cannot be. It has the price of the first.
    #[must_use]
    pub fn falling_back_on(mut self, model: &str) -> Self {
        let prices: Vec<Price> = self.prices.iter().filter(|price| price.model == MODEL).cloned().collect();
        self.prices.extend(prices.into_iter().map(|price| Price { model: model.to_owned(), ..price }));
        self.fallback_models.push(model.to_owned());
        self
    }

    /// The same run, in which something is done when a part of its budget is spent.
    #[must_use]
    pub fn on_budget(mut self, at_percent: u8, action: BudgetAction) -> Self {
        self.on_budget.push(OnBudget { at_percent, action });
        self
    }

    /// What a run lives by that starts at `now`, and takes `moment` for the present if it is a trial.
    fn snapshot(&self, run: &Run, tools: &Cast, now: Timestamp, moment: Option<Timestamp>) -> Snapshot {
        Snapshot {
            blueprint: BLUEPRINT.to_owned(),
            blueprint_version: 1,
            config_version: None,
            model: MODEL.to_owned(),
            fallback_models: self.fallback_models.clone(),
            system_prompt: "Do as the script says.".to_owned(),
            first_message: format!("The input of this run: {}", run.input),
            tools: tools.all().iter().map(|tool| ToolSpec::clone(&tool.spec())).collect(),
            guardrails: self.guardrails.clone(),
            prices: self.prices.clone(),
            budget_usd_cents: self.budget_usd_cents,
            on_budget: self.on_budget.clone(),
            deadline_at: run.started_at.unwrap_or(now).after(self.deadline),
            max_steps: self.max_steps,
            max_tokens: self.max_tokens,
            max_repeats: self.max_repeats,
            timezone: None,
            trial: moment.map(|as_of| Trial { as_of, answers: self.answers.clone() }),
        }
    }

    fn input() -> Value {
        json!({ "task": "the script" })
    }
}
