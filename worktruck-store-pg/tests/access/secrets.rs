//! Two tenants whose every row says whose it is, and what a role may find out about the other one.

use std::time::Duration;

use serde_json::json;
use worktruck_core::entity::Kind;
use worktruck_core::run::{Signal, Transition};
use worktruck_core::store::{
    ApiKey, ApiKeyStore as _, AuditEntry, DataKey, EntityStore as _, Environment, NewApiKey, NewRequest, Provenance,
    Quota, RequestStore as _, RetentionStore as _, RunStore as _, SealedSecret, SecretName, SecretStore as _, UsageDay,
    UsageStore as _,
};
use worktruck_core::{ApiKeyId, Digest, TenantId};
use worktruck_store_pg::PgStore;

use crate::deeds::{at, claim, commit, delete, enqueue, finished, new_key, new_run, put, put_valid, tenant};
use crate::place::{Place, Role, Session};
use crate::samples::{full, view_of};

/// A store with the rows of two tenants in every table.
pub(crate) struct Secrets {
    pub place: Place,
    pub(crate) alpha: TenantId,
    pub(crate) beta: TenantId,
}

impl Secrets {
    pub(crate) async fn fresh() -> Self {
        let place = Place::fresh().await;
        let alpha = busy_tenant(&place, "alpha").await;
        let beta = busy_tenant(&place, "beta").await;
        place.owner().await.run("ANALYZE").await;
        Self { place, alpha, beta }
    }

    /// A role that reads the tenant alpha.
    pub(crate) async fn reader(&self) -> Role {
        let role = self.place.role("").await;
        self.place.store.let_read(&role.name, self.alpha).await.expect("the role is let read");
        role
    }

    /// All tables and views of the schema that a reader may have rows of, with the column that says whose a
    /// row is.
    pub(crate) async fn relations(&self) -> Vec<(String, String)> {
        let mut owner = self.place.owner().await;
        let names = owner
            .texts(
                "SELECT c.relname || ' ' || coalesce((
                     SELECT a.attname FROM pg_attribute a
                     WHERE a.attrelid = c.oid AND a.attname IN ('tenant', 'tenant_id')), 'id')
                 FROM pg_class c WHERE c.relnamespace = 'worktruck'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                     AND c.relname NOT IN ('migration', 'data_key', 'secret', 'api_key', 'request') ORDER BY 1",
            )
            .await;
        let pair = |name: &String| name.split_once(' ').map(|(name, column)| (name.to_owned(), column.to_owned()));
        let found: Vec<_> = names.iter().filter_map(pair).collect();
        assert!(found.len() > 20, "{found:?}");
        found
    }
}

/// A tenant with something in every table, its name in all of it.
async fn busy_tenant(place: &Place, name: &str) -> TenantId {
    let store = &place.store;
    let id = tenant(store, name).await;
    let secret = format!("{name}-secret");
    let contact = new_key(Kind::Contact);
    let channel = json!({ "id": uuid::Uuid::new_v4(), "type": "email", "value": format!("{secret}@example.org"),
        "canonical_value": format!("{secret}@example.org") });
    let body = json!({ "display_name": secret, "tags": [secret], "channels": [channel] });
    put(store, id, contact, body, at(1)).await;
    put(store, id, contact, json!({ "display_name": secret, "bio": secret, "tags": [secret] }), at(2)).await;
    let later = json!({ "display_name": format!("{secret} later") });
    put_valid(store, id, contact, later, (at(4_000_000_000), None), at(3)).await;
    for kind in Kind::ALL.iter().copied().filter(|kind| view_of(*kind).is_some()) {
        put(store, id, new_key(kind), full(kind, &secret), at(5)).await;
    }
    let (gone, erased) = (new_key(Kind::Contact), new_key(Kind::Contact));
    for key in [gone, erased] {
        put(store, id, key, json!({ "display_name": secret }), at(6)).await;
    }
    delete(store, id, gone, at(7)).await;
    let provenance = Provenance::new(&secret, "user_edit");
    store.purge(id, erased, provenance, at(8)).await.expect("a contact is erased");
    let input = json!({ "secret": secret });
    let mut keyed = new_run(input.clone());
    keyed.idempotency_key = Some(secret.clone());
    let long = format!("{secret} ").repeat(5_000);
    finished(store, id, keyed, vec![json!(secret), json!(long)], at(10)).await;
    let live = enqueue(store, id, new_run(input.clone()), at(11)).await;
    let live = claim(store, &live, at(12)).await;
    commit(store, &live, vec![json!(secret)], Transition::Continue, at(13)).await;
    let webhook = json!({ "url": format!("https://{secret}.example/"), "events": ["run.cancelled"] });
    put(store, id, new_key(Kind::Webhook), webhook, at(14)).await;
    let cancelled = enqueue(store, id, new_run(input.clone()), at(14)).await;
    store
        .signal(id, cancelled.id, Signal::Cancel { actor: Some(secret.clone()) }, at(15))
        .await
        .expect("a run is cancelled");
    enqueue(store, id, new_run(input), at(16)).await;
    store.expire(id, at(1), 1, at(17)).await.expect("nothing is so old");
    let key = DataKey { number: 1, wrapped_by: secret.clone(), wrapped: secret.clone().into_bytes(), made_at: at(18) };
    store.add_data_key(id, key).await.expect("a data key is added");
    let name = SecretName::new("integration_key", &secret);
    let sealed = SealedSecret { name, key: 1, sealed: secret.clone().into_bytes(), sealed_at: at(19) };
    store.put_secret(id, sealed).await.expect("a value is kept");
    serve(store, id, &secret).await;
    id
}

