use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use croner::Cron;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::recurrence::Zone;
use crate::{EntityId, ErrorKind, Timestamp};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id(n: u128) -> EntityId {
    EntityId::from_uuid(Uuid::from_u128(n))
}

/// The due times after `from`, up to and with `to`.
fn due(cron: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
    let timetable = Timetable::parse(cron, zone).unwrap();
    between(&timetable, at(from), at(to)).into_iter().map(|due| due.to_string().replace(".000000Z", "Z")).collect()
}

fn between(timetable: &Timetable, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    std::iter::successors(timetable.after(from), |due| timetable.after(*due)).take_while(|due| *due <= to).collect()
}

#[test]
fn bad_expression_or_zone_is_refused_at_its_place() {
    let refused = |cron: &str, zone: &str| {
        let error = Timetable::parse(cron, zone).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{cron} {zone}");
        error.pointer().unwrap_or_default().to_owned()
    };
    let long = format!("{} * * * *", "1,".repeat(200));
    for cron in [
        "",
        " ",
        "* * * *",
        "* * * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "a * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "@daily",
        "@daily a b c d",
        "0 0 30 2 *",
        "0 0 * * *\u{a0}",
        "0 0 ü * *",
        &long,
    ] {
        assert_eq!(refused(cron, "UTC"), "/cron_expression", "{cron}");
    }
    for zone in ["", "Mars/Olympus", "+02:00"] {
        assert_eq!(refused("* * * * *", zone), "/timezone", "{zone}");
    }
}

#[test]
fn fields_are_read_as_cron_reads_them() {
    let (from, to) = ("2026-04-14T12:00:00Z", "2026-04-14T13:00:00Z");
    assert_eq!(
        due("*/20 * * * *", "UTC", from, to),
        ["2026-04-14T12:20:00Z", "2026-04-14T12:40:00Z", "2026-04-14T13:00:00Z",]
    );
    assert_eq!(due("59 59 * * * *", "UTC", from, to), ["2026-04-14T12:59:59Z"]);
    let month = ("2026-03-31T23:59:59Z", "2026-04-30T23:59:59Z");
    // Either day is enough: the 13th, and Fridays.
    let either = due("0 0 13 * FRI", "UTC", month.0, month.1);
    assert_eq!(either.len(), 5);
    assert_eq!(due("0 0 L * *", "UTC", month.0, month.1), ["2026-04-30T00:00:00Z"]);
    assert_eq!(due("0 0 * * MON#2", "UTC", month.0, month.1), ["2026-04-13T00:00:00Z"]);
    assert_eq!(due("0 0 * 4 7", "UTC", month.0, month.1), due("0 0 * APR SUN", "UTC", month.0, month.1));
    assert_eq!(
        due("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2033-01-01T00:00:00Z"),
        ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z",]
    );
}

#[test]
fn fixed_time_that_is_skipped_runs_when_clocks_have_skipped_it() {
    // 2026-03-08 in New York, 02:00 becomes 03:00.
    let (from, to) = ("2026-03-08T05:00:00Z", "2026-03-09T12:00:00Z");
    assert_eq!(due("30 2 * * *", "America/New_York", from, to), ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]);
    // What is skipped together, and what is due just then, is one run.
    assert_eq!(
        due("0,30 2,3 * * *", "America/New_York", from, "2026-03-08T12:00:00Z"),
        ["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z",]
    );
    // 2026-10-04 on Lord Howe Island, 02:00 becomes 02:30.
    let (from, to) = ("2026-10-03T12:00:00Z", "2026-10-04T18:00:00Z");
    assert_eq!(due("15 2 * * *", "Australia/Lord_Howe", from, to), ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]);
    // Apia had no 2011-12-30.
    let (from, to) = ("2011-12-29T00:00:00Z", "2011-12-31T12:00:00Z");
    assert_eq!(
        due("0 9 * * *", "Pacific/Apia", from, to),
        ["2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z",]
    );
}

