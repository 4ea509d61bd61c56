//! The runtime: a store, model providers, tools and blueprints, put together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use worktruck_core::entity::agent_config::{AgentConfig, BLUEPRINT_TERM};
use worktruck_core::entity::{Kind, Term};
use worktruck_core::journal::{Snapshot, Trial};
use worktruck_core::model::ModelProvider;
use worktruck_core::run::{DEFAULT_LEASE, NewRun, Run, Signal};
use worktruck_core::store::{Changes, EntityKey, ListQuery, Provenance, Require, Store, Version, View};
use worktruck_core::temporal::WriteOp;
use worktruck_core::tool::{Tool, ToolSpec};
use worktruck_core::{Clock, EntityId, Error, IdSource, Page, Result, RunId, Secret, TenantId, Timestamp, pricing};

use crate::blueprint::Blueprint;
use crate::clock::{RandomIds, SystemClock};
use crate::listeners::Listeners;
use crate::metrics::{self, Metrics, Unmeasured};
use crate::providers::{Local, Providers};
use crate::vault::Vault;

/// How many times a run may make the same call unless its config says otherwise.
const DEFAULT_MAX_REPEATS: u32 = 5;

/// How many runs can be accepted at once.
pub const MOST_RUNS: usize = 1_000;

/// Runs agents over a store.
///
/// Cloning is cheap: clones share everything.
#[derive(Clone, Debug)]
pub struct Runtime {
    pub(crate) ports: Arc<Ports>,
}

/// What runs are executed with.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) tools: BTreeMap<String, Arc<dyn Tool>>,
    pub(crate) blueprints: BTreeMap<String, Blueprint>,
    pub(crate) lease_for: Duration,
    pub(crate) secrets: Arc<[Secret]>,
    pub(crate) vault: Option<Vault>,
    pub(crate) listeners: Listeners,
    pub(crate) metrics: Arc<dyn Metrics>,
    providers: Providers,
    prices: Vec<pricing::Price>,
}

/// Puts a [`Runtime`] together.
#[derive(Debug)]
pub struct RuntimeBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    tools: Vec<Arc<dyn Tool>>,
    blueprints: Vec<Blueprint>,
    providers: Providers,
    prices: Vec<pricing::Price>,
    secrets: Vec<Secret>,
    vault: Option<Vault>,
    metrics: Arc<dyn Metrics>,
    lease_for: Duration,
}

impl RuntimeBuilder {
    /// Where the keys of model providers are that tenants bring; without it they can bring none.
    #[must_use]
    pub fn vault(mut self, vault: Vault) -> Self {
        self.vault = Some(vault);
        self
    }

    /// Registers a provider of models under a name, and what it holds as [secrets](Self::secret).
    #[must_use]
    pub fn provider(mut self, name: impl Into<String>, provider: Arc<dyn ModelProvider>) -> Self {
        self.providers = self.providers.with(name, provider);
        self
    }

    /// Registers several providers of models, and what they hold as [secrets](Self::secret).
    #[must_use]
    pub fn providers(mut self, providers: Providers) -> Self {
        self.providers = self.providers.and(providers);
        self
    }

    /// Registers a tool.
    #[must_use]
    pub fn tool(mut self, tool: Arc<dyn Tool>) -> Self {
        self.tools.push(tool);
        self
    }

    /// Registers several tools.
    #[must_use]
    pub fn tools(mut self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// Registers a blueprint.
    #[must_use]
    pub fn blueprint(mut self, blueprint: Blueprint) -> Self {
        self.blueprints.push(blueprint);
        self
    }

    /// Adds prices; a later row for the same model and day replaces an earlier one.
    #[must_use]
    pub fn prices(mut self, prices: impl IntoIterator<Item = pricing::Price>) -> Self {
        self.prices.extend(prices);
        self
    }

    /// Registers a value that is replaced wherever it turns up in a text of a journal, an event or a failure.
    ///
    /// A value of fewer than 8 bytes is not looked for: it would turn up by chance.
    #[must_use]
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Replaces the clock of the machine by another one.
    ///
    /// Workers on several machines need one that they agree about, such as that of their database.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Replaces the source of random ids by another one.
    #[must_use]
    pub fn ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.ids = ids;
        self
    }

