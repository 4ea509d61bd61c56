//! What an import makes of a folder, the second time too.

use serde_json::json;
use worktruck_agents::import::markdown::load;
use worktruck_core::ErrorKind;
use worktruck_core::pim::notes::NoteLinkFilter;

use crate::{World, counts, folder, messages, put};

#[tokio::test]
async fn a_file_that_changed_changes_its_note_and_no_other() {
    let world = World::new().await;
    let vault =
        folder(&[("A.md", "---\ntags: [x, y]\nstatus: draft\n---\none"), ("Sub/A.md", "# Other\n"), ("Sub/B.md", "b")]);
    let mut seen = Vec::new();
    let report = load(&world.target, vault.path(), |done| seen.push(done)).await.unwrap();
    assert_eq!((counts(&report), seen), ((3, 0, 0), vec![1, 2, 3]));
    let note = world.note("A").await;
    assert_eq!((note.data.tags.join(" ").as_str(), &note.data.metadata["status"]), ("x y", &json!("draft")));
    assert_eq!(note.stored.provenance.capture_reason, "import");
    assert_eq!(note.stored.provenance.captured_by, "test");

    // What somebody says of the note, and the file does not, stays.
    let own = json!({ "title": "Mine", "is_pinned": true, "tags": ["x", "y", "z"], "metadata": { "own": 1 } });
    world.pim.notes(world.tenant).update(note.id, own).await.unwrap();
    assert_eq!(counts(&world.import(vault.path()).await), (0, 0, 3));
    put(vault.path(), "A.md", b"---\ntags: [x, w]\ndone: true\n---\ntwo");
    assert_eq!(counts(&world.import(vault.path()).await), (0, 1, 2));
    let changed = world.note("Mine").await;
    assert_eq!((changed.id, changed.data.is_pinned, changed.data.tags.join(" ").as_str()), (note.id, true, "w x z"));
    assert_eq!(changed.data.metadata["done"], true);
    assert_eq!((changed.data.metadata.get("status"), &changed.data.metadata["own"]), (None, &json!(1)));
    assert!(changed.data.body.ends_with("two"));
    // A title that the file gives counts.
    put(vault.path(), "A.md", b"# Theirs\n");
    assert_eq!(counts(&world.import(vault.path()).await), (0, 1, 2));
    assert_eq!(world.note("Theirs").await.id, note.id);

    // A new file is a new note; one that is gone leaves its note.
    std::fs::remove_file(vault.path().join("Sub/B.md")).unwrap();
    put(vault.path(), "Sub/C.md", b"c");
    assert_eq!(counts(&world.import(vault.path()).await), (1, 0, 2));
    assert_eq!(world.notes().await.len(), 4);
    assert_eq!(world.notebook_names().await.len(), 1);
}

#[tokio::test]
async fn links_lead_to_notes_by_title_by_alias_and_by_the_name_of_the_file() {
    let world = World::new().await;
    let vault = folder(&[
        ("Start.md", "[[Road map]] [[Map]] [[plan]] [[Nowhere]]"),
        ("Plan.md", "---\naliases: [Map]\n---\n# Road map\n[[Start]]"),
    ]);
    world.import(vault.path()).await;
    let (start, plan) = (world.note("Start").await.id, world.note("Road map").await.id);
    let links = world.pim.note_links(world.tenant).list(NoteLinkFilter::default()).await.unwrap().data;
    let mut told: Vec<_> = links.iter().map(|link| (link.data.title.clone().unwrap(), link.data.target_id)).collect();
    told.sort();
    let expected = [
        ("Map", Some(plan)),
        ("Nowhere", None),
        ("Road map", Some(plan)),
        ("Start", Some(start)),
        ("plan", Some(plan)),
    ];
    assert_eq!(told, expected.map(|(title, target)| (title.to_owned(), target)));
}

#[tokio::test]
async fn what_cannot_be_read_is_told_with_its_line_and_nothing_of_it_is_written() {
    let world = World::new().await;
    let vault = folder(&[
        ("good.md", "good"),
        ("nul.md", "one\ntwo\0\n"),
        ("clash.md", "---\nworktruck_file: x\n---\n"),
        ("image.png", "png"),
        (".obsidian/app.json", "{}"),
        (".obsidian/snippets/x.md", "hidden"),
        (".hidden.md", "hidden"),
        ("Only bad/links.md", &"x".repeat((2 << 20) + 1)),
        ("Only bad/long.md", &"y".repeat((1 << 20) + 1)),
    ]);
    put(vault.path(), "latin.md", b"one\ntwo\nna\xefve\0");
    let report = world.import(vault.path()).await;
    assert_eq!(
        messages(&report.errors),
        [
            ".hidden.md:1: the file is hidden; left out",
            ".obsidian:1: the folder is hidden; it is left out with all that is in it",
            "image.png:1: it is no Markdown; left out",
            "clash.md:1: the front matter has the member worktruck_file, which an import needs for itself; the file is skipped",
            "latin.md:3: the file is not UTF-8; the file is skipped",
            "nul.md:2: the file has NUL characters; the file is skipped",
            "Only bad/links.md:1: the file has more than 2097152 bytes; the file is skipped",
            "Only bad/long.md:1: the text is longer than 1048576 bytes; the file is skipped",
        ]
    );
    assert_eq!(counts(&report), (1, 0, 8));
    assert!(report.errors.iter().all(|problem| problem.skipped));
    assert_eq!(world.notes().await.len(), 1);
    assert!(world.notebook_names().await.is_empty());

    let error = load(&world.target, &vault.path().join("none"), |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[cfg(unix)]
#[tokio::test]
async fn links_of_the_file_system_are_not_followed_and_odd_names_are_told() {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    let (world, secret) = (World::new().await, folder(&[("secret.md", "secret")]));
    let vault = folder(&[("aux/a:b.md", "odd"), ("Plan.md", "1"), ("plan.md", "2")]);
    symlink(secret.path().join("secret.md"), vault.path().join("file.md")).unwrap();
    symlink(secret.path(), vault.path().join("folder")).unwrap();
    symlink(vault.path(), vault.path().join("aux/around")).unwrap();
    put(vault.path(), "bad", b"");
    std::fs::rename(vault.path().join("bad"), vault.path().join(std::ffi::OsStr::from_bytes(b"\xff.md"))).unwrap();
    let report = world.import(vault.path()).await;
    let told = messages(&report.errors);
    for path in ["aux/around", "file.md", "folder"] {
        assert!(told.contains(&format!("{path}:1: it is a link, which is not followed; left out")), "{told:?}");
    }
    assert!(told.contains(&"\u{fffd}.md:1: its name is not UTF-8; left out".to_owned()), "{told:?}");
    assert!(
        told.iter().any(|told| told.starts_with("aux/a:b.md:1: the name \"aux\" means something else")),
        "{told:?}"
    );
    assert_eq!(counts(&report), (3, 0, 4));
    assert!(world.notes().await.iter().all(|note| note.data.body != "secret"));
    // Though an export would call them otherwise, their files are known again.
    assert_eq!(counts(&world.import(vault.path()).await), (0, 0, 7));
    assert_eq!(world.notebook_names().await.len(), 1);
}
