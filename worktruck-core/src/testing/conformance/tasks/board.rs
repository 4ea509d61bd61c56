use serde_json::{Value, json};

use crate::entity::contact::Contact;
use crate::entity::project::Project;
use crate::entity::task::Task;
use crate::entity::task_status::{StatusCategory, TaskStatus};
use crate::pim::tasks::OfProject;
use crate::pim::{Record, Stored};
use crate::{EntityId, Timestamp};

use super::super::Stage;
use super::super::desk::Desk;

/// A desk with a project on it.
#[derive(Clone, Debug)]
pub(super) struct Board {
    pub(super) desk: Desk,
    pub(super) project: Stored<Project>,
}

impl Board {
    /// With the project `API`.
    pub(super) async fn new(stage: &Stage) -> Self {
        let desk = Desk::new(stage);
        let project = desk.create(json!({ "identifier": "API", "name": "The API" })).await;
        Self { desk, project }
    }

    /// Another project.
    pub(super) async fn project(&self, identifier: &str) -> Stored<Project> {
        self.desk.create(json!({ "identifier": identifier, "name": identifier })).await
    }

    /// A task of no project.
    pub(super) async fn loose(&self, fields: Value) -> Stored<Task> {
        self.create(fields, json!({ "title": "Loose" })).await
    }

    /// A task of the project.
    pub(super) async fn task(&self, fields: Value) -> Stored<Task> {
        self.create(fields, json!({ "title": "Task", "project_id": self.project.id })).await
    }

    async fn create(&self, fields: Value, mut body: Value) -> Stored<Task> {
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.desk.create(body).await
    }

    /// A contact.
    pub(super) async fn contact(&self, name: &str) -> EntityId {
        self.desk.create::<Contact>(json!({ "display_name": name })).await.id
    }

    /// The status of `project` with this meaning.
    pub(super) async fn status(&self, project: EntityId, category: StatusCategory) -> EntityId {
        let of = OfProject { project_id: Some(project) };
        let statuses = self.desk.of::<TaskStatus>().list(of).all().await.unwrap();
        statuses.iter().find(|status| status.data.category == category).unwrap().id
    }

    /// Reads an entity again.
    pub(super) async fn get<E: Record>(&self, id: EntityId) -> Stored<E> {
        self.desk.of::<E>().get(id).await.unwrap()
    }
}

/// The titles of tasks.
pub(super) fn titles(tasks: &[Stored<Task>]) -> Vec<&str> {
    tasks.iter().map(|task| task.data.title.as_str()).collect()
}

/// A moment at which everything that was written is known, and nothing that will be.
pub(super) fn moment(desk: &Desk) -> Timestamp {
    desk.wait(1);
    desk.wait(1)
}
