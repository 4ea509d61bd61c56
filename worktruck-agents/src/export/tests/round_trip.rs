//! Whatever a store can hold.

use proptest::prelude::*;
use serde_json::json;
use worktruck_core::ItemId;
use worktruck_core::entity::contact::{Address, Channel, ChannelKind, ContactDate, ContactKind, MAX_TEXT_CHARS};

use super::*;

fn check_round_trip(format: Format, contact: &Contact) -> Result<(), TestCaseError> {
    let text = export(format, std::slice::from_ref(contact));
    let parsed = read(format.read_as(), &text);
    let mut expected = contact.clone();
    expected.vcard_uid.get_or_insert_with(|| format!("urn:uuid:{ID}"));
    prop_assert_eq!(parsed.contacts.len(), 1, "{}", text);
    prop_assert_eq!(plain(&parsed.contacts[0].contact), plain(&expected), "{:?}\n{}", format, text);
    prop_assert!(!text.starts_with('\u{feff}'), "a byte order mark");
    if format != Format::JsContact && format != Format::Csv {
        for line in text.split_terminator("\r\n") {
            prop_assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{:?}", line);
        }
    }
    Ok(())
}

/// Texts that files are afraid of.
fn texts() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        " ",
        "  ",
        "\t",
        ",",
        ";",
        ":",
        "\\",
        "\\n",
        "\n",
        "\r\n",
        "\r",
        "\"",
        "\"\"",
        "'",
        "=",
        "=C3",
        "+1",
        "-",
        "@a",
        "Ada",
        "ß",
        "é",
        "e\u{301}",
        "👩\u{200d}🚀",
        "עברית",
        "\u{202e}",
        "漢字",
        "|",
        "%",
        "^n",
        "^",
        "<b>",
        "{",
        "[]",
        "\u{1}",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{feff}",
        "null",
        "pref",
        "home",
        "work",
        ", ",
        "; ",
        "BEGIN:VCARD",
        "END:VCARD",
        "_$!<Home>!$_",
        "http://",
        "tel:",
        "mailto:",
        "twitter",
        "_$!<",
        "0",
        "long long long ",
    ]);
    prop_oneof![
        4 => prop::collection::vec(words, 1..6).prop_map(|words| words.concat()),
        2 => "[A-Za-z]{1,12}( [A-Za-z]{1,12})?",
        1 => any::<String>(),
        1 => "[ -~äöü漢👍]{60,200}",
    ]
    .prop_map(|text| text.replace('\0', "").chars().take(MAX_TEXT_CHARS).collect())
}

fn labels() -> impl Strategy<Value = Option<String>> {
    let usual = prop::sample::select(vec![
        "home",
        "work",
        "cell",
        "home, fax",
        "fax, home",
        "cell, home",
        "voice",
        "Boat",
        "work, voice",
        "internet",
        "pref",
        "twitter",
        "HOME",
        "",
        "identifier",
        "other",
    ]);
    prop_oneof![3 => Just(None), 4 => usual.prop_map(|label| Some(label.to_owned())), 1 => texts().prop_map(Some)]
}

fn values(kind: ChannelKind) -> BoxedStrategy<String> {
    match kind {
        ChannelKind::Email => prop_oneof![
            "[A-Za-zä.+]{1,9}@[a-z]{1,9}\\.org",
            Just("\"a;b\"@x.org".to_owned()),
            " ?mailto:[a-z]{2}@b\\.org ?"
        ]
        .boxed(),
        ChannelKind::Phone => {
            prop_oneof!["\\+1415555[0-9]{4}", " ?[0-9() -]{1,12}", "tel:\\+1-415-555-01[0-9]{2};ext=[0-9]", texts()]
                .boxed()
        }
        ChannelKind::Url => prop_oneof!["https?://[a-z]{1,9}\\.org/[a-z,;%\\\\]{0,9}", "[a-z]{2,5}\\.org"].boxed(),
        ChannelKind::Twitter => {
            prop_oneof!["@?[A-Za-z_]{1,9}", "https://(twitter|x)\\.com/[a-z]{1,9}", texts()].boxed()
        }
        ChannelKind::Linkedin => {
            prop_oneof!["[A-Za-z-]{1,9}", "https://www\\.linkedin\\.com/in/[a-z]{1,9}", texts()].boxed()
        }
        ChannelKind::Custom => texts().boxed(),
    }
}

fn channels() -> impl Strategy<Value = Channel> {
    use ChannelKind::{Custom, Email, Linkedin, Phone, Twitter, Url};
    let kinds = prop::sample::select(vec![Email, Email, Phone, Phone, Url, Twitter, Linkedin, Custom]);
    kinds.prop_flat_map(|kind| (Just(kind), values(kind), labels(), any::<bool>(), any::<bool>(), 0..4_u32)).prop_map(
        |(kind, value, label, is_primary, is_verified, preference_order)| Channel {
            label,
            is_primary,
            is_verified,
            preference_order,
            ..Channel::new(ItemId::new(&ids(), Timestamp::EPOCH), kind, value)
        },
    )
}

fn maybe<T: fmt::Debug + Clone>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.4, some)
}

fn addresses() -> impl Strategy<Value = Address> {
    let texts = [(); 7].map(|()| maybe(texts()));
    let place = (maybe(-90.0..=90.0_f64), maybe(-180.0..=180.0_f64));
    (texts, labels(), maybe("[A-Z]{2}"), place, any::<bool>()).prop_map(
        |([street, extended, po_box, city, region, postal_code, country], label, country_code, place, is_primary)| {
            Address {
                street,
                extended,
                po_box,
                city,
                region,
                postal_code,
                country,
                label,
                country_code,
                latitude: place.0,
                longitude: place.1,
                is_primary,
                ..Address::new(ItemId::new(&ids(), Timestamp::EPOCH))
            }
        },
    )
}

