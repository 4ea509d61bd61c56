use std::borrow::Cow;
use std::ops::Range;

use serde::Serialize;
use unicode_normalization::char::is_combining_mark;

use crate::store::{MAX_WORDS, fold};

/// The words of a query in the form in which they are compared ([`fold`]); the first 32 count.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Words {
    /// All of them, with a space between.
    text: String,
    /// Each once.
    #[serde(skip)]
    pub(super) each: Vec<String>,
}

impl Words {
    /// The words of `query`.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::pim::search::Words;
    ///
    /// assert_eq!(Words::of("\"Zoë\" AND anna*").text(), "zoe and anna");
    /// assert!(Words::of("-- !!").is_empty());
    /// ```
    #[must_use]
    pub fn of(query: &str) -> Self {
        let folded = fold(query);
        let words: Vec<&str> = folded.split_whitespace().take(MAX_WORDS).collect();
        let mut each: Vec<String> = Vec::new();
        for word in &words {
            if !each.iter().any(|known| known == word) {
                each.push((*word).to_owned());
            }
        }
        Self { text: words.join(" "), each }
    }

    /// Whether there are none, so that nothing can match.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// The words with a space between them, for [`ListQuery::text`](crate::store::ListQuery::text).
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Tells `found` of each word that the folded `text` matches, and whether as a whole.
    pub(super) fn matches(&self, text: &str, mut found: impl FnMut(usize, bool)) {
        for (n, word) in self.each.iter().enumerate() {
            let mut parts = text.split(' ').filter(|part| part.starts_with(word.as_str()));
            if let Some(part) = parts.next() {
                found(n, part == word || parts.any(|part| part == word));
            }
        }
    }
}

/// The words of a text, each with where it stands and in its folded form.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = (Range<usize>, Cow<'_, str>)> {
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
    use super::*;

    #[test]
    fn hostile_queries_are_words_or_nothing() {
        for query in
            ["\"", "' OR 1=1 --", "a\0b", "NEAR(", "🎉", "*", &"x ".repeat(5_000), &"ab".repeat(5_000), "a:b -c"]
        {
            let words = Words::of(query);
            assert!(words.each.len() <= MAX_WORDS && !words.text().contains(['\0', '"', '\'', '*']), "{query}");
        }
        let many: Vec<String> = (0..100).map(|n| format!("w{n}")).collect();
        assert_eq!(Words::of(&many.join(" ")).each.len(), MAX_WORDS);
        let again = Words::of("new new york");
        assert_eq!((again.text(), again.each.len()), ("new new york", 2));
    }
}
