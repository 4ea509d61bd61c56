//! Given names that are forms of one name, as data.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The groups (indices into the table) that a folded given name belongs to.
///
/// Two names are forms of one name when they share a group; a short form such as `al` is in several.
pub(crate) fn groups(folded: &str) -> &'static [u16] {
    INDEX.get(folded).map_or(&[], Vec::as_slice)
}

static INDEX: LazyLock<HashMap<&'static str, Vec<u16>>> = LazyLock::new(|| {
    let mut index: HashMap<_, Vec<u16>> = HashMap::new();
    for (group, line) in (0..).zip(GROUPS.lines()) {
        for name in line.split(' ') {
            index.entry(name).or_default().push(group);
        }
    }
    index
});

/// One group a line; folded, the full form first.
const GROUPS: &str = include_str!("nicknames.txt");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedupe::fold::fold;

    fn related(a: &str, b: &str) -> bool {
        groups(a).iter().any(|g| groups(b).contains(g))
    }

    #[test]
    fn forms_of_one_name_share_a_group() {
        for (a, b) in [("robert", "bob"), ("elizabeth", "betty"), ("aleksandr", "sasha"), ("jose", "pepe")] {
            assert!(related(a, b), "{a} and {b}");
        }
        assert!(!related("robert", "william"));
        assert!(!related("albert", "alan"), "sharing a short form does not make two full names one");
    }

    #[test]
    fn the_table_is_folded_and_no_name_stands_twice_in_a_group() {
        for line in GROUPS.lines() {
            let names: Vec<_> = line.split(' ').collect();
            assert!(names.len() > 1, "{line}");
            for (n, name) in names.iter().enumerate() {
                assert_eq!(fold(name), *name);
                assert!(!names[..n].contains(name), "{name} stands twice in {line}");
            }
        }
    }
}
