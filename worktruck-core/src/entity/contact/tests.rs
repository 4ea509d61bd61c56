use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::ErrorKind;
use crate::entity::Term;

fn id(n: u128) -> ItemId {
    ItemId::from_uuid(Uuid::from_u128(n))
}

fn region(code: &str) -> Option<Region> {
    (!code.is_empty()).then(|| code.parse().unwrap())
}

fn channel(kind: ChannelKind, value: &str) -> Channel {
    Channel::new(id(value.bytes().fold(7, |n, b| (n * 31 + u128::from(b)) % (1 << 100))), kind, value)
}

fn named(name: &str) -> Contact {
    Contact { display_name: name.to_owned(), ..Contact::default() }
}

fn date(year: Option<u16>, month: Option<u8>, day: Option<u8>) -> ContactDate {
    ContactDate { id: id(1), date_type: "birthday".to_owned(), label: None, year, month, day }
}

#[test]
fn phones_become_e164_where_they_parse() {
    for (value, code, expected) in [
        ("(415) 555-0100", "US", "+14155550100"),
        ("1-415-555-0100", "US", "+14155550100"),
        ("+1 415.555.0100", "", "+14155550100"),
        ("+1 415 555 0100 ext. 12", "DE", "+14155550100"),
        ("415 555 0100 x12", "US", "+14155550100"),
        ("tel:+1-415-555-0100;ext=12", "", "+14155550100"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("+44 (0)20 7946 0958", "US", "+442079460958"),
        ("0044 20 7946 0958", "DE", "+442079460958"),
        ("011 44 20 7946 0958", "US", "+442079460958"),
        ("030 901820", "DE", "+4930901820"),
        ("0049 (0)30/90 18 20", "FR", "+4930901820"),
        ("06 698 12345", "IT", "+390669812345"),
        ("+39 06 698 12345", "US", "+390669812345"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("8 727 258 1234", "KZ", "+77272581234"),
        ("8 800 080 5500", "KZ", "+78000805500"),
        ("８００ ５５５ ０１００", "US", "+18005550100"),
        ("٠٢٠ ٧٩٤٦ ٠٩٥٨", "GB", "+442079460958"),
    ] {
        assert_eq!(canonical_value(ChannelKind::Phone, value, region(code)), expected, "{value} in {code:?}");
    }
}

#[test]
fn other_phones_keep_their_digits() {
    for (value, code, expected) in [
        ("(415) 555-0100", "", "4155550100"),
        ("911", "US", "911"),
        ("555-0100", "US", "5550100"),
        ("+999 123", "US", "+999123"),
        ("*31#", "US", "*31#"),
        ("ext. 4711", "", "4711"),
        (" Front  Desk ", "", "front desk"),
        ("", "US", ""),
    ] {
        assert_eq!(canonical_value(ChannelKind::Phone, value, region(code)), expected, "{value} in {code:?}");
    }
}

#[test]
fn other_channels_have_one_spelling() {
    use ChannelKind::{Custom, Email, Linkedin, Twitter, Url};
    for (kind, value, expected) in [
        (Email, " Ada@Example.ORG\t", "ada@example.org"),
        (Email, "MAILTO:ada+x@example.org", "ada+x@example.org"),
        (Email, "Jürgen@Müller.DE", "jürgen@müller.de"),
        (Url, "Example.ORG", "https://example.org"),
        (Url, "HTTP://User@Example.org:80/", "http://User@example.org"),
        (Url, "https://example.org:443/A/b/?Q=1#F", "https://example.org/A/b/?Q=1#F"),
        (Url, "example.org:8080/x", "https://example.org:8080/x"),
        (Url, "//example.org/x", "https://example.org/x"),
        (Url, "URN:isbn:0451450523", "urn:isbn:0451450523"),
        (Twitter, "@Ada_L", "ada_l"),
        (Twitter, "https://twitter.com/Ada_L?s=20", "ada_l"),
        (Twitter, "www.x.com/@Ada_L/", "ada_l"),
        (Twitter, "notx.com", "notx.com"),
        (Linkedin, "https://uk.linkedin.com/in/Ada-L/?trk=x", "in/ada-l"),
        (Linkedin, "Ada-L", "in/ada-l"),
        (Linkedin, "linkedin.com/company/Engines", "company/engines"),
        (Custom, "  AB  12\n3 ", "AB 12 3"),
    ] {
        assert_eq!(canonical_value(kind, value, None), expected, "{kind} {value:?}");
    }
}

#[test]
fn what_is_wrong_is_named_by_kind_and_pointer() {
    let long = "ä".repeat(513);
    let good = |value: serde_json::Value| {
        let mut body = json!({"display_name": "Ada"});
        body.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        body
    };
    let chan = |n: u128, kind: &str, value: &str| json!({"id": id(n), "type": kind, "value": value});
    let day = |n: u128, rest: serde_json::Value| {
        let mut body = json!({"id": id(n), "date_type": "birthday"});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    };
    for (body, pointer) in [
        (json!({}), "/display_name"),
        (json!({"display_name": " \t"}), "/display_name"),
        (json!({"display_name": long}), "/display_name"),
        (json!({"display_name": "a\0b"}), "/display_name"),
        (good(json!({"nickname": long})), "/nickname"),
        (good(json!({"bio": "a\0b"})), "/bio"),
        (good(json!({"bio": "x".repeat((1 << 20) + 1)})), "/bio"),
        (good(json!({"avatar_url": "not a url"})), "/avatar_url"),
        (good(json!({"language": "  "})), "/language"),
        (good(json!({"timezone": "Europe/New York"})), "/timezone"),
        (
            good(json!({"channels": [chan(1, "email", "ada@example.org"), chan(2, "email", "ada")]})),
            "/channels/1/value",
        ),
        (good(json!({"channels": [chan(1, "email", "Ada <ada@example.org>")]})), "/channels/0/value"),
        (good(json!({"channels": [chan(1, "email", "a@b@c.org")]})), "/channels/0/value"),
        (good(json!({"channels": [chan(1, "email", "a@b..org")]})), "/channels/0/value"),
        (good(json!({"channels": [chan(1, "email", "@b.org")]})), "/channels/0/value"),
        (good(json!({"channels": [chan(1, "phone", "ask Ada")]})), "/channels/0/value"),
        (good(json!({"channels": [chan(1, "url", "http://")]})), "/channels/0/value"),
        (good(json!({"channels": [chan(1, "url", "a b")]})), "/channels/0/value"),
        (good(json!({"channels": [chan(1, "twitter", "@")]})), "/channels/0/value"),
        (good(json!({"channels": [chan(1, "custom", "  ")]})), "/channels/0/value"),
        (good(json!({"channels": [chan(1, "custom", &long)]})), "/channels/0/value"),
        (good(json!({"channels": [chan(1, "email", "a@b.org"), chan(1, "email", "b@b.org")]})), "/channels/1/id"),
        (good(json!({"addresses": [{"id": id(1), "city": "a\0"}]})), "/addresses/0/city"),
        (good(json!({"addresses": [{"id": id(1), "country_code": "USA"}]})), "/addresses/0/country_code"),
        (good(json!({"addresses": [{"id": id(1), "latitude": 90.5}]})), "/addresses/0/latitude"),
        (good(json!({"addresses": [{"id": id(1), "longitude": -181.0}]})), "/addresses/0/longitude"),
        (good(json!({"dates": [day(1, json!({}))]})), "/dates/0"),
        (good(json!({"dates": [day(1, json!({"year": 0}))]})), "/dates/0/year"),
        (good(json!({"dates": [day(1, json!({"year": 10000}))]})), "/dates/0/year"),
        (good(json!({"dates": [day(1, json!({"month": 13}))]})), "/dates/0/month"),
        (good(json!({"dates": [day(1, json!({"month": 0, "day": 1}))]})), "/dates/0/month"),
        (good(json!({"dates": [day(1, json!({"year": 1990, "month": 2, "day": 31}))]})), "/dates/0/day"),
        (good(json!({"dates": [day(1, json!({"year": 1990, "month": 2, "day": 29}))]})), "/dates/0/day"),
        (good(json!({"dates": [day(1, json!({"year": 1900, "month": 2, "day": 29}))]})), "/dates/0/day"),
        (good(json!({"dates": [day(1, json!({"month": 4, "day": 31}))]})), "/dates/0/day"),
        (good(json!({"dates": [day(1, json!({"year": 1990, "day": 3}))]})), "/dates/0/day"),
        (good(json!({"dates": [day(1, json!({"day": 32}))]})), "/dates/0/day"),
        (good(json!({"dates": [{"id": id(1), "date_type": "", "year": 1990}]})), "/dates/0/date_type"),
        (good(json!({"tags": ["a", " "]})), "/tags/1"),
        (good(json!({"metadata": {"a/b": ["x", "y\0"]}})), "/metadata/a~1b/1"),
        (good(json!({"metadata": {"a": {"k\0": 1}}})), "/metadata/a"),
    ] {
        let mut contact: Contact = serde_json::from_value(body).unwrap();
        let error = contact.normalise(None).unwrap_err();
        assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some(pointer)), "{error}");
    }
}

