//! What happened to a run, in plain language.

mod layout;
mod sentence;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::run::{Event, Run};
use crate::{Secret, Timestamp};

use super::Journal;

/// The story of a run for people: what happened when, who did it, and what it cost.
///
/// It shows no inputs and no outputs, and leaves out what changes nothing: rules that allow a call, and what is set
/// aside of a budget. Its text depends on nothing but the run, its journal and its events.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::journal::{Journal, Timeline};
/// use worktruck_core::run::{NewRun, RunRecord, Signal};
/// use worktruck_core::testing::CountingIds;
/// use worktruck_core::{RunId, TenantId, Timestamp};
///
/// # fn main() -> worktruck_core::Result<()> {
/// let now: Timestamp = "2026-04-14T12:00:00Z".parse()?;
/// let ids = CountingIds::new(1);
/// let (tenant, run) = (TenantId::new(&ids, now), RunId::new(&ids, now));
/// let (mut record, mut events) = RunRecord::accept(NewRun::new(run, "follow_up", json!({})), tenant, now);
/// let cancel = Signal::Cancel { actor: Some("user:ada".to_owned()) };
/// events.extend(record.signal(&cancel, &mut [], now.after(std::time::Duration::from_millis(1_500)))?);
///
/// let timeline = Timeline::new(&record.run, &Journal::default(), &events, &[]);
/// let lines: Vec<_> = timeline.entries().iter().map(|entry| entry.text.as_str()).collect();
/// assert_eq!(lines, ["It was accepted.", "user:ada asked for its end.", "It was cancelled."]);
/// assert!(timeline.to_string().ends_with("\n  +0:00:01.500  It was cancelled."));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Timeline {
    head: String,
    since: Timestamp,
    entries: Vec<Entry>,
}

/// Something that happened to a run, as a sentence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What, on one line.
    pub text: String,
}

impl Timeline {
    /// The story of `run` by its journal and all its events, oldest first, without any of `secrets`.
    #[must_use]
    pub fn new(run: &Run, journal: &Journal, events: &[Event], secrets: &[Secret]) -> Self {
        let clean = |text: String| layout::one_line(&secrets.iter().fold(text, |text, secret| secret.redact(&text)));
        let told = events.iter().filter_map(|event| Some((event.at, sentence::about(event, journal)?)));
        Self {
            head: clean(sentence::head(run, journal)),
            since: run.created_at,
            entries: told.map(|(at, text)| Entry { at, text: clean(text) }).collect(),
        }
    }

    /// What happened, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

impl fmt::Display for Timeline {
    /// Lines of about 100 characters, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        layout::wrapped(f, "", &self.head)?;
        write!(f, "\n  since {}", self.since)?;
        let offsets = self.entries.iter().map(|entry| layout::offset(entry.at.since(self.since)));
        let offsets: Vec<String> = offsets.collect();
        let width = offsets.iter().map(String::len).max().unwrap_or(0);
        for (offset, entry) in offsets.iter().zip(&self.entries) {
            f.write_str("\n")?;
            layout::wrapped(f, &format!("  {offset:>width$}  "), &entry.text)?;
        }
        Ok(())
    }
}
