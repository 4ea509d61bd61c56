//! The clock that shows the time of the server.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use worktruck_core::Timestamp;
use worktruck_core::testing::SimClock;

use crate::fixture::Database;

async fn server_time(connection: &mut PgConnection) -> Timestamp {
    let micros = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
    Timestamp::from_micros(micros.fetch_one(connection).await.expect("the server's time"))
}

#[tokio::test]
async fn the_present_is_the_servers_whatever_the_machine_says() {
    let database = Database::fresh().await;
    let (store, mut connection) = (database.store().await, database.connect().await);
    for machine in ["1999-12-31T23:59:59Z", "2126-01-01T00:00:00Z"] {
        // It stands still, so that what was asked for last is what is shown.
        let machine = Arc::new(SimClock::starting_at(machine.parse().expect("a moment")));
        let before = server_time(&mut connection).await;
        let clock = store.clock(machine.clone()).await.expect("the server tells its time");
        let after = server_time(&mut connection).await;
        let shown = clock.now();
        assert!(before <= shown && shown <= after, "{before} {shown} {after}");

        machine.advance(Duration::from_secs(7));
        assert_eq!(clock.now(), shown.after(Duration::from_secs(7)), "it counts on with the machine");
        assert_eq!(clock.monotonic(), Duration::from_secs(7));
        machine.set(Timestamp::EPOCH);
        assert_eq!(clock.now(), shown.after(Duration::from_secs(7)), "somebody sets the machine's clock");
    }
    store.close().await;
}

#[tokio::test]
async fn it_counts_on_when_the_store_is_closed() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let machine = Arc::new(SimClock::starting_at(Timestamp::EPOCH));
    let clock = store.clock(machine.clone()).await.expect("the server tells its time");
    let shown = clock.now();
    store.close().await;
    machine.advance(Duration::from_secs(60));
    assert_eq!(clock.now(), shown.after(Duration::from_secs(60)));
    let error = store.clock(machine).await.expect_err("the store is closed");
    assert!(error.is_retryable(), "{error}");
}
