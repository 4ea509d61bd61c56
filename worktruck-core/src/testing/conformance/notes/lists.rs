use serde_json::json;

use super::*;
use crate::entity::attachment::Attachment;
use crate::entity::note_tag::NoteTag;
use crate::entity::notebook::Notebook;
use crate::pim::notes::{NoteFilter, NoteSort, NotebookDetail};
use crate::{ErrorKind, Page, Timestamp};

/// Notes are filtered by tag, notebook, pin and archive, and sorted by title, at any moment.
pub async fn notes_are_filtered_and_sorted(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let notebook = desk.create::<Notebook>(json!({ "name": "Work" })).await;
    for (name, more) in [
        ("beta", json!({ "tags": ["x", " y "], "notebook_id": notebook.id })),
        ("Alpha", json!({ "tags": ["x"], "is_pinned": true })),
        ("gamma", json!({ "is_archived": true, "notebook_id": notebook.id, "body": "alphabet" })),
    ] {
        let mut body = title(name);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        desk.create::<Note>(body).await;
        desk.wait(1);
    }
    let then = pause(&desk);
    let table = [
        (json!({}), vec!["Alpha", "beta", "gamma"]),
        (json!({ "tag": "x" }), vec!["Alpha", "beta"]),
        (json!({ "tag": "y" }), vec!["beta"]),
        (json!({ "tag": "X" }), vec![]),
        (json!({ "notebook_id": notebook.id }), vec!["beta", "gamma"]),
        (json!({ "notebook_id": notebook.id, "archived": false }), vec!["beta"]),
        (json!({ "pinned": true }), vec!["Alpha"]),
        (json!({ "pinned": false, "archived": true }), vec!["gamma"]),
    ];
    let check = async |notes: &Records<Note>| {
        for (filter, expected) in &table {
            let filter: NoteFilter = serde_json::from_value(filter.clone()).unwrap();
            let found = notes.list(filter.clone()).sort(NoteSort::Title).await.unwrap().data;
            assert_eq!(titles(found), *expected, "{filter:?}");
        }
    };
    check(&notes).await;
    let all = notes.list(NoteFilter::default());
    assert_eq!(titles(all.await.unwrap().data), ["beta", "Alpha", "gamma"], "in order of creation");
    let found = notes.list(NoteFilter::default()).search("alpha").sort(NoteSort::Title).descending().await.unwrap();
    assert_eq!(titles(found.data), ["gamma", "Alpha"]);
    for note in notes.list(NoteFilter::default()).all().await.unwrap() {
        notes
            .update(note.id, json!({ "title": "z", "tags": [], "notebook_id": null, "is_pinned": false }))
            .await
            .unwrap();
    }
    desk.wait(1);
    check(&notes.clone().as_of(then)).await;
    let past = notes.as_of(then);
    let listed = past.list(NoteFilter::default()).search("alpha").await;
    assert_eq!(refusal(listed), (ErrorKind::InvalidRequest, "/as_of".to_owned()));
}

