//! The people of the examples, deduplicated with default settings, against the truth about them.
#![expect(clippy::unwrap_used, reason = "a test whose data cannot be read has failed")]

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use worktruck_agents::dedupe::{Analysis, Band, Candidate, Settings, analyse, blocked_pairs};
use worktruck_core::entity::contact::Contact;
use worktruck_core::{EntityId, Timestamp};

type Row = HashMap<String, String>;
type Pairs = BTreeSet<(usize, usize)>;

#[test]
fn the_sample_is_deduplicated() {
    let people = People::read();
    let claimed = people.claimed(&people.analyse());
    let (found, truth) = (count(claimed.intersection(&people.truth).count()), count(people.truth.len()));
    let f1 = 2.0 * found / (count(claimed.len()) + truth);
    println!("sample: precision {:.4}, recall {:.4}, F1 {f1:.4}", found / count(claimed.len()), found / truth);
    assert!(f1 >= 0.97, "{f1}");
}

#[test]
fn no_twins_are_merged() {
    let people = People::read();
    let claimed = people.claimed(&people.analyse());
    let mut twins = 0;
    for (a, x) in people.rows.iter().enumerate() {
        for (b, y) in people.rows.iter().enumerate().skip(a + 1) {
            let same = |column: &str| !x[column].is_empty() && x[column] == y[column];
            if same("birthday") && same("family_name") && !people.truth.contains(&(a, b)) {
                twins += 1;
                assert!(!claimed.contains(&(a, b)), "{x:?} and {y:?}");
            }
        }
    }
    assert!(twins >= 10, "only {twins} pairs of twins in the sample");
}

#[test]
fn next_to_every_true_pair_is_compared() {
    let people = People::read();
    let pairs = blocked_pairs(&people.candidates());
    let blocked: Pairs = pairs.into_iter().map(|(a, b)| (number(a), number(b))).collect();
    let recall = count(people.truth.intersection(&blocked).count()) / count(people.truth.len());
    assert!(recall >= 0.99, "{recall}");
    assert!(blocked.len() < people.rows.len() * people.rows.len() / 10, "{} pairs", blocked.len());
}

#[test]
fn every_cluster_says_why() {
    let analysis = People::read().analyse();
    assert!(analysis.clusters.iter().all(|c| !c.reasons.is_empty()));
    let any = |start: &str| analysis.clusters.iter().flat_map(|c| &c.reasons).any(|r| r.starts_with(start));
    for start in ["same phone +", "same e-mail ", "same birth date ", "given names ", "different streets"] {
        assert!(any(start), "no reason starts with {start:?}");
    }
}

struct People {
    rows: Vec<Row>,
    contacts: Vec<(EntityId, Contact)>,
    truth: Pairs,
}

impl People {
    fn read() -> Self {
        let rows = records("people.csv");
        let numbers: HashMap<_, _> = rows.iter().enumerate().map(|(n, r)| (r["uid"].clone(), n)).collect();
        let pair = |r: &Row| {
            let (a, b) = (numbers[&r["uid_a"]], numbers[&r["uid_b"]]);
            (a.min(b), a.max(b))
        };
        let truth = records("people_truth.csv").iter().map(pair).collect();
        let contacts = rows.iter().enumerate().map(|(n, r)| (id(n), contact(r))).collect();
        Self { rows, contacts, truth }
    }

    fn candidates(&self) -> Vec<Candidate<'_>> {
        self.contacts.iter().map(|(id, contact)| Candidate { id: *id, created_at: Timestamp::EPOCH, contact }).collect()
    }

    fn analyse(&self) -> Analysis {
        analyse(&self.candidates(), &Settings::default())
    }

    fn claimed(&self, analysis: &Analysis) -> Pairs {
        let mut pairs = Pairs::new();
        for cluster in analysis.clusters.iter().filter(|c| c.band == Band::Propose) {
            let members: BTreeSet<usize> = cluster.contact_ids.iter().map(|id| number(*id)).collect();
            for a in &members {
                pairs.extend(members.range(a + 1..).map(|b| (*a, *b)));
            }
        }
        pairs
    }
}

fn records(file: &str) -> Vec<Row> {
    let data: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data");
    csv::Reader::from_path(data.join(file)).unwrap().deserialize().map(Result::unwrap).collect()
}

fn id(n: usize) -> EntityId {
    format!("00000000-0000-7000-8000-{n:012}").parse().unwrap()
}

fn number(id: EntityId) -> usize {
    id.to_string().rsplit('-').next().unwrap().parse().unwrap()
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap())
}

/// A row as an import makes a contact of it.
fn contact(row: &Row) -> Contact {
    let text = |column: &str| row.get(column).filter(|v| !v.is_empty()).map(|v| json!(v));
    let channel = |kind: &str, column: &str, canonical: String| {
        let value = text(column)?;
        Some(json!({ "id": id(0), "type": kind, "value": value, "canonical_value": canonical, "label": column }))
    };
    let channels: Vec<Value> = [
        channel("email", "email", row["email"].to_lowercase()),
        channel("phone", "phone", e164(&row["phone"], &row["country"])),
        channel("custom", "identifier", row["identifier"].clone()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let born: Vec<u16> = row["birthday"].split('-').filter_map(|part| part.parse().ok()).collect();
    let dates = match born[..] {
        [year, month, day] => {
            json!([{ "id": id(0), "date_type": "birthday", "year": year, "month": month, "day": day }])
        }
        _ => json!([]),
    };
    let metadata: serde_json::Map<_, _> =
        ["organization", "title"].into_iter().filter_map(|c| Some((c.to_owned(), text(c)?))).collect();
    let has_address = ["street", "city", "region", "postal_code"].iter().any(|c| !row[*c].is_empty());
    let address = json!({
        "id": id(0), "street": text("street"), "city": text("city"), "region": text("region"),
        "postal_code": text("postal_code"), "country": text("country"),
    });
    serde_json::from_value(json!({
        "display_name": text("display_name").unwrap_or_else(|| json!("?")), "given_name": text("given_name"),
        "middle_name": text("middle_name"), "family_name": text("family_name"), "vcard_uid": text("uid"),
        "bio": text("note"), "channels": channels, "addresses": if has_address { json!([address]) } else { json!([]) },
        "dates": dates, "metadata": metadata,
    }))
    .unwrap()
}

fn e164(phone: &str, country: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let code = match country {
        _ if phone.starts_with('+') => return format!("+{digits}"),
        "United Kingdom" => "44",
        "Germany" => "49",
        _ => "1",
    };
    format!("+{code}{}", digits.trim_start_matches('0'))
}
