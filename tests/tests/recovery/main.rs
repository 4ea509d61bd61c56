//! Exactly once, with real processes: workers are killed at every commit, between a call and its
//! receipt and in the middle of a model turn; they are stopped and woken as zombies, and shut down;
//! their database breaks their connections off, crashes, has none left, or is brought to a newer
//! version. What does not depend on one of the stores runs on each of them.
//!
//! A worker that is to be killed has a clock that is an hour behind, so that its lease has run out
//! for everybody else the moment it dies, and no test waits for time to pass. Where the length of
//! a lease is itself what is tested (zombies and takeovers) it is two real seconds.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "whatever goes wrong here fails the test")]

mod backend;
mod checks;
mod fleet;
mod kill;
mod outage;
mod server;
mod share;
mod shutdown;
mod takeover;
mod upgrade;
mod worker;
mod world;
mod zombie;
