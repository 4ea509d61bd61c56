//! A hundred thousand contacts, nearly all of one tenant, and as many runs.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor as _};
use worktruck_core::store::{Changes, EntityStore, RunStore};
use worktruck_core::temporal::WriteOp;
use worktruck_store_pg::PgStore;

use crate::fixture::*;

/// Contacts of the tenant 2, which are written by the store.
pub(crate) const FEW: u128 = 1_000;
/// The tenant 1 has each of them so often, some microseconds later each time: what the store wrote is
/// copied, with other ids, times, names and addresses.
pub(crate) const COPIES: u128 = 99;
/// Between two copies.
pub(crate) const LATER: i64 = 10_000;
/// How often one contact was written after that.
pub(crate) const WRITES: usize = 5_000;
/// After all that was written.
pub(crate) const NOW: i64 = 100_000_000;

const GIVEN: [&str; 20] = [
    "ada", "bela", "carl", "dora", "emil", "fay", "gus", "hana", "ivo", "jana", "karl", "lea", "max", "nora", "otto",
    "pia", "quin", "rosa", "sven", "tina",
];
const FAMILY: [&str; 25] = [
    "abel", "bach", "clemens", "dahl", "eder", "falk", "gans", "haas", "jung", "kaiser", "lang", "mayer", "nagel",
    "ott", "pohl", "raab", "sauer", "thiel", "ulrich", "vogel", "weber", "zander", "zech", "zimmer", "zorn",
];

