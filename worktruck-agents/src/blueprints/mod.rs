//! The blueprints that ship with Worktruck.

mod contact_deduper;

use crate::blueprint::Blueprint;

pub use contact_deduper::contact_deduper;

/// Every blueprint that ships with Worktruck.
#[must_use]
pub fn catalog() -> Vec<Blueprint> {
    vec![contact_deduper()]
}
