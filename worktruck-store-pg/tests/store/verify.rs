//! What is found where the tables are not what they are promised to be.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use worktruck_core::journal::{OpenCall, Step, call_digest, genesis, payload_ref, step_hash};
use worktruck_core::run::{Claimed, Commit, CommitStep, Transition};
use worktruck_core::store::{Changes, CommitOutcome, EntityKey, EntityStore, RunStore};
use worktruck_core::temporal::{At, Write, WriteOp};
use worktruck_core::{Digest, NanoUsd, RunId, TenantId};
use worktruck_store_pg::{Finding, PgStore};

use crate::fixture::*;

/// A run as its worker knows it, whose journal is chained as it must be.
struct Working {
    claimed: Claimed,
    head: Digest,
    commits: u64,
    steps: u32,
}

impl Working {
    fn new(claimed: Claimed) -> Self {
        let snapshot = commit(1, Vec::new()).snapshot;
        let run = &claimed.run;
        let head = genesis(run.tenant_id, run.id, &run.input, snapshot.as_ref()).unwrap();
        Self { claimed, head, commits: 0, steps: 0 }
    }

    /// Commits a step for each of `outputs`, the first with `changes`.
    async fn commit(&mut self, store: &PgStore, outputs: Vec<Value>, changes: Changes, how: Transition) {
        let mut changes = Some(changes);
        let mut steps = Vec::new();
        for output in outputs {
            self.steps += 1;
            let CommitStep { step: plain, .. } = step(self.steps, output.clone(), Changes::none());
            let call = call_digest(self.claimed.run.id, plain.seq, plain.kind, &plain.name, &plain.input).unwrap();
            let mut step = Step { call_digest: call, payload_ref: payload_ref(&output), ..plain };
            step.hash = step_hash(self.head, &step).unwrap();
            self.head = step.hash;
            steps.push(CommitStep { step, changes: changes.take().unwrap_or_default() });
        }
        self.commits += 1;
        let (seq, name) = (self.steps + 1, "echo".into());
        let open = OpenCall { seq, name, call_digest: self.head, approval: None, receipt: None };
        let calls = if how == Transition::Continue { vec![open] } else { Vec::new() };
        let commit = Commit { calls, transition: how, reserved: NanoUsd::ZERO, ..commit(self.commits, steps) };
        let outcome = store.commit(&self.claimed.lease, commit, at(10)).await.unwrap();
        assert!(matches!(outcome, CommitOutcome::Committed { .. }), "{outcome:?}");
    }
}

fn person(name: &str, tags: &[&str]) -> Value {
    json!({ "display_name": name, "tags": tags })
}

fn write(n: u128, op: WriteOp, from: Option<i64>, to: Option<i64>) -> Changes {
    Changes::none().write_valid(contact(n), Write { op, valid_from: from.map(at), valid_to: to.map(at) })
}

