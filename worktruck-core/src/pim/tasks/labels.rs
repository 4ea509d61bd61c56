use async_trait::async_trait;
use serde_json::json;

use crate::entity::Term;
use crate::entity::label::Label;
use crate::entity::task::Task;
use crate::pim::write::edit;
use crate::pim::{ByTime, Deleting, Everything, Operation, Record, Records, Stored, Writing};
use crate::store::Changes;
use crate::{EntityId, Result};

use super::parts::{change_tasks, only_one};

#[async_trait]
impl Record for Label {
    type Filter = Everything;
    type Sort = ByTime;

    /// A label that is renamed is so on all tasks.
    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        if !writing.is_changed(|label| &label.name) {
            return Ok(());
        }
        let new = Term::new("name", &writing.new.name);
        only_one(writing, "/name", new, "another label has this name; choose another one").await?;
        if let Some(old) = writing.old {
            let changes = change_labels(writing.operation, &old.data.name, Some(&writing.new.name)).await?;
            writing.changes = std::mem::take(&mut writing.changes).and(changes);
        }
        Ok(())
    }

    /// A label that is deleted is taken off all tasks.
    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        deleting.changes = change_labels(deleting.operation, &deleting.old.data.name, None).await?;
        Ok(())
    }
}

/// Puts a name in the place of another on all tasks.
async fn change_labels(operation: &Operation, old: &str, new: Option<&str>) -> Result<Changes> {
    change_tasks(operation, Term::new("label", old), |task| {
        let mut labels: Vec<&str> = Vec::with_capacity(task.labels.len());
        for label in task.labels.iter().map(String::as_str) {
            let label = if label == old { new } else { Some(label) };
            labels.extend(label.filter(|label| !labels.contains(label)));
        }
        json!({ "labels": labels })
    })
    .await
}

/// Labels a task; nothing changes if it has the label.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, `InvalidRequest` at `/name`, and those of the store.
pub async fn label_task(operation: &Operation, id: EntityId, expected: Option<u64>, name: &str) -> Result<Changes> {
    Label::check_name("/name", name)?;
    edit::<Task>(operation, id, expected, |task| {
        let mut labels = task.data.labels.clone();
        if labels.iter().any(|label| label == name) {
            return Ok(json!({}));
        }
        labels.push(name.to_owned());
        Ok(json!({ "labels": labels }))
    })
    .await
}

/// Takes a label off a task; nothing changes if it does not have the label.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, and those of the store.
pub async fn unlabel_task(operation: &Operation, id: EntityId, expected: Option<u64>, name: &str) -> Result<Changes> {
    edit::<Task>(operation, id, expected, |task| {
        let labels = || task.data.labels.iter().filter(|label| *label != name);
        Ok(if labels().count() == task.data.labels.len() {
            json!({})
        } else {
            json!({ "labels": labels().collect::<Vec<_>>() })
        })
    })
    .await
}

impl Records<Task> {
    /// Labels a task; nothing changes if it has the label.
    ///
    /// # Errors
    ///
    /// As for [`label_task`].
    pub async fn label(&self, id: EntityId, name: &str) -> Result<Stored<Task>> {
        let expected = self.expected;
        let run = |operation: Operation| async move { label_task(&operation, id, expected, name).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }

    /// Takes a label off a task; nothing changes if it does not have the label.
    ///
    /// # Errors
    ///
    /// As for [`unlabel_task`].
    pub async fn unlabel(&self, id: EntityId, name: &str) -> Result<Stored<Task>> {
        let expected = self.expected;
        let run = |operation: Operation| async move { unlabel_task(&operation, id, expected, name).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }
}
