//! What the tests of the store share.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use worktruck_core::entity::Kind;
use worktruck_core::journal::{Snapshot, Step, StepKind, StepOutcome};
use worktruck_core::run::{BlueprintVersion, ClaimRequest, Claimed, Commit, CommitStep, Cost, NewRun, Transition};
use worktruck_core::store::{Changes, EntityKey, Provenance, RunStore};
use worktruck_core::testing::CountingIds;
use worktruck_core::{Digest, EntityId, NanoUsd, RunId, StepId, TenantId, Timestamp};
use worktruck_store_pg::{PgOptions, PgStore, testing};

pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// A database that nobody else uses.
#[derive(Debug)]
pub(crate) struct Database(testing::Database);

impl Database {
    pub(crate) async fn fresh() -> Self {
        Self(testing::Database::fresh().await.expect("a database is made"))
    }

    pub(crate) fn url(&self) -> &str {
        self.0.url()
    }

    pub(crate) fn name(&self) -> &str {
        self.0.name()
    }

    pub(crate) fn options(&self) -> PgOptions {
        PgOptions::parse(self.url()).expect("an address")
    }

    /// Sets a setting of the database for connections that begin later.
    pub(crate) async fn set(&self, setting: &str) {
        self.0.execute(&format!("ALTER DATABASE {} SET {setting}", self.name())).await.expect(setting);
    }

    /// A store in this database, with notifications left out: a scenario that needs them says so.
    pub(crate) async fn store(&self) -> PgStore {
        self.open(self.options().without_notifications()).await
    }

    pub(crate) async fn open(&self, options: PgOptions) -> PgStore {
        PgStore::open_with(options).await.expect("the store opens")
    }

    /// A connection that is not the store's, to its tables.
    pub(crate) async fn connect(&self) -> PgConnection {
        let mut connection = PgConnection::connect(self.url()).await.expect("a connection");
        connection.execute("SET search_path = worktruck").await.expect("a search path");
        connection
    }

    /// Runs a statement that is not the store's.
    pub(crate) async fn run(&self, sql: &str) -> u64 {
        self.connect().await.execute(AssertSqlSafe(sql.to_owned())).await.expect(sql).rows_affected()
    }

    /// The number that a statement which is not the store's finds.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.connect().await).await.expect(sql)
    }

    /// Returns as soon as `sql`, a condition, holds.
    pub(crate) async fn until(&self, sql: &str) {
        let mut connection = self.connect().await;
        let look = async {
            while !sqlx::query_scalar::<_, bool>(AssertSqlSafe(format!("SELECT {sql}")))
                .fetch_one(&mut connection)
                .await
                .expect(sql)
            {}
        };
        in_time(sql, look).await;
    }

    /// Returns as soon as `count` statements of stores wait for a lock.
    pub(crate) async fn until_waiting(&self, count: usize) {
        self.until(&format!("{STUCK} = {count}")).await;
    }

    /// Ends the connections of stores that `which`, a condition on `pg_stat_activity`, is about.
    pub(crate) async fn kill(&self, which: &str) -> usize {
        // In two parts, because conditions are checked in any order and others use the server too.
        let sql = format!(
            "WITH found AS MATERIALIZED (SELECT pid FROM pg_stat_activity WHERE {OURS} AND {which})
             SELECT pid FROM found WHERE pg_terminate_backend(pid)"
        );
        let killed: Vec<i32> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut self.connect().await).await.expect("an end");
        let texts: Vec<String> = killed.iter().map(ToString::to_string).collect();
        self.until(&format!("NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = ANY ('{{{}}}'))", texts.join(",")))
            .await;
        killed.len()
    }
}

const OURS: &str = "datname = current_database() AND application_name = 'worktruck'";
const STUCK: &str = "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
     AND application_name = 'worktruck' AND wait_event_type = 'Lock')";

/// What `future` gives, or a failed test if that takes far too long.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap_or_else(|_| panic!("{what} never comes"))
}

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

pub(crate) fn tenant(n: u16) -> TenantId {
    TenantId::new(&CountingIds::new(n), at(0))
}

pub(crate) fn contact(n: u128) -> EntityKey {
    EntityKey::new(
        Kind::Contact,
        EntityId::from_uuid(uuid::Uuid::from_u128(0x0194_a8b3_7e5a_77c1_9d0f_0000_0000_0000 + n)),
    )
}

pub(crate) fn named(name: &str) -> Value {
    json!({ "display_name": name })
}

pub(crate) fn user() -> Provenance {
    Provenance::new("user:1", "user_edit")
}

pub(crate) fn create(n: u128, name: &str) -> Changes {
    Changes::none().create(contact(n), named(name))
}

pub(crate) fn run_id(n: u128) -> RunId {
    RunId::from_uuid(uuid::Uuid::from_u128(0x0194_a8b3_7e5a_77c1_9d0f_1000_0000_0000 + n))
}

pub(crate) fn new_run(n: u128) -> NewRun {
    NewRun::new(run_id(n), "echo", json!({}))
}

pub(crate) fn claim_any(limit: usize) -> ClaimRequest {
    let blueprints = vec![BlueprintVersion { blueprint: "echo".into(), version: 1 }];
    ClaimRequest { blueprints, limit, lease_for: LEASE }
}

/// The run `n` of a tenant, accepted and claimed.
pub(crate) async fn claimed(store: &PgStore, owner: TenantId, n: u128) -> Claimed {
    store.enqueue(owner, vec![new_run(n)], at(0)).await.expect("a run is accepted");
    store.claim(claim_any(1), at(1)).await.expect("a claim is answered").remove(0)
}

/// A commit of a run that goes on.
pub(crate) fn commit(number: u64, steps: Vec<CommitStep>) -> Commit {
    Commit {
        number,
        snapshot: (number == 1).then(snapshot),
        steps,
        calls: Vec::new(),
        approvals: Vec::new(),
        events: Vec::new(),
        reserved: NanoUsd::ZERO,
        forfeited: NanoUsd::ZERO,
        transition: Transition::Continue,
        lease_for: LEASE,
    }
}

pub(crate) fn step(seq: u32, output: Value, changes: Changes) -> CommitStep {
    let step = Step {
        id: StepId::new(&CountingIds::new(9), at(i64::from(seq))),
        seq,
        kind: StepKind::Tool,
        name: "echo".into(),
        call_digest: Digest::of_bytes(b"call"),
        hash: Digest::of_bytes(b"hash"),
        input: output.clone(),
        output: Some(output),
        outcome: StepOutcome::Ok,
        model: None,
        usage: None,
        cost: Cost::default(),
        started_at: at(0),
        completed_at: Some(at(1)),
        payload_ref: None,
        tried: None,
    };
    CommitStep { step, changes }
}

fn snapshot() -> Snapshot {
    Snapshot {
        blueprint: "echo".into(),
        blueprint_version: 1,
        config_version: None,
        model: "local/echo".into(),
        system_prompt: String::new(),
        first_message: String::new(),
        tools: Vec::new(),
        guardrails: Vec::new(),
        prices: Vec::new(),
        budget_usd_cents: None,
        deadline_at: at(60_000_000),
        max_steps: 100,
        max_tokens: 100,
        max_repeats: 3,
        fallback_models: Vec::new(),
        on_budget: Vec::new(),
        timezone: None,
        trial: None,
    }
}
