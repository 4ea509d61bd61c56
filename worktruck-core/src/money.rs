//! Exact money for costs and budgets.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};
use serde_json::Number;

/// An amount of US dollars as whole nano-dollars (10⁻⁹ USD).
///
/// A turn of a small model costs a fraction of a cent, so cents would lose it. Arithmetic
/// saturates; the range is ±9.2 billion dollars.
///
/// # Examples
///
/// ```
/// use worktruck_core::NanoUsd;
///
/// let cost = NanoUsd::from_cents(25) + NanoUsd::new(12_345);
/// assert_eq!(cost.as_nanos(), 250_012_345);
/// assert_eq!(cost.cents().to_string(), "25.0012345");
/// ```
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct NanoUsd(i64);

const NANOS_PER_CENT: i64 = 10_000_000;

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// More than any run can cost.
    pub const MAX: Self = Self(i64::MAX);

    /// `nanos` nano-dollars.
    #[must_use]
    pub const fn new(nanos: i64) -> Self {
        Self(nanos)
    }

    /// `cents` US cents.
    #[must_use]
    pub const fn from_cents(cents: i64) -> Self {
        Self(cents.saturating_mul(NANOS_PER_CENT))
    }

    /// Whole nano-dollars.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The same amount in US cents as a JSON number that keeps its fraction.
    ///
    /// Exact to 15 significant digits, which is every amount below ten million dollars.
    #[must_use]
    pub fn cents(self) -> Number {
        if self.0 % NANOS_PER_CENT == 0 {
            return Number::from(self.0 / NANOS_PER_CENT);
        }
        #[expect(clippy::cast_precision_loss, reason = "documented: exact to 15 digits")]
        let cents = self.0 as f64 / NANOS_PER_CENT as f64;
        // Invariant: an i64 divided by a constant is finite.
        Number::from_f64(cents).unwrap_or_else(|| Number::from(self.0 / NANOS_PER_CENT))
    }

    /// `count` times this amount.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX)))
    }
}

impl Add for NanoUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for NanoUsd {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ¢", self.cents())
    }
}
