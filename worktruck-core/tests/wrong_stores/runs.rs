use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use worktruck_core::journal::{INLINE_PAYLOAD_BYTES, Journal};
use worktruck_core::run::{
    Answer, Approval, ApprovalStatus, BlueprintVersion, ClaimRequest, Claimed, Commit, Event, EventType, Fork, Lease,
    NewRun, Renewal, Run, RunStatus, Signal, Transition,
};
use worktruck_core::store::{
    AgentCost, AgentCostQuery, ApprovalQuery, Changes, CommitOutcome, EntityStore as _, Provenance, Queue, RunQuery,
    RunStore,
};
use worktruck_core::{ApprovalId, Error, ErrorKind, NanoUsd, Page, PageRequest, Result, RunId, TenantId, Timestamp};

use super::broken::{Broken, of_any};
use super::defects::Defect::*;

#[async_trait]
impl RunStore for Broken {
    async fn enqueue(&self, tenant: TenantId, mut runs: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>> {
        for run in &mut runs {
            match self.defect {
                KeyIgnored => run.idempotency_key = None,
                PriorityIgnored => run.priority = 0,
                RunAtIgnored => run.run_at = None,
                _ => {}
            }
        }
        if self.defect == KeysOutliveRuns {
            for run in &runs {
                let Some(key) = run.idempotency_key.clone() else { continue };
                let first = *self.notes().keys.entry((tenant, key)).or_insert(run.id);
                let is_gone = self.inner.run(tenant, first).await?.is_none();
                if first != run.id && is_gone && self.last_expiry(tenant).is_some() {
                    return Err(Error::internal("the run of an idempotency key is missing"));
                }
            }
        }
        match self.defect {
            BatchOneByOne => {
                let mut accepted = Vec::new();
                for run in runs {
                    accepted.extend(self.inner.enqueue(tenant, vec![run], now).await?);
                }
                Ok(accepted)
            }
            KeyContentUnchecked => match self.inner.enqueue(tenant, runs.clone(), now).await {
                Err(error) if error.kind() == ErrorKind::IdempotencyMismatch => {
                    Ok(runs.into_iter().map(|run| run.accept(tenant, now)).collect())
                }
                answer => answer,
            },
            KeysOfAllTenants => {
                // Only one key is used in scenarios of several tenants, so any run of theirs has it.
                for other in self.others(tenant) {
                    let known = self.inner.runs(other, RunQuery::default()).await?.data;
                    if let (Some(_), Some(run)) = (&runs[0].idempotency_key, known.first()) {
                        return Ok(vec![run.clone()]);
                    }
                }
                self.inner.enqueue(tenant, runs, now).await
            }
            MalformedAccepted => match self.inner.enqueue(tenant, runs.clone(), now).await {
                Err(error) if error.kind() == ErrorKind::InvalidRequest => {
                    Ok(runs.into_iter().map(|run| run.accept(tenant, now)).collect())
                }
                answer => answer,
            },
            _ => self.inner.enqueue(tenant, runs, now).await,
        }
    }

    async fn fork(&self, tenant: TenantId, mut fork: Fork, now: Timestamp) -> Result<Run> {
        match self.defect {
            ForkBeginsAnew => {
                fork.steps.clear();
                fork.approvals.clear();
            }
            ForkOverwrites => {
                let id = fork.run.id;
                return match self.inner.fork(tenant, fork, now).await {
                    Err(error) if error.kind() == ErrorKind::Conflict => {
                        Ok(self.inner.run(tenant, id).await?.expect("its id is taken"))
                    }
                    answer => answer,
                };
            }
            ForkInherits => fork.run.deadline_secs = None,
            _ => {}
        }
        self.inner.fork(tenant, fork, now).await
    }

    async fn claim(&self, mut request: ClaimRequest, mut now: Timestamp) -> Result<Vec<Claimed>> {
        let before = self.notes().claims.len();
        match self.defect {
            CheckThenClaim => tokio::task::yield_now().await,
            ClaimOfAnyVersion => {
                let every = |has: &BlueprintVersion| {
                    let blueprint = has.blueprint.clone();
                    (0..10).map(move |version| BlueprintVersion { blueprint: blueprint.clone(), version })
                };
                request.blueprints = request.blueprints.iter().flat_map(every).collect();
            }
            // The lease of who holds a run is not looked at.
            ClaimBeforeExpiry => {
                let held = self.notes().leases.values().map(Lease::expires_at).max();
                now = held.map_or(now, |until| now.max(until));
            }
            ExpiredLost => {
                let expired: Vec<_> = self.notes().leases.values().cloned().collect();
                for lease in expired.iter().filter(|lease| lease.expires_at() <= now) {
                    self.inner.renew(std::slice::from_ref(lease), Duration::from_secs(1), now).await?;
                }
            }
            _ => {}
        }
        let limit = request.limit;
        if self.defect == LimitOfClaimIgnored {
            request.limit = 1_000;
        }
        let mut claimed = self.claim_wrongly(request, now).await?;
        match self.defect {
            CheckThenClaim if claimed.is_empty() => {
                // Somebody else took a run between this worker's look and its claim.
                claimed.extend(self.notes().claims.get(before).cloned());
            }
            WaitingClaimed if claimed.len() < limit => {
                let known = self.notes().claims.clone();
                for old in known {
                    let run = self.inner.run(old.run.tenant_id, old.run.id).await?;
                    claimed
                        .extend(run.filter(|run| run.status == RunStatus::Waiting).map(|run| Claimed { run, ..old }));
                }
            }
            StartUnrecorded => claimed.iter_mut().for_each(|claimed| claimed.run.started_at = None),
            _ => {}
        }
        let mut notes = self.notes();
        for claimed in &claimed {
            notes.leases.insert(claimed.run.id, claimed.lease.clone());
        }
        notes.claims.extend(claimed.iter().cloned());
        Ok(claimed)
    }

    async fn renew(&self, leases: &[Lease], lease_for: Duration, now: Timestamp) -> Result<Vec<Renewal>> {
        let leases: Vec<_> = match self.defect {
            NoFenceOnRenewal => leases.iter().map(|lease| self.newest(lease)).collect(),
            LeaseOfAnyTenant => leases.iter().map(|lease| self.under_its_tenant(lease)).collect(),
            _ => leases.to_vec(),
        };
        let answers = match self.defect {
            RenewalWithoutEffect => leases
                .iter()
                .map(|lease| Renewal::Renewed {
                    lease: Lease::new(lease.tenant(), lease.run(), lease.fence(), now.after(lease_for)),
                    cancel_requested_at: None,
                })
                .collect(),
            LateRenewalRefused => {
                let mut answers = Vec::new();
                for lease in leases {
                    if lease.expires_at() <= now {
                        answers.push(Renewal::Lost(lease.run()));
                    } else {
                        answers.extend(self.inner.renew(&[lease], lease_for, now).await?);
                    }
                }
                answers
            }
            _ => self.inner.renew(&leases, lease_for, now).await?,
        };
        Ok(match self.defect {
            RenewalSilent => answers.into_iter().map(without_cancellation).collect(),
            LostLeftOut => answers.into_iter().filter(|answer| matches!(answer, Renewal::Renewed { .. })).collect(),
            _ => answers,
        })
    }

    async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>> {
        let now = if self.defect == DelayedRunsQueue { Timestamp::FOREVER } else { now };
        self.inner.queues(now).await
    }

    async fn cancel_requests(&self, leases: &[Lease]) -> Result<Vec<RunId>> {
        match self.defect {
            CancelUnseen => Ok(Vec::new()),
            _ => self.inner.cancel_requests(leases).await,
        }
    }

    async fn commit(&self, lease: &Lease, mut commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        let lease = match self.defect {
            NoFenceOnCommit => self.newest(lease),
            LeaseOfAnyTenant => self.under_its_tenant(lease),
            _ => lease.clone(),
        };
        match self.defect {
            NobodyTooLate => {
                let pending = commit.approvals.iter_mut().filter(|approval| approval.is_pending());
                pending.for_each(|approval| approval.expires_at = Timestamp::FOREVER);
            }
            QuestionsAskedAnew => {
                for (n, approval) in (0..).zip(&mut commit.approvals) {
                    let anew = approval.id.as_uuid().as_u128() + (u128::from(commit.number) << 32) + n;
                    approval.id = ApprovalId::from_uuid(uuid::Uuid::from_u128(anew));
                }
            }
            ChangesDropped => commit.steps.iter_mut().for_each(|step| step.changes = Changes::none()),
            StepsRestOnNothing => commit.steps.iter_mut().for_each(|step| step.changes.requires.clear()),
            ChangesFirst => {
                for step in &mut commit.steps {
                    let changes = std::mem::take(&mut step.changes);
                    let provenance = Provenance::agent_run("contact_deduper", lease.run(), step.step.seq);
                    if !changes.is_empty()
                        && let Err(error) = self.inner.apply(lease.tenant(), changes, provenance, now).await
                    {
                        return Ok(CommitOutcome::Conflicted { seq: step.step.seq, error });
                    }
                }
            }
            ChangesOfOneCommit => {
                let together = commit.steps.iter_mut().map(|step| std::mem::take(&mut step.changes));
                let together = together.fold(Changes::none(), |mut all, next| {
                    all.writes.extend(next.writes);
                    all.requires.extend(next.requires);
                    all
                });
                if let Some(last) = commit.steps.last_mut() {
                    last.changes = together;
                }
            }
            GapsAccepted => {
                let known = self.inner.journal(lease.tenant(), lease.run()).await?;
                let known = known.map_or(0, |journal| journal.steps.len());
                let mut next = u32::try_from(known).expect("a few steps") + 1;
                commit.steps.retain(|step| {
                    let follows = step.step.seq == next;
                    next += u32::from(follows);
                    follows
                });
            }
            CallsForgotten => commit.calls.clear(),
            EventsOfCommitForgotten => commit.events.clear(),
            SnapshotAlwaysWanted if commit.number == 1 && commit.snapshot.is_none() => {
                return Err(Error::conflict("the first commit brings the snapshot"));
            }
            RepeatedRefused if self.newest(&lease).fence() == lease.fence() => {
                let known = self.inner.journal(lease.tenant(), lease.run()).await?;
                if known.is_some_and(|journal| journal.commits == commit.number) {
                    return Err(Error::conflict("this commit was made before"));
                }
            }
            LateCommitRefused if lease.expires_at() <= now => {
                return Err(Error::new(ErrorKind::LeaseLost, "the lease has expired"));
            }
            _ => {}
        }
        let released = commit.transition == Transition::Release;
        let number = commit.number;
        let outcome = self.inner.commit(&lease, commit, now).await;
        let took_effect = matches!(outcome, Ok(CommitOutcome::Committed { .. }));
        let before = took_effect.then(|| self.notes().committed.insert(lease.run(), number)).flatten();
        let is_told = match self.defect {
            RefusedTold => !took_effect,
            RepeatedTold => before == Some(number),
            _ => false,
        };
        if is_told {
            self.tell_everybody(lease.tenant(), now).await?;
        }
        match (self.defect, outcome) {
            (ConflictIsAnError, Ok(CommitOutcome::Conflicted { error, .. })) => Err(error),
            (UnknownRunIsLost, Err(error)) if error.kind() == ErrorKind::NotFound => {
                Err(Error::new(ErrorKind::LeaseLost, "there is no such lease"))
            }
            (ReleaseCounts, Ok(CommitOutcome::Committed { mut run, lease })) if released => {
                run.attempt += 1;
                Ok(CommitOutcome::Committed { run, lease })
            }
            (CommitSilent, Ok(CommitOutcome::Committed { mut run, lease })) => {
                run.cancel_requested_at = None;
                Ok(CommitOutcome::Committed { run, lease })
            }
            (_, Ok(CommitOutcome::Committed { run, lease })) => {
                self.notes().leases.insert(run.id, lease.clone());
                Ok(CommitOutcome::Committed { run, lease })
            }
            (_, outcome) => outcome,
        }
    }

    async fn signal(&self, tenant: TenantId, run: RunId, signal: Signal, now: Timestamp) -> Result<Run> {
        match self.defect {
            SignalOfAnyTenant => {
                of_any!(self, tenant, |_| true, self.inner.signal(tenant, run, signal.clone(), now).await)
            }
            IllegalMoves => match self.inner.signal(tenant, run, signal, now).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    let mut moved = self.inner.run(tenant, run).await?.expect("it has ended, so it exists");
                    moved.status = RunStatus::Cancelled;
                    self.notes().moved.insert(run, moved.clone());
                    Ok(moved)
                }
                answer => answer,
            },
            CancelTrustsOldLeases => {
                let expires = self.notes().leases.get(&run).map(Lease::expires_at);
                let last = expires.map(|at| at.before(Duration::from_micros(1)));
                let running = self.inner.run(tenant, run).await?.is_some_and(|run| run.status == RunStatus::Running);
                let now = last.filter(|last| running && *last < now).unwrap_or(now);
                self.inner.signal(tenant, run, signal, now).await
            }
            ActorForgotten => {
                let signal = match signal {
                    Signal::Cancel { .. } => Signal::Cancel { actor: None },
                    Signal::Decide(answer) => Signal::Decide(Answer { actor: None, ..answer }),
                };
                self.inner.signal(tenant, run, signal, now).await
            }
            AnswerForgotten if matches!(signal, Signal::Decide(_)) => {
                Ok(self.inner.run(tenant, run).await?.expect("the scenarios answer runs that exist"))
            }
            AnsweredAgain => match self.inner.signal(tenant, run, signal.clone(), now).await {
                Err(error) if error.kind() == ErrorKind::Conflict && matches!(signal, Signal::Decide(_)) => {
                    Ok(self.inner.run(tenant, run).await?.expect("the scenarios answer runs that exist"))
                }
                answer => answer,
            },
            SignalToNothing => match self.inner.signal(tenant, run, signal, now).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Ok(NewRun::new(run, "contact_deduper", Value::Null).accept(tenant, now))
                }
                answer => answer,
            },
            EverybodyTold => {
                self.tell_everybody(tenant, now).await?;
                self.inner.signal(tenant, run, signal, now).await
            }
            _ => self.inner.signal(tenant, run, signal, now).await,
        }
    }

    async fn run(&self, tenant: TenantId, run: RunId) -> Result<Option<Run>> {
        let answer = match self.defect {
            RunOfAnyTenant => of_any!(self, tenant, Option::is_some, self.inner.run(tenant, run).await)?,
            _ => self.inner.run(tenant, run).await?,
        };
        if let (Some(moved), IllegalMoves) = (self.notes().moved.get(&run), self.defect) {
            return Ok(Some(moved.clone()));
        }
        Ok(match self.defect {
            OutcomeForgotten => answer.map(|run| Run { failure_detail: None, output: None, ..run }),
            _ => answer,
        })
    }

    async fn runs(&self, tenant: TenantId, mut query: RunQuery) -> Result<Page<Run>> {
        let mut page = match self.defect {
            RunsOfAnyTenant => {
                of_any!(self, tenant, |page| !page.data.is_empty(), self.inner.runs(tenant, query.clone()).await)?
            }
            RunsUnfiltered => {
                query.status = None;
                self.inner.runs(tenant, query).await?
            }
            _ => self.inner.runs(tenant, query).await?,
        };
        Self::without_decoys(&mut page.data);
        Ok(page)
    }

    async fn agent_costs(&self, tenant: TenantId, mut query: AgentCostQuery) -> Result<Vec<AgentCost>> {
        let ended = |costs: &Vec<AgentCost>| !costs.is_empty();
        match self.defect {
            CostsOfAnyTenant => of_any!(self, tenant, ended, self.inner.agent_costs(tenant, query.clone()).await),
            CostsUnfiltered => {
                query.blueprint = None;
                self.inner.agent_costs(tenant, query).await
            }
            _ => self.inner.agent_costs(tenant, query).await,
        }
    }

    async fn journal(&self, tenant: TenantId, run: RunId) -> Result<Option<Journal>> {
        let mut journal = match self.defect {
            JournalOfAnyTenant => of_any!(self, tenant, Option::is_some, self.inner.journal(tenant, run).await)?,
            _ => self.inner.journal(tenant, run).await?,
        };
        if let Some(journal) = &mut journal {
            match self.defect {
                PayloadsOfOthersExpire if self.last_expiry(tenant).is_some() => {
                    journal.steps.iter_mut().for_each(|step| step.output = step.output.take().map(cut));
                }
                PayloadsCut => journal.steps.iter_mut().for_each(|step| step.output = step.output.take().map(cut)),
                ReservationsForgotten => journal.reserved = NanoUsd::ZERO,
                TriedForgotten => journal.steps.iter_mut().for_each(|step| step.tried = None),
                SnapshotForgotten => journal.snapshot = None,
                _ => {}
            }
        }
        Ok(journal)
    }

    async fn events(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<Event>> {
        match self.defect {
            EventsOfAnyTenant => {
                of_any!(self, tenant, |_| true, self.inner.events(tenant, run, page.clone()).await)
            }
            EventsLost => {
                let mut page = self.inner.events(tenant, run, page).await?;
                page.data.retain(|event| event.event_type != EventType::StepRecorded);
                Ok(page)
            }
            _ => self.inner.events(tenant, run, page).await,
        }
    }

    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<Approval>> {
        let approval = match self.defect {
            ApprovalOfAnyTenant => of_any!(self, tenant, Option::is_some, self.inner.approval(tenant, id).await)?,
            _ => self.inner.approval(tenant, id).await?,
        };
        Ok(approval.map(|approval| match (self.defect, approval.status) {
            (ApprovalsStayOpen, ApprovalStatus::Expired) => Approval { status: ApprovalStatus::Pending, ..approval },
            _ => approval,
        }))
    }

    async fn approvals(&self, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>> {
        let mut page = self.inner.approvals(tenant, query).await?;
        if self.defect == ApprovalsNewestFirst {
            page.data.reverse();
        }
        Ok(page)
    }

    async fn wait_for_work(&self, seen: u64) -> Result<u64> {
        if seen == 0 {
            return match self.defect {
                FirstWaitSleeps => pending().await,
                _ => self.inner.wait_for_work(0).await,
            };
        }
        match self.defect {
            WorkBeforeTheWaitMissed => {
                let from_now_on = self.inner.wait_for_work(0).await?;
                self.inner.wait_for_work(from_now_on).await
            }
            NobodyWoken => pending().await,
            OneWoken => {
                self.notes().waiting += 1;
                if self.notes().waiting > 1 { pending().await } else { self.inner.wait_for_work(seen).await }
            }
            _ => self.inner.wait_for_work(seen).await,
        }
    }
}

impl Broken {
    /// The newest lease of the run, whatever its number.
    fn newest(&self, lease: &Lease) -> Lease {
        self.notes().leases.get(&lease.run()).cloned().unwrap_or_else(|| lease.clone())
    }

    /// The lease under the tenant that the run belongs to, whatever it says.
    fn under_its_tenant(&self, lease: &Lease) -> Lease {
        let tenant = self.notes().leases.get(&lease.run()).map_or_else(|| lease.tenant(), Lease::tenant);
        Lease::new(tenant, lease.run(), lease.fence(), lease.expires_at())
    }
}

fn without_cancellation(answer: Renewal) -> Renewal {
    match answer {
        Renewal::Renewed { lease, .. } => Renewal::Renewed { lease, cancel_requested_at: None },
        lost => lost,
    }
}

fn cut(output: Value) -> Value {
    if output.to_string().len() > INLINE_PAYLOAD_BYTES { Value::Null } else { output }
}
