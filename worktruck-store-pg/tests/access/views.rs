//! The views say what the ports say.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use worktruck_core::Timestamp;
use worktruck_core::entity::Kind;
use worktruck_core::run::{NewRun, Signal, Transition};
use worktruck_core::store::{EntityKey, EntityStore as _, RunStore as _};
use worktruck_core::temporal::At;

use crate::deeds::{at, claim, commit, delete, enqueue, events, finished, new_key, new_run, put, put_valid, tenant};
use crate::place::{Place, Session};
use crate::samples::{fields, full, least, typed, view_of};

/// Asserts that each member of `resource` is a column of `row` with the same value. A column for
/// which it has no member is empty.
#[track_caller]
fn assert_same(row: &Value, resource: &Value) {
    let (row, resource) = (row.as_object().expect("a row"), resource.as_object().expect("a resource"));
    for (name, value) in resource {
        let column = row.get(name).unwrap_or_else(|| panic!("there is no column {name}: {row:?}"));
        let moment = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        match (moment(value), moment(column)) {
            (Some(value), Some(column)) => assert_eq!(column, value, "{name}"),
            _ => assert_eq!(column, value, "{name}"),
        }
    }
    for (name, column) in row.iter().filter(|(name, _)| !resource.contains_key(*name)) {
        assert!(column.is_null(), "{name} should be empty: {column}");
    }
}

async fn one(session: &mut Session, view: &str, key: EntityKey) -> Value {
    session.row(&format!("SELECT * FROM {view} WHERE id = '{}'", key.id)).await
}

/// Asserts that a view shows an entity as its type has it: columns of numbers with the number of a text, and columns
/// for which it has no member empty.
#[track_caller]
fn assert_shows(row: &Value, kind: Kind, resource: &Value) {
    let mut row = row.clone();
    let columns = row.as_object_mut().expect("a row");
    for (name, value) in resource.as_object().expect("a resource") {
        let Some(found) = columns.get(name).and_then(Value::as_f64) else { continue };
        // An amount is a text in JSON.
        let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        assert_eq!(number, Some(found), "{kind}.{name}");
        columns.insert(name.clone(), value.clone());
    }
    assert_same(&row, resource);
}

#[tokio::test]
async fn each_kind_has_a_view_that_says_what_a_read_of_the_present_gives() {
    let place = Place::fresh().await;
    let tenant = tenant(&place.store, "ada").await;
    let mut owner = place.owner().await;
    for kind in Kind::ALL.iter().copied() {
        let Some(view) = view_of(kind) else { continue };
        let sql = format!("SELECT attname::text FROM pg_attribute WHERE attrelid = '{view}'::regclass AND attnum > 0");
        let columns = owner.texts(&sql).await;
        let own = ["id", "tenant_id", "version", "created_at", "updated_at"].map(str::to_owned);
        let mut expected = [fields(kind), own.to_vec()].concat();
        expected.sort();
        let mut found = columns;
        found.sort();
        assert_eq!(found, expected, "{view} has a column for each field of a {kind}, and no other");

        let bodies = [full(kind, "wörd \\\"1\" 😀"), least(kind, "x")];
        let members: BTreeSet<String> =
            bodies.iter().flat_map(|body| body.as_object().unwrap().keys().cloned()).collect();
        assert_eq!(members, fields(kind).into_iter().collect(), "the samples of a {kind} have all fields");
        for body in bodies {
            let key = new_key(kind);
            put(&place.store, tenant, key, body.clone(), at(1)).await;
            let version = place.store.entity(tenant, key, At::NOW, at(9)).await.unwrap().unwrap();
            assert_eq!(one(&mut owner, "entities", key).await["body"], body);
            // What is left out is as the types of core have it.
            let mut resource = version.resource().unwrap();
            resource.as_object_mut().unwrap().extend(typed(kind, body).as_object().unwrap().clone());
            assert_shows(&one(&mut owner, view, key).await, kind, &resource);
        }
    }
}

