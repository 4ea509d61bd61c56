use chrono::{Datelike as _, NaiveDate};

use crate::{Error, Result, Timestamp};

use super::super::label::Label;
use super::super::text::{check_name, check_object, check_optional_text};
use super::Task;

/// The first moment of the year 1, and that after the year 9999, in microseconds.
const MOMENTS: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

/// The most urgent priority.
const MAX_PRIORITY: u8 = 4;

/// The longest RRULE that is read.
const MAX_RULE_BYTES: usize = 4096;

/// Checks a day that may be absent: of a year that is written with four digits.
pub(in crate::entity) fn check_date(pointer: &str, date: Option<NaiveDate>) -> Result<()> {
    match date {
        Some(date) if !(1..=9999).contains(&date.year()) => {
            Err(Error::invalid("a date must be of one of the years 1 to 9999").at(pointer))
        }
        _ => Ok(()),
    }
}

/// Checks a moment that may be absent: of a year that is written with four digits.
pub(in crate::entity) fn check_moment(pointer: &str, moment: Option<Timestamp>) -> Result<()> {
    match moment {
        Some(moment) if !MOMENTS.contains(&moment.as_micros()) => {
            Err(Error::invalid("a time must be of one of the years 1 to 9999").at(pointer))
        }
        _ => Ok(()),
    }
}

impl Task {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_name("/title", &self.title)?;
        check_optional_text("/description", self.description.as_deref())?;
        if self.priority > MAX_PRIORITY {
            let message = format!("the priority must be 0 (none) to {MAX_PRIORITY} (urgent)");
            return Err(Error::invalid(message).at("/priority"));
        }
        if self.due_date.is_some() && self.due_at.is_some() {
            return Err(
                Error::invalid("a task is due on a day or at a time; leave out due_date or due_at").at("/due_at")
            );
        }
        for (pointer, date) in
            [("/due_date", self.due_date), ("/deadline", self.deadline), ("/start_date", self.start_date)]
        {
            check_date(pointer, date)?;
        }
        for (pointer, moment) in [
            ("/due_at", self.due_at),
            ("/snoozed_until", self.snoozed_until),
            ("/completed_at", self.completed_at),
            ("/canceled_at", self.canceled_at),
        ] {
            check_moment(pointer, moment)?;
        }
        for (index, label) in self.labels.iter().enumerate() {
            Label::check_name(&format!("/labels/{index}"), label)?;
        }
        if let Some(rrule) = &self.rrule {
            check_rule(rrule, self.due_date.is_some() || self.due_at.is_some())?;
        }
        check_object("/metadata", &self.metadata)
    }
}

/// What of a rule can be judged without reading it.
fn check_rule(rrule: &str, has_due: bool) -> Result<()> {
    if !has_due {
        return Err(Error::invalid("a task that repeats must be due; give it a due_date or due_at").at("/rrule"));
    }
    if rrule.len() > MAX_RULE_BYTES {
        return Err(Error::invalid(format!("the rule is longer than {MAX_RULE_BYTES} bytes")).at("/rrule"));
    }
    if rrule.contains('\0') {
        return Err(Error::invalid("the rule contains a NUL character").at("/rrule"));
    }
    Ok(())
}
