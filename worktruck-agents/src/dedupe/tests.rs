use serde_json::json;
use worktruck_core::entity::contact::Contact;
use worktruck_core::{EntityId, Timestamp};

use super::*;

pub(super) fn id(n: usize) -> EntityId {
    format!("00000000-0000-7000-8000-{n:012}").parse().unwrap()
}

/// A contact from `key: value` pairs parted by semicolons.
pub(super) fn contact(text: &str) -> Contact {
    let mut contact = json!({ "display_name": "?", "channels": [], "addresses": [], "dates": [], "metadata": {} });
    let mut address = json!({ "id": id(0) });
    for (key, value) in text.split(';').filter_map(|part| part.trim().split_once(": ")) {
        let channel = |kind: &str, label: Option<&str>| json!({ "id": id(0), "type": kind, "value": value, "canonical_value": value, "label": label });
        match key {
            "given" => contact["given_name"] = json!(value),
            "middle" => contact["middle_name"] = json!(value),
            "family" => contact["family_name"] = json!(value),
            "suffix" => contact["suffix"] = json!(value),
            "email" => contact["channels"].as_array_mut().unwrap().push(channel("email", None)),
            "phone" => contact["channels"].as_array_mut().unwrap().push(channel("phone", None)),
            "identifier" => contact["channels"].as_array_mut().unwrap().push(channel("custom", Some("identifier"))),
            "born" => {
                let part = |range| value.get(range).map(|t: &str| t.parse::<u16>().unwrap());
                contact["dates"] = json!([{
                    "id": id(0), "date_type": "birthday", "year": part(0..4), "month": part(5..7), "day": part(8..10)
                }]);
            }
            "organization" | "title" => contact["metadata"][key] = json!(value),
            "shown" => contact["display_name"] = json!(value),
            _ => address[key] = json!(value),
        }
    }
    if address.as_object().unwrap().len() > 1 {
        contact["addresses"] = json!([address]);
    }
    serde_json::from_value(contact).unwrap()
}

/// A hundred people of a town that have nothing to do with each other, so that there is something to
/// learn from, then the contacts in question; each of the first fifty is recorded twice.
pub(super) fn town(asked: &[&str]) -> Vec<Contact> {
    let mut contacts: Vec<Contact> = Vec::new();
    for n in 0..100_usize {
        let given = ["Laura", "Peter", "Aisha", "Wei", "Ingrid", "Omar", "Chloe", "Hugo", "Priya", "Declan"][n % 10];
        let family =
            ["Moss", "Keller", "Okafor", "Tanaka", "Rossi", "Byrne", "Sharma", "Novak", "Silva", "Hansen", "Dahl"]
                [n % 11];
        let (year, month, day) = (1940 + (n * 37) % 70, 1 + (n * 5) % 12, 1 + (n * 11) % 28);
        let text = format!(
            "given: {given}; family: {family}; born: {year}-{month:02}-{day:02}; phone: +1415200{:04}; \
             street: {} {} Street; city: {}; postal_code: 9{:04}; email: {given}{n}@example.org",
            n * 91 % 10_000,
            n * 7 % 90 + 1,
            ["Oak", "Elm", "Mill", "Lake", "Hill", "Park", "Fox"][n % 7],
            ["Oakland", "Salem", "Dover", "Troy"][n % 4],
            n * 131 % 10_000,
        );
        contacts.push(contact(&text));
        if n < 50 {
            contacts.push(contact(&text));
        }
    }
    contacts.extend(asked.iter().map(|text| contact(text)));
    contacts
}

pub(super) fn candidates(contacts: &[Contact]) -> Vec<Candidate<'_>> {
    let candidate = |(n, contact)| Candidate { id: id(n), created_at: Timestamp::EPOCH, contact };
    contacts.iter().enumerate().map(candidate).collect()
}

/// The cluster that the analysis proposes for the contacts in question, if any.
fn proposed(asked: &[&str]) -> Option<Cluster> {
    let contacts = town(asked);
    let first = id(contacts.len() - asked.len());
    let analysis = analyse(&candidates(&contacts), &Settings::default());
    assert!(analysis.clusters.len() >= 50, "the town's own duplicates are found");
    let is_asked = |c: &&Cluster| c.band == Band::Propose && c.contact_ids.iter().any(|id| *id >= first);
    analysis.clusters.iter().find(is_asked).cloned()
}

const HOME: &str = "street: 12 Vine Street; city: Salem; postal_code: 90210";

#[test]
fn nothing_and_one_contact_have_no_duplicates() {
    assert_eq!(analyse(&[], &Settings::default()), Analysis::default());
    let contacts = [contact("given: Ann; family: Lee")];
    let analysis = analyse(&candidates(&contacts), &Settings::default());
    assert_eq!((analysis.clusters.len(), analysis.contacts, analysis.pairs_compared), (0, 1, 0));
}

#[test]
fn contacts_of_which_nothing_is_known_are_not_one_person() {
    let contacts = vec![Contact::default(); 60];
    let analysis = analyse(&candidates(&contacts), &Settings::default());
    assert_eq!(analysis.clusters, []);
}

