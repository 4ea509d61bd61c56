//! The parts of an example with several worker processes on one database.

pub mod board;
pub mod count;
pub mod crew;
pub mod desk;
pub mod outcome;
pub mod place;
pub mod tally;
pub mod tenants;
mod tools;
pub mod watch;
pub mod worker;
