//! What an import did, and what it stumbled over.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Contacts, events or notes that are new.
    pub created: usize,
    /// Those that were there, known by a UID or a file, and have changed.
    pub updated: usize,
    /// What was left out, and what was there unchanged.
    pub skipped: usize,
    /// What was not understood, left out, or could not be written.
    pub errors: Vec<Problem>,
}

impl Report {
    pub(super) fn problem(&mut self, source: &str, line: u64, message: String, skipped: bool) {
        self.errors.push(Problem { source: Arc::from(source), line, field: None, message, skipped });
    }

    pub(super) fn skip(&mut self, source: &str, line: u64, message: String) {
        self.skipped += 1;
        self.problem(source, line, message, true);
    }
}

/// Something in a file that was not understood.
///
/// `Display` names the file, the line and the reason:
/// `people.csv:17: birthday "1990-02-31" is not a day of the calendar; kept in metadata`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// The file.
    pub source: Arc<str>,
    /// The line of the file; the first is 1.
    pub line: u64,
    /// The column or property, if it is only that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what became of it, for people.
    pub message: String,
    /// Whether the whole row or card was left out.
    pub skipped: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.source, self.line, self.message)
    }
}
