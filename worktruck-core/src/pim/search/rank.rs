use crate::entity::Texts;
use crate::store::fold;

use super::Words;
use super::words::tokens;

/// How many bytes of a body count for its rank.
const RANKED: usize = 64 << 10;

/// How well an entity with these texts matches: greater is better.
///
/// A word in the title counts for more than one in a heading, and that for more than one in the body; a whole word
/// counts for more than its beginning, and in the first 64 KiB of the body several places and early ones for a little
/// more. A title that begins with the query, or is the query, goes before all that.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::Texts;
/// use worktruck_core::pim::search::{Words, rank};
///
/// let words = Words::of("plan");
/// let in_title = rank(&words, &Texts::titled("The plan"));
/// let in_heading = rank(&words, &Texts::titled("Notes").heading(["Plan"]).body(["# Plan"]));
/// let in_body = rank(&words, &Texts::titled("Notes").body(["a plan, the plan, any plan"]));
/// assert!(in_title > in_heading && in_heading > in_body && in_body > 0);
/// ```
#[must_use]
pub fn rank(words: &Words, texts: &Texts<'_>) -> u64 {
    let mut scores = vec![Score::default(); words.each.len()];
    for (_, word) in tokens(texts.title) {
        words.matches(&word, |n, is_whole| scores[n].best(if is_whole { 10_000 } else { 6_000 }));
    }
    for (_, word) in texts.headings.iter().flat_map(|heading| tokens(heading)) {
        words.matches(&word, |n, is_whole| scores[n].best(if is_whole { 1_000 } else { 600 }));
    }
    let length = texts.body.iter().map(|text| text.len()).sum::<usize>().clamp(1, RANKED);
    let mut before = 0;
    for text in &texts.body {
        let part = &text[..text.floor_char_boundary(RANKED - before)];
        for (range, word) in tokens(part) {
            words.matches(&word, |n, is_whole| {
                scores[n].best(if is_whole { 100 } else { 60 });
                scores[n].places = scores[n].places.saturating_add(1);
                let early = u64::try_from(20 - 20 * (before + range.start) / length).unwrap_or(0);
                scores[n].early = scores[n].early.max(early);
            });
        }
        before += part.len();
    }
    of_whole_title(words, texts.title)
        + scores.iter().map(|score| score.best + 3 * score.places.min(10) + score.early).sum::<u64>()
}

/// What it is worth that a title is the query, or begins with it.
fn of_whole_title(words: &Words, title: &str) -> u64 {
    match fold(title).strip_prefix(words.text()) {
        _ if words.is_empty() => 0,
        Some("") => 1_000_000,
        Some(_) => 500_000,
        None => 0,
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn better_matches_rank_higher() {
        let rank_of = |query: &str, title: &str, headings: &[&str], body: &[&str]| {
            let texts = Texts { title, headings: headings.to_vec(), body: body.to_vec() };
            rank(&Words::of(query), &texts)
        };
        let long = "é ".repeat(40_000);
        let descending = [
            rank_of("road map", "Road Map", &[], &[]),
            rank_of("road map", "Road map of 2026", &[], &[]),
            rank_of("road map", "The map of the road", &[], &[]),
            rank_of("road map", "The mapping of the road", &[], &[]),
            rank_of("road map", "The road", &["Map"], &[]),
            rank_of("road map", "The road", &[], &["map"]),
            rank_of("road map", "x", &["Road", "Map"], &[]),
            rank_of("road map", "x", &["Road"], &["map"]),
            rank_of("road map", "x", &[], &["road map road map"]),
            rank_of("road map", "x", &[], &["road map"]),
            rank_of("road map", "x", &[], &["and so on and so on", "road map"]),
            rank_of("road map", "x", &[], &["roads maps"]),
            rank_of("road map", "x", &[], &[&long, "road map"]),
        ];
        assert!(descending.is_sorted_by(|one, other| one > other), "{descending:?}");
        assert_eq!(descending[12], 0, "what stands too far behind counts for nothing");
        assert_eq!(rank_of("", "x", &["x"], &["x"]), 0);
    }

    proptest! {
        #[test]
        fn every_text_has_a_rank(
            title in "[ab é\u{301}½漢🎉]{0,20}",
            body in prop::collection::vec("[ab e2漢🎉\n]{0,200}", 0..4),
            query in "[ab e2漢]{0,6}",
        ) {
            let words = Words::of(&query);
            let texts = Texts::titled(&title).body(body.iter().map(String::as_str));
            let has = |text: &str| words.each.iter().any(|word| fold(text).split(' ').any(|own| own.starts_with(word)));
            prop_assert_eq!(rank(&words, &texts) > 0, has(&texts.joined()));
        }
    }
}
