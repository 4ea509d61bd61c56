use std::collections::{HashMap, HashSet};
use std::path::Path;

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};
use worktruck_agents::dedupe::{Analysis, Band, Candidate, Settings, analyse};

use super::*;
use crate::score::PairScore;

#[test]
fn the_same_seed_makes_the_same_people() {
    let make = |seed| generate(&Profile::sample(), 300, seed);
    assert_eq!(make(1).csv(), make(1).csv());
    assert_ne!(make(1).csv(), make(2).csv());
}

#[test]
fn the_committed_sample_is_what_the_generator_makes() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data");
    let people = sample();
    assert!(std::fs::read_to_string(data.join("people.csv")).unwrap() == people.csv(), "people.csv is stale");
    assert!(std::fs::read_to_string(data.join("people_truth.csv")).unwrap() == people.truth_csv(), "truth is stale");
}

#[test]
fn the_sample_has_the_errors_that_its_description_names() {
    let people = sample();
    let share =
        |part: usize, of: usize| f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(of).unwrap());
    assert!((950..=1050).contains(&people.rows.len()));
    assert!(share(people.duplicates, people.rows.len()) >= 0.25);
    assert!(share(people.corrupted, people.duplicates) >= 0.15);
    assert!(people.twins.len() >= 10 && people.namesakes.len() >= 5);
    let unknown = |value: fn(&Row) -> &String| {
        share(people.rows.iter().filter(|r| value(r).is_empty()).count(), people.rows.len())
    };
    assert!((0.08..0.16).contains(&unknown(|r| &r.birthday)));
    assert!((0.12..0.25).contains(&unknown(|r| &r.email)));
}

#[test]
fn phones_of_the_sample_are_valid_numbers() {
    let mut known = 0;
    for row in sample().rows.iter().filter(|r| !r.phone.is_empty()) {
        let region = match row.country.as_str() {
            "United Kingdom" => "GB",
            "Germany" => "DE",
            _ => "US",
        };
        let number = PHONE_NUMBER_UTIL.parse(&row.phone, Region::from_code(region).ok()).unwrap();
        assert!(PHONE_NUMBER_UTIL.is_valid_number(&number), "{} in {region}", row.phone);
        known += 1;
    }
    assert!(known > 700);
}

fn analysed(people: &People) -> (Analysis, PairScore) {
    let contacts = people.contacts();
    let candidates: Vec<_> = contacts
        .iter()
        .map(|(id, created_at, contact)| Candidate { id: *id, created_at: *created_at, contact })
        .collect();
    let analysis = analyse(&candidates, &Settings::default());
    let uid = |id| people.rows[contacts.binary_search_by_key(id, |c| c.0).unwrap()].uid.as_str();
    let proposed = analysis.clusters.iter().filter(|c| c.band == Band::Propose);
    let score = PairScore::of(proposed.map(|c| c.contact_ids.iter().map(uid).collect::<Vec<_>>()), people.truth());
    (analysis, score)
}

#[test]
fn sets_of_many_shapes_are_deduplicated_with_the_same_settings() {
    let heavy = |profile: Profile, corruption| Profile { corruption, ..profile };
    for (profile, count, least) in [
        (Profile::sample(), 1000, 0.99),
        (heavy(Profile::sample(), 0.3), 1000, 0.96),
        (Profile::sparse(), 1000, 0.93),
        (heavy(Profile::sparse(), 0.4), 1000, 0.88),
        (Profile::postal(), 2000, 0.98),
        (heavy(Profile::postal(), 0.5), 2000, 0.96),
        (Profile::historical(), 2000, 0.93),
        (Profile::census(), 2000, 0.98),
    ] {
        let (_, score) = analysed(&generate(&profile, count, 7));
        println!("{:.4} {:.4} {:.4} {profile:?}", score.precision(), score.recall(), score.f1());
        assert!(score.f1() >= least, "{} {score:?} {profile:?}", score.f1());
        assert!(score.precision() >= 0.97, "{score:?} {profile:?}");
    }
}

#[test]
fn no_twins_and_no_namesakes_of_the_sample_are_merged() {
    assert_eq!(merged_relatives(&sample()), Vec::<Vec<usize>>::new());
}

#[test]
fn families_full_of_twins_and_namesakes_are_kept_apart() {
    // Every field is known: whose birth date is missing may be the parent as well as the child.
    let profile = Profile {
        twins: 0.5,
        namesakes: 0.5,
        families: 0.9,
        missing: 0.0,
        nameless: 0.0,
        corruption: 0.05,
        ..Profile::sample()
    };
    for seed in 0..3 {
        let people = generate(&profile, 800, seed);
        assert!(people.twins.len() + people.namesakes.len() > 50);
        assert_eq!(merged_relatives(&people), Vec::<Vec<usize>>::new());
    }
}

/// The persons of each proposed cluster that holds two twins, or a parent and a child of one name.
fn merged_relatives(people: &People) -> Vec<Vec<usize>> {
    let (analysis, _) = analysed(people);
    let two: HashSet<(usize, usize)> = people.twins.iter().chain(&people.namesakes).copied().collect();
    let person: HashMap<_, _> = people.contacts().iter().zip(&people.persons).map(|(c, p)| (c.0, *p)).collect();
    let proposed = analysis.clusters.iter().filter(|c| c.band == Band::Propose);
    proposed
        .map(|c| c.contact_ids.iter().map(|id| person[id]).collect::<Vec<_>>())
        .filter(|persons| persons.iter().any(|a| persons.iter().any(|b| two.contains(&(*a, *b)))))
        .collect()
}