/// What a tenant does in a busy hour. The contact 1 is there since then, 2 was corrected and is to change,
/// 3 was deleted, 4 erased, 5 is over; the run 1 has ended, 2 is under way, 3 waits for a worker.
async fn busy(store: &PgStore, owner: TenantId) {
    let apply = async |changes: Changes, now: i64| {
        store.apply(owner, changes, user(), at(now)).await.unwrap();
    };
    for n in 1..=4 {
        let body = person(&format!("Ada {n} Lovelace"), &["friend", &"x".repeat(300)]);
        apply(Changes::none().create(contact(n), body), 1).await;
    }
    apply(write(5, WriteOp::Put(person("Eve \u{0} Zoë", &["brief"])), Some(2), Some(20)), 2).await;
    apply(write(2, WriteOp::Patch(json!({ "nickname": "Bee" })), Some(-50), Some(3)), 5).await;
    apply(write(2, WriteOp::Put(person("Ada King", &[])), Some(1_000), None), 6).await;
    apply(write(1, WriteOp::Patch(json!({ "tags": ["friend", "boss"] })), None, None), 7).await;
    apply(write(3, WriteOp::Delete, None, None), 8).await;
    store.purge(owner, contact(4), user(), at(9)).await.unwrap();

    store.enqueue(owner, (1..=3).map(new_run).collect(), at(0)).await.unwrap();
    let claimed = store.claim(claim_any(2), at(1)).await.unwrap();
    let mut runs: BTreeMap<RunId, Working> =
        claimed.into_iter().map(|claimed| (claimed.run.id, Working::new(claimed))).collect();
    let short = || vec![json!({ "n": 1.5e-7 }), json!(null)];
    let long = vec![json!("y".repeat(40_000))];
    for (id, run) in &mut runs {
        let changes = write(6, WriteOp::Put(person("Bob", &[&id.to_string()])), None, None);
        run.commit(store, short(), changes, Transition::Continue).await;
        run.commit(store, long.clone(), Changes::none(), Transition::Continue).await;
    }
    let first = runs.get_mut(&run_id(1)).unwrap();
    first.commit(store, short(), Changes::none(), Transition::Succeed { output: json!("done") }).await;
    // What was scheduled comes due with this, and what is over stays.
    apply(write(7, WriteOp::Put(person("Carl", &[])), None, None), 2_000).await;
    apply(write(1, WriteOp::Patch(json!({ "bio": "x" })), Some(5_000), None), 2_001).await;
    // A read that is fixed moves the tenant's head past its newest commit.
    store.entity(owner, contact(1), At::as_of(at(2_500)), at(2_500)).await.unwrap();
}

/// Something to be found: what is wrong, and the number of the contact or the run.
#[derive(Clone, Copy, Debug)]
enum Where {
    Contact(u128),
    Run(u128),
    Tenant,
}

