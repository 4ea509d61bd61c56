//! Scenarios of projects, tasks and what belongs to them.

#![expect(clippy::unwrap_used, reason = "a scenario is a test that other crates run")]

mod board;
mod dependencies;
mod due;
mod identifiers;
mod labels;
mod parts;
mod progress;
mod projects;
mod recurring;
mod tree;
mod writes;

pub use dependencies::*;
pub use due::*;
pub use identifiers::*;
pub use labels::*;
pub use parts::*;
pub use progress::*;
pub use projects::*;
pub use recurring::*;
pub use tree::*;
pub use writes::*;
