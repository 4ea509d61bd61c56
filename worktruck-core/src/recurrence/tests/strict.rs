//! What is refused, what is read all the same, and canonical text.

use super::{expand_all, moments, start_at, walls};
use crate::recurrence::{Mode, RuleSet, Zone};
use crate::{Error, ErrorKind};

const LENIENT: Mode = Mode::Lenient { zone: Zone::UTC };
const TIMED: (&str, &str) = ("2024-01-01T09:00:00", "Europe/Paris");
const WHOLE: (&str, &str) = ("2024-01-01", "DATE");

fn strict(start: (&str, &str), rule: &str) -> Result<RuleSet, Error> {
    Ok(RuleSet::new(start_at(start.0, start.1), &[rule], &[], &[], Mode::Strict)?.0)
}

/// Start, rule, a part of the error, and what a lenient reader makes of it; nothing if it refuses, too.
#[rustfmt::skip]
const FORBIDDEN: &[((&str, &str), &str, &str, &str)] = &[
    (TIMED, "FREQ=WEEKLY;BYDAY=2MO", "cannot go with WEEKLY", "FREQ=WEEKLY;BYDAY=MO"),
    (TIMED, "FREQ=DAILY;BYDAY=-1FR,FR", "cannot go with DAILY", "FREQ=DAILY;BYDAY=FR"),
    (TIMED, "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", "cannot go with BYWEEKNO", "FREQ=YEARLY;BYDAY=MO;BYWEEKNO=20"),
    (TIMED, "FREQ=MONTHLY;BYWEEKNO=20", "BYWEEKNO goes with YEARLY only", "FREQ=MONTHLY;BYWEEKNO=20"),
    (TIMED, "FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY cannot go with DAILY", "FREQ=DAILY;BYYEARDAY=1"),
    (TIMED, "FREQ=WEEKLY;BYYEARDAY=1", "BYYEARDAY cannot go with WEEKLY", "FREQ=WEEKLY;BYYEARDAY=1"),
    (TIMED, "FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY cannot go with MONTHLY", "FREQ=MONTHLY;BYYEARDAY=1"),
    (TIMED, "FREQ=WEEKLY;BYMONTHDAY=13", "BYMONTHDAY cannot go with WEEKLY", "FREQ=WEEKLY;BYMONTHDAY=13"),
    (TIMED, "FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS needs another BY part", "FREQ=MONTHLY"),
    (TIMED, "FREQ=DAILY;COUNT=2;UNTIL=20240101", "COUNT or UNTIL", "FREQ=DAILY;UNTIL=20240101;COUNT=2"),
    (TIMED, "FREQ=DAILY;INTERVAL=0", "INTERVAL=0 is not a number from 1", "FREQ=DAILY"),
    (TIMED, "FREQ=DAILY;INTERVAL=-2", "INTERVAL=-2 is not a number from 1", "FREQ=DAILY"),
    (TIMED, "FREQ=DAILY;INTERVAL=99999999999999999999", "too large", "FREQ=DAILY;INTERVAL=4294967295"),
    (TIMED, "FREQ=DAILY;COUNT=0", "COUNT=0 is not a number from 1", "FREQ=DAILY"),
    (TIMED, "FREQ=DAILY;BYEASTER=1", "BYEASTER is not a part", "FREQ=DAILY"),
    (TIMED, "FREQ=DAILY;NONSENSE", "\"NONSENSE\" is not NAME=VALUE", "FREQ=DAILY"),
    (TIMED, "FREQ=DAILY;INTERVAL=2;INTERVAL=3", "INTERVAL is there twice", "FREQ=DAILY;INTERVAL=2"),
    (TIMED, "FREQ=MONTHLY;BYMONTHDAY=32,3", "BYMONTHDAY cannot be \"32\"", "FREQ=MONTHLY;BYMONTHDAY=3"),
    (TIMED, "FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY cannot be 0", "FREQ=MONTHLY"),
    (TIMED, "FREQ=YEARLY;BYMONTH=13", "BYMONTH cannot be \"13\"", "FREQ=YEARLY"),
    (TIMED, "FREQ=DAILY;BYHOUR=24", "BYHOUR cannot be \"24\"", "FREQ=DAILY"),
    (TIMED, "FREQ=DAILY;BYMINUTE=", "BYMINUTE cannot be \"\"", "FREQ=DAILY"),
    (TIMED, "FREQ=MONTHLY;BYDAY=XX,MO,54TU,0WE,é", "BYDAY cannot be \"XX\"", "FREQ=MONTHLY;BYDAY=MO"),
    (TIMED, "FREQ=WEEKLY;WKST=XX", "WKST=XX is not a weekday", "FREQ=WEEKLY"),
    (TIMED, "FREQ=YEARLY;RSCALE=GREGORIAN", "RSCALE is not supported", "FREQ=YEARLY"),
    (TIMED, "FREQ=DAILY;UNTIL=20240201T100000", "must be in UTC", "FREQ=DAILY;UNTIL=20240201T090000Z"),
    (TIMED, "FREQ=DAILY;UNTIL=2024-02-01T10:00:00Z", "without dashes", "FREQ=DAILY;UNTIL=20240201T100000Z"),
    (WHOLE, "FREQ=DAILY;UNTIL=20240201T235959Z", "has whole days", "FREQ=DAILY;UNTIL=20240201"),
    (WHOLE, "FREQ=DAILY;BYHOUR=9", "BYHOUR cannot go with an all-day series", "FREQ=DAILY"),
    (WHOLE, "FREQ=HOURLY;INTERVAL=48", "finer than the days", "FREQ=DAILY;INTERVAL=2"),
    (TIMED, "", "needs FREQ", ""),
    (TIMED, "INTERVAL=2", "needs FREQ", ""),
    (TIMED, "FREQ=FORTNIGHTLY", "FREQ=FORTNIGHTLY is none of", ""),
    (TIMED, "FREQ=YEARLY;RSCALE=HEBREW", "RSCALE=HEBREW is not supported", ""),
    (TIMED, "FREQ=YEARLY;SKIP=FORWARD", "SKIP=FORWARD is not supported", ""),
    (TIMED, "FREQ=DAILY;UNTIL=20240230", "neither a date", ""),
    (TIMED, "FREQ=DAILY;UNTIL=20240101T250000Z", "neither a date", ""),
    (TIMED, "FREQ=DAILY;UNTIL=é0240101", "neither a date", ""),
];

