//! The circuit breaker: a blueprint whose runs keep failing is disabled until a person enables it.

use std::time::Duration;

use serde_json::json;
use worktruck_core::entity::agent_breaker::{AgentBreaker, BLUEPRINT_TERM};
use worktruck_core::entity::{Kind, Term};
use worktruck_core::run::RunStatus;
use worktruck_core::store::{AuditEntry, Changes, EntityKey, ListQuery, Provenance, Require, RunQuery, Version};
use worktruck_core::temporal::WriteOp;
use worktruck_core::{EntityId, Error, ErrorKind, PageRequest, Result, TenantId, Timestamp};

use crate::Runtime;
use crate::metrics::Measured;
use crate::runtime::Ports;

/// How many failed runs within [`WINDOW`] disable a blueprint for a tenant.
pub const MOST_FAILED_RUNS: usize = 10;
/// How long a failed run counts.
pub const WINDOW: Duration = Duration::from_secs(48 * 60 * 60);

impl Runtime {
    /// Whether runs of a blueprint are accepted, and why not.
    ///
    /// # Errors
    ///
    /// - `NotFound`: this runtime has no such blueprint.
    /// - `Unavailable`: the store cannot be reached.
    pub async fn breaker(&self, tenant: TenantId, blueprint: &str) -> Result<AgentBreaker> {
        let name = &self.blueprint(blueprint)?.name;
        let found = self.ports.breaker(tenant, name).await?;
        Ok(found.map_or_else(|| AgentBreaker::new(name), |(breaker, _)| breaker))
    }

    /// Lets runs of a blueprint be accepted again: failures from before count no longer.
    ///
    /// # Errors
    ///
    /// - `NotFound`: this runtime has no such blueprint.
    /// - `InvalidRequest`: the reason is empty or malformed.
    /// - `Conflict`, `VersionMismatch`: somebody else enabled or disabled it at the same time.
    pub async fn enable(&self, tenant: TenantId, blueprint: &str, reason: &str, by: &str) -> Result<AgentBreaker> {
        self.switch(tenant, blueprint, reason, by, AgentBreaker::enabled).await
    }

    /// Lets no more run of a blueprint be accepted. Those that were go on.
    ///
    /// # Errors
    ///
    /// As for [`enable`](Self::enable).
    pub async fn disable(&self, tenant: TenantId, blueprint: &str, reason: &str, by: &str) -> Result<AgentBreaker> {
        self.switch(tenant, blueprint, reason, by, AgentBreaker::disabled).await
    }

    async fn switch(
        &self,
        tenant: TenantId,
        blueprint: &str,
        reason: &str,
        by: &str,
        turn: fn(AgentBreaker, String, Timestamp) -> AgentBreaker,
    ) -> Result<AgentBreaker> {
        let name = self.blueprint(blueprint)?.name.clone();
        if reason.trim().is_empty() {
            return Err(Error::invalid("a reason is needed").at("/reason"));
        }
        let saved = self.ports.breaker(tenant, &name).await?;
        let (before, version) = saved.map_or_else(|| (AgentBreaker::new(name), None), |(old, at)| (old, Some(at)));
        let after = turn(before, reason.to_owned(), self.now());
        self.ports.keep_breaker(tenant, &after, version, Provenance::new(by, "user_edit")).await?;
        Ok(after)
    }
}

impl Ports {
    pub(crate) async fn breaker(&self, tenant: TenantId, blueprint: &str) -> Result<Option<(AgentBreaker, Version)>> {
        let mut query = ListQuery::new(Kind::AgentBreaker);
        query.terms.push(Term::new(BLUEPRINT_TERM, blueprint));
        let Some(version) = self.store.list(tenant, query, self.clock.now()).await?.data.pop() else { return Ok(None) };
        let body = version.slice.body.clone().unwrap_or_default();
        let breaker = serde_json::from_value(body)
            .map_err(|e| Error::internal(format!("the breaker of {blueprint} is stored damaged")).with_source(e))?;
        Ok(Some((breaker, version)))
    }

