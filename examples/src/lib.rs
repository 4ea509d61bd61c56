//! What the examples share: where they keep their store, and how they show a run.

pub mod agent;
pub mod counting_store;
pub mod crash;
pub mod fleet;
pub mod place;
pub mod progress;
pub mod report;

/// The program of the README, so that it is compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;
