use std::time::Duration;

use serde_json::json;

use super::*;
use crate::entity::contact::Contact;
use crate::entity::note_link::LinkTargetType;
use crate::pim::notes::NoteLinkFilter;
use crate::testing::conformance::build;
use crate::{Clock as _, ErrorKind};

/// The links of a text are made in the commit of its note, those that lead nowhere yet too.
pub async fn links_of_a_text_are_made_with_the_note(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let plan = write(&desk, "Plan", "").await;
    let contact = desk.create::<Contact>(json!({ "display_name": "Ada" })).await;
    let body =
        format!("[[plan#Goals|the goals]] `[[Code]]` [[Missing]] \\[[No]] [[contact:{}]] [[Missing]]", contact.id);
    let note = write(&desk, "Note", &body).await;
    let links = links_of(&notes, note.id).await;
    let told: Vec<_> = links.iter().map(|link| serde_json::to_value(&link.data).unwrap()).collect();
    let shared = json!({ "note_id": note.id, "is_manual": false, "metadata": {} });
    let with = |more: Value| {
        let mut all = shared.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let expected = [
        with(json!({
            "target_type": "note", "target_id": plan.id, "title": "plan", "alias": "the goals", "heading": "Goals"
        })),
        with(json!({ "target_type": "note", "title": "Missing" })),
        with(json!({ "target_type": "contact", "target_id": contact.id })),
    ];
    assert_eq!(told, expected);
    assert!(links.iter().all(|link| link.stored.slice.tx_id == note.stored.slice.tx_id), "one commit");
    let detail = notes.detail(note.id).await.unwrap();
    let mut shown = json!(note);
    (shown["outgoing_link_count"], shown["backlink_count"]) = (json!(3), json!(0));
    assert_eq!(json!(detail), shown);
    assert_eq!(notes.detail(plan.id).await.unwrap().backlink_count, 1);
    let page = notes.links(note.id, PageRequest::new(2, None).unwrap()).await.unwrap();
    let rest = notes.links(note.id, PageRequest::new(2, page.next_cursor).unwrap()).await.unwrap();
    assert_eq!((page.data.len(), rest.data.len(), rest.has_more), (2, 1, false));
    let found = notes.backlinks(plan.id, PageRequest::default()).await.unwrap().data;
    let context = found[0].context.as_deref().unwrap();
    assert_eq!(found[0].note_title, "Note");
    let mut shown = json!(found[0].link);
    (shown["note_title"], shown["context"]) = (json!("Note"), json!(context));
    assert_eq!(json!(found[0]), shown);
    assert!(context.len() >= 100 && body.starts_with(context), "{context}");
    let nobody = desk.pim.notes(build::tenant_id(2));
    assert_eq!(refusal(nobody.links(note.id, PageRequest::default()).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(nobody.backlinks(plan.id, PageRequest::default()).await).0, ErrorKind::NotFound);
}

/// A link that waits leads to its note as soon as there is one, in the commit that makes it.
pub async fn waiting_link_leads_to_its_note_when_that_comes(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let one = write(&desk, "One", "[[Road  Map]]").await;
    let two = write(&desk, "Two", "[[road map|x]] [[Other]]").await;
    let before = pause(&desk);
    let map = write(&desk, "ROAD map", "[[Road Map]]").await;
    let after = pause(&desk);
    assert_eq!(targets(&notes, one.id).await, [Some(map.id)]);
    assert_eq!(targets(&notes, two.id).await, [Some(map.id), None]);
    assert_eq!(linking(&notes, map.id).await, [one.id, two.id, map.id]);
    let link = links_of(&notes, one.id).await.remove(0);
    assert_eq!((link.stored.slice.tx_id, link.version()), (map.stored.slice.tx_id, 2));
    assert_eq!(link.data.title.as_deref(), Some("Road  Map"), "as the text has it");
    let past = notes.clone().as_of(before);
    assert_eq!(targets(&past, one.id).await, [None]);
    assert_eq!(refusal(past.backlinks(map.id, PageRequest::default()).await).0, ErrorKind::NotFound);
    notes.delete(one.id).await.unwrap();
    assert_eq!(linking(&notes, map.id).await, [two.id, map.id]);
    assert_eq!(linking(&notes.clone().as_of(after), map.id).await, [one.id, two.id, map.id]);
    assert_eq!(notes.clone().as_of(after).detail(map.id).await.unwrap().backlink_count, 3);
    assert_eq!(notes.detail(map.id).await.unwrap().backlink_count, 2);
}

/// A note that is called otherwise takes the links to its new title and leaves those to the old one.
pub async fn renamed_note_takes_the_links_to_its_new_title(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let target = write(&desk, "Old", "[[Old]]").await;
    let one = write(&desk, "One", "[[old]] [[New]]").await;
    assert_eq!(targets(&notes, one.id).await, [Some(target.id), None]);
    let before = pause(&desk);
    let renamed = notes.update(target.id, title("New")).await.unwrap();
    assert_eq!(targets(&notes, one.id).await, [None, Some(target.id)]);
    assert_eq!(targets(&notes, target.id).await, [None], "its own too");
    let link = links_of(&notes, one.id).await.remove(0);
    assert_eq!(link.stored.slice.tx_id, renamed.stored.slice.tx_id);
    assert_eq!(targets(&notes.clone().as_of(before), one.id).await, [Some(target.id), None]);
    let version = links_of(&notes, one.id).await[1].version();
    notes.update(target.id, title("NEW")).await.unwrap();
    assert_eq!(links_of(&notes, one.id).await[1].version(), version, "another case is the same title");
    notes.update(target.id, json!({ "title": "Old", "body": "[[New]] [[Old]]" })).await.unwrap();
    assert_eq!(targets(&notes, one.id).await, [Some(target.id), None]);
    let own = links_of(&notes, target.id).await;
    let own = own.into_iter().map(|link| (link.data.title.unwrap(), link.data.target_id));
    assert_eq!(own.collect::<Vec<_>>(), [("Old".to_owned(), Some(target.id)), ("New".to_owned(), None)]);
    notes.update(target.id, json!({ "is_archived": true })).await.unwrap();
    assert_eq!(linking(&notes, target.id).await, [target.id, one.id], "an archived note keeps its links");
}

/// Links by an alias of the front matter lead to its note, unless a note has it as its title.
pub async fn alias_of_the_front_matter_is_a_title_too(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let one = write(&desk, "One", "[[Map]] [[Plan]]").await;
    let plan = write(&desk, "Plan", "---\naliases: [map, chart]\n---\n").await;
    assert_eq!(targets(&notes, one.id).await, [Some(plan.id), Some(plan.id)]);
    let map = write(&desk, "Map", "").await;
    assert_eq!(targets(&notes, one.id).await, [Some(map.id), Some(plan.id)], "a title goes before an alias");
    notes.delete(map.id).await.unwrap();
    assert_eq!(targets(&notes, one.id).await, [Some(plan.id), Some(plan.id)]);
    notes.update(plan.id, json!({ "title": "Strategy", "body": "---\naliases: [Plan]\n---\n" })).await.unwrap();
    assert_eq!(targets(&notes, one.id).await, [None, Some(plan.id)], "an old title that stays as an alias");
    notes.update(plan.id, json!({ "body": "" })).await.unwrap();
    assert_eq!(targets(&notes, one.id).await, [None, None]);
    notes.update(plan.id, json!({ "metadata": { "aliases": ["Map"] } })).await.unwrap();
    assert_eq!(targets(&notes, one.id).await, [Some(plan.id), None], "however it came into the metadata");
}

/// Of several notes with one title the oldest has the links.
pub async fn oldest_of_several_notes_has_the_title(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let oldest = write(&desk, "Else", "").await;
    desk.wait(1);
    let first = write(&desk, "Same", "").await;
    desk.wait(1);
    let linking_note = write(&desk, "Links", "[[Same]]").await;
    let second = write(&desk, "same", "").await;
    desk.wait(1);
    let third = write(&desk, "SAME", "").await;
    assert_eq!(targets(&notes, linking_note.id).await, [Some(first.id)]);
    notes.update(oldest.id, title("Same")).await.unwrap();
    assert_eq!(targets(&notes, linking_note.id).await, [Some(oldest.id)]);
    let late = write(&desk, "Late", "[[same]]").await;
    assert_eq!(targets(&notes, late.id).await, [Some(oldest.id)]);
    notes.delete(oldest.id).await.unwrap();
    assert_eq!(targets(&notes, linking_note.id).await, [Some(first.id)]);
    notes.update(first.id, title("x")).await.unwrap();
    assert_eq!(targets(&notes, late.id).await, [Some(second.id)]);
    notes.delete(second.id).await.unwrap();
    notes.delete(third.id).await.unwrap();
    assert_eq!(targets(&notes, late.id).await, [None]);
}

/// A deleted note takes its links with it; links by its title wait again, and those that were made to it go.
pub async fn deleted_note_leaves_the_links_to_it_waiting(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let target = write(&desk, "Target", "[[One]]").await;
    let one = write(&desk, "One", &format!("[[Target]] [[note:{}]]", target.id)).await;
    notes.link(one.id, LinkTargetType::Note, target.id).await.unwrap();
    notes.link(target.id, LinkTargetType::Note, target.id).await.unwrap();
    let before = pause(&desk);
    notes.delete(target.id).await.unwrap();
    assert_eq!(targets(&notes, one.id).await, [None, Some(target.id)], "a link by id still names it");
    assert!(linking(&notes, one.id).await.is_empty());
    assert_eq!(desk.pim.note_links(desk.tenant).list(NoteLinkFilter::default()).all().await.unwrap().len(), 2);
    let past = notes.clone().as_of(before);
    assert_eq!(targets(&past, one.id).await, [Some(target.id); 3]);
    assert_eq!(linking(&past, one.id).await, [target.id]);
    let anew = write(&desk, "Target", "").await;
    assert_eq!(targets(&notes, one.id).await[0], Some(anew.id));
}

/// A text that changes leaves the links alone that it still has.
pub async fn changed_text_changes_only_the_links_that_differ(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let note = write(&desk, "Note", "[[A]] [[B]]").await;
    let before = links_of(&notes, note.id).await;
    let then = pause(&desk);
    notes.update(note.id, json!({ "body": "[[B]] [[C]]" })).await.unwrap();
    let after = links_of(&notes, note.id).await;
    assert_eq!(after[0], before[1], "it was not written again");
    assert_eq!(after[1].data.title.as_deref(), Some("C"));
    notes.update(note.id, json!({ "is_pinned": true, "tags": ["x"] })).await.unwrap();
    assert_eq!(links_of(&notes, note.id).await, after);
    let spelled = notes.update(note.id, json!({ "body": "[[b]] [[C|c]]" })).await.unwrap();
    let last = links_of(&notes, note.id).await;
    assert_eq!((last[0].id, last[0].data.title.as_deref(), last[0].version()), (before[1].id, Some("b"), 2));
    assert_eq!((last[1].data.alias.as_deref(), last[1].version()), (Some("c"), 1));
    assert_eq!(last[1].stored.slice.tx_id, spelled.stored.slice.tx_id);
    let titles =
        |links: Vec<Stored<NoteLink>>| links.into_iter().map(|link| link.data.title.unwrap()).collect::<Vec<_>>();
    assert_eq!(titles(links_of(&notes.clone().as_of(then), note.id).await), ["A", "B"]);
    let whole = Note { title: "Note".to_owned(), ..Note::default() };
    notes.replace(note.id, whole).await.unwrap();
    assert!(links_of(&notes, note.id).await.is_empty());
}

/// A link that somebody made stays whatever the text says, and is found from its target.
pub async fn made_link_stays_when_the_text_changes(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let note = write(&desk, "Note", "[[A]]").await;
    let contact = desk.create::<Contact>(json!({ "display_name": "Ada" })).await;
    let made = notes.link(note.id, LinkTargetType::Contact, contact.id).await.unwrap();
    assert_eq!(made.data, NoteLink::manual(note.id, LinkTargetType::Contact, contact.id));
    notes.update(note.id, json!({ "body": format!("[[contact:{}]]", contact.id) })).await.unwrap();
    let links = links_of(&notes, note.id).await;
    assert_eq!(links.iter().map(|link| link.data.is_manual).collect::<Vec<_>>(), [true, false]);
    let of_contact = notes.backlinks_of(LinkTargetType::Contact, contact.id, PageRequest::default()).await.unwrap();
    assert_eq!(of_contact.data.len(), 2);
    assert_eq!(refusal(notes.link(note.id, LinkTargetType::Contact, contact.id).await).0, ErrorKind::Conflict);
    let missing = notes.link(note.id, LinkTargetType::Task, contact.id).await;
    assert_eq!(refusal(missing), (ErrorKind::InvalidRequest, "/target_id".to_owned()));
    assert_eq!(refusal(notes.link(contact.id, LinkTargetType::Note, note.id).await).0, ErrorKind::NotFound);
    let waiting = json!({ "note_id": note.id, "target_type": "note", "title": "x" });
    assert_eq!(refusal(desk.of::<NoteLink>().create_from(waiting).await).1, "/title");
    assert_eq!(refusal(notes.unlink(note.id, links[1].id).await).0, ErrorKind::Conflict, "it is in the text");
    assert_eq!(
        refusal(desk.of::<NoteLink>().update(links[1].id, json!({ "alias": "x" })).await).0,
        ErrorKind::Conflict
    );
    let other = write(&desk, "Other", "").await;
    assert_eq!(refusal(notes.unlink(other.id, made.id).await).0, ErrorKind::NotFound, "it is another note's");
    let before = pause(&desk);
    notes.unlink(note.id, made.id).await.unwrap();
    assert_eq!(refusal(notes.unlink(note.id, made.id).await).0, ErrorKind::NotFound);
    assert_eq!(links_of(&notes, note.id).await.len(), 1);
    assert_eq!(links_of(&notes.clone().as_of(before), note.id).await.len(), 2);
    notes.link(note.id, LinkTargetType::Contact, contact.id).await.unwrap();
}

/// A note that is written for the past resolves links now, one for the future from then on.
pub async fn note_for_another_time_resolves_links_in_it(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let start = desk.wait(1_000);
    let one = write(&desk, "One", "[[Past]] [[Future]]").await;
    let past = notes.clone().valid_from(start).create_from(title("Past")).await.unwrap();
    let then = desk.clock.now().after(Duration::from_secs(500));
    let future = notes.clone().valid_from(then).create_from(title("Future")).await.unwrap();
    assert_eq!(targets(&notes, one.id).await, [Some(past.id), None]);
    assert_eq!(targets(&notes.clone().valid_at(then), one.id).await, [Some(past.id), Some(future.id)]);
    notes.clone().valid_from(start).update(past.id, json!({ "body": "[[One]] [[x]]" })).await.unwrap();
    let earlier = notes.clone().valid_at(start);
    assert_eq!(targets(&earlier, past.id).await, [Some(one.id), None], "with what is known now");
    assert_eq!(targets(&notes, past.id).await, [Some(one.id), None]);
    desk.wait(600);
    assert_eq!(targets(&notes, one.id).await, [Some(past.id), Some(future.id)]);
    notes.clone().valid_from(start).update(past.id, json!({ "body": "[[x]]" })).await.unwrap();
    assert_eq!(targets(&earlier, past.id).await, [None]);
    assert_eq!(targets(&notes, past.id).await, [None]);
    notes.clone().valid_from(start).delete(past.id).await.unwrap();
    assert_eq!(targets(&notes, one.id).await, [None, Some(future.id)]);
}
