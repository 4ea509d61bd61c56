//! Schemas: each is a store of its own.

use std::time::Duration;

use futures::future::join_all;
use worktruck_core::ErrorKind;
use worktruck_core::store::{EntityStore, ListQuery, NewTenant, RunQuery, RunStore, TenantStore};
use worktruck_core::temporal::At;
use worktruck_store_pg::{PgOptions, PgStore};

use crate::fixture::*;

/// Far longer than a test takes: who is woken was notified.
const NEVER: Duration = Duration::from_secs(3_600);

/// Two stores in each of these schemas, as two processes have them.
async fn pairs(database: &Database, schemas: &[&str]) -> Vec<(PgStore, PgStore)> {
    let open = |schema: &str| {
        let options = database.options().with_schema(schema).unwrap().with_poll_interval(NEVER);
        async move { tokio::join!(database.open(options.clone()), database.open(options.clone())) }
    };
    join_all(schemas.iter().map(|schema| open(schema))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schemas_of_one_database_are_two_stores() {
    let database = Database::fresh().await;
    let stores = pairs(&database, &["one", "two"]).await;
    for ((one, other), name) in stores.iter().zip(["Ada", "Bob"]) {
        assert_eq!(one.tenant(tenant(1)).await.unwrap(), None);
        assert_eq!(one.runs(tenant(1), RunQuery::default()).await.unwrap().data, []);
        assert_eq!(one.claim(claim_any(1), at(1)).await.unwrap().len(), 0);
        assert_eq!(one.entity(tenant(1), contact(1), At::NOW, at(1)).await.unwrap(), None);
        let new = NewTenant::new(tenant(1), "acme");
        one.create_tenant(new, at(0)).await.unwrap();
        let applied = one.apply(tenant(1), create(1, name), user(), at(1)).await.unwrap();
        assert_eq!(applied.tx_id, 1);
        one.enqueue(tenant(1), vec![new_run(1)], at(1)).await.unwrap();
        let list = other.list(tenant(1), ListQuery::new(worktruck_core::entity::Kind::Contact), at(2)).await.unwrap();
        assert_eq!(list.data[0].slice.body, Some(named(name)));
    }
    assert_eq!(database.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'worktruck'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_of_one_schema_are_woken_by_none_of_another() {
    let database = Database::fresh().await;
    // Names that are words of SQL, and two of the longest there are that differ in the last letter.
    let long = ["a", "b"].map(|end| format!("{}{end}", "x".repeat(62)));
    let stores = pairs(&database, &["user", "select", &long[0], &long[1]]).await;
    for (n, (sender, waiting)) in stores.iter().enumerate() {
        let others = || stores.iter().enumerate().filter(|(other, _)| *other != n).map(|(_, (one, two))| [one, two]);
        let marks = || join_all(others().flatten().map(|store| store.wait_for_work(0)));
        // The mark changes once when a store begins to listen.
        in_time("all listen", join_all(others().flatten().map(|store| store.wait_for_work(1)))).await;
        let before: Vec<u64> = marks().await.into_iter().map(Result::unwrap).collect();
        let own = waiting.wait_for_work(0).await.unwrap();
        let (woken, accepted) = in_time("a wake-up", async {
            tokio::join!(waiting.wait_for_work(own), sender.enqueue(tenant(1), vec![new_run(1)], at(1)))
        })
        .await;
        woken.unwrap();
        accepted.unwrap();
        let after: Vec<u64> = marks().await.into_iter().map(Result::unwrap).collect();
        assert_eq!(before, after);
        assert_eq!(waiting.claim(claim_any(9), at(1)).await.unwrap().len(), 1);
    }
}

#[test]
fn a_name_that_cannot_be_that_of_ones_own_schema_is_refused() {
    let options = PgOptions::parse("postgres://localhost/crm").unwrap();
    let long = "x".repeat(64);
    for name in ["", "Agents", "a b", "1a", "a\"b", "a,b", "$user", "é", &long, "pg_agents", "information_schema"] {
        let error = options.clone().with_schema(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name:?}");
    }
    for name in ["_a1", "pg", "public", &long[1..]] {
        assert_eq!(options.clone().with_schema(name).unwrap().schema(), name);
    }
}
