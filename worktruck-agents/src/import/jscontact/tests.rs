use proptest::prelude::*;
use worktruck_core::entity::contact::{ChannelKind, Contact, ContactKind};
use worktruck_core::{DerivedIds, ErrorKind, Result, Timestamp};

use crate::import::{Format, Options, Parsed, parse};

fn read(text: &str) -> Result<Parsed> {
    let ids = DerivedIds::new("0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse().unwrap(), 1);
    parse(
        "a.json",
        text.as_bytes(),
        Format::detect("a.json", text.as_bytes()),
        &Options::default(),
        &ids,
        Timestamp::EPOCH,
    )
}

fn only(text: &str) -> Contact {
    let parsed = read(text).unwrap();
    assert_eq!((parsed.contacts.len(), parsed.skipped()), (1, 0), "{parsed:?}");
    parsed.contacts[0].contact.clone()
}

fn messages(parsed: &Parsed) -> Vec<String> {
    parsed.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_card_becomes_a_contact() {
    let contact = only(
        r#"{
  "@type": "Card", "version": "1.0", "uid": "u1", "kind": "org",
  "name": {"@type": "Name", "full": "Dr. Ngozi Okafor", "isOrdered": true, "components": [
    {"kind": "title", "value": "Dr."}, {"kind": "given", "value": "Ngozi"},
    {"@type": "NameComponent", "kind": "surname", "value": "Okafor"}]},
  "emails": {"b": {"address": "n@example.org", "contexts": {"private": true}, "pref": 2},
    "c": {"address": "w@example.org", "pref": 1}},
  "phones": {"p": {"number": "tel:+1-415-555-0142", "features": {"mobile": true}}},
  "links": {"l": {"uri": "https://example.org", "label": "Blog"}},
  "onlineServices": {
    "t": {"service": "Twitter", "uri": "https://twitter.com/ngozi", "user": "ngozi"},
    "m": {"service": "Mastodon", "user": "@ngozi@example.social"}},
  "anniversaries": {
    "x": {"kind": "birth", "date": {"@type": "PartialDate", "month": 3, "day": 5}},
    "y": {"kind": "wedding", "date": {"@type": "Timestamp", "utc": "2011-06-04T00:00:00Z"}}},
  "notes": {"1": {"note": "first"}, "2": {"note": "second"}},
  "keywords": {"tea": true, "regatta": true},
  "preferredLanguages": {"a": {"language": "fr", "pref": 2}, "b": {"language": "ig", "pref": 1}},
  "media": {"m": {"kind": "photo", "uri": "https://example.org/n.png"}},
  "titles": {"t": {"name": "Consultant"}, "r": {"name": "Lead", "kind": "role"}}
}"#,
    );
    assert_eq!((contact.kind, contact.display_name.as_str()), (ContactKind::Organization, "Dr. Ngozi Okafor"));
    assert_eq!((contact.prefix.as_deref(), contact.family_name.as_deref()), (Some("Dr."), Some("Okafor")));
    let channels: Vec<String> = contact
        .channels
        .iter()
        .map(|c| format!("{} {} {:?} {} {}", c.kind, c.value, c.label, c.is_primary, c.preference_order))
        .collect();
    assert_eq!(
        channels,
        [
            "email w@example.org None true 0",
            "email n@example.org Some(\"home\") false 1",
            "phone +1-415-555-0142 Some(\"cell\") false 0",
            "custom @ngozi@example.social Some(\"Mastodon\") false 0",
            "twitter ngozi None false 0",
            "url https://example.org Some(\"Blog\") false 0",
        ]
    );
    let dates: Vec<_> = contact.dates.iter().map(|d| (d.date_type.as_str(), d.year, d.month, d.day)).collect();
    assert_eq!(dates, [("birthday", None, Some(3), Some(5)), ("anniversary", Some(2011), Some(6), Some(4))]);
    assert_eq!(contact.bio.as_deref(), Some("first\n\nsecond"));
    assert_eq!(contact.tags, ["regatta", "tea"]);
    assert_eq!(contact.language.as_deref(), Some("ig"));
    assert_eq!(contact.avatar_url.as_deref(), Some("https://example.org/n.png"));
    assert_eq!(contact.metadata["title"], "Consultant");
    assert_eq!(
        contact.metadata["jscontact"],
        serde_json::json!({
            "preferredLanguages": {"a": {"language": "fr", "pref": 2}},
            "titles": {"r": {"name": "Lead", "kind": "role"}},
        })
    );
}

#[test]
fn lists_groups_and_answers_of_servers_are_understood() {
    let groups = r#"[{"@type": "CardGroup", "uid": "g", "name": "Rowers", "members": {"u1": true}},
        {"@type": "Card", "uid": "u1", "name": {"full": "Ada"}}]"#;
    let parsed = read(groups).unwrap();
    assert_eq!(messages(&parsed), [""; 0]);
    let rowers = &parsed.contacts[0].contact;
    assert_eq!((rowers.kind, rowers.display_name.as_str()), (ContactKind::Group, "Rowers"));
    assert_eq!(rowers.metadata["jscontact"]["members"]["u1"], true);
    assert_eq!(parsed.contacts[1].line, 2);
    let answer =
        "{\"accountId\": \"a\", \"list\": [\n {\"name\": {\"full\": \"Ada\"}},\n {\"name\": {\"full\": \"Bob\"}}]}";
    let lines: Vec<u64> = read(answer).unwrap().contacts.iter().map(|imported| imported.line).collect();
    assert_eq!(lines, [2, 3]);
}

