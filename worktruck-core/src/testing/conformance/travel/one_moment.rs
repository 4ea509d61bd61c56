use std::sync::Arc;

use serde_json::{Value, json};

use crate::entity::calendar::Calendar;
use crate::entity::deal::Deal;
use crate::entity::event::Event;
use crate::entity::note::Note;
use crate::entity::notebook::Notebook;
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::{Stage as DealStage, StageType};
use crate::entity::{Entity, Kind};
use crate::pim::Pim;
use crate::pim::calendar::{AvailabilityRequest, EventFilter};
use crate::pim::crm::DealFilter;
use crate::recurrence::Moment;
use crate::store::{Changes, EntityKey};
use crate::temporal::WriteOp;
use crate::testing::CountingIds;
use crate::{EntityId, PageRequest, Timestamp};

use super::super::Stage;
use super::super::build::contact;
use super::super::desk::Desk;
use super::super::meddler::Meddler;

/// The same data, where somebody commits what `changes` says after each read.
fn meddled(stage: &Stage, desk: &Desk, changes: impl Fn(u32) -> Changes + Send + Sync + 'static) -> Pim {
    let store = Meddler::new(Arc::clone(&stage.store), Arc::new(changes));
    Pim::new(Arc::new(store), Arc::clone(&desk.clock) as _, Arc::new(CountingIds::new(901)))
}

/// The new entity number `n` of a kind.
fn new(kind: Kind, n: u32) -> EntityKey {
    EntityKey::new(kind, contact(n).id)
}

fn put(key: EntityKey, body: Value) -> Changes {
    Changes::none().write(key, WriteOp::Put(body))
}

fn patch<E: Entity>(id: EntityId, patch: Value) -> Changes {
    Changes::none().write(EntityKey::new(E::KIND, id), WriteOp::Patch(patch))
}

/// What an operation reads, it reads of one moment, also when somebody commits after each of its reads.
pub async fn answers_of_several_reads_are_of_one_moment(stage: Stage) {
    let desk = Desk::new(&stage);
    details_of_notes(&stage, &desk).await;
    deals(&stage, &desk).await;
    events(&stage, &desk).await;
}

async fn details_of_notes(stage: &Stage, desk: &Desk) {
    let notebook = desk.create::<Notebook>(json!({ "name": "Work" })).await.id;
    let note = desk.create::<Note>(json!({ "title": "Plan", "metadata": { "n": 0 } })).await.id;
    let other = desk.create::<Note>(json!({ "title": "Other" })).await.id;
    let pim = meddled(stage, desk, move |n| {
        let link = |from, to| json!({ "note_id": from, "target_type": "note", "target_id": to, "is_manual": true });
        patch::<Note>(note, json!({ "metadata": { "n": n + 1 } }))
            .and(put(new(Kind::NoteLink, 10_000 + n), link(note, other)))
            .and(put(new(Kind::NoteLink, 20_000 + n), link(other, note)))
    });
    for _ in 0..2 {
        let detail = json!(pim.notes(desk.tenant).detail(note).await.unwrap());
        let n = &detail["metadata"]["n"];
        assert_eq!((&detail["outgoing_link_count"], &detail["backlink_count"]), (n, n), "{detail}");
    }
    let pim = meddled(stage, desk, move |n| {
        let body = json!({ "title": n.to_string(), "notebook_id": notebook });
        patch::<Notebook>(notebook, json!({ "description": (n + 1).to_string() })).and(put(new(Kind::Note, n), body))
    });
    for _ in 0..2 {
        let detail = pim.notebooks(desk.tenant).detail(notebook).await.unwrap();
        let count = detail.note_count.to_string();
        assert_eq!(detail.notebook.data.description.unwrap_or_else(|| "0".to_owned()), count);
    }
}

