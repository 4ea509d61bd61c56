//! What the PostgreSQL store does beyond the conformance suite.

mod broken;
mod clock;
mod contention;
mod fixture;
mod opening;
mod schema;
mod schemas;
mod text;
mod wake;
mod wire;
