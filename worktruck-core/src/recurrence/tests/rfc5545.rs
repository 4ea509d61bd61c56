//! The examples of RFC 5545, section 3.8.5.3, all of which begin at nine in New York.

use super::{expand_all, walls};
use crate::recurrence::{Mode, RuleSet, Start, Zone};

struct Example {
    start: &'static str,
    rule: &'static str,
    /// How many occurrences there are; 0 if they never end.
    count: usize,
    /// The first of them, at nine where no time is given.
    first: &'static str,
    last: &'static str,
}

#[test]
fn the_examples_of_the_rfc() {
    for example in EXAMPLES {
        let zone = Zone::parse("America/New_York").unwrap();
        let start = Start::wall(format!("{}T09:00:00", example.start).parse().unwrap(), zone).unwrap();
        let (set, _) = RuleSet::new(start, &[example.rule], &[], &[], Mode::Strict).unwrap();
        let found = walls(&set, &expand_all(&set, if example.count == 0 { 9 } else { 1000 }));
        let found: Vec<&str> = found.iter().map(|wall| wall.strip_suffix("T09:00").unwrap_or(wall)).collect();
        let first: Vec<&str> = example.first.split(' ').collect();
        assert_eq!(found[..first.len()], first, "{}", example.rule);
        if example.count > 0 {
            assert_eq!(found.len(), example.count, "{}", example.rule);
            assert_eq!(found.last(), Some(&example.last), "{}", example.rule);
            assert!(set.last().unwrap() == expand_all(&set, 1000).last().copied(), "{}", example.rule);
        } else {
            assert_eq!(set.last().unwrap(), None);
        }
        let canonical = set.rules()[0].to_string();
        let (again, _) = RuleSet::new(start, &[&canonical], &[], &[], Mode::Strict).unwrap();
        assert_eq!(again, set, "{canonical}");
    }
}

