//! Worktruck.
