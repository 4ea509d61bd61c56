use std::time::Duration;

/// A small generator of numbers (splitmix64): the same seed makes the same script, so that a
/// failure is found again.
///
/// # Examples
///
/// ```
/// use worktruck_core::testing::Dice;
///
/// let mut dice = Dice::new(7);
/// assert!((0..6).contains(&dice.roll(6)));
/// assert_eq!(Dice::new(7).pick(&["a", "b", "c"]), Dice::new(7).pick(&["a", "b", "c"]));
/// ```
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from zero to below `sides`.
    pub fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % sides.unsigned_abs().max(1)).unwrap_or(0)
    }

    /// A place in a list of `len`.
    pub fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.roll(i64::try_from(len).unwrap_or(1))).unwrap_or(0)
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.place(of.len())].clone()
    }

    /// Whether it happened that happens one time in `times`.
    pub fn one_in(&mut self, times: i64) -> bool {
        self.roll(times) == 0
    }

    /// Something, one time in `times`.
    pub fn maybe<T>(&mut self, times: i64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(times).then(|| make(self))
    }

    /// A time shorter than so many microseconds.
    pub fn micros(&mut self, below: i64) -> Duration {
        Duration::from_micros(self.roll(below).unsigned_abs())
    }
}
