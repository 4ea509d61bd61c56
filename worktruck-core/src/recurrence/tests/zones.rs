//! Clocks that change, and names of zones.

use chrono_tz::Tz;

use super::{expand_all, moments, series, start_at};
use crate::recurrence::windows_zones::WINDOWS_ZONES;
use crate::recurrence::{Mode, RuleSet, Start, Window, Zone, expand};

/// Start on the wall, zone, rule, and moments.
#[rustfmt::skip]
const CHANGES: &[(&str, &str, &str, &str)] = &[
    // New York: 2:00 becomes 3:00 on the 10th, and 2:00 becomes 1:00 on 3 November.
    ("2024-03-09T02:30:00", "America/New_York", "FREQ=DAILY;COUNT=3",
     "2024-03-09T02:30:00-05:00 2024-03-10T03:30:00-04:00 2024-03-11T02:30:00-04:00"),
    ("2024-11-02T01:30:00", "America/New_York", "FREQ=DAILY;COUNT=3",
     "2024-11-02T01:30:00-04:00 2024-11-03T01:30:00-04:00 2024-11-04T01:30:00-05:00"),
    ("2024-03-09T09:00:00", "America/New_York", "FREQ=DAILY;COUNT=2",
     "2024-03-09T09:00:00-05:00 2024-03-10T09:00:00-04:00"),
    // Every hour, 2:30 would be the same as 3:30.
    ("2024-03-10T01:30:00", "America/New_York", "FREQ=HOURLY;COUNT=3",
     "2024-03-10T01:30:00-05:00 2024-03-10T03:30:00-04:00 2024-03-10T04:30:00-04:00"),
    ("2024-11-03T00:30:00", "America/New_York", "FREQ=HOURLY;COUNT=3",
     "2024-11-03T00:30:00-04:00 2024-11-03T01:30:00-04:00 2024-11-03T02:30:00-05:00"),
    // Times that are moved on go between those that are not.
    ("2024-03-10T01:40:00", "America/New_York", "FREQ=MINUTELY;INTERVAL=40;COUNT=5",
     "2024-03-10T01:40:00-05:00 2024-03-10T03:00:00-04:00 2024-03-10T03:20:00-04:00 \
      2024-03-10T03:40:00-04:00 2024-03-10T04:20:00-04:00"),
    ("2024-03-09T02:30:00", "America/New_York", "FREQ=DAILY;BYHOUR=2,3;UNTIL=20240310",
     "2024-03-09T02:30:00-05:00 2024-03-09T03:30:00-05:00 2024-03-10T03:30:00-04:00"),
    ("2024-03-31T00:30:00", "Europe/London", "FREQ=HOURLY;COUNT=3",
     "2024-03-31T00:30:00Z 2024-03-31T02:30:00+01:00 2024-03-31T03:30:00+01:00"),
    ("2024-03-30T01:15:00", "Europe/London", "FREQ=DAILY;COUNT=3",
     "2024-03-30T01:15:00Z 2024-03-31T02:15:00+01:00 2024-04-01T01:15:00+01:00"),
    ("2024-10-26T01:15:00", "Europe/London", "FREQ=DAILY;COUNT=3",
     "2024-10-26T01:15:00+01:00 2024-10-27T01:15:00+01:00 2024-10-28T01:15:00Z"),
    // Lord Howe: half an hour, 2:00 becomes 2:30 on 6 October and 1:30 on 7 April.
    ("2024-10-05T02:15:00", "Australia/Lord_Howe", "FREQ=DAILY;COUNT=3",
     "2024-10-05T02:15:00+10:30 2024-10-06T02:45:00+11:00 2024-10-07T02:15:00+11:00"),
    ("2024-10-06T01:30:00", "Australia/Lord_Howe", "FREQ=MINUTELY;INTERVAL=15;COUNT=4",
     "2024-10-06T01:30:00+10:30 2024-10-06T01:45:00+10:30 2024-10-06T02:30:00+11:00 2024-10-06T02:45:00+11:00"),
    ("2024-04-07T01:15:00", "Australia/Lord_Howe", "FREQ=MINUTELY;INTERVAL=15;COUNT=4",
     "2024-04-07T01:15:00+11:00 2024-04-07T01:30:00+11:00 2024-04-07T01:45:00+11:00 2024-04-07T02:00:00+10:30"),
    // Apia had no 30 December 2011.
    ("2011-12-28T10:00:00", "Pacific/Apia", "FREQ=DAILY;COUNT=4",
     "2011-12-28T10:00:00-10:00 2011-12-29T10:00:00-10:00 2011-12-31T10:00:00+14:00 2012-01-01T10:00:00+14:00"),
    ("2011-12-23T10:00:00", "Pacific/Apia", "FREQ=WEEKLY;COUNT=3",
     "2011-12-23T10:00:00-10:00 2011-12-31T10:00:00+14:00 2012-01-06T10:00:00+14:00"),
];

