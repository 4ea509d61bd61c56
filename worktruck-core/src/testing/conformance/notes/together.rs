use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt as _;
use serde_json::json;

use super::*;
use crate::entity::attachment::Attachment;
use crate::entity::note_link::LinkTargetType;
use crate::entity::note_tag::NoteTag;
use crate::entity::notebook::Notebook;
use crate::pim::notes::{NoteFilter, NoteLinkFilter};
use crate::pim::{Operation, create, delete, update};
use crate::store::{Changes, EntityStore, Provenance, View};
use crate::testing::CountingIds;
use crate::testing::conformance::build;
use crate::testing::conformance::meddler::Meddler;
use crate::{Clock as _, ErrorKind};

/// Runs some work as often as there are numbers, all at the same time.
async fn together<T: Send + 'static, F>(stage: &Stage, desk: &Desk, count: u32, work: impl Fn(u32, Desk) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    stage.in_parallel(count, |n, _| work(n, desk.clone()).boxed()).await
}

/// Notes and links to them that are written at the same time find each other.
pub async fn notes_and_links_written_at_once_find_each_other(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let ids = together(&stage, &desk, 12, |n, desk| async move {
        let name = format!("T{}", n / 2);
        if n % 2 == 0 {
            write(&desk, &name, "").await.id
        } else {
            write(&desk, "Links", &format!("[[{name}]]")).await.id
        }
    })
    .await;
    for pair in ids.chunks(2) {
        assert_eq!(targets(&notes, pair[1]).await, [Some(pair[0])]);
    }
    // All are called otherwise while others begin to link to what they are and will be called.
    let linking = together(&stage, &desk, 12, |n, desk| {
        let id = ids[usize::try_from(n).unwrap() / 2 * 2];
        async move {
            let (old, new) = (format!("T{}", n / 2), format!("N{}", n / 2));
            if n % 2 == 0 {
                desk.of::<Note>().update(id, title(&new)).await.unwrap().id
            } else {
                write(&desk, "More", &format!("[[{old}]] [[{new}]]")).await.id
            }
        }
    })
    .await;
    for pair in linking.chunks(2) {
        let found = links_of(&notes, pair[1]).await;
        let leads =
            found.iter().map(|link| (link.data.title.as_deref().unwrap().starts_with('N'), link.data.target_id));
        assert!(
            leads.clone().all(|(is_new, target)| target == is_new.then_some(pair[0])),
            "{:?}",
            leads.collect::<Vec<_>>()
        );
    }
}

/// Of two writes that decide from one state where links by a title lead, one is refused, whichever comes first.
pub async fn decisions_about_a_title_are_not_taken_twice_from_one_state(stage: Stage) {
    let shared = ["Older", "Taken", "Twice", "Twice", "Aliased"];
    let link = |name: &str| Step::Create(json!({ "title": "Links", "body": format!("[[{name}]]") }));
    let table = [
        (link("New"), Step::Create(title("new"))),
        (link("New"), Step::Update(0, title("new"))),
        (link("New"), Step::Create(json!({ "title": "x", "body": "---\nalias: New\n---" }))),
        (link("Taken"), Step::Update(1, title("x"))),
        (link("Taken"), Step::Delete(1)),
        (link("Taken"), Step::Update(0, title("Taken"))),
        (link("Twice"), Step::Update(0, title("Twice"))),
        (link("Twice"), Step::Delete(2)),
        (link("Alias"), Step::Create(title("Alias"))),
        (link("Alias"), Step::Update(4, json!({ "body": "" }))),
        (link("Alias"), Step::Update(0, json!({ "body": "---\nalias: Alias\n---" }))),
        (Step::Update(0, title("New")), Step::Update(1, title("New"))),
        (Step::Update(0, title("Twice")), Step::Update(1, title("Twice"))),
    ];
    for (n, (one, other)) in (0..).zip(&table) {
        for (tenant, steps) in [(10 + 2 * n, [one, other]), (11 + 2 * n, [other, one])] {
            let mut desk = Desk::new(&stage);
            desk.tenant = build::tenant_id(tenant);
            let mut ids = Vec::new();
            for name in shared {
                let body = if name == "Aliased" { "---\nalias: Alias\n---" } else { "" };
                ids.push(write(&desk, name, body).await.id);
                desk.wait(1);
            }
            let view = View::new(Arc::clone(desk.pim.store()), desk.tenant, desk.clock.now());
            let operation = Operation::new(view, Arc::new(CountingIds::new(70)), "user");
            let [first, second] = [steps[0].changes(&operation, &ids).await, steps[1].changes(&operation, &ids).await];
            let commit = async |changes| {
                let provenance = Provenance::new("user", "test");
                desk.pim.store().apply(desk.tenant, changes, provenance, desk.clock.now()).await
            };
            commit(first).await.unwrap();
            let refused = commit(second).await.map_err(|error| error.kind());
            assert!(matches!(refused, Err(ErrorKind::Conflict | ErrorKind::VersionMismatch)), "{steps:?}");
        }
    }
}

