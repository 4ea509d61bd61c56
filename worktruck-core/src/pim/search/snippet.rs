use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::entity::Texts;

use super::Words;
use super::words::tokens;

/// How many characters of a text are shown, and how far apart the matches among them lie at most.
const SHOWN: usize = 200;
const WINDOW: usize = 160;
/// How far a cut is moved to fall between words.
const SLACK: usize = 20;

/// A part of a text that shows why it was found.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snippet {
    /// The part as it is, Markdown and line breaks too, with `…` where it is cut.
    pub text: String,
    /// The words in it that match, in order.
    pub matches: Vec<Match>,
}

/// A stretch of a snippet, in characters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Match {
    /// The first character.
    pub from: usize,
    /// The first character behind it.
    pub to: usize,
}

/// The part of `text` that has most of `words`, and then most often, and then first; its beginning if it has none.
///
/// # Examples
///
/// ```
/// use worktruck_core::pim::search::{Words, snippet};
///
/// let found = snippet("Über den **Fluß** hinaus", &Words::of("flu"));
/// assert_eq!(found.text, "Über den **Fluß** hinaus");
/// assert_eq!((found.matches[0].from, found.matches[0].to), (11, 15));
/// ```
#[must_use]
pub fn snippet(text: &str, words: &Words) -> Snippet {
    Matched::of(text, words).snippet()
}

/// The part of the texts behind the title that has most of `words`. A heading is shown only for a word that the title
/// has not, and the beginning of the body if there is nothing else.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::Texts;
/// use worktruck_core::pim::search::{Words, best_snippet};
///
/// let texts = Texts::titled("Ada Byron").heading(["Ada", "ada@example.org"]).body(["Wrote programs"]);
/// let shown = |query| best_snippet(&texts, &Words::of(query)).text;
/// assert_eq!((&*shown("ada example"), &*shown("ada")), ("ada@example.org", "Wrote programs"));
/// ```
#[must_use]
pub fn best_snippet(texts: &Texts<'_>, words: &Words) -> Snippet {
    let title = places(texts.title, words);
    let is_new = |place: &Place| title.iter().all(|known| known.word != place.word);
    let body = texts.body.iter().map(|text| Matched::of(text.trim_start(), words));
    let headings = texts.headings.iter().map(|text| Matched::of(text, words));
    let mut best: Option<Matched<'_>> = None;
    for matched in body.chain(headings.filter(|heading| heading.places.iter().any(is_new))) {
        if best.as_ref().is_none_or(|best| matched.worth > best.worth) {
            best = Some(matched);
        }
    }
    best.map(|best| best.snippet()).unwrap_or_default()
}

/// A text with the words in it that match.
struct Matched<'a> {
    text: &'a str,
    places: Vec<Place>,
    /// The stretch of places that is shown.
    window: Range<usize>,
    /// How many words match within it, and how often.
    worth: (usize, usize),
}

impl<'a> Matched<'a> {
    fn of(text: &'a str, words: &Words) -> Self {
        let places = places(text, words);
        let (worth, window) = best_window(&places, words.each.len());
        Self { text, places, window, worth }
    }

    fn snippet(&self) -> Snippet {
        let (text, found) = (self.text, &self.places);
        let window = &found[self.window.clone()];
        let length = text.chars().count();
        let start = window.first().map_or(0, |place| place.chars.from);
        let end = window.last().map_or(0, |place| place.chars.to).min(start + SHOWN);
        let mut from = start.saturating_sub((SHOWN - (end - start)) / 2);
        let to = (from + SHOWN).min(length);
        from = from.min(to.saturating_sub(SHOWN));
        let chars: Vec<char> = text.chars().skip(from).take(to - from).collect();
        let head = if from == 0 { 0 } else { cut(chars[..start - from].iter().take(SLACK)) };
        let tail = if to == length { 0 } else { cut(chars[end - from..].iter().rev().take(SLACK)) };
        let (from, to) = (from + head, to - tail);
        let mut shown = String::new();
        if from > 0 {
            shown.push('…');
        }
        shown.extend(&chars[head..chars.len() - tail]);
        if to < length {
            shown.push('…');
        }
        let shift = usize::from(from > 0);
        let inside = found.iter().map(|place| place.chars).filter(|place| from <= place.from && place.from < to);
        let matches =
            inside.map(|place| Match { from: place.from - from + shift, to: place.to.min(to) - from + shift });
        Snippet { text: shown, matches: matches.collect() }
    }
}

/// How many characters to leave out so that a cut falls behind white space; none if there is none near.
fn cut<'a>(chars: impl Iterator<Item = &'a char>) -> usize {
    chars.enumerate().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, _)| at + 1)
}

/// A word of a text that matches.
struct Place {
    chars: Match,
    /// The number of a word that it matches.
    word: usize,
}

