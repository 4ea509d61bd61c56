//! Far windows and rules made to take long. Work is counted in steps, not in time.

use super::{always, expand_all, moment, moments, series, start_at};
use crate::recurrence::budget::STEPS;
use crate::recurrence::{Mode, RuleSet, Window, Zone, expand};
use crate::{Error, Period};

fn within(set: &RuleSet, from: &str, to: &str) -> crate::recurrence::Occurrences {
    let period = Period::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
    expand(set, Window::new(period, Zone::UTC), 10_000).unwrap()
}

#[test]
fn a_far_window_takes_no_longer_than_a_near_one() {
    for (rule, steps) in [
        ("FREQ=DAILY", 100),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR", 100),
        ("FREQ=MONTHLY;BYDAY=-1FR", 100),
        ("FREQ=YEARLY;BYMONTH=7;BYDAY=1MO", 100),
        ("FREQ=HOURLY;INTERVAL=5", 1000),
        ("FREQ=SECONDLY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", 200),
        ("FREQ=YEARLY;BYHOUR=9,10;BYMINUTE=0,1,2,3,4,5,6,7,8,9;BYDAY=MO", 1000),
    ] {
        let set = series("1994-01-03T09:00:00", "Europe/Paris", rule);
        let found = within(&set, "2024-06-27T00:00:00Z", "2024-07-04T00:00:00Z");
        assert!(!found.moments.is_empty(), "{rule}");
        assert!(found.steps < steps, "{rule}: {}", found.steps);
    }
}

#[test]
fn counted_rules_are_not_walked_where_their_periods_are_alike() {
    let set = series("1994-01-03", "DATE", "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=4000000000");
    let found = within(&set, "2024-06-27T00:00:00Z", "2024-07-04T00:00:00Z");
    assert_eq!(found.moments, moments("2024-06-28 2024-07-01 2024-07-03"));
    assert!(found.steps < 100, "{}", found.steps);
    let set = series("2024-01-01T00:00:00", "UTC", "FREQ=SECONDLY;COUNT=1000000000");
    assert_eq!(set.last().unwrap(), Some(moment("2055-09-09T01:46:39Z")));
    let set = series("2024-01-03", "DATE", "FREQ=WEEKLY;BYDAY=MO;COUNT=1000");
    assert_eq!(set.last().unwrap(), Some(*expand_all(&set, 1000).last().unwrap()));
}

#[test]
fn an_until_far_away_is_found_without_walking_there() {
    let set = series("2024-01-01T09:00:00", "Europe/Paris", "FREQ=DAILY;UNTIL=99991230");
    assert_eq!(set.last().unwrap(), Some(moment("9999-12-30T08:00:00Z")));
    let set = series("2024-01-01T09:00:00", "UTC", "FREQ=SECONDLY;BYMONTH=1;UNTIL=20991231T000000Z");
    assert_eq!(set.last().unwrap(), Some(moment("2099-01-31T23:59:59Z")));
}

#[test]
fn what_never_happens_is_nothing() {
    for rule in [
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=5",
        "FREQ=YEARLY;BYYEARDAY=1;BYDAY=53MO",
        "FREQ=DAILY;INTERVAL=7;BYDAY=WE",
        "FREQ=WEEKLY;BYDAY=WE;BYSETPOS=2",
        "FREQ=MONTHLY;BYDAY=2WE;BYSETPOS=-2",
        "FREQ=MONTHLY;INTERVAL=2;BYMONTH=2",
        "FREQ=DAILY;INTERVAL=146097;BYMONTHDAY=2",
        "FREQ=HOURLY;INTERVAL=168;BYDAY=WE",
        "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1",
        "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=1",
        "FREQ=MINUTELY;BYMINUTE=7;BYSETPOS=2",
        "FREQ=DAILY;BYHOUR=1,2;BYSETPOS=3",
        "FREQ=SECONDLY;INTERVAL=4294967295;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;INTERVAL=4294967295",
        "FREQ=HOURLY;INTERVAL=4294967295;BYHOUR=3",
    ] {
        let set = series("2024-01-01T00:00:00", "UTC", rule);
        let found = expand(&set, always(), 10).unwrap();
        assert_eq!(found.moments, moments("2024-01-01T00:00:00Z"), "{rule}");
        assert!(found.steps < STEPS, "{rule}");
        assert_eq!(set.next_after(set.start().moment()).unwrap(), None, "{rule}");
    }
}

