use std::collections::BTreeSet;

use crate::entity::Term;
use crate::entity::note::{Note, title_key};

/// What a note is called, as keys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Names {
    title: Option<String>,
    aliases: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(note: &Note) -> Self {
        let aliases = note.aliases().into_iter().map(title_key).collect();
        Self { title: Some(title_key(&note.title)), aliases }
    }

    /// The names that only one of the two has, or has in another way.
    pub(super) fn changed(&self, other: &Self) -> BTreeSet<String> {
        let title = (self.title != other.title).then_some([&self.title, &other.title]);
        let titles = title.into_iter().flatten().flatten();
        titles.chain(self.aliases.symmetric_difference(&other.aliases)).cloned().collect()
    }

    fn has_title(&self, key: &str) -> bool {
        self.title.as_deref() == Some(key)
    }

    fn has_alias(&self, key: &str) -> bool {
        self.aliases.contains(key)
    }
}

/// A way of being called: titles go before aliases.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Title,
    Alias,
}

impl Way {
    pub(super) const ALL: [Self; 2] = [Self::Title, Self::Alias];

    /// The index term of the notes that are called `key` in this way.
    pub(super) fn term(self, key: &str) -> Term {
        match self {
            Self::Title => Note::title_term(key),
            Self::Alias => Note::alias_term(key),
        }
    }

    pub(super) fn is_of(self, names: &Names, key: &str) -> bool {
        match self {
            Self::Title => names.has_title(key),
            Self::Alias => names.has_alias(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_what_only_one_is_called() {
        let note = |title: &str, alias: &str| Note {
            title: title.to_owned(),
            metadata: [("alias".to_owned(), alias.into())].into_iter().collect(),
            ..Note::default()
        };
        let changed = |one: &Note, other: &Note| Names::of(one).changed(&Names::of(other));
        let keys = |names: &[&str]| names.iter().map(|name| title_key(name)).collect();
        assert_eq!(changed(&note("A", "B"), &note("a", "b")), BTreeSet::new());
        assert_eq!(changed(&note("A", "B"), &note("C", "B")), keys(&["A", "C"]));
        assert_eq!(changed(&note("A", "B"), &note("B", "A")), keys(&["A", "B"]));
        assert_eq!(Names::of(&note("A", "B")).changed(&Names::default()), keys(&["A", "B"]));
    }
}
