//! Text as it is compared: folded to lower-case ASCII, sounds, short packed prefixes.

/// `text` in lower-case ASCII letters and digits, words parted by single spaces.
///
/// Scripts are romanised, accents and compatibility forms dropped; apostrophes vanish (`O'Brien`
/// becomes `obrien`) and every other sign parts words.
pub(crate) fn fold(text: &str) -> String {
    let ascii = if text.is_ascii() { text.to_owned() } else { deunicode::deunicode(text) };
    let mut folded = String::with_capacity(ascii.len());
    for c in ascii.chars() {
        if c.is_ascii_alphanumeric() {
            folded.push(c.to_ascii_lowercase());
        } else if !matches!(c, '\'' | '`' | '"') && !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// `text` folded and without any space; for numbers and codes.
pub(crate) fn fold_tight(text: &str) -> String {
    let mut folded = fold(text);
    folded.retain(|c| c != ' ');
    folded
}

/// The letters and digits that occur in folded text, one bit each.
pub(crate) fn letters(folded: &str) -> u64 {
    folded.bytes().filter_map(code).fold(0, |mask, n| mask | (1 << n))
}

/// The first `n` signs of folded text as one number below 2²⁹ (five signs at most).
pub(crate) fn prefix(folded: &str, n: usize) -> u32 {
    pack(folded.bytes().filter(|b| *b != b' ').take(n.min(5)))
}

/// The last `n` signs of folded text, from the end, as one number below 2²⁹ (five signs at most).
pub(crate) fn suffix(folded: &str, n: usize) -> u32 {
    pack(folded.bytes().rev().filter(|b| *b != b' ').take(n.min(5)))
}

/// How folded text sounds, roughly and language-neutrally, as one number below 2²⁹.
///
/// Letters of one place of articulation fall together, vowels are dropped after the first sign,
/// repeated sounds are one, and four sounds are kept.
pub(crate) fn sound(folded: &str) -> u32 {
    let mut kept = [0_u8; 4];
    let mut n = 0;
    let mut last = 0;
    let mut bytes = folded.bytes().filter(u8::is_ascii_alphanumeric).peekable();
    while let Some(byte) = bytes.next() {
        let next = bytes.peek().copied();
        let class = match byte {
            b'a' | b'e' | b'i' | b'o' | b'u' | b'y' => b'a',
            b'h' | b'w' => {
                if n == 0 {
                    b'h'
                } else {
                    continue;
                }
            }
            b'p' if next == Some(b'h') => b'f',
            b'b' | b'p' => b'p',
            b'f' | b'v' => b'f',
            b'c' if matches!(next, Some(b'e' | b'i' | b'y' | b'h')) => b's',
            b'c' | b'g' | b'k' | b'q' | b'x' | b'j' => b'k',
            b's' | b'z' => b's',
            b'd' | b't' => b't',
            b'm' | b'n' => b'n',
            other => other,
        };
        let repeated = class == last;
        last = class;
        if repeated || (class == b'a' && n > 0) {
            continue;
        }
        kept[n] = class;
        n += 1;
        if n == kept.len() {
            break;
        }
    }
    pack(kept.into_iter().take(n))
}

fn pack(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0, |packed, byte| packed * 37 + code(byte).map_or(0, |n| u32::from(n) + 1))
}

fn code(byte: u8) -> Option<u8> {
    match byte {
        b'a'..=b'z' => Some(byte - b'a'),
        b'0'..=b'9' => Some(byte - b'0' + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_drops_case_accents_and_signs() {
        assert_eq!(fold("  Seán  O’Brien-LÓPEZ, "), "sean obrien lopez");
        assert_eq!(fold("Ｍüller"), "muller");
        assert_eq!(fold("!!"), "");
        assert_eq!(fold_tight("AB-12 34"), "ab1234");
    }

    #[test]
    fn names_that_sound_alike_share_a_sound() {
        for (a, b) in [("stephen", "stefan"), ("meyer", "maier"), ("katherine", "catrin"), ("smith", "smyth")] {
            assert_eq!(sound(a), sound(b), "{a} and {b}");
        }
        assert_ne!(sound("smith"), sound("jones"));
        assert_eq!(sound(""), 0);
    }

    #[test]
    fn prefixes_differ_by_length_and_fit_in_29_bits() {
        assert_ne!(prefix("ab", 3), prefix("abc", 3));
        assert_eq!(prefix("a bc", 3), prefix("abcd", 3));
        assert_eq!(suffix("xyz", 2), suffix("ayz", 2));
        assert!(prefix("99999", 5) < 1 << 29);
    }
}