#[test]
fn rules_keep_to_the_clock() {
    for (start, zone, rule, expected) in CHANGES {
        assert_eq!(expand_all(&series(start, zone, rule), 99), moments(expected), "{zone} {start} {rule}");
    }
}

#[test]
fn what_is_skipped_is_in_order_and_once_also_in_parts() {
    let set = series("2011-12-29T20:00:00", "Pacific/Apia", "FREQ=MINUTELY;INTERVAL=7;COUNT=1000");
    let all = expand_all(&set, 2000);
    assert_eq!(all.len(), 1000);
    assert!(all.is_sorted_by(|a, b| a < b));
    for at in all.iter().step_by(50) {
        assert!(set.contains(*at).unwrap(), "{at}");
    }
}

#[test]
fn a_start_in_the_second_of_two_equal_hours_stays_there() {
    let zone = Zone::parse("America/New_York").unwrap();
    let start = Start::instant("2024-11-03T01:30:00-05:00".parse().unwrap(), zone).unwrap();
    let (set, _) = RuleSet::new(start, &["FREQ=MINUTELY;INTERVAL=15;COUNT=3"], &[], &[], Mode::Strict).unwrap();
    let expected = "2024-11-03T01:30:00-05:00 2024-11-03T02:00:00-05:00 2024-11-03T02:15:00-05:00";
    assert_eq!(expand_all(&set, 9), moments(expected));
}

#[test]
fn whole_days_lie_in_a_window_by_their_midnight() {
    let set = series("2011-12-28", "DATE", "FREQ=DAILY;COUNT=5");
    let zone = Zone::parse("Pacific/Apia").unwrap();
    let within = |from: &str, to: &str| {
        let period = crate::Period::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        expand(&set, Window::new(period, zone), 9).unwrap().moments
    };
    assert_eq!(within("2011-12-28T00:00:01-10:00", "2011-12-29T00:00:00-10:00"), []);
    assert_eq!(within("2011-12-28T00:00:00-10:00", "2011-12-29T00:00:00-10:00"), moments("2011-12-28"));
    let around = within("2011-12-29T00:00:01-10:00", "2012-01-01T00:00:01+14:00");
    assert_eq!(around, moments("2011-12-30 2011-12-31 2012-01-01"));
    let dates = Window::dates("2011-12-29".parse().unwrap(), "2011-12-31".parse().unwrap()).unwrap();
    assert_eq!(expand(&set, dates, 9).unwrap().moments, moments("2011-12-29 2011-12-30"));
}

#[test]
fn every_windows_name_is_a_zone() {
    for (windows, iana) in WINDOWS_ZONES {
        assert_eq!(Zone::parse(windows).unwrap().name(), *iana, "{windows}");
        assert!(iana.parse::<Tz>().is_ok());
    }
    assert!(WINDOWS_ZONES.len() > 140);
}

#[test]
fn names_are_read_as_programs_write_them() {
    let name = |text: &str| Zone::parse(text).unwrap().name();
    assert_eq!(name("AMERICA/new_york"), "America/New_York");
    assert_eq!(name("w. europe standard time"), "Europe/Berlin");
    assert_eq!(name("/freeassociation.sourceforge.net/America/Argentina/Ushuaia"), "America/Argentina/Ushuaia");
    assert_eq!(name("/example.org/20240101_1/Europe/Berlin"), "Europe/Berlin");
    assert_eq!(name("\"Europe/Rome\""), "Europe/Rome");
    for wrong in ["", "/", "Mars/Olympus", "Europe/", "é/é"] {
        let error = Zone::parse(wrong).unwrap_err();
        assert!(error.to_string().contains(&format!("{wrong:?}")), "{error}");
    }
    assert_eq!(serde_json::to_string(&Zone::parse("gmt standard time").unwrap()).unwrap(), "\"Europe/London\"");
}

#[test]
fn a_start_that_clocks_skip_moves_only_itself() {
    let set = RuleSet::new(
        start_at("2024-03-10T02:30:00", "America/New_York"),
        &["FREQ=DAILY;COUNT=2"],
        &[],
        &[],
        Mode::Strict,
    );
    let expected = "2024-03-10T03:30:00-04:00 2024-03-11T02:30:00-04:00";
    assert_eq!(expand_all(&set.unwrap().0, 9), moments(expected));
}