#[derive(Debug)]
enum Step {
    Create(Value),
    Update(usize, Value),
    Delete(usize),
}

impl Step {
    async fn changes(&self, operation: &Operation, ids: &[EntityId]) -> Changes {
        match self {
            Self::Create(body) => create::<Note>(operation, body.clone()).await.unwrap().0,
            Self::Update(at, patch) => update::<Note>(operation, ids[*at], None, patch).await.unwrap(),
            Self::Delete(at) => delete::<Note>(operation, ids[*at], None).await.unwrap(),
        }
    }
}

/// Of notes that take one title at the same time the oldest has the links, and none when all are gone.
pub async fn notes_that_take_one_title_at_once_agree_on_the_oldest(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let mut olds = Vec::new();
    for n in 0..6 {
        olds.push(write(&desk, &n.to_string(), "").await.id);
        desk.wait(1);
    }
    let before = write(&desk, "Before", "[[Same]]").await.id;
    let during = together(&stage, &desk, 9, |n, desk| {
        let old = olds.get(usize::try_from(n).unwrap()).copied();
        async move {
            match old {
                Some(id) => desk.of::<Note>().update(id, title("Same")).await.unwrap().id,
                None => write(&desk, "During", "[[Same]]").await.id,
            }
        }
    })
    .await;
    for id in [before].iter().chain(&during[6..]) {
        assert_eq!(targets(&notes, *id).await, [Some(olds[0])]);
    }
    together(&stage, &desk, 7, |n, desk| {
        let old = olds.get(usize::try_from(n).unwrap()).copied();
        async move {
            match old {
                Some(id) => desk.of::<Note>().delete(id).await.unwrap(),
                None => drop(write(&desk, "After", "[[Same]]").await),
            }
        }
    })
    .await;
    let waiting = desk.of::<NoteLink>().list(NoteLinkFilter::default()).all().await.unwrap();
    assert_eq!(waiting.len(), 5);
    assert!(waiting.iter().all(|link| link.data.target_id.is_none()), "{waiting:?}");
}

