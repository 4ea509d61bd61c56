use serde_json::json;

use crate::entity::comment::Comment;
use crate::entity::contact::Contact;
use crate::entity::milestone::Milestone;
use crate::entity::project_member::ProjectMember;
use crate::entity::section::Section;
use crate::entity::task::Task;
use crate::entity::task_link::TaskLink;
use crate::entity::task_status::{StatusCategory, TaskStatus};
use crate::pim::tasks::{OfProject, OfTask};
use crate::testing::conformance::Stage;
use crate::{EntityId, ErrorKind, PageRequest};

use super::super::desk::refusal;
use super::board::{Board, moment};

/// What a project consists of is written and listed by project.
pub async fn parts_of_a_project_are_its_own(stage: Stage) {
    let board = Board::new(&stage).await;
    let (desk, id, web) = (&board.desk, board.project.id, board.project("WEB").await.id);
    let section = desk.create::<Section>(json!({ "project_id": id, "name": "Soon" })).await;
    desk.create::<Section>(json!({ "project_id": web, "name": "Soon" })).await;
    let fields = json!({ "project_id": id, "name": "1.0", "due_date": "2026-06-01" });
    let milestone = desk.create::<Milestone>(fields).await;
    let then = moment(desk);
    let patch = json!({ "completed_at": "2026-05-30T10:00:00Z", "name": "1.0.0" });
    let reached = desk.of::<Milestone>().update(milestone.id, patch).await.unwrap();
    assert_eq!(reached.data.completed_at.unwrap().to_string(), "2026-05-30T10:00:00.000000Z");
    let past = desk.of::<Milestone>().as_of(then).list(OfProject { project_id: Some(id) }).await.unwrap();
    assert_eq!((past.data.len(), &past.data[0].data), (1, &milestone.data));
    let found = desk.of::<Section>().list(OfProject { project_id: Some(id) }).await.unwrap();
    assert_eq!((found.data.len(), &found.data[0]), (1, &section));
    let fields = json!({ "project_id": id, "name": "Review", "category": "in_progress", "color": "blue" });
    let status = desk.create::<TaskStatus>(fields).await;
    assert!(status.data.position.unwrap().number() > 5.0, "it is the last");

    let stays = (ErrorKind::InvalidRequest, "/project_id".to_owned());
    let patch = json!({ "project_id": web });
    assert_eq!(refusal(desk.of::<Section>().update(section.id, patch.clone()).await), stays);
    assert_eq!(refusal(desk.of::<Milestone>().update(milestone.id, patch.clone()).await), stays);
    assert_eq!(refusal(desk.of::<TaskStatus>().update(status.id, patch).await), stays);
    let nowhere = json!({ "project_id": section.id, "name": "x" });
    assert_eq!(refusal(desk.of::<Section>().create_from(nowhere.clone()).await), stays);
    assert_eq!(refusal(desk.of::<Milestone>().create_from(nowhere).await), stays);
    let at = |pointer: &str| (ErrorKind::InvalidRequest, pointer.to_owned());
    let wrong = json!({ "project_id": id, "name": "" });
    assert_eq!(refusal(desk.of::<Section>().create_from(wrong).await), at("/name"));
    let wrong = json!({ "project_id": id, "name": "x", "due_date": "soon" });
    assert_eq!(refusal(desk.of::<Milestone>().create_from(wrong).await), at("/due_date"));
    let wrong = json!({ "project_id": id, "name": "x", "category": "later" });
    assert_eq!(refusal(desk.of::<TaskStatus>().create_from(wrong).await), at("/category"));
}

/// A section or milestone that is deleted is taken off its tasks, which stay.
pub async fn deleted_section_is_taken_off_its_tasks(stage: Stage) {
    let board = Board::new(&stage).await;
    let (desk, id) = (&board.desk, board.project.id);
    let section = desk.create::<Section>(json!({ "project_id": id, "name": "x" })).await.id;
    let milestone = desk.create::<Milestone>(json!({ "project_id": id, "name": "x" })).await.id;
    let task = board.task(json!({ "section_id": section, "milestone_id": milestone })).await;
    let then = moment(desk);
    desk.of::<Section>().delete(section).await.unwrap();
    let found = board.get::<Task>(task.id).await.data;
    assert_eq!((found.section_id, found.milestone_id), (None, Some(milestone)));
    desk.of::<Milestone>().delete(milestone).await.unwrap();
    assert_eq!(board.get::<Task>(task.id).await.data.milestone_id, None);
    assert_eq!(desk.of::<Task>().as_of(then).get(task.id).await.unwrap().data, task.data);
}

