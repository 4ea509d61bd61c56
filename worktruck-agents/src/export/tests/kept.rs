//! What an import kept is written again, and what became part of a contact is not written twice.

use serde_json::json;

use super::*;

const APPLE: &str = "BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//iPhone OS 17.5//EN
N:Okoro;Chidi;;;
FN:Chidi Okoro
item1.ORG:Harbour;Cardiology
item1.X-NOTE-TO-SELF:ask again
EMAIL;type=INTERNET;type=HOME;type=pref:chidi@example.net
item2.TEL;type=pref:+1 415 555 0100
item2.X-ABLabel:Boat
item3.ADR;type=HOME:;;12 Mill Lane\\nBack door;Oakland;CA;94607;United States
item3.X-ABADR:us
item4.X-ABRELATEDNAMES;type=pref:Ngozi
item4.X-ABLabel:_$!<Spouse>!$_
item5.X-ABDATE:2011-06-04
item5.X-ABLabel:_$!<Anniversary>!$_
BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29
X-SOCIALPROFILE;type=twitter;x-user=chidi:http://twitter.com/chidi
X-SOCIALPROFILE;type=flickr:http://www.flickr.com/photos/chidi
IMPP;X-SERVICE-TYPE=Jabber;type=HOME:xmpp:chidi@example.net
PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJ
 CQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL=
END:VCARD
";
const GOOGLE: &str = "BEGIN:VCARD
VERSION:3.0
FN:Mira Öberg
N:Öberg;Mira;;;
EMAIL;TYPE=INTERNET:mira@example.se
item1.TEL:+46 70 123 45 67
item1.X-ABLabel:
item2.URL:https\\://example.se/mira
item2.X-ABLabel:PROFILE
X-PHONETIC-FIRST-NAME:Meera
GENDER:F
RELATED;TYPE=friend:urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af
GEO:59.33;18.06
TZ:+01:00
NOTE:Värd att minnas\\, säger hon\\; alltid.
PHOTO;VALUE=URI:https://example.se/mira.jpg
CATEGORIES:myContacts
END:VCARD
";
const OUTLOOK: &str = "BEGIN:VCARD
VERSION:2.1
N;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=FCrgen
FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen=20=
M=C3=BCller
NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:eins=0D=0A=
zwei=3D
TEL;WORK;VOICE:030 901820
TEL;CELL;PREF:+49 151 23456789
X-MS-TEXT;CUSTOM:Kundennummer 17
LABEL;WORK;ENCODING=QUOTED-PRINTABLE:Hafenstra=DFe 5=0D=0A=
Berlin
X-MS-OL-DESIGN;CHARSET=utf-8:<card xmlns=\"http://schemas.example/card\"/>
PHOTO;TYPE=JPEG;ENCODING=BASE64:
 /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJ

END:VCARD
";

/// The metadata, parsed from `text` and written and parsed again in each format.
fn check(text: &str) -> Contact {
    let first = read(import::Format::Vcard, text);
    let contact = first.contacts[0].contact.clone();
    for format in FORMATS {
        let again = read(format.read_as(), &export(format, std::slice::from_ref(&contact)));
        assert_eq!(again.problems, [], "{format:?}");
        let mut expected = contact.clone();
        expected.vcard_uid.get_or_insert_with(|| format!("urn:uuid:{ID}"));
        assert_eq!(plain(&again.contacts[0].contact), plain(&expected), "{format:?}");
    }
    for line in contact.metadata.get("vcard").and_then(Value::as_array).into_iter().flatten() {
        let written = format!("\r\n{}\r\n", line.as_str().unwrap());
        for format in [Format::Vcard3, Format::Vcard4] {
            let text = export(format, std::slice::from_ref(&contact)).replace("\r\n ", "");
            assert_eq!(text.matches(&written).count(), 1, "{written:?} in {text}");
        }
    }
    contact
}