fn finding_is(finding: &Finding, what: &str, place: Where) -> bool {
    let entity = |n| {
        let EntityKey { kind, id, .. } = contact(n);
        (Some(kind.as_str().to_owned()), Some(id))
    };
    let (of, run) = match place {
        Where::Contact(n) => (entity(n), None),
        Where::Run(n) => ((None, None), Some(run_id(n))),
        Where::Tenant => ((None, None), None),
    };
    finding.what == what
        && finding.tenant == tenant(1)
        && (finding.kind.clone(), finding.id) == of
        && finding.run == run
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_after_a_busy_hour_are_sound() {
    let database = Database::fresh().await;
    let store = database.store().await;
    assert_eq!(store.verify(None).await.unwrap(), [], "an empty store");
    busy(&store, tenant(1)).await;
    store.apply(tenant(2), create(1, "Ada"), user(), at(1)).await.unwrap();
    assert_eq!(store.verify(None).await.unwrap(), []);
    assert_eq!(store.verify(Some(tenant(1))).await.unwrap(), []);
    // It is not sound because there is nothing to see.
    for table in ["head", "slice", "term", "sort_key", "search", "step", "payload", "open_call", "queue", "erased"] {
        assert_ne!(database.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    assert_ne!(database.count("SELECT count(*) FROM slice WHERE scheduled").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_read_in_one_transaction_that_may_take_its_time_and_writes_nothing() {
    let database = Database::fresh().await;
    let options = database.options().without_notifications();
    let store = database.open(options.with_statement_timeout(std::time::Duration::from_millis(200))).await;
    busy(&store, tenant(1)).await;
    let mut other = database.connect().await;
    let mut tx = sqlx::Connection::begin(&mut other).await.unwrap();
    sqlx::Executor::execute(&mut *tx, "LOCK TABLE search IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let wait = async {
        // As long as no statement of the store's may take otherwise.
        let waits =
            "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND application_name = 'worktruck' AND clock_timestamp() - query_start > interval '500 ms')";
        database.until(waits).await;
        let written = database.run("UPDATE queue SET head_seq = 9").await;
        tx.rollback().await.unwrap();
        written
    };
    let (found, written) = in_time("the end", async { tokio::join!(store.verify(None), wait) }).await;
    assert_eq!(found.unwrap(), [], "what was changed meanwhile is not seen");
    assert_ne!(written, 0);
    assert_ne!(store.verify(None).await.unwrap(), []);
}

/// Damages to the tables, and all that is to be found of each.
const DAMAGES: &[(&str, &[(&str, Where)])] = {
    use Where::{Contact, Run, Tenant};
    &[
        (
            "INSERT INTO slice SELECT tenant, id, kind, created_at, version, tx_id, sys_from - 1, sys_to, valid_from - 1,
                 valid_to, carried, scheduled, body, terms, sort
             FROM slice WHERE id = $2 AND sys_to < 9223372036854775807",
            &[("slices of an entity overlap in both times", Contact(2))],
        ),
        (
            "INSERT INTO slice SELECT tenant, id, kind, created_at, version, tx_id, sys_from + 1, sys_from + 2, valid_from,
                 valid_to, FALSE, FALSE, body, terms, sort FROM head WHERE id = $1",
            &[("slices of an entity overlap in both times", Contact(1))],
        ),
        (
            "UPDATE head SET valid_from = 1700000000000003000 WHERE id = $7",
            &[("a head begins after its tenant's newest commit", Contact(7))],
        ),
        (
            "WITH h AS (DELETE FROM head WHERE id = $7 RETURNING *), t AS (DELETE FROM term WHERE id = $7),
                 k AS (DELETE FROM sort_key WHERE id = $7), w AS (DELETE FROM search WHERE id = $7)
             INSERT INTO slice SELECT tenant, id, kind, created_at, version, tx_id, sys_from, 9223372036854775807,
                 valid_from, valid_to, FALSE, FALSE, body, terms, sort FROM h",
            &[("a slice that holds at its tenant's newest commit is no head", Contact(7))],
        ),
        (
            "UPDATE head SET newest = newest - 1 WHERE id = $1",
            &[("a head does not know the newest version of its entity", Contact(1))],
        ),
        (
            "UPDATE slice SET scheduled = FALSE WHERE id = $1 AND scheduled",
            &[("a slice is scheduled that is not to come, or the other way round", Contact(1))],
        ),
        (
            "UPDATE slice SET scheduled = TRUE WHERE id = $3 AND sys_to < 9223372036854775807",
            &[("a slice is scheduled that is not to come, or the other way round", Contact(3))],
        ),
        ("UPDATE head SET tx_id = 1000 WHERE id = $7", &[("a slice is of a commit that does not exist", Contact(7))]),
        (
            "UPDATE slice SET tx_id = 1000 WHERE id = $3",
            &[("a slice is of a commit that does not exist", Contact(3))],
        ),
        (
            "UPDATE head SET provenance = '{\"captured_by\": \"x\", \"capture_reason\": \"y\"}' WHERE id = $1",
            &[("a head has not the provenance of its commit", Contact(1))],
        ),
        ("DELETE FROM term WHERE id = $1 AND name = 'tag'", &[("the rows of term are not those of the head", Contact(1))]),
        (
            "UPDATE term SET value = 'foe' WHERE id = $1 AND value = 'friend'",
            &[("the rows of term are not those of the head", Contact(1))],
        ),
        (
            "UPDATE term SET created_at = 0 WHERE id = $6",
            &[("the rows of term are not those of the head", Contact(6))],
        ),
        (
            "INSERT INTO term SELECT tenant, $3, created_at, kind, name, value FROM term WHERE id = $7",
            &[("the rows of term are not those of the head", Contact(3))],
        ),
        (
            "UPDATE sort_key SET value = 'zzz' WHERE id = $5 AND name = 'display_name'",
            &[("the rows of sort_key are not those of the head", Contact(5))],
        ),
        (
            "DELETE FROM sort_key WHERE id = $2 AND name = 'updated_at'",
            &[("the rows of sort_key are not those of the head", Contact(2))],
        ),
        (
            "INSERT INTO sort_key SELECT tenant, id, kind, 'more', value FROM sort_key WHERE id = $7 AND name = 'updated_at'",
            &[("the rows of sort_key are not those of the head", Contact(7))],
        ),
        ("DELETE FROM search WHERE id = $5", &[("the row of search is not that of the head", Contact(5))]),
        ("UPDATE search SET id = $3 WHERE id = $2", &[
            ("the row of search is not that of the head", Contact(2)),
            ("the row of search is not that of the head", Contact(3)),
        ]),
        (
            "UPDATE search SET words = words || array_to_tsvector(ARRAY['more']) WHERE id = $5",
            &[("the row of search is not that of the head", Contact(5))],
        ),
        (
            "UPDATE head SET sort = '{\"display_name\": \"4g\"}' WHERE id = $7",
            &[("the head cannot be read", Contact(7))],
        ),
        (
            "UPDATE tenant_head SET tx_id = tx_id + 1",
            &[("the newest commit is not the one that the tenant's head is at", Tenant)],
        ),
        ("UPDATE tenant_head SET floor = committed_at - 1", &[(
            "the newest commit is not the one that the tenant's head is at",
            Tenant,
        )]),
        (
            "DELETE FROM entity_commit WHERE entities::text LIKE '%purged%'",
            &[("a number of a commit is left out", Tenant)],
        ),
        ("DELETE FROM run WHERE id = $13", &[("a row of queue is of a run that has ended or does not exist", Run(3))]),
        (
            "UPDATE run SET outcome = 'failed', head_seq = 3 WHERE id = $13",
            &[("a row of queue is of a run that has ended or does not exist", Run(3))],
        ),
        (
            "UPDATE queue SET status = 'asleep' WHERE run = $13",
            &[("a row of queue has a status that it cannot have", Run(3))],
        ),
        ("DELETE FROM queue WHERE run = $13", &[("a run that has not ended is not in queue", Run(3))]),
        ("DELETE FROM step WHERE run = $11 AND seq = 2", &[("the steps of a run are not numbered from 1 to its head", Run(1))]),
        ("DELETE FROM step WHERE run = $12 AND seq = 3", &[("the steps of a run are not numbered from 1 to its head", Run(2))]),
        (
            "UPDATE queue SET head_seq = 1 WHERE run = $13",
            &[("the steps of a run are not numbered from 1 to its head", Run(3))],
        ),
        ("UPDATE step SET seq = 0 WHERE run = $11 AND seq = 1", &[("the steps of a run are not numbered from 1 to its head", Run(1))]),
        ("DELETE FROM payload", &[
            ("a step names a payload that does not exist", Run(1)),
            ("a step names a payload that does not exist", Run(2)),
        ]),
        (
            "INSERT INTO open_call SELECT tenant, $11, 2, body FROM open_call WHERE run = $12 LIMIT 1",
            &[("a call is open in a run that has ended or does not exist", Run(1))],
        ),
        (
            "UPDATE step SET output = '{\"n\": 1.6e-7}' WHERE run = $12 AND seq = 1",
            &[("the journal is not what was recorded", Run(2))],
        ),
        (
            "UPDATE step SET cost = 5 WHERE run = $11 AND seq = 4",
            &[("the journal is not what was recorded", Run(1))],
        ),
        (
            "UPDATE payload SET body = '\"other\"'",
            &[("the journal is not what was recorded", Run(1)), ("the journal is not what was recorded", Run(2))],
        ),
        ("UPDATE run SET state = '{}' WHERE id = $13", &[("the journal is not what was recorded", Run(3))]),
    ]
};

/// A statement with the ids of contacts for `$1` to `$9`, and those of runs from `$11` on.
fn with_ids(sql: &str) -> String {
    let runs = (1..=3).fold(sql.to_owned(), |sql, n| sql.replace(&format!("$1{n}"), &format!("'{}'::uuid", run_id(n))));
    (1..=9).fold(runs, |sql, n| sql.replace(&format!("${n}"), &format!("'{}'::uuid", contact(n).id)))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damage_is_found_and_nothing_else() {
    let database = Database::fresh().await;
    let store = database.store().await;
    busy(&store, tenant(1)).await;
    store.apply(tenant(2), create(1, "Ada"), user(), at(1)).await.unwrap();
    store.close().await;
    // What the database itself refuses is damaged all the same where a backup is restored without it.
    for unguarded in [
        "ALTER TABLE slice DISABLE TRIGGER slice_overlap",
        "ALTER TABLE head DISABLE TRIGGER head_overlap",
        "ALTER TABLE head DISABLE TRIGGER head_overlap_again",
        "ALTER TABLE step DROP CONSTRAINT step_names_input, DROP CONSTRAINT step_names_output",
    ] {
        database.run(unguarded).await;
    }
    let tables = [
        "tenant_head",
        "run",
        "queue",
        "step",
        "payload",
        "open_call",
        "head",
        "slice",
        "term",
        "sort_key",
        "search",
        "entity_commit",
    ];
    database.run("CREATE SCHEMA sound").await;
    for table in tables {
        database.run(&format!("CREATE TABLE sound.{table} AS TABLE {table}")).await;
    }
    let store = database.store().await;
    let mut wrong = Vec::new();
    for (damage, expected) in DAMAGES {
        let damaged = database.run(&with_ids(damage)).await;
        let found = store.verify(Some(tenant(1))).await.unwrap();
        let is_found = |(what, place): &(&str, Where)| found.iter().any(|finding| finding_is(finding, what, *place));
        if damaged == 0 || found.len() != expected.len() || !expected.iter().all(is_found) {
            let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
            wrong.push(format!("{damage}\n{damaged} rows, found {texts:#?}\n"));
        }
        for table in tables {
            database.run(&format!("DELETE FROM {table}")).await;
            database.run(&format!("INSERT INTO {table} SELECT * FROM sound.{table}")).await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(store.verify(None).await.unwrap(), [], "all is as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_one_tenant_is_no_finding_of_another() {
    let database = Database::fresh().await;
    let store = database.store().await;
    for n in [1, 2] {
        store.apply(tenant(n), create(1, "Ada"), user(), at(1)).await.unwrap();
    }
    database.run(&format!("DELETE FROM search WHERE tenant = '{}'", tenant(2))).await;
    assert_eq!(store.verify(Some(tenant(1))).await.unwrap(), []);
    let found = store.verify(Some(tenant(2))).await.unwrap();
    assert_eq!(found.iter().map(|finding| finding.tenant).collect::<Vec<_>>(), [tenant(2)]);
    assert_eq!(store.verify(None).await.unwrap(), found);
    let text = found[0].to_string();
    assert!(text.contains(&tenant(2).to_string()) && text.contains(&contact(1).id.to_string()), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_a_hundred_places_are_told_of_one_damage() {
    let database = Database::fresh().await;
    let store = database.store().await;
    for page in 0..3 {
        let changes =
            (page * 50..page * 50 + 50).fold(Changes::none(), |changes, n| changes.create(contact(n), named("Ada")));
        store.apply(tenant(1), changes, user(), at(1)).await.unwrap();
    }
    // In two ways, which do not meet the same hundred first.
    database.run("DELETE FROM search").await;
    database.run("UPDATE head SET newest = 0").await;
    let found = store.verify(None).await.unwrap();
    for what in ["the row of search is not that of the head", "a head does not know the newest version of its entity"] {
        assert_eq!(found.iter().filter(|finding| finding.what == what).count(), 100, "{what}");
    }
    assert_eq!(found.len(), 200);
}
