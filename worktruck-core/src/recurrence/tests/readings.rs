//! Where implementations differ, one case for each reading.

use super::{expand_all, first, moment, moments, series, start_at, walls};
use crate::recurrence::{Mode, RuleSet};

#[test]
fn a_week_number_alone_takes_the_weekday_of_the_start() {
    let found = first("1997-05-12", "DATE", "FREQ=YEARLY;BYWEEKNO=20", 3);
    assert_eq!(found, "1997-05-12 1998-05-11 1999-05-17");
}

#[test]
fn a_month_day_alone_takes_the_month_of_the_start() {
    let found = first("1997-09-02", "DATE", "FREQ=YEARLY;BYMONTHDAY=2,15", 4);
    assert_eq!(found, "1997-09-02 1997-09-15 1998-09-02 1998-09-15");
}

#[test]
fn a_year_day_or_a_weekday_takes_nothing_of_the_start() {
    assert_eq!(first("1997-01-01", "DATE", "FREQ=YEARLY;BYYEARDAY=1,-1", 3), "1997-01-01 1997-12-31 1998-01-01");
    assert_eq!(first("1997-09-02", "DATE", "FREQ=YEARLY;BYDAY=TU", 2), "1997-09-02 1997-09-09");
    let found = first("1997-09-02", "DATE", "FREQ=YEARLY;BYDAY=TU;BYMONTHDAY=2", 3);
    assert_eq!(found, "1997-09-02 2003-09-02 2008-09-02");
}

#[test]
fn positions_of_the_first_period_count_what_lies_before_the_start() {
    // Of Monday, Wednesday and Friday the second is before the start, a Thursday.
    let found = first("1997-09-04", "DATE", "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", 3);
    assert_eq!(found, "1997-09-04 1997-09-10 1997-09-17");
    let found = first("1997-09-05", "DATE", "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=3,-3", 4);
    assert_eq!(found, "1997-09-05 1997-09-08 1997-09-12 1997-09-15");
}

#[test]
fn positions_choose_among_times_too() {
    let found = first("1997-09-02T06:00:00", "UTC", "FREQ=DAILY;BYHOUR=6,18;BYMINUTE=0,30;BYSETPOS=1,-1", 4);
    assert_eq!(found, "1997-09-02T06:00 1997-09-02T18:30 1997-09-03T06:00 1997-09-03T18:30");
}

#[test]
fn days_that_do_not_exist_are_left_out() {
    assert_eq!(first("2023-12-31", "DATE", "FREQ=MONTHLY", 4), "2023-12-31 2024-01-31 2024-03-31 2024-05-31");
    assert_eq!(first("2096-02-29", "DATE", "FREQ=YEARLY", 2), "2096-02-29 2104-02-29");
    assert_eq!(first("2023-12-31", "DATE", "FREQ=YEARLY;BYYEARDAY=366", 2), "2023-12-31 2024-12-31");
}

#[test]
fn numbers_count_from_the_end_too() {
    assert_eq!(first("2024-01-31", "DATE", "FREQ=MONTHLY;BYMONTHDAY=-1", 3), "2024-01-31 2024-02-29 2024-03-31");
    assert_eq!(first("2024-01-26", "DATE", "FREQ=MONTHLY;BYDAY=-1FR", 3), "2024-01-26 2024-02-23 2024-03-29");
    assert_eq!(first("2024-12-30", "DATE", "FREQ=YEARLY;BYDAY=-1MO", 2), "2024-12-30 2025-12-29");
    let found = first("2020-12-28", "DATE", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=MO", 3);
    assert_eq!(found, "2020-12-28 2021-12-27 2022-12-26");
}

#[test]
fn weeks_are_numbered_across_the_turn_of_the_year() {
    // 2020 has 53 weeks, the last of which reaches into 2021.
    let found = first("2020-12-31", "DATE", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=TH,FR", 4);
    assert_eq!(found, "2020-12-31 2021-01-01 2026-12-31 2027-01-01");
    let found = first("2024-12-29", "DATE", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=SU;WKST=SU", 2);
    assert_eq!(found, "2024-12-29 2026-01-04");
}

#[test]
fn the_first_day_of_the_week_matters_to_every_second_week() {
    let rule = "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU";
    assert_eq!(first("1997-08-05", "DATE", rule, 9), "1997-08-05 1997-08-10 1997-08-19 1997-08-24");
    let rule = format!("{rule};WKST=SU");
    assert_eq!(first("1997-08-05", "DATE", &rule, 9), "1997-08-05 1997-08-17 1997-08-19 1997-08-31");
}

#[test]
fn a_start_that_the_rule_does_not_name_is_the_first_instance_and_counts() {
    let found = first("2024-01-03", "DATE", "FREQ=WEEKLY;BYDAY=MO;COUNT=3", 9);
    assert_eq!(found, "2024-01-03 2024-01-08 2024-01-15");
}

#[test]
fn a_rule_that_ends_before_it_starts_is_empty() {
    let set = series("2024-01-03", "DATE", "FREQ=DAILY;UNTIL=20240102");
    assert_eq!(expand_all(&set, 9), []);
    assert_eq!(set.last().unwrap(), None);
    assert!(!set.is_endless());
    assert!(!set.contains(moment("2024-01-03")).unwrap());
}

#[test]
fn a_date_as_until_is_all_of_that_day_where_the_series_is() {
    // Nine in the evening of the second is the third in UTC.
    let set = series("2024-01-01T21:00:00", "America/New_York", "FREQ=DAILY;UNTIL=20240102");
    assert_eq!(walls(&set, &expand_all(&set, 9)), ["2024-01-01T21:00", "2024-01-02T21:00"]);
    assert_eq!(set.rules()[0].to_string(), "FREQ=DAILY;UNTIL=20240102");
}

#[test]
fn until_compares_moments_and_belongs_to_the_series() {
    let until =
        |at: &str| expand_all(&series("2024-07-01T09:00:00", "Europe/Paris", &format!("FREQ=DAILY;UNTIL={at}")), 9);
    assert_eq!(until("20240703T070000Z").len(), 3);
    assert_eq!(until("20240703T065959Z").len(), 2);
}

#[test]
fn times_of_day_are_ignored_where_days_are_whole() {
    let mode = Mode::Lenient { zone: super::Zone::UTC };
    let rule = "FREQ=DAILY;BYHOUR=6,18;BYMINUTE=30;COUNT=2";
    let (set, warnings) = RuleSet::new(start_at("2024-01-01", "DATE"), &[rule], &[], &[], mode).unwrap();
    assert_eq!(expand_all(&set, 9), moments("2024-01-01 2024-01-02"));
    assert_eq!(warnings.len(), 2);
}

#[test]
fn fractions_of_a_second_are_kept() {
    let start = super::Start::instant("2024-01-01T00:00:00.25Z".parse().unwrap(), super::Zone::UTC).unwrap();
    let (set, _) =
        RuleSet::new(start, &["FREQ=SECONDLY;INTERVAL=30;UNTIL=20240101T000030Z"], &[], &[], Mode::Strict).unwrap();
    assert_eq!(expand_all(&set, 9), moments("2024-01-01T00:00:00.25Z 2024-01-01T00:00:30.25Z"));
    let split = set.split_at(moment("2024-01-01T00:00:30.25Z")).unwrap();
    assert_eq!(expand_all(&split.before.unwrap(), 9), moments("2024-01-01T00:00:00.25Z"));
}