fn person(n: u128) -> Value {
    let one_of = |names: &[&'static str], n: u128| names[usize::try_from(n).unwrap() % names.len()];
    let (given, family) = (one_of(&GIVEN, n), one_of(&FAMILY, n / 20));
    let tags = [("all", 1), ("half", 2), ("tenth", 10), ("fiftieth", 50), ("thousandth", 1_000)];
    let tags: Vec<&str> =
        tags.into_iter().filter(|(_, one_in)| (n + n / 20).is_multiple_of(*one_in)).map(|(tag, _)| tag).collect();
    let channel = |place: u128, kind: &str, value: String| json!({ "id": uuid::Uuid::from_u128(n * 10 + place), "type": kind, "value": value, "canonical_value": value });
    json!({
        "display_name": format!("{given} {family} {n:04}"),
        "kind": match n % 100 { 0..90 => "person", 90..99 => "organization", _ => "group" },
        "tags": tags,
        "channels": [
            channel(0, "email", format!("{given}.{family}.{n}@example.org")),
            channel(1, "phone", format!("+49301{:06}", n / 3)),
            channel(2, "url", format!("https://example.org/{}", n / 100)),
        ],
        "vcard_uid": format!("urn:uuid:{n}"),
        "bio": format!("lives in {} and knows word{n}", one_of(&FAMILY, n)),
    })
}

/// The contacts, one in twenty renamed and one in a hundred deleted; then the copies.
pub(crate) async fn settle(database: &Database, store: &PgStore) {
    let apply =
        async |changes: Changes, micros: i64| drop(store.apply(tenant(2), changes, user(), at(micros)).await.unwrap());
    for (first, micros) in (0..FEW).step_by(100).zip((0..).step_by(100)) {
        let new = (first..first + 100).fold(Changes::none(), |changes, n| changes.create(contact(n), person(n)));
        apply(new, micros).await;
    }
    let chosen = |one_in: u128, rest: u128| (0..FEW).filter(move |n| n % one_in == rest);
    let renamed = chosen(20, 7).fold(Changes::none(), |changes, n| {
        changes.write(contact(n), WriteOp::Patch(json!({ "nickname": format!("nick{n}") })))
    });
    apply(renamed, 2_000).await;
    apply(chosen(100, 13).fold(Changes::none(), |changes, n| changes.write(contact(n), WriteOp::Delete)), 3_000).await;
    store.apply(tenant(1), create(1_000_000, "Mark"), user(), at(0)).await.unwrap();
    let mut connection = database.connect().await;
    connection.execute(AssertSqlSafe(copy())).await.expect("copies");
}

fn copy() -> String {
    let (small, large) = (tenant(2), tenant(1));
    // An open end stays open.
    let later = |column: &str| {
        format!("CASE WHEN {column} = 9223372036854775807 THEN {column} ELSE {column} + k * {LATER} END")
    };
    let id =
        "(left(id::text, 24) || lpad(to_hex(('x' || right(id::text, 12))::bit(48)::bigint + k * 1000), 12, '0'))::uuid";
    let (created, from, to, valid_from, valid_to) =
        (later("created_at"), later("sys_from"), later("sys_to"), later("valid_from"), later("valid_to"));
    let sort = "CASE WHEN sort IS NOT NULL THEN
             json_build_object('display_name', (sort ->> 'display_name') || encode(convert_to(' ' || k, 'UTF8'), 'hex')) END";
    let every = format!("CROSS JOIN generate_series(0, {COPIES} - 1) k WHERE tenant = '{small}'");
    let mark =
        |owner| format!("(SELECT left((tsvector_to_array(words))[1], 8) FROM search WHERE tenant = '{owner}' LIMIT 1)");
    let (old_mark, new_mark) = (mark(small), mark(large));
    format!(
        "-- The rows that the store wrote keep what the triggers see to.
         SET session_replication_role = replica;
         DELETE FROM entity_commit WHERE tenant = '{large}';
         INSERT INTO entity_commit SELECT '{large}', tx_id + k * 12, {at}, provenance, entities FROM entity_commit {every};
         INSERT INTO head SELECT '{large}', {id}, kind, {created}, version, newest, tx_id + k * 12, {from}, {valid_from},
             {valid_to}, carried, body, terms, {sort}, provenance FROM head {every};
         INSERT INTO slice SELECT '{large}', {id}, kind, {created}, version, tx_id + k * 12, {from}, {to}, {valid_from},
             {valid_to}, carried, scheduled, body, terms, {sort} FROM slice {every};
         INSERT INTO term SELECT '{large}', {id}, {created}, kind, name,
             CASE WHEN name = 'channel:email' THEN value || convert_to(k::text, 'UTF8') ELSE value END FROM term {every};
         INSERT INTO term SELECT '{large}', {id}, {created}, kind, name, 'late' FROM term {every}
             AND name = 'tag' AND value = 'all' AND k >= {COPIES} - 5;
         INSERT INTO sort_key SELECT tenant, id, kind, 'updated_at', int8send(sys_from # (-9223372036854775808)) FROM head
             WHERE tenant = '{large}' AND right(id::text, 12) <> '0000000f4240' ON CONFLICT DO NOTHING;
         INSERT INTO sort_key SELECT tenant, id, kind, 'display_name', decode(sort ->> 'display_name', 'hex') FROM head
             WHERE tenant = '{large}' ON CONFLICT DO NOTHING;
         INSERT INTO search SELECT '{large}', {id}, kind,
             replace(words::text, {old_mark}, {new_mark})::tsvector FROM search {every};
         -- The history of a contact of which something earlier was written five thousand times.
         INSERT INTO entity_commit SELECT tenant, 10000 + n, {often} + n, provenance, entities FROM entity_commit
             CROSS JOIN generate_series(1, {WRITES}) n WHERE tenant = '{large}' AND tx_id = 1;
         INSERT INTO slice SELECT s.tenant, s.id, s.kind, s.created_at, n, 10000 + n, {often} + n,
             CASE WHEN c THEN s.sys_to ELSE {often} + n + 1 END, s.valid_from - {WRITES} + n - 1, s.valid_from - {WRITES} + n, c, FALSE, s.body, s.terms, s.sort
             FROM (SELECT * FROM slice WHERE tenant = '{large}' AND carried ORDER BY id LIMIT 1) s
             CROSS JOIN generate_series(1, {WRITES}) n CROSS JOIN unnest(ARRAY[FALSE, TRUE]) c;
         UPDATE tenant_head SET tx_id = 10000 + {WRITES}, committed_at = {often} + {WRITES}, floor = {often} + {WRITES}
             WHERE tenant = '{large}';
         ANALYZE",
        at = later("at"),
        often = at(NOW / 2).as_micros(),
    )
}

/// Runs of both tenants: three in five are in the queue, of each status some, and one in a hundred is
/// of another blueprint.
pub(crate) async fn work(database: &Database, store: &PgStore) {
    store.enqueue(tenant(1), vec![new_run(1)], at(0)).await.unwrap();
    let copy = "INSERT INTO run (tenant, id, blueprint, created_at, outcome, state, input, metadata, fence, head_seq, commits,
             event_seq, cost, reserved, forfeited)
         SELECT CASE WHEN n % 100 = 1 THEN $2 ELSE tenant END, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid,
             CASE WHEN n % 100 = 7 THEN 'rare' ELSE blueprint END, created_at + n,
             CASE WHEN n % 5 < 3 THEN NULL WHEN n % 50 < 40 THEN 'succeeded' WHEN n % 50 < 49 THEN 'failed' ELSE 'cancelled' END,
             state, input, metadata, 0, 0, 0, 1, 0, 0, 0
         FROM run CROSS JOIN generate_series(1, 50000) n WHERE id = $1";
    let mut connection = database.connect().await;
    sqlx::query(copy).bind(run_id(1).as_uuid()).bind(tenant(2).as_uuid()).execute(&mut connection).await.unwrap();
    // What the queue had is the one that was copied.
    let queue = "INSERT INTO queue (tenant, run, created_at, run_at, attempt, priority, delayed, status, blueprint, fence,
             updated_at, head_seq, commits, event_seq, cost, reserved, forfeited)
         SELECT r.tenant, r.id, r.created_at, q.run_at, q.attempt, q.priority, FALSE,
             CASE r.created_at % 50 WHEN 1 THEN 'running' WHEN 2 THEN 'waiting' ELSE 'queued' END, r.blueprint, 0, q.updated_at,
             0, 0, 1, 0, 0, 0
         FROM run r CROSS JOIN queue q WHERE r.outcome IS NULL AND r.id <> q.run;
         ANALYZE";
    connection.execute(queue).await.unwrap();
}