#[test]
fn partial_dates_of_rfc_6350_are_accepted() {
    for (year, month, day) in [
        (Some(1990), Some(12), Some(31)),
        (Some(2000), Some(2), Some(29)),
        (Some(1990), Some(2), None),
        (Some(1990), None, None),
        (None, Some(2), Some(29)),
        (None, Some(12), None),
        (None, None, Some(31)),
    ] {
        let mut contact = Contact { dates: vec![date(year, month, day)], ..named("Ada") };
        assert!(contact.normalise(None).is_ok(), "{year:?}-{month:?}-{day:?}");
    }
}

#[test]
fn a_place_must_be_a_number_on_the_globe() {
    let mut address: Address = serde_json::from_value(json!({"id": id(1), "country_code": "de"})).unwrap();
    address.latitude = Some(f64::NAN);
    let mut contact = Contact { addresses: vec![address], ..named("Ada") };
    assert_eq!(contact.normalise(None).unwrap_err().pointer(), Some("/addresses/0/latitude"));
    contact.addresses[0].latitude = Some(-90.0);
    contact.normalise(None).unwrap();
    assert_eq!(contact.addresses[0].country_code.as_deref(), Some("DE"));
}

#[test]
fn a_channel_that_is_spelled_twice_conflicts() {
    let mut contact = named("Ada");
    contact.channels = vec![
        channel(ChannelKind::Phone, "+1 415 555 0100"),
        channel(ChannelKind::Email, "ada@example.org"),
        channel(ChannelKind::Phone, "(415) 555-0100"),
    ];
    let error = contact.normalise(region("US")).unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::Conflict, Some("/channels/2/value")));
    contact.normalise(None).unwrap();
}