async fn deals(stage: &Stage, desk: &Desk) {
    let pipeline = desk.create::<Pipeline>(json!({ "name": "0" })).await.id;
    let first = desk.create::<DealStage>(json!({ "pipeline_id": pipeline, "name": "0" })).await.id;
    let deal = json!({ "name": "Roof", "pipeline_id": pipeline, "stage_id": first, "amount": "1" });
    let roof = desk.create::<Deal>(deal.clone()).await.id;
    let pim = meddled(stage, desk, move |n| {
        let name = json!({ "name": (n + 1).to_string() });
        patch::<Pipeline>(pipeline, name.clone()).and(patch::<DealStage>(first, name))
    });
    let detail = pim.deals(desk.tenant).detail(roof).await.unwrap();
    assert_eq!(detail.pipeline_name, detail.stage_name);

    // The pipeline is in another currency, and has one more deal, after each read.
    let currencies = json!([null, "EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN"]);
    let codes = currencies.as_array().unwrap().clone();
    let pim = meddled(stage, desk, move |n| {
        let n = usize::try_from(n).unwrap() + 1;
        let currency = json!({ "currency": currencies[n] });
        let key = new(Kind::Deal, u32::try_from(n).unwrap());
        patch::<Pipeline>(pipeline, currency).and(put(key, deal.clone()))
    });
    let found = json!(pim.pipelines(desk.tenant).analytics(pipeline, None, None).await.unwrap());
    let expected = codes.iter().position(|currency| found["currencies"][0]["currency"] == *currency);
    assert_eq!(found["currencies"][0]["open_count"], json!(expected.unwrap() + 1), "{found}");

    // The filter is read first: which stages are of that type.
    let won = desk.create::<DealStage>(json!({ "pipeline_id": pipeline, "name": "w", "stage_type": "won" })).await.id;
    let sold = desk.create::<Deal>(json!({ "name": "Sold", "pipeline_id": pipeline, "stage_id": won })).await.id;
    let pim = meddled(stage, desk, move |n| {
        let key = new(Kind::Stage, n);
        let body = json!({ "pipeline_id": pipeline, "name": "w", "position": 100 + n, "stage_type": "won" });
        put(key, body).and(patch::<Deal>(sold, json!({ "stage_id": key.id })))
    });
    let filter = DealFilter { stage_type: Some(StageType::Won), ..DealFilter::default() };
    let listed = pim.deals(desk.tenant).list(filter).all().await.unwrap();
    assert_eq!(listed.iter().map(|deal| deal.id).collect::<Vec<_>>(), [sold]);
}

async fn events(stage: &Stage, desk: &Desk) {
    let calendar = desk.create::<Calendar>(json!({ "name": "Work" })).await.id;
    let body = json!({
        "calendar_id": calendar, "title": "0", "start_at": "2026-05-04T07:00:00Z", "end_at": "2026-05-04T08:00:00Z",
    });
    let talk = desk.create::<Event>(body.clone()).await.id;
    let pim = meddled(stage, desk, move |n| {
        let attendee = json!({ "event_id": talk, "email": format!("{n}@example.org") });
        let link = json!({ "event_id": talk, "entity_type": "contact", "entity_id": contact(n).id });
        patch::<Event>(talk, json!({ "title": (n + 1).to_string() }))
            .and(put(new(Kind::Attendee, n), attendee))
            .and(put(new(Kind::EventLink, n), link))
    });
    for _ in 0..2 {
        let detail = pim.events(desk.tenant).detail(talk).await.unwrap();
        let (attendees, links) = (detail.attendees.len().to_string(), detail.links.len().to_string());
        assert_eq!((&attendees, &links), (&detail.event.data.title, &detail.event.data.title));
    }

    // The event is in another calendar after each read.
    let pim = meddled(stage, desk, move |n| {
        let key = new(Kind::Calendar, n);
        put(key, json!({ "name": "Next" })).and(patch::<Event>(talk, json!({ "calendar_id": key.id })))
    });
    let moment = |text: &str| -> Moment { text.parse().unwrap() };
    let request = AvailabilityRequest::new(moment("2026-05-04"), moment("2026-05-05"));
    assert_eq!(pim.events(desk.tenant).availability(&request).await.unwrap().busy.len(), 1);

    // One more occurrence of the series differs after each read.
    let mut daily = body;
    daily["rrule"] = json!("FREQ=DAILY;COUNT=20");
    daily["title"] = json!("Daily");
    let series = desk.create::<Event>(daily).await;
    let (id, data) = (series.id, series.data);
    let pim = meddled(stage, desk, move |n| {
        let day = i64::from(n) * 24 * 3600 * 1_000_000;
        let start = Moment::Instant(Timestamp::from_micros(data.start_at.unwrap().as_micros() + day));
        let once = Event { rrule: None, series_id: Some(id), recurrence_id: Some(start), ..data.clone() };
        put(new(Kind::Event, n), json!(once.moved_to(start)))
    });
    let events = pim.events(desk.tenant);
    let may = EventFilter {
        from: Some(moment("2026-05-01")),
        to: Some(moment("2026-06-01")),
        ical_uid: None,
        ..EventFilter::default()
    };
    let (mut found, mut cursor) = (0, None);
    loop {
        let page = events.occurrences(&may, None, &PageRequest::new(8, cursor).unwrap()).await.unwrap();
        found += page.data.iter().filter(|occurrence| occurrence.title == "Daily").count();
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, 20);
    let page = events.event_occurrences(id, (None, None), &PageRequest::default()).await.unwrap();
    assert_eq!(page.data.len(), 20);
}
