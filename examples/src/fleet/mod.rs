//! The parts of an example with several worker processes on one database.

use std::time::Duration;

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

/// Reads how long a lease lasts, in seconds.
///
/// # Errors
///
/// What is wrong, for people.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use worktruck_examples::fleet::lease;
///
/// assert_eq!(lease("1.5"), Ok(Duration::from_millis(1500)));
/// assert!(lease("0.1").is_err() && lease("-1").is_err() && lease("soon").is_err());
/// ```
pub fn lease(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "this is no number".to_owned())?;
    let lease = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    let fits = (Duration::from_millis(500)..=Duration::from_secs(60)).contains(&lease);
    if fits { Ok(lease) } else { Err("a lease lasts 0.5 to 60 seconds here".to_owned()) }
}
