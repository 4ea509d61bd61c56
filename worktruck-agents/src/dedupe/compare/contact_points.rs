//! Agreement of what a person is reached by or known under; a record may have several of each.

use strsim::osa_distance;

use super::{Agreement, Likeness, likeness};
use crate::dedupe::levels::{DIFFERENT, Field, MISSING, email, identifier, phone, place, street};
use crate::dedupe::record::{Email, Place, Record};
use crate::dedupe::terms::{Sym, Terms};

pub(super) fn emails(a: &Record<'_>, b: &Record<'_>, terms: &Terms, found: &mut Agreement<'_>) {
    let best = best_of(&a.emails, &b.emails, |x, y| Some(email_level(*x, *y, terms)));
    if let Some((level, email)) = best {
        found.settle(Field::Email, level, email.whole);
    }
}

pub(super) fn phones(a: &Record<'_>, b: &Record<'_>, terms: &Terms, found: &mut Agreement<'_>) {
    let best = best_of(&a.phones, &b.phones, |x, y| {
        Some(match x == y {
            true => phone::EXACT,
            _ if edits(*x, *y, terms) == 1 => phone::NEAR,
            _ if same_end(terms.text(*x), terms.text(*y)) => phone::NEAR,
            _ => DIFFERENT,
        })
    });
    if let Some((level, value)) = best {
        found.settle(Field::Phone, level, *value);
    }
}

pub(super) fn identifiers(a: &Record<'_>, b: &Record<'_>, terms: &Terms, found: &mut Agreement<'_>) {
    let best = best_of(&a.identifiers, &b.identifiers, |x, y| {
        let long = terms.text(x.value).len().min(terms.text(y.value).len()) >= 6;
        (x.label == y.label).then(|| match (x.value == y.value, edits(x.value, y.value, terms)) {
            (true, _) => identifier::EXACT,
            (_, 1) => identifier::NEAR,
            (_, 2) if long => identifier::SIMILAR,
            _ => DIFFERENT,
        })
    });
    if let Some((level, identifier)) = best {
        found.settle(Field::Identifier, level, identifier.value);
    }
}

pub(super) fn addresses(a: &Record<'_>, b: &Record<'_>, terms: &Terms, found: &mut Agreement<'_>) {
    let streets = best_of(&a.addresses, &b.addresses, |x, y| street_level(x, y, terms));
    let mut known = MISSING;
    if let Some((level, Place { street: Some(value), .. })) = streets {
        found.settle(Field::Street, level, *value);
        known = level;
    }
    let Some((level, place)) = best_of(&a.addresses, &b.addresses, |x, y| place_level(x, y, terms)) else { return };
    // A house lies in one town: once the street agrees, the town adds nothing but its disagreement.
    if known >= street::CLOSE && level > DIFFERENT {
        return;
    }
    found.set(Field::Place, level);
    found.commonness += match (level, place.postal, place.city) {
        (place::BOTH | place::POSTAL, Some(postal), _) => found.frequencies.commonness(Field::Place, postal),
        (place::CITY | place::CITY_AND_NEAR_POSTAL, _, Some(city)) => found.frequencies.city_commonness(city),
        _ => 0.0,
    };
}

impl Agreement<'_> {
    fn settle(&mut self, field: Field, level: u8, value: Sym) {
        if level == field.top() { self.exact(field, level, value) } else { self.set(field, level) }
    }
}

/// The highest level any value of `a` reaches with one of `b`, and that value of `a`.
fn best_of<'a, T>(a: &'a [T], b: &[T], level: impl Fn(&T, &T) -> Option<u8>) -> Option<(u8, &'a T)> {
    let mut best: Option<(u8, &T)> = None;
    for x in a {
        for y in b {
            if let Some(found) = level(x, y)
                && best.is_none_or(|(level, _)| found > level)
            {
                best = Some((found, x));
            }
        }
    }
    best
}