#[test]
fn identical_contacts_give_finite_scores() {
    let one = contact(&format!("given: Ann; family: Lee; born: 1980-05-17; {HOME}"));
    let contacts = vec![one; 40];
    let analysis = analyse(&candidates(&contacts), &Settings::default());
    assert!(analysis.pairs_compared > 0);
    assert!(analysis.clusters.iter().all(|c| (0.0..=1.0).contains(&c.score)));
}

#[test]
fn the_order_of_input_does_not_matter() {
    let contacts =
        town(&["given: Bob; family: Quill; phone: +14155550100", "given: Robert; family: Quill; phone: +14155550100"]);
    let mut list = candidates(&contacts);
    let before = analyse(&list, &Settings::default());
    list.reverse();
    list.rotate_left(37);
    let after = analyse(&list, &Settings::default());
    assert_eq!(before, after);
    assert!(!before.clusters.is_empty());
}

#[test]
fn nickname_and_typing_error_are_one_person_with_reasons() {
    let cluster = proposed(&[
        "given: Robert; family: Quillfeather; phone: +1 415 555 0100; born: 1971-03-09; city: Salem",
        "given: Bob; family: Quilfeather; phone: +1 415 555 0100; born: 1971-03-09",
    ])
    .unwrap();
    assert!(cluster.score > 0.9, "{cluster:?}");
    for reason in [
        "same phone +1 415 555 0100",
        "same birth date 1971-03-09",
        "given names Bob and Robert are forms of one name",
        "family names Quilfeather and Quillfeather one letter apart",
    ] {
        assert!(cluster.reasons.iter().any(|r| r == reason), "{reason} in {:?}", cluster.reasons);
    }
}

#[test]
fn swapped_names_are_one_person() {
    let cluster = proposed(&[
        "given: Solveig; family: Quill; born: 1971-03-09; email: solveig.quill@example.org",
        "given: Quill; family: Solveig; born: 1971-03-09; email: solveig.quill@example.org",
    ]);
    assert!(cluster.unwrap().reasons.contains(&"given and family name swapped".to_owned()));
}

#[test]
fn twins_are_two_people_though_they_share_everything_else() {
    let shared = format!("family: Quill; born: 1971-03-09; phone: +14155550100; email: quill@example.org; {HOME}");
    assert_eq!(proposed(&[&format!("given: Clara; {shared}"), &format!("given: Ronald; {shared}")]), None);
}

#[test]
fn parent_and_child_of_one_name_are_two_people() {
    let shared = format!("given: Clarence; family: Quill; phone: +14155550100; {HOME}");
    assert_eq!(proposed(&[&format!("{shared}; born: 1951-03-09"), &format!("{shared}; born: 1979-11-21")]), None);
    let (senior, junior) = (format!("{shared}; suffix: Sr."), format!("{shared}; suffix: Jr."));
    assert_eq!(proposed(&[&senior, &junior]), None);
}

#[test]
fn spouses_who_share_phone_and_e_mail_are_two_people() {
    let shared = format!("family: Quill; phone: +14155550100; email: quill@example.org; {HOME}");
    let (one, other) = ("given: Clara; born: 1971-03-09", "given: Ronald; born: 1969-12-30");
    assert_eq!(proposed(&[&format!("{one}; {shared}"), &format!("{other}; {shared}")]), None);
}

#[test]
fn a_name_alone_is_never_proposed() {
    let name = "given: Xanthippe; middle: Philomena; family: Quillfeather";
    assert_eq!(proposed(&[name, name]), None);
    assert_eq!(proposed(&[&format!("{name}; born: 1971-03-09"), name]), None);
}

#[test]
fn somebody_who_moved_is_found_by_name_and_birth_date() {
    let person = "given: Clarence; family: Quill; born: 1971-03-09";
    let moved = format!("{person}; street: 77 Canal Road; city: Troy; postal_code: 91111; phone: +14155550199");
    assert!(proposed(&[&format!("{person}; {HOME}; phone: +14155550100"), &moved]).is_some());
}

#[test]
fn the_most_complete_contact_survives_then_the_oldest() {
    let thin = "given: Clarence; family: Quill; born: 1971-03-09; email: cq@example.org";
    let full = format!("{thin}; {HOME}");
    let cluster = proposed(&[thin, &full, thin]).unwrap();
    let first = cluster.contact_ids.iter().min().copied().unwrap();
    assert_eq!(cluster.contact_ids.len(), 3);
    assert_eq!(cluster.contact_ids[0], cluster.survivor_id);
    assert_ne!(cluster.survivor_id, first, "the fuller record, though it came later");

    let contacts = town(&[thin, thin]);
    let mut list = candidates(&contacts);
    let n = list.len();
    list[n - 2].created_at = Timestamp::from_micros(5);
    let analysis = analyse(&list, &Settings::default());
    let cluster = analysis.clusters.iter().find(|c| c.contact_ids.contains(&id(n - 1))).unwrap();
    assert_eq!(cluster.survivor_id, id(n - 1));
}

#[test]
fn an_analysis_survives_json() {
    let contacts = town(&[]);
    let analysis = analyse(&candidates(&contacts), &Settings::default());
    let json = serde_json::to_string(&analysis).unwrap();
    assert_eq!(serde_json::from_str::<Analysis>(&json).unwrap(), analysis);
}
