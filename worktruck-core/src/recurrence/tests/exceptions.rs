//! EXDATE, RDATE, several rules, and questions about one moment.

use super::{expand_all, moment, moments, series, start_at};
use crate::ErrorKind;
use crate::recurrence::{Mode, Moment, RuleSet, Zone};

fn dates(rules: &[&str], exdates: &str, rdates: &str) -> RuleSet {
    let start = start_at("2024-01-01", "DATE");
    RuleSet::new(start, rules, &moments(exdates), &moments(rdates), Mode::Strict).unwrap().0
}

#[test]
fn count_counts_before_dates_are_left_out() {
    let set = dates(&["FREQ=DAILY;COUNT=4"], "2024-01-01 2024-01-04 2025-01-01", "");
    assert_eq!(expand_all(&set, 9), moments("2024-01-02 2024-01-03"));
    assert_eq!(set.last().unwrap(), Some(moment("2024-01-03")));
    assert!(!set.contains(moment("2024-01-04")).unwrap());
    assert!(set.contains(moment("2024-01-03")).unwrap());
}

#[test]
fn what_is_named_twice_occurs_once() {
    let set = dates(&["FREQ=DAILY;COUNT=3", "FREQ=WEEKLY;COUNT=2"], "2024-01-03", "2024-01-02 2024-01-03 2023-12-31");
    assert_eq!(expand_all(&set, 9), moments("2023-12-31 2024-01-01 2024-01-02 2024-01-08"));
    assert_eq!(set.rdates(), moments("2023-12-31 2024-01-02 2024-01-03"));
    assert_eq!(set.exdates(), moments("2024-01-03"));
    assert_eq!(set.last().unwrap(), Some(moment("2024-01-08")));
}

#[test]
fn without_a_rule_there_is_the_start() {
    let set = dates(&[], "", "2024-03-01");
    assert_eq!(expand_all(&set, 9), moments("2024-01-01 2024-03-01"));
    assert_eq!(set.last().unwrap(), Some(moment("2024-03-01")));
    assert!(!set.is_endless());
}

#[test]
fn a_limit_says_what_comes_next() {
    let set = dates(&["FREQ=DAILY"], "", "");
    let found = crate::recurrence::expand(&set, super::always(), 2).unwrap();
    assert_eq!(found.moments, moments("2024-01-01 2024-01-02"));
    assert_eq!(found.next, Some(moment("2024-01-03")));
}

#[test]
fn the_next_one_is_strictly_later() {
    let set = series("2024-01-01T09:00:00", "Europe/Paris", "FREQ=WEEKLY;BYDAY=MO,FR");
    let next = |at: &str| set.next_after(moment(at)).unwrap().unwrap();
    assert_eq!(next("1970-01-01T00:00:00Z"), moment("2024-01-01T08:00:00Z"));
    assert_eq!(next("2024-01-01T08:00:00Z"), moment("2024-01-05T08:00:00Z"));
    assert_eq!(next("2024-01-05T07:59:59.999999Z"), moment("2024-01-05T08:00:00Z"));
    assert_eq!(next("2099-07-01T00:00:00Z"), moment("2099-07-03T07:00:00Z"));
    assert_eq!(set.next_after(Moment::Instant(crate::Timestamp::FOREVER)).unwrap(), None);
}

#[test]
fn a_moment_of_the_other_kind_is_refused() {
    let timed = series("2024-01-01T09:00:00", "Europe/Paris", "FREQ=DAILY");
    let error = timed.contains(moment("2024-01-02")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let whole = start_at("2024-01-01", "DATE");
    let error = RuleSet::new(whole, &["FREQ=DAILY"], &moments("2024-01-01 2024-01-02T00:00:00Z"), &[], Mode::Strict);
    assert_eq!(error.unwrap_err().pointer(), Some("/exdates/1"));
}

#[test]
fn a_date_left_out_of_a_series_with_times_takes_its_time() {
    let mode = Mode::Lenient { zone: Zone::UTC };
    let start = start_at("2024-01-01T09:00:00", "Europe/Paris");
    let (set, warnings) = RuleSet::new(start, &["FREQ=DAILY;COUNT=3"], &moments("2024-01-02"), &[], mode).unwrap();
    assert_eq!(expand_all(&set, 9), moments("2024-01-01T08:00:00Z 2024-01-03T08:00:00Z"));
    assert_eq!(warnings.len(), 1);
}

#[test]
fn moments_are_read_as_they_are_written() {
    for text in ["2024-02-29", "2024-02-29T10:00:00.000000Z"] {
        assert_eq!(moment(text).to_string(), text);
        let json = serde_json::to_string(&moment(text)).unwrap();
        assert_eq!(serde_json::from_str::<Moment>(&json).unwrap(), moment(text));
    }
    for wrong in ["", "2024-2-3", "2023-02-29", "20240229", "2024-02-29T10:00:00", "today"] {
        assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
    }
}

#[test]
fn a_rule_restarts_at_a_completion() {
    let set = dates(&["FREQ=WEEKLY;INTERVAL=2"], "2024-01-24", "2024-01-12");
    assert_eq!(set.next_from(start_at("2024-01-09", "DATE")).unwrap(), Some(moment("2024-01-23")));
    assert_eq!(set.next_from(start_at("2024-01-10", "DATE")).unwrap(), Some(moment("2024-02-07")));
    let timed = set.next_from(start_at("2024-01-10T08:00:00", "UTC")).unwrap();
    assert_eq!(timed, Some(moment("2024-01-24T08:00:00Z")));
    let mondays = dates(&["FREQ=WEEKLY;BYDAY=MO"], "", "");
    assert_eq!(mondays.next_from(start_at("2024-01-10", "DATE")).unwrap(), Some(moment("2024-01-15")));
}
