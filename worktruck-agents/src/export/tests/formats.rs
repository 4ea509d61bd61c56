//! What the files look like, and what else is promised of them.

use serde_json::json;
use worktruck_core::ErrorKind;
use worktruck_core::ItemId;
use worktruck_core::entity::contact::{Address, Channel, ChannelKind, ContactDate, ContactKind};

use super::*;

fn item(number: u128) -> ItemId {
    ItemId::from_uuid(Uuid::from_u128(number))
}

fn ada() -> Contact {
    let channel = |number, kind, value: &str, label: &str| Channel {
        label: (!label.is_empty()).then(|| label.to_owned()),
        ..Channel::new(item(number), kind, value)
    };
    let mut contact = Contact {
        display_name: "Ada Lovelace".to_owned(),
        given_name: Some("Ada".to_owned()),
        family_name: Some("Lovelace".to_owned()),
        nickname: Some("Countess".to_owned()),
        bio: Some("Wrote notes;\nthe first, of many.".to_owned()),
        language: Some("en".to_owned()),
        timezone: Some("Europe/London".to_owned()),
        avatar_url: Some("https://example.org/ada.png".to_owned()),
        tags: vec!["maths".to_owned(), "of note, twice".to_owned()],
        channels: vec![
            channel(1, ChannelKind::Email, "ada@example.org", "work"),
            channel(2, ChannelKind::Phone, "+442079460958", "Boat"),
            channel(3, ChannelKind::Twitter, "@ada", ""),
            channel(4, ChannelKind::Custom, "M-17", "identifier"),
        ],
        addresses: vec![Address {
            label: Some("home".to_owned()),
            street: Some("12 St James's Square".to_owned()),
            city: Some("London".to_owned()),
            country_code: Some("GB".to_owned()),
            latitude: Some(51.5),
            longitude: Some(-0.14),
            ..Address::new(item(5))
        }],
        dates: vec![
            ContactDate {
                id: item(6),
                date_type: "birthday".to_owned(),
                label: None,
                year: None,
                month: Some(12),
                day: Some(10),
            },
            ContactDate {
                id: item(7),
                date_type: "anniversary".to_owned(),
                label: None,
                year: Some(1835),
                month: Some(7),
                day: Some(8),
            },
        ],
        ..Contact::default()
    };
    contact.channels[0].is_primary = true;
    contact.channels[1].is_verified = true;
    contact.metadata.insert("organization".to_owned(), json!("Engines Ltd"));
    contact.metadata.insert("shoe size".to_owned(), json!(38));
    contact.normalise(None).unwrap();
    contact
}

