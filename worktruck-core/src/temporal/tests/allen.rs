//! The thirteen ways in which a write can lie to a slice (Allen, 1983).

use super::{delete, outcome, patch, put, slice};

/// Relation of the write to the slice, the part that is written, and what a put, a patch and a
/// deletion do to `10..20 A v1`.
const RELATIONS: [(&str, (i64, i64), [&str; 3]); 13] = [
    ("before", (2, 6), ["2..6 B v2", "not_found", "not_found"]),
    ("meets", (2, 10), ["2..10 B v2", "not_found", "not_found"]),
    (
        "overlaps",
        (6, 14),
        [
            "close 10, 6..14 B v2, 14..20 A v1 carried",
            "close 10, 10..14 B v2, 14..20 A v1 carried",
            "close 10, 10..14 - v2, 14..20 A v1 carried",
        ],
    ),
    (
        "starts",
        (10, 14),
        [
            "close 10, 10..14 B v2, 14..20 A v1 carried",
            "close 10, 10..14 B v2, 14..20 A v1 carried",
            "close 10, 10..14 - v2, 14..20 A v1 carried",
        ],
    ),
    (
        "during",
        (12, 14),
        [
            "close 10, 10..12 A v1 carried, 12..14 B v2, 14..20 A v1 carried",
            "close 10, 10..12 A v1 carried, 12..14 B v2, 14..20 A v1 carried",
            "close 10, 10..12 A v1 carried, 12..14 - v2, 14..20 A v1 carried",
        ],
    ),
    (
        "finishes",
        (14, 20),
        [
            "close 10, 10..14 A v1 carried, 14..20 B v2",
            "close 10, 10..14 A v1 carried, 14..20 B v2",
            "close 10, 10..14 A v1 carried, 14..20 - v2",
        ],
    ),
    ("equals", (10, 20), ["close 10, 10..20 B v2", "close 10, 10..20 B v2", "close 10, 10..20 - v2"]),
    ("finished by", (6, 20), ["close 10, 6..20 B v2", "close 10, 10..20 B v2", "close 10, 10..20 - v2"]),
    ("contains", (6, 24), ["close 10, 6..24 B v2", "close 10, 10..20 B v2", "close 10, 10..20 - v2"]),
    ("started by", (10, 24), ["close 10, 10..24 B v2", "close 10, 10..20 B v2", "close 10, 10..20 - v2"]),
    (
        "overlapped by",
        (14, 24),
        [
            "close 10, 10..14 A v1 carried, 14..24 B v2",
            "close 10, 10..14 A v1 carried, 14..20 B v2",
            "close 10, 10..14 A v1 carried, 14..20 - v2",
        ],
    ),
    ("met by", (20, 24), ["20..24 B v2", "not_found", "not_found"]),
    ("after", (24, 28), ["24..28 B v2", "not_found", "not_found"]),
];

#[test]
fn every_allen_relation_gives_exactly_these_slices() {
    for (relation, (from, to), expected) in RELATIONS {
        let open = [slice(1, Some("A"), 10, 20)];
        let writes = [put("B", from, to), patch("B", from, to), delete(from, to)];
        assert_eq!(writes.map(|write| outcome(&open, &[write])), expected, "a write {relation} the slice");
    }
}

#[test]
fn every_allen_relation_to_a_tombstone_puts_and_finds_nothing_to_patch_or_delete() {
    for (relation, (from, to), [expected, _, _]) in RELATIONS {
        let open = [slice(1, None, 10, 20)];
        let writes = [put("B", from, to), patch("B", from, to), delete(from, to)];
        let expected = [expected.replace('A', "-"), "not_found".to_owned(), "not_found".to_owned()];
        assert_eq!(writes.map(|write| outcome(&open, &[write])), expected, "a write {relation} the tombstone");
    }
}