fn places(text: &str, words: &Words) -> Vec<Place> {
    let mut found = Vec::new();
    let (mut bytes, mut chars) = (0, 0);
    for (range, word) in tokens(text) {
        let mut matched = None;
        words.matches(&word, |n, _| matched = matched.or(Some(n)));
        if let Some(word) = matched {
            chars += text[bytes..range.start].chars().count();
            let to = chars + text[range.clone()].chars().count();
            found.push(Place { chars: Match { from: chars, to }, word });
            (bytes, chars) = (range.end, to);
        }
    }
    found
}

/// What the best stretch of matches is worth, and which one it is.
fn best_window(found: &[Place], words: usize) -> ((usize, usize), Range<usize>) {
    let mut counts = vec![0_usize; words];
    let (mut first, mut distinct) = (0, 0);
    let (mut best, mut window) = ((0, 0), 0..0);
    for (last, place) in found.iter().enumerate() {
        counts[place.word] += 1;
        distinct += usize::from(counts[place.word] == 1);
        while first < last && place.chars.to - found[first].chars.from > WINDOW {
            counts[found[first].word] -= 1;
            distinct -= usize::from(counts[found[first].word] == 0);
            first += 1;
        }
        let value = (distinct, last + 1 - first);
        if value > best {
            (best, window) = (value, first..last + 1);
        }
    }
    (best, window)
}

/// The line of `text` that has the byte `at`, or the part of it around that.
pub(in crate::pim) fn around(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let (before, after) = (&text[start..at], &text[at..end]);
    let from = before.char_indices().rev().nth(SHOWN / 2 - 1).map_or(0, |(from, _)| from);
    let to = after.char_indices().nth(SHOWN / 2).map_or(after.len(), |(to, _)| to);
    text[start + from..at + to].trim()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The snippet with its matches in brackets.
    fn marked(text: &str, query: &str) -> String {
        let Snippet { text, matches } = snippet(text, &Words::of(query));
        let mut marked = String::new();
        for (at, c) in text.chars().enumerate() {
            marked.extend(matches.iter().filter(|place| place.from == at).map(|_| '['));
            marked.push(c);
            marked.extend(matches.iter().filter(|place| place.to == at + 1).map(|_| ']'));
        }
        marked
    }

    #[test]
    fn matches_are_marked_in_the_text_as_it_is() {
        for (text, query, expected) in [
            ("one two three", "two", "one [two] three"),
            ("one two three", "t", "one [two] [three]"),
            ("# Pläne\n- [[Plan]]", "plan", "# [Pläne]\n- [[[Plan]]]"),
            ("Stra\u{df}e, STRASSE", "strasse", "[Stra\u{df}e], [STRASSE]"),
            ("e\u{301}te\u{301} 漢字", "ete 漢", "[e\u{301}te\u{301}] [漢字]"),
            ("don't", "t", "don'[t]"),
            ("nothing", "x", "nothing"),
            ("", "x", ""),
            ("text", "", "text"),
            ("½ cup", "2", "[½] cup"),
        ] {
            assert_eq!(marked(text, query), expected, "{text}");
        }
    }

    #[test]
    fn the_part_with_most_words_is_shown() {
        let filler = "lorem ipsum dolor sit amet ".repeat(20);
        let text = format!("alpha {filler}alpha beta {filler}beta {filler}");
        let shown = marked(&text, "alpha beta");
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains("[alpha] [beta]"), "{shown}");
        assert!(shown.chars().count() <= SHOWN + 2 + 4, "{shown}");
        assert!(marked(&text, "alpha").starts_with("[alpha] lorem"), "the first of equals");
        let none = marked(&filler, "x");
        assert!(none.starts_with("lorem") && none.ends_with("…"), "{none}");
        assert!(marked(&format!("{filler}end"), "end").ends_with(" [end]"));
        let long = format!("{filler}{}", "x".repeat(500));
        assert_eq!(snippet(&long, &Words::of("x")).matches.len(), 1);
    }

    #[test]
    fn the_line_around_a_place_is_cut_when_long() {
        assert_eq!(around("one\n  two three\nfour", 8), "two three");
        let long = "é".repeat(300);
        assert_eq!(around(&long, 300).chars().count(), SHOWN);
        assert_eq!(around("x", 1), "x");
        assert_eq!(around("", 0), "");
    }

    proptest! {
        #[test]
        fn matches_lie_in_the_snippet(text in "[ab é\u{301}½\n漢🎉]{0,400}", query in "[ab e2漢]{0,6}") {
            let words = Words::of(&query);
            let found = snippet(&text, &words);
            let chars: Vec<char> = found.text.chars().collect();
            prop_assert!(chars.len() <= SHOWN + 2);
            for place in &found.matches {
                prop_assert!(place.from < place.to && place.to <= chars.len());
            }
            prop_assert!(found.matches.is_sorted_by(|one, other| one.to <= other.from));
            let trimmed: &str = found.text.trim_matches('…');
            prop_assert!(text.contains(trimmed));
        }
    }
}
