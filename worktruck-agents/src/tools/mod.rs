//! The tools that ship with Worktruck.

mod contacts_find_duplicates;
mod contacts_get;
mod contacts_propose_merge;
mod contacts_search;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use worktruck_core::Timestamp;
use worktruck_core::temporal::At;
use worktruck_core::tool::{Tool, ToolError};

pub use contacts_find_duplicates::ContactsFindDuplicates;
pub use contacts_get::ContactsGet;
pub use contacts_propose_merge::ContactsProposeMerge;
pub use contacts_search::ContactsSearch;

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
    ]
}

/// The typed input of a tool.
fn parse<T: DeserializeOwned>(input: Value) -> Result<T, ToolError> {
    serde_json::from_value(input).map_err(|e| ToolError::new(format!("the input is not understood: {e}")))
}

fn at(as_of: Option<Timestamp>) -> At {
    as_of.map_or(At::NOW, At::as_of)
}
