//! Two records compared, field by field, into levels of agreement.

use strsim::{jaro_winkler, osa_distance};

use super::birth::BirthAgreement;
use super::frequency::Frequencies;
use super::levels::{self, DIFFERENT, FIELDS, Field, Levels, MISSING, birth, family, given, middle, text};
use super::record::Record;
use super::terms::{Sym, Terms};

mod contact_points;

/// How two records agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) levels: Levels,
    /// By how much chance agrees more often on these very values than on the average one (natural
    /// logarithm); negative for rare values.
    pub(crate) commonness: f32,
    pub(crate) conflict: Option<Conflict>,
}

/// What forbids to call two records one person, whatever else agrees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Conflict {
    /// Born on one day under clearly different given names.
    Twins,
    /// Birth dates that lie a generation apart.
    Generation,
    /// Jr. and Sr.
    Suffix,
}

impl Comparison {
    /// The level on which `field` agrees.
    pub(crate) const fn level(&self, field: Field) -> u8 {
        self.levels[field as usize]
    }
}

/// Compares two records of one list.
pub(crate) fn compare(a: &Record<'_>, b: &Record<'_>, terms: &Terms, frequencies: &Frequencies) -> Comparison {
    let mut found = Agreement { levels: [MISSING; FIELDS], commonness: 0.0, frequencies };
    names(a, b, terms, &mut found);
    birth_dates(a, b, &mut found);
    contact_points::emails(a, b, terms, &mut found);
    contact_points::phones(a, b, terms, &mut found);
    contact_points::identifiers(a, b, terms, &mut found);
    contact_points::addresses(a, b, terms, &mut found);
    for (field, a, b) in [(Field::Organization, a.organization, b.organization), (Field::Title, a.title, b.title)] {
        if let (Some(a), Some(b)) = (a, b) {
            if a == b {
                found.exact(field, text::EXACT, a);
            } else {
                let similar = likeness(a, b, terms) >= Likeness::Similar || shares_word(a, b, terms);
                found.levels[field as usize] = if similar { text::SIMILAR } else { DIFFERENT };
            }
        }
    }
    Comparison { levels: found.levels, commonness: found.commonness, conflict: conflict(a, b, terms, &found.levels) }
}

/// What has been found so far of a pair.
struct Agreement<'f> {
    levels: Levels,
    commonness: f32,
    frequencies: &'f Frequencies,
}

impl Agreement<'_> {
    fn set(&mut self, field: Field, level: u8) {
        self.levels[field as usize] = level;
    }

    /// Agreement on `value`, which counts for more the rarer it is.
    fn exact(&mut self, field: Field, level: u8, value: Sym) {
        self.levels[field as usize] = level;
        self.commonness += self.frequencies.commonness(field, value);
    }
}

/// How alike two words are, from not at all upwards.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Likeness {
    Different,
    Similar,
    /// One typing error apart.
    Near,
    Same,
}

fn likeness(a: Sym, b: Sym, terms: &Terms) -> Likeness {
    if a == b {
        return Likeness::Same;
    }
    let (a, b) = (terms.term(a), terms.term(b));
    // Texts this far apart in their letters are no typing error of each other; this spares the distances.
    if (a.letters ^ b.letters).count_ones() > 6 {
        return Likeness::Different;
    }
    let winkler = jaro_winkler(&a.text, &b.text);
    if winkler < 0.7 {
        return Likeness::Different;
    }
    let longer = a.text.len().max(b.text.len());
    let edits = osa_distance(&a.text, &b.text);
    if (edits == 1 && longer >= 3) || (edits == 2 && longer >= 8) || winkler >= 0.95 {
        Likeness::Near
    } else if winkler >= 0.87 || edits * 3 <= longer || (a.sound == b.sound && winkler >= 0.8) {
        Likeness::Similar
    } else {
        Likeness::Different
    }
}

fn shares_word(a: Sym, b: Sym, terms: &Terms) -> bool {
    if terms.term(a).words.is_empty() && terms.term(b).words.is_empty() {
        return false;
    }
    let b = terms.words(b);
    terms.words(a).iter().any(|word| terms.text(*word).len() > 2 && b.contains(word))
}

fn is_initial_of(a: Sym, b: Sym, terms: &Terms) -> Option<bool> {
    let (a, b) = (terms.text(a), terms.text(b));
    (a.len() == 1 || b.len() == 1).then(|| a[..1] == b[..1])
}