#[tokio::test]
async fn amounts_days_and_places_are_exact() {
    let place = Place::fresh().await;
    let tenant = tenant(&place.store, "ada").await;
    let mut owner = place.owner().await;
    let amounts = ["999999999999999999.999999", "-999999999999999999.999999", "0.10", "1500.00", "0"];
    for amount in amounts {
        let key = new_key(Kind::Deal);
        let mut body = least(Kind::Deal, "x");
        body["amount"] = json!(amount);
        put(&place.store, tenant, key, body, at(1)).await;
        assert_eq!(owner.texts(&format!("SELECT amount::text FROM deals WHERE id = '{}'", key.id)).await, [amount]);
    }
    assert_eq!(owner.texts("SELECT sum(amount)::text FROM deals").await, ["1500.100000"]);
    let id = uuid::Uuid::new_v4();
    for (day, shown) in [
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("+12026-01-01", "infinity"),
        ("0000-01-01", "-infinity"),
        ("-0044-03-15", "-infinity"),
    ] {
        let key = new_key(Kind::Affiliation);
        let mut body = least(Kind::Affiliation, "x");
        body["start_date"] = json!(day);
        put(&place.store, tenant, key, body, at(1)).await;
        let sql = format!("SELECT start_date::text FROM affiliations WHERE id = '{}'", key.id);
        assert_eq!(owner.texts(&sql).await, [shown]);
    }
    for position in ["1.7976931348623157e308", "5e-324", "0.1"] {
        let key = new_key(Kind::Section);
        let position: Value = serde_json::from_str(position).unwrap();
        put(&place.store, tenant, key, json!({ "project_id": id, "name": "x", "position": position }), at(1)).await;
        let shown = owner.texts(&format!("SELECT position::text FROM sections WHERE id = '{}'", key.id)).await;
        assert_eq!(shown[0].parse().ok(), position.as_f64());
    }
}

#[tokio::test]
async fn only_what_holds_now_is_there() {
    let place = Place::fresh().await;
    let tenant = tenant(&place.store, "ada").await;
    let store = &place.store;
    let named = |name: &str| json!({ "display_name": name });
    // The server's clock is the present: these ended and began long before it, these will long after.
    let (past, future) = (at(-86_400 * 3_650), at(86_400 * 36_500));
    let keys: [EntityKey; 5] = std::array::from_fn(|_| new_key(Kind::Contact));
    let [ended, ends, follows, comes, gone] = keys;
    put_valid(store, tenant, ended, named("ended"), (past, Some(past.next().next())), past.next()).await;
    put_valid(store, tenant, ends, named("ends"), (past, Some(future)), past.next()).await;
    // Scheduled when it was written, and its time has come since, without another commit.
    put(store, tenant, follows, named("before"), past.next()).await;
    put_valid(
        store,
        tenant,
        follows,
        named("follows"),
        (past.after(std::time::Duration::from_secs(9)), None),
        past.next(),
    )
    .await;
    put_valid(store, tenant, comes, named("comes"), (future, None), past.next()).await;
    put(store, tenant, gone, named("gone"), past.next()).await;
    delete(store, tenant, gone, past.next()).await;
    let mut owner = place.owner().await;
    assert_eq!(owner.texts("SELECT display_name FROM contacts ORDER BY 1").await, ["ends", "follows"]);
    assert_eq!(owner.count("SELECT count(*) FROM entities").await, 2);
}

#[tokio::test]
async fn history_has_both_times_and_who_wrote_it() {
    let place = Place::fresh().await;
    let tenant = tenant(&place.store, "ada").await;
    let key = new_key(Kind::Contact);
    for (name, now) in [("one", 10), ("two", 20)] {
        put(&place.store, tenant, key, json!({ "display_name": name }), at(now)).await;
    }
    put_valid(&place.store, tenant, key, json!({ "display_name": "middle" }), (at(12), Some(at(15))), at(30)).await;
    delete(&place.store, tenant, key, at(40)).await;
    let mut owner = place.owner().await;
    for (sys, valid) in (8..44).flat_map(|sys| (8..44).map(move |valid| (sys, valid))) {
        let point = At { as_of: Some(at(sys)), valid_at: Some(at(valid)) };
        let expected = place.store.entity(tenant, key, point, at(50)).await.unwrap();
        let expected: Vec<String> = expected
            .iter()
            .filter_map(|v| v.slice.body.as_ref()?["display_name"].as_str().map(str::to_owned))
            .collect();
        let sql = format!(
            "SELECT body ->> 'display_name' FROM entity_history WHERE id = '{}' AND body IS NOT NULL
                 AND sys_from <= '{sys}' AND '{sys}' < sys_to AND valid_from <= '{valid}' AND '{valid}' < valid_to",
            key.id,
            sys = at(sys),
            valid = at(valid)
        );
        assert_eq!(owner.texts(&sql).await, expected, "known at {sys} about {valid}");
    }
    let open =
        "SELECT count(*) FROM entity_history WHERE sys_to = 'infinity' AND valid_to = 'infinity' AND body IS NULL";
    assert_eq!(owner.count(open).await, 1);
    let commit = owner.row("SELECT * FROM commits WHERE tx_id = 1").await;
    let feed = place.store.changes(tenant, None, worktruck_core::PageRequest::default()).await.unwrap();
    let mut expected = serde_json::to_value(&feed.data[0]).unwrap();
    expected["tenant_id"] = json!(tenant);
    assert_same(&commit, &expected);
}

