use serde_json::json;

use crate::entity::Kind;
use crate::entity::affiliation::Affiliation;
use crate::entity::comment::Comment;
use crate::entity::contact::Contact;
use crate::entity::task::Task;
use crate::pim::contacts::Merge;
use crate::pim::tasks::OfTask;
use crate::store::{EntityKey, Provenance};
use crate::{Clock as _, ErrorKind, PageRequest};

use super::super::Stage;
use super::super::desk::{Desk, refusal};

/// A purge erases an entity and what was only part of it, and nothing of it can be read at any moment.
pub async fn purge_erases_an_entity_with_its_parts(stage: Stage) {
    let desk = Desk::new(&stage);
    let (contacts, affiliations) = (desk.of::<Contact>(), desk.of::<Affiliation>());
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await;
    let acme = desk.create::<Contact>(json!({ "display_name": "Acme", "kind": "organization" })).await;
    let body = json!({ "contact_id": ada.id, "organization_id": acme.id, "title": "Countess" });
    let at_acme = desk.create::<Affiliation>(body).await;
    let then = desk.wait(10);
    contacts.purge(ada.id).await.unwrap();
    assert_eq!(refusal(contacts.clone().as_of(then).get(ada.id).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(affiliations.clone().as_of(then).get(at_acme.id).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(contacts.history(ada.id, (None, None), PageRequest::default()).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(contacts.purge(ada.id).await).0, ErrorKind::NotFound);
    assert_eq!(contacts.get(acme.id).await.unwrap().data.display_name, "Acme");
    // What was deleted before is erased too.
    contacts.delete(acme.id).await.unwrap();
    contacts.purge(acme.id).await.unwrap();
    assert_eq!(refusal(contacts.history(acme.id, (None, None), PageRequest::default()).await).0, ErrorKind::NotFound);
}

/// A purge of what was deleted before erases what ended with it then, and one that was interrupted goes on.
pub async fn purge_erases_what_ended_before(stage: Stage) {
    stage.tenant(1).await;
    let desk = Desk::new(&stage);
    let (tasks, comments) = (desk.of::<Task>(), desk.of::<Comment>());
    let task = desk.create::<Task>(json!({ "title": "Secret" })).await.id;
    let other = desk.create::<Task>(json!({ "title": "Open" })).await.id;
    let mut said = Vec::new();
    for of in [task, task, other] {
        said.push(desk.create::<Comment>(json!({ "task_id": of, "body": "x" })).await.id);
    }
    desk.wait(1);
    let then = desk.wait(10);
    tasks.delete(task).await.unwrap();
    desk.wait(10);
    // Of the purge that was interrupted, one comment is gone.
    let key = EntityKey::new(Kind::Comment, said[0]);
    let provenance = Provenance::new("user", "purge");
    desk.pim.store().purge(desk.tenant, key, provenance, desk.clock.now()).await.unwrap();
    tasks.purge(task).await.unwrap();
    assert_eq!(refusal(tasks.clone().as_of(then).get(task).await).0, ErrorKind::NotFound);
    let left = comments.clone().as_of(then).list(OfTask::default()).all().await.unwrap();
    assert_eq!(left.into_iter().map(|comment| comment.id).collect::<Vec<_>>(), said[2..]);
    assert_eq!(refusal(comments.history(said[1], (None, None), PageRequest::default()).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(tasks.purge(task).await).0, ErrorKind::NotFound);
    assert_eq!(tasks.get(other).await.unwrap().data.title, "Open");

    // What was known then may be gone; what was so then is still known, and is erased all the same.
    let task = desk.create::<Task>(json!({ "title": "Secret" })).await.id;
    let comment = desk.create::<Comment>(json!({ "task_id": task, "body": "x" })).await.id;
    desk.wait(1);
    let then = desk.wait(10);
    tasks.delete(task).await.unwrap();
    let horizon = desk.wait(10).after(std::time::Duration::from_secs(5));
    desk.wait(10);
    stage.store.expire(desk.tenant, horizon, 1_000, desk.clock.now()).await.unwrap();
    assert!(comments.clone().valid_at(then).get(comment).await.is_ok());
    tasks.purge(task).await.unwrap();
    assert_eq!(refusal(comments.clone().valid_at(then).get(comment).await).0, ErrorKind::NotFound);
}

/// What was merged into a contact is erased with it, and never by itself; what came to be the survivor's stays.
pub async fn purge_of_a_contact_erases_what_was_merged_into_it(stage: Stage) {
    let desk = Desk::new(&stage);
    let (contacts, affiliations) = (desk.of::<Contact>(), desk.of::<Affiliation>());
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let twin = desk.create::<Contact>(json!({ "display_name": "A. King" })).await.id;
    let acme = desk.create::<Contact>(json!({ "display_name": "Acme", "kind": "organization" })).await.id;
    let mut made = Vec::new();
    for (contact, title) in [(ada, "CTO"), (twin, "CTO"), (twin, "Founder")] {
        let body = json!({ "contact_id": contact, "organization_id": acme, "title": title });
        made.push(desk.create::<Affiliation>(body).await.id);
    }
    desk.wait(1);
    let then = desk.wait(10);
    contacts.merge(ada, &Merge::of([twin])).await.unwrap();
    desk.wait(10);
    let error = contacts.purge(twin).await.unwrap_err();
    assert_eq!((error.kind(), error.details()), (ErrorKind::Conflict, Some(&json!({ "survivor_id": ada }))));
    assert_eq!(contacts.clone().as_of(then).get(twin).await.unwrap().data.display_name, "A. King");
    contacts.purge(ada).await.unwrap();
    for gone in [ada, twin] {
        assert_eq!(refusal(contacts.clone().as_of(then).get(gone).await).0, ErrorKind::NotFound);
        assert_eq!(refusal(contacts.history(gone, (None, None), PageRequest::default()).await).0, ErrorKind::NotFound);
    }
    for gone in made {
        assert_eq!(
            refusal(affiliations.history(gone, (None, None), PageRequest::default()).await).0,
            ErrorKind::NotFound
        );
    }
    assert!(contacts.get(acme).await.is_ok());
}