#[test]
fn what_the_rfc_forbids() {
    for (start, rule, part, meant) in FORBIDDEN {
        let error = strict(*start, rule).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.pointer(), Some("/rrule"));
        assert!(error.to_string().contains(part), "{rule}: {error}");
        match RuleSet::new(start_at(start.0, start.1), &[*rule], &[], &[], LENIENT) {
            Ok((set, warnings)) => {
                assert_eq!(set.rules()[0].to_string(), *meant);
                assert!(warnings.iter().any(|warning| warning.message.contains(part)), "{rule}: {warnings:?}");
            }
            Err(error) => assert!(meant.is_empty(), "{rule}: {error}"),
        }
    }
}

#[test]
fn what_is_usual_is_no_fault() {
    for rule in [
        "RRULE:FREQ=WEEKLY;BYDAY=MO;",
        "freq=weekly;byday=mo",
        " FREQ=WEEKLY ; BYDAY = MO;;INTERVAL=1;WKST=MO ",
        "BYDAY=MO,MO;FREQ=WEEKLY;SKIP=OMIT",
    ] {
        assert_eq!(strict(TIMED, rule).unwrap().rules()[0].to_string(), "FREQ=WEEKLY;BYDAY=MO", "{rule}");
    }
    let rule = "FREQ=YEARLY;COUNT=3;INTERVAL=2;BYSECOND=0,59;BYMINUTE=5;BYHOUR=1,2;BYDAY=-1MO,2TU;BYMONTH=1,12;\
                BYSETPOS=-1,1;WKST=SU";
    assert_eq!(strict(TIMED, rule).unwrap().rules()[0].to_string(), rule);
    assert_eq!(strict(TIMED, "FREQ=DAILY;BYSECOND=60").unwrap().rules()[0].to_string(), "FREQ=DAILY;BYSECOND=59");
}

#[test]
fn lenient_readings_are_sensible() {
    let read = |start: (&str, &str), rule: &str| {
        let (set, _) = RuleSet::new(start_at(start.0, start.1), &[rule], &[], &[], LENIENT).unwrap();
        walls(&set, &expand_all(&set, 3)).join(" ")
    };
    assert_eq!(read(WHOLE, "FREQ=WEEKLY;BYDAY=2MO"), "2024-01-01 2024-01-08 2024-01-15");
    assert_eq!(read(WHOLE, "FREQ=WEEKLY;BYMONTHDAY=1"), "2024-01-01 2024-02-01 2024-03-01");
    assert_eq!(read(WHOLE, "FREQ=MONTHLY;BYYEARDAY=100"), "2024-01-01 2024-04-09 2025-04-10");
    assert_eq!(read(WHOLE, "FREQ=DAILY;BYWEEKNO=10"), "2024-01-01 2024-03-04 2024-03-05");
    assert_eq!(read(WHOLE, "FREQ=DAILY;COUNT=5;UNTIL=20240102"), "2024-01-01 2024-01-02");
}

#[test]
fn a_date_of_the_zone_is_taken_from_a_time() {
    // Midnight in Paris, where the writer was, is still the day before in UTC.
    let mode = Mode::Lenient { zone: Zone::parse("Romance Standard Time").unwrap() };
    let rule = "FREQ=DAILY;UNTIL=20240103T230000Z";
    let (set, warnings) =
        RuleSet::new(start_at("2024-01-01", "DATE"), &[rule], &moments("2024-01-01T23:00:00Z"), &[], mode).unwrap();
    assert_eq!(expand_all(&set, 9), moments("2024-01-01 2024-01-03 2024-01-04"));
    assert_eq!(warnings.iter().map(|warning| warning.pointer.as_str()).collect::<Vec<_>>(), ["/rrule", "/exdates/0"]);
}