#[test]
fn a_broken_card_costs_itself_and_names_its_line() {
    let text = r#"[
{"name": {"full": "Ada"}},
{"name": {"full": "B\u00",
 "x": oops}},
7,
{"@type": "Event"},
{"emails": {}},
{"uid": "1", "name": {"full": "Eve"}},
{"uid": "1", "name": {"full": "Eve"}}
"#;
    let parsed = read(text).unwrap();
    let names: Vec<&str> = parsed.contacts.iter().map(|c| c.contact.display_name.as_str()).collect();
    assert_eq!(names, ["Ada", "Eve"]);
    assert_eq!(
        messages(&parsed),
        [
            "a.json:3: the JSON is broken: invalid escape; skipped",
            "a.json:5: what stands here is no object; skipped",
            "a.json:6: what stands here is no Card but a \"Event\"; skipped",
            "a.json:7: the card has no name and nothing else to call the contact by; skipped",
            "a.json:9: the uid \"1\" was used in line 8 already; skipped",
            "a.json:9: the list of cards has no end; what is missing here was lost; skipped",
        ]
    );
    assert_eq!((parsed.rows, parsed.skipped()), (8, 6));
}

#[test]
fn bad_values_are_kept_with_a_warning() {
    let parsed = read(
        r#"{"name": {"full": "Ada"}, "uid": 5, "notes": [], "kind": "robot",
            "emails": {"a": {"address": 7}, "b": "x", "c": {"address": "not an address"}},
            "anniversaries": {"d": {"kind": "birth", "date": {"year": 1990, "month": 2, "day": 31}}, "e": {}},
            "onlineServices": {"f": {"service": "x"}}, "worktruck.github.io:more": {"channels": 1}}"#,
    )
    .unwrap();
    assert_eq!(
        messages(&parsed),
        [
            "a.json:1: uid is not a text; kept in metadata",
            "a.json:1: emails/a has no address; kept in metadata",
            "a.json:1: emails/b is not an object; kept in metadata",
            "a.json:1: onlineServices/f has neither uri nor user; kept in metadata",
            "a.json:1: anniversaries/d is not a day of the calendar; kept in metadata",
            "a.json:1: anniversaries/e has no kind; kept in metadata",
            "a.json:1: notes is not an object; kept in metadata",
            "a.json:1: worktruck.github.io:more is not written as an export writes it; kept in metadata",
            "a.json:1: email: \"not an address\" is not an e-mail address; kept in metadata",
        ]
    );
    let contact = &parsed.contacts[0].contact;
    assert_eq!(contact.metadata["email"], "not an address");
    assert_eq!(contact.metadata["jscontact"]["uid"], 5);
    assert_eq!(contact.metadata["jscontact"]["kind"], "robot");
    assert_eq!(contact.metadata["jscontact"]["emails"]["a"]["address"], 7);
    assert_eq!(contact.metadata["worktruck.github.io:more"], "{\"channels\":1}");
}

#[test]
fn files_with_nothing_usable_say_why() {
    let deep = format!("[{}", "[".repeat(100_000));
    for (text, expected) in [
        ("[]", "a.json:1: the file has no contacts"),
        ("\n\nhello", "a.json:3: the file is not JSON"),
        ("{\"name\": \n{\"full\": }}", "a.json:2: the JSON is broken: expected value"),
        (&deep, "a.json:1: nothing in the file can be used"),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn nul_characters_are_left_out() {
    let contact =
        only(r#"{"name": {"full": "A\u0000da"}, "x\u0000": ["\u0000y"], "phones": {"a": {"number": "1\u00002"}}}"#);
    assert_eq!(contact.display_name, "Ada");
    assert_eq!(contact.metadata["jscontact"]["x"][0], "y");
    assert_eq!((contact.channels[0].kind, contact.channels[0].value.as_str()), (ChannelKind::Phone, "12"));
}

const CARD: &str = r#"[{"@type":"Card","uid":"u1","name":{"full":"Ada","components":[{"kind":"given","value":"Ada"}]},
"emails":{"e":{"address":"a@b.org","contexts":{"work":true},"pref":1}},
"addresses":{"a":{"components":[{"kind":"name","value":"x"}],
"coordinates":"geo:1,2","full":"y"}},"anniversaries":{"d":{"kind":"birth","date":{"year":1990}}},"keywords":{"k":true},
"worktruck.github.io:metadata":{"a":1},
"worktruck.github.io:more":{"channels":[[0,{"label":["work","Work"]}],[null,{"type":"phone","value":"1"}]]}},
{"name":{"full":"Bob"}}]"#;

proptest! {
    #[test]
    fn damaged_cards_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0..3_u8), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut chars: Vec<char> = CARD.chars().collect();
        for (at, char, edit) in edits {
            let at = at.index(chars.len());
            match edit {
                0 => chars[at] = char,
                1 => chars.insert(at, ['"', '{', '}', '[', ']', ',', ':', '1'][u32::from(char) as usize % 8]),
                _ => drop(chars.remove(at)),
            }
        }
        let text: String = chars.iter().collect();
        for text in [text.as_str(), &chars[..cut.index(chars.len())].iter().collect::<String>()] {
            if let Ok(parsed) = read(text) {
                prop_assert_eq!(parsed.rows, parsed.contacts.len() + parsed.skipped());
            }
        }
    }
}
