//! API keys, the tenant, the audit log, limits and usage.

use std::time::Duration;

use serde_json::{Value, json};
use worktruck_core::store::{Plan, TenantPatch};

use crate::world::{BOB, World, on_every_store};

on_every_store! {
    a_key_is_shown_once_and_refused_when_it_is_revoked,
    a_key_is_rotated,
    a_test_key_sees_only_test_data,
    nobody_makes_a_key_that_may_do_more,
    a_key_expires,
    keys_of_others_are_not_there,
    a_key_writes_where_the_server_is_at_home,
    a_tenant_is_read_and_changed,
    what_is_done_to_keys_is_audited,
    a_plan_is_kept_to_on_all_servers,
    usage_is_counted_by_day,
}

async fn make(world: &World, body: Value) -> (String, String) {
    let made = world.post("/api-keys", body).await.is(201);
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

async fn status(world: &World, key: &str) -> u16 {
    world.ask("GET", "/contacts").by(key).send().await.status
}

async fn a_key_is_shown_once_and_refused_when_it_is_revoked(world: World) {
    let reply = world.post("/api-keys", json!({ "name": "laptop", "scopes": ["contacts:read"] })).await;
    let location = reply.header("location").to_owned();
    let made = reply.is(201);
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(location, format!("/api/v1/api-keys/{id}"));
    assert!(key.starts_with("bsk_live_") && key.len() == 52, "{key}");
    assert!(key[9..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
    assert_eq!((&made["key_hint"], &made["is_active"]), (&json!(&key[48..]), &json!(true)));
    assert_eq!(made["environment"], "live");

    let read = world.get(&format!("/api-keys/{id}")).await.is(200);
    assert_eq!((&read["scopes"], &read["key"]), (&json!(["contacts:read"]), &Value::Null));
    world.ask("GET", "/contacts").by(key).send().await.is(200);
    let body = json!({ "display_name": "Ada" });
    world.ask("POST", "/contacts").json(&body).by(key).send().await.refuses(403, "forbidden");
    world.service.flush().await.unwrap();
    assert!(world.get(&format!("/api-keys/{id}")).await.is(200)["last_used_at"].is_string());

    let another = world.another();
    assert_eq!(status(&another, key).await, 200);
    let revoked = world.delete(&format!("/api-keys/{id}")).await.is(200);
    assert_eq!(revoked, json!({ "id": id, "revoked": true }));
    // What another server has read is old by the time the revocation is answered.
    world.later();
    for world in [&world, &another] {
        let reply = world.ask("GET", "/contacts").by(key).send().await;
        assert_eq!(reply.header("www-authenticate"), "Bearer");
        assert!(!reply.text.contains(key));
        reply.refuses(401, "unauthenticated");
    }
    world.delete(&format!("/api-keys/{id}")).await.refuses(404, "not_found");
    assert_eq!(world.get(&format!("/api-keys/{id}")).await.is(200)["is_active"], false);
    for wrong in [&key[..51], &format!("{key}a"), "bsk_live_", "bsk_"] {
        assert_eq!(status(&world, wrong).await, 401, "{wrong}");
    }
}

async fn a_key_is_rotated(world: World) {
    let (id, old) = make(&world, json!({ "name": "robot", "scopes": ["contacts:read"] })).await;
    let rotated = world.ask("POST", &format!("/api-keys/{id}/rotate")).send().await.is(201);
    assert_eq!(rotated["revoked_key_id"], json!(id));
    let new = &rotated["new_key"];
    assert_eq!((&new["name"], &new["scopes"]), (&json!("robot"), &json!(["contacts:read"])));
    assert_ne!(new["id"], json!(id));
    assert_eq!(status(&world, &old).await, 401);
    assert_eq!(status(&world, new["key"].as_str().unwrap()).await, 200);
    world.ask("POST", &format!("/api-keys/{id}/rotate")).send().await.refuses(409, "conflict");
    assert_eq!(world.list("/api-keys", "is_active").await, [json!(true), json!(false)]);
}

async fn a_test_key_sees_only_test_data(world: World) {
    world.create("/contacts", json!({ "display_name": "Real" })).await;
    let (_, key) = make(&world, json!({ "name": "ci", "environment": "test" })).await;
    assert!(key.starts_with("bsk_test_"), "{key}");
    let (_, second) = make(&world, json!({ "name": "ci 2", "environment": "test" })).await;
    let ask = |method: &str, path: &str| world.ask(method, path).by(&key);
    assert_eq!(ask("GET", "/contacts").send().await.is(200)["data"], json!([]));
    ask("POST", "/contacts").json(&json!({ "display_name": "Made up" })).send().await.is(201);
    let seen = world.ask("GET", "/contacts").by(&second).send().await.is(200);
    assert_eq!(seen["data"][0]["display_name"], "Made up");
    assert_eq!(world.list("/contacts", "display_name").await, [json!("Real")]);
}

async fn nobody_makes_a_key_that_may_do_more(world: World) {
    let ask = |body: Value| world.ask("POST", "/api-keys").json(&body).by("admin:write");
    ask(json!({ "name": "all" })).send().await.refuses(403, "forbidden");
    ask(json!({ "name": "more", "scopes": ["admin:write", "crm:read"] })).send().await.refuses(403, "forbidden");
    ask(json!({ "name": "same", "scopes": ["admin:write"] })).send().await.is(201);
    let create = |body: Value| world.post("/api-keys", body);
    assert_eq!(create(json!({ "name": "x", "scopes": ["crm:read", "crm:*"] })).await.wrong_at(), "/scopes/1");
    assert_eq!(create(json!({ "name": " " })).await.wrong_at(), "/name");
    assert_eq!(create(json!({ "scopes": [] })).await.wrong_at(), "/name");
    assert_eq!(create(json!({ "name": "x", "key": "mine" })).await.wrong_at(), "/key");
    let (_, nothing) = make(&world, json!({ "name": "nothing", "scopes": [] })).await;
    assert_eq!(status(&world, &nothing).await, 403);
}

async fn a_key_expires(world: World) {
    let now = worktruck_core::Clock::now(&**world.service.clock());
    let soon = now.after(Duration::from_secs(30));
    let (_, key) = make(&world, json!({ "name": "guest", "expires_at": soon })).await;
    assert_eq!(status(&world, &key).await, 200);
    world.later();
    assert_eq!(status(&world, &key).await, 401);
    let past = world.post("/api-keys", json!({ "name": "late", "expires_at": soon })).await;
    assert_eq!(past.wrong_at(), "/expires_at");
}

async fn keys_of_others_are_not_there(world: World) {
    let (id, key) = make(&world, json!({ "name": "laptop" })).await;
    for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/rotate")] {
        for id in [&*id, "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d", "nothing"] {
            world.ask(method, &format!("/api-keys/{id}{path}")).by(BOB).send().await.refuses(404, "not_found");
        }
    }
    assert_eq!(world.ask("GET", "/api-keys").by(BOB).send().await.is(200)["data"], json!([]));
    assert_eq!(world.ask("GET", "/audit-log").by(BOB).send().await.is(200)["data"], json!([]));
    assert_eq!(status(&world, &key).await, 200);
}

async fn a_key_writes_where_the_server_is_at_home(world: World) {
    let (_, key) = make(&world, json!({ "name": "laptop" })).await;
    let body = json!({ "display_name": "Ada", "channels": [{ "type": "phone", "value": "020 7946 0958" }] });
    let made = world.another().ask("POST", "/contacts").json(&body).by(&key).send().await.is(201);
    assert_eq!(made["channels"][0]["canonical_value"], "+442079460958");
}

async fn a_tenant_is_read_and_changed(world: World) {
    let tenant = world.get("/tenant").await.is(200);
    assert_eq!((&tenant["slug"], &tenant["plan"]), (&json!("ada"), &json!("enterprise")));
    assert_eq!(tenant["timezone"], "Europe/Berlin");
    let change = json!({ "name": "Ada & Co", "timezone": "America/New_York", "retention_days": 400 });
    let changed = world.patch("/tenant", change).await.is(200);
    assert_eq!((&changed["name"], &changed["retention_days"]), (&json!("Ada & Co"), &json!(400)));
    let changed = world.patch("/tenant", json!({ "retention_days": null })).await.is(200);
    assert_eq!((&changed["name"], &changed["retention_days"]), (&json!("Ada & Co"), &Value::Null));
    assert_eq!(world.get("/tenant").await.is(200), changed);
    assert_eq!(world.patch("/tenant", json!({ "timezone": "Mars" })).await.wrong_at(), "/timezone");
    assert_eq!(world.patch("/tenant", json!({ "retention_days": 0 })).await.wrong_at(), "/retention_days");
    assert_eq!(world.patch("/tenant", json!({ "plan": "pro" })).await.wrong_at(), "/plan");
    world.ask("GET", "/tenant").by("contacts:read").send().await.refuses(403, "forbidden");
    world.ask("GET", "/tenant").by("admin:read").send().await.is(200);
}

async fn what_is_done_to_keys_is_audited(world: World) {
    let ask = world.ask("POST", "/api-keys").json(&json!({ "name": "laptop" }));
    let id = ask.header("x-request-id", "req-77").send().await.is(201)["id"].clone();
    world.later();
    world.ask("POST", &format!("/api-keys/{}/rotate", id.as_str().unwrap())).send().await.is(201);
    assert_eq!(world.list("/audit-log", "action").await, [json!("api_key.rotated"), json!("api_key.created")]);
    let path = "/audit-log?action=api_key.created&resource_type=api_key&actor_id=ada";
    let found = world.get(path).await.is(200);
    let entry = &found["data"][0];
    assert_eq!((&entry["actor_type"], &entry["request_id"]), (&json!("user"), &json!("req-77")));
    assert_eq!(entry["resource_id"], id);
    let page = world.get("/audit-log?limit=1").await.is(200);
    assert_eq!(page["has_more"], true);
    let cursor = page["next_cursor"].as_str().unwrap();
    world.get(&format!("/audit-log?limit=1&actor_id=ada&cursor={cursor}")).await.refuses(400, "invalid_cursor");
    let contact = world.create("/contacts", json!({ "display_name": "Ada" })).await;
    world.delete(&format!("/contacts/{contact}?purge=true")).await.is(204);
    let erased = world.get("/audit-log?action=contact.purged").await.is(200);
    assert_eq!(erased["data"][0]["resource_id"], json!(contact));
}

async fn a_plan_is_kept_to_on_all_servers(world: World) {
    let free = TenantPatch { plan: Some(Plan::Free), ..TenantPatch::default() };
    world.service.store().update_tenant(world.tenant, free).await.unwrap();
    let (_, key) = make(&world, json!({ "name": "laptop" })).await;
    let another = world.another();
    for n in 0..30 {
        let server = if n % 2 == 0 { &world } else { &another };
        let reply = server.ask("GET", "/contacts").by(&key).send().await;
        assert_eq!((reply.status, reply.header("x-ratelimit-limit")), (200, "30"), "request {n}");
        let reset: u64 = reply.header("x-ratelimit-reset").parse().unwrap();
        assert!((1..=60).contains(&reset), "{reset}");
        assert!(reply.header("x-ratelimit-remaining").parse::<u64>().unwrap() < 30 - n);
    }
    for server in [&world, &another] {
        let reply = server.ask("GET", "/contacts").by(&key).send().await;
        assert_eq!(reply.header("x-ratelimit-remaining"), "0");
        assert!((1..=60).contains(&reply.header("retry-after").parse::<u64>().unwrap()));
        reply.refuses(429, "rate_limited");
    }
    world.later();
    assert_eq!(status(&another, &key).await, 200);

    let pro = TenantPatch { plan: Some(Plan::Pro), ..TenantPatch::default() };
    world.service.store().update_tenant(world.tenant, pro).await.unwrap();
    world.later();
    let mut through = 0;
    while status(if through % 3 == 0 { &world } else { &another }, &key).await == 200 {
        through += 1;
    }
    // A server may hold a small share for a second.
    assert!((290..=300).contains(&through), "{through}");
}

async fn usage_is_counted_by_day(world: World) {
    let today = worktruck_core::Clock::now(&**world.service.clock()).to_string()[..10].to_owned();
    let id = world.create("/contacts", json!({ "display_name": "Ada" })).await;
    world.get(&format!("/contacts/{id}")).await.is(200);
    world.get("/contacts").await.is(200);
    world.get("/contacts?q=ada").await.is(200);
    world.get("/contacts/export?format=csv").await;
    world.get("/contacts/nothing").await.refuses(404, "not_found");
    let usage = world.get("/usage").await.is(200);
    assert_eq!(usage["period_days"], 30);
    let day = &usage["data"][0];
    assert_eq!((&day["date"], &day["request_count"]), (&json!(today), &json!(7)));
    assert_eq!((&day["read_count"], &day["write_count"]), (&json!(3), &json!(1)));
    assert_eq!((&day["search_count"], &day["export_count"]), (&json!(2), &json!(1)));
    assert_eq!(day["x402_revenue_usdc"], "0.000000");
    assert_eq!(world.get("/usage?days=91").await.wrong_at(), "/days");
    assert_eq!(world.ask("GET", "/usage?days=1").by(BOB).send().await.is(200)["data"][0]["request_count"], 1);
}
