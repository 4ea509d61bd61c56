//! What a set of rules would have decided about calls that were made.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::journal::{Journal, Step, StepKind, StepOutcome};
use crate::run::Run;
use crate::{RunId, Timestamp};

use crate::guardrail::{Call, History, Outcome, RuleSet};

/// A recorded run, to try rules on.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its journal.
    pub journal: &'a Journal,
}

/// What rules would have decided about recorded calls.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Backtest {
    /// How many calls were tried.
    pub evaluated: u32,
    /// How many would have been blocked.
    pub would_block: u32,
    /// About how many a person would have been asked.
    pub would_suspend: u32,
    /// About how many was decided otherwise then.
    pub changed: u32,
    /// Each call about which is, or would be, decided otherwise than to let it run.
    pub calls: Vec<Tried>,
}

/// What rules would have decided about one call.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Tried {
    /// The run.
    pub run_id: RunId,
    /// The place of the call in its journal.
    pub step_seq: u32,
    /// The tool.
    pub tool: String,
    /// What was decided then.
    pub recorded: Tested,
    /// What would be decided.
    pub would: Tested,
    /// The rule that would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_index: Option<usize>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was or would be decided about a call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tested {
    /// It runs.
    Allow,
    /// A person decides.
    Suspend,
    /// It does not run.
    Block,
}

impl Backtest {
    /// Whether as many calls were tried.
    #[must_use]
    pub fn is_full(&self, limit: usize) -> bool {
        usize::try_from(self.evaluated).is_ok_and(|evaluated| evaluated >= limit)
    }

    /// Tries `rules` on the calls of a recorded run, until `limit` calls were tried in all.
    ///
    /// The run is followed as it went: what it did before a call is what it did then, also where the rules would have
    /// stopped it earlier. Rules about what comes out are tried where a call came back.
    pub fn follow(&mut self, rules: &RuleSet, Recorded { run, journal }: &Recorded<'_>, limit: usize) {
        let pinned = journal.snapshot.as_ref();
        let zone = pinned.and_then(|it| it.timezone.as_ref()).and_then(|it| it.parse().ok()).unwrap_or(Tz::UTC);
        let is_untrusted =
            |name: &str| pinned.is_some_and(|it| it.tools.iter().any(|tool| tool.is_untrusted && tool.name == name));
        let (mut history, mut asked_at, mut heard) = (History::default(), Timestamp::EPOCH, false);
        for step in &journal.steps {
            if step.kind == StepKind::Llm {
                asked_at = step.completed_at.unwrap_or(step.started_at);
                if std::mem::take(&mut heard) {
                    history.taint();
                }
                continue;
            }
            if self.is_full(limit) {
                return;
            }
            let call = Call { tool: &step.name, input: &step.input, now: asked_at, zone, history: &history };
            let recorded = match step.outcome {
                StepOutcome::Blocked => Tested::Block,
                _ if journal.approvals.iter().any(|it| it.step_seq == step.seq) => Tested::Suspend,
                StepOutcome::Ok | StepOutcome::Error => Tested::Allow,
            };
            self.record(run.id, step, recorded, decide(rules, &call, step));
            if step.outcome != StepOutcome::Blocked {
                history.record(&step.name, asked_at);
                heard |= is_untrusted(&step.name);
            }
        }
    }

    fn record(&mut self, run_id: RunId, step: &Step, recorded: Tested, (would, rule_index, reason): Would) {
        self.evaluated += 1;
        self.would_block += u32::from(would == Tested::Block);
        self.would_suspend += u32::from(would == Tested::Suspend);
        self.changed += u32::from(would != recorded);
        if (recorded, would) != (Tested::Allow, Tested::Allow) {
            let (step_seq, tool) = (step.seq, step.name.clone());
            self.calls.push(Tried { run_id, step_seq, tool, recorded, would, rule_index, reason });
        }
    }
}

type Would = (Tested, Option<usize>, Option<String>);

fn decide(rules: &RuleSet, call: &Call<'_>, step: &Step) -> Would {
    let verdict = match rules.evaluate(call).outcome {
        Outcome::Allow if step.outcome == StepOutcome::Ok => match &step.output {
            Some(output) => rules.evaluate_output(call, output).outcome,
            None => Outcome::Allow,
        },
        outcome => outcome,
    };
    match verdict {
        Outcome::Allow => (Tested::Allow, None, None),
        Outcome::Suspend { rule, .. } => (Tested::Suspend, Some(rule.rule_index), None),
        Outcome::Block { rule, reason, .. } => (Tested::Block, rule.map(|rule| rule.rule_index), Some(reason)),
    }
}