/// A notebook counts its notes; when it is deleted they stay, in none.
pub async fn notes_of_a_deleted_notebook_stay(stage: Stage) {
    let desk = Desk::new(&stage);
    let (notes, notebooks) = (desk.of::<Note>(), desk.of::<Notebook>());
    let notebook = desk.create::<Notebook>(json!({ "name": "Work", "description": "x", "note_count": 7 })).await;
    assert_eq!(notebooks.detail(notebook.id).await.unwrap().note_count, 0);
    let start = pause(&desk);
    let mut inside = Vec::new();
    for n in 0..3 {
        inside.push(desk.create::<Note>(json!({ "title": n.to_string(), "notebook_id": notebook.id })).await);
    }
    write(&desk, "outside", "").await;
    notes.delete(inside.pop().unwrap().id).await.unwrap();
    let detail = notebooks.detail(notebook.id).await.unwrap();
    let mut shown = json!(detail.notebook);
    shown["note_count"] = json!(2);
    assert_eq!(json!(detail), shown);
    let empty = desk.create::<Notebook>(json!({ "name": "Empty" })).await;
    let page = notebooks.details(PageRequest::new(1, None).unwrap()).await.unwrap();
    let rest = notebooks.details(PageRequest::new(1, page.next_cursor.clone()).unwrap()).await.unwrap();
    let counts = |page: &Page<NotebookDetail>| (page.data[0].notebook.id, page.data[0].note_count, page.has_more);
    assert_eq!((counts(&page), counts(&rest)), ((notebook.id, 2, true), (empty.id, 0, false)));
    let then = pause(&desk);
    notebooks.delete(notebook.id).await.unwrap();
    for note in &inside {
        let left = notes.get(note.id).await.unwrap();
        assert_eq!((left.data.notebook_id, left.version()), (None, 2));
        assert_eq!(notes.clone().as_of(then).get(note.id).await.unwrap().data.notebook_id, Some(notebook.id));
    }
    assert_eq!(refusal(notebooks.detail(notebook.id).await).0, ErrorKind::NotFound);
    assert_eq!(notebooks.clone().as_of(then).detail(notebook.id).await.unwrap().note_count, 2);
    assert_eq!(notebooks.clone().as_of(start).detail(notebook.id).await.unwrap().note_count, 0);
    let late = json!({ "notebook_id": notebook.id });
    assert_eq!(refusal(notes.update(inside[0].id, late).await), (ErrorKind::InvalidRequest, "/notebook_id".to_owned()));
    assert_eq!(refusal(notebooks.create_from(json!({})).await).1, "/name");
}

/// Setting a tag that is set, or taking one that is not, changes nothing.
pub async fn tag_of_a_note_is_set_and_taken_once(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let note = write(&desk, "Note", "").await;
    let then = pause(&desk);
    let versions = [
        notes.tag(note.id, " b ").await.unwrap().version(),
        notes.tag(note.id, "b").await.unwrap().version(),
        notes.tag(note.id, "a").await.unwrap().version(),
        notes.untag(note.id, "c").await.unwrap().version(),
    ];
    assert_eq!(versions, [2, 2, 3, 3]);
    assert_eq!(notes.get(note.id).await.unwrap().data.tags, ["a", "b"]);
    assert_eq!(notes.untag(note.id, "b").await.unwrap().data.tags, ["a"]);
    assert!(notes.clone().as_of(then).get(note.id).await.unwrap().data.tags.is_empty());
    assert_eq!(refusal(notes.tag(note.id, " ").await).0, ErrorKind::InvalidRequest);
    assert_eq!(refusal(notes.clone().if_version(1).tag(note.id, "a").await).0, ErrorKind::VersionMismatch);
    notes.delete(note.id).await.unwrap();
    assert_eq!(refusal(notes.tag(note.id, "a").await).0, ErrorKind::NotFound);
    assert_eq!(refusal(notes.untag(note.id, "a").await).0, ErrorKind::NotFound);
}