#[test]
fn version_3_of_a_small_contact() {
    let expected = "BEGIN:VCARD
VERSION:3.0
FN:Ada Lovelace
N:Lovelace;Ada;;;
NICKNAME:Countess
ORG:Engines Ltd
EMAIL;TYPE=INTERNET,WORK,PREF:ada@example.org
item1.TEL;X-WORKTRUCK-VERIFIED=TRUE:+442079460958
item1.X-ABLabel:Boat
X-SOCIALPROFILE;X-USER=@ada;TYPE=TWITTER:https://twitter.com/ada
item2.X-WORKTRUCK-CHANNEL:M-17
item2.X-ABLabel:identifier
item3.ADR;X-WORKTRUCK-GEO=\"geo:51.5,-0.14\";TYPE=HOME:;;12 St James's Square
 ;London;;;
item3.X-ABADR:gb
BDAY;X-APPLE-OMIT-YEAR=1604:1604-12-10
item4.X-ABDATE:1835-07-08
item4.X-ABLabel:_$!<Anniversary>!$_
NOTE:Wrote notes\\;\\nthe first\\, of many.
CATEGORIES:maths,of note\\, twice
X-WORKTRUCK-LANGUAGE:en
TZ;VALUE=text:Europe/London
PHOTO;VALUE=uri:https://example.org/ada.png
UID:urn:uuid:0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d
X-WORKTRUCK-METADATA:{\"shoe size\":38}
END:VCARD
";
    assert_eq!(export(Format::Vcard3, &[ada()]), expected.replace('\n', "\r\n"));
}

#[test]
fn version_4_of_a_small_contact() {
    let expected = "BEGIN:VCARD
VERSION:4.0
FN:Ada Lovelace
N:Lovelace;Ada;;;
NICKNAME:Countess
ORG:Engines Ltd
EMAIL;TYPE=work;PREF=1:ada@example.org
item1.TEL;X-WORKTRUCK-VERIFIED=TRUE:+442079460958
item1.X-ABLabel:Boat
SOCIALPROFILE;SERVICE-TYPE=Twitter;USERNAME=@ada:https://twitter.com/ada
item2.X-WORKTRUCK-CHANNEL:M-17
item2.X-ABLabel:identifier
ADR;GEO=\"geo:51.5,-0.14\";CC=GB;TYPE=home:;;12 St James's Square;London;;;
BDAY:--1210
ANNIVERSARY:18350708
NOTE:Wrote notes\\;\\nthe first\\, of many.
CATEGORIES:maths,of note\\, twice
LANG;PREF=1:en
TZ:Europe/London
PHOTO;VALUE=uri:https://example.org/ada.png
UID:urn:uuid:0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d
X-WORKTRUCK-METADATA:{\"shoe size\":38}
END:VCARD
";
    assert_eq!(export(Format::Vcard4, &[ada()]), expected.replace('\n', "\r\n"));
}

#[test]
fn csv_of_a_small_contact() {
    let text = export(Format::Csv, &[ada()]);
    let mut rows = ::csv::Reader::from_reader(text.as_bytes());
    let header = rows.headers().unwrap().clone();
    let row = rows.records().next().unwrap().unwrap();
    let filled: Vec<String> = header
        .iter()
        .zip(&row)
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(name, cell)| format!("{name}={cell}"))
        .collect();
    assert_eq!(
        filled,
        [
            "uid=urn:uuid:0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d",
            "kind=person",
            "display_name=Ada Lovelace",
            "given_name=Ada",
            "family_name=Lovelace",
            "nickname=Countess",
            "organization=Engines Ltd",
            "email=ada@example.org",
            "email_label=work",
            "phone=+442079460958",
            "phone_label=Boat",
            "twitter=@ada",
            "identifier=M-17",
            "address_label=home",
            "street=12 St James's Square",
            "city=London",
            "country_code=GB",
            "latitude=51.5",
            "longitude=-0.14",
            "birthday=--12-10",
            "anniversary=1835-07-08",
            "language=en",
            "timezone=Europe/London",
            "avatar_url=https://example.org/ada.png",
            "tags=maths; of note, twice",
            "note=Wrote notes;\nthe first, of many.",
            "metadata={\"shoe size\":38}",
            "worktruck_more={\"channels\":[[0,{\"is_primary\":[false,true]}],[1,{\"is_verified\":[false,true]}],2,3]}",
        ]
    );
    assert!(text.starts_with("uid,kind,display_name,") && text.ends_with("\r\n"));
}

#[test]
fn jscontact_of_a_small_contact() {
    let cards: Value = serde_json::from_str(&export(Format::JsContact, &[ada()])).unwrap();
    let expected = json!([{
        "@type": "Card",
        "version": "1.0",
        "uid": "urn:uuid:0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d",
        "name": {
            "full": "Ada Lovelace",
            "components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "Lovelace"}],
        },
        "nicknames": {"n1": {"name": "Countess", "pref": 1}},
        "organizations": {"o1": {"name": "Engines Ltd"}},
        "emails": {"c1": {"address": "ada@example.org", "contexts": {"work": true}, "pref": 1}},
        "phones": {"c2": {"number": "+442079460958", "label": "Boat", "worktruck.github.io:verified": true}},
        "onlineServices": {
            "c3": {"service": "Twitter", "uri": "https://twitter.com/ada", "user": "@ada"},
            "c4": {"service": "identifier", "user": "M-17"},
        },
        "addresses": {"a1": {
            "components": [{"kind": "name", "value": "12 St James's Square"}, {"kind": "locality", "value": "London"}],
            "countryCode": "GB",
            "coordinates": "geo:51.5,-0.14",
            "contexts": {"private": true},
        }},
        "anniversaries": {
            "d1": {"kind": "birth", "date": {"@type": "PartialDate", "month": 12, "day": 10}},
            "d2": {"kind": "wedding", "date": {"@type": "PartialDate", "year": 1835, "month": 7, "day": 8}},
        },
        "notes": {"b1": {"note": "Wrote notes;\nthe first, of many."}},
        "keywords": {"maths": true, "of note, twice": true},
        "preferredLanguages": {"l1": {"language": "en", "pref": 1}},
        "media": {"m1": {"kind": "photo", "uri": "https://example.org/ada.png"}},
        "worktruck.github.io:timezone": "Europe/London",
        "worktruck.github.io:metadata": {"shoe size": 38},
    }]);
    assert_eq!(cards, expected);
}

#[test]
fn many_contacts_and_none_make_a_file() {
    let named = |name: &str| Contact { display_name: name.to_owned(), kind: ContactKind::Group, ..Contact::default() };
    let mut people = [named("Ann"), named("Bob")];
    people[1].vcard_uid = Some("two".to_owned());
    for format in FORMATS {
        let parsed = read(format.read_as(), &export(format, &people));
        let names: Vec<&str> = parsed.contacts.iter().map(|c| c.contact.display_name.as_str()).collect();
        assert_eq!(names, ["Ann", "Bob"], "{format:?}");
        assert_eq!(parsed.problems, [], "{format:?}");
    }
    assert_eq!(export(Format::JsContact, &[]), "[\n]\n");
    assert_eq!(export(Format::Vcard3, &[]), "");
    assert!(export(Format::Csv, &[]).starts_with("uid,"));
}

#[test]
fn a_change_made_elsewhere_wins_over_what_was_meant() {
    let contact =
        Contact { display_name: "  Ada  ".to_owned(), nickname: Some(" Lo".to_owned()), ..Contact::default() };
    let text = export(Format::Vcard3, &[contact]);
    assert!(text.contains("FN:Ada\r\n") && text.contains("X-WORKTRUCK-MORE"), "{text}");
    let parsed = read(import::Format::Vcard, &text.replace("FN:Ada", "FN:Ada King"));
    assert_eq!(parsed.contacts[0].contact.display_name, "Ada King");
    assert_eq!(parsed.contacts[0].contact.nickname.as_deref(), Some(" Lo"), "what nobody changed is as it was");
}

#[test]
fn channels_that_were_added_or_removed_elsewhere_are() {
    let mut contact = ada();
    contact.channels[1].label = Some(" Boat".to_owned());
    let text = export(Format::Vcard3, &[contact]);
    assert!(text.contains("X-WORKTRUCK-MORE"), "{text}");
    let text = text.replace("NOTE:", "EMAIL:new@example.org\r\nNOTE:");
    let found = &read(import::Format::Vcard, &text).contacts[0].contact.channels;
    assert!(found.iter().any(|channel| channel.value == "new@example.org"));
    assert_eq!(found[1].label.as_deref(), Some(" Boat"));
    let gone = text.replace("EMAIL;TYPE=INTERNET,WORK,PREF:ada@example.org\r\n", "");
    let found = &read(import::Format::Vcard, &gone).contacts[0].contact.channels;
    assert!(!found.iter().any(|channel| channel.value == "ada@example.org"), "{found:?}");
}

#[test]
fn metadata_as_large_as_a_picture_survives() {
    let mut contact = ada();
    contact.metadata.insert("vcard".to_owned(), json!([format!("PHOTO;ENCODING=b:{}", "ABCD".repeat(1 << 17))]));
    for format in FORMATS {
        let parsed = read(format.read_as(), &export(format, std::slice::from_ref(&contact)));
        assert!(parsed.contacts[0].contact.metadata == contact.metadata, "{format:?}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in FORMATS {
        let error = write(format, [(ID.parse().unwrap(), ada())], Full).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn formats_have_names() {
    for (name, format) in [("vcard", Format::Vcard3), ("vcard4", Format::Vcard4), ("csv", Format::Csv)] {
        assert_eq!(name.parse::<Format>().unwrap(), format);
    }
    assert_eq!("xml".parse::<Format>().unwrap_err().kind(), ErrorKind::InvalidRequest);
    for format in FORMATS {
        let text = export(format, &[ada()]);
        assert_eq!(import::Format::detect("file", text.as_bytes()), format.read_as());
        assert_eq!(import::Format::of_media_type(format.media_type()), Some(format.read_as()));
    }
}