#[test]
fn fixed_time_that_comes_twice_runs_once() {
    // 2026-11-01 in New York, 02:00 becomes 01:00.
    let (from, to) = ("2026-11-01T04:00:00Z", "2026-11-02T12:00:00Z");
    assert_eq!(due("30 1 * * *", "America/New_York", from, to), ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
    // Also for whoever looks between the two.
    assert_eq!(due("30 1 * * *", "America/New_York", "2026-11-01T06:15:00Z", to), ["2026-11-02T06:30:00Z"]);
    // 2026-04-05 on Lord Howe Island, 02:00 becomes 01:30.
    let (from, to) = ("2026-04-04T12:00:00Z", "2026-04-05T16:00:00Z");
    assert_eq!(due("45 1 * * *", "Australia/Lord_Howe", from, to), ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]);
}

#[test]
fn what_repeats_follows_elapsed_time() {
    let new_york = "America/New_York";
    // Skipped hours do nothing; both of two equal hours do.
    let spring = due("0 * * * *", new_york, "2026-03-08T05:00:00Z", "2026-03-08T09:00:00Z");
    assert_eq!(spring.len(), 4);
    let autumn = due("*/30 1 * * *", new_york, "2026-11-01T04:00:00Z", "2026-11-01T09:00:00Z");
    assert_eq!(
        autumn,
        ["2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z"]
    );
    assert!(due("*/30 2 * * *", new_york, "2026-03-08T05:00:00Z", "2026-03-09T05:00:00Z").is_empty());
    // Once a year, looked for in the middle of the first of the two hours.
    assert_eq!(
        due("*/30 1 1 11 *", new_york, "2026-11-01T05:45:00Z", "2027-01-01T00:00:00Z"),
        ["2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z",]
    );
    let howe = due("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", "2026-04-04T16:00:00Z");
    assert_eq!(howe.len(), 8);
    let apia = due("0 */6 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z");
    assert_eq!(apia.len(), 8);
}

/// What is due by going through every minute of a stretch.
fn by_minutes(cron: &str, zone: Zone, repeats: bool, from: i64, to: i64) -> BTreeSet<i64> {
    let cron: Cron = cron.parse().unwrap();
    let wall = |minute: i64| minute * 60 + zone.offset_at(minute * 60);
    let is_due = |wall: i64| cron.is_time_matching(&DateTime::<Utc>::from_timestamp(wall, 0).unwrap()).unwrap();
    if repeats {
        return (from + 1..=to).filter(|minute| is_due(wall(*minute))).map(|minute| minute * 60).collect();
    }
    // What clocks show for the first time, or pass over, at a minute.
    let mut shown = (from - 3_000..=from).map(wall).max().unwrap();
    let mut due = BTreeSet::new();
    for minute in from + 1..=to {
        let now = wall(minute);
        if (shown / 60 + 1..=now / 60).any(|wall| is_due(wall * 60)) {
            due.insert(minute * 60);
        }
        shown = shown.max(now);
    }
    due
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn due_times_are_those_of_going_through_every_minute(
        minute in prop_oneof![Just("*"), Just("*/20"), Just("0"), Just("30"), Just("10,40"), Just("5-15")],
        hour in prop_oneof![Just("*"), Just("*/2"), Just("1"), Just("2"), Just("0-3"), Just("9")],
        day in prop_oneof![Just("*"), Just("1"), Just("8-10")],
        place in prop_oneof![
            Just(("America/New_York", "2026-03-08T07:00:00Z")), Just(("America/New_York", "2026-11-01T06:00:00Z")),
            Just(("Australia/Lord_Howe", "2026-10-03T15:30:00Z")), Just(("Australia/Lord_Howe", "2026-04-04T15:00:00Z")),
            Just(("Pacific/Apia", "2011-12-30T10:00:00Z")), Just(("Africa/Casablanca", "2026-02-15T02:00:00Z")),
            Just(("Africa/Cairo", "2026-04-23T22:00:00Z")), Just(("UTC", "2026-04-23T22:00:00Z")),
        ],
        start in -1_800_i64..900,
    ) {
        let cron = format!("{minute} {hour} {day} * *");
        let (zone, change) = (Zone::parse(place.0).unwrap(), at(place.1).as_micros() / 60_000_000);
        let (from, to) = (change + start, change + 1_800);
        let repeats = [minute, hour].iter().any(|field| field.contains('*'));
        let seconds: Vec<i64> = by_minutes(&cron, zone, repeats, from, to).into_iter().collect();
        let timetable = Timetable::parse(&cron, place.0).unwrap();
        let moment = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
        let found = between(&timetable, moment(from), moment(to));
        let found_seconds: Vec<i64> = found.iter().map(|due| due.as_micros() / 1_000_000).collect();
        prop_assert_eq!(&found_seconds, &seconds, "{} in {} from {}", cron, place.0, moment(from));
        prop_assert_eq!(timetable.last_until(moment(from), moment(to)), found.last().copied());
    }

    #[test]
    fn no_expression_makes_it_panic(text in "[0-9*/,LW#?A-Z@ -]{0,24}", zone in "(UTC|Europe/Paris)") {
        if let Ok(timetable) = Timetable::parse(&text, &zone) {
            let due = timetable.after(at("2026-04-14T12:00:00Z"));
            prop_assert!(due.is_none_or(|due| due > at("2026-04-14T12:00:00Z")));
        }
    }
}

