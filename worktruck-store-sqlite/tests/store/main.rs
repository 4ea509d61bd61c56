//! What the SQLite store does beyond the conformance suite.

mod claims;
mod commits;
mod file;
mod fixture;
mod lists;
mod retention;
mod turns;