/// A contact is a member of a project once, however many add it at once.
pub async fn contact_is_a_member_once(stage: Stage) {
    let board = Board::new(&stage).await;
    let (web, ada) = (board.project("WEB").await.id, board.contact("Ada").await);
    let shared = board.clone();
    let added = stage
        .in_parallel(6, move |_, _| {
            let (members, id) = (shared.desk.of::<ProjectMember>(), shared.project.id);
            Box::pin(async move { members.create(ProjectMember::new(id, ada, "lead")).await })
        })
        .await;
    let (added, refused): (Vec<_>, Vec<_>) = added.into_iter().partition(Result::is_ok);
    assert_eq!((added.len(), refused.len()), (1, 5));
    for refused in refused {
        assert_eq!(refusal(refused), (ErrorKind::Conflict, "/contact_id".to_owned()));
    }
    let members = board.desk.of::<ProjectMember>();
    members.create(ProjectMember::new(web, ada, "lead")).await.unwrap();
    let member = added[0].as_ref().unwrap().id;
    assert_eq!(members.update(member, json!({ "role": "guest" })).await.unwrap().data.role, "guest");
    members.delete(member).await.unwrap();
    members.create(ProjectMember::new(board.project.id, ada, "lead")).await.unwrap();
    board.desk.of::<Contact>().delete(board.contact("Bob").await).await.unwrap();
    let of_web = OfProject { project_id: Some(web) };
    assert_eq!(members.list(of_web).await.unwrap().data.len(), 1);
    for (project, contact, role, pointer) in
        [(web, web, "x", "/contact_id"), (ada, ada, "x", "/project_id"), (web, ada, "", "/role")]
    {
        let refused = members.create(ProjectMember::new(project, contact, role)).await;
        assert_eq!(refusal(refused), (ErrorKind::InvalidRequest, pointer.to_owned()));
    }
    board.desk.of::<Contact>().delete(ada).await.unwrap();
    assert!(members.list(OfProject::default()).await.unwrap().data.is_empty(), "it ends with the contact");
}

/// A comment is by whoever wrote it first, and stays with its task.
pub async fn comment_is_by_whoever_wrote_it(stage: Stage) {
    let board = Board::new(&stage).await;
    let (task, other) = (board.task(json!({})).await.id, board.task(json!({})).await.id);
    let comments = board.desk.of::<Comment>();
    let said = comments.clone().by("ada").create(Comment::new(task, "What *now*?")).await.unwrap();
    assert_eq!(said.data.author.as_deref(), Some("ada"));
    let then = moment(&board.desk);
    let edited = comments.clone().by("bob").update(said.id, json!({ "body": "Now!" })).await.unwrap();
    assert_eq!((edited.data.author.as_deref(), edited.data.body.as_str()), (Some("ada"), "Now!"));
    assert_eq!(comments.clone().as_of(then).get(said.id).await.unwrap().stored.resource(), said.stored.resource());
    let same = comments.clone().by("bob").update(said.id, json!({ "author": "ada" })).await;
    assert_eq!(same.unwrap().version(), 2);
    let at = |pointer: &str| (ErrorKind::InvalidRequest, pointer.to_owned());
    let forged = json!({ "task_id": task, "body": "x", "author": "eve" });
    assert_eq!(refusal(comments.create_from(forged).await), at("/author"));
    assert_eq!(refusal(comments.update(said.id, json!({ "author": "eve" })).await), at("/author"));
    assert_eq!(refusal(comments.update(said.id, json!({ "task_id": other })).await), at("/task_id"));
    assert_eq!(refusal(comments.update(said.id, json!({ "body": "" })).await), at("/body"));
    let long = Comment::new(task, "x".repeat((1 << 20) + 1));
    assert_eq!(refusal(comments.create(long).await), at("/body"));
    assert_eq!(refusal(comments.create(Comment::new(said.id, "x")).await), at("/task_id"));
    comments.create(Comment::new(other, "x")).await.unwrap();
    let of = |task_id: EntityId| OfTask { task_id: Some(task_id) };
    assert_eq!(comments.list(of(task)).await.unwrap().data, [edited]);
    comments.delete(said.id).await.unwrap();
    assert_eq!(refusal(comments.delete(said.id).await).0, ErrorKind::NotFound);
    assert!(comments.list(of(task)).await.unwrap().data.is_empty());
}

/// A task has links to addresses of the web, and to nothing else.
pub async fn task_has_links(stage: Stage) {
    let board = Board::new(&stage).await;
    let (task, links) = (board.task(json!({})).await.id, board.desk.of::<TaskLink>());
    let link = json!({ "task_id": task, "url": "https://example.org/a?b=c#d", "title": "Example" });
    let link = board.desk.create::<TaskLink>(link).await;
    board.desk.create::<TaskLink>(json!({ "task_id": task, "url": "https://example.org" })).await;
    for (body, pointer) in [
        (json!({ "task_id": task, "url": "example" }), "/url"),
        (json!({ "task_id": task, "url": "https://a b" }), "/url"),
        (json!({ "task_id": task, "url": "https://example.org", "title": "" }), "/title"),
        (json!({ "task_id": link.id, "url": "https://example.org" }), "/task_id"),
    ] {
        assert_eq!(refusal(links.create_from(body).await), (ErrorKind::InvalidRequest, pointer.to_owned()));
    }
    let then = moment(&board.desk);
    links.delete(link.id).await.unwrap();
    let of = OfTask { task_id: Some(task) };
    assert_eq!(links.list(of).await.unwrap().data.len(), 1);
    assert_eq!(links.as_of(then).list(of).await.unwrap().data.len(), 2);
}