/// What a service keeps of a tenant.
async fn serve(store: &PgStore, id: TenantId, secret: &str) {
    let key = ApiKey {
        id: ApiKeyId::from_uuid(uuid::Uuid::new_v4()),
        tenant_id: id,
        sees: id,
        name: secret.to_owned(),
        environment: Environment::Live,
        scopes: None,
        key_hint: secret.to_owned(),
        created_at: at(20),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let hash = Digest::of_bytes(secret.as_bytes());
    let entry = AuditEntry::new(secret, "api_key.created");
    store.add_api_key(NewApiKey { key, hash }, entry).await.expect("a key is added");
    let request = NewRequest { key: secret.to_owned(), digest: hash, attempt: uuid::Uuid::new_v4() };
    store.begin_request(id, request, Duration::from_secs(60), at(21)).await.expect("a request begins");
    let day = UsageDay::none(chrono::NaiveDate::default());
    store.add_usage(vec![(id, day)]).await.expect("usage is added");
    let quota = Quota { window: Duration::from_secs(60), limit: 30 };
    store.take_quota(id, &[quota], 1, at(22)).await.expect("a share is taken");
}

#[tokio::test]
async fn every_table_of_tenants_has_a_policy_and_every_view_the_rights_of_who_asks() {
    let place = Place::fresh().await;
    let mut owner = place.owner().await;
    let of_schema = "relnamespace = 'worktruck'::regnamespace";
    let open = format!(
        "SELECT relname::text FROM pg_class WHERE {of_schema} AND relkind IN ('r', 'p') AND NOT relrowsecurity"
    );
    assert_eq!(owner.texts(&open).await, [""; 0], "tables without row-level security");
    let unruled = format!(
        "SELECT relname::text FROM pg_class c WHERE {of_schema} AND relkind IN ('r', 'p') AND relname <> 'migration'
             AND NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid)"
    );
    assert_eq!(owner.texts(&unruled).await, [""; 0], "tables without a policy");
    let writable = "SELECT tablename || '.' || policyname FROM pg_policies WHERE schemaname = 'worktruck'
        AND (cmd <> 'SELECT' OR permissive <> 'PERMISSIVE' OR roles <> '{public}')";
    assert_eq!(owner.texts(writable).await, [""; 0], "policies for more than reading");
    let definer = format!(
        "SELECT relname::text FROM pg_class WHERE {of_schema} AND relkind IN ('v', 'm', 'f')
             AND NOT coalesce('security_invoker=true' = ANY (reloptions), FALSE)"
    );
    assert_eq!(owner.texts(&definer).await, [""; 0], "views with the rights of their owner");
    let functions = "SELECT proname::text FROM pg_proc WHERE pronamespace = 'worktruck'::regnamespace AND prosecdef";
    assert_eq!(owner.texts(functions).await, [""; 0], "functions with the rights of their owner");
    let sequences = format!("SELECT relname::text FROM pg_class WHERE {of_schema} AND relkind = 'S'");
    assert_eq!(owner.texts(&sequences).await, [""; 0], "sequences, which count over all tenants");
}

