//! What people decide about runs: approvals, and rules tried on what was recorded.

use worktruck_core::backtest::{Backtest, Recorded};
use worktruck_core::executor::{Executor, Options};
use worktruck_core::guardrail::{self, Rule, RuleSet};
use worktruck_core::run::{Answer, Approval, Decision, ON_BUDGET, Run, Signal};
use worktruck_core::store::{ApprovalQuery, RunQuery};
use worktruck_core::{ApprovalId, Error, Page, PageRequest, Result, TenantId, Timestamp};

use crate::Runtime;

/// Which recorded calls rules are tried on.
#[derive(Clone, Copy, Debug)]
pub struct Tries {
    /// Of runs that were accepted at this moment or later.
    pub from: Option<Timestamp>,
    /// Of runs that were accepted before this moment.
    pub to: Option<Timestamp>,
    /// How many at most, those of the newest runs first.
    pub limit: usize,
}

impl Default for Tries {
    /// The newest 1,000 calls.
    fn default() -> Self {
        Self { from: None, to: None, limit: 1_000 }
    }
}

/// Whether a run may spend more has no input that could be edited, and no output.
fn refuse_other_than_yes_and_no(decision: &Decision) -> Result<()> {
    let pointer = match decision {
        Decision::Approve { edited_input: Some(_) } => "/edited_input",
        Decision::Respond { .. } => "/output",
        Decision::Approve { edited_input: None } | Decision::Reject { .. } => return Ok(()),
    };
    Err(Error::invalid("this asks whether a run may spend more: approve or reject it").at(pointer))
}

impl Runtime {
    /// A page of what people are or were asked, in the order in which they were asked.
    ///
    /// # Errors
    ///
    /// As for [`RunStore::approvals`](worktruck_core::store::RunStore::approvals).
    pub async fn approvals(&self, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>> {
        self.store().approvals(tenant, query).await
    }

    /// What a person is or was asked.
    ///
    /// # Errors
    ///
    /// `NotFound` if the tenant has no such approval, and those of the store.
    pub async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Approval> {
        let found = self.store().approval(tenant, id).await?;
        found.ok_or_else(|| Error::not_found(format!("approval {id}")))
    }

    /// Answers what a person is asked; a worker goes on with the run at once. What is registered as
    /// [secret](crate::RuntimeBuilder::secret) is left out of what they write.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such approval.
    /// - `InvalidRequest` at `/edited_input`: the tool's schema or another rule refuses it; the approval stays open.
    /// - `InvalidRequest` at `/edited_input` or `/output`: the question is about a budget, which has neither.
    /// - `Conflict`: it was answered before, it is too late, or the run has ended.
    pub async fn answer(&self, tenant: TenantId, answer: Answer) -> Result<Approval> {
        let answer = answer.redacted(&self.ports.secrets);
        let approval = self.approval(tenant, answer.approval).await?;
        let now = self.now();
        if approval.rule_id == ON_BUDGET {
            refuse_other_than_yes_and_no(&answer.decision)?;
        }
        if let (true, Decision::Approve { edited_input: Some(input) }) = (approval.is_pending(), &answer.decision) {
            // The rules and the schema of a run never change, so what is right now is right when it is taken in.
            let mut executor = self.executor_of(tenant, &approval).await?;
            executor.check_edited(approval.step_seq, input, now)?;
        }
        let id = answer.approval;
        self.store().signal(tenant, approval.run_id, Signal::Decide(answer), now).await?;
        self.ports.listeners.tell(approval.run_id);
        self.approval(tenant, id).await
    }

    /// Tries rules on the calls of recorded runs of a blueprint: what they would have decided.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest` at the place of a mistake in a rule.
    /// - And those of the store.
    pub async fn backtest(
        &self,
        tenant: TenantId,
        blueprint: &str,
        rules: Vec<Rule>,
        tries: Tries,
    ) -> Result<Backtest> {
        guardrail::check(&rules)?;
        let rules = RuleSet::new(rules);
        let mut tested = Backtest::default();
        let mut cursor = None;
        loop {
            let page = PageRequest::largest(cursor);
            let query = RunQuery { blueprint: Some(blueprint.to_owned()), status: None, page };
            let Page { data, next_cursor, .. } = self.store().runs(tenant, query).await?;
            for run in &data {
                if tries.from.is_some_and(|from| run.created_at < from) || tested.is_full(tries.limit) {
                    return Ok(tested);
                }
                if tries.to.is_none_or(|to| run.created_at < to) {
                    self.try_on(&mut tested, &rules, run, tries.limit).await?;
                }
            }
            cursor = next_cursor;
            if cursor.is_none() {
                return Ok(tested);
            }
        }
    }

    async fn try_on(&self, tested: &mut Backtest, rules: &RuleSet, run: &Run, limit: usize) -> Result<()> {
        if let Some(journal) = self.store().journal(run.tenant_id, run.id).await? {
            tested.follow(rules, &Recorded { run, journal: &journal }, limit);
        }
        Ok(())
    }

    async fn executor_of(&self, tenant: TenantId, approval: &Approval) -> Result<Executor> {
        let missing = || Error::not_found(format!("run {}", approval.run_id));
        let run = self.store().run(tenant, approval.run_id).await?.ok_or_else(missing)?;
        let journal = self.store().journal(tenant, approval.run_id).await?.ok_or_else(missing)?;
        let options = Options { lease_for: self.ports.lease_for, secrets: self.ports.secrets.clone() };
        Executor::resume(run, journal, options)
    }
}
