//! The lines that an import kept.

use serde_json::Value;
use worktruck_core::entity::contact::Contact;

use crate::export::claims::Claims;
use crate::export::{Format, read_back};
use crate::import::vcard::KEPT;

/// The kept lines that can be written as they are.
#[derive(Debug, Default)]
pub(super) struct Kept<'c> {
    pub(super) lines: Vec<&'c str>,
    /// The highest number of a group such as `item3`.
    pub(super) last_group: u32,
}

impl<'c> Kept<'c> {
    /// Chooses the lines, and claims what they say.
    pub(super) fn of(contact: &'c Contact, claims: &mut Claims) -> Self {
        let kept = contact.metadata.get(KEPT).and_then(Value::as_array);
        let lines: Vec<&str> =
            kept.into_iter().flatten().filter_map(Value::as_str).filter(|line| is_property(line)).collect();
        let last_group = lines.iter().filter_map(|line| group_number(line)).max().unwrap_or(0);
        let chosen = lines.iter().copied().filter(|line| {
            let about = lines.iter().filter(|other| is_about_its_group(other) && group(other) == group(line));
            let mut card = format!("BEGIN:VCARD\r\n{line}\r\n");
            for other in about.filter(|other| *other != line) {
                card.push_str(other);
                card.push_str("\r\n");
            }
            card.push_str("END:VCARD\r\n");
            claims.claim(contact, &read_back(Format::Vcard3, &card))
        });
        Self { lines: chosen.collect(), last_group }
    }
}

/// Whether the line is read as one property wherever it stands.
fn is_property(line: &str) -> bool {
    let Some(end) = line.find([':', ';']) else { return false };
    let name = &line[..end];
    let is_name =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let is_frame = ["BEGIN", "END", "VERSION"].iter().any(|frame| name.eq_ignore_ascii_case(frame));
    let goes_on = line.ends_with('=') && line.to_ascii_uppercase().contains("QUOTED-PRINTABLE");
    is_name && !is_frame && !goes_on && line.contains(':') && !line.contains(|c: char| c.is_control() && c != '\t')
}

fn group(line: &str) -> Option<&str> {
    let name = line.split([':', ';']).next()?;
    name.split_once('.').map(|(group, _)| group)
}

fn group_number(line: &str) -> Option<u32> {
    let group = group(line)?.to_ascii_lowercase();
    group.strip_prefix("item")?.parse().ok().filter(|number| *number < u32::MAX / 2)
}

fn is_about_its_group(line: &str) -> bool {
    let Some((group, name)) = line.split([':', ';']).next().and_then(|name| name.split_once('.')) else { return false };
    !group.is_empty() && ["X-ABLABEL", "X-ABADR"].iter().any(|known| name.eq_ignore_ascii_case(known))
}
