//! What notes are called, in the form in which names are compared.

use unicode_normalization::UnicodeNormalization as _;

use crate::Digest;

/// The form in which titles are compared, as a digest of fixed length.
///
/// Case, compatibility forms (Unicode NFKC) and the width of white space do not matter; accents and punctuation
/// do, so that C++ and C are two titles.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::note::title_key;
///
/// assert_eq!(title_key(" Road\tMap "), title_key("road map"));
/// assert_ne!(title_key("C++"), title_key("C"));
/// ```
#[must_use]
pub fn title_key(title: &str) -> String {
    let folded: String = title.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    let words: Vec<&str> = folded.split_whitespace().collect();
    Digest::of_bytes(words.join(" ").as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_compared_without_case_and_forms() {
        for (one, other, is_same) in [
            ("Plan", "plan", true),
            ("ＰＬＡＮ", "plan", true),
            ("Ünï", "U\u{308}ni\u{308}", true),
            ("STRASSE ẞ", "strasse ß", true),
            ("a  b", " A\u{a0}b\n", true),
            ("résumé", "resume", false),
            ("🎉", "🚀", false),
            ("a-b", "a b", false),
        ] {
            assert_eq!(title_key(one) == title_key(other), is_same, "{one} {other}");
        }
    }
}
