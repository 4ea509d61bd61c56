//! Trials and forks as an application sees them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::fork::{ForkMode, ForkRequest, Overrides};
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::entity::Kind;
use worktruck_core::guardrail::{OnBlock, Rule, RuleKind};
use worktruck_core::journal::{StepOutcome, verify};
use worktruck_core::model::Message;
use worktruck_core::pricing::Price;
use worktruck_core::run::{NewRun, Run, RunStatus};
use worktruck_core::store::{
    Changes, EntityKey, EntityStore as _, ListQuery, MemoryStore, NewTenant, Provenance, RunStore as _,
    TenantStore as _,
};
use worktruck_core::temporal::WriteOp;
use worktruck_core::testing::script::{Cast, Reply, ScriptedModel};
use worktruck_core::tool::Tool;
use worktruck_core::{EntityId, ErrorKind, NanoUsd, RunId, TenantId, Timestamp};

struct World {
    store: Arc<MemoryStore>,
    runtime: Runtime,
    tenant: TenantId,
    tools: Cast,
    /// What a fork may ask instead.
    other: Arc<ScriptedModel>,
}

/// A world whose model has the first replies, and in which another one has the second.
async fn world<const N: usize, const M: usize>(replies: [Reply; N], others: [Reply; M]) -> World {
    let store = Arc::new(MemoryStore::default());
    let tools = Cast::new();
    let blueprint = Blueprint {
        name: "scripted".to_owned(),
        version: 1,
        title: "Scripted".to_owned(),
        description: String::new(),
        input_schema: json!({ "type": "object", "additionalProperties": { "type": "integer" } }),
        system_prompt: "Do as the script says.".to_owned(),
        tools: tools.all().iter().map(|tool| tool.name().to_owned()).collect(),
        default_model: "scripted/one".to_owned(),
        default_budget_cents: Some(100),
        default_deadline_seconds: 600,
        default_max_steps: 50,
        max_tokens: 1_000,
        default_guardrails: vec![Rule::new(RuleKind::Allowlist, ["*"])],
        policy: None,
    };
    let price = |model: &str| Price {
        model: model.to_owned(),
        effective_from: Timestamp::EPOCH,
        above_prompt_tokens: 0,
        input: 100,
        output: 1_000,
        cache_write: 100,
        cache_read: 10,
    };
    let other = Arc::new(ScriptedModel::new(others));
    let runtime = Runtime::builder(store.clone())
        .provider("scripted", Arc::new(ScriptedModel::new(replies)))
        .provider("other", other.clone())
        .prices(["scripted/one", "other/two"].map(price))
        .tools(tools.all().map(|tool| Arc::clone(tool) as Arc<dyn Tool>))
        .blueprint(blueprint)
        .build()
        .unwrap();
    let tenant = TenantId::new(runtime.ids(), runtime.now());
    store.create_tenant(NewTenant::new(tenant, "test"), runtime.now()).await.unwrap();
    World { store, runtime, tenant, tools, other }
}

impl World {
    async fn play(&self, new: NewRun) -> Run {
        let run = self.runtime.enqueue(self.tenant, new).await.unwrap();
        self.finish(run.id).await
    }

