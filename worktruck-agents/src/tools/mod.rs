//! The tools that ship with Worktruck, and tools that are functions.

mod contacts_find_duplicates;
mod contacts_get;
mod contacts_propose_merge;
mod contacts_search;
mod daily_briefing;
mod fn_tool;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;
use worktruck_core::Timestamp;
use worktruck_core::temporal::At;
use worktruck_core::tool::{Tool, ToolError};

pub use contacts_find_duplicates::ContactsFindDuplicates;
pub use contacts_get::ContactsGet;
pub use contacts_propose_merge::ContactsProposeMerge;
pub use contacts_search::ContactsSearch;
pub use daily_briefing::DailyBriefing;
pub use fn_tool::FnTool;

/// Every tool that ships with Worktruck.
///
/// # Examples
///
/// ```
/// let names: Vec<String> = worktruck_agents::tools::builtin().iter().map(|tool| tool.spec().name.clone()).collect();
/// assert!(names.contains(&"contacts_search".to_owned()));
/// ```
#[must_use]
pub fn builtin() -> Vec<Arc<dyn Tool>> {
    vec![
        Arc::new(ContactsSearch::default()),
        Arc::new(ContactsGet::default()),
        Arc::new(ContactsFindDuplicates::default()),
        Arc::new(ContactsProposeMerge::default()),
        Arc::new(DailyBriefing::default()),
    ]
}

/// The typed input of a tool, or an error that names the place that does not fit.
fn parse<T: DeserializeOwned>(input: Value) -> Result<T, ToolError> {
    serde_path_to_error::deserialize(input).map_err(|e| {
        let pointer: String = e.path().iter().map(part).collect();
        let place = if pointer.is_empty() { pointer } else { format!(" (at {pointer})") };
        ToolError::new(format!("the input is not understood: {}{place}", e.inner()))
    })
}

/// A part of a path as a part of a JSON pointer.
fn part(segment: &Segment) -> String {
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        named => format!("/{}", named.to_string().replace('~', "~0").replace('/', "~1")),
    }
}

fn at(as_of: Option<Timestamp>) -> At {
    as_of.map_or(At::NOW, At::as_of)
}
