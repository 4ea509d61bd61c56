//! Which clocks a TZID means.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::NaiveDateTime;
use worktruck_core::Timestamp;
use worktruck_core::recurrence::Zone;

use super::Problems;
use super::lines::{Block, File};
use super::preferred::PREFERRED;
use super::property::Property;
use super::rules::{Rules, year_of};
use crate::import::intake::quoted;

/// Properties of a definition that may name a known zone.
const NAMES: [&str; 4] = ["X-LIC-LOCATION", "TZID-ALIAS-OF", "X-WR-TIMEZONE", "X-TZINFO"];

/// What clocks of some place show.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Clock {
    /// Those of a known zone.
    Known(Zone),
    /// Those that only the file knows.
    Own(Arc<Rules>),
}

impl Clock {
    /// The moment at which they show `wall`.
    pub(super) fn timestamp(&self, wall: NaiveDateTime) -> Timestamp {
        match self {
            Self::Known(zone) => zone.timestamp(wall),
            Self::Own(rules) => rules.timestamp(wall),
        }
    }

    /// The zone whose clocks a series keeps to.
    pub(super) const fn zone(&self) -> Zone {
        match self {
            Self::Known(zone) => *zone,
            Self::Own(_) => Zone::UTC,
        }
    }
}

/// The zones of a file.
#[derive(Debug)]
pub(super) struct Zones<'f> {
    definitions: HashMap<String, &'f Block>,
    /// The years of the events of each zone.
    years: BTreeMap<String, BTreeSet<i32>>,
    known: HashMap<String, Clock>,
    /// That of times that name none.
    pub(super) floating: Zone,
}

impl<'f> Zones<'f> {
    pub(super) fn new(file: &'f File, floating: Zone) -> Self {
        let mut zones = Self { definitions: HashMap::new(), years: BTreeMap::new(), known: HashMap::new(), floating };
        for block in &file.blocks {
            if block.name == "VTIMEZONE" {
                if let Some(name) = value(block, "TZID") {
                    zones.definitions.entry(name).or_insert(block);
                }
            } else {
                for (zone, year) in block.lines.iter().filter_map(year_of) {
                    zones.years.entry(zone).or_default().insert(year);
                }
            }
        }
        zones
    }

    /// The clocks that `name` means. What had to be guessed is said once.
    pub(super) fn clock(&mut self, name: &str, line: u64, problems: &mut Problems) -> Clock {
        if let Some(clock) = self.known.get(name) {
            return clock.clone();
        }
        let clock = self.find(name, line, problems);
        self.known.insert(name.to_owned(), clock.clone());
        clock
    }

    fn find(&self, name: &str, line: u64, problems: &mut Problems) -> Clock {
        if let Ok(zone) = Zone::parse(name) {
            return Clock::Known(zone);
        }
        let shown = quoted(name);
        let Some(block) = self.definitions.get(name) else {
            let floating = self.floating;
            let message = format!("the time zone {shown} is not known and not in the file; read as {floating}");
            problems.warn(line, Some("TZID"), message);
            return Clock::Known(floating);
        };
        let named = NAMES.iter().filter_map(|name| value(block, name)).find_map(|name| Zone::parse(&name).ok());
        if let Some(zone) = named {
            return Clock::Known(zone);
        }
        let Some(rules) = Rules::read(block) else {
            let floating = self.floating;
            let message = format!("the definition of the time zone {shown} cannot be read; read as {floating}");
            problems.warn(block.line, Some("TZID"), message);
            return Clock::Known(floating);
        };
        let years = self.years.get(name).cloned().unwrap_or_else(|| BTreeSet::from([2020]));
        let fits = |zone: &Zone, span: i32| {
            years.first().into_iter().chain(years.last()).all(|year| rules.are_those_of(*zone, *year, span))
        };
        // A definition need not know what was decided after it was written.
        let mut spans = [4, 1].into_iter();
        let zones: Vec<Zone> = PREFERRED.iter().filter_map(|name| Zone::parse(name).ok()).collect();
        if let Some(zone) = spans.find_map(|span| zones.iter().copied().find(|zone| fits(zone, span))) {
            let message = format!("the time zone {shown} is not known; its clocks are those of {zone}, which is taken");
            problems.warn(line, Some("TZID"), message);
            return Clock::Known(zone);
        }
        let message = format!(
            "the time zone {shown} is like no known one; its times are read as moments in UTC, where a series does \
             not follow its clocks, and its definition is kept in metadata"
        );
        problems.warn(line, Some("TZID"), message);
        Clock::Own(Arc::new(rules))
    }

    /// The lines of a definition.
    pub(super) fn definition(&self, name: &str) -> Option<String> {
        let block = self.definitions.get(name)?;
        let lines: Vec<&str> = block.lines.iter().map(|line| line.text.as_str()).collect();
        Some(lines.join("\n"))
    }
}

/// The value of a property of a block.
fn value(block: &Block, name: &str) -> Option<String> {
    let is_named = |text: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let mut properties = block.lines.iter().filter(|line| is_named(&line.text)).filter_map(Property::read);
    properties.find(|property| property.name == name).map(|property| property.text().trim().to_owned())
}