#[tokio::test]
async fn runs_steps_and_events_are_what_the_ports_say() {
    let place = Place::fresh().await;
    let tenant = tenant(&place.store, "ada").await;
    let store = &place.store;
    let mut new = new_run(json!({ "n": 1 }));
    (new.budget_usd_cents, new.deadline_secs, new.priority) = (Some(50), Some(3_600), -7);
    new.metadata = json!({ "why": "test" }).as_object().unwrap().clone();
    // A moment that the calendar does not have.
    new.run_at = None;
    let outputs = vec![json!("short"), json!("long ".repeat(5_000)), Value::Null];
    let ended = finished(store, tenant, new, outputs, at(1)).await;
    let queued = enqueue(store, tenant, new_run(json!(1)), at(2)).await;
    let taken = enqueue(store, tenant, new_run(json!(2)), at(3)).await;
    claim(store, &taken, at(4)).await;
    let running = enqueue(store, tenant, new_run(json!(2)), at(5)).await;
    let claimed = claim(store, &running, at(6)).await;
    commit(store, &claimed, vec![json!(1)], Transition::Continue, at(7)).await;
    store.signal(tenant, running.id, Signal::Cancel { actor: Some("ada".to_owned()) }, at(8)).await.unwrap();
    let failed = enqueue(store, tenant, new_run(json!(2)), at(9)).await;
    let claimed = claim(store, &failed, at(10)).await;
    let fail = Transition::Fail { category: worktruck_core::run::FailureCategory::Timeout, detail: "late".to_owned() };
    commit(store, &claimed, Vec::new(), fail, at(11)).await;

    let past = NewRun { as_of: Some(at(3)), ..new_run(json!(3)) };
    let trial = enqueue(store, tenant, past, at(12)).await;

    let mut owner = place.owner().await;
    for run in [&ended, &queued, &taken, &running, &failed, &trial] {
        let run = store.run(tenant, run.id).await.unwrap().unwrap();
        let mut row = owner.row(&format!("SELECT * FROM runs WHERE id = '{}'", run.id)).await;
        let columns = row.as_object_mut().unwrap();
        let dollars = format!("{:.9}", f64::from(u32::try_from(run.cost.0.as_nanos()).unwrap()) / 1e9);
        assert_eq!(columns.remove("cost_usd").unwrap().as_f64(), dollars.parse().ok(), "{}", run.id);
        columns.remove("blueprint_version");
        let mut resource = serde_json::to_value(&run).unwrap();
        let members = resource.as_object_mut().unwrap();
        members.retain(|name, _| !name.starts_with("cost_usd"));
        assert_same(&row, &resource);

        let rows = owner.rows(&format!("SELECT * FROM events WHERE run_id = '{}' ORDER BY seq", run.id)).await;
        let expected = events(store, tenant, run.id).await;
        assert_eq!(rows.len(), expected.len(), "{rows:?}");
        for (row, event) in rows.iter().zip(expected) {
            let mut event = serde_json::to_value(&event).unwrap();
            event["tenant_id"] = json!(tenant);
            assert_same(row, &event);
        }
    }
    let journal = store.journal(tenant, ended.id).await.unwrap().unwrap();
    let rows = owner.rows(&format!("SELECT * FROM steps WHERE run_id = '{}' ORDER BY seq", ended.id)).await;
    assert_eq!(rows.len(), 3);
    for (mut row, step) in rows.into_iter().zip(journal.steps) {
        assert_eq!(row.as_object_mut().unwrap().remove("cost_usd").unwrap(), json!(0.001234567));
        let mut step = serde_json::to_value(&step).unwrap();
        step.as_object_mut().unwrap().retain(|name, _| !name.starts_with("cost_usd"));
        (step["tenant_id"], step["run_id"]) = (json!(tenant), json!(ended.id));
        assert_same(&row, &step);
    }
}