fn dates() -> impl Strategy<Value = ContactDate> {
    let types = prop_oneof![
        prop::sample::select(vec!["birthday", "anniversary", "Anniversary", "death", "graduation", "birth"])
            .prop_map(str::to_owned),
        texts()
    ];
    (types, labels(), maybe(1..=9999_u16), maybe(1..=12_u8), maybe(1..=31_u8)).prop_map(
        |(date_type, label, year, month, day)| ContactDate {
            id: ItemId::new(&ids(), Timestamp::EPOCH),
            date_type,
            label,
            year,
            month,
            day,
        },
    )
}

fn metadata() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        texts().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let values = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(texts(), inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let lines = prop::sample::select(vec![
        "X-SPOUSE:Bob",
        "item1.TEL;X-A=1:+1 415 555 0100",
        "item1.X-ABLabel:Boat",
        "this is no property",
        "GENDER:O;club",
        "BDAY:1990-02-31",
        "NOTE;LANGUAGE=en:Ada",
        "FN;LANGUAGE=fr:Ada",
        "ORG:Engines;Tools",
        "IMPP:xmpp:a@b.org",
        "",
        "PHOTO;ENCODING=b;TYPE=JPEG:AAAA",
        "N;SORT-AS=\"a\":b;c",
        "NOTE;ENCODING=QUOTED-PRINTABLE:=C3=A4=",
        "END:VCARD",
        "item7.ADR;PID=1:;;1 Street;Town;;;",
        "UID;X-A=1:other",
        "LANG;PREF=2:de",
        "VERSION:4.0",
        "CATEGORIES;PID=1:a,b",
    ]);
    let lines = prop::collection::vec(lines.prop_map(Value::from), 0..5).prop_map(Value::from);
    let members = prop::sample::select(vec![
        json!({"speakToAs": {"grammaticalGender": "neuter"}}),
        json!({"emails": {"e1": {"address": "ada@example.org", "x": 1}}}),
        json!({"nicknames": {"k9": {"name": "Lo", "phonetic": "lo"}}}),
        json!({"name": {"full": "Ada", "sortAs": {"given": "A"}}}),
        json!({"keywords": {"no": false}, "uid": 5, "kind": "robot"}),
        json!({"@type": 1, "version": "2", "emails": 7}),
        json!([1]),
    ]);
    let known = prop::sample::select(vec!["organization", "title", "vcard", "jscontact", "note"]);
    let pairs = prop_oneof![
        4 => (texts(), values.clone()),
        1 => (known.prop_map(str::to_owned), values),
        2 => (Just("organization".to_owned()), texts().prop_map(Value::from)),
        2 => (Just("vcard".to_owned()), lines),
        1 => (Just("jscontact".to_owned()), members),
    ];
    prop::collection::vec(pairs, 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

prop_compose! {
    fn contacts()(
        display_name in texts(),
        kind in prop::sample::select(vec![ContactKind::Person, ContactKind::Organization, ContactKind::Group]),
        names in [(); 6].map(|()| maybe(texts())),
        bio in maybe(texts()),
        avatar_url in maybe(" ?https?://[a-z]{1,9}\\.org/[a-z,;]{0,9}\n?"),
        language in maybe("[a-z]{2}(-[A-Z]{2})?"),
        timezone in maybe("[A-Z][a-z]{2}/[A-Z][a-z]{2}"),
        vcard_uid in maybe(texts()),
        channels in prop::collection::vec(channels(), 0..6),
        addresses in prop::collection::vec(addresses(), 0..4),
        dates in prop::collection::vec(dates(), 0..4),
        tags in prop::collection::vec(texts(), 0..4),
        metadata in metadata(),
    ) -> Contact {
        let [given_name, middle_name, family_name, prefix, suffix, nickname] = names;
        Contact {
            display_name, kind, given_name, middle_name, family_name, prefix, suffix, nickname, bio, avatar_url,
            language, timezone, vcard_uid, channels, addresses, dates, tags, metadata, ..Contact::default()
        }
    }
}

/// What a store could hold of it: items that are invalid or doubled are left out.
fn stored(mut contact: Contact) -> Option<Contact> {
    let items = contact.channels.iter_mut().map(|item| &mut item.id);
    let items = items.chain(contact.addresses.iter_mut().map(|item| &mut item.id));
    let items = items.chain(contact.dates.iter_mut().map(|item| &mut item.id));
    for (id, number) in items.zip(1_u128..) {
        *id = ItemId::from_uuid(Uuid::from_u128(number));
    }
    for _ in 0..40 {
        let Err(error) = contact.normalise(None) else { return Some(contact) };
        let pointer = error.pointer()?.to_owned();
        let mut path = pointer.split('/').skip(1);
        let (list, at) = (path.next()?, path.next().and_then(|at| at.parse::<usize>().ok()));
        match (list, at, path.next()) {
            ("channels", Some(at), Some("is_primary")) => contact.channels[at].is_primary = false,
            ("channels", Some(at), _) => drop(contact.channels.remove(at)),
            ("addresses", Some(at), _) => drop(contact.addresses.remove(at)),
            ("dates", Some(at), _) => drop(contact.dates.remove(at)),
            ("tags", Some(at), _) => drop(contact.tags.remove(at)),
            _ => return None,
        }
    }
    None
}

proptest! {
    #[test]
    fn what_is_exported_is_imported_again(contact in contacts().prop_filter_map("invalid", stored)) {
        for format in FORMATS {
            check_round_trip(format, &contact)?;
        }
    }
}
