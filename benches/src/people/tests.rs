use super::*;

#[test]
fn the_same_seed_makes_the_same_people() {
    let make = |seed| generate(&Profile::sample(), 300, seed);
    assert_eq!(make(1).csv(), make(1).csv());
    assert_ne!(make(1).csv(), make(2).csv());
}
