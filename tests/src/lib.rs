//! What the tests of the workspace share with the processes that they start.

mod announcement;
mod backend;
mod position;
mod store;

pub use announcement::{Announcement, Answer, Beside, CommitSummary};
pub use backend::{Backend, Place};
pub use position::{Moment, Position, Which};
pub use store::AnyStore;