    /// Keeps the numbers of what happens here; nothing is counted unless set.
    #[must_use]
    pub fn metrics(mut self, metrics: Arc<dyn Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// How long a lease lasts; 30 seconds unless set. A crashed run is taken over after that.
    #[must_use]
    pub const fn lease(mut self, lease_for: Duration) -> Self {
        self.lease_for = lease_for;
        self
    }

    /// Checks that the parts fit together, and makes the runtime of them.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if a lease lasts no time, the name of a tool or a provider is malformed, two
    /// tools or two blueprints share a name, a blueprint names a tool that is not registered, a
    /// schema is not a JSON Schema, or the input of a tool is no object.
    pub fn build(self) -> Result<Runtime> {
        if self.lease_for.is_zero() {
            return Err(Error::invalid("a lease must last for some time"));
        }
        self.providers.check()?;
        let mut tools = BTreeMap::new();
        for tool in self.tools {
            let spec = tool.spec();
            if !ToolSpec::is_name(&spec.name) {
                return Err(Error::invalid(format!(
                    "{:?} is no name of a tool: it must have 1 to 64 of a-z, A-Z, 0-9, _ and -",
                    spec.name
                )));
            }
            check_schema(&spec.input_schema, &format!("the input schema of the tool {}", spec.name))?;
            if let Some(other) = spec.input_schema.get("type").filter(|kind| *kind != "object") {
                let name = &spec.name;
                return Err(Error::invalid(format!(
                    "the input schema of the tool {name} is of {other}, not of an object"
                )));
            }
            if tools.insert(spec.name.clone(), tool).is_some() {
                return Err(Error::invalid(format!("two tools are named {}", spec.name)));
            }
        }
        let mut blueprints = BTreeMap::new();
        for blueprint in self.blueprints {
            check_schema(&blueprint.input_schema, &format!("the input schema of the blueprint {}", blueprint.name))?;
            if let Some(missing) = blueprint.tools.iter().find(|name| !tools.contains_key(*name)) {
                return Err(Error::invalid(format!(
                    "the blueprint {} uses the tool {missing}, which is not registered",
                    blueprint.name
                )));
            }
            if let Some(twice) = blueprints.insert(blueprint.name.clone(), blueprint) {
                return Err(Error::invalid(format!("two blueprints are named {}", twice.name)));
            }
        }
        let ports = Ports {
            store: self.store,
            clock: self.clock,
            ids: self.ids,
            tools,
            blueprints,
            lease_for: self.lease_for,
            secrets: self.secrets.into_iter().chain(self.providers.secrets()).collect(),
            vault: self.vault,
            listeners: Listeners::default(),
            metrics: self.metrics,
            providers: self.providers,
            prices: self.prices,
        };
        Ok(Runtime { ports: Arc::new(ports) })
    }
}

fn check_schema(schema: &Value, what: &str) -> Result<()> {
    jsonschema::validator_for(schema).map(drop).map_err(|e| Error::invalid(format!("{what} is not a JSON Schema: {e}")))
}

impl Runtime {
    /// Starts to put together a runtime over `store`, with the prices that ship with this version.
    #[must_use]
    pub fn builder(store: Arc<dyn Store>) -> RuntimeBuilder {
        RuntimeBuilder {
            store,
            clock: Arc::new(SystemClock::new()),
            ids: Arc::new(RandomIds::new()),
            tools: Vec::new(),
            blueprints: Vec::new(),
            providers: Providers::default(),
            prices: pricing::builtin(),
            secrets: Vec::new(),
            vault: None,
            metrics: Arc::new(Unmeasured),
            lease_for: DEFAULT_LEASE,
        }
    }

    /// The store that the runs are kept in.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.ports.store
    }

