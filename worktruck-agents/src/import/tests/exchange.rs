//! What phones, servers and exports of ours put into files, beyond the usual.

use super::*;

fn vcard(lines: &str) -> Parsed {
    read("a.vcf", format!("BEGIN:VCARD\nVERSION:3.0\nFN:Ada\n{lines}\nEND:VCARD\n").as_bytes(), "").unwrap()
}

#[test]
fn numbered_columns_are_several_of_a_kind() {
    let parsed = csv("display_name,email,Email 2,email_2_label,phone 3,url,street,\
         street_2,city_2,Address 2 Label,country_code_2,latitude_2\n\
                      Ada,a@x.org,b@x.org,Work,+14155550100,x.org,1 Road,2 Road,Bonn,office,de,50.7\n");
    assert_eq!(messages(&parsed), [""; 0]);
    let ada = only(&parsed);
    assert_eq!(
        channels(ada),
        ["email a@x.org - 0", "email b@x.org Work 1", "phone +14155550100 - 0", "url https://x.org - 0"]
    );
    assert_eq!(ada.addresses.len(), 2);
    let second = &ada.addresses[1];
    assert_eq!((&second.street, &second.city, &second.label), (&some("2 Road"), &some("Bonn"), &some("office")));
    assert_eq!((&second.country_code, second.latitude), (&some("DE"), Some(50.7)));
    assert!(ada.metadata.is_empty(), "{:?}", ada.metadata);
}

#[test]
fn cells_that_are_not_what_their_column_says_are_kept() {
    let parsed = csv("display_name,kind,latitude,metadata,worktruck_more,phone_label,anniversary\n\
                      Ada,robot,north,{,[],Boat,soon\n");
    assert_eq!(
        messages(&parsed),
        [
            "people.csv:2: kind \"robot\" is not person, organization or group; kept in metadata",
            "people.csv:2: latitude \"north\" is no number of degrees; kept in metadata",
            "people.csv:2: metadata \"{\" is not a JSON object; kept in metadata",
            "people.csv:2: worktruck_more \"[]\" is not a JSON object; kept in metadata",
            "people.csv:2: anniversary \"soon\" is not a date that is understood; kept in metadata",
        ]
    );
    let metadata = &only(&parsed).metadata;
    for (key, value) in [("kind", "robot"), ("latitude", "north"), ("metadata", "{"), ("phone_1_label", "Boat")] {
        assert_eq!(metadata[key], value);
    }
}

#[test]
fn the_most_preferred_language_is_the_language() {
    let parsed = vcard("LANG;PREF=2:fr\nLANG;PREF=1:ig\nTZ:-05:00\nTZ:Africa/Lagos");
    assert_eq!((&only(&parsed).language, &only(&parsed).timezone), (&some("ig"), &some("Africa/Lagos")));
    assert_eq!(kept(only(&parsed)), ["LANG;PREF=2:fr", "TZ:-05:00"]);
}

#[test]
fn profiles_are_channels_where_there_are_such() {
    let parsed = vcard(
        "X-SOCIALPROFILE;type=twitter;x-user=ada:http://twitter.com/ada\n\
         X-SOCIALPROFILE;type=linkedin:http://www.linkedin.com/in/ada\n\
         SOCIALPROFILE;SERVICE-TYPE=Twitter;USERNAME=@Lo:https://twitter.com/lo\n\
         X-SOCIALPROFILE;type=facebook:http://facebook.example/ada\n\
         X-SOCIALPROFILE;type=twitter;x-userid=17:http://twitter.com/eve",
    );
    let values: Vec<&str> = only(&parsed).channels.iter().map(|channel| channel.value.as_str()).collect();
    assert_eq!(values, ["http://twitter.com/ada", "http://www.linkedin.com/in/ada", "@Lo", "http://twitter.com/eve"]);
    assert_eq!(kept(only(&parsed)).len(), 2, "another service, and a parameter that says more");
}

#[test]
fn what_says_more_than_a_field_is_kept_too() {
    for line in [
        "NICKNAME;TYPE=work:Lo",
        "N;SORT-AS=\"King\":King;Ada;;;",
        "N:King;Ada,Augusta;;;",
        "ADR:;;1 Street;Town;;;;more",
        "TEL;PID=1.1:+14155550100",
        "PHOTO;VALUE=uri;MEDIATYPE=image/png:https://example.org/a.png",
        "PHOTO:data:image/png;base64,AAAA",
        "ORG:Engines;Tools",
        "NOTE;LANGUAGE=en:a note",
        "X-WORKTRUCK-METADATA:[1]",
        "X-WORKTRUCK-MORE:{",
    ] {
        assert_eq!(kept(only(&vcard(line))), [line]);
    }
}

#[test]
fn metadata_from_a_card_has_no_nul() {
    let parsed = vcard(r#"X-WORKTRUCK-METADATA:{"a\\u0000": ["\\u0000b"]}"#);
    assert_eq!(only(&parsed).metadata["a"][0], "b");
}

#[test]
fn folds_may_fall_anywhere() {
    let parsed = vcard("NOTE:a\n    \n  b\n c\nX-LONG:1\n \t2\n  ");
    assert_eq!(only(&parsed).bio, some("a    bc"));
    assert_eq!(kept(only(&parsed)), ["X-LONG:1\t2 "]);
}

#[test]
fn lines_of_ten_megabytes_are_kept_or_refused() {
    let long = "ä".repeat(5 << 20);
    let parsed = vcard(&format!("X-LONG:{long}\nNOTE:{long}\n{long}"));
    let contact = only(&parsed);
    assert_eq!(kept(contact), [format!("X-LONG:{long}"), long.clone()]);
    assert_eq!(contact.metadata["note"], long.as_str());
    assert_eq!(parsed.problems.len(), 2);
    let parsed = csv(&format!("display_name,x\nAda,\"{long}\"\n"));
    assert_eq!(only(&parsed).metadata["x"], long.as_str());
}

#[test]
fn bytes_that_are_no_text_are_an_error_or_a_warning() {
    let error = read("a.vcf", b"BEGIN:VCARD\nFN:A\0da\nEND:VCARD\n", "").unwrap_err();
    assert!(error.to_string().starts_with("a.vcf:2: the file has NUL bytes"), "{error}");
    let parsed = read("a.vcf", b"BEGIN:VCARD\nFN:J\xfcrgen\nX-A:\xff\nEND:VCARD\n", "").unwrap();
    assert_eq!((only(&parsed).display_name.as_str(), parsed.problems.len()), ("Jürgen", 1));
    assert_eq!(kept(only(&parsed)), ["X-A:ÿ"]);
}

#[test]
fn formats_are_told_apart() {
    for (name, bytes, expected) in [
        ("a", b"\xef\xbb\xbf [\n {\"@type\"".as_slice(), Format::JsContact),
        ("a", b"{ \"uid\": 1}", Format::JsContact),
        ("a.json", b"[]", Format::JsContact),
        ("a.json", b"begin:vcard\n", Format::Vcard),
        ("a.vcf", b"{\"a", Format::JsContact),
        ("a.csv", b"uid\n", Format::Csv),
    ] {
        assert_eq!(Format::detect(name, bytes), expected, "{name}");
    }
}
