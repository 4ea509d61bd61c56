//! Tests of the whole module.

mod exceptions;
mod hostile;
mod properties;
mod readings;
mod rfc5545;
mod splits;
mod strict;
mod zones;

use super::{Mode, Moment, RuleSet, Start, Window, Zone, expand};
use crate::{Period, Timestamp};

/// A series in a zone, or of whole days if `zone` is `DATE`, with one rule that is strictly valid.
fn series(start: &str, zone: &str, rule: &str) -> RuleSet {
    RuleSet::new(start_at(start, zone), &[rule], &[], &[], Mode::Strict).unwrap().0
}

fn start_at(start: &str, zone: &str) -> Start {
    if zone == "DATE" {
        Start::date(start.parse().unwrap()).unwrap()
    } else {
        Start::wall(start.parse().unwrap(), Zone::parse(zone).unwrap()).unwrap()
    }
}

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

fn moments(texts: &str) -> Vec<Moment> {
    texts.split_whitespace().map(moment).collect()
}

/// All time, or nearly.
fn always() -> Window {
    Window::new(Period::starting(Timestamp::from_micros(i64::MIN)), Zone::UTC)
}

fn expand_all(set: &RuleSet, limit: usize) -> Vec<Moment> {
    expand(set, always(), limit).unwrap().moments
}

/// What clocks of the series show.
fn walls(set: &RuleSet, moments: &[Moment]) -> Vec<String> {
    let wall = |moment: &Moment| match moment {
        Moment::Date(date) => date.to_string(),
        Moment::Instant(at) => set.start().zone().wall(*at).unwrap().format("%Y-%m-%dT%H:%M").to_string(),
    };
    moments.iter().map(wall).collect()
}

/// The first occurrences, as text: dates, or what clocks show.
fn first(start: &str, zone: &str, rule: &str, limit: usize) -> String {
    let set = series(start, zone, rule);
    walls(&set, &expand_all(&set, limit)).join(" ")
}
