//! Two noisy censuses of one town, deduplicated as one list with default settings.
#![expect(clippy::unwrap_used, reason = "a test whose data cannot be read has failed")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use worktruck_agents::dedupe::{Analysis, Band, Candidate, Settings, analyse, blocked_pairs};
use worktruck_benches::people::Row;
use worktruck_benches::score::PairScore;
use worktruck_core::entity::contact::Contact;
use worktruck_core::{EntityId, Timestamp};

/// Where the data is, and whether somebody said so.
fn directory() -> (PathBuf, bool) {
    match std::env::var_os("WORKTRUCK_CENSUS_DIR") {
        Some(directory) => (directory.into(), true),
        None => (Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/er"), false),
    }
}

#[test]
fn the_census_is_deduplicated() {
    let (directory, is_required) = directory();
    if !directory.join("census_truth.csv").is_file() {
        assert!(!is_required, "WORKTRUCK_CENSUS_DIR has no census: {}", directory.display());
        println!("NOT MEASURED: no census in {}; set WORKTRUCK_CENSUS_DIR", directory.display());
        return;
    }
    let rows: Vec<Row> = ["census_a.csv", "census_b.csv"].iter().flat_map(|file| rows(&directory.join(file))).collect();
    let truth: Vec<(String, String)> = records(&directory.join("census_truth.csv"))
        .into_iter()
        .map(|mut r| (r.remove("id_a").unwrap(), r.remove("id_b").unwrap()))
        .collect();
    let truth: Vec<_> = truth.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let contacts: Vec<(EntityId, Contact)> = (0_u64..)
        .zip(&rows)
        .map(|(n, row)| (format!("00000000-0000-7000-8000-{n:012}").parse().unwrap(), row.contact()))
        .collect();
    let candidates: Vec<_> =
        contacts.iter().map(|(id, contact)| Candidate { id: *id, created_at: Timestamp::EPOCH, contact }).collect();

    let analysis = analyse(&candidates, &Settings::default());

    let uids: HashMap<_, _> = contacts.iter().zip(&rows).map(|((id, _), row)| (*id, row.uid.as_str())).collect();
    let score = PairScore::of(proposed(&analysis, &uids), truth.iter().copied());
    let blocked = blocked_pairs(&candidates);
    let blocking = PairScore::of(blocked.iter().map(|(a, b)| [uids[a], uids[b]]), truth.iter().copied());
    println!(
        "census: precision {:.4}, recall {:.4}, F1 {:.4}; blocking recall {:.4} with {} pairs",
        score.precision(),
        score.recall(),
        score.f1(),
        blocking.recall(),
        blocked.len()
    );
    assert!(score.f1() >= 0.95, "{score:?}");
    assert!(blocking.recall() >= 0.99, "{blocking:?}");
}

fn proposed<'u>(analysis: &Analysis, uids: &HashMap<EntityId, &'u str>) -> Vec<Vec<&'u str>> {
    let clusters = analysis.clusters.iter().filter(|c| c.band == Band::Propose);
    clusters.map(|c| c.contact_ids.iter().map(|id| uids[id]).collect()).collect()
}

fn rows(path: &Path) -> Vec<Row> {
    let row = |mut r: HashMap<String, String>| {
        let mut take = |column: &str| r.remove(column).unwrap_or_default();
        Row {
            uid: take("uid"),
            given_name: take("given_name"),
            middle_name: take("middle_name"),
            family_name: take("family_name"),
            street: take("street"),
            city: take("city"),
            region: take("region"),
            postal_code: take("postal_code"),
            birthday: take("birthday"),
            ..Row::default()
        }
    };
    records(path).into_iter().map(row).collect()
}

fn records(path: &Path) -> Vec<HashMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}
