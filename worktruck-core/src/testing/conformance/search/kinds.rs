//! What counts as the title, the headings and the body of each kind.

use crate::ErrorKind;
use crate::entity::contact::ContactKind;
use crate::entity::project::Project;
use crate::entity::task_status::StatusCategory;
use crate::pim::calendar::EventFilter;
use crate::pim::contacts::ContactFilter;
use crate::pim::crm::DealFilter;
use crate::pim::notes::NoteFilter;
use crate::pim::tasks::TaskFilter;

use super::*;

/// The name of a contact counts for more than its other names and channels, and these for more than its bio.
pub async fn search_of_contacts_shows_names_first(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let bodies = [
        json!({ "display_name": "Bo", "bio": "Knows Zoë well" }),
        json!({ "display_name": "Zoe", "given_name": "Zoe" }),
        json!({ "display_name": "Zoë Müller GmbH", "kind": "organization", "bio": "Builds roofs" }),
        json!({ "display_name": "Max Zoeller" }),
        json!({ "display_name": "Z.", "channels": [{ "type": "email", "value": "Zoe@Example.org" }] }),
        json!({ "display_name": "Y.", "nickname": "Zoë" }),
    ];
    write::<Contact>(&desk, bodies).await;
    let expected = [
        ("[Zoe]", ""),
        ("[Zoë] Müller GmbH", "Builds roofs"),
        ("Max [Zoeller]", ""),
        ("Y.", "[Zoë]"),
        ("Z.", "[Zoe]@Example.org"),
        ("Bo", "Knows [Zoë] well"),
    ];
    let hits = found(&contacts, "ZOË").await;
    assert_eq!(shown(&hits), pairs(&expected));
    assert!(hits.is_sorted_by(|one, other| one.score >= other.score));
    assert_eq!(shown(&found(&contacts, "zoe exa").await), pairs(&[("Z.", "[Zoe]@[Example].org")]));
    let firms = ContactFilter { kind: Some(ContactKind::Organization), ..ContactFilter::default() };
    let firms = contacts.search(&firms, "zoe", PageRequest::default()).await.unwrap();
    assert_eq!(titles(&firms.data), ["[Zoë] Müller GmbH"]);
    let listed = contacts.list(ContactFilter::default()).search("zoe").await.unwrap();
    assert_eq!(listed.data[0].data.display_name, "Bo", "a list with words keeps its own order");
}

/// The title of a task counts for more than its identifier, and that for more than its description.
pub async fn search_of_tasks_shows_titles_first(stage: Stage) {
    let desk = Desk::new(&stage);
    let tasks = desk.of::<Task>();
    let project = desk.create::<Project>(json!({ "identifier": "WEB", "name": "The site" })).await.id;
    let bodies = [
        json!({ "title": "Release", "description": "Put the **wéb** site out" }),
        json!({ "title": "Numbered", "project_id": project }),
        json!({ "title": "Weblog", "description": "Write" }),
        json!({ "title": "The web site", "status_category": "done" }),
        json!({ "title": "Other" }),
    ];
    for mut body in bodies {
        let done = body.as_object_mut().unwrap().remove("status_category").is_some();
        let task = desk.create::<Task>(body).await;
        if done {
            tasks.complete(task.id).await.unwrap();
        }
        desk.wait(1);
    }
    let expected = [
        ("[Weblog]", "Write"),
        ("The [web] site", ""),
        ("Numbered", "[WEB]-1"),
        ("Release", "Put the **[wéb]** site out"),
    ];
    assert_eq!(shown(&found(&tasks, "web").await), pairs(&expected));
    let open = TaskFilter { status_category: Some(StatusCategory::Todo), ..TaskFilter::default() };
    let open = tasks.search(&open, "web", PageRequest::default()).await.unwrap();
    assert_eq!(titles(&open.data), ["[Weblog]", "Numbered", "Release"]);
    assert_eq!(titles(&found(&tasks, "site web").await), ["The [web] [site]", "Release"]);
}

