//! What is the same for every address.

use serde_json::json;

use crate::world::{BOB, World, on_every_store};

on_every_store! {
    health_needs_no_credential,
    what_is_not_there_says_so,
    a_credential_is_asked_for,
    a_scope_is_asked_for,
    a_request_has_an_id,
    a_body_is_what_it_says,
    a_query_string_is_read_strictly,
    pages_lead_on,
    browsers_may_ask,
    answers_are_compressed,
}

async fn health_needs_no_credential(world: World) {
    assert_eq!(world.ask("GET", "/health").by_nobody().send().await.is(200), json!({ "status": "ok" }));
    assert_eq!(world.ask("GET", "/ready").by_nobody().send().await.is(200), json!({ "status": "ready" }));
}

async fn what_is_not_there_says_so(world: World) {
    world.get("/nowhere").await.refuses(404, "not_found");
    world.get("/contacts/x/y/z").await.refuses(404, "not_found");
    let reply = world.ask("PUT", "/contacts").send().await;
    let mut allowed: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    reply.refuses(405, "method_not_allowed");
    for id in ["nothing", "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d", "%FF", "%00"] {
        world.get(&format!("/contacts/{id}")).await.refuses(404, "not_found");
        world.patch(&format!("/contacts/{id}"), json!({})).await.refuses(404, "not_found");
        world.delete(&format!("/contacts/{id}")).await.refuses(404, "not_found");
    }
}

async fn a_credential_is_asked_for(world: World) {
    for ask in [
        world.ask("GET", "/contacts").by_nobody(),
        world.ask("GET", "/contacts").by("stranger"),
        world.ask("GET", "/contacts").by_nobody().header("authorization", "Basic YTpi"),
        world.ask("GET", "/contacts").by_nobody().header("authorization", "Bearer"),
    ] {
        let reply = ask.send().await;
        assert_eq!(reply.header("www-authenticate"), "Bearer");
        assert!(!reply.text.contains("stranger"));
        reply.refuses(401, "unauthenticated");
    }
}

async fn a_scope_is_asked_for(world: World) {
    world.ask("GET", "/contacts").by("contacts:read").send().await.is(200);
    let error = world.ask("GET", "/contacts").by("crm:read").send().await.refuses(403, "forbidden");
    assert_eq!(error["message"], "the credential lacks the scope contacts:read");
    let create = |token: &str| world.ask("POST", "/contacts").json(&json!({ "display_name": "Ada" })).by(token);
    create("contacts:read").send().await.refuses(403, "forbidden");
    let made = create("contacts:write").send().await.is(201);
    let erase =
        |token: &str| world.ask("DELETE", &format!("/contacts/{}?purge=true", made["id"].as_str().unwrap())).by(token);
    erase("contacts:write").send().await.refuses(403, "forbidden");
    erase("admin:write").send().await.refuses(403, "forbidden");
    erase(crate::world::ADA).send().await.is(204);
}

async fn a_request_has_an_id(world: World) {
    let reply = world.ask("GET", "/contacts").header("x-request-id", "trace-17").send().await;
    assert_eq!(reply.header("x-request-id"), "trace-17");
    let reply = world.ask("GET", "/nowhere").header("x-request-id", &"x".repeat(200)).send().await;
    assert_eq!(reply.header("x-request-id").len(), 36, "one that is too long is replaced");
}

async fn a_body_is_what_it_says(world: World) {
    let send =
        |media_type: &'static str, body: &'static str| world.ask("POST", "/contacts").text(media_type, body).send();
    let error = send("application/json", "{\"display_name\": ").await.refuses(400, "invalid_request");
    assert_eq!(error["details"], json!({ "pointer": "", "line": 1, "column": 17 }));
    send("text/plain", "{\"display_name\":\"Ada\"}").await.refuses(415, "unsupported_media_type");
    world.ask("POST", "/contacts").send().await.refuses(415, "unsupported_media_type");
    send("application/json; charset=utf-8", "{\"display_name\":\"Ada\"}").await.is(201);
    send("application/json", "[1]").await.refuses(400, "invalid_request");
    let long = json!({ "display_name": "Ada", "bio": "x".repeat(5000) });
    world.post("/contacts", long).await.refuses(413, "payload_too_large");
    for (body, pointer) in [
        (json!({}), "/display_name"),
        (json!({ "display_name": "" }), "/display_name"),
        (json!({ "display_name": 7 }), "/display_name"),
        (json!({ "display_name": "Ada", "shoe": 38 }), "/shoe"),
        (json!({ "display_name": "Ada", "kind": "robot" }), "/kind"),
        (json!({ "display_name": "a\u{0}b" }), "/display_name"),
        (json!({ "display_name": "Ada", "channels": [{ "type": "email", "value": "?" }] }), "/channels/0/value"),
    ] {
        assert_eq!(world.post("/contacts", body.clone()).await.wrong_at(), pointer, "{body}");
    }
    let id = world.create("/contacts", json!({ "display_name": "Ada" })).await;
    let patch = |media_type: &'static str| {
        world.ask("PATCH", &format!("/contacts/{id}")).text(media_type, "{\"bio\":\"x\"}").send()
    };
    patch("application/merge-patch+json").await.is(200);
    patch("application/json-patch+json").await.refuses(415, "unsupported_media_type");
}

