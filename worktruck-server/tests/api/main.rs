//! The API as its clients see it, on every store: statuses, bodies and headers.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

mod conventions;
mod entities;
mod trouble;
mod world;