/// What is decided about an hourly schedule that is due at 12:00.
fn decided(policy: Policy, last: Last, now: &str) -> (Vec<String>, String) {
    let hourly = Timetable::parse("0 * * * *", "UTC").unwrap();
    let decision = decide(id(1), &hourly, policy, at("2026-04-14T12:00:00Z"), last, at(now));
    let hour = |at: &Timestamp| at.to_string()[11..16].to_owned();
    (decision.enqueue.iter().map(hour).collect(), hour(&decision.next.unwrap()))
}

fn policy(overlap: Overlap, catch_up: CatchUp) -> Policy {
    Policy { overlap, catch_up, jitter_secs: 0 }
}

#[test]
fn due_time_gets_a_run_when_it_comes() {
    for catch_up in [CatchUp::None, CatchUp::Last, CatchUp::All] {
        let policy = policy(Overlap::Skip, catch_up);
        assert_eq!(decided(policy, Last::None, "2026-04-14T11:59:59.999999Z"), (vec![], "12:00".to_owned()));
        assert_eq!(decided(policy, Last::None, "2026-04-14T12:00:00Z"), (vec!["12:00".to_owned()], "13:00".to_owned()));
        let late = decided(policy, Last::None, "2026-04-14T12:01:00Z");
        assert_eq!(late, (vec!["12:00".to_owned()], "13:00".to_owned()));
    }
}

#[test]
fn missed_times_are_caught_up_with_as_asked() {
    let now = "2026-04-14T14:30:00Z";
    let of = |catch_up| decided(policy(Overlap::Allow, catch_up), Last::None, now);
    assert_eq!(of(CatchUp::None), (vec![], "15:00".to_owned()));
    assert_eq!(of(CatchUp::Last), (vec!["14:00".to_owned()], "15:00".to_owned()));
    assert_eq!(of(CatchUp::All).0, ["12:00", "13:00", "14:00"]);
    // What has just come is not missed.
    let now = "2026-04-14T14:00:30Z";
    let of = |catch_up| decided(policy(Overlap::Allow, catch_up), Last::None, now);
    assert_eq!(of(CatchUp::None), (vec!["14:00".to_owned()], "15:00".to_owned()));
    assert_eq!(of(CatchUp::Last), (vec!["14:00".to_owned()], "15:00".to_owned()));
}

#[test]
fn run_before_it_matters_as_asked() {
    let now = "2026-04-14T12:00:10Z";
    let of = |overlap, last| decided(policy(overlap, CatchUp::None), last, now).0.len();
    assert_eq!(of(Overlap::Skip, Last::UnderWay), 0);
    assert_eq!(of(Overlap::Queue, Last::UnderWay), 0);
    assert_eq!(of(Overlap::Allow, Last::UnderWay), 1);
    // What is passed over is gone, what waits is not.
    assert_eq!(decided(policy(Overlap::Skip, CatchUp::None), Last::UnderWay, now).1, "13:00");
    assert_eq!(decided(policy(Overlap::Queue, CatchUp::None), Last::UnderWay, now).1, "12:00");
    // Nothing that waited for the run before it was missed, and one follows the other.
    let ended = Last::Ended(at("2026-04-14T14:30:00Z"));
    let late = "2026-04-14T14:30:05Z";
    assert_eq!(
        decided(policy(Overlap::Queue, CatchUp::None), ended, late),
        (vec!["12:00".to_owned()], "13:00".to_owned())
    );
    assert_eq!(decided(policy(Overlap::Skip, CatchUp::None), ended, late), (vec![], "15:00".to_owned()));
    // The first of several is the run that the others would overlap.
    let all = |overlap| decided(policy(overlap, CatchUp::All), Last::None, late);
    assert_eq!(all(Overlap::Skip), (vec!["12:00".to_owned()], "15:00".to_owned()));
    assert_eq!(all(Overlap::Queue), (vec!["12:00".to_owned()], "13:00".to_owned()));
}

