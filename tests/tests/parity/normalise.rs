use std::fmt::Debug;

use worktruck_core::Result;

/// An answer as it is compared. What caused an error is the only thing that may differ from store
/// to store: it speaks of files or of servers. Its kind, its text and its details may not.
pub(crate) fn told<T: Debug>(answer: &Result<T>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => format!("{}: {error} {:?}", error.kind(), error.details()),
    }
}