/// A tag that is renamed is renamed on its notes in the same commit, and one that is deleted is taken from them.
pub async fn renamed_tag_is_renamed_on_its_notes(stage: Stage) {
    let desk = Desk::new(&stage);
    let (notes, tags) = (desk.of::<Note>(), desk.of::<NoteTag>());
    let one = desk.create::<Note>(json!({ "title": "1", "tags": ["old", "z"] })).await;
    let two = desk.create::<Note>(json!({ "title": "2", "tags": ["new", "old"] })).await;
    let three = desk.create::<Note>(json!({ "title": "3", "tags": ["z"] })).await;
    let tag = desk.create::<NoteTag>(json!({ "name": " old ", "color": "#f00" })).await;
    assert_eq!(tag.data.name, "old");
    assert_eq!(refusal(tags.create_from(json!({ "name": "old" })).await).0, ErrorKind::Conflict);
    let other = desk.create::<NoteTag>(json!({ "name": "z" })).await;
    assert_eq!(refusal(tags.update(other.id, json!({ "name": "old" })).await).0, ErrorKind::Conflict);
    let then = pause(&desk);
    tags.update(tag.id, json!({ "description": "x" })).await.unwrap();
    assert_eq!(notes.get(one.id).await.unwrap().version(), 1);
    let renamed = tags.update(tag.id, json!({ "name": "new" })).await.unwrap();
    let of = async |id, at: Option<Timestamp>| {
        let notes = at.map_or_else(|| notes.clone(), |at| notes.clone().as_of(at));
        notes.get(id).await.unwrap().data.tags
    };
    assert_eq!(of(one.id, None).await, ["new", "z"]);
    assert_eq!(of(two.id, None).await, ["new"]);
    assert_eq!(of(three.id, None).await, ["z"]);
    assert_eq!(of(one.id, Some(then)).await, ["old", "z"]);
    assert_eq!(notes.get(one.id).await.unwrap().stored.slice.tx_id, renamed.stored.slice.tx_id);
    tags.delete(other.id).await.unwrap();
    assert_eq!(of(one.id, None).await, ["new"]);
    assert!(of(three.id, None).await.is_empty());
    assert_eq!(of(two.id, None).await, ["new"]);
}

/// Attachments belong to their note, and go with it.
pub async fn attachments_go_with_their_note(stage: Stage) {
    let desk = Desk::new(&stage);
    let (notes, files) = (desk.of::<Note>(), desk.of::<Attachment>());
    let note = write(&desk, "Note", "").await;
    let other = write(&desk, "Other", "").await;
    let mut file = json!({ "note_id": note.id, "url": "https://example.org/a.png", "size_bytes": 7 });
    file["media_type"] = json!("image/png");
    let one = desk.create::<Attachment>(file.clone()).await;
    let two = notes.attach(note.id, json!({ "url": "https://example.org/b" })).await.unwrap();
    assert_eq!(two.data.note_id, note.id);
    assert_eq!(refusal(notes.attach(one.id, json!({ "url": "https://example.org/b" })).await).0, ErrorKind::NotFound);
    let elsewhere = json!({ "note_id": other.id, "url": "https://example.org/b" });
    assert_eq!(refusal(notes.attach(note.id, elsewhere).await), (ErrorKind::InvalidRequest, "/note_id".to_owned()));
    desk.create::<Attachment>(json!({ "note_id": other.id, "url": "https://example.org/c" })).await;
    let list = async |notes: &Records<Note>| {
        let page = notes.attachments(note.id, PageRequest::default()).await.unwrap();
        page.data.into_iter().map(|file| file.id).collect::<Vec<_>>()
    };
    assert_eq!(list(&notes).await, [one.id, two.id]);
    for (field, value) in
        [("url", json!("x")), ("media_type", json!("png")), ("size_bytes", json!(-1)), ("note_id", json!(one.id))]
    {
        let mut wrong = file.clone();
        wrong[field] = value;
        assert_eq!(refusal(files.create_from(wrong).await), (ErrorKind::InvalidRequest, format!("/{field}")));
    }
    let then = pause(&desk);
    assert_eq!(refusal(notes.detach(other.id, one.id).await).0, ErrorKind::NotFound);
    notes.detach(note.id, one.id).await.unwrap();
    assert_eq!(list(&notes).await, [two.id]);
    notes.delete(note.id).await.unwrap();
    assert_eq!(refusal(files.get(two.id).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(notes.attachments(note.id, PageRequest::default()).await).0, ErrorKind::NotFound);
    assert_eq!(list(&notes.clone().as_of(then)).await, [one.id, two.id]);
    assert_eq!(files.list(Default::default()).await.unwrap().data.len(), 1);
}