#[tokio::test]
async fn a_text_with_nul_fails_no_view() {
    let place = Place::fresh().await;
    let tenant = tenant(&place.store, "ada").await;
    let value = json!({ "a\0": ["\0\0", "\\u0000", "\\\0", "b\0c"] });
    let body = json!({ "display_name": "A\0da", "metadata": value.clone() });
    put(&place.store, tenant, new_key(Kind::Contact), body, at(1)).await;
    let run = finished(&place.store, tenant, new_run(value.clone()), vec![value], at(2)).await;
    let mut owner = place.owner().await;
    let views = owner.texts("SELECT viewname::text FROM pg_views WHERE schemaname = 'worktruck'").await;
    for view in &views {
        owner.rows(&format!("SELECT * FROM {view}")).await;
    }
    let plain = json!({ "a\u{fffd}": ["\u{fffd}\u{fffd}", "\\u0000", "\\\u{fffd}", "b\u{fffd}c"] });
    let contact = owner.row("SELECT display_name, metadata FROM contacts").await;
    assert_eq!(contact, json!({ "display_name": "A\u{fffd}da", "metadata": plain }));
    let row = owner.row(&format!("SELECT input FROM runs WHERE id = '{}'", run.id)).await;
    assert_eq!(row["input"], plain);
    assert_eq!(owner.row("SELECT output FROM steps").await["output"], plain);
}

#[tokio::test]
async fn moments_are_exact_and_each_has_a_place() {
    let place = Place::fresh().await;
    let mut owner = place.owner().await;
    // Local time has gaps there; the moments have none.
    owner.run("SET timezone = 'America/New_York'").await;
    for micros in
        [0, -1, 1_741_503_599_999_999, 1_741_503_600_000_000, 253_402_300_799_999_999, 9_223_372_036_854_775_806]
    {
        let sql = format!("SELECT (extract(epoch FROM moment({micros}::bigint)) * 1000000)::bigint");
        assert_eq!(owner.count(&sql).await, micros);
    }
    for (micros, moment) in [(i64::MAX, "infinity"), (i64::MIN, "-infinity")] {
        assert_eq!(owner.texts(&format!("SELECT moment(({micros})::bigint)::text")).await, [moment]);
    }
    for (text, moment) in [
        ("forever", "infinity"),
        ("+12026-01-01T00:00:00Z", "infinity"),
        ("-0001-01-01T00:00:00Z", "-infinity"),
        ("0000-01-01T00:00:00Z", "-infinity"),
        ("2026-01-01T00:00:00.000001Z", "2025-12-31 19:00:00.000001-05"),
    ] {
        assert_eq!(owner.texts(&format!("SELECT moment('{text}')::text")).await, [moment]);
    }
}

#[tokio::test]
async fn every_column_of_a_view_has_a_real_type_and_a_comment() {
    let place = Place::fresh().await;
    let mut owner = place.owner().await;
    let columns = owner
        .rows(
            "SELECT c.relname AS view, a.attname AS name, format_type(a.atttypid, NULL) AS type,
                 col_description(c.oid, a.attnum) AS about, obj_description(c.oid) AS about_view
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
             WHERE c.relnamespace = 'worktruck'::regnamespace AND c.relkind = 'v'",
        )
        .await;
    assert!(columns.len() > 100, "{columns:?}");
    for column in &columns {
        let (name, kind) = (column["name"].as_str().unwrap(), column["type"].as_str().unwrap());
        let place = format!("{}.{name} {kind}", column["view"]);
        assert!(column["about"].is_string() && column["about_view"].is_string(), "{place} has no comment");
        // The run that another one goes on from.
        let is_run = name == "forked_from";
        let ends_like_one = ["_at", "_from", "_to", "_until"].iter().any(|end| name.ends_with(end));
        let is_moment = ["at", "as_of"].contains(&name) || (ends_like_one && !is_run);
        assert_eq!(is_moment, kind == "timestamp with time zone", "{place}");
        let is_day = name.ends_with("_date") || name == "deadline";
        assert_eq!(is_day, kind == "date", "{place}");
        // Which occurrence it is, says a moment or a day.
        let is_id = (is_run || name == "id" || name.ends_with("_id"))
            && !["tx_id", "request_id", "recurrence_id"].contains(&name);
        let is_event = column["view"] == "events" && name == "id";
        assert_eq!(is_id && !is_event, kind == "uuid", "{place}");
        let is_flag = name.starts_with("is_") || ["carried", "dry_run", "enabled"].contains(&name);
        assert_eq!(is_flag, kind == "boolean", "{place}");
        assert!(!["json", "bytea", "double precision"].contains(&kind), "{place}");
        let is_number = ["cost_usd", "amount", "score", "probability", "position", "location_lat", "location_lng"];
        assert_eq!(is_number.contains(&name) || name == "size_bytes", kind == "numeric", "{place}");
    }
}
