//! What makes one match of a search better than another, and what of a text to show of it.
//!
//! A store finds what has all words of a query, each as the beginning of a word; these are functions of texts, so
//! that every store shows the same in the same order.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;

use crate::store::fold;

/// How many words of a query count.
const MAX_WORDS: usize = 32;
/// How many characters of a text are shown, and how far apart the matches among them lie at most.
const SHOWN: usize = 200;
const WINDOW: usize = 160;
/// How far a cut is moved to fall between words.
const SLACK: usize = 20;

/// The words of a query in the form in which they are compared ([`fold`]), each once; the first 32 count.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Words(Vec<String>);

impl Words {
    /// The words of `query`.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::pim::search::Words;
    ///
    /// assert_eq!(Words::of("\"Zoë\" AND zoe*").text(), "zoe and");
    /// assert!(Words::of("-- !!").is_empty());
    /// ```
    #[must_use]
    pub fn of(query: &str) -> Self {
        let mut words: Vec<String> = Vec::new();
        for word in fold(query).split_whitespace() {
            if words.len() < MAX_WORDS && !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        Self(words)
    }

    /// Whether there are none, so that nothing can match.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words with a space between them, for [`ListQuery::text`](crate::store::ListQuery::text).
    #[must_use]
    pub fn text(&self) -> String {
        self.0.join(" ")
    }
}

/// How well a text matches: greater is better.
///
/// A word in the title counts for more than one in a heading, and that for more than one in the body; a whole word
/// counts for more than its beginning, and in the body several places and early ones for a little more. A title that
/// begins with the query, or is the query, goes before all that.
///
/// # Examples
///
/// ```
/// use worktruck_core::pim::search::{Words, rank};
///
/// let words = Words::of("plan");
/// let in_title = rank(&words, "The plan", &[], "");
/// let in_heading = rank(&words, "Notes", &["Plan"], "# Plan");
/// let in_body = rank(&words, "Notes", &[], "a plan, the plan, any plan");
/// assert!(in_title > in_heading && in_heading > in_body && in_body > 0);
/// ```
#[must_use]
pub fn rank(words: &Words, title: &str, headings: &[&str], body: &str) -> u64 {
    let mut scores = vec![Score::default(); words.0.len()];
    for (_, word) in tokens(title) {
        words.matches(&word, |n, is_whole| scores[n].best(if is_whole { 10_000 } else { 6_000 }));
    }
    for (_, word) in headings.iter().flat_map(|heading| tokens(heading)) {
        words.matches(&word, |n, is_whole| scores[n].best(if is_whole { 1_000 } else { 600 }));
    }
    let length = body.len().max(1);
    for (range, word) in tokens(body) {
        words.matches(&word, |n, is_whole| {
            scores[n].best(if is_whole { 100 } else { 60 });
            scores[n].places = scores[n].places.saturating_add(1);
            let early = u64::try_from(20 - 20 * range.start / length).unwrap_or(0);
            scores[n].early = scores[n].early.max(early);
        });
    }
    let (name, query) = (fold(title), words.text());
    let whole = match name.strip_prefix(&query) {
        _ if query.is_empty() => 0,
        Some("") => 1_000_000,
        Some(_) => 500_000,
        None => 0,
    };
    whole + scores.iter().map(|score| score.best + 3 * score.places.min(10) + score.early).sum::<u64>()
}

#[derive(Clone, Copy, Default)]
struct Score {
    best: u64,
    places: u64,
    early: u64,
}

impl Score {
    fn best(&mut self, points: u64) {
        self.best = self.best.max(points);
    }
}

/// A part of a text that shows why it was found.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Snippet {
    /// The part as it is, Markdown and line breaks too, with `…` where it is cut.
    pub text: String,
    /// The words in it that match, in order.
    pub matches: Vec<Match>,
}

/// A stretch of a snippet, in characters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
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
    let found = places(text, words);
    let (first, last) = best_window(&found, words.0.len());
    let window = &found[first..last];
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
    let matches = inside.map(|place| Match { from: place.from - from + shift, to: place.to.min(to) - from + shift });
    Snippet { text: shown, matches: matches.collect() }
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

/// The stretch of matches that is shown.
fn best_window(found: &[Place], words: usize) -> (usize, usize) {
    let mut counts = vec![0_usize; words];
    let (mut first, mut distinct) = (0, 0);
    let (mut best, mut window) = ((0, 0), (0, 0));
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
            (best, window) = (value, (first, last + 1));
        }
    }
    window
}

/// The line of `text` that has the byte `at`, or the part of it around that.
pub(super) fn around(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let (before, after) = (&text[start..at], &text[at..end]);
    let from = before.char_indices().rev().nth(SHOWN / 2 - 1).map_or(0, |(from, _)| from);
    let to = after.char_indices().nth(SHOWN / 2).map_or(after.len(), |(to, _)| to);
    text[start + from..at + to].trim()
}

impl Words {
    /// Tells `found` of each word that the folded `text` matches, and whether as a whole.
    fn matches(&self, text: &str, mut found: impl FnMut(usize, bool)) {
        for (n, word) in self.0.iter().enumerate() {
            let mut parts = text.split(' ').filter(|part| part.starts_with(word.as_str()));
            if let Some(part) = parts.next() {
                found(n, part == word || parts.any(|part| part == word));
            }
        }
    }
}

/// The words of a text, each with where it stands and in its folded form.
fn tokens(text: &str) -> impl Iterator<Item = (Range<usize>, Cow<'_, str>)> {
    let is_part = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_part)?;
        let end = text[start..].find(|c| !is_part(c)).map_or(text.len(), |length| start + length);
        at = end;
        let word = &text[start..end];
        let is_plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        Some((start..end, if is_plain { Cow::Borrowed(word) } else { Cow::Owned(fold(word)) }))
    })
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
    fn better_matches_rank_higher() {
        let rank_of =
            |query: &str, title: &str, headings: &[&str], body: &str| rank(&Words::of(query), title, headings, body);
        let descending = [
            rank_of("road map", "Road Map", &[], ""),
            rank_of("road map", "Road map of 2026", &[], ""),
            rank_of("road map", "The map of the road", &[], ""),
            rank_of("road map", "The mapping of the road", &[], ""),
            rank_of("road map", "The road", &["Map"], ""),
            rank_of("road map", "The road", &[], "map"),
            rank_of("road map", "x", &["Road", "Map"], ""),
            rank_of("road map", "x", &["Road"], "map"),
            rank_of("road map", "x", &[], "road map road map"),
            rank_of("road map", "x", &[], "road map"),
            rank_of("road map", "x", &[], "and so on and so on road map"),
            rank_of("road map", "x", &[], "roads maps"),
            rank_of("road map", "x", &[], "x"),
        ];
        assert!(descending.is_sorted_by(|one, other| one > other), "{descending:?}");
        assert_eq!(descending[12], 0);
        assert_eq!(rank_of("", "x", &["x"], "x"), 0);
    }

    #[test]
    fn hostile_queries_are_words_or_nothing() {
        for query in
            ["\"", "' OR 1=1 --", "a\0b", "NEAR(", "🎉", "*", &"x ".repeat(5_000), &"ab".repeat(5_000), "a:b -c"]
        {
            let words = Words::of(query);
            assert!(words.0.len() <= MAX_WORDS && !words.text().contains(['\0', '"', '\'', '*']), "{query}");
        }
        let many: Vec<String> = (0..100).map(|n| format!("w{n}")).collect();
        assert_eq!(Words::of(&many.join(" ")).0.len(), MAX_WORDS);
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
            let _ = rank(&words, &text, &[], &text);
        }
    }
}