#[test]
fn custom_channels_are_told_apart_by_their_label() {
    let labelled = |n, label: Option<&str>| Channel {
        label: label.map(str::to_owned),
        ..Channel::new(id(n), ChannelKind::Custom, "ada")
    };
    let mut contact = named("Ada");
    contact.channels = vec![labelled(1, Some("skype")), labelled(2, Some("telegram")), labelled(3, None)];
    contact.normalise(None).unwrap();
    contact.channels.push(labelled(4, Some("skype")));
    assert_eq!(contact.normalise(None).unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn one_channel_of_each_type_is_primary() {
    let mut contact = named("Ada");
    contact.channels = vec![
        channel(ChannelKind::Email, "a@example.org"),
        channel(ChannelKind::Email, "b@example.org"),
        channel(ChannelKind::Phone, "+14155550100"),
    ];
    contact.channels[1].is_primary = true;
    contact.channels[2].is_primary = true;
    contact.normalise(None).unwrap();
    contact.channels[0].is_primary = true;
    assert_eq!(contact.normalise(None).unwrap_err().pointer(), Some("/channels/1/is_primary"));
}

#[test]
fn tags_are_trimmed_sorted_and_kept_once() {
    let mut contact = named(" Ada ");
    contact.tags = ["b", " a ", "a", "B"].map(str::to_owned).to_vec();
    contact.normalise(None).unwrap();
    assert_eq!(contact.tags, ["B", "a", "b"]);
    assert_eq!(contact.display_name, " Ada ", "names are kept as they are");
}

#[test]
fn the_index_holds_what_a_contact_is_found_by() {
    let mut contact = named("Ada Lovelace");
    contact.vcard_uid = Some("urn:uuid:1".to_owned());
    contact.nickname = Some("Countess".to_owned());
    contact.bio = Some("First programmer".to_owned());
    contact.tags = vec!["maths".to_owned()];
    contact.channels =
        vec![channel(ChannelKind::Email, "Ada@Example.org"), channel(ChannelKind::Phone, "020 7946 0958")];
    contact.normalise(region("GB")).unwrap();
    let index = contact.index();
    assert_eq!(
        index.terms,
        [
            Term::new("channel:email", "ada@example.org"),
            Term::new("channel:phone", "+442079460958"),
            Term::new("kind", "person"),
            Term::new("tag", "maths"),
            Term::new("vcard_uid", "urn:uuid:1"),
        ]
    );
    assert_eq!(index.sort, [("display_name", "ada lovelace".to_owned())]);
    assert_eq!(
        contact.texts().joined(),
        "Ada Lovelace\nCountess\nAda@Example.org\nada@example.org\n020 7946 0958\n+442079460958\nFirst programmer"
    );
}

#[test]
fn regions_are_those_with_a_numbering_plan() {
    assert_eq!("us".parse::<Region>().unwrap().to_string(), "US");
    for bad in ["", "U", "USA", "ZZ", "12", "UK", "ß", "001"] {
        assert_eq!(bad.parse::<Region>().unwrap_err().kind(), ErrorKind::InvalidRequest, "{bad}");
    }
    assert_eq!(serde_json::to_value("DE".parse::<Region>().unwrap()).unwrap(), json!("DE"));
    assert!(serde_json::from_value::<Region>(json!("QQ")).is_err());
}

fn kinds() -> impl Strategy<Value = ChannelKind> {
    use ChannelKind::{Custom, Email, Linkedin, Phone, Twitter, Url};
    prop::sample::select(vec![Email, Phone, Url, Twitter, Linkedin, Custom])
}

/// Values that resemble the real ones often enough to reach every branch.
fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[+0-9() ./xA-Z-]{0,24}",
        "(https?://|mailto:|tel:|@)?(www.)?[a-zA-Z.@:]{0,12}[/?#@a-z:]{0,6}"
    ]
}

proptest! {
    #[test]
    fn a_canonical_value_is_its_own(kind in kinds(), value in values(), code in prop::sample::select(vec!["", "US", "DE", "IT"])) {
        let mut contact = Contact { channels: vec![channel(kind, &value)], ..named("Ada") };
        if contact.normalise(region(code)).is_ok() {
            let once = &contact.channels[0].canonical_value;
            prop_assert_eq!(&canonical_value(kind, once, region(code)), once);
        }
    }

    #[test]
    fn a_normalised_contact_stays_as_it_is(kind in kinds(), value in values(), tag in any::<String>()) {
        let mut contact = named("Ada");
        contact.channels = vec![channel(kind, &value)];
        contact.tags = vec![tag];
        if contact.normalise(region("US")).is_ok() {
            let once = contact.clone();
            contact.normalise(region("US")).unwrap();
            prop_assert_eq!(contact, once);
        }
    }
}
