//! "This and following".

use super::{expand_all, moment, moments, series, start_at};
use crate::ErrorKind;
use crate::recurrence::{Mode, RuleSet, Start};

#[test]
fn both_parts_are_the_whole() {
    let start = start_at("2024-01-01T09:00:00", "Europe/Paris");
    let (exdates, rdates) =
        (moments("2024-01-03T08:00:00Z 2024-01-08T08:00:00Z"), moments("2024-01-02T20:00:00Z 2024-01-09T20:00:00Z"));
    let (set, _) = RuleSet::new(start, &["FREQ=DAILY;COUNT=10"], &exdates, &rdates, Mode::Strict).unwrap();
    let all = expand_all(&set, 99);
    assert_eq!(all.len(), 10);
    for (i, at) in all.iter().enumerate() {
        let split = set.split_at(*at).unwrap();
        let mut both = split.before.iter().flat_map(|before| expand_all(before, 99)).collect::<Vec<_>>();
        assert_eq!(both, all[..i], "{at}");
        both.extend(expand_all(&split.after, 99));
        assert_eq!(both, all, "{at}");
    }
}

#[test]
fn the_rule_ends_before_and_goes_on_after() {
    let set = series("2024-01-01T09:00:00", "Europe/Paris", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;COUNT=9");
    let split = set.split_at(moment("2024-01-18T08:00:00Z")).unwrap();
    let before = split.before.unwrap();
    assert_eq!(before.rules()[0].to_string(), "FREQ=WEEKLY;UNTIL=20240118T075959Z;INTERVAL=2;BYDAY=MO,TH");
    assert_eq!(split.after.rules()[0].to_string(), "FREQ=WEEKLY;COUNT=6;INTERVAL=2;BYDAY=MO,TH");
    assert_eq!(split.after.start().moment(), moment("2024-01-18T08:00:00Z"));
}

#[test]
fn at_the_first_occurrence_nothing_is_before() {
    let set = series("2024-01-01", "DATE", "FREQ=DAILY;COUNT=3");
    let split = set.split_at(moment("2024-01-01")).unwrap();
    assert_eq!(split.before, None);
    assert_eq!(split.after, set);
}

#[test]
fn exceptions_go_to_their_part() {
    let exdates = moments("2024-01-02 2024-01-05");
    let rdates = moments("2024-01-02 2024-02-01");
    let (set, _) =
        RuleSet::new(start_at("2024-01-01", "DATE"), &["FREQ=DAILY;COUNT=6"], &exdates, &rdates, Mode::Strict).unwrap();
    let split = set.split_at(moment("2024-01-04")).unwrap();
    let before = split.before.unwrap();
    assert_eq!((before.exdates(), before.rdates()), (moments("2024-01-02"), moments("2024-01-02")));
    assert_eq!((split.after.exdates(), split.after.rdates()), (moments("2024-01-05"), moments("2024-02-01")));
    assert_eq!(expand_all(&before, 9), moments("2024-01-01 2024-01-03"));
    assert_eq!(expand_all(&split.after, 9), moments("2024-01-04 2024-01-06 2024-02-01"));
}

#[test]
fn at_an_added_date_the_rule_keeps_its_step() {
    let rdates = moments("2024-01-10 2024-03-01");
    let (set, _) =
        RuleSet::new(start_at("2024-01-01", "DATE"), &["FREQ=WEEKLY;INTERVAL=2;COUNT=3"], &[], &rdates, Mode::Strict)
            .unwrap();
    let split = set.split_at(moment("2024-01-10")).unwrap();
    assert_eq!(expand_all(&split.before.unwrap(), 9), moments("2024-01-01"));
    assert_eq!(split.after.start().moment(), moment("2024-01-15"));
    assert_eq!(expand_all(&split.after, 9), moments("2024-01-10 2024-01-15 2024-01-29 2024-03-01"));
    let split = set.split_at(moment("2024-03-01")).unwrap();
    assert_eq!(split.before.unwrap().rules()[0].to_string(), "FREQ=WEEKLY;COUNT=3;INTERVAL=2");
    assert_eq!(split.after.rules(), []);
    assert_eq!(expand_all(&split.after, 9), moments("2024-03-01"));
}

#[test]
fn without_a_rule_dates_are_divided() {
    let rdates = moments("2023-12-30 2023-12-31 2024-02-01");
    let rules: [&str; 0] = [];
    let (set, _) = RuleSet::new(start_at("2024-01-01", "DATE"), &rules, &[], &rdates, Mode::Strict).unwrap();
    for at in expand_all(&set, 9) {
        let split = set.split_at(at).unwrap();
        assert_eq!(split.after.start().moment(), at);
        let mut both = split.before.iter().flat_map(|before| expand_all(before, 9)).collect::<Vec<_>>();
        assert!(both.iter().all(|before| *before < at));
        both.extend(expand_all(&split.after, 9));
        assert_eq!(both, expand_all(&set, 9));
    }
}

#[test]
fn a_time_that_clocks_skipped_does_not_move_what_follows() {
    let set = series("2024-03-09T02:30:00", "America/New_York", "FREQ=DAILY;COUNT=4");
    let split = set.split_at(moment("2024-03-10T03:30:00-04:00")).unwrap();
    let rest = moments("2024-03-10T03:30:00-04:00 2024-03-11T02:30:00-04:00 2024-03-12T02:30:00-04:00");
    assert_eq!(expand_all(&split.after, 9), rest);
    // Also when it was stored by its moment and its text.
    let text = split.after.rules()[0].to_string();
    let start = Start::instant("2024-03-10T03:30:00-04:00".parse().unwrap(), set.start().zone()).unwrap();
    let (stored, _) = RuleSet::new(start, &[text], &[], &[], Mode::Strict).unwrap();
    assert_eq!(expand_all(&stored, 9), rest);
}

#[test]
fn what_cannot_be_split_is_refused() {
    let set = series("2024-01-01", "DATE", "FREQ=DAILY;INTERVAL=2");
    assert_eq!(set.split_at(moment("2024-01-02")).unwrap_err().kind(), ErrorKind::InvalidRequest);
    let rules = ["FREQ=DAILY", "FREQ=WEEKLY"];
    let (set, _) = RuleSet::new(start_at("2024-01-01", "DATE"), &rules, &[], &[], Mode::Strict).unwrap();
    assert!(set.split_at(moment("2024-01-02")).unwrap_err().to_string().contains("several rules"));
}
