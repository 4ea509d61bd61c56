//! What is said of a schema that is not as this software needs it.

use sqlx::Executor as _;
use worktruck_core::store::EntityStore;
use worktruck_core::{Error, ErrorKind};
use worktruck_store_pg::PgStore;

use crate::fixture::*;

async fn refused(database: &Database) -> Error {
    PgStore::open_with(database.options()).await.expect_err("the store must not open")
}

fn says(error: &Error, sentence: &str) {
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{}", error.chain());
    assert!(error.to_string().contains(sentence), "{}", error.chain());
}

/// A database with the tables of the store, which is closed.
async fn prepared() -> Database {
    let database = Database::fresh().await;
    database.store().await.close().await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_other_software_are_left_alone() {
    let database = Database::fresh().await;
    for (tables, sentence) in [
        // It has never been a store.
        ("CREATE TABLE worktruck.run (id integer)", "tables of another software"),
        // It keeps its own steps under the same name.
        ("CREATE TABLE worktruck.migration (name text)", "tables of another software"),
        (
            "CREATE TABLE worktruck.migration AS SELECT 'one' AS version, '' AS oldest, '' AS digest",
            "tables of another software",
        ),
    ] {
        database.run("CREATE SCHEMA worktruck").await;
        database.run(tables).await;
        says(&refused(&database).await, sentence);
        let made = "SELECT count(*) FROM pg_tables WHERE schemaname = 'worktruck'";
        assert_eq!(database.count(made).await, 1, "nothing was added");
        database.run("DROP SCHEMA worktruck CASCADE").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_with_tables_of_other_names_is_shared() {
    let database = Database::fresh().await;
    database.run("CREATE SCHEMA worktruck").await;
    database.run("CREATE TABLE worktruck.invoice (id integer)").await;
    let store = database.store().await;
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_were_changed_are_of_another_software() {
    let database = prepared().await;
    database.run("UPDATE migration SET digest = sha256('another') WHERE version = 2").await;
    says(&refused(&database).await, "tables of another software (at step 2)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_missing_in_between_is_no_schema_of_ours() {
    let database = prepared().await;
    database.run("DELETE FROM migration WHERE version = 2").await;
    says(&refused(&database).await, "tables of another software");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_is_caught_up_with_unless_it_must_stay() {
    let database = prepared().await;
    // As the first step left it.
    let mut connection = database.connect().await;
    let later = "SELECT format('DROP TABLE worktruck.%I CASCADE', tablename) FROM pg_tables
         WHERE schemaname = 'worktruck' AND tablename NOT IN ('tenant', 'tenant_head', 'migration')";
    let drops: Vec<String> = sqlx::query_scalar(later).fetch_all(&mut connection).await.unwrap();
    for drop in drops {
        connection.execute(sqlx::AssertSqlSafe(drop)).await.unwrap();
    }
    let functions = "DROP FUNCTION refuse_overlap, refuse_overlap_of_head, moment(bigint), moment(text), day, plain, present, texts";
    connection.execute(functions).await.unwrap();
    connection
        .execute("ALTER TABLE tenant DROP COLUMN retention_days, DROP COLUMN timezone, DROP COLUMN plan")
        .await
        .unwrap();
    connection.execute("ALTER TABLE tenant_head DROP COLUMN horizon, DROP COLUMN horizon_tx").await.unwrap();
    connection.execute("DELETE FROM migration WHERE version > 1").await.unwrap();

    let stay = PgStore::open_with(database.options().without_migrations()).await.unwrap_err();
    says(&stay, "is at version 1");
    says(&stay, "open it once with migrations allowed");
    let store = database.store().await;
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    store.close().await;
    let store = database.open(database.options().without_migrations()).await;
    assert_eq!(store.apply(tenant(1), create(2, "Bob"), user(), at(2)).await.unwrap().tx_id, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_where_migrations_are_not_allowed() {
    let database = Database::fresh().await;
    let error = PgStore::open_with(database.options().without_migrations()).await.unwrap_err();
    says(&error, "open it once with migrations allowed");
    assert_eq!(database.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'worktruck'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_used_while_it_says_that_it_may_be() {
    let database = prepared().await;
    let known = database.count("SELECT max(version) FROM migration").await;
    let newer = |oldest| {
        format!("INSERT INTO migration (version, oldest, digest) VALUES ({}, {oldest}, sha256('later'))", known + 1)
    };
    database.run(&newer(known)).await;
    for options in [database.options(), database.options().without_migrations()] {
        let store = database.open(options.without_notifications()).await;
        store
            .apply(tenant(1), create(1, "Ada"), user(), at(1))
            .await
            .map_or_else(|error| assert_eq!(error.kind(), ErrorKind::Conflict), drop);
        store.close().await;
    }

    database.run(&format!("DELETE FROM migration WHERE version > {known}")).await;
    database.run(&newer(known + 1)).await;
    let error = refused(&database).await;
    says(&error, &format!("was brought to version {} by newer software", known + 1));
    says(&error, "use the newer one");
}

/// Each of these statements makes two slices of one entity overlap, after what was there before.
#[tokio::test(flavor = "multi_thread")]
async fn slices_that_overlap_are_refused_whoever_writes_them() {
    let database = Database::fresh().await;
    let store = database.store().await;
    for n in 1..=4 {
        store.apply(tenant(1), create(n, "Ada"), user(), at(n.try_into().unwrap())).await.unwrap();
    }
    let slice = |n: u128, from: i64, to: i64| {
        format!(
            "INSERT INTO slice (tenant, id, kind, created_at, version, tx_id, sys_from, sys_to, valid_from, valid_to, carried,
                 scheduled, body, terms, sort)
             SELECT tenant, id, kind, created_at, 9, tx_id, sys_from, 9223372036854775807, valid_from + ({from}),
                 valid_from + ({to}), FALSE, FALSE, body, terms, sort
             FROM head WHERE id = '{}'",
            contact(n).id
        )
    };
    let id = |n: u128| contact(n).id;
    let head_again = format!(
        "WITH old AS (DELETE FROM head WHERE id = '{}' RETURNING *)
         INSERT INTO slice SELECT tenant, id, kind, created_at, version, tx_id, sys_from, 9223372036854775807, valid_from,
             valid_to, FALSE, FALSE, body, terms, sort FROM old",
        id(3)
    );
    let ways = [
        // A slice over a slice.
        (vec![slice(1, -20, -10)], slice(1, -15, -5)),
        // A slice over the head.
        (Vec::new(), slice(2, -5, 5)),
        // The head over a slice.
        (
            vec![head_again],
            format!(
                "INSERT INTO head SELECT tenant, id, kind, created_at, 9, 9, tx_id, sys_from, valid_from + 5, valid_to, FALSE,
                     body, terms, sort, '{{}}' FROM slice WHERE id = '{}'",
                id(3)
            ),
        ),
        // The head, moved over a slice.
        (vec![slice(4, -20, -10)], format!("UPDATE head SET valid_from = valid_from - 15 WHERE id = '{}'", id(4))),
    ];
    let mut connection = database.connect().await;
    for (before, overlapping) in ways {
        for sql in before {
            connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("no overlap yet");
        }
        let refused = connection.execute(sqlx::AssertSqlSafe(overlapping.clone())).await.expect_err(&overlapping);
        let refused = refused.into_database_error().expect("an answer of the server");
        assert_eq!(refused.code().as_deref(), Some("23P01"), "{overlapping}: {refused}");
    }
}