#[tokio::test]
async fn a_reader_sees_its_tenant_and_no_other_in_every_table_and_view() {
    let secrets = Secrets::fresh().await;
    let (alpha, beta) = (secrets.alpha, secrets.beta);
    let role = secrets.reader().await;
    let mut owner = secrets.place.owner().await;
    // As somebody careless would.
    owner.run(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA worktruck TO {}", role.quoted())).await;
    let mut reader = role.log_in().await;
    for (name, column) in secrets.relations().await {
        let all = format!("SELECT count(*) FROM {name}");
        let of = |tenant| format!("{all} WHERE {column} = '{tenant}'");
        let own = owner.count(&of(alpha)).await;
        assert!(own > 0, "{name} has nothing of the tenant that is read: the test must fill it");
        if name != "reader" {
            assert!(owner.count(&of(beta)).await > 0, "{name} has nothing of the other tenant: the test must fill it");
        }
        assert_eq!(reader.count(&all).await, own, "{name}");
        assert_eq!(reader.count(&of(beta)).await, 0, "{name}");
        let seen = reader.texts(&format!("SELECT t::text FROM {name} t")).await.join("\n");
        assert!(!seen.contains("beta") && !seen.contains(&beta.to_string()), "{name}: {seen}");
    }
    assert_eq!(reader.count("SELECT count(*) FROM migration").await, 0);
}

#[tokio::test]
async fn a_role_that_was_granted_everything_and_has_no_tenant_reads_nothing_and_writes_nothing() {
    let secrets = Secrets::fresh().await;
    let stranger = secrets.place.role("").await;
    let reader = secrets.reader().await;
    let mut owner = secrets.place.owner().await;
    for role in [&stranger, &reader] {
        owner.run(&format!("GRANT USAGE ON SCHEMA worktruck TO {}", role.quoted())).await;
        let rights = "SELECT, INSERT, UPDATE, DELETE";
        owner.run(&format!("GRANT {rights} ON ALL TABLES IN SCHEMA worktruck TO {}", role.quoted())).await;
    }
    let relations = secrets.relations().await;
    let mut session = stranger.log_in().await;
    for (name, _) in &relations {
        assert_eq!(session.count(&format!("SELECT count(*) FROM {name}")).await, 0, "{name}");
    }
    let mut session = reader.log_in().await;
    let tables = owner.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'worktruck'").await;
    for (table, column) in relations.iter().filter(|(name, _)| tables.contains(name)) {
        let copy = format!("INSERT INTO {table} SELECT * FROM {table} LIMIT 1");
        assert_eq!(session.refused(&copy).await, "42501", "{copy}");
        for change in [format!("UPDATE {table} SET {column} = {column}"), format!("DELETE FROM {table}")] {
            assert_eq!(session.try_run(&change).await.expect("it changes nothing"), 0, "{change}");
        }
    }
}

#[tokio::test]
async fn what_is_sealed_is_for_no_reader_whatever_it_was_granted() {
    let secrets = Secrets::fresh().await;
    let role = secrets.reader().await;
    let (mut owner, mut reader) = (secrets.place.owner().await, role.log_in().await);
    for table in ["data_key", "secret", "api_key", "request"] {
        assert_eq!(owner.count(&format!("SELECT count(*) FROM {table}")).await, 2, "the test must fill {table}");
        assert_eq!(reader.refused(&format!("SELECT count(*) FROM {table}")).await, "42501", "{table}");
    }
    // As somebody careless would.
    owner.run(&format!("GRANT ALL ON ALL TABLES IN SCHEMA worktruck TO {}", role.quoted())).await;
    for table in ["data_key", "secret", "api_key", "request"] {
        assert_eq!(reader.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        assert_eq!(reader.texts(&format!("SELECT t::text FROM {table} t")).await, [""; 0], "{table}");
        for change in [format!("UPDATE {table} SET tenant = tenant"), format!("DELETE FROM {table}")] {
            assert_eq!(reader.try_run(&change).await.expect("it changes nothing"), 0, "{change}");
        }
    }
    let key = format!("INSERT INTO data_key VALUES ('{}', 2, 'x', 'x', 0)", secrets.alpha);
    assert_eq!(reader.refused(&key).await, "42501");
    assert_eq!(owner.count("SELECT count(*) FROM secret").await, 2, "nothing was changed");
}

#[tokio::test]
async fn nothing_that_a_session_can_set_or_make_opens_another_tenant() {
    let secrets = Secrets::fresh().await;
    let role = secrets.reader().await;
    let (alpha, beta) = (secrets.alpha, secrets.beta);
    let mut reader = role.log_in().await;
    let own = reader.count("SELECT count(*) FROM head").await;
    for setting in ["tenant", "tenant_id", "current_tenant", "reading"] {
        reader.run(&format!("SELECT set_config('worktruck.{setting}', '{beta}', FALSE)")).await;
    }
    // Names of its own before those of the schema.
    reader
        .run(&format!(
            "CREATE TEMP TABLE reader (role oid, name text, tenant uuid);
             INSERT INTO reader SELECT quote_ident(current_user)::regrole, current_user, '{beta}';
             CREATE FUNCTION pg_temp.reading() RETURNS uuid LANGUAGE sql AS $$ SELECT '{beta}'::uuid $$;
             CREATE FUNCTION pg_temp.quote_ident(text) RETURNS text LANGUAGE sql AS $$ SELECT 'postgres' $$;
             SET search_path = pg_temp, worktruck, pg_catalog"
        ))
        .await;
    assert_eq!(reader.count("SELECT count(*) FROM worktruck.head").await, own);
    assert_eq!(reader.texts("SELECT DISTINCT tenant::text FROM worktruck.head").await, [alpha.to_string()]);
    // A new session: what is temporary has done its work.
    let mut reader = role.log_in().await;
    reader.run("SET row_security = off").await;
    assert_eq!(reader.refused("SELECT count(*) FROM head").await, "42501");
    for escape in
        ["SET ROLE postgres", "SET SESSION AUTHORIZATION postgres", "ALTER TABLE head DISABLE ROW LEVEL SECURITY"]
    {
        assert_eq!(reader.refused(escape).await, "42501", "{escape}");
    }
}

#[tokio::test]
async fn a_function_of_the_readers_is_called_with_rows_of_its_tenant_only() {
    let secrets = Secrets::fresh().await;
    let role = secrets.reader().await;
    let mut owner = secrets.place.owner().await;
    owner.run(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA worktruck TO {}", role.quoted())).await;
    let mut reader = role.log_in().await;
    // Cheap, so that the planner would like to call it before all else.
    reader
        .run(
            "CREATE FUNCTION pg_temp.spy(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN
                 PERFORM set_config('spy.seen', coalesce(current_setting('spy.seen', TRUE), '') || value, FALSE);
                 RETURN TRUE;
             END $$",
        )
        .await;
    for (name, _) in secrets.relations().await {
        reader.run("SELECT set_config('spy.seen', '', FALSE)").await;
        reader.run(&format!("SELECT count(*) FROM {name} t WHERE pg_temp.spy(t::text)")).await;
        let seen = reader.texts("SELECT current_setting('spy.seen')").await.concat();
        assert!(seen.contains(&secrets.alpha.to_string()), "{name}: the function was not called: {seen}");
        assert!(!seen.contains("beta") && !seen.contains(&secrets.beta.to_string()), "{name}: {seen}");
    }
}

#[tokio::test]
async fn statistics_and_the_tables_that_entities_are_found_by_are_closed() {
    let secrets = Secrets::fresh().await;
    let role = secrets.reader().await;
    let mut reader = role.log_in().await;
    let of_schema = "schemaname = 'worktruck'";
    assert!(secrets.place.owner().await.count(&format!("SELECT count(*) FROM pg_stats WHERE {of_schema}")).await > 50);
    // The views of the system have none of tables whose rows are hidden.
    assert_eq!(reader.count(&format!("SELECT count(*) FROM pg_stats WHERE {of_schema}")).await, 0);
    assert_eq!(reader.refused("SELECT * FROM pg_statistic").await, "42501");
    // EXPLAIN estimates from what all tenants have: it is for those who may read the table.
    for closed in
        ["term", "sort_key", "search", "tenant", "idempotency", "erased", "open_call", "turn", "removal", "delivery"]
    {
        assert_eq!(reader.refused(&format!("EXPLAIN SELECT * FROM {closed}")).await, "42501", "{closed}");
    }
}

#[tokio::test]
async fn no_plan_of_the_owner_has_a_policy_in_it() {
    let secrets = Secrets::fresh().await;
    let role = secrets.reader().await;
    let mut owner = secrets.place.owner().await;
    owner.run(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA worktruck TO {}", role.quoted())).await;
    let mut reader = role.log_in().await;
    for (name, column) in secrets.relations().await {
        let query = format!("SELECT * FROM {name} WHERE {column} = '{}'", secrets.alpha);
        let is_bound = |plan: &str| plan.contains("reading()") || plan.contains("CURRENT_USER");
        assert!(!is_bound(&owner.plan(&query).await), "{name}: {}", owner.plan(&query).await);
        assert!(is_bound(&reader.plan(&query).await), "{name}: {}", reader.plan(&query).await);
    }
    session_uses_the_key(&mut reader).await;
}

/// The tenant of a policy is a key of indexes: a reader reads no table whole.
async fn session_uses_the_key(reader: &mut Session) {
    reader.run("SET enable_seqscan = off").await;
    let plan = reader.plan(&format!("SELECT * FROM run WHERE id = '{}'", uuid::Uuid::nil())).await;
    let keys = plan.lines().find_map(|line| line.trim().strip_prefix("Index Cond: "));
    // What stands for the policy's tenant differs from release to release.
    assert!(keys.is_some_and(|keys| keys.contains("(run.tenant = ") && keys.contains("(run.id = ")), "{plan}");
}
