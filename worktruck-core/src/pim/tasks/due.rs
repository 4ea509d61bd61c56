use chrono::NaiveDate;

use crate::entity::task::DueKey;
use crate::pim::Operation;
use crate::recurrence::{Moment, Zone};
use crate::{Result, Timestamp};

/// Stretches of a sort key.
pub(super) type Stretches = Vec<(String, String)>;

/// When things are due as somebody sees it: which moments a day has depends on where they are.
///
/// What is due on a day is late when the day is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    zone: Zone,
    now: Timestamp,
}

impl Due {
    pub(super) fn new(operation: &Operation) -> Result<Self> {
        Ok(Self { zone: zone(operation)?, now: operation.moment() })
    }

    /// What is due before `moment`, of which a day begins where it does here.
    pub(super) fn before(self, moment: Moment) -> Stretches {
        let (day, at) = match moment {
            Moment::Date(day) => (day, self.start_of(day)),
            Moment::Instant(at) => (self.day_of(at), at),
        };
        stretches([("d".to_owned(), DueKey::day(day)), ("t".to_owned(), DueKey::time(at))])
    }

    /// What is due after `moment`, of which a day ends where it does here.
    pub(super) fn after(self, moment: Moment) -> Stretches {
        let (day, at) = match moment {
            Moment::Date(day) => match day.succ_opt() {
                Some(next) => (next, self.start_of(next)),
                None => return Vec::new(),
            },
            Moment::Instant(at) => (self.day_of(at), at.next()),
        };
        stretches([(DueKey::day(day), "e".to_owned()), (DueKey::time(at), "u".to_owned())])
    }

    /// What is late.
    pub(super) fn overdue(self) -> Stretches {
        self.before(Moment::Instant(self.now))
    }

    /// What is not late, such as what is never due.
    pub(super) fn in_time(self) -> Stretches {
        let [day, time] = [DueKey::day(self.day_of(self.now)), DueKey::time(self.now)];
        stretches([(String::new(), "d".to_owned()), (day, "e".to_owned()), (time, "u".to_owned())])
    }

    fn day_of(self, at: Timestamp) -> NaiveDate {
        self.zone
            .wall(at)
            .map_or(if at < Timestamp::EPOCH { NaiveDate::MIN } else { NaiveDate::MAX }, |wall| wall.date())
    }

    fn start_of(self, day: NaiveDate) -> Timestamp {
        self.zone.timestamp(day.and_time(chrono::NaiveTime::MIN))
    }
}

/// The zone that the tenant is at home in.
pub(super) fn zone(operation: &Operation) -> Result<Zone> {
    Zone::parse(operation.locale.timezone.name())
}

fn stretches<const N: usize>(all: [(String, String); N]) -> Stretches {
    all.into_iter().filter(|(from, to)| from < to).collect()
}