fn email_level(a: Email, b: Email, terms: &Terms) -> u8 {
    if a.whole == b.whole {
        return email::EXACT;
    }
    if a.local == b.local && terms.text(a.local).len() >= 3 {
        return email::LOCAL;
    }
    let (x, y) = (terms.term(a.whole), terms.term(b.whole));
    let long = x.text.len().min(y.text.len()) >= 8;
    let close = (x.letters ^ y.letters).count_ones() <= 5 && x.text.len().abs_diff(y.text.len()) <= 3;
    if long && close && osa_distance(&x.text, &y.text) <= 3 { email::NEAR } else { DIFFERENT }
}

/// The edit distance, or a large one where the texts cannot be within two edits.
fn edits(a: Sym, b: Sym, terms: &Terms) -> usize {
    let (a, b) = (terms.term(a), terms.term(b));
    let longer = a.text.len().max(b.text.len());
    if (a.letters ^ b.letters).count_ones() > 4 || a.text.len().abs_diff(b.text.len()) > 2 {
        return usize::MAX;
    }
    // What two edits leave alone at both ends and between them is at least a third.
    let (x, y) = (a.text.as_bytes(), b.text.as_bytes());
    let head = x.iter().zip(y).take_while(|(x, y)| x == y).count();
    let tail = x.iter().rev().zip(y.iter().rev()).take_while(|(x, y)| x == y).count();
    if (head + tail) * 3 + 6 < longer {
        return usize::MAX;
    }
    osa_distance(&a.text, &b.text)
}

/// Whether two numbers agree in their last seven digits: one lacks its area code.
fn same_end(a: &str, b: &str) -> bool {
    let end = |text: &str| text.len().checked_sub(7).map(|at| text.as_bytes()[at..].to_vec());
    a.len() != b.len() && end(a).is_some() && end(a) == end(b)
}

fn street_level(a: &Place, b: &Place, terms: &Terms) -> Option<u8> {
    let (x, y) = (a.street?, b.street?);
    if x == y {
        return Some(street::EXACT);
    }
    let number = a.number.zip(b.number).map(|(m, n)| if m == n { 0 } else { edits(m, n, terms) });
    let words = a.words.zip(b.words).map(|(v, w)| likeness(v, w, terms));
    Some(match (number, words) {
        (Some(0), Some(Likeness::Same | Likeness::Near)) => street::CLOSE,
        (Some(1) | None, Some(Likeness::Same)) => street::CLOSE,
        (Some(0), Some(Likeness::Similar) | None) => street::SIMILAR,
        (Some(1) | None, Some(Likeness::Near | Likeness::Similar)) => street::SIMILAR,
        (_, Some(Likeness::Same | Likeness::Near)) => street::WORDS,
        (number, Some(Likeness::Different)) if number.is_none_or(|n| n <= 1) => part_of_street(a, b, terms),
        _ => DIFFERENT,
    })
}

/// Whether one street is a piece of the other: a flat more or a word less.
fn part_of_street(a: &Place, b: &Place, terms: &Terms) -> u8 {
    let (Some(a), Some(b)) = (a.words, b.words) else { return DIFFERENT };
    let (a, b) = (terms.words(a), terms.words(b));
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let shared = short.iter().filter(|w| long.contains(w) && terms.text(**w).len() > 3).count();
    if shared > 0 && short.iter().all(|w| long.contains(w)) { street::SIMILAR } else { DIFFERENT }
}

fn place_level(a: &Place, b: &Place, terms: &Terms) -> Option<u8> {
    let likeness = |x: Option<Sym>, y: Option<Sym>| x.zip(y).map(|(x, y)| likeness(x, y, terms));
    let city = likeness(a.city, b.city);
    let postal = a.postal.zip(b.postal).map(|(x, y)| edits(x, y, terms));
    let same_city = city == Some(Likeness::Same);
    let near_city = city.is_some_and(|c| c >= Likeness::Similar);
    Some(match (same_city, postal) {
        (true, Some(0)) => place::BOTH,
        (false, Some(0)) => place::POSTAL,
        (true, Some(1)) => place::CITY_AND_NEAR_POSTAL,
        (true, _) => place::CITY,
        (_, Some(1)) => place::NEAR,
        _ if near_city => place::NEAR,
        (_, None) if city.is_none() => {
            let region = likeness(a.region, b.region)?;
            if region == Likeness::Same { place::NEAR } else { DIFFERENT }
        }
        _ => DIFFERENT,
    })
}
