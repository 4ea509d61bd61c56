//! Who is asked to an event (ATTENDEE).

use serde_json::{Map, Value, json};
use worktruck_core::entity::attendee::{Attendee, AttendeeRole, ParticipantType, ResponseStatus};
use worktruck_core::entity::contact::{ChannelKind, canonical_value};
use worktruck_core::entity::{Entity as _, Locale};

use super::property::Property;
use super::{KEPT, Problems, UNSAID, reason};
use crate::import::intake::quoted;

/// The parameters that an attendee has fields for.
const USED: [&str; 4] = ["CN", "ROLE", "CUTYPE", "PARTSTAT"];

/// Reads an attendee; nothing if there is no e-mail address.
pub(super) fn read(property: &Property, problems: &mut Problems) -> Option<Attendee> {
    let (attendee, is_all) = understand(property)?;
    let mut attendee = attendee;
    if !is_all {
        attendee.metadata.insert(KEPT.to_owned(), Value::String(property.raw.clone()));
    }
    let mut is_named = false;
    loop {
        match attendee.normalise(&Locale::default()) {
            Ok(()) => return Some(attendee),
            Err(error) if error.pointer() == Some("/display_name") && !is_named => {
                is_named = true;
                attendee.display_name = None;
                attendee.metadata.insert(KEPT.to_owned(), Value::String(property.raw.clone()));
            }
            Err(error) => {
                let message =
                    format!("ATTENDEE {}: {}; kept in metadata", quoted(property.raw_value()), reason(&error));
                problems.warn(property.number, Some("ATTENDEE"), message);
                return None;
            }
        }
    }
}

/// The e-mail address of an attendee or an organizer, in its canonical form.
pub(super) fn address(property: &Property) -> Option<String> {
    let (attendee, _) = understand(property)?;
    Some(canonical_value(ChannelKind::Email, &attendee.email, None))
}

/// What a line says, and whether it says no more than that.
pub(crate) fn understand(property: &Property) -> Option<(Attendee, bool)> {
    let address = property.raw_value().trim();
    let mail = address.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    let mail = mail.and_then(|_| address.get(7..)).filter(|mail| mail.contains('@'));
    let parameter = property.parameter("EMAIL").filter(|mail| mail.contains('@'));
    let bare = Some(address).filter(|address| address.contains('@') && !address.contains(':'));
    let mut is_all = mail.is_some() && !property.has_more(&USED);
    let mut attendee = Attendee::new(UNSAID, mail.or(parameter).or(bare)?.trim());
    attendee.display_name = property.parameter("CN").map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned);
    let word = |name: &str, default: &str| {
        let word = property.parameter(name).unwrap_or(default).trim().to_ascii_uppercase();
        if word.is_empty() { default.to_owned() } else { word }
    };
    attendee.role = match word("ROLE", "REQ-PARTICIPANT").as_str() {
        "CHAIR" => AttendeeRole::Chair,
        "OPT-PARTICIPANT" => AttendeeRole::OptParticipant,
        "NON-PARTICIPANT" => AttendeeRole::NonParticipant,
        other => {
            is_all &= other == "REQ-PARTICIPANT";
            AttendeeRole::ReqParticipant
        }
    };
    attendee.participant_type = match word("CUTYPE", "INDIVIDUAL").as_str() {
        "INDIVIDUAL" => ParticipantType::Individual,
        "GROUP" => ParticipantType::Group,
        "RESOURCE" => ParticipantType::Resource,
        "ROOM" => ParticipantType::Room,
        other => {
            is_all &= other == "UNKNOWN";
            ParticipantType::Unknown
        }
    };
    attendee.response_status = match word("PARTSTAT", "NEEDS-ACTION").as_str() {
        "ACCEPTED" => ResponseStatus::Accepted,
        "DECLINED" => ResponseStatus::Declined,
        "TENTATIVE" => ResponseStatus::Tentative,
        other => {
            is_all &= other == "NEEDS-ACTION";
            ResponseStatus::Pending
        }
    };
    Some((attendee, is_all))
}

/// An attendee as JSON without the event, which a file does not name.
pub(crate) fn plain(attendee: &Attendee) -> Map<String, Value> {
    let Value::Object(mut body) = json!(attendee) else { return Map::new() };
    body.remove("event_id");
    body
}
