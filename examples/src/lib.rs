//! What the examples share: where they keep their store, and how they show a run.

pub mod crash;
pub mod place;
pub mod progress;
pub mod report;
