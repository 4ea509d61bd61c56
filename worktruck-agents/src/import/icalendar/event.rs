//! One event (VEVENT).

use chrono::NaiveTime;
use serde_json::{Map, Value};
use worktruck_core::Digest;
use worktruck_core::entity::attendee::Attendee;
use worktruck_core::entity::event::Event;
use worktruck_core::entity::{Entity as _, Locale};

use super::alarm::{self, Rest};
use super::fields::{is_only_like, set_field};
use super::lines::{Block, Line, frame};
use super::property::Property;
use super::series::Dates;
use super::time::Written;
use super::zones::{Clock, Zones};
use super::{KEPT, MORE, Problems, UNTITLED, ZONE_KEPT, attendee, more, reason};
use crate::import::intake::quoted;
use crate::import::json_object;

/// The longest title, in characters.
const LONGEST_TITLE: usize = 512;
/// An event with more fields than this that cannot be understood is not one.
const MOST_REPAIRS: usize = 16;
/// Properties that change whenever the same event is written again.
const PASSING: [&str; 4] = ["DTSTAMP", "LAST-MODIFIED", "CREATED", "X-WORKTRUCK-MORE"];

/// An event that has been read, before it is known which others the file has.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) line: u64,
    pub(super) event: Event,
    pub(super) attendees: Vec<Attendee>,
    /// The address of who asks them.
    pub(super) organizer: Option<String>,
    /// Which occurrence it stands for, and by which clocks.
    pub(super) recurrence: Option<(Written, Clock)>,
    /// Whether it stands for all after that too.
    pub(super) and_following: bool,
}

/// Reads an event; nothing, and a problem, if it has no usable start.
pub(super) fn read(block: &Block, zones: &mut Zones<'_>, problems: &mut Problems) -> Option<Draft> {
    let mut reader = Reader::start(block, zones, problems)?;
    for (line, part) in reader.parts(block) {
        match part {
            Part::Property(property) => reader.property(&property),
            Part::Alarm(lines) => reader.alarm(line, &lines),
            Part::Kept(text) => reader.keep(text),
        }
    }
    reader.finish(block)
}

/// A part of an event.
enum Part {
    Property(Property),
    Alarm(Vec<Line>),
    /// Something else, as it stands.
    Kept(String),
}

/// Reads one event.
struct Reader<'r, 'f> {
    zones: &'r mut Zones<'f>,
    problems: &'r mut Problems,
    event: Event,
    attendees: Vec<Attendee>,
    kept: Vec<Value>,
    dates: Dates,
    organizer: Option<String>,
    recurrence: Option<(Written, Clock)>,
    and_following: bool,
    /// The lines that fields come from, by the names of the fields.
    sources: Vec<(&'static str, u64, String)>,
    more: Vec<(u64, Map<String, Value>)>,
    /// The address of the event itself, which is where one joins if nothing else is said.
    url: Option<String>,
}

impl<'r, 'f> Reader<'r, 'f> {
    fn start(block: &Block, zones: &'r mut Zones<'f>, problems: &'r mut Problems) -> Option<Self> {
        let is_start = |line: &&Line| line.text.get(..7).is_some_and(|name| name.eq_ignore_ascii_case("DTSTART"));
        let mut starts = block.lines.iter().filter(is_start).filter_map(Property::read);
        let Some(start) = starts.find(|property| property.name == "DTSTART") else {
            problems.skip(block.line, Some("DTSTART"), "the event that begins here has no DTSTART; it is skipped");
            return None;
        };
        let Some(written) = Written::read(start.raw_value()) else {
            let value = quoted(start.raw_value());
            let message = format!("DTSTART {value} is neither a date nor a time; the event is skipped");
            problems.skip(start.number, Some("DTSTART"), message);
            return None;
        };
        let clock = match (written, start.parameter("TZID")) {
            (Written::Local(_), Some(name)) => zones.clock(name, start.number, problems),
            (Written::Local(_), None) => {
                let message = format!("the event floats: it names no time zone, and is read in {}", zones.floating);
                problems.warn(start.number, Some("DTSTART"), message);
                Clock::Known(zones.floating)
            }
            (Written::Utc(_), _) => Clock::Known(worktruck_core::recurrence::Zone::UTC),
            (Written::Date(_), Some(name)) => zones.clock(name, start.number, problems),
            (Written::Date(_), None) => Clock::Known(zones.floating),
        };
        let written = if is_day_of_outlook(block, written) { midnight(written) } else { written };
        let mut event = Event::at(super::UNSAID, "", worktruck_core::Timestamp::EPOCH);
        let dates = Dates::new(written, clock.clone());
        if let (Clock::Own(_), Some(name)) = (&clock, start.parameter("TZID"))
            && let Some(definition) = zones.definition(name)
        {
            event.metadata.insert(ZONE_KEPT.to_owned(), Value::String(definition));
        }
        Some(Self {
            zones,
            problems,
            event,
            attendees: Vec::new(),
            kept: Vec::new(),
            dates,
            organizer: None,
            recurrence: None,
            and_following: false,
            sources: Vec::new(),
            more: Vec::new(),
            url: None,
        })
    }

