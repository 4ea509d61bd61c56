//! Workers of one version on a schema that a newer one has brought further.

use sqlx::{Connection as _, Executor as _, PgConnection};
use worktruck_tests::Backend;

use crate::fleet::{Fleet, Runs};
use crate::worker::{Setup, Worker};
use crate::world::World;

const RUNS: usize = 40;
const SETUP: Setup = Setup { concurrency: 4, ..Setup::USUAL };

/// A step of the schema that this software does not know: it adds to tables that are in use, and
/// says that the version before it can go on.
const NEWER: [&str; 6] = [
    "ALTER TABLE worktruck.run ADD COLUMN note text",
    "ALTER TABLE worktruck.queue ADD COLUMN note text NOT NULL DEFAULT ''",
    "ALTER TABLE worktruck.step ADD COLUMN note text",
    "ALTER TABLE worktruck.slice ADD COLUMN note text",
    "CREATE TABLE worktruck.note (tenant uuid, run uuid, note text)",
    "INSERT INTO worktruck.migration (version, oldest, digest)
     SELECT max(version) + 1, max(version), sha256('newer') FROM worktruck.migration",
];

#[tokio::test]
async fn workers_go_on_while_the_schema_is_brought_further_and_others_start_on_it() {
    let world = World::new(Backend::Postgres).await;
    let mut runs = Runs::enqueue(&world, RUNS).await;
    let mut fleet = Fleet::start(&world, 2, SETUP).await;
    let mut newer = PgConnection::connect(&world.place.url).await.unwrap();
    for step in NEWER {
        assert!(fleet.commits(10, &runs, &world).await, "the schema changes in the middle");
        newer.execute(step).await.unwrap();
    }
    fleet.until_ended(&runs, &world).await;

    fleet.add(&world, SETUP).await;
    // No model answers before more runs have begun than two workers can hold: all three take part.
    world.server.gate(RUNS + 2 * SETUP.concurrency + 1);
    runs.enqueue_more(&world, RUNS).await;
    fleet.until_ended(&runs, &world).await;
    fleet.stop().await;
    assert_eq!(runs.assert_done(&world).await, 2 * RUNS, "nobody lost a lease");
}

/// How far the schema may be ahead is looked at when a store is opened. Who has opened it before
/// goes on: what it needs is there until its version is two behind.
#[tokio::test]
async fn a_schema_that_is_too_new_is_refused_at_the_start_and_served_by_who_runs_already() {
    let world = World::new(Backend::Postgres).await;
    let mut runs = Runs::enqueue(&world, RUNS).await;
    let mut fleet = Fleet::start(&world, 2, SETUP).await;
    assert!(fleet.commits(40, &runs, &world).await, "the schema changes in the middle");
    let mut newer = PgConnection::connect(&world.place.url).await.unwrap();
    let known: i64 =
        sqlx::query_scalar("SELECT max(version) FROM worktruck.migration").fetch_one(&mut newer).await.unwrap();
    for step in NEWER {
        newer.execute(step).await.unwrap();
    }
    let too_new = "UPDATE worktruck.migration SET oldest = version WHERE version = (SELECT max(version) FROM worktruck.migration)";
    newer.execute(too_new).await.unwrap();

    let complaint = Worker::refused(&world).await;
    let says = format!(
        "was brought to version {} by newer software, and this one knows version {known}: use the newer one",
        known + 1
    );
    assert!(complaint.contains(&says), "{complaint}");
    runs.enqueue_more(&world, RUNS).await;
    fleet.until_ended(&runs, &world).await;
    fleet.stop().await;
    assert_eq!(runs.assert_done(&world).await, 2 * RUNS, "nobody lost a lease");
}
