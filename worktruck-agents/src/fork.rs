//! Runs that go on from the middle of another one, and what runs have only tried.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use worktruck_core::executor::{self, Departure};
use worktruck_core::guardrail::{self, Rule};
use worktruck_core::journal::{Journal, Snapshot, Step, StepKind, Trial};
use worktruck_core::pim::{self, TriedChange};
use worktruck_core::run::{EventType, NewRun, Run};
use worktruck_core::store::View;
use worktruck_core::tool::ToolEffect;
use worktruck_core::{Error, PageRequest, Result, RunId, TenantId, Timestamp};

use crate::Runtime;
use crate::runtime::first_message;

/// What a run that goes on from the middle of another one does to the world.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ForkMode {
    /// Nothing: it is a trial, which sees the store as it was at that place, keeps what it would write to itself and
    /// calls nobody outside.
    #[default]
    WhatIf,
    /// What any run does: it reads and writes now.
    Live,
}

/// Where and how a run goes on from another one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ForkRequest {
    /// The first step that is made anew: from 1 to the one after the last.
    pub from_seq: u32,
    /// What it does to the world.
    #[serde(default)]
    pub mode: ForkMode,
    /// What is other than in the run that it goes on from.
    #[serde(default)]
    pub overrides: Overrides,
}

impl ForkRequest {
    /// A trial that makes all steps from `from_seq` on anew.
    #[must_use]
    pub fn what_if(from_seq: u32) -> Self {
        Self { from_seq, mode: ForkMode::WhatIf, overrides: Overrides::default() }
    }

    /// A run that takes effect and makes all steps from `from_seq` on anew.
    #[must_use]
    pub fn live(from_seq: u32) -> Self {
        Self { mode: ForkMode::Live, ..Self::what_if(from_seq) }
    }

    /// The same with these overrides.
    #[must_use]
    pub fn with(self, overrides: Overrides) -> Self {
        Self { overrides, ..self }
    }
}

/// What a run that goes on from another one has in place of what that lives by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// The system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// The model that is asked from there on, `claude-…` or `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The rules that calls are checked against from there on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrails: Option<Vec<Rule>>,
    /// What its own steps may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_usd_cents: Option<u32>,
    /// What is asked for, in the first message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

impl Runtime {
    /// Accepts a run that goes on from the middle of another one: it has that one's steps before
    /// [`from_seq`](ForkRequest::from_seq), which cost it nothing, and makes the next ones itself.
    ///
    /// It lives by what the other run lives by, but for the overrides, and has a deadline of its own.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such run, or this runtime has not its blueprint.
    /// - `Conflict`: the run has not begun, or its journal is not what was recorded.
    /// - `InvalidRequest`: there is no such place in the run, what it tried out cannot be gone on from live, or an
    ///   override is wrong; the error names it.
    /// - And those of [`RunStore::fork`](worktruck_core::store::RunStore::fork).
    pub async fn fork(&self, tenant: TenantId, run: RunId, request: ForkRequest) -> Result<Run> {
        let missing = || Error::not_found(format!("run {run}"));
        let source = self.store().run(tenant, run).await?.ok_or_else(missing)?;
        let journal = self.store().journal(tenant, run).await?.ok_or_else(missing)?;
        let Some(pinned) = journal.snapshot.clone() else {
            return Err(Error::conflict(format!("run {run} has not begun, so there is nothing to go on from")));
        };
        let ForkRequest { from_seq, mode, overrides } = request;
        let mut new = NewRun {
            deadline_secs: source.deadline_secs,
            priority: source.priority,
            metadata: source.metadata.clone(),
            ..self.new_run(&source.agent_blueprint, source.input.clone())
        };
        let mut snapshot = self.overridden(pinned, &mut new, overrides)?;
        snapshot.trial = match mode {
            ForkMode::Live => None,
            ForkMode::WhatIf => {
                let as_of = self.moment(&source, &journal, from_seq).await?;
                let view = View::new(Arc::clone(self.store()) as Arc<_>, tenant, self.now().max(as_of));
                view.moment(Some(as_of)).await?;
                Some(Trial { as_of, answers: executor::recalled(&journal)? })
            }
        };
        new.dry_run = mode == ForkMode::WhatIf;
        new.budget_usd_cents = snapshot.budget_usd_cents;
        let fork = executor::fork(&source, &journal, Departure { from_seq, run: new, snapshot })?;
        self.store().fork(tenant, fork, self.now()).await
    }

