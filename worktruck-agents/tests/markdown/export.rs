//! What an export leaves alone.

use serde_json::json;
use worktruck_agents::export::markdown::{Foreign, write};
use worktruck_core::entity::note::{FILE, Note};
use worktruck_core::temporal::At;

use crate::{World, files, folder, messages};

async fn with_a_plan(body: &str) -> (World, worktruck_core::EntityId) {
    let world = World::new().await;
    let note = Note { title: "Plan".to_owned(), body: body.to_owned(), ..Note::default() };
    let id = world.pim.notes(world.tenant).create(note).await.unwrap().id;
    (world, id)
}

#[tokio::test]
async fn only_what_an_export_wrote_is_replaced() {
    let (world, id) = with_a_plan("one").await;
    let place = folder(&[]);
    assert_eq!(world.export(place.path()).await.written, 1);
    let notes = world.pim.notes(world.tenant);
    for body in ["two", "three"] {
        notes.update(id, json!({ "body": body })).await.unwrap();
    }
    // The file is what the first version was written as.
    let report = world.export(place.path()).await;
    assert_eq!((report.written, report.errors), (1, vec![]));
    assert!(files(place.path())["Plan.md"].ends_with(b"three"));

    let foreign = folder(&[("Plan.md", "somebody else's"), ("Other.md", "too")]);
    let before = files(foreign.path());
    let report = world.export(foreign.path()).await;
    assert_eq!((report.written, report.skipped), (0, 1));
    assert_eq!(messages(&report.errors), ["Plan.md:1: another file is there, which stays; the note is not written"]);
    assert_eq!(files(foreign.path()), before);
    let report = world.export_over(foreign.path(), Foreign::Replace).await;
    assert_eq!((report.written, report.skipped), (1, 0));
    assert_eq!(messages(&report.errors), ["Plan.md:1: another file was there; replaced"]);
    let after = files(foreign.path());
    assert!(after["Plan.md"].ends_with(b"three") && after["Other.md"] == b"too" && after.len() == 2, "{after:?}");
}

#[tokio::test]
async fn what_somebody_says_that_a_file_is_called_leads_nowhere() {
    let world = World::new().await;
    for name in ["../out.md", "/abs.md", "a/../../b.md", "..", ".profile", "NUL.md", "run.sh", "c:\\x.md"] {
        let metadata = json!({ FILE: name }).as_object().unwrap().clone();
        let note = Note { title: "t".to_owned(), metadata, ..Note::default() };
        world.pim.notes(world.tenant).create(note).await.unwrap();
    }
    let outer = folder(&[]);
    let report = world.export(&outer.path().join("in")).await;
    assert_eq!((report.written, report.errors), (8, vec![]));
    let names: Vec<String> = files(outer.path()).into_keys().collect();
    let expected = ["_._out", "_NUL", "_", "_abs", "_profile", "a_.._.._b", "c__x", "run.sh"];
    let mut expected = expected.map(|stem| format!("in/{stem}.md"));
    expected.sort();
    assert_eq!(names, expected);
}

#[cfg(unix)]
#[tokio::test]
async fn no_link_leads_an_export_out_of_its_folder() {
    use std::os::unix::fs::symlink;
    use worktruck_core::entity::notebook::Notebook;

    let (world, _) = with_a_plan("mine").await;
    let notebook = Notebook { name: "Work".to_owned(), ..Notebook::default() };
    let notebook_id = Some(world.pim.notebooks(world.tenant).create(notebook).await.unwrap().id);
    let note = Note { title: "In".to_owned(), notebook_id, ..Note::default() };
    world.pim.notes(world.tenant).create(note).await.unwrap();
    let (place, outside) = (folder(&[]), folder(&[("theirs.md", "theirs")]));
    symlink(outside.path(), place.path().join("Work")).unwrap();
    symlink(outside.path().join("theirs.md"), place.path().join("Plan.md")).unwrap();
    let before = files(outside.path());
    for foreign in [Foreign::Keep, Foreign::Replace] {
        let report = world.export_over(place.path(), foreign).await;
        assert_eq!(
            messages(&report.errors),
            [
                "Plan.md:1: a link is there; the note is not written",
                "Work/In.md:1: Work is no folder; the note is not written"
            ]
        );
        assert_eq!((report.written, report.skipped), (0, 2));
        assert_eq!(files(outside.path()), before);
    }
}

#[tokio::test]
async fn an_export_shows_the_moment_that_it_is_asked_for() {
    let (world, id) = with_a_plan("one").await;
    let notes = world.pim.notes(world.tenant);
    let then = notes.get(id).await.unwrap().updated_at();
    notes.update(id, json!({ "body": "two" })).await.unwrap();
    let place = folder(&[]);
    let mut seen = Vec::new();
    let at = At::as_of(then);
    write(&world.pim, world.tenant, at, place.path(), Foreign::Keep, |done| seen.push(done)).await.unwrap();
    assert!(files(place.path())["Plan.md"].ends_with(b"one"));
    assert_eq!(seen, [1]);
}
