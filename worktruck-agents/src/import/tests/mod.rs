mod exchange;

use proptest::prelude::*;
use worktruck_core::entity::contact::{ChannelKind, ContactKind};
use worktruck_core::{DerivedIds, ErrorKind};

use super::*;

const APPLE: &[u8] = include_bytes!("../../../tests/fixtures/apple.vcf");
const GOOGLE: &[u8] = include_bytes!("../../../tests/fixtures/google.vcf");
const OUTLOOK: &[u8] = include_bytes!("../../../tests/fixtures/outlook21.vcf");
const VERSION_4: &[u8] = include_bytes!("../../../tests/fixtures/version4.vcf");
const BROKEN_VCF: &[u8] = include_bytes!("../../../tests/fixtures/broken.vcf");
const PEOPLE: &[u8] = include_bytes!("../../../tests/fixtures/people.csv");
const BROKEN_CSV: &[u8] = include_bytes!("../../../tests/fixtures/broken.csv");

fn read(source: &str, bytes: &[u8], region: &str) -> Result<Parsed> {
    let ids = DerivedIds::new("0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse().unwrap(), 1);
    let options = Options { region: (!region.is_empty()).then(|| region.parse().unwrap()) };
    parse(source, bytes, Format::detect(source, bytes), &options, &ids, Timestamp::EPOCH)
}

fn csv(text: &str) -> Parsed {
    read("people.csv", text.as_bytes(), "US").unwrap()
}

fn messages(parsed: &Parsed) -> Vec<String> {
    parsed.problems.iter().map(ToString::to_string).collect()
}

fn only(parsed: &Parsed) -> &Contact {
    assert_eq!(parsed.contacts.len(), 1, "{parsed:?}");
    &parsed.contacts[0].contact
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn kept(contact: &Contact) -> Vec<&str> {
    contact.metadata["vcard"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

/// `value canonical label` of each channel, with `*` for a primary one.
fn channels(contact: &Contact) -> Vec<String> {
    let shown = contact.channels.iter().map(|channel| {
        let (label, primary) = (channel.label.as_deref().unwrap_or("-"), if channel.is_primary { "*" } else { "" });
        format!("{} {} {label} {}{primary}", channel.kind, channel.canonical_value, channel.preference_order)
    });
    shown.collect()
}

fn dates(contact: &Contact) -> Vec<String> {
    let part = |n: Option<u16>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let shown = contact.dates.iter().map(|date| {
        let (month, day) = (date.month.map(u16::from), date.day.map(u16::from));
        format!("{} {} {} {}", date.date_type, part(date.year), part(month), part(day))
    });
    shown.collect()
}

#[test]
fn every_known_column_becomes_a_field() {
    let parsed = read("people.csv", PEOPLE, "US").unwrap();
    assert_eq!(messages(&parsed), [""; 0]);
    let ada = &parsed.contacts[0].contact;
    assert_eq!(ada.display_name, "Ada Lovelace");
    assert_eq!((&ada.vcard_uid, &ada.given_name, &ada.middle_name), (&some("p1"), &some("Ada"), &None));
    assert_eq!(
        channels(ada),
        [
            "email ada@example.org - 0",
            "email ada@work.example - 1",
            "phone +14155550100 - 0",
            "phone +442079460958 - 1",
            "custom M-17 identifier 0"
        ]
    );
    assert_eq!(ada.channels[0].value, "Ada@Example.org");
    let address = &ada.addresses[0];
    assert_eq!((&address.street, &address.city, &address.region), (&some("12 St James's Sq"), &some("London"), &None));
    assert_eq!((&address.postal_code, &address.country), (&some("SW1Y 4JH"), &some("gb")));
    assert_eq!(address.country_code, some("GB"));
    assert_eq!(dates(ada), ["birthday 1815 12 10"]);
    assert_eq!(ada.metadata["organization"], "Engines Ltd");
    assert_eq!(ada.metadata["title"], "Analyst");
    assert_eq!(ada.metadata["Shoe Size"], "38");
    assert_eq!(ada.bio, some("Writes \"notes\",\n on two lines"));

    let firm = &parsed.contacts[1];
    assert_eq!((firm.line, firm.contact.kind), (4, ContactKind::Organization));
    assert_eq!(firm.contact.display_name, "Engines Ltd");
    assert_eq!(dates(&parsed.contacts[2].contact), ["birthday ? 12 10"]);
}

#[test]
fn a_half_broken_csv_gives_its_good_rows() {
    let parsed = read("broken.csv", BROKEN_CSV, "").unwrap();
    let names: Vec<&str> = parsed.contacts.iter().map(|c| c.contact.display_name.as_str()).collect();
    assert_eq!(names, ["Ann Lee", "Fay Poe", "Gus Ash", "Ivy Elm"]);
    assert_eq!(
        messages(&parsed),
        [
            "broken.csv:3: the row has 4 cells and the header has 5; skipped",
            "broken.csv:4: text follows a closing quote; skipped",
            "broken.csv:5: text follows a closing quote; skipped",
            "broken.csv:6: the uid \"b1\" was used in line 2 already; skipped",
            "broken.csv:7: birthday \"1990-02-31\" is not a day of the calendar; kept in metadata",
            "broken.csv:7: email: \"not-an-address\" is not an e-mail address; kept in metadata",
            "broken.csv:8: the row has no name and nothing else to call the contact by; skipped",
            "broken.csv:9: birthday \"31/12/90\" is not a date that is understood; kept in metadata",
            "broken.csv:10: a quote is opened and never closed; skipped",
        ]
    );
    let fay = &parsed.contacts[1].contact;
    assert_eq!(fay.metadata["birthday"], "1990-02-31");
    assert_eq!(fay.metadata["email"], "not-an-address");
    assert!(fay.channels.is_empty() && fay.dates.is_empty());
    assert_eq!((parsed.rows, parsed.skipped()), (10, 6));
    assert_eq!(
        serde_json::to_value(&parsed.problems[4]).unwrap(),
        serde_json::json!({
            "source": "broken.csv", "line": 7, "field": "birthday", "skipped": false,
            "message": "birthday \"1990-02-31\" is not a day of the calendar; kept in metadata",
        })
    );
}

#[test]
fn birthdays_are_read_in_many_forms() {
    for (written, expected) in [
        ("1990-02-03", "1990 2 3"),
        ("1990-02-03T00:00:00Z", "1990 2 3"),
        ("1990/2/3", "1990 2 3"),
        ("03.02.1990", "1990 2 3"),
        ("02/03/1990", "1990 2 3"),
        ("19900203", "1990 2 3"),
        ("--02-29", "? 2 29"),
        ("--0229", "? 2 29"),
        ("---31", "? ? 31"),
        ("1990-02", "1990 2 ?"),
        ("1990", "1990 ? ?"),
    ] {
        let parsed = csv(&format!("display_name,birthday\nAda,{written}\n"));
        assert_eq!(dates(only(&parsed)), [format!("birthday {expected}")], "{written}");
    }
    for written in
        ["31.02.1990", "1990-13-01", "90-02-03", "3 Feb 1990", "02/03/90", "1990-02-03T10:30", "0000-01-01", "+990"]
    {
        let parsed = csv(&format!("display_name,birthday\nAda,{written}\n"));
        assert_eq!(only(&parsed).metadata["birthday"], written);
        assert_eq!((parsed.problems.len(), parsed.skipped()), (1, 0), "{written}");
    }
}

#[test]
fn one_day_above_twelve_decides_for_the_whole_file() {
    let first_of = |rows: &str| dates(&csv(&format!("display_name,birthday\n{rows}")).contacts[0].contact);
    assert_eq!(first_of("Ada,03/04/1990\nBob,25/12/1980\n"), ["birthday 1990 4 3"]);
    // What can be meant in one way only is read so, whatever the others say.
    assert_eq!(first_of("Ada,17/02/1990\nBob,12/25/1980\nCleo,12/26/1980\n"), ["birthday 1990 2 17"]);
    assert_eq!(first_of("Ada,02/17/1990\nBob,25/12/1980\nCleo,26/12/1980\n"), ["birthday 1990 2 17"]);
    assert_eq!(first_of("Ada,03/04/1990\nBob,12/25/1980\n"), ["birthday 1990 3 4"]);
    assert_eq!(first_of("Ada,03/04/1990\n"), ["birthday 1990 3 4"]);
}

#[test]
fn delimiters_and_encodings_are_found_out() {
    let text = "display_name;city;note\nJürgen Müller;Köln;\"a;b\"\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2], mark: [u8; 2]| {
        let units = text.encode_utf16().flat_map(bytes);
        mark.into_iter().chain(units).collect::<Vec<u8>>()
    };
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    for (name, bytes, warnings) in [
        ("plain", text.as_bytes().to_vec(), 0),
        ("byte order mark", [b"\xef\xbb\xbf", text.as_bytes()].concat(), 0),
        ("tabs", text.replace("\"a;b\"", "a?b").replace(';', "\t").replace('?', ";").into_bytes(), 0),
        ("bars", text.replace("\"a;b\"", "a?b").replace(';', "|").replace('?', ";").into_bytes(), 0),
        ("declared", format!("sep=;\r\n{text}").into_bytes(), 0),
        ("carriage returns", text.replace('\n', "\r").into_bytes(), 0),
        ("UTF-16LE", utf16(u16::to_le_bytes, [0xff, 0xfe]), 0),
        ("UTF-16BE", utf16(u16::to_be_bytes, [0xfe, 0xff]), 0),
        ("Latin-1", latin, 1),
    ] {
        let parsed = read("people.csv", &bytes, "").unwrap();
        let contact = only(&parsed);
        assert_eq!(contact.display_name, "Jürgen Müller", "{name}");
        assert_eq!(contact.addresses[0].city, some("Köln"), "{name}");
        assert_eq!(contact.bio, some("a;b"), "{name}");
        assert_eq!(parsed.problems.len(), warnings, "{name}: {:?}", parsed.problems);
    }
    let quotes = read("people.csv", b"display_name,note\nAda,\x93Ada\x94 \x80\n", "").unwrap();
    assert_eq!(only(&quotes).bio, some("“Ada” €"));
    assert_eq!(quotes.problems[0].line, 2);
}

#[test]
fn a_file_with_nothing_usable_is_an_error_that_says_why() {
    for (source, bytes, expected) in [
        ("a.csv", b"".as_slice(), "a.csv:1: the file is empty"),
        ("a.vcf", b" \n\n", "a.vcf:1: the file is empty"),
        ("a.csv", b"uid,email\n", "a.csv:1: the file has a header and no rows"),
        ("a.csv", b"uid,email\nx,y\n\0\0\n", "a.csv:3: the file has NUL bytes: it is binary"),
        ("a.csv", b"\x89PNG\x1a\x02\x03\x04 uid", "a.csv:1: the file is full of control characters"),
        ("a.csv", b"\nName,Mail\nAda,x\n", "a.csv:2: no column of the header is known (it begins with \"Name,Mail\")"),
        ("a.csv", b"uid,\"email\nx,y\n", "a.csv:1: the header cannot be read: a quote is opened"),
        ("a.csv", b"uid,email\nx\ny\n", "a.csv:2: nothing in the file can be used, 2 of 2 were skipped"),
        ("a.vcf", b"uid,email\nx,y\n", "a.vcf:1: the file has no BEGIN:VCARD"),
        ("a.vcf", b"BEGIN:VCARD\nFN:Ada\n", "a.vcf:1: nothing in the file can be used, 1 of 1"),
    ] {
        let error = read(source, bytes, "").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().starts_with(expected), "{error}\n{expected}");
    }
}

#[test]
fn columns_that_repeat_or_have_no_name_lose_nothing() {
    let parsed = csv("email,EMAIL,city,City,x,x,,title\na@x.org,b@x.org,Rome,Bonn,1,2,3,Dr\n");
    let contact = only(&parsed);
    assert_eq!(channels(contact), ["email a@x.org - 0", "email b@x.org - 1"]);
    assert_eq!(contact.addresses[0].city, some("Rome"));
    for (key, value) in [("city (2)", "Bonn"), ("x", "1"), ("x (2)", "2"), ("column 7", "3"), ("title", "Dr")] {
        assert_eq!(contact.metadata[key], value);
    }
    assert_eq!(
        messages(&parsed),
        ["people.csv:1: the column \"City\" stands in the header twice; the second is kept in metadata"]
    );
}

#[test]
fn what_is_too_long_or_doubled_moves_to_metadata() {
    let long = "ä".repeat(600);
    let parsed = csv(&format!("display_name,uid,phone,street\n{long},{long},415 555 0100;+14155550100,{long}\n"));
    let contact = only(&parsed);
    assert_eq!(contact.display_name, "ä".repeat(512));
    assert_eq!(contact.vcard_uid, None);
    assert_eq!(contact.metadata["display_name"], long.as_str());
    assert_eq!(contact.metadata["uid"], long.as_str());
    assert_eq!(contact.metadata["street"], long.as_str());
    assert_eq!(contact.metadata["phone"], "+14155550100");
    assert_eq!(parsed.problems.len(), 4);
}

#[test]
fn apple_cards_keep_labels_and_partial_dates() {
    let parsed = read("apple.vcf", APPLE, "US").unwrap();
    assert_eq!(messages(&parsed), [""; 0]);
    let ngozi = &parsed.contacts[0].contact;
    assert_eq!(ngozi.display_name, "Dr. Ngozi Amara Okafor PhD");
    assert_eq!(
        (&ngozi.given_name, &ngozi.middle_name, &ngozi.family_name),
        (&some("Ngozi"), &some("Amara"), &some("Okafor"))
    );
    assert_eq!((&ngozi.prefix, &ngozi.suffix, &ngozi.nickname), (&some("Dr."), &some("PhD"), &some("Zizi")));
    assert_eq!(
        channels(ngozi),
        [
            "email zizi@example.net home 1",
            "email ngozi.okafor@example.org work 0*",
            "email ngozi@alumni.example.edu Alumni 2",
            "phone +14155550142 cell 0",
            "url https://example.org/~ngozi HomePage 0",
        ]
    );
    assert_eq!(dates(ngozi), ["anniversary 2011 6 4", "birthday ? 3 5"]);
    let address = &ngozi.addresses[0];
    assert_eq!(
        (&address.extended, &address.street, &address.label),
        (&some("Flat 3"), &some("12 Mill Lane"), &some("home"))
    );
    assert!(address.is_primary);
    assert_eq!(ngozi.bio, some("Met at the regatta; likes tea.\nAllergic to nuts."));
    assert_eq!(ngozi.metadata["organization"], "Harbour Clinic");
    assert_eq!(ngozi.metadata["title"], "Consultant");
    assert_eq!(ngozi.vcard_uid, some("6f1b6a52-6a4c-4b5e-9f53-1f9d5a2f6c11"));
    let lines = kept(ngozi);
    assert!(lines.contains(&"ORG:Harbour Clinic;Cardiology"), "{lines:?}");
    assert_eq!(address.country_code, some("US"));
    assert!(!lines.iter().any(|line| line.contains("X-AB") || line.starts_with("BDAY")), "understood: {lines:?}");
    let photo = lines.iter().find(|line| line.starts_with("PHOTO")).unwrap();
    assert!(photo.ends_with("BwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL="), "{photo}");
    let clinic = &parsed.contacts[1];
    assert_eq!((clinic.line, clinic.contact.kind), (26, ContactKind::Organization));
}

#[test]
fn google_cards_keep_categories_and_folded_addresses() {
    let parsed = read("google.vcf", GOOGLE, "").unwrap();
    assert_eq!(messages(&parsed), [""; 0]);
    let jonas = only(&parsed);
    assert_eq!(jonas.tags, ["Sailing Club", "myContacts"]);
    assert_eq!(dates(jonas), ["birthday 1985 4 12"]);
    assert_eq!(jonas.channels[1].canonical_value, "+46701234567");
    assert_eq!(jonas.channels[2].label, some("Old job"));
    assert_eq!(jonas.addresses[0].postal_code, some("753 10"));
    assert!(kept(jonas).contains(&"X-PHONETIC-LAST-NAME:lind-kvist"));
    assert!(kept(jonas).iter().any(|line| line.ends_with("Uppsala\\nSE")), "an eighth component is kept");
}

#[test]
fn version_2_1_with_quoted_printable_and_character_sets() {
    assert!(OUTLOOK.windows(2).any(|pair| pair == b"\r\n"));
    let parsed = read("outlook21.vcf", OUTLOOK, "DE").unwrap();
    assert_eq!(
        messages(&parsed),
        ["outlook21.vcf:13: BDAY \"19700229\" is not a day of the calendar; kept in metadata"]
    );
    let juergen = only(&parsed);
    assert_eq!(juergen.display_name, "Jürgen Müller");
    assert_eq!((&juergen.given_name, &juergen.family_name), (&some("Jürgen"), &some("Müller")));
    assert_eq!(
        channels(juergen),
        [
            "phone +4930901820 work 1",
            "phone +4915123456789 cell 0*",
            "phone +4930901821 home, fax 2",
            "email j.mueller@example.de - 0*",
        ]
    );
    assert_eq!(juergen.addresses[0].street, some("Hafenstraße 5\nHinterhaus"));
    let lines = kept(juergen);
    assert!(lines.contains(&"BDAY:19700229") && lines.contains(&"REV:20240102T030405Z"), "{lines:?}");
    let is_whole = |line: &str| {
        line.starts_with("PHOTO") && line.ends_with("BQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcp")
    };
    assert!(lines.iter().any(|line| is_whole(line)), "{lines:?}");
}

#[test]
fn version_4_with_kinds_and_preferences() {
    let parsed = read("version4.vcf", VERSION_4, "").unwrap();
    assert_eq!(messages(&parsed), [""; 0]);
    let club = &parsed.contacts[0].contact;
    assert_eq!(club.kind, ContactKind::Organization);
    assert_eq!(club.vcard_uid, some("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
    assert_eq!(channels(club), ["phone +442079460958 work 1", "phone +447700900123 text 0*"]);
    assert_eq!(dates(club), ["anniversary ? 4 15", "birthday 1985 4 ?"]);
    assert_eq!(kept(club), ["GENDER:O;club"]);
    assert_eq!(club.language, some("en"));
    let rowers = &parsed.contacts[1].contact;
    assert_eq!((rowers.kind, rowers.display_name.as_str()), (ContactKind::Group, "The rowers"));
    assert!(kept(rowers).contains(&"FN;LANGUAGE=fr:Les rameurs"));
    assert_eq!(dates(rowers), ["birthday ? ? 31"]);
}

#[test]
fn a_half_broken_vcard_file_gives_its_good_cards() {
    let parsed = read("broken.vcf", BROKEN_VCF, "US").unwrap();
    assert_eq!(
        messages(&parsed),
        [
            "broken.vcf:1: the text here belongs to no card; ignored",
            "broken.vcf:3: email: \"not an address\" is not an e-mail address; kept in metadata",
            "broken.vcf:7: the line \"this line is no property\" is not a property; kept in metadata",
            "broken.vcf:8: BDAY \"1990-02-31\" is not a day of the calendar; kept in metadata",
            "broken.vcf:11: the card that begins here has no END:VCARD; skipped",
            "broken.vcf:14: the card has no name and nothing else to call the contact by; skipped",
            "broken.vcf:18: the uid \"one\" was used in line 3 already; skipped",
            "broken.vcf:23: phone: the contact has the phone channel \"+14155550100\" already; kept in metadata",
            "broken.vcf:29: the card that begins here has no END:VCARD; skipped",
        ]
    );
    assert_eq!((parsed.contacts.len(), parsed.skipped(), parsed.rows), (2, 4, 6));
    let one = &parsed.contacts[0].contact;
    assert_eq!(kept(one), ["this line is no property", "BDAY:1990-02-31"]);
    assert_eq!(one.metadata["email"], "not an address");
    assert_eq!(parsed.contacts[1].contact.channels.len(), 1);
}

fn whole_files() -> impl Strategy<Value = (&'static str, &'static [u8])> {
    prop::sample::select(vec![
        ("a.vcf", APPLE),
        ("a.vcf", GOOGLE),
        ("a.vcf", OUTLOOK),
        ("a.vcf", VERSION_4),
        ("a.vcf", BROKEN_VCF),
        ("a.csv", PEOPLE),
        ("a.csv", BROKEN_CSV),
    ])
}

/// Whatever was read: each row is a contact or a skipped problem, and each contact is as it is stored.
fn check(result: Result<Parsed>) -> Result<(), TestCaseError> {
    let Ok(parsed) = result else { return Ok(()) };
    prop_assert_eq!(parsed.rows, parsed.contacts.len() + parsed.skipped());
    prop_assert!(!parsed.contacts.is_empty());
    for imported in parsed.contacts {
        let mut again = imported.contact.clone();
        prop_assert!(again.normalise(Some("US".parse().unwrap())).is_ok());
        prop_assert_eq!(again, imported.contact);
    }
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), name in "a\\.(csv|vcf)") {
        check(read(&name, &bytes, "US"))?;
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(BEGIN:VCARD\n)?([A-Z-]{1,8}[;:=.,\\\\\"a-z0-9éä ]{0,30}\r?\n){0,12}(END:VCARD\n)?", name in "a\\.(csv|vcf)") {
        check(read(&name, text.as_bytes(), "US"))?;
        check(read(&name, format!("uid,email,note\n{text}").as_bytes(), "US"))?;
    }

    #[test]
    fn damaged_files_never_panic(
        (name, bytes) in whole_files(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = bytes.to_vec();
        for (at, byte, edit) in edits {
            let at = at.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"\"\n;,:=\\\t"[usize::from(byte % 8)]),
                _ => { bytes.remove(at); }
            }
        }
        check(read(name, &bytes, "US"))?;
        check(read(name, &bytes[..cut.index(bytes.len())], "US"))?;
    }

    #[test]
    fn every_row_of_a_csv_is_counted(rows in prop::collection::vec("[a-z\",]{1,8}", 1..20)) {
        let file = format!("given_name,note\n{}\n", rows.join("\n"));
        if let Ok(parsed) = read("a.csv", file.as_bytes(), "") {
            // A quoted cell may hold several lines, but no line is lost or counted twice.
            prop_assert!(parsed.rows <= rows.len());
            check(Ok(parsed))?;
        }
    }
}

#[test]
fn a_cell_with_several_values_is_split() {
    let parsed = csv("display_name,phone\nAda,tel:+1-415-555-0100;ext=12\nBob,415 555 0100; 415 555 0101\n");
    assert_eq!(channels(&parsed.contacts[0].contact), ["phone +14155550100 - 0"]);
    assert_eq!(channels(&parsed.contacts[1].contact), ["phone +14155550100 - 0", "phone +14155550101 - 1"]);
    assert!(parsed.contacts[1].contact.channels.iter().all(|channel| channel.kind == ChannelKind::Phone));
}