    /// What a trial would have written, step by step; nothing of a run that takes effect.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such run.
    /// - And those of [`tried_changes`](worktruck_core::pim::tried_changes).
    pub async fn tried_changes(&self, tenant: TenantId, run: RunId) -> Result<Vec<TriedChange>> {
        let journal = self.store().journal(tenant, run).await?;
        let journal = journal.ok_or_else(|| Error::not_found(format!("run {run}")))?;
        pim::tried_changes(Arc::clone(self.store()) as Arc<_>, tenant, &journal).await
    }

    /// What a run lives by that has these overrides.
    fn overridden(&self, mut snapshot: Snapshot, run: &mut NewRun, overrides: Overrides) -> Result<Snapshot> {
        let Overrides { system_prompt, model, guardrails, budget_usd_cents, input } = overrides;
        let blueprint = self.blueprint(&run.agent_blueprint)?;
        if let Some(input) = input {
            blueprint.check_input(&input, "/overrides/input")?;
            snapshot.first_message = first_message(&input);
            run.input = input;
        }
        if let Some(model) = model {
            let (model, prices) = self.priced(&blueprint.name, &model).map_err(|error| error.at("/overrides/model"))?;
            (snapshot.model, snapshot.prices) = (model, prices);
        }
        if let Some(guardrails) = guardrails {
            guardrail::check(&guardrails).map_err(|error| {
                let place = error.pointer().unwrap_or("/guardrails").to_owned();
                error.at(format!("/overrides{place}"))
            })?;
            snapshot.guardrails = guardrails;
        }
        snapshot.system_prompt = system_prompt.unwrap_or(snapshot.system_prompt);
        snapshot.budget_usd_cents = budget_usd_cents.or(snapshot.budget_usd_cents);
        Ok(snapshot)
    }

    /// When the step at `from_seq` began: the world that it saw holds what the steps before it wrote, and nothing that
    /// it wrote itself.
    async fn moment(&self, source: &Run, journal: &Journal, from_seq: u32) -> Result<Timestamp> {
        let trial = journal.snapshot.as_ref().and_then(|snapshot| snapshot.trial.as_ref());
        if let Some(trial) = trial {
            return Ok(trial.as_of);
        }
        let place = |seq: u32| journal.steps.iter().find(|step| step.seq == seq);
        let last = from_seq.checked_sub(1).and_then(place);
        let began = place(from_seq).map(|step| step.started_at);
        let ended = last.map(|step| step.completed_at.unwrap_or(step.started_at));
        let began = began.or(ended).or(source.started_at).unwrap_or(source.created_at);
        let Some(last) = last.filter(|step| step.kind == StepKind::Tool) else { return Ok(began) };
        // Calls of one turn are committed together, after all of them began: each write a microsecond after the one
        // before it.
        let committed = self.committed_at(source, last.seq).await?;
        let is_write = |step: &Step| {
            let tools = journal.snapshot.iter().flat_map(|snapshot| &snapshot.tools);
            tools.into_iter().any(|tool| tool.name == step.name && tool.effect == ToolEffect::Write)
        };
        let first = committed.iter().map(|(seq, _)| *seq).min().unwrap_or(last.seq);
        let writes =
            journal.steps.iter().filter(|step| (first..from_seq).contains(&step.seq) && is_write(step)).count();
        let (Some((_, at)), Ok(after @ 1..)) = (committed.first(), i64::try_from(writes)) else { return Ok(began) };
        Ok(began.max(Timestamp::from_micros(at.as_micros() + after - 1)))
    }

    /// The steps that were committed with the step `seq`, and when.
    async fn committed_at(&self, run: &Run, seq: u32) -> Result<Vec<(u32, Timestamp)>> {
        let mut recorded: Vec<(u32, Timestamp)> = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.store().events(run.tenant_id, run.id, PageRequest::largest(cursor)).await?;
            let steps = page.data.iter().filter(|event| event.event_type == EventType::StepRecorded);
            let place = |data: &Value| data["step_seq"].as_u64().and_then(|seq| u32::try_from(seq).ok());
            recorded.extend(steps.filter_map(|event| Some((place(&event.data)?, event.at))));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        let at = recorded.iter().find(|(step, _)| *step == seq).map(|(_, at)| *at);
        recorded.retain(|(_, other)| Some(*other) == at);
        Ok(recorded)
    }
}
