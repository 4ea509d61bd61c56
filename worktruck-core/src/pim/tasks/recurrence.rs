use chrono::Days;

use crate::entity::contact::Contact;
use crate::entity::task::{Progress, RecurrenceBasis, Task};
use crate::pim::write::create_as;
use crate::pim::{Operation, Writing};
use crate::recurrence::{Mode, Moment, RuleSet, Start, Zone};
use crate::temporal::At;
use crate::{EntityId, Error, Result, Timestamp};

use super::due::zone;

/// Checks how a task repeats, says when it is due next, and makes its next occurrence once it is done.
pub(super) async fn settle(writing: &mut Writing<'_, Task>) -> Result<()> {
    let operation = writing.operation;
    let Some(series) = Series::of(writing.new, zone(operation)?)? else {
        writing.new.next_occurrence = None;
        return Ok(());
    };
    let old = writing.old.map(|old| &old.data);
    let is_done_now = old.is_some_and(|old| old.progress() != Progress::Done);
    writing.new.next_occurrence = match (writing.new.progress(), writing.new.completed_at) {
        (Progress::Done, Some(_)) if !is_done_now || writing.new.next_task_id.is_some() => {
            old.and_then(|old| old.next_occurrence)
        }
        (Progress::Done, Some(at)) => match series.following(writing.new.recurrence_basis, at)? {
            Some(following) => {
                let due = following.due;
                let next = successor(operation, writing.new, following).await?;
                let id = operation.new_id();
                let body = serde_json::to_value(next)
                    .map_err(|e| Error::internal("a task has no JSON form").with_source(e))?;
                let changes = create_as::<Task>(operation, id, body).await?;
                writing.changes = std::mem::take(&mut writing.changes).and(changes);
                writing.new.next_task_id = Some(id);
                Some(due)
            }
            None => None,
        },
        (Progress::Canceled, _) => None,
        // What is counted from the day that it is done is known only then; this is if it is done when it is due.
        (Progress::Open | Progress::Done, _) => series.set.next_after(series.set.start().moment()).map_err(at_rule)?,
    };
    Ok(())
}

/// When a task is due again, and how it repeats from then on.
#[derive(Debug)]
struct Following {
    due: Moment,
    rrule: String,
}

/// A task that repeats.
#[derive(Debug)]
struct Series {
    set: RuleSet,
    rrule: String,
    /// Where the days are that it is done on.
    zone: Zone,
}

impl Series {
    /// That of a task, if it repeats.
    fn of(task: &Task, zone: Zone) -> Result<Option<Self>> {
        let (Some(rrule), Some(due)) = (task.rrule.clone(), task.due()) else { return Ok(None) };
        let start = match due {
            Moment::Date(date) => Start::date(date).map_err(|e| e.at("/due_date"))?,
            Moment::Instant(at) => Start::instant(at, zone).map_err(|e| e.at("/due_at"))?,
        };
        let (set, _) = RuleSet::new(start, &[&rrule], &[], &[], Mode::Strict)?;
        Ok(Some(Self { set, rrule, zone }))
    }

    /// What follows if the task is done at `done`.
    fn following(&self, basis: RecurrenceBasis, done: Timestamp) -> Result<Option<Following>> {
        match basis {
            RecurrenceBasis::Due => self.after_due(),
            RecurrenceBasis::Completion => self.after_completion(done),
        }
        .map_err(at_rule)
    }

    /// The next occurrence of the series; its rule has what is left of the count.
    fn after_due(&self) -> Result<Option<Following>> {
        let Some(due) = self.set.next_after(self.set.start().moment())? else { return Ok(None) };
        let rest = self.set.split_at(due)?.after;
        let rrule = match rest.rules().first() {
            Some(rule) if self.set.rules().first() != Some(rule) => rule.to_string(),
            _ => self.rrule.clone(),
        };
        Ok(Some(Following { due, rrule }))
    }

    /// The next occurrence of a series with the same rule that starts on the day of `done`, at the same time.
    fn after_completion(&self, done: Timestamp) -> Result<Option<Following>> {
        let zone = self.zone;
        let Some(day) = zone.wall(done).map(|wall| wall.date()) else { return Ok(None) };
        let restarted = match self.set.start().moment() {
            Moment::Date(_) => Start::date(day)?,
            Moment::Instant(at) => match zone.wall(at) {
                Some(wall) => Start::wall(day.and_time(wall.time()), zone)?,
                None => return Ok(None),
            },
        };
        let Some(due) = self.set.next_from(restarted)? else { return Ok(None) };
        let rule = self.set.rules().first();
        let rrule = match rule.and_then(|rule| Some((rule, rule.count()?))) {
            Some((rule, count)) => {
                let less = format!("COUNT={}", count.saturating_sub(1));
                rule.to_string().replace(&format!("COUNT={count}"), &less)
            }
            None => self.rrule.clone(),
        };
        Ok(Some(Following { due, rrule }))
    }
}

/// The next occurrence of a task: all that was said of it, and nothing of what became of it.
async fn successor(operation: &Operation, task: &Task, following: Following) -> Result<Task> {
    let shift = shift(task, following.due, zone(operation)?);
    let moved = |date: Option<chrono::NaiveDate>| date.and_then(|date| moved(date, shift));
    let (due_date, due_at) = match following.due {
        Moment::Date(date) => (Some(date), None),
        Moment::Instant(at) => (None, Some(at)),
    };
    Ok(Task {
        assignee_id: existing(operation, task.assignee_id).await?,
        creator_id: existing(operation, task.creator_id).await?,
        due_date,
        due_at,
        deadline: moved(task.deadline),
        start_date: moved(task.start_date),
        rrule: Some(following.rrule),
        status_id: None,
        status_category: None,
        identifier: None,
        snoozed_until: None,
        time_spent_minutes: None,
        next_occurrence: None,
        next_task_id: None,
        completed_at: None,
        canceled_at: None,
        ..task.clone()
    })
}

/// How many days later a task is due than it was.
fn shift(task: &Task, due: Moment, zone: Zone) -> i64 {
    let day = |moment: Moment| match moment {
        Moment::Date(date) => Some(date),
        Moment::Instant(at) => zone.wall(at).map(|wall| wall.date()),
    };
    let (before, after) = (task.due().and_then(day), day(due));
    before.zip(after).map_or(0, |(before, after)| after.signed_duration_since(before).num_days())
}

fn moved(date: chrono::NaiveDate, days: i64) -> Option<chrono::NaiveDate> {
    let by = Days::new(days.unsigned_abs());
    if days < 0 { date.checked_sub_days(by) } else { date.checked_add_days(by) }
}

/// The contact, unless it was deleted since.
async fn existing(operation: &Operation, contact: Option<EntityId>) -> Result<Option<EntityId>> {
    let Some(id) = contact else { return Ok(None) };
    Ok(operation.find_at::<Contact>(id, At::NOW).await?.map(|contact| contact.id))
}

fn at_rule(error: Error) -> Error {
    if error.pointer().is_some() { error } else { error.at("/rrule") }
}
