use chrono::{Datelike as _, NaiveDate};

use crate::recurrence::Moment;
use crate::{EntityId, Timestamp};

use super::super::task_status::StatusCategory;
use super::super::{Index, Term};
use super::{Progress, Task};

/// The name of the index term that says which status a task has and what the status means.
pub const STATUS_TERM: &str = "status";

/// The index term of tasks that have the status and take it to mean `category`.
#[must_use]
pub fn status_term(status: EntityId, category: StatusCategory) -> Term {
    Term::new(STATUS_TERM, format!("{status}:{}", category.as_str()))
}

/// The sort keys that lists of tasks are cut by to when they are due: days and times apart, because which moments
/// a day has depends on who asks. A day is written behind `d`, a time behind `t`, and nothing if there is none.
#[derive(Clone, Copy, Debug)]
pub struct DueKey;

impl DueKey {
    /// That of all tasks.
    pub const ALL: &'static str = "due_range";

    /// That of tasks that are still to be done; of others it is empty.
    pub const OPEN: &'static str = "open_due";

    /// The key of what is due at `due`.
    #[must_use]
    pub fn of(due: Option<Moment>) -> String {
        match due {
            Some(Moment::Date(date)) => Self::day(date),
            Some(Moment::Instant(at)) => Self::time(at),
            None => String::new(),
        }
    }

    /// The key of a day; of one after the year 9999 what follows all days.
    #[must_use]
    pub fn day(date: NaiveDate) -> String {
        match date.year() {
            ..1 => "d".to_owned(),
            1..=9999 => format!("d{date}"),
            _ => "e".to_owned(),
        }
    }

    /// The key of a time; of one after the year 9999 what follows all times.
    #[must_use]
    pub fn time(at: Timestamp) -> String {
        match at.to_string() {
            text if text.len() == TIME_CHARS && !text.starts_with('-') => format!("t{text}"),
            _ if at < Timestamp::EPOCH => "t".to_owned(),
            _ => "u".to_owned(),
        }
    }
}

/// How long a time of the years 0 to 9999 is.
const TIME_CHARS: usize = "2026-04-14T12:00:00.000000Z".len();

impl Task {
    pub(super) fn indexed(&self) -> Index {
        let category = self.category();
        let due = self.due();
        let is_open = self.progress() == Progress::Open;
        let mut index = Index::default()
            .term("status_category", category.as_str())
            .terms("project_id", self.project_id)
            .terms("section_id", self.section_id)
            .terms("milestone_id", self.milestone_id)
            .terms("status_id", self.status_id)
            .terms("parent_id", self.parent_id)
            .terms("assignee_id", self.assignee_id)
            .terms("creator_id", self.creator_id)
            .terms("identifier", self.identifier.as_ref())
            .terms("label", &self.labels)
            .key("position", self.position.unwrap_or_default().sort_key())
            .key("priority", self.priority.to_string())
            // A day is the beginning of its times, so that it comes before them.
            .key("due", due.map(|due| due.to_string()).unwrap_or_default())
            .key(DueKey::ALL, DueKey::of(due))
            .key(DueKey::OPEN, DueKey::of(due.filter(|_| is_open)));
        index.terms.extend(self.status_id.map(|status| status_term(status, category)));
        index
    }
}