    fn parts(&mut self, block: &Block) -> Vec<(u64, Part)> {
        let mut parts = Vec::new();
        let mut lines = block.lines.iter();
        while let Some(line) = lines.next() {
            let Some((is_begin, name)) = frame(&line.text) else {
                parts.push((line.number, self.part(line)));
                continue;
            };
            if !is_begin {
                self.problems.warn(line.number, None, format!("END:{name} ends nothing; ignored"));
                continue;
            }
            let mut inner = Vec::new();
            let mut open = vec![name.clone()];
            for next in lines.by_ref() {
                match frame(&next.text) {
                    Some((true, name)) => open.push(name),
                    Some((false, name)) => {
                        let at = open.iter().rposition(|open| *open == name);
                        open.truncate(at.unwrap_or(open.len()));
                    }
                    None => {}
                }
                if open.is_empty() {
                    break;
                }
                inner.push(next.clone());
            }
            if !open.is_empty() {
                self.problems.warn(line.number, None, format!("the {name} that begins here does not end"));
            }
            let is_alarm = name == "VALARM" && inner.iter().all(|line| frame(&line.text).is_none());
            let part = if is_alarm { Part::Alarm(inner) } else { Part::Kept(component(&name, &inner)) };
            parts.push((line.number, part));
        }
        parts
    }

    fn part(&mut self, line: &Line) -> Part {
        match Property::read(line) {
            Some(property) => Part::Property(property),
            None => {
                let message = format!("the line {} is not a property; kept in metadata", quoted(&line.text));
                self.problems.warn(line.number, None, message);
                Part::Kept(line.text.clone())
            }
        }
    }

    fn property(&mut self, property: &Property) {
        let used: Option<&[&str]> = match property.name.as_str() {
            "DTSTAMP" | "DTSTART" => Some(&["TZID", "VALUE"]),
            "UID"
            | "SEQUENCE"
            | "STATUS"
            | "TRANSP"
            | "CLASS"
            | "SUMMARY"
            | "DESCRIPTION"
            | "LOCATION"
            | "GEO"
            | "COLOR"
            | "X-MICROSOFT-CDO-BUSYSTATUS" => self.field(property).then_some(&[]),
            "CONFERENCE" => self.conference(property).then_some(&["VALUE"]),
            "X-GOOGLE-CONFERENCE" => {
                self.conference(property);
                None
            }
            "URL" => {
                self.url.get_or_insert_with(|| property.raw_value().trim().to_owned());
                None
            }
            "RECURRENCE-ID" => self.recurrence(property).then_some(&["TZID", "VALUE", "RANGE"]),
            "DTEND" | "DURATION" | "RRULE" | "EXRULE" | "EXDATE" | "RDATE" => {
                let kept = self.dates.read(property, self.zones, self.problems);
                kept.into_iter().for_each(|line| self.keep(line));
                return;
            }
            "ATTENDEE" => match attendee::read(property, self.problems) {
                Some(attendee) if self.attendees.iter().all(|other| other.email != attendee.email) => {
                    self.attendees.push(attendee);
                    return;
                }
                _ => None,
            },
            "ORGANIZER" => {
                self.organizer = self.organizer.take().or_else(|| attendee::address(property));
                None
            }
            MORE => match json_object(&property.text()) {
                Some(more) => {
                    self.more.push((property.number, more));
                    return;
                }
                None => {
                    let message = format!("{MORE} is not a JSON object; kept in metadata");
                    self.problems.warn(property.number, Some(MORE), message);
                    None
                }
            },
            _ => None,
        };
        if used.is_none_or(|used| !used.contains(&"TZID") && property.has_more(used)) {
            self.keep(property.raw.clone());
        }
    }

