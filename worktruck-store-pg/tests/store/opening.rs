//! Opening a store: who may, who may at the same time, and what is said to those who may not.

use futures::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use worktruck_core::run::Signal;
use worktruck_core::store::{EntityStore, NewTenant, RunStore, TenantStore};
use worktruck_core::temporal::At;
use worktruck_core::{Error, ErrorKind};
use worktruck_store_pg::testing::{Cluster, ClusterOptions};
use worktruck_store_pg::{PgOptions, PgStore};

use crate::fixture::*;

const PASSWORD: &str = "corr3ct-h0rse";

async fn refused(options: PgOptions) -> Error {
    let opened = in_time("an answer", PgStore::open_with(options)).await;
    opened.map(drop).expect_err("the store must not open")
}

fn says(error: &Error, kind: ErrorKind, sentence: &str) {
    assert_eq!(error.kind(), kind, "{}", error.chain());
    assert!(error.to_string().contains(sentence), "{}", error.chain());
    assert!(!format!("{error:?}{error}{}", error.chain()).contains(PASSWORD), "{error:?}");
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
    let store = database.open(database.options()).await;
    let new = NewTenant { name: Some("Acme".into()), ..NewTenant::new(tenant(1), "acme") };
    let made = store.create_tenant(new, at(0)).await.unwrap();
    let lease = claimed(&store, tenant(1), 1).await.lease;
    // What is under way when the store is closed is done.
    let (applied, ()) = tokio::join!(store.apply(tenant(1), create(1, "Ada"), user(), at(1)), store.close());
    assert!(applied.is_ok_and(|applied| applied.tx_id == 1));
    for refused in [
        store.apply(tenant(1), create(2, "Bob"), user(), at(2)).await.map(drop),
        store.commit(&lease, commit(1, Vec::new()), at(2)).await.map(drop),
        store.entity(tenant(1), contact(1), At::NOW, at(2)).await.map(drop),
        store.claim(claim_any(1), at(2)).await.map(drop),
        store.wait_for_work(0).await.map(drop),
    ] {
        says(&refused.unwrap_err(), ErrorKind::Unavailable, "");
    }
    store.close().await;

    let store = database.store().await;
    assert_eq!(store.tenant(tenant(1)).await.unwrap(), Some(made));
    let ada = store.entity(tenant(1), contact(1), At::NOW, at(2)).await.unwrap().unwrap();
    assert_eq!(ada.slice.body, Some(named("Ada")));
    store.commit(&lease, commit(1, Vec::new()), at(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_used_is_named_with_what_to_do() {
    let cluster = Cluster::start(&ClusterOptions::new()).unwrap();
    let socket = cluster.socket_folder();
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    for statement in [
        format!("CREATE ROLE agents LOGIN PASSWORD '{PASSWORD}'"),
        "CREATE ROLE many LOGIN CONNECTION LIMIT 0".into(),
        "CREATE DATABASE crm".into(),
    ] {
        admin.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    let rules = "local all agents scram-sha-256\nlocal all all trust\n";
    std::fs::write(socket.join("data/pg_hba.conf"), rules).unwrap();
    admin.execute("SELECT pg_reload_conf()").await.unwrap();

    let at_socket =
        |user: &str, database: &str| format!("postgres://{user}@localhost:5432/{database}?host={}", socket.display());
    let agents = format!("agents:{PASSWORD}");
    let (bad, gone) = (ErrorKind::InvalidRequest, ErrorKind::Unavailable);
    for (url, kind, sentence) in [
        (at_socket(&agents, "no_such"), bad, "there is no such database"),
        (at_socket(&agents, "crm"), bad, "grant it"),
        (at_socket(&format!("agents:{PASSWORD}!"), "crm"), bad, "does not accept this user and password"),
        (at_socket("agents", "crm"), bad, "does not accept this user and password"),
        (at_socket("nobody", "crm"), bad, "does not accept this user and password"),
        (at_socket("many", "crm"), gone, "too many connections"),
        (format!("postgres://{agents}@localhost/crm?host=/no/such/folder"), gone, "cannot be reached"),
        (format!("postgres://{agents}@127.0.0.1:1/crm"), gone, "cannot be reached"),
        (format!("postgres://{agents}@no.such.host.invalid/crm"), gone, "cannot be reached"),
    ] {
        let error = refused(PgOptions::parse(&url).unwrap()).await;
        says(&error, kind, sentence);
        let database = if url.contains("no_such") { "no_such at " } else { "crm at " };
        assert!(error.to_string().contains(database), "{error}");
    }

    // A schema of its own is enough.
    let mut crm = PgConnection::connect(&cluster.url("crm")).await.unwrap();
    crm.execute("CREATE SCHEMA own AUTHORIZATION agents").await.unwrap();
    let options = PgOptions::parse(&at_socket(&agents, "crm")).unwrap().with_schema("own").unwrap();
    let store = PgStore::open_with(options).await.unwrap();
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    assert!(!format!("{store:?}{:?}", store.options()).contains(PASSWORD));
    crm.execute("REVOKE ALL ON ALL TABLES IN SCHEMA own FROM agents").await.unwrap();
    let denied = store.tenant(tenant(1)).await.unwrap_err();
    says(&denied, bad, "this user may not do it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused_and_a_primary_that_becomes_one_is_named() {
    let cluster = Cluster::start(&ClusterOptions::new()).unwrap();
    let options = || PgOptions::parse(&cluster.url("postgres")).unwrap().without_notifications();
    let store = PgStore::open_with(options()).await.unwrap();
    let lease = claimed(&store, tenant(1), 1).await.lease;
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    store.enqueue(tenant(1), vec![new_run(2)], at(1)).await.unwrap();
    let standby = cluster.socket_folder().join("data/standby.signal");
    cluster.stop_immediate().unwrap();
    std::fs::write(&standby, "").unwrap();
    cluster.start_again().unwrap();

    for options in [options(), options().without_migrations()] {
        says(&refused(options).await, ErrorKind::InvalidRequest, "takes no writes, as a standby does");
    }
    let calls = async || {
        [
            store.apply(tenant(1), create(2, "Bob"), user(), at(2)).await.map(drop),
            store.purge(tenant(1), contact(1), user(), at(2)).await,
            store.commit(&lease, commit(1, Vec::new()), at(2)).await.map(drop),
            store.enqueue(tenant(1), vec![new_run(3)], at(2)).await.map(drop),
            store.claim(claim_any(1), at(2)).await.map(drop),
            store.renew(std::slice::from_ref(&lease), LEASE, at(2)).await.map(drop),
            store.signal(tenant(1), run_id(2), Signal::Cancel { actor: None }, at(2)).await.map(drop),
        ]
    };
    // The first calls may find the connections of before.
    drop(in_time("answers", calls()).await);
    for answer in in_time("answers", calls()).await {
        says(&answer.unwrap_err(), ErrorKind::Unavailable, "takes no writes, as a standby does");
    }
    let ada = store.entity(tenant(1), contact(1), At::NOW, at(2)).await.unwrap();
    assert!(ada.is_some(), "what can be read is read");

    std::fs::remove_file(&standby).unwrap();
    cluster.restart_immediate().unwrap();
    drop(in_time("answers", calls()).await);
    assert_eq!(store.apply(tenant(1), create(3, "Eve"), user(), at(3)).await.unwrap().versions, [(contact(3), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_is_refused() {
    let database = Database::fresh().await;
    let fresh = Database::fresh().await;
    database.store().await.close().await;
    for database in [&database, &fresh] {
        database.set("default_transaction_read_only = on").await;
        for options in [database.options(), database.options().without_migrations()] {
            says(&refused(options).await, ErrorKind::InvalidRequest, "takes no writes");
        }
    }
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
        format!("postgres:ada:{PASSWORD}"),
    ] {
        says(&PgOptions::parse(&url).unwrap_err(), ErrorKind::InvalidRequest, "PostgreSQL store");
    }
}
