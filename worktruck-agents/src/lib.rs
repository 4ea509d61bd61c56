//! Worktruck.

pub mod dedupe;