    /// The present, as this runtime sees it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// Where new ids come from.
    #[must_use]
    pub fn ids(&self) -> &dyn IdSource {
        &*self.ports.ids
    }

    /// A run of `blueprint` with `input`, to be changed and enqueued.
    #[must_use]
    pub fn new_run(&self, blueprint: &str, input: Value) -> NewRun {
        NewRun::new(RunId::new(&*self.ports.ids, self.now()), blueprint, input)
    }

    /// Accepts a run; a worker takes it from there.
    ///
    /// # Errors
    ///
    /// - `NotFound`: this runtime has no such blueprint.
    /// - `InvalidRequest`: the input does not fit the blueprint's schema, or the configured model
    ///   has no provider here.
    /// - `ConfigDisabled`: the blueprint is disabled for the tenant; the reason is in the error's details.
    /// - And those of [`RunStore::enqueue`](worktruck_core::store::RunStore::enqueue).
    pub async fn enqueue(&self, tenant: TenantId, run: NewRun) -> Result<Run> {
        self.check_run(&run, "")?;
        self.check_blueprint(tenant, &run.agent_blueprint).await?;
        let mut runs = self.ports.store.enqueue(tenant, vec![run], self.now()).await?;
        runs.pop().ok_or_else(|| Error::internal("the store accepted a run and did not return it"))
    }

    /// Accepts up to [`MOST_RUNS`] runs, all of them or none, and answers with them in the same order.
    ///
    /// # Errors
    ///
    /// Those of [`enqueue`](Self::enqueue), where the place of what is wrong begins with that of its run, such as
    /// `/runs/3/input`, and `InvalidRequest` at `/runs` if there are none or too many.
    pub async fn enqueue_all(&self, tenant: TenantId, runs: Vec<NewRun>) -> Result<Vec<Run>> {
        if !(1..=MOST_RUNS).contains(&runs.len()) {
            return Err(Error::invalid(format!("runs must be 1 to {MOST_RUNS}")).at("/runs"));
        }
        for (index, run) in runs.iter().enumerate() {
            self.check_run(run, &format!("/runs/{index}"))?;
        }
        let blueprints: BTreeSet<&str> = runs.iter().map(|run| run.agent_blueprint.as_str()).collect();
        for blueprint in blueprints {
            self.check_blueprint(tenant, blueprint).await?;
        }
        self.ports.store.enqueue(tenant, runs, self.now()).await
    }

    /// The blueprints of this runtime, by name.
    pub fn blueprints(&self) -> impl Iterator<Item = &Blueprint> {
        self.ports.blueprints.values()
    }

    /// Checks what is asked of a run, which stands at `place`.
    fn check_run(&self, run: &NewRun, place: &str) -> Result<()> {
        self.blueprint(&run.agent_blueprint)?.check_input(&run.input, &format!("{place}/input"))?;
        run.check().map_err(|e| {
            let pointer = e.pointer().map(|pointer| format!("{place}{pointer}"));
            pointer.into_iter().fold(e, Error::at)
        })?;
        if run.as_of.is_some_and(|as_of| as_of > self.now()) {
            return Err(Error::invalid("as_of must not be in the future").at(format!("{place}/as_of")));
        }
        Ok(())
    }

    /// Checks that a tenant can have runs of a blueprint at present.
    async fn check_blueprint(&self, tenant: TenantId, blueprint: &str) -> Result<()> {
        let blueprint = self.blueprint(blueprint)?;
        self.ports.refuse_if_disabled(tenant, &blueprint.name).await?;
        let config = self.config(tenant, &blueprint.name).await?.map(|(config, _)| config);
        let model = config.and_then(|config| config.model).unwrap_or_else(|| blueprint.default_model.clone());
        self.ports.provider(&blueprint.name, &pricing::model_name(&model)?).map(drop)
    }

