//! The times of one period.

use super::calendar::DAY;

/// The times of one period, in order.
#[derive(Debug)]
pub(super) struct Span<'a> {
    pub(super) days: Vec<i64>,
    /// Seconds between the beginning of the day and that of the period.
    pub(super) offset: i64,
    pub(super) times: &'a [i64],
    /// Which of all times, if not each.
    pub(super) picked: Option<Vec<usize>>,
    pub(super) next: usize,
}

impl Span<'_> {
    /// Passes over times before `wall`.
    pub(super) fn skip_to(&mut self, wall: i64) {
        if self.picked.is_some() || self.times.is_empty() {
            return;
        }
        let day = wall.div_euclid(DAY);
        let whole = self.days.partition_point(|other| *other < day);
        let mut next = whole * self.times.len();
        if self.days.get(whole) == Some(&day) {
            let time = wall.rem_euclid(DAY) - self.offset;
            next += self.times.partition_point(|other| *other < time);
        }
        self.next = self.next.max(next);
    }

    /// How many times are left.
    pub(super) fn left(&self) -> usize {
        let all = self.picked.as_ref().map_or(self.days.len() * self.times.len(), Vec::len);
        all.saturating_sub(self.next)
    }
}

impl Iterator for Span<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let index = match &self.picked {
            Some(picked) => *picked.get(self.next)?,
            None => self.next,
        };
        let day = self.days.get(index.checked_div(self.times.len())?)?;
        let time = self.times.get(index.checked_rem(self.times.len())?)?;
        self.next += 1;
        Some(day * DAY + self.offset + time)
    }
}

/// The places that BYSETPOS chooses among `all`, sorted and each once.
pub(super) fn picked(positions: &[i64], all: usize) -> Vec<usize> {
    let mut picked: Vec<usize> = positions
        .iter()
        .filter_map(|position| {
            let distance = usize::try_from(position.unsigned_abs()).ok()?;
            if *position > 0 { distance.checked_sub(1).filter(|i| *i < all) } else { all.checked_sub(distance) }
        })
        .collect();
    picked.sort_unstable();
    picked.dedup();
    picked
}
