//! Properties that a field says as they do.

use worktruck_core::entity::event::{Availability, Event, EventStatus, EventType, Visibility};

use super::property::Property;

/// Whether the field says less than the line.
pub(super) fn is_only_like(property: &Property) -> bool {
    let value = property.raw_value().trim();
    match property.name.as_str() {
        "CLASS" => value.eq_ignore_ascii_case("CONFIDENTIAL"),
        "X-MICROSOFT-CDO-BUSYSTATUS" => true,
        _ => false,
    }
}

/// Puts what a property says into the field for it; false if there is none or it cannot be understood.
pub(crate) fn set_field(event: &mut Event, property: &Property) -> bool {
    let word = property.raw_value().trim().to_ascii_uppercase();
    match (property.name.as_str(), word.as_str()) {
        ("UID", _) => event.ical_uid = property.text().trim().to_owned(),
        ("SUMMARY", _) => event.title = property.text(),
        ("DESCRIPTION", _) => event.description = Some(property.text()).filter(|text| !text.is_empty()),
        ("LOCATION", _) => event.location = Some(property.text()).filter(|text| !text.trim().is_empty()),
        ("COLOR", _) => event.color = Some(property.text()).filter(|text| !text.trim().is_empty()),
        ("SEQUENCE", number) => match number.parse() {
            Ok(number) => event.sequence = number,
            Err(_) => return false,
        },
        ("GEO", place) => {
            let Some((latitude, longitude)) = place.split_once([';', ',']) else { return false };
            let (Ok(latitude), Ok(longitude)) = (latitude.trim().parse(), longitude.trim().parse()) else {
                return false;
            };
            (event.location_lat, event.location_lng) = (Some(latitude), Some(longitude));
        }
        ("STATUS", "CONFIRMED") => event.status = EventStatus::Confirmed,
        ("STATUS", "TENTATIVE") => event.status = EventStatus::Tentative,
        ("STATUS", "CANCELLED") => event.status = EventStatus::Cancelled,
        ("TRANSP", "OPAQUE") => event.availability = Availability::Busy,
        ("TRANSP", "TRANSPARENT") => event.availability = Availability::Free,
        ("CLASS", "PUBLIC") => event.visibility = Visibility::Public,
        ("CLASS", "PRIVATE" | "CONFIDENTIAL") => event.visibility = Visibility::Private,
        ("X-MICROSOFT-CDO-BUSYSTATUS", "FREE") => event.availability = Availability::Free,
        ("X-MICROSOFT-CDO-BUSYSTATUS", "OOF") => event.event_type = EventType::OutOfOffice,
        ("X-MICROSOFT-CDO-BUSYSTATUS", "BUSY" | "TENTATIVE" | "WORKINGELSEWHERE") => {}
        _ => return false,
    }
    true
}
