//! Worktruck.

pub mod providers;
