//! How a waiting worker learns of work when notifications come, and when they do not.

use std::time::Duration;

use worktruck_core::store::RunStore;
use worktruck_store_pg::PgStore;

use crate::fixture::*;

/// Far longer than a test takes: who is woken was notified.
const NEVER: Duration = Duration::from_secs(3_600);

/// Waits for a run that `sender` accepts, and takes it.
async fn is_woken_by(waiting: &PgStore, sender: &PgStore, n: u128) {
    let mark = in_time("a mark", waiting.wait_for_work(0)).await.unwrap();
    let (woken, accepted) = in_time("a wake-up", async {
        tokio::join!(waiting.wait_for_work(mark), sender.enqueue(tenant(1), vec![new_run(n)], at(0)))
    })
    .await;
    accepted.unwrap();
    assert_ne!(woken.unwrap(), mark);
    assert_eq!(waiting.claim(claim_any(1), at(1)).await.unwrap()[0].run.id, run_id(n));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_of_another_process_wakes_at_once() {
    let database = Database::fresh().await;
    let waiting = database.open(database.options().with_poll_interval(NEVER)).await;
    let sender = database.open(database.options()).await;
    for n in 0..3 {
        is_woken_by(&waiting, &sender, n).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_notifications_work_is_found_within_the_poll_interval() {
    let database = Database::fresh().await;
    let waiting =
        database.open(database.options().with_poll_interval(Duration::from_millis(20)).without_notifications());
    let (waiting, sender) = tokio::join!(waiting, database.open(database.options()));
    is_woken_by(&waiting, &sender, 1).await;
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(database.count(listening).await, 1, "only the store that was told to listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_does_not_notify_is_found_by_looking() {
    let database = Database::fresh().await;
    let waiting = database.open(database.options().with_poll_interval(Duration::from_millis(20))).await;
    is_woken_by(&waiting, &database.store().await, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_cut_off_looks_and_then_listens_again() {
    let database = Database::fresh().await;
    let (waiting, patient) = tokio::join!(
        database.open(database.options().with_poll_interval(Duration::from_millis(20))),
        database.open(database.options().with_poll_interval(NEVER)),
    );
    let sender = database.store().await;
    let mark = in_time("a mark", patient.wait_for_work(0)).await.unwrap();
    assert_eq!(database.kill("query LIKE 'LISTEN%'").await, 2);
    is_woken_by(&waiting, &sender, 1).await;

    // What was notified meanwhile may be lost: who listens again looks first, without being told.
    assert_ne!(in_time("a look", patient.wait_for_work(mark)).await.unwrap(), mark);
    let teller = database.open(database.options()).await;
    is_woken_by(&patient, &teller, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_last_is_told_before_a_store_closes() {
    let database = Database::fresh().await;
    let waiting = database.open(database.options().with_poll_interval(NEVER)).await;
    for n in 0..5 {
        let sender = database.open(database.options()).await;
        is_woken_by(&waiting, &sender, 2 * n).await;
        let mark = in_time("a mark", waiting.wait_for_work(0)).await.unwrap();
        // The store has just notified, and leaves the server alone for a while.
        sender.enqueue(tenant(1), vec![new_run(2 * n + 1)], at(0)).await.unwrap();
        sender.close().await;
        assert_ne!(in_time("a wake-up", waiting.wait_for_work(mark)).await.unwrap(), mark);
        assert_eq!(waiting.claim(claim_any(1), at(1)).await.unwrap()[0].run.id, run_id(2 * n + 1));
    }
}
