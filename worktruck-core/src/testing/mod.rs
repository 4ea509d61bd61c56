//! Test doubles for the ports: simulated time, countable ids, a store that fails on demand.

mod clock;
mod faulty;
mod ids;

pub use clock::SimClock;
pub use faulty::{Fault, FaultyStore};
pub use ids::CountingIds;