#[test]
fn a_long_absence_is_decided_on_in_pieces() {
    let seconds = Timetable::parse("* * * * * *", "UTC").unwrap();
    let (due, now) = (at("2020-01-01T00:00:00Z"), at("2026-04-14T12:00:00Z"));
    let of = |overlap, catch_up, last| decide(id(1), &seconds, policy(overlap, catch_up), due, last, now);
    let all = of(Overlap::Allow, CatchUp::All, Last::None);
    assert_eq!((all.enqueue.len(), all.next), (MOST_AT_ONCE, Some(at("2020-01-01T00:01:40Z"))));
    assert_eq!(of(Overlap::Allow, CatchUp::Last, Last::None).enqueue, [now]);
    assert_eq!(of(Overlap::Allow, CatchUp::None, Last::None).enqueue.len(), 61);
    assert_eq!(of(Overlap::Skip, CatchUp::All, Last::UnderWay).enqueue, []);
}

#[test]
fn due_time_of_another_timetable_is_passed_over() {
    let daily = Timetable::parse("0 6 * * *", "UTC").unwrap();
    let (due, now) = (at("2026-04-14T12:00:00Z"), at("2026-04-14T12:00:05Z"));
    let decision = decide(id(1), &daily, Policy::default(), due, Last::None, now);
    assert_eq!(decision, Decision { enqueue: vec![], next: Some(at("2026-04-15T06:00:00Z")) });
}

#[test]
fn jitter_is_the_same_for_everybody_and_spread() {
    let due = at("2026-04-14T12:00:00Z");
    let delays: Vec<Duration> = (0..200).map(|n| jitter(id(n), due, 60)).collect();
    assert!(delays.iter().all(|delay| *delay <= Duration::from_secs(60)));
    assert!(delays.iter().filter(|delay| **delay < Duration::from_secs(30)).count().abs_diff(100) < 40);
    assert_eq!(jitter(id(7), due, 60), delays[7]);
    assert_ne!(jitter(id(7), due.next(), 60), delays[7]);
    assert_eq!(jitter(id(7), due, 0), Duration::ZERO);

    let hourly = Timetable::parse("0 * * * *", "UTC").unwrap();
    let policy = Policy { jitter_secs: 60, ..Policy::default() };
    let start = due.after(delays[7]);
    let of = |now| decide(id(7), &hourly, policy, due, Last::None, now).enqueue;
    assert_eq!(of(start.before(Duration::from_micros(1))), []);
    assert_eq!(of(start), [due]);
    assert_eq!(of(start.after(GRACE)), [due]);
    assert_eq!(of(start.after(GRACE).next()), []);
}

#[test]
fn run_of_a_due_time_is_one_whoever_makes_it() {
    let (due, template) = (at("2026-04-14T12:00:00Z"), serde_json::json!({ "at": ["{{due_at}}!"], "n": 1 }));
    let run = due_run(id(1), due, "sweep", Some(&template));
    run.check().unwrap();
    assert_eq!(run.input["at"][0], "2026-04-14T12:00:00.000000Z!");
    assert_eq!(run.id, due_run_id(id(1), due));
    let others = [due_run(id(2), due, "sweep", None), due_run(id(1), due.after(Duration::from_secs(1)), "sweep", None)];
    for other in others {
        assert_ne!(other.id, run.id);
        assert_ne!(other.idempotency_key, run.idempotency_key);
    }
}
