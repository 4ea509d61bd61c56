use std::time::Duration;

/// A small generator of numbers (splitmix64): a failure is found again by its seed.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from zero to below `sides`.
    pub(crate) fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % sides.unsigned_abs()).unwrap_or(0)
    }

    /// A number from zero to below `sides`, to count with.
    pub(crate) fn count(&mut self, sides: i64) -> usize {
        usize::try_from(self.roll(sides)).unwrap_or(0)
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.count(i64::try_from(of.len()).unwrap_or(1))].clone()
    }

    pub(crate) fn one_in(&mut self, sides: i64) -> bool {
        self.roll(sides) == 0
    }

    pub(crate) fn maybe<T>(&mut self, one_in: i64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(one_in).then(|| make(self))
    }

    pub(crate) fn micros(&mut self, below: i64) -> Duration {
        Duration::from_micros(self.roll(below).unsigned_abs())
    }
}
