//! JSContact (RFC 9553).

mod card;
mod items;
pub(crate) mod names;
#[cfg(test)]
mod tests;
mod text;

use serde_json::{Map, Value};
use worktruck_core::Result;

pub(crate) use self::card::LISTS;
use self::card::Reader;
use self::text::{Element, elements};
use super::intake::Intake;
use super::unusable;

/// Where the members are kept, within the metadata, that a contact has no field for.
pub(crate) const KEPT: &str = "jscontact";

pub(super) fn parse(text: &str, intake: &mut Intake<'_>) -> Result<()> {
    let elements = elements(text).map_err(|(line, reason)| unusable(intake.source(), line, reason))?;
    for Element { line, value } in elements {
        let card = match value {
            Ok(Value::Object(card)) => card,
            Ok(_) => {
                intake.skip(line, "what stands here is no object");
                continue;
            }
            Err((line, reason)) => {
                intake.skip(line, reason);
                continue;
            }
        };
        match card.get("@type").and_then(Value::as_str) {
            Some("Card" | "CardGroup") | None => {}
            Some(other) => {
                let message = format!("what stands here is no Card but a {}", super::intake::quoted(other));
                intake.skip(line, message);
                continue;
            }
        }
        let contact = Reader::new(intake, line).read(without_group(card));
        match contact {
            Some(contact) => intake.accept(line, contact),
            None => intake.skip(line, "the card has no name and nothing else to call the contact by"),
        }
    }
    Ok(())
}

/// The card of a group as drafts of the format wrote it: beside its members and its name.
fn without_group(mut card: Map<String, Value>) -> Map<String, Value> {
    if card.get("@type").and_then(Value::as_str) != Some("CardGroup") {
        return card;
    }
    card.remove("@type");
    if let Some(name @ Value::String(_)) = card.get_mut("name") {
        *name = serde_json::json!({ "full": name.take() });
    }
    match card.remove("card") {
        Some(Value::Object(about)) => {
            for (member, value) in about {
                // What the group itself says comes first.
                card.entry(member).or_insert(value);
            }
        }
        Some(other) => drop(card.insert("card".to_owned(), other)),
        None => {}
    }
    card.insert("kind".to_owned(), "group".into());
    card
}
