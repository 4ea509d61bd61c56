use serde_json::json;

use super::*;
use crate::ErrorKind;
use crate::pim::notes::NoteFilter;

/// The best of what is found comes first, with the part of its text that matches.
pub async fn search_shows_the_best_match_first(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    for (name, body) in [
        ("Body", "A long story about the Pläne of others."),
        ("Heading", "# Plan\ntext"),
        ("Plan", ""),
        ("The plan of plans", "text"),
        ("Alias", "---\naliases: [Plan]\n---\nnothing else"),
        ("Planning", ""),
        ("Other", "nothing"),
    ] {
        write(&desk, name, body).await;
        desk.wait(1);
    }
    let found = notes.search(&NoteFilter::default(), "PLAN", PageRequest::default()).await.unwrap();
    let names: Vec<_> = found.data.iter().map(|hit| hit.note.data.title.as_str()).collect();
    assert_eq!(names, ["Plan", "Planning", "The plan of plans", "Heading", "Alias", "Body"]);
    assert!(found.data.is_sorted_by(|one, other| one.score >= other.score));
    let shown = &found.data[5].snippet;
    assert_eq!(
        json!(shown),
        json!({ "text": "A long story about the Pläne of others.", "matches": [{ "from": 23, "to": 28 }] })
    );
    assert_eq!(found.data[4].snippet.text, "nothing else");
    let page = notes.search(&NoteFilter::default(), "plan", PageRequest::new(4, None).unwrap()).await.unwrap();
    let rest = PageRequest::new(4, page.next_cursor.clone()).unwrap();
    let rest = notes.search(&NoteFilter::default(), "plan", rest).await.unwrap();
    let both: Vec<_> = page.data.iter().chain(&rest.data).map(|hit| hit.note.id).collect();
    assert_eq!((both, rest.has_more), (found.data.iter().map(|hit| hit.note.id).collect(), false));
    let other = PageRequest::new(4, page.next_cursor).unwrap();
    assert_eq!(refusal(notes.search(&NoteFilter::default(), "other", other).await).0, ErrorKind::InvalidCursor);
    let tagged = NoteFilter { tag: Some("x".to_owned()), ..NoteFilter::default() };
    assert!(notes.search(&tagged, "plan", PageRequest::default()).await.unwrap().data.is_empty());
    let two = notes.search(&NoteFilter::default(), "story pla", PageRequest::default()).await.unwrap().data;
    assert_eq!((two.len(), two[0].snippet.matches.len()), (1, 2), "all words, each as the beginning of one");
    let past = notes.clone().as_of(desk.wait(1)).search(&NoteFilter::default(), "plan", PageRequest::default()).await;
    assert_eq!(refusal(past), (ErrorKind::InvalidRequest, "/as_of".to_owned()));
}

/// A note with the words in its title is found among very many that have them in their text and were written later.
pub async fn search_finds_a_title_among_very_many_texts(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let whole = write(&desk, "The second quarterly report", "").await;
    let beginning = write(&desk, "Quarterly reporting", "").await;
    let one_word = write(&desk, "Report", "quarterly").await;
    for n in 0..205 {
        write(&desk, &n.to_string(), "the quarterly report").await;
    }
    let found =
        notes.search(&NoteFilter::default(), "quarterly report", PageRequest::new(4, None).unwrap()).await.unwrap();
    let ids: Vec<_> = found.data.iter().map(|hit| hit.note.id).collect();
    assert_eq!(ids[..3], [beginning.id, whole.id, one_word.id]);
    assert!(found.has_more);
}

/// A query of any kind finds something sensible or nothing.
pub async fn search_of_notes_takes_any_query(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let note = write(&desk, "Ends with 🎉", "a:b NOT \"quoted\" c++ 漢字").await;
    let long = "x".repeat(10_000);
    let many: String = (0..5_000).map(|n| format!("w{n} ")).collect();
    for (query, is_found) in [
        ("", false),
        ("🎉", false),
        ("\0", false),
        ("'\"*:()-^", false),
        ("\"quoted", true),
        ("not\0", true),
        ("a:b", true),
        ("quoted OR nothing", false),
        ("quoted*", true),
        ("ends -with", true),
        ("漢", true),
        ("%", false),
        (&long, false),
        (&many, false),
    ] {
        let found = notes.search(&NoteFilter::default(), query, PageRequest::default()).await.unwrap().data;
        let ids: Vec<_> = found.iter().map(|hit| hit.note.id).collect();
        assert_eq!(ids, if is_found { vec![note.id] } else { vec![] }, "{:?}", &query[..query.len().min(20)]);
    }
}