fn kept(contact: &Contact) -> Vec<&str> {
    contact.metadata["vcard"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

#[test]
fn a_card_of_apple() {
    for text in [APPLE.to_owned(), APPLE.replace('\n', "\r\n")] {
        let contact = check(&text);
        let values: Vec<&str> = contact.channels.iter().map(|channel| channel.value.as_str()).collect();
        assert_eq!(values, ["chidi@example.net", "+1 415 555 0100", "http://twitter.com/chidi"]);
        assert_eq!(contact.channels[1].label.as_deref(), Some("Boat"));
        assert_eq!(contact.addresses[0].country_code.as_deref(), Some("US"));
        assert_eq!(contact.addresses[0].street.as_deref(), Some("12 Mill Lane\nBack door"));
        let kept = kept(&contact);
        for line in [
            "item1.ORG:Harbour;Cardiology",
            "item1.X-NOTE-TO-SELF:ask again",
            "item4.X-ABRELATEDNAMES;type=pref:Ngozi",
            "item4.X-ABLabel:_$!<Spouse>!$_",
            "X-SOCIALPROFILE;type=flickr:http://www.flickr.com/photos/chidi",
            "IMPP;X-SERVICE-TYPE=Jabber;type=HOME:xmpp:chidi@example.net",
        ] {
            assert!(kept.contains(&line), "{line} in {kept:?}");
        }
        assert_eq!(kept.len(), 8, "{kept:?}");
        let text = export(Format::Vcard3, &[contact]);
        assert_eq!(text.matches("ORG:").count(), 1, "the kept one says it: {text}");
    }
}

#[test]
fn a_card_of_google() {
    for text in [GOOGLE.to_owned(), GOOGLE.replace('\n', "\r\n")] {
        let contact = check(&text);
        assert_eq!(contact.avatar_url.as_deref(), Some("https://example.se/mira.jpg"));
        assert_eq!(contact.channels[1].label, None);
        assert_eq!(contact.channels[2].label.as_deref(), Some("PROFILE"));
        assert_eq!(contact.timezone, None, "an offset is no time zone");
        assert_eq!(kept(&contact).len(), 5, "{:?}", kept(&contact));
    }
}

#[test]
fn a_card_of_outlook() {
    for text in [OUTLOOK.to_owned(), OUTLOOK.replace('\n', "\r\n")] {
        let contact = check(&text);
        assert_eq!((contact.display_name.as_str(), contact.given_name.as_deref()), ("Jürgen Müller", Some("Jürgen")));
        assert_eq!(contact.bio.as_deref(), Some("eins\nzwei="));
        assert_eq!(contact.channels[1].label.as_deref(), Some("cell"));
        assert_eq!(kept(&contact).len(), 4, "{:?}", kept(&contact));
    }
}

#[test]
fn our_own_fixtures() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for name in ["apple.vcf", "google.vcf", "version4.vcf"] {
        check(&std::fs::read_to_string(folder.join(name)).unwrap());
    }
}

#[test]
fn what_is_no_longer_true_does_not_come_back() {
    let text = "BEGIN:VCARD\nFN:Ada\nTEL;X-SIM=2:+1 415 555 0100\nADR;PID=1:;;1 Street;;;;\nX-A:b\nEND:VCARD\n";
    let mut contact = check(text);
    assert_eq!(kept(&contact).len(), 3);
    contact.channels.clear();
    contact.addresses[0].street = Some("2 Road".to_owned());
    for format in FORMATS {
        let text = export(format, std::slice::from_ref(&contact));
        let again = &read(format.read_as(), &text).contacts[0].contact;
        assert!(again.channels.is_empty(), "{text}");
        assert_eq!(again.addresses.len(), 1);
        assert_eq!(again.metadata["vcard"], contact.metadata["vcard"]);
    }
}

#[test]
fn members_of_a_card_that_no_field_has() {
    let card = json!([{
        "@type": "Card", "version": "1.0", "uid": "urn:uuid:1", "created": "2024-01-02T03:04:05Z",
        "name": {"full": "Ada King", "components": [{"kind": "given", "value": "Ada"}], "sortAs": {"given": "Ada"}},
        "emails": {"work1": {"address": "ada@example.org", "contexts": {"work": true}, "example.com:x": [1]}},
        "phones": {"tel9": {"number": "tel:+1-415-555-0100", "features": {"mobile": true, "voice": true}}},
        "onlineServices": {"im": {"service": "Mastodon", "uri": "https://example.social/@ada", "user": "@ada"}},
        "addresses": {"k1": {"components": [{"kind": "number", "value": "54"}, {"kind": "name", "value": "Mill Lane"}],
            "countryCode": "us", "timeZone": "Etc/GMT+8"}},
        "organizations": {"o": {"name": "Engines", "units": [{"name": "Tools"}]}},
        "speakToAs": {"grammaticalGender": "feminine"},
        "relatedTo": {"urn:uuid:2": {"relation": {"spouse": true}}},
        "localizations": {"fr": {"name/full": "Ada le roi"}},
    }]);
    let first = read(import::Format::JsContact, &card.to_string());
    assert_eq!(first.problems, []);
    let contact = first.contacts[0].contact.clone();
    assert_eq!(contact.addresses[0].street.as_deref(), Some("54 Mill Lane"));
    assert_eq!(contact.channels.len(), 3);
    assert_eq!(contact.metadata["organization"], "Engines");
    for format in FORMATS {
        let again = read(format.read_as(), &export(format, std::slice::from_ref(&contact)));
        assert_eq!(plain(&again.contacts[0].contact), plain(&contact), "{format:?}");
    }
    let mut cards: Value = serde_json::from_str(&export(Format::JsContact, &[contact])).unwrap();
    cards[0].as_object_mut().unwrap().remove("worktruck.github.io:more");
    assert_eq!(cards, card, "each member is as it was");
}
