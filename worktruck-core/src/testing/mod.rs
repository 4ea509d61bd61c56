//! Test doubles for the ports: simulated time, countable ids, a store that fails on demand, scripted
//! models, tools and runs.

mod clock;
mod faulty;
mod ids;
pub mod script;

pub use clock::SimClock;
pub use faulty::{Fault, FaultyStore};
pub use ids::CountingIds;
