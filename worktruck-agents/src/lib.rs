//! Worktruck.
//! The runtime of Worktruck: what runs agents over a store.

pub mod import;
