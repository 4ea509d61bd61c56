//! Scenarios of contacts and what belongs to them.

#![expect(clippy::unwrap_used, reason = "a scenario is a test that other crates run")]

mod links;
mod lists;
mod merging;
mod parts;
mod proposals;
mod town;
mod unmerging;

pub use links::*;
pub use lists::*;
pub use merging::*;
pub use parts::*;
pub use proposals::*;
pub use unmerging::*;
