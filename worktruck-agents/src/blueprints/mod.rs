//! The blueprints that ship with Worktruck.

mod contact_deduper;
mod daily_briefing;

use crate::blueprint::Blueprint;

pub use contact_deduper::contact_deduper;
pub use daily_briefing::daily_briefing;

/// Every blueprint that ships with Worktruck.
#[must_use]
pub fn catalog() -> Vec<Blueprint> {
    vec![contact_deduper(), daily_briefing()]
}