    /// Asks for the end of a run.
    ///
    /// A run without a live lease is cancelled at once. One that a worker holds comes back as running, with
    /// `cancel_requested_at` set, and ends when its worker has stopped it.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such run.
    /// - `Conflict`: the run has ended.
    pub async fn cancel(&self, tenant: TenantId, run: RunId, actor: Option<String>) -> Result<Run> {
        let run = self.ports.store.signal(tenant, run, Signal::Cancel { actor }, self.now()).await?;
        metrics::ended(&*self.ports.metrics, &run);
        self.ports.listeners.tell(run.id);
        Ok(run)
    }

    /// The saved config of a blueprint and its version, if there is one.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn config(&self, tenant: TenantId, blueprint: &str) -> Result<Option<(AgentConfig, u64)>> {
        Ok(self.ports.config(tenant, blueprint).await?.map(|(config, version)| (config, version.slice.version)))
    }

    /// Saves how a blueprint behaves for a tenant, replacing what was saved.
    ///
    /// # Errors
    ///
    /// - `NotFound`: this runtime has no such blueprint.
    /// - `InvalidRequest`: a field is wrong, a rule among them; the error names it.
    /// - `Conflict`: somebody else saved it at the same time.
    pub async fn save_config(&self, tenant: TenantId, config: AgentConfig, captured_by: &str) -> Result<()> {
        let blueprint = self.blueprint(&config.agent_blueprint)?;
        config.check()?;
        for model in config.model.iter().chain(&config.fallback_models) {
            self.ports.provider(&blueprint.name, &pricing::model_name(model)?)?;
        }
        let saved = self.ports.config(tenant, &config.agent_blueprint).await?;
        let key = saved.as_ref().map_or_else(
            || EntityKey::new(Kind::AgentConfig, EntityId::new(&*self.ports.ids, self.now())),
            |(_, version)| version.key,
        );
        let require = match saved {
            Some((_, version)) => Require::Version { key, version: version.slice.version },
            None => Require::UniqueTerm { kind: Kind::AgentConfig, term: Term::new(BLUEPRINT_TERM, &*blueprint.name) },
        };
        let body =
            serde_json::to_value(&config).map_err(|e| Error::invalid("the config has no JSON form").with_source(e))?;
        let changes = Changes::none().write(key, WriteOp::Put(body)).require(require);
        let provenance = Provenance::new(captured_by, "user_edit");
        self.ports.store.apply(tenant, changes, provenance, self.now()).await.map(drop)
    }

    /// The full name of a model that runs of a blueprint can ask, and its prices now.
    pub(crate) fn priced(&self, blueprint: &str, model: &str) -> Result<(String, Vec<pricing::Price>)> {
        let model = pricing::model_name(model)?;
        self.ports.provider(blueprint, &model)?;
        let prices = pricing::prices_of(&self.ports.prices, &model, self.now());
        Ok((model, prices))
    }

    pub(crate) fn blueprint(&self, name: &str) -> Result<&Blueprint> {
        self.ports.blueprints.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.ports.blueprints.keys().map(String::as_str).collect();
            Error::not_found(format!("the blueprint {name:?}")).with_details(serde_json::json!({ "blueprints": known }))
        })
    }
}

/// What a run's model is told first.
pub(crate) fn first_message(input: &Value) -> String {
    format!("The input of this run:\n{input:#}")
}

impl Ports {
    /// The provider of `model`, a full name. The model `local/…` is the blueprint's own policy.
    pub(crate) fn provider(&self, blueprint: &str, model: &str) -> Result<Arc<dyn ModelProvider>> {
        if model.starts_with("local/") {
            let policy = self.blueprints.get(blueprint).and_then(|blueprint| blueprint.policy.clone());
            let policy = policy.ok_or_else(|| {
                Error::invalid(format!("the blueprint {blueprint} ships no rules, so {model} cannot play its model"))
            })?;
            return Ok(Arc::new(Local::new(policy)));
        }
        self.providers.resolve(model).map(|(provider, _)| provider)
    }

    /// The provider of this name.
    pub(crate) fn named(&self, provider: &str) -> Result<Arc<dyn ModelProvider>> {
        self.providers.named(provider).map_err(|e| e.at("/provider"))
    }

