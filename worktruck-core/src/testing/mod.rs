//! What tests of this crate and of others need: simulated time, countable ids, numbers by seed, a store that fails
//! on demand, scripted models, tools and runs, and the conformance suite for store backends.

mod clock;
pub mod conformance;
mod dice;
mod faulty;
mod hand_on;
mod ids;
pub mod script;

#[doc(hidden)]
pub use chrono::NaiveDate;
#[doc(hidden)]
pub use uuid::Uuid;

pub use clock::SimClock;
pub use dice::Dice;
pub use faulty::{Fault, FaultyStore};
pub use ids::CountingIds;