    /// Refuses runs of a blueprint that is disabled.
    pub(crate) async fn refuse_if_disabled(&self, tenant: TenantId, blueprint: &str) -> Result<()> {
        match self.breaker(tenant, blueprint).await? {
            Some((AgentBreaker { disabled_at: Some(at), disabled_reason, .. }, _)) => {
                let reason = disabled_reason.unwrap_or_default();
                let details = json!({ "disabled_at": at, "disabled_reason": reason });
                let message = format!("{blueprint} is disabled since {at}: {reason}");
                Err(Error::new(ErrorKind::ConfigDisabled, message).with_details(details))
            }
            _ => Ok(()),
        }
    }

    /// Disables a blueprint if one of its runs has failed once too often.
    ///
    /// It is asked after every failed run. Should its worker crash just then, the next failed run makes up for it.
    pub(crate) async fn note_failure(&self, tenant: TenantId, blueprint: &str) -> Result<()> {
        let saved = self.breaker(tenant, blueprint).await?;
        let (before, version) = saved.map_or_else(|| (AgentBreaker::new(blueprint), None), |(old, at)| (old, Some(at)));
        if before.is_open() {
            return Ok(());
        }
        let now = self.clock.now();
        let since = now.before(WINDOW).max(before.enabled_at.unwrap_or(Timestamp::EPOCH));
        let query = RunQuery {
            blueprint: Some(blueprint.to_owned()),
            status: Some(RunStatus::Failed),
            page: PageRequest::largest(None),
        };
        let failed = self.store.runs(tenant, query).await?.data;
        let count = failed.iter().filter(|run| run.finished_at.is_some_and(|at| at > since)).count();
        if count < MOST_FAILED_RUNS {
            return Ok(());
        }
        let last = failed.first().and_then(|run| run.failure_category).map_or("", |category| category.as_str());
        let reason = format!("{count} runs failed within {} hours, the newest as {last}", WINDOW.as_secs() / 3600);
        let after = before.disabled(reason, now);
        match self.keep_breaker(tenant, &after, version, Provenance::new("breaker", "circuit_breaker")).await {
            Ok(()) => {
                self.metrics.record(Measured::Disabled { blueprint });
                tracing::warn!(%tenant, blueprint, "disabled: too many runs have failed");
                Ok(())
            }
            // Somebody else has seen it, too.
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::VersionMismatch) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn keep_breaker(
        &self,
        tenant: TenantId,
        breaker: &AgentBreaker,
        over: Option<Version>,
        by: Provenance,
    ) -> Result<()> {
        breaker.check()?;
        let now = self.clock.now();
        let (key, require) = match over {
            Some(Version { key, slice, .. }) => (key, Require::Version { key, version: slice.version }),
            None => {
                let key = EntityKey::new(Kind::AgentBreaker, EntityId::new(&*self.ids, now));
                let term = Term::new(BLUEPRINT_TERM, &*breaker.agent_blueprint);
                (key, Require::UniqueTerm { kind: Kind::AgentBreaker, term })
            }
        };
        let body =
            serde_json::to_value(breaker).map_err(|e| Error::internal("a breaker has no JSON form").with_source(e))?;
        let is_open = breaker.is_open();
        let reason = if is_open { &breaker.disabled_reason } else { &breaker.enabled_reason };
        let name = breaker.agent_blueprint.as_str();
        let action = if is_open { "agent_config.disabled" } else { "agent_config.enabled" };
        let mut entry = AuditEntry::new(&by.captured_by, action).of(Kind::AgentConfig.as_str(), name);
        entry.metadata.insert("reason".to_owned(), json!(reason));
        let mut changes = Changes::none().write(key, WriteOp::Put(body)).require(require).audited(entry);
        if is_open {
            let data =
                json!({ "agent_blueprint": name, "disabled_at": breaker.disabled_at, "disabled_reason": reason });
            changes = changes.tell("config.disabled", data);
        }
        self.store.apply(tenant, changes, by, now).await.map(drop)
    }
}