    /// A text of somebody else's without what is registered as secret, for a log.
    pub(crate) fn redacted(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| secret.redact(&text))
    }

    /// What a run lives by if it starts now.
    pub(crate) async fn snapshot(&self, run: &Run) -> Result<Snapshot> {
        let blueprint = self
            .blueprints
            .get(&run.agent_blueprint)
            .ok_or_else(|| Error::not_found(format!("the blueprint {:?}", run.agent_blueprint)))?;
        let now = self.clock.now();
        let saved = self.config(run.tenant_id, &blueprint.name).await?;
        let config_version = saved.as_ref().map(|(_, version)| version.slice.version);
        let config = saved.map(|(config, _)| config);
        let guardrails = config.as_ref().map_or(&blueprint.default_guardrails, |config| &config.guardrails).clone();
        let config = config.unwrap_or_else(|| AgentConfig::new(&*blueprint.name));
        let model = config.model.as_deref().unwrap_or(&blueprint.default_model);
        let model = pricing::model_name(model)?;
        let fallback_models = config.fallback_models.iter().map(|name| pricing::model_name(name));
        let fallback_models: Vec<String> = fallback_models.collect::<Result<_>>()?;
        let models = std::iter::once(&model).chain(&fallback_models);
        let prices = models.flat_map(|name| pricing::prices_of(&self.prices, name, now)).collect();
        let wanted = config.tools.as_ref().unwrap_or(&blueprint.tools);
        let tools = blueprint.tools.iter().filter(|name| wanted.contains(name));
        let seconds =
            run.deadline_secs.or(config.deadline_default_seconds).unwrap_or(blueprint.default_deadline_seconds);
        let started_at = run.started_at.unwrap_or(now);
        Ok(Snapshot {
            blueprint: blueprint.name.clone(),
            blueprint_version: blueprint.version,
            config_version,
            prices,
            model,
            fallback_models,
            system_prompt: config.system_prompt.unwrap_or_else(|| blueprint.system_prompt.clone()),
            first_message: first_message(&run.input),
            tools: tools.filter_map(|name| self.tools.get(name)).map(|tool| (*tool.spec()).clone()).collect(),
            guardrails,
            budget_usd_cents: run.budget_usd_cents.or(config.budget_default_cents).or(blueprint.default_budget_cents),
            on_budget: config.on_budget,
            deadline_at: started_at.after(Duration::from_secs(seconds.into())),
            max_steps: config.max_steps.unwrap_or(blueprint.default_max_steps),
            max_tokens: blueprint.max_tokens,
            max_repeats: config.max_repeats.unwrap_or(DEFAULT_MAX_REPEATS),
            timezone: self.store.tenant(run.tenant_id).await?.map(|tenant| tenant.timezone),
            trial: self.trial(run, now).await?,
        })
    }

    /// What a run sees that starts now, if it is a trial.
    async fn trial(&self, run: &Run, now: Timestamp) -> Result<Option<Trial>> {
        if !run.dry_run {
            return Ok(None);
        }
        let view = View::new(Arc::clone(&self.store) as Arc<_>, run.tenant_id, now);
        let as_of = view.moment(run.as_of).await?;
        Ok(Some(Trial { as_of, answers: Vec::new() }))
    }

    async fn config(&self, tenant: TenantId, blueprint: &str) -> Result<Option<(AgentConfig, Version)>> {
        let mut query = ListQuery::new(Kind::AgentConfig);
        query.terms.push(Term::new(BLUEPRINT_TERM, blueprint));
        let Page { mut data, .. } = self.store.list(tenant, query, self.clock.now()).await?;
        let Some(version) = data.pop() else { return Ok(None) };
        let body = version.slice.body.clone().unwrap_or_default();
        let config = serde_json::from_value(body)
            .map_err(|e| Error::internal(format!("the saved config of {blueprint} is unreadable: {e}")))?;
        Ok(Some((config, version)))
    }
}
