//! What is imported is exported to the last byte, and what is exported is imported as it was.

use serde_json::json;
use worktruck_core::entity::note::Note;
use worktruck_core::entity::notebook::Notebook;

use crate::{World, counts, files, folder};

/// A vault as people have them.
const VAULT: &[(&str, &str)] = &[
    ("Home.md", "See [[Plan|the plan]], ![[map.png]] and [[Missing]].\n"),
    ("README.markdown", "no ending newline"),
    ("Empty.md", ""),
    ("Projects/Plan.md", "---\r\ntags: [work, 'a b']\r\naliases:\r\n  - The Plan # kept\r\n---\r\n\r\n# Big plan\r\n"),
    ("Projects/2026/Plan.md", "\u{feff}---\ntitle: Another\n---\ntext \u{1f600}\n"),
    ("Projects/2026/plan v1.2.MD", "---\nbroken: [\n---\n"),
    ("Projects/2026/what? 100%.md", "\t[[Home]]\n"),
    ("Daily/2026-04-14.md", "# 2026-04-14\n- [ ] call [[Projects/Plan]]"),
    ("Daily/Plan (2).md", "---\nworktruck: 1\n---\n"),
    ("Daily/worktruck.md", "---\nworktruck: {\"title\": \"x\"}\ntitle: y\n---\n"),
    ("a.md/b.md", "a folder that is called like a file"),
];

#[tokio::test]
async fn an_import_is_exported_byte_for_byte() {
    let (world, vault) = (World::new().await, folder(VAULT));
    let report = world.import(vault.path()).await;
    assert_eq!(counts(&report), (VAULT.len(), 0, 0), "{:?}", report.errors);
    assert_eq!(report.errors, []);
    let names: Vec<String> = world.notebook_names().await.into_values().collect();
    for name in ["Projects", "Projects/2026", "Daily", "a.md"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    let copy = folder(&[]);
    let export = world.export(copy.path()).await;
    assert_eq!((export.written, export.unchanged, export.skipped), (VAULT.len(), 0, 0), "{:?}", export.errors);
    assert_eq!(files(copy.path()), files(vault.path()));
    // The same again, over itself and over the original.
    for place in [copy.path(), vault.path()] {
        let export = world.export(place).await;
        assert_eq!((export.written, export.unchanged, export.skipped), (0, VAULT.len(), 0));
    }
    let before = world.notes().await;
    assert_eq!(counts(&world.import(copy.path()).await), (0, 0, VAULT.len()));
    assert_eq!(world.notes().await, before);
}

/// Notes that an application made, of which a folder cannot say everything by itself.
async fn written_here() -> World {
    let world = World::new().await;
    let notebooks = world.pim.notebooks(world.tenant);
    let mut ids = Vec::new();
    for (name, description) in
        [("Work", None), ("Work", Some("the other")), ("Work/Deep: er", None), ("../..", None), ("Nothing in it", None)]
    {
        let description = description.map(str::to_owned);
        ids.push(
            notebooks.create(Notebook { name: name.to_owned(), description, ..Notebook::default() }).await.unwrap().id,
        );
    }
    let notes = world.pim.notes(world.tenant);
    let titles = ["Plan", "plan", "Plan (2)", "a/b: c?", "../../../etc/passwd", "CON", ".hidden", "Plan", "…", "x.md"];
    for (at, title) in titles.into_iter().enumerate() {
        for body in ["text\n", "---\na: 1\n---\n[[Plan]]"] {
            let note = Note {
                title: title.to_owned(),
                body: body.to_owned(),
                notebook_id: ids.get(at % 5).copied(),
                is_pinned: at % 2 == 0,
                is_archived: at % 3 == 0,
                source_url: Some(format!("https://example.org/{at}")),
                tags: vec!["b".to_owned(), format!("a{at}")],
                metadata: json!({ "own": { "deep": [1, null, "---"] } }).as_object().unwrap().clone(),
                ..Note::default()
            };
            let notebook_id = note.notebook_id.filter(|id| *id != ids[4]);
            notes.create(Note { notebook_id, ..note }).await.unwrap();
        }
    }
    world
}

#[tokio::test]
async fn an_export_is_imported_elsewhere_as_it_was() {
    let world = written_here().await;
    let copy = folder(&[]);
    let export = world.export(copy.path()).await;
    assert_eq!(export.errors, []);
    let names: Vec<String> = files(copy.path()).into_keys().collect();
    assert!(
        names.iter().all(|name| name.split('/').all(|part| part != ".." && !part.contains([':', '\\']))),
        "{names:?}"
    );
    assert!(!copy.path().parent().unwrap().join("etc").exists());

    let elsewhere = World::new().await;
    let report = elsewhere.import(copy.path()).await;
    assert_eq!((counts(&report), report.errors), ((20, 0, 0), vec![]));
    assert_eq!(elsewhere.told().await, world.told().await);
    let sorted = |names: std::collections::BTreeMap<String, String>| {
        let mut names: Vec<String> = names.into_values().collect();
        names.sort();
        names
    };
    assert_eq!(sorted(elsewhere.notebook_names().await), sorted(world.notebook_names().await));
    // Neither place changes by its own files.
    for world in [&world, &elsewhere] {
        let before = world.notes().await;
        assert_eq!(counts(&world.import(copy.path()).await), (0, 0, 20));
        assert_eq!(world.notes().await, before);
        let names = world.notebook_names().await;
        assert_eq!(names.len(), 5, "{names:?}");
    }
    let again = folder(&[]);
    elsewhere.export(again.path()).await;
    assert_eq!(files(again.path()), files(copy.path()));
}

#[tokio::test]
async fn a_note_that_changed_since_its_import_loses_nothing_either() {
    let (world, vault) = (World::new().await, folder(VAULT));
    world.import(vault.path()).await;
    let notes = world.pim.notes(world.tenant);
    let plan = world.note("Big plan").await.id;
    notes.update(plan, json!({ "title": "Bigger", "is_pinned": true, "metadata": { "own": 1 } })).await.unwrap();
    notes.update(world.note("Empty").await.id, json!({ "body": "no more\n" })).await.unwrap();

    let copy = folder(&[]);
    world.export(copy.path()).await;
    let (before, after) = (files(vault.path()), files(copy.path()));
    let changed: Vec<&String> = before.keys().filter(|path| before[*path] != after[*path]).collect();
    assert_eq!(changed, ["Empty.md", "Projects/Plan.md"]);
    // A text that says all of its note needs nothing beside it.
    assert_eq!(after["Empty.md"], b"no more\n");
    let text = String::from_utf8(after["Projects/Plan.md"].clone()).unwrap();
    assert!(
        text.starts_with("---\r\ntags: [work, 'a b']\r\naliases:\r\n  - The Plan # kept\r\nworktruck: {"),
        "{text}"
    );

    let elsewhere = World::new().await;
    elsewhere.import(copy.path()).await;
    assert_eq!(elsewhere.told().await, world.told().await);
    assert_eq!(counts(&world.import(copy.path()).await), (0, 0, VAULT.len()));
}
