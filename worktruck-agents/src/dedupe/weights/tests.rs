use super::*;
use crate::dedupe::blocking::candidate_pairs;
use crate::dedupe::levels::{birth, family, given, place};
use crate::dedupe::score::{List, Scored};
use crate::dedupe::tests::{candidates, contact, town};

fn model(contacts: &[worktruck_core::entity::contact::Contact]) -> Model {
    let list = List::of(&candidates(contacts));
    let pairs = candidate_pairs(&list.records, &list.terms);
    Scored::new(list, &pairs).model
}

fn is_sound(model: &Model) -> bool {
    Field::ALL.into_iter().all(|field| (0..=field.top()).all(|level| model.weight(field, level).is_finite()))
}

#[test]
fn agreement_speaks_for_and_disagreement_against() {
    let model = model(&town(&[]));
    assert!(is_sound(&model));
    assert!(model.weight(Field::Given, given::EXACT) > 1.0);
    assert!(model.weight(Field::Birth, birth::EXACT) > 2.0);
    assert!(model.weight(Field::Birth, DIFFERENT) < -1.0);
    assert_eq!(model.weight(Field::Phone, MISSING).to_bits(), 0.0_f64.to_bits());
}

#[test]
fn a_rare_value_counts_for_more_than_a_common_one() {
    let model = model(&town(&[]));
    let mut levels = [MISSING; FIELDS];
    levels[Field::Family as usize] = family::EXACT;
    assert!(model.log_odds(&levels, -2.0) > model.log_odds(&levels, 2.0));
}

#[test]
fn a_town_where_everybody_lives_says_nothing() {
    let mut contacts = town(&[]);
    for contact in &mut contacts {
        for address in &mut contact.addresses {
            address.city = Some("Salem".to_owned());
            address.postal_code = None;
            address.street = None;
        }
    }
    let weight = model(&contacts).weight(Field::Place, place::CITY);
    assert!(weight.abs() < 0.3, "{weight}");
}

#[test]
fn degenerate_lists_give_finite_weights() {
    for contacts in [
        vec![],
        vec![contact("given: Ann")],
        vec![contact("given: Ann; family: Lee; born: 1980-05-17"); 30],
        vec![worktruck_core::entity::contact::Contact::default(); 30],
        (0..30).map(|n| contact(&format!("phone: {n}"))).collect(),
    ] {
        assert!(is_sound(&model(&contacts)));
    }
}

#[test]
fn odds_and_probability_agree() {
    assert!((probability(0.0) - 0.5).abs() < 1e-12);
    assert!(probability(40.0) <= 1.0 && probability(-800.0) >= 0.0);
}
