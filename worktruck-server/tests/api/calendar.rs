//! Calendars, events and availability.

use serde_json::{Value, json};

use crate::world::{World, on_every_store};

on_every_store! {
    a_series_is_written_out,
    a_part_of_a_series_is_changed,
    what_belongs_to_an_event,
    somebody_has_time,
    files_of_events_come_and_go,
    events_are_searched,
}

/// A calendar with a meeting every day at nine in Berlin: their ids.
async fn daily(world: &World) -> (String, String) {
    let calendar = world.create("/calendars", json!({ "name": "Work" })).await;
    let body = json!({
        "calendar_id": calendar, "title": "Standup", "timezone": "Europe/Berlin", "rrule": "FREQ=DAILY",
        "start_at": "2026-03-27T08:00:00Z", "end_at": "2026-03-27T08:15:00Z",
    });
    let event = world.create("/events", body).await;
    (calendar, event)
}

const WINDOW: &str = "from=2026-03-28T00:00:00Z&to=2026-03-31T00:00:00Z";

async fn a_series_is_written_out(world: World) {
    let (calendar, event) = daily(&world).await;
    let path = format!("/events?calendar_id={calendar}&{WINDOW}&expand=true");
    let starts = ["2026-03-28T08:00:00.000000Z", "2026-03-29T07:00:00.000000Z", "2026-03-30T07:00:00.000000Z"];
    assert_eq!(world.list(&path, "start_at").await, starts.map(|start| json!(start)));
    let first = world.get(&format!("{path}&limit=2")).await.is(200);
    let rest = format!("{path}&limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(world.list(&rest, "recurrence_id").await, [json!(starts[2])]);
    assert_eq!(world.list(&format!("/events?{WINDOW}"), "id").await, [json!(event)]);
    assert_eq!(world.get("/events?expand=true").await.wrong_at(), "/from");
    assert_eq!(world.get(&format!("{path}&sort=start")).await.wrong_at(), "/sort");
    let own = world.list(&format!("/events/{event}/occurrences?from=2026-03-28&limit=1"), "is_override").await;
    assert_eq!(own, [json!(false)]);
}

async fn a_part_of_a_series_is_changed(world: World) {
    let (calendar, event) = daily(&world).await;
    let one = "recurrence_id=2026-03-29T07:00:00Z";
    let path = format!("/events/{event}");
    let other = world.patch(&format!("{path}?{one}"), json!({ "title": "Review" })).await.is(200);
    assert_eq!((&other["series_id"], &other["title"]), (&json!(event), &json!("Review")));
    let expanded = format!("/events?calendar_id={calendar}&{WINDOW}&expand=true");
    assert_eq!(world.list(&expanded, "title").await, [json!("Standup"), json!("Review"), json!("Standup")]);
    world.delete(&format!("{path}?update_scope=this&recurrence_id=2026-03-28T08:00:00Z")).await.is(204);
    assert_eq!(world.list(&expanded, "title").await.len(), 2);
    world.patch(&format!("{path}?recurrence_id=2026-03-29T03:00:00Z"), json!({})).await.refuses(404, "not_found");
    assert_eq!(world.patch(&format!("{path}?update_scope=this"), json!({})).await.wrong_at(), "/recurrence_id");
    assert_eq!(world.delete(&format!("{path}?purge=true&{one}")).await.wrong_at(), "/purge");
    world.delete(&format!("{path}?update_scope=this_and_following&recurrence_id=2026-03-30T07:00:00Z")).await.is(204);
    assert_eq!(world.list(&expanded, "title").await, [json!("Review")]);
    world.delete(&format!("{path}?purge=true")).await.is(204);
    world.get(&path).await.refuses(404, "not_found");
}

async fn what_belongs_to_an_event(world: World) {
    let (_, event) = daily(&world).await;
    let attendees = format!("/events/{event}/attendees");
    let ada = world.create(&attendees, json!({ "email": "ada@example.org" })).await;
    let accepted = world.patch(&format!("{attendees}/{ada}"), json!({ "response_status": "accepted" })).await.is(200);
    assert_eq!((&accepted["response_status"], &accepted["version"]), (&json!("accepted"), &json!(2)));
    let note = world.create("/notes", json!({ "title": "Agenda" })).await;
    let links = format!("/events/{event}/links");
    let link = world.create(&links, json!({ "entity_type": "note", "entity_id": note })).await;
    let shown = world.get(&format!("/events/{event}")).await.is(200);
    assert_eq!((&shown["attendees"][0]["id"], &shown["links"][0]["id"]), (&json!(ada), &json!(link)));
    world.delete(&format!("{links}/{link}")).await.is(204);
    world.delete(&format!("{attendees}/{ada}")).await.is(204);
    let shown = world.get(&format!("/events/{event}")).await.is(200);
    assert_eq!((&shown["attendees"], &shown["links"]), (&json!([]), &json!([])));
}

async fn somebody_has_time(world: World) {
    let (calendar, _) = daily(&world).await;
    let day = "from=2026-03-30&to=2026-03-31&working_hours=mon-fri@09:00-10:00";
    let free = world.get(&format!("/availability?{day}&calendar_ids={calendar}")).await.is(200);
    let slot = |from: &str, to: &str| json!({ "start": from, "end": to });
    assert_eq!(free["busy"], json!([slot("2026-03-30T07:00:00.000000Z", "2026-03-30T07:15:00.000000Z")]));
    assert_eq!(free["free"], json!([slot("2026-03-30T07:15:00.000000Z", "2026-03-30T08:00:00.000000Z")]));
    let long = world.get(&format!("/availability?{day}&slot_minutes=60")).await.is(200);
    assert_eq!(long["free"], json!([]));
    assert_eq!(world.get("/availability?from=2026-03-30").await.wrong_at(), "/to");
    assert_eq!(world.get(&format!("/availability?{day}&calendar_ids=x,y")).await.wrong_at(), "/calendar_ids");
    assert_eq!(world.get(&format!("/availability?{day}&timezone=Mars")).await.wrong_at(), "/timezone");
}

async fn files_of_events_come_and_go(world: World) {
    let calendar = world.create("/calendars", json!({ "name": "Work" })).await;
    let file = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20260401T000000Z\r\n\
                DTSTART:20260414T100000Z\r\nDTEND:20260414T110000Z\r\nSUMMARY:Talk\r\nATTENDEE:mailto:ada@example.org\r\n\
                END:VEVENT\r\nEND:VCALENDAR\r\n";
    let path = format!("/calendars/{calendar}/import");
    let import = || world.ask("POST", &path).text("text/calendar", file).send();
    assert_eq!(import().await.is(200)["created"], 1);
    assert_eq!(import().await.is(200)["created"], 0);
    let nowhere = path.replace(&calendar, "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d");
    world.ask("POST", &nowhere).text("text/calendar", file).send().await.refuses(404, "not_found");
    let exported = world.get(&format!("/calendars/{calendar}/export")).await;
    assert_eq!(exported.header("content-type"), "text/calendar; charset=utf-8");
    for line in ["UID:one", "SUMMARY:Talk", "ada@example.org"] {
        assert!(exported.text.contains(line), "{}", exported.text);
    }
}

async fn events_are_searched(world: World) {
    let (_, event) = daily(&world).await;
    let found = world.get("/events/search?q=stand").await.is(200);
    let ids: Vec<&Value> = found.as_array().unwrap().iter().map(|event| &event["id"]).collect();
    assert_eq!(ids, [&json!(event)]);
    assert_eq!(world.get("/events/search").await.wrong_at(), "/q");
    assert_eq!(world.list("/events?q=standup", "id").await, [json!(event)]);
}
