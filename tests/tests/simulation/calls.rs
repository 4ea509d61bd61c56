//! The model and the tools: when a worker hands a call over, what it does, and what comes back.

use std::sync::Arc;

use futures::FutureExt as _;
use worktruck_core::executor::{Event, ToolCall};
use worktruck_core::journal::OpenCall;
use worktruck_core::model::{ModelError, ModelErrorCategory, ModelReply, ModelRequest, Usage};
use worktruck_core::run::{Commit, FailureCategory};
use worktruck_core::store::View;
use worktruck_core::testing::Fault as Failure;
use worktruck_core::testing::script::ScriptedModel;
use worktruck_core::tool::{Tool as _, ToolContext, ToolError, ToolOutput};
use worktruck_core::{DerivedIds, Digest, RunId, pricing};

use crate::book::Caller;
use crate::breach::Breach;
use crate::desk::STORE_PAUSE;
use crate::faults::{Fault, Position};
use crate::invariants::{Check, Violation, budget, effect_once, lost_lease, rules, turn_once};
use crate::part::{MAIL, PUBLISH, SECRET, delivered, price};
use crate::tally::Tally;
use crate::world::{Hold, What, World};

/// What a worker does for an executor, and what will go wrong with it.
#[derive(Debug)]
pub(crate) enum Errand {
    /// It asks the model.
    Ask { request: ModelRequest, fate: Option<Fault>, struck: bool },
    /// It calls a tool.
    Call { call: ToolCall, fault: Option<Fault>, struck: bool },
}

impl Errand {
    fn position(&self) -> Position {
        match self {
            Self::Ask { .. } => Position::Ask,
            Self::Call { call, .. } => Position::of_call(call.effect),
        }
    }

    const fn is_outside(&self) -> bool {
        match self {
            Self::Ask { .. } => true,
            Self::Call { call, .. } => call.effect.is_outside(),
        }
    }
}

impl World {
    /// The moment at which a worker hands a call over. It looks at its lease before a call outside.
    pub(crate) fn hand(&mut self, hold: Hold, mut errand: Box<Errand>) -> Check {
        let Hold { who, job: id, epoch, run } = hold;
        let looks = errand.is_outside() && self.desk.breach != Some(Breach::LeaseUnchecked);
        let Some(job) = self.job(who, id).filter(|job| job.epoch == epoch) else { return Ok(()) };
        let is_early = matches!(&*errand, Errand::Call { call, .. } if job.early.contains(&call.seq));
        if looks && !self.is_live(who, id) {
            self.lose(who, id);
            return Ok(());
        }
        if is_early {
            let Errand::Call { call, .. } = *errand else { return Ok(()) };
            let event = Event::Returned { seq: call.seq, result: Ok(ToolOutput::new(delivered(&call.input))) };
            return self.returned(hold, event, true);
        }
        let (Errand::Ask { struck, .. } | Errand::Call { struck, .. }) = &mut *errand;
        let fault =
            if std::mem::replace(struck, true) { None } else { self.strike(who, errand.position(), Some(run))? };
        if matches!(fault, Some(Fault::CrashBefore | Fault::PauseBefore)) {
            if let Some(awake_at) = self.is_stopped(who, fault)? {
                self.queue_at(awake_at, What::Hand(hold, errand));
            }
            return Ok(());
        }
        match &mut *errand {
            Errand::Ask { fate, .. } => *fate = fault,
            Errand::Call { fault: plan, .. } => *plan = fault,
        }
        self.check(hold, run, &errand)?;
        let delay = self.delay();
        self.at(delay, What::Happen(hold, errand));
        if matches!(fault, Some(Fault::CrashAfter | Fault::PauseAfter)) {
            self.is_stopped(who, fault)?;
        }
        Ok(())
    }

    /// What must hold of whoever hands a call over.
    fn check(&mut self, hold: Hold, run: RunId, errand: &Errand) -> Check {
        let (time, clocks_agree) = (self.time, self.clocks_agree);
        let Some(job) = self.job(hold.who, hold.job) else { return Ok(()) };
        let caller = Caller { fence: job.lease.fence(), lasts: time < job.live_until, clocks_agree };
        let entry = &self.desk.entries[self.desk.place(run)];
        let what = match errand {
            Errand::Ask { request, .. } => {
                turn_once::at_ask(entry, caller, ScriptedModel::turn_of(request))?;
                "a turn".to_owned()
            }
            Errand::Call { call, .. } => {
                rules::at_call(entry, &call.name)?;
                format!("call {} of {}", call.seq, call.name)
            }
        };
        if errand.is_outside() {
            lost_lease::at_call(entry, caller, &what)?;
        }
        self.note(|| format!("worker {} makes {what} for run {run}", hold.who.worker));
        Ok(())
    }

    /// Does what was handed over, whatever has become of the worker meanwhile.
    pub(crate) fn carry_out(&mut self, hold: Hold, errand: Errand) -> Check {
        let (run, is_outside) = (hold.run, errand.is_outside());
        let event = match errand {
            Errand::Ask { request, fate, .. } => Event::Replied(self.ask(run, &request, fate)?),
            Errand::Call { call, fault, .. } => {
                let result =
                    if is_outside { self.call_outside(run, &call)? } else { self.call_in_store(run, &call, fault) };
                if !is_outside && result.as_ref().is_err_and(|error| error.transient) {
                    // The driver calls again what has changed nothing.
                    let again = Errand::Call { call, fault: None, struck: true };
                    self.at(STORE_PAUSE, What::Hand(hold, Box::new(again)));
                    return Ok(());
                }
                Event::Returned { seq: call.seq, result }
            }
        };
        let delay = self.delay();
        self.at(delay, What::Return(hold, Box::new(event), is_outside));
        Ok(())
    }