fn names(a: &Record<'_>, b: &Record<'_>, terms: &Terms, found: &mut Agreement<'_>) {
    let straight = a.given.zip(b.given).map(|(x, y)| given_level(x, y, terms));
    let family = a.family.zip(b.family).map(|(x, y)| family_level(x, y, terms));
    let weak = |level: Option<u8>| level.is_none_or(|l| l <= given::SIMILAR);
    if (straight.is_some() || family.is_some()) && weak(straight) && weak(family) {
        let crossed = |x: Option<Sym>, y: Option<Sym>| x.zip(y).map(|(x, y)| likeness(x, y, terms) >= Likeness::Near);
        match (crossed(a.given, b.family), crossed(a.family, b.given)) {
            (Some(true), Some(true)) => return found.set(Field::Given, given::SWAPPED),
            // One name stands in the other's place and the rest is unknown: no evidence either way.
            (Some(true), None) | (None, Some(true)) => return,
            _ => {}
        }
    }
    if let (Some(level), Some(x)) = (straight, a.given) {
        let in_use =
            |given: Option<Sym>, middle: Option<Sym>| given == middle && given.is_some_and(|g| terms.text(g).len() > 1);
        if level == given::EXACT {
            found.exact(Field::Given, level, x);
        } else if level <= given::SIMILAR && (in_use(a.given, b.middle) || in_use(a.middle, b.given)) {
            found.set(Field::Given, given::VARIANT);
        } else {
            found.set(Field::Given, level);
        }
    }
    if let (Some(level), Some(x)) = (family, a.family) {
        if level == family::EXACT { found.exact(Field::Family, level, x) } else { found.set(Field::Family, level) }
    }
    if let (Some(x), Some(y)) = (a.middle, b.middle) {
        match (x == y, is_initial_of(x, y, terms), likeness(x, y, terms)) {
            (true, ..) => found.exact(Field::Middle, middle::EXACT, x),
            (_, Some(true), _) => found.set(Field::Middle, middle::INITIAL),
            (_, None, Likeness::Near | Likeness::Similar) => found.set(Field::Middle, middle::NEAR),
            _ if shares_word(x, y, terms) => found.set(Field::Middle, middle::NEAR),
            _ => found.set(Field::Middle, DIFFERENT),
        }
    }
}

fn given_level(a: Sym, b: Sym, terms: &Terms) -> u8 {
    if let Some(agrees) = is_initial_of(a, b, terms) {
        return if agrees { given::INITIAL } else { DIFFERENT };
    }
    if a == b {
        return given::EXACT;
    }
    let related = |a: Sym, b: Sym| {
        let (a, b) = (terms.term(a).groups, terms.term(b).groups);
        a.iter().any(|g| b.contains(g))
    };
    if related(a, b) {
        return given::VARIANT;
    }
    let (x, y) = (terms.term(a), terms.term(b));
    if !x.words.is_empty() || !y.words.is_empty() {
        let other = terms.words(b);
        let shared = |w: &Sym| terms.text(*w).len() > 1 && other.iter().any(|o| o == w || related(*w, *o));
        if terms.words(a).iter().any(shared) {
            return given::VARIANT;
        }
    }
    match likeness(a, b, terms) {
        Likeness::Same | Likeness::Near => given::NEAR,
        Likeness::Similar => given::SIMILAR,
        Likeness::Different => DIFFERENT,
    }
}

fn family_level(a: Sym, b: Sym, terms: &Terms) -> u8 {
    if let Some(agrees) = is_initial_of(a, b, terms) {
        return if agrees { family::INITIAL } else { DIFFERENT };
    }
    match likeness(a, b, terms) {
        Likeness::Same => family::EXACT,
        _ if shares_word(a, b, terms) => family::PART,
        Likeness::Near => family::NEAR,
        Likeness::Similar => family::SIMILAR,
        Likeness::Different => DIFFERENT,
    }
}

fn birth_dates(a: &Record<'_>, b: &Record<'_>, found: &mut Agreement<'_>) {
    let (Some((value, x)), Some((_, y))) = (&a.birth, &b.birth) else { return };
    match x.agreement(y) {
        None => {}
        Some(BirthAgreement::Exact) => found.exact(Field::Birth, birth::EXACT, *value),
        Some(BirthAgreement::Typo) => found.set(Field::Birth, birth::TYPO),
        Some(BirthAgreement::Partial) => found.set(Field::Birth, birth::PARTIAL),
        Some(BirthAgreement::YearAndPart) => found.set(Field::Birth, birth::YEAR_AND_PART),
        Some(BirthAgreement::Year) => found.set(Field::Birth, birth::YEAR),
        Some(BirthAgreement::MonthDay) => found.set(Field::Birth, birth::MONTH_DAY),
        Some(BirthAgreement::Different) => found.set(Field::Birth, DIFFERENT),
    }
}

fn conflict(a: &Record<'_>, b: &Record<'_>, terms: &Terms, levels: &Levels) -> Option<Conflict> {
    let level = |field: Field| levels[field as usize];
    if matches!((a.suffix, b.suffix), (Some(x), Some(y)) if x != y) {
        return Some(Conflict::Suffix);
    }
    if level(Field::Identifier) >= levels::identifier::NEAR {
        return None;
    }
    if level(Field::Birth) == DIFFERENT
        && matches!((a.birth, b.birth), (Some((_, x)), Some((_, y))) if x.generation_apart(&y))
    {
        return Some(Conflict::Generation);
    }
    let full = |name: Option<Sym>| name.is_some_and(|n| terms.text(n).len() > 2);
    let crossed =
        |x: Option<Sym>, y: Option<Sym>| x.zip(y).is_some_and(|(x, y)| likeness(x, y, terms) > Likeness::Different);
    let twins = level(Field::Given) == DIFFERENT
        && level(Field::Birth) >= birth::TYPO
        && full(a.given)
        && full(b.given)
        && !crossed(a.given, b.family)
        && !crossed(a.family, b.given);
    twins.then_some(Conflict::Twins)
}
