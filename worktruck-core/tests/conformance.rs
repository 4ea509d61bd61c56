//! The conformance suite on the reference store, and on a wrapper that must not show.

use std::collections::BTreeSet;

use worktruck_core::testing::conformance::{OPERATIONS, SCENARIOS};

mod memory {
    use std::sync::Arc;

    use worktruck_core::store::{MemoryStore, Store};
    use worktruck_core::testing::conformance::Fixture;

    struct Memory;

    impl Fixture for Memory {
        type Guard = ();

        async fn fresh() -> (Arc<dyn Store>, ()) {
            (Arc::new(MemoryStore::default()), ())
        }
    }

    worktruck_core::store_conformance!(Memory);
}

mod faulty_without_faults {
    use std::sync::Arc;

    use worktruck_core::store::{MemoryStore, Store};
    use worktruck_core::testing::FaultyStore;
    use worktruck_core::testing::conformance::Fixture;

    struct Faulty;

    impl Fixture for Faulty {
        type Guard = ();

        async fn fresh() -> (Arc<dyn Store>, ()) {
            (Arc::new(FaultyStore::new(MemoryStore::default())), ())
        }
    }

    worktruck_core::store_conformance!(Faulty);
}

#[test]
fn every_name_in_a_contract_is_a_scenario() {
    let ports = [
        include_str!("../src/store/entity.rs"),
        include_str!("../src/store/retention.rs"),
        include_str!("../src/store/run.rs"),
        include_str!("../src/store/secret.rs"),
        include_str!("../src/store/tenant.rs"),
    ];
    let scenarios: BTreeSet<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    let promised: Vec<_> = ports.iter().flat_map(|port| promises(port)).collect();
    assert!(promised.len() > 40, "the contracts name their scenarios: {promised:?}");
    let missing: Vec<_> = promised.iter().filter(|name| !scenarios.contains(*name)).collect();
    assert!(missing.is_empty(), "contracts name scenarios that do not exist: {missing:?}");
}

#[test]
fn every_scenario_has_a_name_of_its_own() {
    let names: BTreeSet<_> = SCENARIOS.iter().chain(OPERATIONS).map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), SCENARIOS.len() + OPERATIONS.len());
    assert!(SCENARIOS.len() >= 60, "{} scenarios", SCENARIOS.len());
}

/// The words in backticks, of several parts, in the sections headed "Contract".
fn promises(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut in_contract = false;
    for line in source.lines().map(str::trim) {
        let Some(text) = line.strip_prefix("///") else {
            in_contract = false;
            continue;
        };
        if text.trim_start().starts_with('#') {
            in_contract = text.trim() == "# Contract";
        } else if in_contract {
            let quoted = text.split('`').skip(1).step_by(2);
            names.extend(quoted.filter(|word| word.matches('_').count() >= 2));
        }
    }
    names
}
