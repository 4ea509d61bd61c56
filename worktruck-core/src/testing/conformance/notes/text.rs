use serde_json::json;

use super::*;
use crate::ErrorKind;
use crate::pim::notes::{NoteFilter, from_markdown, to_markdown};

/// A text is kept byte for byte, and its words are counted.
pub async fn text_is_kept_byte_for_byte(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let large = "naïve 🎉\r\n".repeat((1 << 20) / 14);
    for (body, words) in [
        ("", 0),
        (" \r\n\ttext \n\n", 1),
        ("\u{feff}---\r\ntitle: x\r\n---\r\none two\r\n", 2),
        ("e\u{301} \u{e9} \u{202e}\u{1}\\u0000", 3),
        ("# <b>&amp;</b> 'quoted' \"twice\" $1 %s", 5),
        (large.as_str(), 74_898),
    ] {
        let note = write(&desk, "Note", body).await;
        assert_eq!((note.data.body.as_str(), note.data.word_count), (body, words));
        let then = pause(&desk);
        assert_eq!(notes.get(note.id).await.unwrap().data.body, body);
        let changed = notes.update(note.id, json!({ "body": "three more words", "word_count": 99 })).await.unwrap();
        assert_eq!((changed.data.word_count, changed.version()), (3, 2), "it is counted, not believed");
        assert_eq!(notes.clone().as_of(then).get(note.id).await.unwrap().data.body, body);
        notes.delete(note.id).await.unwrap();
    }
}

/// What the front matter says is in the metadata while the text says it; what others put there stays.
pub async fn front_matter_is_in_the_metadata(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let body = "---\nstatus: draft\ntags: [a]\nowner: {name: Ada}\n---\ntext";
    let metadata = json!({ "status": "api", "kept": 1 });
    let note = desk.create::<Note>(json!({ "title": "Note", "body": body, "metadata": metadata })).await;
    let expected = json!({ "status": "draft", "tags": ["a"], "owner": { "name": "Ada" }, "kept": 1 });
    assert_eq!(json!(note.data.metadata), expected);
    assert!(note.data.tags.is_empty(), "the tags of a note are its own");
    let then = pause(&desk);
    let patched = notes.update(note.id, json!({ "metadata": { "status": "api", "more": 2 } })).await.unwrap();
    assert_eq!((&patched.data.metadata["status"], &patched.data.metadata["more"]), (&json!("draft"), &json!(2)));
    let body = "---\nowner: {role: lead}\n---\n";
    let changed = notes.update(note.id, json!({ "body": body })).await.unwrap();
    assert_eq!(json!(changed.data.metadata), json!({ "owner": { "role": "lead" }, "kept": 1, "more": 2 }));
    let set = notes.update(note.id, json!({ "body": "", "metadata": { "owner": "nobody" } })).await.unwrap();
    assert_eq!(json!(set.data.metadata), json!({ "owner": "nobody", "kept": 1, "more": 2 }));
    assert_eq!(json!(notes.clone().as_of(then).get(note.id).await.unwrap().data.metadata), expected);
    let whole = Note { title: "Note".to_owned(), body: "---\na: 1\n---\n".to_owned(), ..Note::default() };
    assert_eq!(json!(notes.replace(note.id, whole).await.unwrap().data.metadata), json!({ "a": 1 }));
}

/// Front matter that cannot be read, or would grow beyond all bounds, is a part of the text.
pub async fn broken_front_matter_is_a_part_of_the_text(stage: Stage) {
    let desk = Desk::new(&stage);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let before = format!("*a{}", n - 1);
        bomb += &format!("a{n}: &a{n} [{}]\n", [before.as_str(); 9].join(", "));
    }
    let deep = format!("a: {}", "[".repeat(10_000));
    for yaml in ["a: [", "a: 1\na: 2", "- a\n", "just words", "a: \"\\0\"", "a: *b", &bomb, &deep] {
        let body = format!("---\n{yaml}\n---\n[[Link]] text");
        let note = write(&desk, "Note", &body).await;
        assert_eq!((note.data.body.as_str(), note.data.metadata.len()), (body.as_str(), 0), "{yaml}");
        assert_eq!(links_of(&desk.of(), note.id).await.len(), 1);
    }
}

/// A note that is none is refused at its place, and nothing is written.
pub async fn bad_note_is_refused_at_its_place(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let nowhere = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d";
    let many: String = (0..2_001).map(|n| format!("[[{n}]]")).collect();
    for (body, pointer) in [
        (json!({}), "/title"),
        (json!({ "title": " " }), "/title"),
        (json!({ "title": "é".repeat(513) }), "/title"),
        (json!({ "title": "a\0" }), "/title"),
        (json!({ "title": "x", "body": "x".repeat((1 << 20) + 1) }), "/body"),
        (json!({ "title": "x", "body": "[[a]]\0" }), "/body"),
        (json!({ "title": "x", "body": many }), "/body"),
        (json!({ "title": "x", "tags": ["a", ""] }), "/tags/1"),
        (json!({ "title": "x", "tags": "a" }), "/tags"),
        (json!({ "title": "x", "source_url": "nowhere" }), "/source_url"),
        (json!({ "title": "x", "notebook_id": nowhere, "body": "[[a]]" }), "/notebook_id"),
        (json!({ "title": "x", "is_pinned": "yes" }), "/is_pinned"),
    ] {
        assert_eq!(refusal(notes.create_from(body).await), (ErrorKind::InvalidRequest, pointer.to_owned()));
    }
    assert_eq!(refusal(notes.create_from(json!({ "title": "x", "text": "y" })).await).0, ErrorKind::InvalidRequest);
    assert!(notes.list(NoteFilter::default()).await.unwrap().data.is_empty());
    assert!(desk.pim.note_links(desk.tenant).list(Default::default()).await.unwrap().data.is_empty());
}

/// A note that is written to a file and read back is the same, links and all.
pub async fn note_comes_back_from_its_file(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    for body in ["---\r\nb: 1\r\na: [x]\r\n---\r\n[[Plan]]\r\n", "[[Plan]] text", ""] {
        let fields = json!({ "title": "Title: \"x\"", "body": body, "tags": ["b", "a"], "metadata": { "own": [1] } });
        let note = desk.create::<Note>(fields).await;
        let file = to_markdown(&note.data);
        let copy = notes.create(from_markdown(&file, "copy.md")).await.unwrap();
        assert_eq!(copy.data, note.data);
        assert_eq!(links_of(&notes, copy.id).await.len(), links_of(&notes, note.id).await.len());
    }
    let foreign = notes.create(from_markdown("---\ntags: [a]\n---\n# Heading\n", "dir/file.md")).await.unwrap();
    assert_eq!((foreign.data.title.as_str(), foreign.data.tags.as_slice()), ("Heading", &["a".to_owned()][..]));
}