#[rustfmt::skip]
const EXAMPLES: &[Example] = &[
    Example {
        start: "1997-09-02",
        rule: "FREQ=DAILY;COUNT=10",
        count: 10,
        first: "1997-09-02 1997-09-03 1997-09-04 1997-09-05 1997-09-06 \
                1997-09-07 1997-09-08 1997-09-09 1997-09-10",
        last: "1997-09-11",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=DAILY;UNTIL=19971224T000000Z",
        count: 113,
        first: "1997-09-02 1997-09-03 1997-09-04 1997-09-05 1997-09-06 \
                1997-09-07 1997-09-08 1997-09-09 1997-09-10",
        last: "1997-12-23",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=DAILY;INTERVAL=2",
        count: 0,
        first: "1997-09-02 1997-09-04 1997-09-06 1997-09-08 1997-09-10 \
                1997-09-12 1997-09-14 1997-09-16 1997-09-18",
        last: "",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=DAILY;INTERVAL=10;COUNT=5",
        count: 5,
        first: "1997-09-02 1997-09-12 1997-09-22 1997-10-02 1997-10-12",
        last: "1997-10-12",
    },
    Example {
        start: "1998-01-01",
        rule: "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        count: 93,
        first: "1998-01-01 1998-01-02 1998-01-03 1998-01-04 1998-01-05 \
                1998-01-06 1998-01-07 1998-01-08 1998-01-09",
        last: "2000-01-31",
    },
    Example {
        start: "1998-01-01",
        rule: "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
        count: 93,
        first: "1998-01-01 1998-01-02 1998-01-03 1998-01-04 1998-01-05 \
                1998-01-06 1998-01-07 1998-01-08 1998-01-09",
        last: "2000-01-31",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=WEEKLY;COUNT=10",
        count: 10,
        first: "1997-09-02 1997-09-09 1997-09-16 1997-09-23 1997-09-30 \
                1997-10-07 1997-10-14 1997-10-21 1997-10-28",
        last: "1997-11-04",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=WEEKLY;UNTIL=19971224T000000Z",
        count: 17,
        first: "1997-09-02 1997-09-09 1997-09-16 1997-09-23 1997-09-30 \
                1997-10-07 1997-10-14 1997-10-21 1997-10-28",
        last: "1997-12-23",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        count: 0,
        first: "1997-09-02 1997-09-16 1997-09-30 1997-10-14 1997-10-28 \
                1997-11-11 1997-11-25 1997-12-09 1997-12-23",
        last: "",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
        count: 10,
        first: "1997-09-02 1997-09-04 1997-09-09 1997-09-11 1997-09-16 \
                1997-09-18 1997-09-23 1997-09-25 1997-09-30",
        last: "1997-10-02",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
        count: 10,
        first: "1997-09-02 1997-09-04 1997-09-09 1997-09-11 1997-09-16 \
                1997-09-18 1997-09-23 1997-09-25 1997-09-30",
        last: "1997-10-02",
    },
    Example {
        start: "1997-09-01",
        rule: "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        count: 25,
        first: "1997-09-01 1997-09-03 1997-09-05 1997-09-15 1997-09-17 \
                1997-09-19 1997-09-29 1997-10-01 1997-10-03",
        last: "1997-12-22",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
        count: 8,
        first: "1997-09-02 1997-09-04 1997-09-16 1997-09-18 1997-09-30 1997-10-02 1997-10-14 1997-10-16",
        last: "1997-10-16",
    },
    Example {
        start: "1997-09-05",
        rule: "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        count: 10,
        first: "1997-09-05 1997-10-03 1997-11-07 1997-12-05 1998-01-02 \
                1998-02-06 1998-03-06 1998-04-03 1998-05-01",
        last: "1998-06-05",
    },
    Example {
        start: "1997-09-05",
        rule: "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
        count: 4,
        first: "1997-09-05 1997-10-03 1997-11-07 1997-12-05",
        last: "1997-12-05",
    },
    Example {
        start: "1997-09-07",
        rule: "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        count: 10,
        first: "1997-09-07 1997-09-28 1997-11-02 1997-11-30 1998-01-04 \
                1998-01-25 1998-03-01 1998-03-29 1998-05-03",
        last: "1998-05-31",
    },
    Example {
        start: "1997-09-22",
        rule: "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
        count: 6,
        first: "1997-09-22 1997-10-20 1997-11-17 1997-12-22 1998-01-19 1998-02-16",
        last: "1998-02-16",
    },
    Example {
        start: "1997-09-28",
        rule: "FREQ=MONTHLY;BYMONTHDAY=-3",
        count: 0,
        first: "1997-09-28 1997-10-29 1997-11-28 1997-12-29 1998-01-29 \
                1998-02-26 1998-03-29 1998-04-28 1998-05-29",
        last: "",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        count: 10,
        first: "1997-09-02 1997-09-15 1997-10-02 1997-10-15 1997-11-02 \
                1997-11-15 1997-12-02 1997-12-15 1998-01-02",
        last: "1998-01-15",
    },
    Example {
        start: "1997-09-30",
        rule: "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        count: 10,
        first: "1997-09-30 1997-10-01 1997-10-31 1997-11-01 1997-11-30 \
                1997-12-01 1997-12-31 1998-01-01 1998-01-31",
        last: "1998-02-01",
    },
    Example {
        start: "1997-09-10",
        rule: "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        count: 10,
        first: "1997-09-10 1997-09-11 1997-09-12 1997-09-13 1997-09-14 \
                1997-09-15 1999-03-10 1999-03-11 1999-03-12",
        last: "1999-03-13",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
        count: 0,
        first: "1997-09-02 1997-09-09 1997-09-16 1997-09-23 1997-09-30 \
                1997-11-04 1997-11-11 1997-11-18 1997-11-25",
        last: "",
    },
    Example {
        start: "1997-06-10",
        rule: "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
        count: 10,
        first: "1997-06-10 1997-07-10 1998-06-10 1998-07-10 1999-06-10 \
                1999-07-10 2000-06-10 2000-07-10 2001-06-10",
        last: "2001-07-10",
    },
    Example {
        start: "1997-03-10",
        rule: "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
        count: 10,
        first: "1997-03-10 1999-01-10 1999-02-10 1999-03-10 2001-01-10 \
                2001-02-10 2001-03-10 2003-01-10 2003-02-10",
        last: "2003-03-10",
    },
    Example {
        start: "1997-01-01",
        rule: "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        count: 10,
        first: "1997-01-01 1997-04-10 1997-07-19 2000-01-01 2000-04-09 \
                2000-07-18 2003-01-01 2003-04-10 2003-07-19",
        last: "2006-01-01",
    },
    Example {
        start: "1997-05-19",
        rule: "FREQ=YEARLY;BYDAY=20MO",
        count: 0,
        first: "1997-05-19 1998-05-18 1999-05-17 2000-05-15 2001-05-14 \
                2002-05-20 2003-05-19 2004-05-17 2005-05-16",
        last: "",
    },
    Example {
        start: "1997-05-12",
        rule: "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        count: 0,
        first: "1997-05-12 1998-05-11 1999-05-17 2000-05-15 2001-05-14 \
                2002-05-13 2003-05-12 2004-05-10 2005-05-16",
        last: "",
    },
    Example {
        start: "1997-03-13",
        rule: "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
        count: 0,
        first: "1997-03-13 1997-03-20 1997-03-27 1998-03-05 1998-03-12 \
                1998-03-19 1998-03-26 1999-03-04 1999-03-11",
        last: "",
    },
    Example {
        start: "1997-06-05",
        rule: "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
        count: 0,
        first: "1997-06-05 1997-06-12 1997-06-19 1997-06-26 1997-07-03 \
                1997-07-10 1997-07-17 1997-07-24 1997-07-31",
        last: "",
    },
    Example {
        start: "1998-02-13",
        rule: "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        count: 0,
        first: "1998-02-13 1998-03-13 1998-11-13 1999-08-13 2000-10-13 \
                2001-04-13 2001-07-13 2002-09-13 2002-12-13",
        last: "",
    },
    Example {
        start: "1997-09-13",
        rule: "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        count: 0,
        first: "1997-09-13 1997-10-11 1997-11-08 1997-12-13 1998-01-10 \
                1998-02-07 1998-03-07 1998-04-11 1998-05-09",
        last: "",
    },
    Example {
        start: "1996-11-05",
        rule: "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        count: 0,
        first: "1996-11-05 2000-11-07 2004-11-02 2008-11-04 2012-11-06 \
                2016-11-08 2020-11-03 2024-11-05 2028-11-07",
        last: "",
    },
    Example {
        start: "1997-09-04",
        rule: "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
        count: 3,
        first: "1997-09-04 1997-10-07 1997-11-06",
        last: "1997-11-06",
    },
    Example {
        start: "1997-09-29",
        rule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        count: 0,
        first: "1997-09-29 1997-10-30 1997-11-27 1997-12-30 1998-01-29 \
                1998-02-26 1998-03-30 1998-04-29 1998-05-28",
        last: "",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",
        count: 3,
        first: "1997-09-02 1997-09-02T12:00 1997-09-02T15:00",
        last: "1997-09-02T15:00",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
        count: 6,
        first: "1997-09-02 1997-09-02T09:15 1997-09-02T09:30 1997-09-02T09:45 1997-09-02T10:00 1997-09-02T10:15",
        last: "1997-09-02T10:15",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
        count: 4,
        first: "1997-09-02 1997-09-02T10:30 1997-09-02T12:00 1997-09-02T13:30",
        last: "1997-09-02T13:30",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
        count: 0,
        first: "1997-09-02 1997-09-02T09:20 1997-09-02T09:40 1997-09-02T10:00 1997-09-02T10:20 \
                1997-09-02T10:40 1997-09-02T11:00 1997-09-02T11:20 1997-09-02T11:40",
        last: "",
    },
    Example {
        start: "1997-09-02",
        rule: "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
        count: 0,
        first: "1997-09-02 1997-09-02T09:20 1997-09-02T09:40 1997-09-02T10:00 1997-09-02T10:20 \
                1997-09-02T10:40 1997-09-02T11:00 1997-09-02T11:20 1997-09-02T11:40",
        last: "",
    },
    Example {
        start: "1997-08-05",
        rule: "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
        count: 4,
        first: "1997-08-05 1997-08-10 1997-08-19 1997-08-24",
        last: "1997-08-24",
    },
    Example {
        start: "1997-08-05",
        rule: "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
        count: 4,
        first: "1997-08-05 1997-08-17 1997-08-19 1997-08-31",
        last: "1997-08-31",
    },
    Example {
        start: "2007-01-15",
        rule: "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
        count: 5,
        first: "2007-01-15 2007-01-30 2007-02-15 2007-03-15 2007-03-30",
        last: "2007-03-30",
    },
];
