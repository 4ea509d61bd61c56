//! Opening a store: who may, who may at the same time, and what is said to those who may not.

use std::time::Duration;

use futures::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use worktruck_core::run::NewRun;
use worktruck_core::store::{EntityStore, NewTenant, RunStore, TenantStore};
use worktruck_core::temporal::At;
use worktruck_core::{Error, ErrorKind};
use worktruck_store_pg::{PgOptions, PgStore};

use crate::fixture::*;

const PASSWORD: &str = "corr3ct-h0rse";

async fn refused(url: &str) -> Error {
    refused_with(PgOptions::parse(url).expect("an address")).await
}

async fn refused_with(options: PgOptions) -> Error {
    in_time("an answer", PgStore::open_with(options)).await.expect_err("the store must not open")
}

fn says(error: &Error, kind: ErrorKind, sentence: &str) {
    assert_eq!(error.kind(), kind, "{}", error.chain());
    assert!(error.to_string().contains(sentence), "{}", error.chain());
    assert!(!format!("{error:?}{error}{}", error.chain()).contains(PASSWORD), "{error:?}");
}

/// The host and port of the server.
fn place(database: &Database) -> String {
    let url = database.url();
    let (_, rest) = url.rsplit_once('@').expect("an address with a user");
    rest.split_once('/').expect("an address with a database").0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_may_create_the_same_store_at_once() {
    let database = Database::fresh().await;
    let opened = in_time("all stores", join_all((0..32).map(|_| database.store()))).await;
    let writes = opened.iter().zip(1..).map(|(store, n)| store.apply(tenant(1), create(n, "Ada"), user(), at(1)));
    let numbers = join_all(writes).await.into_iter().map(|applied| applied.unwrap().tx_id);
    assert_eq!(numbers.max(), Some(32));
    join_all(opened.iter().map(PgStore::close)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_the_store_is_opened_again() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let new = NewTenant { id: tenant(1), slug: "acme".into(), name: Some("Acme".into()) };
    let made = store.create_tenant(new, at(0)).await.unwrap();
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    let lease = claimed(&store, tenant(1), 1).await.lease;
    store.close().await;
    for refused in [
        store.apply(tenant(1), create(2, "Bob"), user(), at(2)).await.map(drop),
        store.commit(&lease, commit(1, Vec::new()), at(2)).await.map(drop),
        store.entity(tenant(1), contact(1), At::NOW, at(2)).await.map(drop),
        store.wait_for_work(0).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
    }

    let store = database.store().await;
    assert_eq!(store.tenant(tenant(1)).await.unwrap(), Some(made));
    let ada = store.entity(tenant(1), contact(1), At::NOW, at(2)).await.unwrap().unwrap();
    assert_eq!(ada.slice.body, Some(named("Ada")));
    store.commit(&lease, commit(1, Vec::new()), at(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_used_is_named_with_what_to_do() {
    let database = Database::fresh().await;
    let (server, name) = (place(&database), database.name());
    let user = format!("u{name}");
    database.run(&format!("CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")).await;
    for (url, kind, sentence) in [
        (format!("postgres://{user}:{PASSWORD}@{server}/no_such"), ErrorKind::InvalidRequest, "no such database"),
        (format!("postgres://no_such_user:{PASSWORD}@{server}/{name}"), ErrorKind::InvalidRequest, "user and password"),
        (format!("postgres://{user}:{PASSWORD}@{server}/{name}"), ErrorKind::InvalidRequest, "grant it"),
        (format!("postgres://{user}:{PASSWORD}@127.0.0.1:1/{name}"), ErrorKind::Unavailable, "cannot be reached"),
        (format!("postgres://{user}:{PASSWORD}@no.such.host.invalid/{name}"), ErrorKind::Unavailable, "cannot be reached"),
    ] {
        let error = refused(&url).await;
        says(&error, kind, sentence);
        let place = url.rsplit_once('@').unwrap().1;
        let host = place.split_once(['/', ':']).unwrap().0;
        assert!(error.to_string().contains(host), "{error}");
    }

    // The owner of the database may give this user a schema of its own, and then it works.
    database.run(&format!("CREATE SCHEMA agents AUTHORIZATION {user}")).await;
    let url = format!("postgres://{user}:{PASSWORD}@{server}/{name}");
    let options = PgOptions::parse(&url).unwrap().with_schema("agents").unwrap();
    let store = database.open(options).await;
    store.apply(tenant(1), create(1, "Ada"), worktruck_core::store::Provenance::new("user:1", "edit"), at(1)).await.unwrap();
    assert!(!format!("{store:?}{:?}", store.options()).contains(PASSWORD));
    store.close().await;
    database.run(&format!("DROP OWNED BY {user} CASCADE")).await;
    database.run(&format!("DROP ROLE {user}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_room_for_a_connection_says_so() {
    let database = Database::fresh().await;
    let user = format!("u{}", database.name());
    database.run(&format!("CREATE ROLE {user} LOGIN CONNECTION LIMIT 0")).await;
    let error = refused(&format!("postgres://{user}@{}/{}", place(&database), database.name())).await;
    says(&error, ErrorKind::Unavailable, "too many connections");
    database.run(&format!("DROP ROLE {user}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_refused_and_later_named() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let lease = claimed(&store, tenant(1), 1).await.lease;
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    let read_only = |on| format!("ALTER DATABASE {} SET default_transaction_read_only = {on}", database.name());
    database.run(&read_only("on")).await;
    for options in [database.options(), database.options().without_migrations()] {
        says(&refused_with(options).await, ErrorKind::InvalidRequest, "takes no writes");
    }

    // The connections of the open store are made anew, as they are when a server becomes a standby.
    database.kill("TRUE").await;
    let run = new_run(2);
    let calls = || async {
        let first = tokio::join!(
            store.apply(tenant(1), create(2, "Bob"), user(), at(2)),
            store.commit(&lease, commit(1, Vec::new()), at(2)),
        );
        [
            first.0.map(drop),
            first.1.map(drop),
            store.enqueue(tenant(1), vec![NewRun { ..run.clone() }], at(2)).await.map(drop),
            store.renew(std::slice::from_ref(&lease), LEASE, at(2)).await.map(drop),
            store.purge(tenant(1), contact(1), user(), at(2)).await.map(drop),
        ]
    };
    // The first ones may still find the broken connections.
    drop(in_time("answers", calls()).await);
    drop(in_time("answers", calls()).await);
    for answer in in_time("answers", calls()).await {
        says(&answer.unwrap_err(), ErrorKind::Unavailable, "takes no writes");
    }
    let ada = store.entity(tenant(1), contact(1), At::NOW, at(2)).await.unwrap();
    assert!(ada.is_some(), "what can be read is read");

    let mut admin = sqlx::PgConnection::connect(&database.url_of("postgres")).await.unwrap();
    admin.execute(AssertSqlSafe(read_only("off"))).await.unwrap();
    database.kill("TRUE").await;
    drop(in_time("answers", calls()).await);
    drop(in_time("answers", calls()).await);
    store.commit(&lease, commit(1, Vec::new()), at(3)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schemas_of_one_database_are_two_stores() {
    let database = Database::fresh().await;
    let never = Duration::from_secs(3_600);
    let options = |schema: &str| database.options().with_schema(schema).unwrap().with_poll_interval(never);
    // The longest name there is, and names that are words of SQL.
    let long = "x".repeat(63);
    let stores = join_all(["one", "user", "select", &long].map(|schema| database.open(options(schema)))).await;
    let again = join_all(["one", "user", "select", &long].map(|schema| database.open(options(schema)))).await;
    for (n, store) in (0..).zip(&stores) {
        let others = stores.iter().enumerate().filter(|(other, _)| *other != n);
        let others: Vec<&PgStore> = others.map(|(_, store)| store).collect();
        let new = NewTenant { id: tenant(1), slug: "acme".into(), name: None };
        store.create_tenant(new, at(0)).await.unwrap();
        let name = format!("Ada {n}");
        store.apply(tenant(1), create(1, &name), user(), at(1)).await.unwrap();
        let seen = again[n].entity(tenant(1), contact(1), At::NOW, at(2)).await.unwrap().unwrap();
        assert_eq!(seen.slice.body, Some(named(&name)));

        // Their workers sleep on while one's own is woken.
        let marks = join_all(others.iter().map(|store| store.wait_for_work(0))).await;
        let own = again[n].wait_for_work(0).await.unwrap();
        let (woken, accepted) = in_time("a wake-up", async {
            tokio::join!(again[n].wait_for_work(own), store.enqueue(tenant(1), vec![new_run(1)], at(1)))
        })
        .await;
        (woken.unwrap(), accepted.unwrap());
        let after = join_all(others.iter().map(|store| store.wait_for_work(0))).await;
        for (before, after) in marks.into_iter().zip(after) {
            assert_eq!(before.unwrap(), after.unwrap());
        }
        assert_eq!(again[n].claim(claim_any(9), at(1)).await.unwrap().len(), 1);
    }
    let others = "SELECT count(*) FROM pg_namespace WHERE nspname = 'worktruck'";
    assert_eq!(database.count(others).await, 0);
}

#[test]
fn a_schema_that_is_not_ones_own_is_refused() {
    let options = PgOptions::parse("postgres://localhost/crm").unwrap();
    for schema in ["", "Agents", "a b", "1a", "a\"b", "a,b", "$user", &"x".repeat(64), "pg_agents", "information_schema"] {
        let error = options.clone().with_schema(schema).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{schema:?}");
    }
    assert_eq!(options.clone().with_schema("_a1").unwrap().schema(), "_a1");
}

#[test]
fn a_password_is_never_shown() {
    for url in [
        format!("postgres://ada:{PASSWORD}@localhost/crm"),
        format!("postgresql://localhost/crm?user=ada&password={PASSWORD}"),
    ] {
        let options = PgOptions::parse(&url).unwrap();
        assert!(!format!("{options:?} {options:#?}").contains(PASSWORD));
    }
    for url in [
        format!("postgres://ada:{PASSWORD}@localhost:port/crm"),
        format!("postgres://ada:{PASSWORD}@localhost/crm?sslmode={PASSWORD}"),
        format!("mysql://ada:{PASSWORD}@localhost/crm"),
        format!("postgres://ada:{PASSWORD}@"),
        format!("postgres:ada:{PASSWORD}"),
    ] {
        if let Err(error) = PgOptions::parse(&url) {
            says(&error, ErrorKind::InvalidRequest, "PostgreSQL store");
        }
    }
}