    pub(crate) fn returned(&mut self, hold: Hold, event: Event, outside: bool) -> Check {
        let Hold { who, job: id, epoch, .. } = hold;
        if self.job(who, id).is_none_or(|job| job.epoch != epoch) {
            return Ok(());
        }
        if outside && !self.is_live(who, id) && self.desk.breach != Some(Breach::LeaseUnchecked) {
            self.lose(who, id);
            return Ok(());
        }
        self.take_in(who, id, event)
    }

    fn ask(
        &mut self,
        run: RunId,
        request: &ModelRequest,
        fate: Option<Fault>,
    ) -> Result<Result<ModelReply, ModelError>, Violation> {
        let failed = |category| ModelError::new(category, format!("the key {SECRET} did not help"));
        let output = self.dice.roll(i64::from(request.max_tokens)) + 1;
        let input = 500 + self.dice.roll(1_400);
        let [input_tokens, output_tokens] = [input, output].map(i64::unsigned_abs);
        let usage = Usage { input_tokens, output_tokens, ..Usage::default() };
        let (is_billed, error) = match fate {
            Some(Fault::ModelAway) => (false, Some(failed(ModelErrorCategory::ProviderUnavailable))),
            Some(Fault::ModelRefuses) => (false, Some(failed(ModelErrorCategory::InvalidKey))),
            Some(Fault::ModelBreaksOff) => {
                let error = failed(ModelErrorCategory::ProviderUnavailable);
                (self.dice.one_in(2), Some(ModelError { may_be_billed: true, ..error }))
            }
            _ => (true, None),
        };
        let entry = self.desk.entry_of(run);
        if is_billed {
            entry.bill += pricing::cost(&[price()], &usage).unwrap_or_default();
            budget::at_bill(entry)?;
        }
        Ok(error.map_or_else(|| Ok(entry.part.reply(ScriptedModel::turn_of(request), usage)), Err))
    }

    fn call_outside(&mut self, run: RunId, call: &ToolCall) -> Result<Result<ToolOutput, ToolError>, Violation> {
        let error = match self.dice.roll(60) {
            0..=4 => Some(ToolError::new(format!("try again without {SECRET}"))),
            5 => Some(ToolError::fatal(FailureCategory::ToolFailed, "it is gone")),
            _ => None,
        };
        if error.is_none() || self.dice.one_in(2) {
            self.deliver(run, &call.name, call.seq, call.idempotency_key)?;
        }
        Ok(error.map_or_else(|| Ok(ToolOutput::new(delivered(&call.input))), Err))
    }

    fn deliver(&mut self, run: RunId, tool: &str, seq: u32, key: Digest) -> Check {
        let entry = self.desk.entry_of(run);
        match tool {
            PUBLISH => {
                entry.pages.entry(seq).or_default().push(key);
                effect_once::at_page(entry, seq)
            }
            MAIL => {
                *entry.mails.entry(seq).or_default() += 1;
                effect_once::at_mail(entry, seq)
            }
            _ => Ok(()),
        }
    }

    fn call_in_store(&self, run: RunId, call: &ToolCall, fault: Option<Fault>) -> Result<ToolOutput, ToolError> {
        let store = &self.desk.store;
        let failure = match fault {
            Some(Fault::FailBefore) => Some(Failure::Before),
            Some(Fault::FailAfter) => Some(Failure::After),
            _ => None,
        };
        if let Some(failure) = failure {
            store.fail(store.calls().len() + 1, failure);
        }
        let Some(tool) = Tally::named(&call.name) else {
            return Err(ToolError::new(format!("nobody plays {}", call.name)));
        };
        let view = View::new(Arc::clone(store) as Arc<_>, self.desk.tenant, call.asked_at);
        let context = ToolContext {
            tenant: self.desk.tenant,
            run,
            seq: call.seq,
            now: call.asked_at,
            view: view.with_pending(Arc::clone(&call.pending)),
            ids: DerivedIds::new(run, call.seq),
            idempotency_key: call.idempotency_key,
        };
        tool.call(context, call.input.clone()).now_or_never().expect("a tool of the store in memory does not wait")
    }

    /// What a broken driver does: it makes the calls that a commit announces before it has.
    pub(crate) fn call_early(&mut self, hold: Hold, commit: &Commit) -> Check {
        if self.desk.breach != Some(Breach::CallsBeforeAnnouncing) {
            return Ok(());
        }
        let is_open = |call: &&OpenCall| call.receipt.is_none();
        for open in commit.calls.iter().filter(is_open) {
            let Some(job) = self.job(hold.who, hold.job) else { return Ok(()) };
            if job.early.insert(open.seq) {
                let run = job.run;
                self.deliver(run, &open.name, open.seq, open.call_digest)?;
            }
        }
        Ok(())
    }
}
