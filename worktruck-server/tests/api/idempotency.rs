//! Requests that are sent again.

use std::sync::Arc;

use serde_json::{Value, json};
use worktruck_core::store::MemoryStore;
use worktruck_core::testing::{Fault, FaultyStore};

use crate::world::{BOB, Reply, World, on_every_store};

on_every_store! {
    a_request_that_is_sent_again_is_done_once,
    a_key_is_for_one_request_of_one_tenant,
    what_was_refused_can_be_sent_again,
    a_secret_is_shown_to_the_same_request_only,
    a_day_later_a_key_is_free,
}

async fn send(world: &World, path: &str, key: &str, body: &Value) -> Reply {
    world.ask("POST", path).json(body).header("idempotency-key", key).send().await
}

async fn a_request_that_is_sent_again_is_done_once(world: World) {
    let body = json!({ "display_name": "Ada" });
    let first = send(&world, "/contacts", "k-1", &body).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    world.later();
    let again = send(&world, "/contacts", "k-1", &body).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
    assert_eq!(again.text, first.text);
    for header in ["location", "etag", "content-type"] {
        assert_eq!(again.header(header), first.header(header), "{header}");
    }
    assert_eq!(world.list("/contacts", "display_name").await, [json!("Ada")]);
    let id = first.is(201)["id"].as_str().unwrap().to_owned();
    let channel = json!({ "type": "email", "value": "ada@example.org" });
    let added = send(&world, &format!("/contacts/{id}/channels"), "k-2", &channel).await.is(201);
    assert_eq!(send(&world, &format!("/contacts/{id}/channels"), "k-2", &channel).await.is(201), added);
}

async fn a_key_is_for_one_request_of_one_tenant(world: World) {
    let body = json!({ "display_name": "Ada" });
    send(&world, "/contacts", "k-1", &body).await.is(201);
    send(&world, "/contacts", "k-1", &json!({ "display_name": "Eve" })).await.refuses(422, "idempotency_mismatch");
    send(&world, "/groups", "k-1", &body).await.refuses(422, "idempotency_mismatch");
    let other = world.ask("POST", "/contacts").json(&body).header("idempotency-key", "k-1").by(BOB).send().await;
    assert_eq!(other.header("idempotent-replayed"), "");
    other.is(201);
    for wrong in ["", "a b", &"x".repeat(256)] {
        send(&world, "/contacts", wrong, &body).await.refuses(400, "invalid_request");
    }
    assert_eq!(world.list("/contacts", "display_name").await, [json!("Ada")]);
}

async fn what_was_refused_can_be_sent_again(world: World) {
    let contact = world.create("/contacts", json!({ "display_name": "Ada" })).await;
    let path = format!("/contacts/{contact}/channels");
    send(&world, &path, "k-1", &json!({ "type": "email", "value": "no address" }))
        .await
        .refuses(400, "invalid_request");
    send(&world, &path, "k-1", &json!({ "type": "email", "value": "ada@example.org" })).await.is(201);
}

async fn a_secret_is_shown_to_the_same_request_only(world: World) {
    let body = json!({ "name": "laptop" });
    let first = send(&world, "/api-keys", "k-1", &body).await.is(201);
    let again = send(&world, "/api-keys", "k-1", &body).await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.is(201), first);
    assert_eq!(world.list("/api-keys", "name").await, [json!("laptop")]);
    let key = first["key"].as_str().unwrap();
    let another = world.another();
    let ask = another.ask("POST", "/api-keys").json(&body).header("idempotency-key", "k-2").by(key);
    ask.send().await.refuses(400, "invalid_request");
    assert_eq!(world.list("/api-keys", "name").await, [json!("laptop")], "without a vault nothing is made");
    if let Some(folder) = &world.folder {
        let mut scanned = 0;
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            scanned += bytes.len();
            assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()), "the store has the key");
        }
        assert!(scanned > 10_000, "{scanned} bytes were looked at");
    }
}

async fn a_day_later_a_key_is_free(world: World) {
    send(&world, "/contacts", "k-1", &json!({ "display_name": "Ada" })).await.is(201);
    for _ in 0..24 * 60 {
        world.later();
    }
    send(&world, "/contacts", "k-1", &json!({ "display_name": "Eve" })).await.is(201);
    assert_eq!(world.list("/contacts", "display_name").await, [json!("Ada"), json!("Eve")]);
}

/// Whatever call of the store fails, before it took effect or after: whoever sends the request until it is answered has
/// what was asked for, once.
#[tokio::test]
async fn a_request_is_done_once_whatever_fails() {
    let body = json!({ "display_name": "Ada", "channels": [{ "type": "email", "value": "ada@example.org" }] });
    let mut interrupted = 0;
    for fault in [Fault::Before, Fault::After] {
        for call in 1.. {
            let store = Arc::new(FaultyStore::new(MemoryStore::default()));
            let world = World::over(store.clone(), None).await;
            let before = store.calls().len();
            store.fail(before + call, fault);
            let mut reply = send(&world, "/contacts", "k-1", &body).await;
            let calls = store.calls().len() - before;
            let mut sent = 1;
            while reply.status != 201 {
                assert!(matches!(reply.status, 409 | 503), "{}", reply.text);
                assert!(sent < 5, "{fault:?} of call {call}: {}", reply.text);
                world.later();
                reply = send(&world, "/contacts", "k-1", &body).await;
                sent += 1;
            }
            if calls < call {
                break;
            }
            interrupted += sent - 1;
            let made = reply.is(201);
            assert_eq!(world.list("/contacts", "id").await, [made["id"].clone()], "{fault:?} of call {call}");
            let read = world.get(&format!("/contacts/{}", made["id"].as_str().unwrap())).await.is(200);
            assert_eq!(read, made, "{fault:?} of call {call}");
            let again = send(&world, "/contacts", "k-1", &body).await;
            assert_eq!(again.header("idempotent-replayed"), "true");
            assert_eq!(again.is(201), made);
        }
    }
    assert!(interrupted > 5, "{interrupted} attempts were interrupted");
}
