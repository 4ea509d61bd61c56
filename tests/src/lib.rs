//! What the tests of the workspace share with the processes that they start.

mod announcement;
mod position;

pub use announcement::{Announcement, Answer, CommitSummary};
pub use position::{Moment, Position, Which};