/// A status is one of its project, and a new one can be chosen at once.
pub async fn new_status_can_be_chosen(stage: Stage) {
    let board = Board::new(&stage).await;
    let review =
        json!({ "project_id": board.project.id, "name": "Review", "category": "in_progress", "position": 3.5 });
    let review = board.desk.create::<TaskStatus>(review).await.id;
    let task = board.task(json!({ "status_id": review })).await;
    assert_eq!(task.data.status_category, Some(StatusCategory::InProgress));
    // The first in the order of people is chosen, not the oldest.
    let first = json!({ "project_id": board.project.id, "name": "Shipped", "category": "done", "position": -1 });
    let first = board.desk.create::<TaskStatus>(first).await.id;
    assert_eq!(board.desk.of::<Task>().complete(task.id).await.unwrap().data.status_id, Some(first));
}

/// What the status of a task means is what lists are filtered by, and nothing that the task shows, now or in its past.
pub async fn what_a_status_means_is_not_shown(stage: Stage) {
    let board = Board::new(&stage).await;
    let tasks = board.desk.of::<Task>();
    let (before, task) = (moment(&board.desk), board.task(json!({})).await);
    board.desk.wait(1);
    let done = tasks.complete(task.id).await.unwrap();
    assert_eq!(done.data.category(), StatusCategory::Done);
    let then = moment(&board.desk);
    let shown = |resource: serde_json::Value| resource.get("status_category").is_some();
    assert!(!shown(task.resource()) && !shown(done.resource()));
    assert!(!shown(tasks.clone().as_of(then).get(task.id).await.unwrap().resource()));
    let history = tasks.history(task.id, (None, None), PageRequest::default()).await.unwrap().data;
    assert!(history.iter().all(|version| !shown(json!(version))));
    let fields = tasks.diff(task.id, before, then).await.unwrap().changes;
    assert!(fields.iter().all(|change| change.field != "/status_category"), "{fields:?}");
    let told = tasks.timeline(task.id, (None, None), &[], PageRequest::default()).await.unwrap().data;
    let told: Vec<_> = told.iter().map(|entry| entry.change.field.as_str()).collect();
    assert!(told.contains(&"/completed_at") && !told.contains(&"/status_category"), "{told:?}");
    // What is shown can be written back.
    let mut body = done.resource();
    for field in ["id", "tenant_id", "created_at", "updated_at", "version"] {
        body.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(tasks.update(task.id, body).await.unwrap(), done);
}

/// What belongs to something is made, found, changed, ended and erased through that only, and has its history there.
pub async fn part_is_reached_through_its_whole_only(stage: Stage) {
    let board = Board::new(&stage).await;
    let (task, other) = (board.loose(json!({})).await.id, board.loose(json!({})).await.id);
    let comments = board.desk.of::<Comment>();
    let missing = |result| refusal(result).0 == ErrorKind::NotFound;
    let made = comments.create_part(task, json!({ "body": "Soon" })).await.unwrap();
    assert_eq!(made.data.task_id, task);
    let elsewhere = comments.create_part(task, json!({ "body": "Soon", "task_id": other })).await;
    assert_eq!(refusal(elsewhere), (ErrorKind::InvalidRequest, "/task_id".to_owned()));
    assert!(missing(comments.create_part(made.id, json!({ "body": "Soon" })).await.map(drop)));
    let then = moment(&board.desk);

    for whole in [other, made.id] {
        assert!(missing(comments.get_part(whole, made.id).await.map(drop)));
        assert!(missing(comments.update_part_of(whole, made.id, json!({ "body": "No" })).await.map(drop)));
        assert!(missing(comments.delete_part_of(whole, made.id).await));
        assert!(missing(comments.was_part(whole, made.id).await));
        assert!(missing(comments.purge_part_of(whole, made.id).await));
    }
    assert!(missing(comments.parts(made.id).await.map(drop)));
    assert_eq!(comments.parts(other).await.unwrap().await.unwrap().data, []);
    let stale = comments.clone().if_version(2).update_part_of(task, made.id, json!({ "body": "No" })).await;
    assert_eq!(refusal(stale).0, ErrorKind::VersionMismatch);
    let changed = comments.update_part_of(task, made.id, json!({ "body": "Now" })).await.unwrap();
    assert_eq!(comments.get_part(task, made.id).await.unwrap(), changed);
    assert_eq!(comments.parts(task).await.unwrap().await.unwrap().data, [changed]);
    assert_eq!(comments.clone().as_of(then).get_part(task, made.id).await.unwrap().data.body, "Soon");

    comments.delete_part_of(task, made.id).await.unwrap();
    assert!(missing(comments.get_part(task, made.id).await.map(drop)));
    comments.was_part(task, made.id).await.unwrap();
    comments.purge_part_of(task, made.id).await.unwrap();
    assert!(missing(comments.was_part(task, made.id).await));
}