    /// Lets a worker work until the run has ended.
    async fn finish(&self, run: RunId) -> Run {
        let ended = async {
            while !self.run(run).await.status.is_terminal() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        self.runtime.worker(WorkerOptions::default()).run_until(ended).await;
        let run = self.run(run).await;
        let journal = self.store.journal(self.tenant, run.id).await.unwrap().unwrap();
        assert!(verify(self.tenant, run.id, &run.input, &journal).unwrap().valid);
        run
    }

    async fn run(&self, run: RunId) -> Run {
        self.store.run(self.tenant, run).await.unwrap().unwrap()
    }

    fn new_run(&self) -> NewRun {
        self.runtime.new_run("scripted", json!({}))
    }

    async fn fork(&self, source: &Run, request: ForkRequest) -> Run {
        let fork = self.runtime.fork(self.tenant, source.id, request).await.unwrap();
        assert_eq!(fork.forked_from.unwrap().run, source.id);
        let fork = self.finish(fork.id).await;
        assert_eq!(fork.status, RunStatus::Succeeded, "{:?}", fork.failure_detail);
        fork
    }

    async fn outputs(&self, run: &Run) -> Vec<Value> {
        let steps = self.store.journal(self.tenant, run.id).await.unwrap().unwrap().steps;
        steps.into_iter().filter(|step| step.model.is_none()).map(|step| step.output.unwrap_or_default()).collect()
    }

    async fn create(&self, name: &str) -> EntityKey {
        let key = EntityKey::new(Kind::Contact, EntityId::new(self.runtime.ids(), self.runtime.now()));
        self.apply(Changes::none().create(key, json!({ "display_name": name }))).await;
        key
    }

    async fn apply(&self, changes: Changes) -> Timestamp {
        let by = Provenance::new("user:1", "user_edit");
        self.store.apply(self.tenant, changes, by, self.runtime.now()).await.unwrap().at
    }

    async fn contacts(&self) -> Vec<String> {
        let page = self.store.list(self.tenant, ListQuery::new(Kind::Contact), self.runtime.now()).await.unwrap();
        let name = |body: Option<Value>| body.unwrap()["display_name"].as_str().unwrap().to_owned();
        page.data.into_iter().map(|version| name(version.slice.body)).collect()
    }
}

fn write(name: &str) -> (&'static str, Value) {
    ("contacts_write", json!({ "name": name }))
}

fn rename(name: &str, to: &str) -> (&'static str, Value) {
    ("contacts_write", json!({ "name": name, "to": to }))
}

fn send(text: &str) -> (&'static str, Value) {
    ("mail_send", json!({ "text": text }))
}

fn search() -> (&'static str, Value) {
    ("contacts_search", json!({}))
}

fn two() -> Overrides {
    Overrides { model: Some("other/two".to_owned()), ..Overrides::default() }
}

#[tokio::test]
async fn a_dry_run_shows_what_it_would_write() {
    let replies = [
        Reply::calls([write("Ada"), send("hello")]),
        Reply::calls([rename("Ada", "Ada Lovelace"), rename("Zoe", "Zoe Two")]),
        Reply::text("done"),
    ];
    let world = world(replies, []).await;
    let zoe = world.create("Zoe").await;
    let run = world.play(NewRun { dry_run: true, ..world.new_run() }).await;
    assert_eq!((run.status, run.dry_run), (RunStatus::Succeeded, true), "{:?}", run.failure_detail);
    assert!(run.as_of.is_some(), "the present that it has is pinned");
    assert!(run.cost.0 > NanoUsd::ZERO, "models are asked as ever");
    assert_eq!(world.contacts().await, ["Zoe"]);
    assert_eq!(world.tools.send.keys(), []);

    let tried = world.runtime.tried_changes(world.tenant, run.id).await.unwrap();
    let name = |state: &Option<Value>| state.as_ref().map(|it| it["display_name"].as_str().unwrap().to_owned());
    let short: Vec<_> = tried.iter().map(|it| (it.step_seq, name(&it.before), name(&it.after), it.committed)).collect();
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(
        short,
        [
            (2, None, named("Ada"), false),
            (5, named("Ada"), named("Ada Lovelace"), false),
            (6, named("Zoe"), named("Zoe Two"), false),
        ]
    );
    assert_eq!(tried[2].entity, zoe);
    let shown = serde_json::to_value(&tried[0]).unwrap();
    assert_eq!((&shown["committed"], shown.get("before")), (&json!(false), None));
    let shown = serde_json::to_value(world.run(run.id).await).unwrap();
    assert_eq!((&shown["dry_run"], shown.get("forked_from")), (&json!(true), None));
}

#[tokio::test]
async fn a_run_as_of_the_past_reads_the_past_and_writes_nothing() {
    let world = world([Reply::calls([search(), write("Ada")]), Reply::text("done")], []).await;
    let key = world.create("Old").await;
    let then = world.runtime.now();
    world.apply(Changes::none().write(key, WriteOp::Patch(json!({ "display_name": "New" })))).await;
    world.create("Later").await;
    let run = world.play(NewRun { as_of: Some(then), ..world.new_run() }).await;
    assert_eq!((run.dry_run, run.as_of), (true, Some(then)));
    assert_eq!(world.outputs(&run).await[0], json!({ "names": ["Old"] }));
    assert_eq!(world.contacts().await, ["New", "Later"]);

    let future = NewRun { as_of: Some(world.runtime.now().after(Duration::from_secs(60))), ..world.new_run() };
    let refused = world.runtime.enqueue(world.tenant, future).await.unwrap_err();
    assert_eq!((refused.kind(), refused.pointer()), (ErrorKind::InvalidRequest, Some("/as_of")));
}

#[tokio::test]
async fn what_if_goes_on_in_the_world_of_the_step_with_another_model_and_prompt() {
    let replies = [Reply::calls([write("Ada"), send("one")]), Reply::calls([search()]), Reply::text("done")];
    let others = [
        Reply::text("never asked"),
        Reply::calls([search(), write("Bob"), send("one"), send("two")]),
        Reply::calls([search()]),
        Reply::text("other"),
    ];
    let world = world(replies, others).await;
    let source = world.play(world.new_run()).await;
    world.create("Later").await;
    let (sent, before) = (world.tools.send.keys(), world.store.journal(world.tenant, source.id).await.unwrap());

    let overrides = Overrides {
        system_prompt: Some("Be bold.".to_owned()),
        input: Some(json!({ "n": 1 })),
        budget_usd_cents: Some(7),
        ..two()
    };
    let fork = world.fork(&source, ForkRequest::what_if(4).with(overrides)).await;
    assert_eq!((fork.dry_run, fork.forked_from.unwrap().from_seq, fork.budget_usd_cents), (true, 4, Some(7)));
    let said = world.outputs(&fork).await;
    assert_eq!(said[2], json!({ "names": ["Ada"] }), "what the run wrote before is there, what came later is not");
    assert_eq!(said[4], json!({ "delivered": "one", "number": 1 }), "the recorded answer");
    assert_eq!(said[5]["dry_run"], json!(true), "there is none of this call");
    assert_eq!(said[6], json!({ "names": ["Ada", "Bob"] }), "it sees what it has tried");
    assert_eq!(world.contacts().await, ["Ada", "Later"]);
    assert_eq!(world.tools.send.keys(), sent, "nobody was called");
    assert_eq!(world.runtime.tried_changes(world.tenant, fork.id).await.unwrap().len(), 1);

    let asked = world.other.requests();
    assert_eq!((asked.len(), &*asked[0].system, &*asked[0].model), (3, "Be bold.", "two"));
    let Message::User { content } = &*asked[0].messages[0] else { panic!("{asked:?}") };
    assert!(format!("{content:?}").contains("\\\"n\\\": 1"), "{content:?}");
    let journal = world.store.journal(world.tenant, fork.id).await.unwrap().unwrap();
    let own: NanoUsd = journal.steps.iter().filter(|step| step.seq >= 4).map(|step| step.cost.0).sum();
    assert!(own > NanoUsd::ZERO);
    assert_eq!((fork.cost.0, journal.cost()), (own, own), "copied steps cost nothing");
    assert_eq!(fork.deadline_at, fork.started_at.map(|at| at.after(Duration::from_secs(600))));
    assert_eq!(world.store.journal(world.tenant, source.id).await.unwrap(), before, "the source is as it was");
    let shown = serde_json::to_value(&fork).unwrap();
    assert_eq!((&shown["forked_from"], &shown["forked_from_seq"]), (&json!(source.id), &json!(4)));
}

#[tokio::test]
async fn a_live_fork_reads_and_writes_now() {
    let replies = [Reply::calls([search()]), Reply::text("done")];
    let others =
        [Reply::text("never asked"), Reply::calls([search(), write("Bob"), send("hello")]), Reply::text("other")];
    let world = world(replies, others).await;
    let source = world.play(world.new_run()).await;
    world.create("Later").await;
    let fork = world.fork(&source, ForkRequest::live(3).with(two())).await;
    assert_eq!((fork.dry_run, fork.as_of), (false, None));
    assert_eq!(world.outputs(&fork).await[1], json!({ "names": ["Later"] }));
    assert_eq!(world.contacts().await, ["Later", "Bob"]);
    assert_eq!(world.tools.send.keys().len(), 1);
    assert!(world.runtime.tried_changes(world.tenant, fork.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_fork_in_the_middle_of_a_turn_keeps_what_had_finished() {
    let replies = [Reply::calls([write("Ada"), write("Bob"), search(), write("Cy")]), Reply::text("done")];
    let others = [Reply::text("never asked"), Reply::text("other")];
    let world = world(replies, others).await;
    let source = world.play(world.new_run()).await;
    assert_eq!(world.contacts().await, ["Ada", "Bob", "Cy"]);

    let what_if = world.fork(&source, ForkRequest::what_if(3).with(two())).await;
    let seen = |names: &[&str]| json!({ "seen": names });
    let said = world.outputs(&what_if).await;
    assert_eq!(said[..2], [seen(&[]), seen(&["Ada"])], "Bob was not there yet when he was written");
    assert_eq!((&said[2], &said[3]), (&json!({ "names": ["Ada"] }), &seen(&["Ada", "Bob"])));
    let tried = world.runtime.tried_changes(world.tenant, what_if.id).await.unwrap();
    assert_eq!(tried.iter().map(|it| it.step_seq).collect::<Vec<_>>(), [3, 5]);

    let live = world.fork(&source, ForkRequest::live(5).with(two())).await;
    assert_eq!(world.outputs(&live).await[3], seen(&["Ada", "Bob", "Cy"]), "only the last write is made again");
    assert_eq!(world.contacts().await, ["Ada", "Bob", "Cy", "Cy"]);
}

#[tokio::test]
async fn other_rules_are_about_the_steps_that_follow() {
    let replies = [Reply::calls([write("Ada")]), Reply::text("done")];
    let others = [Reply::text("never asked"), Reply::calls([write("Bob")]), Reply::text("other")];
    let world = world(replies, others).await;
    let source = world.play(world.new_run()).await;
    let deny = Rule { on_block: OnBlock::RefuseCall, ..Rule::new(RuleKind::Denylist, ["contacts_write"]) };
    let guardrails = Some(vec![Rule::new(RuleKind::Allowlist, ["*"]), deny]);
    let fork = world.fork(&source, ForkRequest::live(3).with(Overrides { guardrails, ..two() })).await;
    let steps = world.store.journal(world.tenant, fork.id).await.unwrap().unwrap().steps;
    let outcomes: Vec<_> = steps.iter().filter(|step| step.model.is_none()).map(|step| step.outcome).collect();
    assert_eq!(outcomes, [StepOutcome::Ok, StepOutcome::Blocked], "what is done is done");
    assert_eq!(world.contacts().await, ["Ada"]);
}

#[tokio::test]
async fn what_cannot_be_gone_on_from_is_refused_with_the_reason() {
    let world = world([Reply::calls([write("Ada")]), Reply::text("done")], []).await;
    let source = world.play(world.new_run()).await;
    let runs = world.store.runs(world.tenant, Default::default()).await.unwrap().data.len();
    let bad_rule = Rule::new(RuleKind::Denylist, [""; 0]);
    let bad = [
        (ForkRequest::what_if(0), "/from_seq"),
        (ForkRequest::what_if(4), "/from_seq"),
        (ForkRequest::live(5), "/from_seq"),
        (
            ForkRequest::live(2).with(Overrides { model: Some("nobody/knows".to_owned()), ..Overrides::default() }),
            "/overrides/model",
        ),
        (
            ForkRequest::live(2).with(Overrides { input: Some(json!({ "n": "x" })), ..Overrides::default() }),
            "/overrides/input/n",
        ),
        (
            ForkRequest::live(2).with(Overrides { guardrails: Some(vec![bad_rule]), ..Overrides::default() }),
            "/overrides/guardrails/0/tools",
        ),
    ];
    for (request, place) in bad {
        let refused = world.runtime.fork(world.tenant, source.id, request.clone()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidRequest, "{request:?}");
        assert!(refused.pointer().is_some_and(|at| at.starts_with(place)), "{request:?}: {:?}", refused.pointer());
    }
    let queued = world.runtime.enqueue(world.tenant, world.new_run()).await.unwrap();
    let refused = world.runtime.fork(world.tenant, queued.id, ForkRequest::live(1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict, "it has not begun");
    let unknown = RunId::new(world.runtime.ids(), world.runtime.now());
    let refused = world.runtime.fork(world.tenant, unknown, ForkRequest::live(1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert_eq!(world.store.runs(world.tenant, Default::default()).await.unwrap().data.len(), runs + 1);

    let asked: ForkRequest = serde_json::from_value(json!({ "from_seq": 2 })).unwrap();
    assert_eq!(asked.mode, ForkMode::WhatIf);
    assert!(serde_json::from_value::<ForkRequest>(json!({ "from_seq": 2, "mod": "live" })).is_err());
}
