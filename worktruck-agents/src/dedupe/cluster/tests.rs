use super::*;
use crate::dedupe::tests::{candidates, town};
use crate::dedupe::{Analysis, analyse};

fn analysis(asked: &[&str]) -> (Analysis, Vec<worktruck_core::EntityId>) {
    let contacts = town(asked);
    let list = candidates(&contacts);
    let ids = list[list.len() - asked.len()..].iter().map(|c| c.id).collect();
    (analyse(&list, &Settings::default()), ids)
}

#[test]
fn a_record_between_two_twins_does_not_join_them() {
    let shared = "family: Quill; born: 1971-03-09; phone: +14155550100; street: 12 Vine Street; city: Salem";
    let (analysis, ids) = analysis(&[&format!("given: Clara; {shared}"), &format!("given: Ronald; {shared}"), shared]);
    let holds_both = |c: &Cluster| c.contact_ids.contains(&ids[0]) && c.contact_ids.contains(&ids[1]);
    assert!(!analysis.clusters.iter().any(holds_both), "{:?}", analysis.clusters);
}

#[test]
fn a_chain_of_alike_people_does_not_become_one() {
    // Each shares an e-mail address or a phone with the next, and nothing else.
    let (analysis, ids) = analysis(&[
        "given: Clara; family: Quill; born: 1971-03-09; email: office@quill.example",
        "given: Ronald; family: Marsh; born: 1958-10-02; email: office@quill.example; phone: +14155550100",
        "given: Imogen; family: Stroud; born: 1990-07-30; phone: +14155550100",
    ]);
    assert!(!analysis.clusters.iter().any(|c| c.contact_ids.iter().any(|id| ids.contains(id))));
}

#[test]
fn clusters_are_ordered_and_disjoint_and_in_their_band() {
    let (analysis, _) = analysis(&[]);
    let settings = Settings::default();
    assert!(analysis.clusters.is_sorted_by(|a, b| a.score >= b.score));
    let mut seen = HashSet::new();
    for cluster in &analysis.clusters {
        assert_eq!(cluster.band == Band::Propose, cluster.score >= settings.propose);
        assert!(cluster.contact_ids.len() > 1);
        if cluster.band == Band::Propose {
            assert!(cluster.contact_ids.iter().all(|id| seen.insert(*id)));
        }
    }
}
