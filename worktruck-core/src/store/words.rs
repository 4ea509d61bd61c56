//! What counts as a word of a text, so that every backend finds the same entities.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fold;

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
    }
}
