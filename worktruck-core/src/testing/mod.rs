//! What tests of this crate and of others need: the conformance suite for store backends.

pub mod conformance;
