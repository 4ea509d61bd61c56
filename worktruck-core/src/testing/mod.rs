//! What tests of this crate and of others need: simulated time, countable ids, a store that fails
//! on demand, scripted models, tools and runs, and the conformance suite for store backends.

mod clock;
pub mod conformance;
mod faulty;
mod ids;
pub mod script;

pub use clock::SimClock;
pub use faulty::{Fault, FaultyStore};
pub use ids::CountingIds;
