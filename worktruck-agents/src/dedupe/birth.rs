//! Birth dates as they are compared: partial, mistyped or in the wrong order.

use strsim::osa_distance;
use worktruck_core::entity::contact::Contact;

/// A birth date, of which any part may be unknown and, taken from text, out of range.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Birth {
    pub(crate) year: Option<u16>,
    pub(crate) month: Option<u8>,
    pub(crate) day: Option<u8>,
}

/// How two birth dates agree, from worst to best.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum BirthAgreement {
    Different,
    /// Month and day agree, the year does not.
    MonthDay,
    /// Only the year agrees.
    Year,
    /// The year and one of month and day agree.
    YearAndPart,
    /// One is the other with day and month swapped, or with one digit mistyped, lost or moved.
    Typo,
    /// All parts that both know agree, the year among them.
    Partial,
    Exact,
}

impl Birth {
    /// The birth date of `contact`: its date of type `birthday`, else what an import kept verbatim in
    /// `metadata` under `birthday` because it is no date of the calendar.
    pub(crate) fn of(contact: &Contact) -> Option<Self> {
        let date = contact.dates.iter().find(|d| d.date_type.eq_ignore_ascii_case("birthday"));
        let birth = match date {
            Some(d) => Self { year: d.year, month: d.month, day: d.day },
            None => Self::from_text(contact.metadata.get("birthday")?.as_str()?)?,
        };
        (birth != Self { year: None, month: None, day: None }).then_some(birth)
    }

    /// The date in `text` that need not exist: `1983-02-31`, `14/07/1941`, `19450634`.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).collect();
        let (year, month, day) = match parts[..] {
            [y, m, d] if y.len() == 4 && m.len() <= 2 && d.len() <= 2 => (y, m, d),
            [m, d, y] if y.len() == 4 && m.len() <= 2 && d.len() <= 2 => (y, m, d),
            [all] if all.len() == 8 => (&all[..4], &all[4..6], &all[6..]),
            [y] if y.len() == 4 => (y, "", ""),
            _ => return None,
        };
        Some(Self { year: year.parse().ok(), month: month.parse().ok(), day: day.parse().ok() })
    }

    /// Month and day as one number.
    pub(crate) fn month_day(&self) -> Option<u16> {
        Some(u16::from(self.month?) * 100 + u16::from(self.day?))
    }

    /// As eight digits, `?` for unknown.
    pub(crate) fn digits(&self) -> String {
        let year = self.year.map_or_else(|| "????".to_owned(), |y| format!("{y:04}"));
        let month = self.month.map_or_else(|| "??".to_owned(), |m| format!("{m:02}"));
        let day = self.day.map_or_else(|| "??".to_owned(), |d| format!("{d:02}"));
        year + &month + &day
    }

    /// How it agrees with `other`; none where they have no part in common.
    pub(crate) fn agreement(&self, other: &Self) -> Option<BirthAgreement> {
        let year = same(self.year, other.year);
        let month = same(self.month, other.month);
        let day = same(self.day, other.day);
        let full = self.is_full() && other.is_full();
        Some(match (year, month, day) {
            (None, None, None) => return None,
            (Some(true), Some(true), Some(true)) => BirthAgreement::Exact,
            (Some(true), m, d) if !full && m != Some(false) && d != Some(false) => {
                if self == other {
                    BirthAgreement::Exact
                } else {
                    BirthAgreement::Partial
                }
            }
            _ if full && self.is_typo_of(other) => BirthAgreement::Typo,
            (Some(true), Some(true), _) | (Some(true), _, Some(true)) => BirthAgreement::YearAndPart,
            (Some(true), ..) => BirthAgreement::Year,
            (_, Some(true), Some(true)) => BirthAgreement::MonthDay,
            _ => BirthAgreement::Different,
        })
    }

    /// Whether it lies more than half a generation from `other`.
    pub(crate) fn generation_apart(&self, other: &Self) -> bool {
        matches!((self.year, other.year), (Some(a), Some(b)) if a.abs_diff(b) >= 13)
    }

    fn is_full(&self) -> bool {
        self.year.is_some() && self.month_day().is_some()
    }

    fn is_typo_of(&self, other: &Self) -> bool {
        let swapped = self.year == other.year && self.month == other.day && self.day == other.month;
        // Two dates of neighbouring days differ in one digit as well; the estimated weights know how often.
        swapped || (self.places_apart(other) <= 2 && osa_distance(&self.digits(), &other.digits()) <= 1)
    }

    /// In how many places the digits differ: more than two are no single mistake.
    fn places_apart(&self, other: &Self) -> usize {
        let number = |b: &Self| {
            u32::from(b.year.unwrap_or(0)) * 10_000
                + u32::from(b.month.unwrap_or(0)) * 100
                + u32::from(b.day.unwrap_or(0))
        };
        let (a, b) = (number(self), number(other));
        (0..8).filter(|n| a / 10_u32.pow(*n) % 10 != b / 10_u32.pow(*n) % 10).count()
    }
}

fn same<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<bool> {
    Some(a? == b?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(a: &str, b: &str) -> Option<BirthAgreement> {
        Birth::from_text(a).unwrap().agreement(&Birth::from_text(b).unwrap())
    }

    #[test]
    fn dates_agree_from_exact_to_not_at_all() {
        use BirthAgreement::*;
        for (a, b, expected) in [
            ("1980-05-17", "1980-05-17", Exact),
            ("1980", "1980", Exact),
            ("1980", "1980-05-17", Partial),
            ("1980-05-07", "1980-07-05", Typo),
            ("1980-05-17", "1980-05-11", Typo),
            ("1980-05-17", "1908-05-17", Typo),
            ("1980-05-17", "1980-05-29", YearAndPart),
            ("1980-05-17", "1980-11-29", Year),
            ("1980-05-17", "1963-05-17", MonthDay),
            ("1980-05-17", "1963-11-29", Different),
            ("1980", "1981-05-17", Different),
        ] {
            assert_eq!(agreement(a, b), Some(expected), "{a} and {b}");
            assert_eq!(agreement(b, a), Some(expected), "{b} and {a}");
        }
        let only_year = Birth { year: Some(1980), month: None, day: None };
        let only_day = Birth { year: None, month: Some(5), day: Some(1) };
        assert_eq!(only_year.agreement(&only_day), None);
    }

    #[test]
    fn text_that_is_no_date_of_the_calendar_still_compares() {
        let odd = Birth { year: Some(1941), month: Some(14), day: Some(7) };
        for text in ["14/07/1941", "1941-14-07", "19411407"] {
            assert_eq!(Birth::from_text(text), Some(odd));
        }
        assert_eq!(agreement("14/07/1941", "07/14/1941"), Some(BirthAgreement::Typo));
        for text in ["", "unknown", "1/2", "123456789", "19/07"] {
            assert_eq!(Birth::from_text(text), None);
        }
    }

    #[test]
    fn a_generation_is_thirteen_years() {
        let at = |year| Birth { year: Some(year), month: None, day: None };
        assert!(at(1950).generation_apart(&at(1980)));
        assert!(!at(1950).generation_apart(&at(1962)));
    }
}
