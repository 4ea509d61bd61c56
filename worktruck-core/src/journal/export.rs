use serde::{Deserialize, Serialize};

use crate::run::{Event, Run};
use crate::{Digest, Error, Result};

use super::{Journal, Verification, verify};

/// A run as one document, with all that it takes to look into it, and to check it against other software, where its
/// store is not.
///
/// Its text is canonical JSON (RFC 8785): the same run gives the same bytes, and the digest of the text names it. The
/// members are
///
/// - `format`: `worktruck.run`;
/// - `format_version`: 1. A version that is higher is refused by software that does not know it;
/// - `run`: the run as anybody may see it;
/// - `journal`: `snapshot`, `steps` with their payloads, `calls` that are not in the chain yet, `approvals`, and what
///   was set aside;
/// - `events`: what happened to the run, in order.
///
/// # Examples
///
/// ```
/// use worktruck_core::journal::RunExport;
///
/// let error = RunExport::parse(r#"{"format":"worktruck.run","format_version":2}"#).unwrap_err();
/// assert_eq!(error.pointer(), Some("/format_version"));
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RunExport {
    /// What the document is.
    pub format: String,
    /// Which version of it.
    pub format_version: u32,
    /// The run.
    pub run: Run,
    /// Its journal.
    pub journal: Journal,
    /// What happened to it.
    pub events: Vec<Event>,
}

/// What documents are that hold a run.
const FORMAT: &str = "worktruck.run";
/// The version that is written.
const VERSION: u32 = 1;

impl RunExport {
    /// The document of a run.
    #[must_use]
    pub fn new(run: Run, journal: Journal, events: Vec<Event>) -> Self {
        Self { format: FORMAT.to_owned(), format_version: VERSION, run, journal, events }
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` with the JSON pointer of what is missing, unknown or wrong, or with line and column where the
    /// text is not JSON.
    pub fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
            format_version: Option<u32>,
        }
        let no_json = |e: serde_json::Error| Error::invalid(format!("the text is not a document of a run: {e}"));
        let head: Head = serde_json::from_str(text).map_err(no_json)?;
        if head.format.as_deref() != Some(FORMAT) {
            return Err(Error::invalid(format!("the document is not one of a run: its format must be {FORMAT:?}"))
                .at("/format"));
        }
        if head.format_version != Some(VERSION) {
            let found = head.format_version.map_or_else(|| "none".to_owned(), |version| version.to_string());
            let message = format!("the version of the document is {found}, and this software reads {VERSION}");
            return Err(Error::invalid(message).at("/format_version"));
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut reader).map_err(|e| {
            let segments = e.path().iter().map(|segment| {
                let segment = segment.to_string();
                format!("/{}", segment.trim_matches(['[', ']']).replace('~', "~0").replace('/', "~1"))
            });
            let pointer: String = segments.collect();
            let error = Error::invalid(format!("the document of a run is wrong: {}", e.inner()));
            if pointer.is_empty() { error } else { error.at(pointer) }
        })
    }

    /// Its text.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if something in it has no canonical JSON form.
    pub fn to_text(&self) -> Result<String> {
        serde_json_canonicalizer::to_string(self)
            .map_err(|e| Error::invalid("the run has no canonical JSON form").with_source(e))
    }

    /// What names it: the digest of its text.
    ///
    /// # Errors
    ///
    /// As for [`to_text`](Self::to_text).
    pub fn digest(&self) -> Result<Digest> {
        Ok(Digest::of_bytes(self.to_text()?.as_bytes()))
    }

    /// Whether its journal is what was once recorded.
    ///
    /// # Errors
    ///
    /// As for [`verify`].
    pub fn verify(&self) -> Result<Verification> {
        verify(self.run.tenant_id, self.run.id, &self.run.input, &self.journal)
    }
}
