use serde_json::json;

use super::*;

fn note(title: &str, body: &str) -> Note {
    let mut note = Note { title: title.to_owned(), body: body.to_owned(), ..Note::default() };
    note.normalise(&Locale::default()).unwrap();
    note
}

#[test]
fn a_field_that_is_wrong_is_refused_at_its_place() {
    let good = Note { title: "x".repeat(512), body: "x".repeat(1 << 20), ..Note::default() };
    good.clone().normalise(&Locale::default()).unwrap();
    let many: String = (0..=MAX_LINKS).map(|n| format!("[[{n}]]")).collect();
    for (mut wrong, pointer) in [
        (Note::default(), "/title"),
        (Note { title: "x".repeat(513), ..good.clone() }, "/title"),
        (Note { title: "a\0".to_owned(), ..good.clone() }, "/title"),
        (Note { body: "x".repeat((1 << 20) + 1), ..good.clone() }, "/body"),
        (Note { body: "a\0b".to_owned(), ..good.clone() }, "/body"),
        (Note { body: many, ..good.clone() }, "/body"),
        (Note { source_url: Some("x".to_owned()), ..good.clone() }, "/source_url"),
        (Note { tags: vec!["a".to_owned(), " ".to_owned()], ..good.clone() }, "/tags/1"),
        (Note { metadata: Map::from_iter([("a".to_owned(), json!("\0"))]), ..good }, "/metadata/a"),
    ] {
        assert_eq!(wrong.normalise(&Locale::default()).unwrap_err().pointer(), Some(pointer));
    }
}

#[test]
fn words_are_counted_behind_the_front_matter() {
    for (body, count) in [
        ("", 0),
        ("one", 1),
        ("# One two\n\n- three **four** - 5", 5),
        ("---\na: one two\n---\nthree", 1),
        ("---\na: [\n---\nthree", 3 - 1),
        ("naïve 漢字 🎉 it's a-b", 4),
    ] {
        assert_eq!(note("t", body).word_count, count, "{body}");
    }
}

#[test]
fn front_matter_wins_and_what_it_no_longer_says_is_forgotten() {
    let body = "---\na: 1\nb: 2\nc: 3\n---\n";
    let mut old = note("t", body);
    assert_eq!(json!(old.metadata), json!({"a": 1, "b": 2, "c": 3}));
    old.metadata = json!({"a": 9, "own": true, "b": 2, "c": 3}).as_object().unwrap().clone();
    old.normalise(&Locale::default()).unwrap();
    assert_eq!(old.metadata["a"], 1);
    let mut new = old.clone();
    new.body = "---\na: 5\n---\n".to_owned();
    new.metadata.insert("c".to_owned(), json!("set"));
    new.normalise(&Locale::default()).unwrap();
    new.forget_front_matter_of(&old);
    assert_eq!(json!(new.metadata), json!({"a": 5, "own": true, "c": "set"}));
}

#[test]
fn front_matter_that_would_not_do_is_kept_as_text() {
    for body in ["---\na: \"\\0\"\n---\nx", "---\na: [\n---\nx", "---\n"] {
        let note = note("t", body);
        assert_eq!((note.body.as_str(), note.metadata.len()), (body, 0), "{body}");
    }
}

#[test]
fn links_stand_in_front_matter_too() {
    let note = note("t", "---\nup: \"[[A]]\"\nall: ['[[B|b]]', {x: '[[A]]'}]\n---\n[[C]] [[a]]");
    let titles: Vec<_> = note.links().into_iter().map(|link| link.target).collect();
    // Members are in alphabetical order.
    assert_eq!(titles, ["B", "A", "C"].map(|title| LinkTarget::Title(title.to_owned())));
}

#[test]
fn a_note_is_found_by_all_that_lists_filter_by() {
    let notebook: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse().unwrap();
    let mut note = note("Road Map", "---\naliases: [Plan, plan, ' ', 7]\nalias: X\n---\n# Way\ntext");
    note.tags = vec!["a".to_owned()];
    note.notebook_id = Some(notebook);
    note.is_pinned = true;
    let index = note.index().unwrap();
    for term in [
        Term::new("tag", "a"),
        Term::new("notebook_id", notebook.to_string()),
        Term::new("pinned", "true"),
        Term::new("archived", "false"),
        Note::title_term(&title_key("road map")),
        Note::alias_term(&title_key("PLAN")),
        Note::alias_term(&title_key("x")),
    ] {
        assert!(index.terms.contains(&term), "{term:?}");
    }
    assert_eq!(index.terms.iter().filter(|term| term.name == "alias_key").count(), 2);
    assert_eq!(index.sort, [("title", "road map".to_owned())]);
    let texts = note.texts();
    assert_eq!((texts.title, &*texts.headings), ("Road Map", &["Plan", "plan", "X", "Way"][..]));
    assert_eq!(texts.body, ["# Way\ntext", "aliases: [Plan, plan, ' ', 7]\nalias: X\n"]);
}

#[test]
fn the_name_of_its_file_is_an_alias_unless_it_is_the_title() {
    let mut note = note("The great plan", "---\naliases: [Map]\n---\n");
    note.metadata.insert(FILE.to_owned(), json!("Plan v1.2.md"));
    assert_eq!(note.aliases(), ["Map", "Plan v1.2"]);
    note.title = "Plan v1.2".to_owned();
    assert_eq!(note.aliases(), ["Map"]);
}
