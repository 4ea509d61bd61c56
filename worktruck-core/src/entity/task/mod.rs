//! Tasks: what is to be done.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::recurrence::Moment;
use crate::{EntityId, Result, Timestamp};

use super::task_status::StatusCategory;
use super::{Entity, Index, Kind, Locale, Texts};

mod check;
mod index;
mod position;
#[cfg(test)]
mod tests;

pub use index::{DueKey, STATUS_TERM, status_term};
pub use position::Position;

pub(in crate::entity) use check::{check_date, check_moment};

/// What is to be done.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::task::Task;
///
/// let task = Task { title: "Call Ada".to_owned(), priority: 4, ..Task::default() };
/// task.check()?;
/// assert!(Task { priority: 5, ..task }.check().is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// What it is.
    pub title: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<EntityId>,
    /// The section of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_id: Option<EntityId>,
    /// The milestone of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milestone_id: Option<EntityId>,
    /// The status, one of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_id: Option<EntityId>,
    /// What the status means; a task without one is to do, done or canceled. Filled in by every write, and shown to
    /// nobody: lists are filtered by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_category: Option<StatusCategory>,
    /// The task that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<EntityId>,
    /// What people call it, such as `API-42`: the identifier of its project and a number that the project gave.
    /// A task without a project has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// How urgent it is, 0 (none) to 4 (urgent).
    #[serde(default)]
    pub priority: u8,
    /// The contact who is to do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee_id: Option<EntityId>,
    /// The contact who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator_id: Option<EntityId>,
    /// The day it is due, if not at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<NaiveDate>,
    /// The time it is due, if not on a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// The day it must be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<NaiveDate>,
    /// The day it can be begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<NaiveDate>,
    /// It is not to be shown before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Timestamp>,
    /// How long it should take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimation_minutes: Option<u32>,
    /// How long it has taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_spent_minutes: Option<u32>,
    /// How it repeats (RFC 5545), beginning when it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrule: Option<String>,
    /// What its next occurrence is counted from.
    #[serde(default)]
    pub recurrence_basis: RecurrenceBasis,
    /// When its next occurrence is due, as far as is known. Filled in by every write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_occurrence: Option<Moment>,
    /// The task that is its next occurrence, once it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_task_id: Option<EntityId>,
    /// Its place in the order that people make; a new one without a place is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What it is labelled with, each once.
    #[serde(default)]
    pub labels: Vec<String>,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// When it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<Timestamp>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// What the next occurrence of a task is counted from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RecurrenceBasis {
    /// When the task was due.
    #[default]
    Due,
    /// The day it was done.
    Completion,
}

/// Whether a task is still to be done.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Progress {
    /// It is.
    Open,
    /// It was done.
    Done,
    /// It was given up.
    Canceled,
}

impl From<StatusCategory> for Progress {
    fn from(category: StatusCategory) -> Self {
        match category {
            StatusCategory::Done => Self::Done,
            StatusCategory::Canceled => Self::Canceled,
            StatusCategory::Backlog | StatusCategory::Todo | StatusCategory::InProgress => Self::Open,
        }
    }
}

impl Task {
    /// Whether it is still to be done.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        match (self.completed_at, self.canceled_at) {
            (Some(_), _) => Progress::Done,
            (None, Some(_)) => Progress::Canceled,
            (None, None) => Progress::Open,
        }
    }

    /// What its status means.
    #[must_use]
    pub fn category(&self) -> StatusCategory {
        self.status_category.unwrap_or_else(|| match self.progress() {
            Progress::Open => StatusCategory::Todo,
            Progress::Done => StatusCategory::Done,
            Progress::Canceled => StatusCategory::Canceled,
        })
    }

    /// When it is due.
    #[must_use]
    pub fn due(&self) -> Option<Moment> {
        self.due_date.map(Moment::Date).or_else(|| self.due_at.map(Moment::Instant))
    }
}

impl Entity for Task {
    const KIND: Kind = Kind::Task;

    const SORT_KEYS: &'static [&'static str] = &["position", "priority", "due", DueKey::ALL, DueKey::OPEN];

    const INNER_FIELDS: &'static [&'static str] = &["status_category"];

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        let mut labels = Vec::with_capacity(self.labels.len());
        for label in std::mem::take(&mut self.labels) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        self.labels = labels;
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(self.indexed())
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(&self.title).heading([self.identifier.as_deref()]).body([self.description.as_deref()])
    }
}
