//! What holds for every rule.

use proptest::prelude::*;

use super::start_at;
use crate::recurrence::{Mode, Moment, RuleSet, Start, Window, Zone, expand};
use crate::{Period, Timestamp};

const ZONES: [&str; 6] = ["DATE", "UTC", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Pacific/Apia"];
const HOUR: i64 = 3_600_000_000;

fn list(name: &'static str, most: i64, signed: bool) -> impl Strategy<Value = String> {
    let least = if signed { -most } else { 1 };
    let values = prop::collection::vec((least..=most).prop_filter("never 0", |n| *n != 0), 1..4);
    prop::option::weighted(0.25, values).prop_map(move |values| {
        let values = values.unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>();
        if values.is_empty() { String::new() } else { format!(";{name}={}", values.join(",")) }
    })
}

/// Rules of all kinds, also such as are only read leniently.
fn rules() -> impl Strategy<Value = String> {
    let frequency = prop::sample::select(vec!["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]);
    let weekdays = prop::option::weighted(0.3, prop::sample::select(vec!["MO", "TU,SA", "1FR,-1SU", "SU,2WE"]));
    let end = prop_oneof![
        2 => Just(String::new()),
        1 => (1..40u32).prop_map(|count| format!(";COUNT={count}")),
        1 => (2005..2014u32).prop_map(|year| format!(";UNTIL={year}0615")),
    ];
    let days = (
        list("BYMONTH", 12, false),
        list("BYMONTHDAY", 31, true),
        list("BYYEARDAY", 366, true),
        list("BYWEEKNO", 53, true),
    );
    let rest = (list("BYHOUR", 23, false), list("BYMINUTE", 59, false), list("BYSETPOS", 4, true), 1..7u32);
    (frequency, weekdays, end, days, rest).prop_map(|(frequency, weekdays, end, days, rest)| {
        let weekdays = weekdays.map(|days| format!(";BYDAY={days}")).unwrap_or_default();
        let interval = rest.3;
        format!(
            "FREQ={frequency};INTERVAL={interval}{end}{}{}{}{}{weekdays}{}{}{}",
            days.0, days.1, days.2, days.3, rest.0, rest.1, rest.2
        )
    })
}

fn sets() -> impl Strategy<Value = RuleSet> {
    // Around changes of clocks, and the day that Apia skipped.
    let starts = prop::sample::select(vec![
        "2011-12-29T02:30:00",
        "2011-03-13T01:45:00",
        "2011-11-06T01:30:00",
        "2010-01-31T23:50:00",
        "2008-02-29T10:00:00",
        "2011-10-02T02:10:00",
    ]);
    (starts, prop::sample::select(ZONES.to_vec()), rules(), prop::collection::vec(0..400i64, 0..3)).prop_map(
        |(start, zone, rule, days)| {
            let start = start_at(if zone == "DATE" { &start[..10] } else { start }, zone);
            let day = |n: &i64| start.moment_at(start.at + n * 24 * HOUR);
            let exdates: Vec<Moment> = days.iter().map(day).collect();
            let rdates: Vec<Moment> = days.iter().map(|n| day(&(n * 3))).collect();
            RuleSet::new(start, &[rule], &exdates, &rdates, Mode::Lenient { zone: Zone::UTC }).unwrap().0
        },
    )
}

/// The occurrences of so many hours from some hours after the start, as long as that is not too many.
fn within(set: &RuleSet, from: i64, to: i64) -> Option<Vec<i64>> {
    let bound = |hours: i64| Timestamp::from_micros(set.start().at + hours * HOUR);
    let window = Window::new(Period::new(bound(from), bound(to)).ok()?, Zone::UTC);
    let found = expand(set, window, 3000).ok()?;
    found.next.is_none().then(|| found.moments.iter().map(|moment| micros(set.start(), *moment)).collect())
}

fn micros(start: &Start, moment: Moment) -> i64 {
    start.micros(moment).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn windows_are_parts_of_the_whole(set in sets(), from in 0..9000i64, length in 1..3000i64, cut in 0..3000i64) {
        let to = from + length;
        let middle = from + cut % length;
        let (Some(whole), Some(all)) = (within(&set, from, to), within(&set, -100, to)) else { return Ok(()) };
        prop_assert!(whole.is_sorted_by(|a, b| a < b));
        let bounds = set.start().at + from * HOUR..set.start().at + to * HOUR;
        prop_assert!(whole.iter().all(|at| bounds.contains(at)));
        let filtered: Vec<i64> = all.into_iter().filter(|at| bounds.contains(at)).collect();
        prop_assert_eq!(&whole, &filtered);
        let mut parts = within(&set, from, middle).unwrap_or_default();
        parts.extend(within(&set, middle, to).unwrap());
        prop_assert_eq!(&whole, &parts);
        for pair in whole.windows(2).take(3) {
            let next = set.next_after(set.start().moment_at(pair[0])).unwrap();
            prop_assert_eq!(next, Some(set.start().moment_at(pair[1])));
            prop_assert!(set.contains(set.start().moment_at(pair[0])).unwrap());
        }
    }

    #[test]
    fn parts_of_a_split_are_the_whole(set in sets(), which in 0..50usize) {
        let Some(all) = within(&set, -100, 6000).filter(|all| !all.is_empty()) else { return Ok(()) };
        let at = all[which % all.len()];
        let Ok(split) = set.split_at(set.start().moment_at(at)) else { return Ok(()) };
        let hours = |part: &RuleSet| {
            let shift = (part.start().at - set.start().at).div_euclid(HOUR);
            (-100 - shift - 1, 6000 - shift + 1)
        };
        let mut parts = Vec::new();
        for part in split.before.iter().chain([&split.after]) {
            let (from, to) = hours(part);
            parts.extend(within(part, from, to).unwrap());
        }
        let end = set.start().at + 6000 * HOUR;
        parts.retain(|at| *at < end);
        prop_assert_eq!(&parts, &all);
    }

    #[test]
    fn the_last_is_the_last(set in sets()) {
        let Ok(last) = set.last() else { return Ok(()) };
        let Some(all) = within(&set, -100, 60_000) else { return Ok(()) };
        if set.is_endless() {
            prop_assert_eq!(last, None);
        } else if last.is_none_or(|last| micros(set.start(), last) < set.start().at + 60_000 * HOUR) {
            prop_assert_eq!(last, all.last().map(|at| set.start().moment_at(*at)));
        }
    }

    #[test]
    fn canonical_text_means_the_same(set in sets()) {
        let text = set.rules()[0].to_string();
        let mode = Mode::Lenient { zone: Zone::UTC };
        let (again, _) = RuleSet::new(*set.start(), &[text], &set.exdates(), &set.rdates(), mode).unwrap();
        prop_assert_eq!(again, set);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(RRULE:)?(FREQ=(DAILY|YEARLY|MINUTELY);?)?[A-Z=;,0-9+-]{0,60}|\\PC{0,40}") {
        for (start, zone) in [("2024-01-31", "DATE"), ("2024-01-31T02:30:00", "Europe/Paris")] {
            for mode in [Mode::Strict, Mode::Lenient { zone: Zone::UTC }] {
                if let Ok((set, _)) = RuleSet::new(start_at(start, zone), &[&text], &[], &[], mode) {
                    let _ = expand(&set, super::always(), 5);
                }
            }
        }
        let _ = Zone::parse(&text);
        let _ = text.parse::<Moment>();
    }
}
