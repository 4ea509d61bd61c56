//! What can be seen of runs: their events as they happen, spans, numbers, and their story in plain language.

#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

mod capture;
mod numbers;
mod spans;
mod stage;
mod stream;
mod timeline;