#[test]
fn a_count_that_must_be_walked_is_walked_so_far_only() {
    let set = series("2024-01-01T00:00:00", "Europe/Paris", "FREQ=SECONDLY;COUNT=4000000000");
    let error: Error = set.last().unwrap_err();
    assert!(error.to_string().contains("steps"), "{error}");
    assert!(set.contains(moment("2024-01-01T02:00:00Z")).unwrap());
}

#[test]
fn rare_rules_are_found() {
    let next = |start: &str, rule: &str| {
        let set = series(start, "UTC", rule);
        set.next_after(set.start().moment()).unwrap()
    };
    assert_eq!(
        next("2024-01-01T00:00:00", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU"),
        Some(moment("2028-02-29T00:00:00Z"))
    );
    let rule = "FREQ=SECONDLY;BYMONTH=12;BYMONTHDAY=31;BYHOUR=23;BYMINUTE=59;BYSECOND=59";
    assert_eq!(next("2024-12-31T23:59:59", rule), Some(moment("2025-12-31T23:59:59Z")));
    assert_eq!(next("2024-01-01T00:00:00", "FREQ=HOURLY;INTERVAL=25;BYHOUR=0"), Some(moment("2024-01-26T00:00:00Z")));
    assert_eq!(next("2024-01-01T00:00:00", "FREQ=SECONDLY;INTERVAL=4294967295"), Some(moment("2160-02-07T06:28:15Z")));
}

#[test]
fn lists_of_everything_are_fine() {
    let all = |from: i32, to: i32| {
        (from..=to).filter(|n| from == 0 || *n != 0).map(|n| n.to_string()).collect::<Vec<_>>().join(",")
    };
    let rule = format!(
        "FREQ=YEARLY;BYSECOND={};BYMINUTE={};BYHOUR={};BYMONTHDAY={};BYYEARDAY={};BYMONTH={};BYSETPOS={}",
        all(0, 59),
        all(0, 59),
        all(0, 23),
        all(-31, 31),
        all(-366, 366),
        all(1, 12),
        all(-366, 366),
    );
    let set = series("2024-01-01T00:00:00", "Europe/Paris", &rule);
    assert_eq!(expand_all(&set, 3), moments("2023-12-31T23:00:00Z 2023-12-31T23:00:01Z 2023-12-31T23:00:02Z"));
    let rule = rule.split(";BYSETPOS").next().unwrap().to_owned();
    let set = series("2024-01-01T00:00:00", "UTC", &rule);
    let found = within(&set, "2024-12-31T23:59:58Z", "2025-01-01T00:00:02Z");
    assert_eq!(found.moments.len(), 4);
    let rule = format!("FREQ=DAILY;BYMONTHDAY={}", "1,".repeat(100_000));
    let mode = Mode::Lenient { zone: Zone::UTC };
    let (set, _) = RuleSet::new(start_at("2024-01-01", "DATE"), &[rule], &[], &[], mode).unwrap();
    assert_eq!(set.rules()[0].to_string(), "FREQ=DAILY;BYMONTHDAY=1");
}

#[test]
fn years_end_with_9999() {
    assert_eq!(expand_all(&series("9998-12-31", "DATE", "FREQ=YEARLY"), 9), moments("9998-12-31 9999-12-31"));
    assert_eq!(expand_all(&series("9999-12-31T23:59:58", "UTC", "FREQ=SECONDLY"), 9).len(), 2);
    assert_eq!(expand_all(&series("9999-12-27", "DATE", "FREQ=WEEKLY;BYDAY=MO,SU"), 9), moments("9999-12-27"));
    assert_eq!(
        expand_all(&series("0001-01-01", "DATE", "FREQ=WEEKLY;BYDAY=MO,SU"), 2),
        moments("0001-01-01 0001-01-07")
    );
    assert!(crate::recurrence::Start::date(chrono::NaiveDate::MAX).is_err());
    assert!(crate::recurrence::Start::date(chrono::NaiveDate::MIN).is_err());
    assert!(crate::recurrence::Start::instant(crate::Timestamp::FOREVER, Zone::UTC).is_err());
    let set = series("2024-01-01", "DATE", "FREQ=DAILY");
    assert!(!set.contains(crate::recurrence::Moment::Date(chrono::NaiveDate::MAX)).unwrap());
    assert!(!set.contains(crate::recurrence::Moment::Date(chrono::NaiveDate::MIN)).unwrap());
}
