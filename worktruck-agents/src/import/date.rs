//! Dates as people and programs write them.

/// Which part of `03/04/1990` is the month.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum SlashOrder {
    /// The first: `MM/DD/YYYY`.
    #[default]
    MonthFirst,
    /// The second: `DD/MM/YYYY`.
    DayFirst,
}

impl SlashOrder {
    /// The order in which more of the dates can be meant; a part above 12 is a day.
    pub(super) fn of(dates: impl Iterator<Item = impl AsRef<str>>) -> Self {
        let (mut month_first, mut day_first) = (0_u64, 0_u64);
        for date in dates {
            match slashed(date.as_ref().trim()) {
                Some((13..=31, 1..=12, _)) => day_first += 1,
                Some((1..=12, 13..=31, _)) => month_first += 1,
                _ => {}
            }
        }
        if day_first > month_first { Self::DayFirst } else { Self::MonthFirst }
    }
}

/// The known parts of a date; whether a calendar has it is not checked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Parts {
    pub(super) year: Option<u16>,
    pub(super) month: Option<u8>,
    pub(super) day: Option<u8>,
}

/// Reads a date; nothing if it is in none of the forms, or has a time of day that is not midnight.
///
/// `slashes` is the order of dates with slashes, which are not understood without it.
pub(super) fn read(text: &str, slashes: Option<SlashOrder>) -> Option<Parts> {
    let text = text.trim();
    let text = match text.find(['T', 't', ' ']) {
        Some(at) if at >= 8 => {
            is_midnight(&text[at + 1..]).then_some(())?;
            &text[..at]
        }
        _ => text,
    };
    if let Some(rest) = text.strip_prefix("---") {
        return Some(Parts { day: Some(number(rest, 2..=2)?), ..Parts::default() });
    }
    if let Some(rest) = text.strip_prefix("--") {
        return month_and_day(rest);
    }
    if text.contains('.') {
        let (day, rest) = text.split_once('.')?;
        let (month, year) = rest.split_once('.')?;
        return whole(year, month, day);
    }
    if text.contains('/') {
        if let Some((year, rest)) = text.split_once('/')
            && year.len() == 4
        {
            let (month, day) = rest.split_once('/')?;
            return whole(year, month, day);
        }
        let (first, second, year) = slashed(text)?;
        let (month, day) = match (slashes?, first, second) {
            // A part above 12 is no month: such a date can be meant in one way only.
            (_, 13.., ..=12) | (SlashOrder::DayFirst, _, ..=12) => (second, first),
            (SlashOrder::MonthFirst | SlashOrder::DayFirst, ..) => (first, second),
        };
        return Some(Parts { year: Some(year), month: Some(month), day: Some(day) });
    }
    match text.split_once('-') {
        Some((year, rest)) => match rest.split_once('-') {
            Some((month, day)) => whole(year, month, day),
            None => Some(Parts { year: Some(number(year, 4..=4)?), month: Some(number(rest, 1..=2)?), day: None }),
        },
        None if text.len() == 8 => whole(text.get(..4)?, text.get(4..6)?, text.get(6..)?),
        None => Some(Parts { year: Some(number(text, 4..=4)?), ..Parts::default() }),
    }
}

fn month_and_day(text: &str) -> Option<Parts> {
    let (month, day) = match text.split_once('-') {
        Some((month, day)) => (month, Some(number(day, 1..=2)?)),
        None if text.len() == 4 => (text.get(..2)?, Some(number(text.get(2..)?, 2..=2)?)),
        None => (text, None),
    };
    Some(Parts { year: None, month: Some(number(month, 1..=2)?), day })
}

fn whole(year: &str, month: &str, day: &str) -> Option<Parts> {
    Some(Parts { year: Some(number(year, 4..=4)?), month: Some(number(month, 1..=2)?), day: Some(number(day, 1..=2)?) })
}

fn slashed(text: &str) -> Option<(u8, u8, u16)> {
    let (first, rest) = text.split_once('/')?;
    let (second, year) = rest.split_once('/')?;
    Some((number(first, 1..=2)?, number(second, 1..=2)?, number(year, 4..=4)?))
}

fn number<T: std::str::FromStr>(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<T> {
    let is_number = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Whether nothing is lost when the time of day is dropped: exporters add midnight to every birthday.
fn is_midnight(time: &str) -> bool {
    let time = time.trim_end_matches(['Z', 'z']);
    !time.is_empty() && time.bytes().all(|b| matches!(b, b'0' | b':' | b'.'))
}
