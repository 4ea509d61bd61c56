//! What the PostgreSQL store does beyond the conformance suite.

#![expect(clippy::unwrap_used, clippy::large_futures, reason = "what helps a test may fail it, and takes its time")]

mod broken;
mod claims;
mod clock;
mod contention;
mod fixed;
mod fixture;
mod indexed;
mod opening;
mod people;
mod plans;
mod retention;
mod schema;
mod schemas;
mod text;
mod verify;
mod wake;
mod wire;
