//! Roles that are let read a tenant, and no longer.

use worktruck_core::entity::Kind;
use worktruck_core::{ErrorKind, Result, TenantId};
use worktruck_store_pg::{PgOptions, PgStore};

use serde_json::json;

use crate::deeds::{at, new_key, put, tenant};
use crate::place::{Place, Role};

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T>, kind: ErrorKind, says: &str) {
    let error = answer.expect_err("it must be refused");
    assert_eq!(error.kind(), kind, "{}", error.chain());
    assert!(error.to_string().contains(says), "{error}");
}

/// A store with a contact of each of two tenants.
async fn two_tenants() -> (Place, TenantId, TenantId) {
    let place = Place::fresh().await;
    let (ada, bob) = (tenant(&place.store, "ada").await, tenant(&place.store, "bob").await);
    for (tenant, name) in [(ada, "Ada"), (bob, "Bob")] {
        put(&place.store, tenant, new_key(Kind::Contact), json!({ "display_name": name }), at(1)).await;
    }
    (place, ada, bob)
}

const NAMES: &str = "SELECT display_name FROM worktruck.contacts";

#[tokio::test]
async fn a_role_reads_from_when_it_is_let_until_it_is_stopped() {
    let (place, ada, bob) = two_tenants().await;
    let role = place.role("").await;
    let mut session = role.log_in().await;
    assert_eq!(session.refused(NAMES).await, "42501");

    place.store.let_read(&role.name, ada).await.unwrap();
    place.store.let_read(&role.name, ada).await.unwrap();
    assert_eq!(session.texts(NAMES).await, ["Ada"]);
    assert_refused(place.store.let_read(&role.name, bob).await, ErrorKind::Conflict, "reads another tenant");
    assert_eq!(session.texts(NAMES).await, ["Ada"]);

    place.store.stop_reading(&role.name).await.unwrap();
    assert_eq!(session.refused(NAMES).await, "42501");
    assert_refused(place.store.stop_reading(&role.name).await, ErrorKind::NotFound, "among those that read");
    place.store.let_read(&role.name, bob).await.unwrap();
    assert_eq!(session.texts(NAMES).await, ["Bob"]);

    // Nothing keeps it from being dropped.
    place.store.stop_reading(&role.name).await.unwrap();
    session.close().await;
    place.owner().await.run(&format!("DROP ROLE {}", role.quoted())).await;
}

#[tokio::test]
async fn a_role_of_the_same_name_made_later_reads_nothing() {
    let (place, ada, bob) = two_tenants().await;
    let role = place.role("").await;
    place.store.let_read(&role.name, ada).await.unwrap();
    let mut owner = place.owner().await;
    let name = role.quoted();
    owner.run(&format!("DROP OWNED BY {name}; DROP ROLE {name}; CREATE ROLE {name} LOGIN")).await;
    owner.run(&format!("GRANT USAGE ON SCHEMA worktruck TO {name}")).await;
    owner.run(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA worktruck TO {name}")).await;
    let mut session = role.log_in().await;
    assert_eq!(session.texts(NAMES).await, [""; 0]);
    // It is another one, and may be let read another tenant.
    place.store.let_read(&role.name, bob).await.unwrap();
    assert_eq!(session.texts(NAMES).await, ["Bob"]);
    // One that is gone is forgotten.
    session.close().await;
    owner.run(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await;
    place.store.stop_reading(&role.name).await.unwrap();
}

#[tokio::test]
async fn roles_that_no_policy_binds_are_refused() {
    let (place, ada, _) = two_tenants().await;
    for attributes in ["SUPERUSER", "BYPASSRLS", "CREATEROLE", "IN ROLE postgres", "NOINHERIT IN ROLE postgres"] {
        let role = place.role(attributes).await;
        let answer = place.store.let_read(&role.name, ada).await;
        assert_refused(answer, ErrorKind::InvalidRequest, "would see every tenant");
    }
    let role = place.role("").await;
    let nobody = TenantId::from_uuid(uuid::Uuid::nil());
    assert_refused(place.store.let_read(&role.name, nobody).await, ErrorKind::NotFound, "tenant");
    assert_refused(place.store.let_read("nobody at all", ada).await, ErrorKind::NotFound, "CREATE ROLE");
    let mut session = role.log_in().await;
    assert_eq!(session.refused(NAMES).await, "42501", "what is refused leaves nothing behind");
}

#[tokio::test]
async fn a_member_of_a_reader_reads_only_as_the_reader() {
    let (place, ada, _) = two_tenants().await;
    let reader = place.role("").await;
    place.store.let_read(&reader.name, ada).await.unwrap();
    let member = place.role(&format!("IN ROLE {}", reader.quoted())).await;
    let mut session = member.log_in().await;
    assert_eq!(session.texts(NAMES).await, [""; 0]);
    session.run(&format!("SET ROLE {}", reader.quoted())).await;
    assert_eq!(session.texts(NAMES).await, ["Ada"]);
}

#[tokio::test]
async fn many_roles_are_let_read_at_the_same_time() {
    let (place, ada, bob) = two_tenants().await;
    let mut roles: Vec<(Role, TenantId)> = Vec::new();
    for n in 0..8 {
        roles.push((place.role("").await, if n % 2 == 0 { ada } else { bob }));
    }
    let let_all = roles.iter().map(|(role, tenant)| place.store.let_read(&role.name, *tenant));
    for answer in futures::future::join_all(let_all).await {
        answer.unwrap();
    }
    for (role, tenant) in &roles {
        let expected = if *tenant == ada { "Ada" } else { "Bob" };
        assert_eq!(role.log_in().await.texts(NAMES).await, [expected]);
    }
}

#[tokio::test]
async fn what_a_new_version_adds_is_open_to_those_who_read_already() {
    let (place, ada, _) = two_tenants().await;
    let role = place.role("").await;
    place.store.let_read(&role.name, ada).await.unwrap();
    let mut session = role.log_in().await;
    assert_eq!(session.texts(NAMES).await, ["Ada"]);
    // As it was before there were views.
    place
        .owner()
        .await
        .run(
            "DROP FUNCTION moment(bigint), moment(text), day, present, plain, texts CASCADE;
             DELETE FROM migration WHERE version = 5",
        )
        .await;
    assert_eq!(session.refused(NAMES).await, "42P01");
    PgStore::open(place.url()).await.unwrap();
    assert_eq!(session.texts(NAMES).await, ["Ada"]);
}

#[tokio::test]
async fn a_store_whose_role_is_bound_by_policies_does_not_open() {
    let (place, ..) = two_tenants().await;
    let role = place.role("").await;
    let mut owner = place.owner().await;
    owner.run(&format!("GRANT USAGE ON SCHEMA worktruck TO {}", role.quoted())).await;
    owner.run(&format!("GRANT ALL ON ALL TABLES IN SCHEMA worktruck TO {}", role.quoted())).await;
    let user = role.name.replace(' ', "%20").replace('"', "%22");
    let url = place.url().replacen("postgres@", &format!("{user}@"), 1);
    assert_ne!(url, place.url());
    let options = PgOptions::parse(&url).unwrap().without_migrations();
    assert_refused(PgStore::open_with(options).await, ErrorKind::InvalidRequest, "does not own the tables");
    owner.run(&format!("GRANT postgres TO {}", role.quoted())).await;
    PgStore::open_with(PgOptions::parse(&url).unwrap().without_migrations()).await.unwrap();
}