    /// Sets a field; false if the line must be kept, with a warning if it cannot be understood.
    fn field(&mut self, property: &Property) -> bool {
        if set_field(&mut self.event, property) {
            let field = match property.name.as_str() {
                "DESCRIPTION" => "/description",
                "LOCATION" => "/location",
                "GEO" => "/location_lat",
                "COLOR" => "/color",
                "UID" => "/ical_uid",
                _ => return !is_only_like(property),
            };
            self.sources.push((field, property.number, property.raw.clone()));
            return true;
        }
        let (name, value) = (&property.name, quoted(property.raw_value()));
        let message = format!("{name} {value} is not understood; kept in metadata");
        self.problems.warn(property.number, Some(&property.name), message);
        false
    }

    fn conference(&mut self, property: &Property) -> bool {
        if self.event.conference_url.is_some() {
            return false;
        }
        self.sources.push(("/conference_url", property.number, property.raw.clone()));
        self.event.conference_url = Some(property.raw_value().trim().to_owned());
        true
    }

    fn recurrence(&mut self, property: &Property) -> bool {
        let Some(written) = Written::read(property.raw_value()).filter(|_| self.recurrence.is_none()) else {
            let value = quoted(property.raw_value());
            let message = format!("RECURRENCE-ID {value} is not understood; kept in metadata");
            self.problems.warn(property.number, Some("RECURRENCE-ID"), message);
            return false;
        };
        // No other range is read as a parameter.
        self.and_following = property.parameter("RANGE").is_some();
        if !self.and_following && property.raw.to_ascii_uppercase().contains(";RANGE=") {
            let message = "RECURRENCE-ID speaks of other occurrences too; only this one is changed";
            self.problems.warn(property.number, Some("RECURRENCE-ID"), message);
        }
        let clock = self.dates.clock_of(property, self.zones, self.problems);
        self.recurrence = Some((written, clock));
        true
    }

    fn alarm(&mut self, line: u64, lines: &[Line]) {
        let title = self.event.title.clone();
        match alarm::reminder(lines, &title) {
            Some((reminder, rest)) => {
                self.event.reminders.push(reminder);
                if rest == Rest::Nothing {
                    return;
                }
            }
            None => {
                let message = "the alarm does not ring some minutes before the start; kept in metadata";
                self.problems.warn(line, Some("VALARM"), message);
            }
        }
        self.keep(component("VALARM", lines));
    }

    fn keep(&mut self, text: String) {
        self.kept.push(Value::String(text));
    }

    fn finish(mut self, block: &Block) -> Option<Draft> {
        if self.event.title.trim().is_empty() {
            self.event.title = UNTITLED.to_owned();
        }
        if let Some((end, _)) = self.event.title.char_indices().nth(LONGEST_TITLE) {
            let message = format!("SUMMARY is longer than {LONGEST_TITLE} characters; all of it is kept in metadata");
            self.problems.warn(block.line, Some("SUMMARY"), message);
            let whole = self.event.title.clone();
            self.event.metadata.insert("summary".to_owned(), Value::String(whole));
            self.event.title.truncate(end);
        }
        if self.event.conference_url.is_none() {
            self.event.conference_url = self.url.take().filter(|url| url.starts_with("http"));
        }
        if self.event.ical_uid.trim().is_empty() {
            self.event.ical_uid = uid_of(block);
        }
        let is_override = self.recurrence.is_some();
        let kept = self.dates.put_into(&mut self.event, is_override, self.problems);
        self.kept.extend(kept.into_iter().map(Value::String));
        if !self.kept.is_empty() {
            self.event.metadata.insert(KEPT.to_owned(), Value::Array(std::mem::take(&mut self.kept)));
        }
        self.repair(block.line)?;
        for (line, more) in std::mem::take(&mut self.more) {
            if more::apply(&mut self.event, &mut self.attendees, &more).is_none() {
                let message = format!("{MORE} is not written as an export writes it; ignored");
                self.problems.warn(line, Some(MORE), message);
            }
        }
        self.repair(block.line)?;
        let Self { event, attendees, organizer, recurrence, and_following, .. } = self;
        Some(Draft { line: block.line, event, attendees, organizer, recurrence, and_following })
    }