/// Whoever decides which of several notes has a title notices what comes between its reads, between whichever.
pub async fn title_is_decided_on_what_holds_at_the_commit(stage: Stage) {
    let mut reads = None;
    for at in 0.. {
        let mut desk = Desk::new(&stage);
        desk.tenant = build::tenant_id(10 + at);
        let mut ids = Vec::new();
        for (name, body) in [("Oldest", ""), ("Older", ""), ("Same", ""), ("Links", "[[Same]]")] {
            ids.push(write(&desk, name, body).await.id);
            desk.wait(1);
        }
        let operation = |store: Arc<dyn EntityStore>, ids: u16| {
            let view = View::new(store, desk.tenant, desk.clock.now());
            Operation::new(view, Arc::new(CountingIds::new(ids)), "user")
        };
        let plain = operation(Arc::clone(desk.pim.store()), 70);
        let meanwhile = update::<Note>(&plain, ids[0], None, &title("Same")).await.unwrap();
        let (count, at_read) = (Arc::new(AtomicU32::new(0)), Arc::new(meanwhile));
        let changes = {
            let count = Arc::clone(&count);
            move |read: u32| {
                count.store(read + 1, Ordering::Relaxed);
                if read == at { Changes::clone(&at_read) } else { Changes::none() }
            }
        };
        let meddler = Meddler::new(Arc::clone(&stage.store), Arc::new(changes));
        let meddled = operation(Arc::new(meddler), 71);
        let planned = update::<Note>(&meddled, ids[1], None, &title("Same")).await.unwrap();
        if at >= count.load(Ordering::Relaxed) {
            reads = Some(at);
            break;
        }
        let provenance = Provenance::new("user", "test");
        // It takes effect or is refused: where it was decided on less than there is, it is refused.
        let _ = desk.pim.store().apply(desk.tenant, planned, provenance, desk.clock.now()).await;
        assert_eq!(targets(&desk.of::<Note>(), ids[3]).await, [Some(ids[0])], "what comes after read {at}");
    }
    assert!(reads.is_some_and(|reads| reads > 3), "{reads:?}");
}

/// What is added to a note or a notebook while it is deleted goes with it or is refused.
pub async fn nothing_is_left_of_a_note_that_is_deleted_at_once(stage: Stage) {
    let desk = Desk::new(&stage);
    let note = write(&desk, "Note", "").await.id;
    let other = write(&desk, "Other", "").await.id;
    let notebook = desk.create::<Notebook>(json!({ "name": "Work" })).await.id;
    together(&stage, &desk, 8, |n, desk| async move {
        let notes = desk.of::<Note>();
        let file = json!({ "note_id": note, "url": "https://example.org/a" });
        // Whichever comes first, all is well: what comes too late is refused.
        let _ = match n {
            0 => notes.delete(note).await.map(drop),
            1 => desk.of::<Notebook>().delete(notebook).await.map(drop),
            2 => desk.of::<Attachment>().create_from(file).await.map(drop),
            3 => notes.link(note, LinkTargetType::Note, other).await.map(drop),
            4 => notes.link(other, LinkTargetType::Note, note).await.map(drop),
            5 => notes.update(note, json!({ "body": "[[Other]] [[x]]" })).await.map(drop),
            _ => notes.create_from(json!({ "title": "In", "notebook_id": notebook })).await.map(drop),
        };
    })
    .await;
    assert!(desk.of::<NoteLink>().list(NoteLinkFilter::default()).all().await.unwrap().is_empty());
    assert!(desk.of::<Attachment>().list(Default::default()).all().await.unwrap().is_empty());
    let left = desk.of::<Note>().list(NoteFilter::default()).all().await.unwrap();
    assert!(left.iter().all(|note| note.data.notebook_id.is_none()), "{left:?}");
}

/// No tag is lost or comes back when notes are tagged while a tag is renamed.
pub async fn notes_tagged_while_a_tag_is_renamed_have_its_new_name_or_the_old(stage: Stage) {
    let desk = Desk::new(&stage);
    let tag = desk.create::<NoteTag>(json!({ "name": "old" })).await.id;
    let note = desk.create::<Note>(json!({ "title": "Note", "tags": ["old"] })).await.id;
    together(&stage, &desk, 6, |n, desk| async move {
        match n {
            0 => drop(desk.of::<NoteTag>().update(tag, json!({ "name": "new" })).await.unwrap()),
            _ => drop(desk.of::<Note>().tag(note, &format!("t{n}")).await.unwrap()),
        }
    })
    .await;
    let found = desk.of::<Note>().get(note).await.unwrap().data.tags;
    assert_eq!(found, ["new", "t1", "t2", "t3", "t4", "t5"]);
}
