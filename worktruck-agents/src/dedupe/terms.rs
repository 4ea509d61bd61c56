//! Every distinct value once: what is derived from it is derived once too.

use std::collections::HashMap;

use super::fold::{letters, sound};
use super::nicknames;

/// Names a distinct folded value.
pub(crate) type Sym = u32;

/// A distinct folded value and what comparing it needs.
#[derive(Debug)]
pub(crate) struct Term {
    /// The folded text.
    pub(crate) text: String,
    /// Which letters and digits occur in it.
    pub(crate) letters: u64,
    /// How it sounds.
    pub(crate) sound: u32,
    /// Its words, where it has several.
    pub(crate) words: Vec<Sym>,
    /// The groups of given names that it is a form of.
    pub(crate) groups: &'static [u16],
}

/// The distinct values of a list of records.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    index: HashMap<String, Sym>,
    terms: Vec<Term>,
}

impl Terms {
    /// The name of `folded`, which is none when it is empty.
    pub(crate) fn intern(&mut self, folded: &str) -> Option<Sym> {
        if folded.is_empty() {
            return None;
        }
        if let Some(sym) = self.index.get(folded) {
            return Some(*sym);
        }
        let words =
            if folded.contains(' ') { folded.split(' ').filter_map(|w| self.intern(w)).collect() } else { vec![] };
        let sym = Sym::try_from(self.terms.len()).ok()?;
        self.terms.push(Term {
            text: folded.to_owned(),
            letters: letters(folded),
            sound: sound(folded),
            words,
            groups: nicknames::groups(folded),
        });
        self.index.insert(folded.to_owned(), sym);
        Some(sym)
    }

    /// The value named `sym`.
    pub(crate) fn term(&self, sym: Sym) -> &Term {
        &self.terms[sym as usize]
    }

    /// The text of the value named `sym`.
    pub(crate) fn text(&self, sym: Sym) -> &str {
        &self.term(sym).text
    }

    /// How many distinct values there are.
    pub(crate) fn len(&self) -> usize {
        self.terms.len()
    }

    /// The words of the value named `sym`; itself where it is one word.
    pub(crate) fn words(&self, sym: Sym) -> Vec<Sym> {
        let words = &self.term(sym).words;
        if words.is_empty() { vec![sym] } else { words.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_name_and_knows_its_words() {
        let mut terms = Terms::default();
        let whole = terms.intern("garcia morales").unwrap();
        assert_eq!(terms.intern("garcia morales"), Some(whole));
        assert_eq!(terms.intern(""), None);
        let words: Vec<_> = terms.words(whole).into_iter().map(|w| terms.text(w).to_owned()).collect();
        assert_eq!(words, ["garcia", "morales"]);
        assert_eq!(terms.words(terms.index["garcia"]), [terms.index["garcia"]]);
        assert_eq!(terms.len(), 3);
    }
}
