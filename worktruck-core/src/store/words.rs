//! What counts as a word of a text, so that every backend finds the same entities.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::entity::Index;

/// How many words of a query count, and of a title.
pub const MAX_WORDS: usize = 32;

/// What leads every word of a title where all of them are put together, and what follows the last one there and
/// leads every later word where it stands by itself. Folding leaves neither in any text.
const FIRST: char = 'þ';
const OTHER: char = 'ð';

/// The words of `text` in the form in which they are compared, one space between them.
///
/// A word is a run of letters and digits. Case, accents and compatibility forms (ligatures, full
/// width) are folded away by decomposition (Unicode NFKD); Latin letters without one, such as
/// `ø`, `ł` and `ß`, become what people type for them. Folding what is folded changes nothing, so
/// a backend can index the folded text with any tokenizer that splits at spaces.
///
/// # Examples
///
/// ```
/// use worktruck_core::store::fold;
///
/// assert_eq!(fold("  Zoë Ångström-Łuczak, groß!"), "zoe angstrom luczak gross");
/// ```
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut in_word = false;
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        if is_combining_mark(c) {
            continue;
        }
        if !c.is_alphanumeric() {
            in_word = false;
            continue;
        }
        if !in_word && !folded.is_empty() {
            folded.push(' ');
        }
        in_word = true;
        match plain(c) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(c),
        }
    }
    folded
}

/// The plain spelling of Latin letters that Unicode does not decompose.
const fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ł' => "l",
        'ŋ' => "n",
        'ŧ' => "t",
        'þ' => "th",
        'ß' => "ss",
        _ => return None,
    })
}

/// The words that an entity which is indexed so is searched by, folded and with a space between them: those of its
/// title in the forms that [`Titled`] asks for, then all of its text.
#[must_use]
pub fn searched(index: &Index) -> String {
    let title = fold(&index.title);
    let title: Vec<&str> = title.split_whitespace().take(MAX_WORDS).collect();
    let mut words = String::new();
    if !title.is_empty() {
        words = format!("{}{OTHER} ", beginning(&title));
        words.extend(title.iter().skip(1).map(|word| format!("{OTHER}{word} ")));
    }
    words.push_str(&fold(&index.text));
    words
}

/// What is asked of the title of what a list shows: of the words of a text, of which the first 32 count, as they are
/// [folded](fold).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Titled {
    /// The title has these words and no others.
    As(String),
    /// It begins with them; the last may go on.
    Beginning(String),
    /// It has all of them, each as the beginning of a word.
    WithAll(String),
    /// It has at least one of them, as the beginning of a word.
    WithSome(String),
}

impl Titled {
    /// The sets of words of which an entity must have one each, as the beginning of one of its
    /// [words](searched); none if nothing is asked for.
    pub(super) fn sets(&self) -> Vec<Vec<String>> {
        let (Self::As(text) | Self::Beginning(text) | Self::WithAll(text) | Self::WithSome(text)) = self;
        let folded = fold(text);
        let words: Vec<&str> = folded.split_whitespace().take(MAX_WORDS).collect();
        if words.is_empty() {
            return Vec::new();
        }
        let anywhere = |word: &&str| [format!("{FIRST}{word}"), format!("{OTHER}{word}")];
        match self {
            Self::As(_) => vec![vec![format!("{}{OTHER}", beginning(&words))]],
            Self::Beginning(_) => vec![vec![beginning(&words)]],
            Self::WithAll(_) => words.iter().map(|word| anywhere(word).to_vec()).collect(),
            Self::WithSome(_) => vec![words.iter().flat_map(anywhere).collect()],
        }
    }
}

fn beginning(words: &[&str]) -> String {
    words.iter().flat_map(|word| [FIRST.to_string(), (*word).to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_accents_and_forms_do_not_matter() {
        for (text, folded) in [
            ("", ""),
            ("...", ""),
            ("José  MÜLLER", "jose muller"),
            ("O'Brien", "o brien"),
            ("ann@Example.com", "ann example com"),
            ("İstanbul ISPARTA ırmak", "istanbul isparta irmak"),
            ("Ｆｕｌｌ ﬁne", "full fine"),
            ("STRAẞE Þór Œuvre Đặng", "strasse thor oeuvre dang"),
            ("+1 415-555", "1 415 555"),
            ("Αθήνα Ёлка", "αθηνα елка"),
            ("a\u{301}b", "ab"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in ".{0,40}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn folding_leaves_no_mark_of_titles(text in "[þðÞÐ\\PC]{0,20}") {
            prop_assert!(!fold(&text).contains([FIRST, OTHER]));
        }
    }

    #[test]
    fn titles_are_told_from_other_texts() {
        let index = |title: &str| Index { title: title.to_owned(), text: format!("{title}\nroad"), ..Index::default() };
        assert_eq!(searched(&index("Road Mäp!")), "þroadþmapð ðmap road map road");
        assert_eq!(searched(&Index { text: "Road".to_owned(), ..Index::default() }), "road");
        let is_so = |asked: &Titled, title: &str| {
            let words = searched(&index(title));
            let has = |word: &String| words.split(' ').any(|own| own.starts_with(word));
            asked.sets().iter().all(|set| set.iter().any(has))
        };
        let (road_map, empty) = (|| "ROAD map".to_owned(), || "!".to_owned());
        for (asked, fitting) in [
            (Titled::As(road_map()), &["road map"][..]),
            (Titled::Beginning(road_map()), &["road map", "road maps", "road map two"]),
            (Titled::WithAll(road_map()), &["road map", "road maps", "road map two", "map road"]),
            (Titled::WithSome(road_map()), &["road map", "road maps", "road map two", "map road", "a map"]),
            (Titled::As(empty()), &["road map", "road maps", "road map two", "map road", "a map", "other"]),
        ] {
            let titles = ["road map", "road maps", "road map two", "map road", "a map", "other"];
            let found: Vec<_> = titles.into_iter().filter(|title| is_so(&asked, title)).collect();
            assert_eq!(found, fitting, "{asked:?}");
        }
        let long = "w ".repeat(50);
        assert!(is_so(&Titled::As(long.clone()), &long));
    }
}
