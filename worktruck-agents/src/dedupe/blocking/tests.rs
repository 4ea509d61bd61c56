use super::*;
use crate::dedupe::score::List;
use crate::dedupe::tests::{candidates, contact};

fn pairs(texts: &[String]) -> Vec<(u32, u32)> {
    let contacts: Vec<_> = texts.iter().map(|t| contact(t)).collect();
    let list = List::of(&candidates(&contacts));
    candidate_pairs(&list.records, &list.terms)
}

#[test]
fn records_that_share_two_fields_are_compared_whatever_the_rest() {
    for (a, b) in [
        ("given: Ann; family: Lee; born: 1980-05-17", "given: Anne; family: Parker; born: 1980-05-17"),
        ("given: Ann; family: Lee; born: 1980-05-17", "given: Lee; family: Ann; born: 1980-01-01"),
        ("given: Robert; family: Lee", "given: Bob; family: Lee"),
        ("email: ann.lee@example.org", "email: ann.lee@example.com"),
        ("phone: +14155550100", "phone: +14155550100"),
        ("identifier: AB123456", "identifier: AB123459"),
        ("given: Ann; postal_code: 90210", "family: Ann; postal_code: 90210"),
    ] {
        // Enough others in between that neighbourhood in sorted order finds nothing.
        let mut texts: Vec<String> =
            (0..400_u32).map(|n| format!("given: {0}q{0}; family: {0}z{0}", letters(n))).collect();
        texts.insert(0, a.to_owned());
        texts.push(b.to_owned());
        assert!(pairs(&texts).contains(&(0, 401)), "{a} and {b}");
    }
}

fn letters(n: u32) -> String {
    let letter = |n: u32| char::from_u32(u32::from('a') + n % 20).unwrap();
    [letter(n), letter(n / 20), letter(n * 7)].into_iter().collect()
}

#[test]
fn an_oversized_block_is_split_and_its_true_pairs_are_kept() {
    // Everybody is Ann Lee of one postal code: only the birth dates tell the pairs apart.
    let person = |n: u32| {
        format!(
            "given: Ann; family: Lee; postal_code: 90210; born: {}-{:02}-{:02}",
            1900 + n % 100,
            1 + n % 12,
            1 + n % 28
        )
    };
    let texts: Vec<String> = (0..2_000).map(|n| person(n / 2)).collect();
    let pairs = pairs(&texts);
    for n in 0..1_000 {
        assert!(pairs.binary_search(&(2 * n, 2 * n + 1)).is_ok(), "pair {n}");
    }
    assert!(pairs.len() < 2_000 * 1_999 / 10, "{} pairs", pairs.len());
}

#[test]
fn pairs_are_sorted_and_distinct() {
    let texts: Vec<String> = (0..50).map(|n| format!("given: Ann; family: Lee; phone: {}", n / 2)).collect();
    let pairs = pairs(&texts);
    assert!(pairs.is_sorted_by(|a, b| a < b));
    assert!(pairs.iter().all(|(a, b)| a < b));
}