async fn a_query_string_is_read_strictly(world: World) {
    for (query, pointer) in [
        ("knd=person", "/knd"),
        ("kind=robot", "/kind"),
        ("group_id=7", "/group_id"),
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=many", "/limit"),
        ("limit=1&limit=2", "/limit"),
        ("sort=shoe", "/sort"),
        ("sort=", "/sort"),
        ("as_of=yesterday", "/as_of"),
        ("as_of=2126-01-01T00:00:00Z", "/as_of"),
        ("q=ada&as_of=2026-01-01T00:00:00Z", "/as_of"),
        ("tag=%00", "/tag"),
        ("valid_from=2026-01-01T00:00:00Z", "/valid_from"),
    ] {
        assert_eq!(world.get(&format!("/contacts?{query}")).await.wrong_at(), pointer, "{query}");
    }
    world.get("/tasks/by-identifier/%00").await.refuses(400, "invalid_request");
    let reply = world.ask("POST", "/contacts?as_of=2026-01-01T00:00:00Z").json(&json!({ "display_name": "Ada" }));
    assert_eq!(reply.send().await.wrong_at(), "/as_of");
}

async fn pages_lead_on(world: World) {
    for n in 0..5 {
        world.create("/contacts", json!({ "display_name": format!("Contact {n}") })).await;
    }
    let first = world.get("/contacts?limit=2").await.is(200);
    assert_eq!(first["has_more"], true);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = world.get(&format!("/contacts?limit=2&cursor={cursor}")).await.is(200);
    assert_eq!(second["data"][0]["display_name"], "Contact 2");
    let last = format!("/contacts?limit=2&cursor={}", second["next_cursor"].as_str().unwrap());
    let last = world.get(&last).await.is(200);
    assert_eq!((&last["has_more"], &last["next_cursor"]), (&json!(false), &json!(null)));
    assert_eq!(last["data"].as_array().unwrap().len(), 1);

    let elsewhere = [
        format!("/contacts?cursor={}x", &cursor[..cursor.len() - 1]),
        format!("/contacts?kind=person&cursor={cursor}"),
        format!("/groups?cursor={cursor}"),
        "/contacts?cursor=".to_owned(),
    ];
    for path in elsewhere {
        world.get(&path).await.refuses(400, "invalid_cursor");
    }
    let foreign = world.ask("GET", &format!("/contacts?cursor={cursor}")).by(BOB).send().await;
    foreign.refuses(400, "invalid_cursor");
    assert_eq!(
        world.list("/contacts?sort=-display_name&limit=2", "display_name").await,
        [json!("Contact 4"), json!("Contact 3")]
    );
}

async fn browsers_may_ask(world: World) {
    let reply = world
        .ask("OPTIONS", "/contacts")
        .by_nobody()
        .header("origin", "https://app.example")
        .header("access-control-request-method", "PATCH")
        .send()
        .await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, "*"));
    assert!(reply.header("access-control-allow-methods").contains("PATCH"));
    let reply = world.ask("GET", "/contacts").header("origin", "https://app.example").send().await;
    for header in ["etag", "x-request-id", "x-ratelimit-remaining", "idempotent-replayed"] {
        assert!(reply.header("access-control-expose-headers").contains(header), "{header}");
    }
}

async fn answers_are_compressed(world: World) {
    world.create("/contacts", json!({ "display_name": "Ada", "bio": "x".repeat(2000) })).await;
    let reply = world.ask("GET", "/contacts").header("accept-encoding", "gzip").send().await;
    assert_eq!(reply.header("content-encoding"), "gzip");
    assert_eq!(world.get("/contacts").await.header("content-encoding"), "");
}
