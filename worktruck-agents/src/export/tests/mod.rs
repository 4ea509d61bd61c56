mod formats;
mod kept;
mod round_trip;

use worktruck_core::DerivedIds;

use super::*;
use crate::import::{self, Options, Parsed};

const FORMATS: [Format; 4] = [Format::Vcard3, Format::Vcard4, Format::Csv, Format::JsContact];
const ID: &str = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d";

fn ids() -> DerivedIds {
    DerivedIds::new(ID.parse().unwrap(), 1)
}

fn export(format: Format, contacts: &[Contact]) -> String {
    let id: EntityId = ID.parse().unwrap();
    let mut out = Vec::new();
    let written = write(format, contacts.iter().map(|contact| (id, contact)), &mut out).unwrap();
    assert_eq!(written, u64::try_from(contacts.len()).unwrap());
    String::from_utf8(out).unwrap()
}

fn read(format: import::Format, text: &str) -> Parsed {
    import::parse("file", text.as_bytes(), format, &Options::default(), &ids(), Timestamp::EPOCH).unwrap()
}

/// The contact without the ids of its items.
fn plain(contact: &Contact) -> Value {
    let mut body = serde_json::to_value(contact).unwrap();
    for list in ["channels", "addresses", "dates"] {
        for item in body[list].as_array_mut().unwrap() {
            item.as_object_mut().unwrap().remove("id");
        }
    }
    body
}