/// The title of an event counts for more than its location, and that for more than its description.
pub async fn search_of_events_shows_titles_first(stage: Stage) {
    let desk = Desk::new(&stage);
    let events = desk.of::<Event>();
    let calendar = desk.create::<Calendar>(json!({ "name": "Work" })).await.id;
    let at = |day: u32| format!("2026-05-{day:02}T07:00:00Z");
    let bodies = [
        json!({ "title": "Talk", "description": "about the budget, in the Café", "start_at": at(4) }),
        json!({ "title": "Lunch", "location": "Café Budgét", "start_at": at(5), "rrule": "FREQ=DAILY;COUNT=2" }),
        json!({ "title": "Budget", "start_at": at(20) }),
    ];
    write::<Event>(
        &desk,
        bodies.map(|mut body| {
            body["calendar_id"] = json!(calendar);
            body
        }),
    )
    .await;
    let expected = [("[Budget]", ""), ("Lunch", "Café [Budgét]"), ("Talk", "about the [budget], in the Café")];
    assert_eq!(shown(&found(&events, "BUDG").await), pairs(&expected));
    assert_eq!(titles(&found(&events, "café about").await), ["Talk"]);
    let moment = |text: &str| Some(text.parse().unwrap());
    let window = EventFilter { from: moment("2026-05-05"), to: moment("2026-05-07"), ..EventFilter::default() };
    let within = events.search(&window, "budget", PageRequest::default()).await.unwrap();
    assert_eq!(titles(&within.data), ["Lunch"]);
}

/// The name of a deal counts for more than its description, its next step and its source.
pub async fn search_of_deals_shows_names_first(stage: Stage) {
    let desk = Desk::new(&stage);
    let deals = desk.of::<Deal>();
    let pipeline = desk.create::<Pipeline>(json!({ "name": "Sales", "currency": "EUR" })).await.id;
    let lead = json!({ "pipeline_id": pipeline, "name": "Lead", "stage_type": "open", "probability": 0.1 });
    desk.create::<DealStage>(lead).await;
    let bodies = [
        json!({ "name": "Barn door", "next_step": "Send the slate sample", "source": "Fair", "lost_reason": "hidden" }),
        json!({ "name": "Slate roof", "description": "Of the barn" }),
        json!({ "name": "Chapel", "description": "Slate, slate and slate again" }),
        json!({ "name": "Stéel and slate" }),
    ];
    write::<Deal>(&desk, bodies).await;
    let expected = [
        ("[Slate] roof", "Of the barn"),
        ("Stéel and [slate]", ""),
        ("Chapel", "[Slate], [slate] and [slate] again"),
        ("Barn door", "Send the [slate] sample"),
    ];
    assert_eq!(shown(&found(&deals, "slate").await), pairs(&expected));
    assert_eq!(shown(&found(&deals, "fair").await), pairs(&[("Barn door", "[Fair]")]));
    assert!(found(&deals, "hidden").await.is_empty());
    let elsewhere = DealFilter { contact_id: Some(pipeline), ..DealFilter::default() };
    assert!(deals.search(&elsewhere, "slate", PageRequest::default()).await.unwrap().data.is_empty());
}

/// The title of a note counts for more than its aliases and headings, and these for more than its text.
pub async fn search_of_notes_shows_titles_first(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let bodies = [
        ("Body", "A long story about the Pläne of others."),
        ("Alias", "---\naliases: [\"Pl\\u00e4n\"]\n---\nnothing else"),
        ("Heading", "# Plan\ntext"),
        ("Plan", ""),
        ("The plan of plans", "text"),
        ("Planning", ""),
        ("Other", "nothing"),
    ];
    write::<Note>(&desk, bodies.map(|(title, body)| json!({ "title": title, "body": body }))).await;
    let hits = found(&notes, "PLAN").await;
    let expected = [
        ("[Plan]", ""),
        ("[Planning]", ""),
        ("The [plan] of [plans]", "text"),
        ("Heading", "# [Plan]\ntext"),
        ("Alias", "[Plän]"),
        ("Body", "A long story about the [Pläne] of others."),
    ];
    assert_eq!(shown(&hits), pairs(&expected));
    assert_eq!(json!(hits[5].snippet.matches), json!([{ "from": 23, "to": 28 }]));
    let tagged = NoteFilter { tag: Some("x".to_owned()), ..NoteFilter::default() };
    assert!(notes.search(&tagged, "plan", PageRequest::default()).await.unwrap().data.is_empty());
    let two = found(&notes, "story pla").await;
    assert_eq!(titles(&two), ["Body"], "all words, each as the beginning of one");
    let past = notes.clone().as_of(desk.wait(1)).search(&NoteFilter::default(), "plan", PageRequest::default()).await;
    assert_eq!(refusal(past), (ErrorKind::InvalidRequest, "/as_of".to_owned()));
}