    /// Takes out what makes the event invalid, and keeps it.
    fn repair(&mut self, line: u64) -> Option<()> {
        for _ in 0..MOST_REPAIRS {
            let Err(error) = self.event.normalise(&Locale::default()) else { return Some(()) };
            let pointer = error.pointer().unwrap_or_default().to_owned();
            let source = self.sources.iter().find(|(field, ..)| *field == pointer).cloned();
            let (at, raw) = source.map_or((line, None), |(_, at, raw)| (at, Some(raw)));
            let name = pointer.trim_start_matches('/').to_owned();
            let mut kept = raw;
            match pointer.as_str() {
                "/description" => self.event.description = None,
                "/location" => self.event.location = None,
                "/location_lat" | "/location_lng" => {
                    (self.event.location_lat, self.event.location_lng) = (None, None);
                }
                "/conference_url" => self.event.conference_url = None,
                "/color" => self.event.color = None,
                "/ical_uid" => {
                    self.event.ical_uid = format!("worktruck-{}", Digest::of_bytes(self.event.ical_uid.as_bytes()))
                }
                "/end_at" | "/end_date" => (self.event.end_at, self.event.end_date) = (None, None),
                "/rrule" => kept = self.event.rrule.take().map(|rule| format!("RRULE:{rule}")),
                "/reminders" => self.event.reminders.truncate(worktruck_core::entity::event::MAX_REMINDERS),
                _ => {
                    self.problems.skip(line, None, format!("{}; the event is skipped", reason(&error)));
                    return None;
                }
            }
            self.problems.warn(at, Some(&name), format!("{}; kept in metadata", reason(&error)));
            if let Some(raw) = kept {
                let list = self.event.metadata.entry(KEPT).or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut()?.push(Value::String(raw));
            }
        }
        self.problems.skip(line, None, format!("more than {MOST_REPAIRS} fields are wrong; the event is skipped"));
        None
    }
}

/// Whether Outlook says that times mean whole days.
fn is_day_of_outlook(block: &Block, start: Written) -> bool {
    let is_midnight = matches!(start, Written::Local(wall) | Written::Utc(wall) if wall.time() == NaiveTime::MIN);
    let says = |line: &Line| line.text.trim().eq_ignore_ascii_case("X-MICROSOFT-CDO-ALLDAYEVENT:TRUE");
    is_midnight && block.lines.iter().any(says)
}

fn midnight(start: Written) -> Written {
    match start {
        Written::Local(wall) | Written::Utc(wall) => Written::Date(wall.date()),
        date @ Written::Date(_) => date,
    }
}

fn component(name: &str, lines: &[Line]) -> String {
    let mut text = format!("BEGIN:{name}\n");
    for line in lines {
        text.push_str(&line.text);
        text.push('\n');
    }
    text.push_str("END:");
    text.push_str(name);
    text
}

/// A UID made of what the lines say.
fn uid_of(block: &Block) -> String {
    let is_passing = |line: &Line| {
        let name = line.text.split([':', ';']).next().unwrap_or_default();
        PASSING.iter().any(|passing| name.eq_ignore_ascii_case(passing))
    };
    let lines = block.lines.iter().filter(|line| !is_passing(line)).map(|line| line.text.as_str());
    let text: Vec<&str> = lines.collect();
    format!("worktruck-{}", Digest::of_bytes(text.join("\n").as_bytes()))
}
