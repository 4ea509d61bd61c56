//! Contacts from files: CSV, vCard and JSContact.
//!
//! Parsing does no IO and never panics. What cannot be understood is kept: a field in the contact's
//! metadata with a warning, a broken row or card as a [`Problem`] that says where it is and why it was
//! skipped. Every contact that comes out has passed [`Contact::normalise`].

pub(crate) mod csv;
mod date;
pub mod icalendar;
mod intake;
pub(crate) mod jscontact;
mod load;
pub mod markdown;
pub(crate) mod more;
pub(crate) mod rank;
mod report;
mod rows;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod vcard;

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use worktruck_core::entity::contact::{Contact, Region};
use worktruck_core::{Error, IdSource, Result, Timestamp};

use self::intake::Intake;

pub use self::load::{Target, load};
pub use self::report::{Problem, Report};

/// What a file of contacts is written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated values with a header; semicolons, tabs and bars are found out.
    Csv,
    /// vCard 2.1, 3.0 or 4.0.
    Vcard,
    /// JSContact (RFC 9553): one Card, an array of Cards, or a list of groups and their Cards.
    JsContact,
}

impl Format {
    /// Finds out the format: by the first characters, then by the name's extension, else CSV.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_agents::import::Format;
    ///
    /// assert_eq!(Format::detect("people.vcf", b""), Format::Vcard);
    /// assert_eq!(Format::detect("people.txt", b"BEGIN:VCARD\r\n"), Format::Vcard);
    /// assert_eq!(Format::detect("people", b"uid,email\n"), Format::Csv);
    /// assert_eq!(Format::detect("people", b"[{\"@type\": \"Card\"}]"), Format::JsContact);
    /// ```
    #[must_use]
    pub fn detect(source: &str, bytes: &[u8]) -> Self {
        // NUL bytes are left out, so that UTF-16 is recognised too.
        let start: Vec<u8> = bytes.iter().take(256).copied().filter(|b| b.is_ascii_graphic()).take(11).collect();
        let extension = source.rsplit_once('.').map_or("", |(_, extension)| extension);
        let is_one_of = |known: &[&str]| known.iter().any(|known| extension.eq_ignore_ascii_case(known));
        if start.eq_ignore_ascii_case(b"BEGIN:VCARD") {
            Self::Vcard
        } else if start.starts_with(b"{\"") || start.starts_with(b"[{") {
            Self::JsContact
        } else if is_one_of(&["vcf", "vcard"]) {
            Self::Vcard
        } else if is_one_of(&["json", "jscontact", "jscard"]) {
            Self::JsContact
        } else {
            Self::Csv
        }
    }

    /// The format of a media type, such as the one of an HTTP request; parameters are ignored.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_agents::import::Format;
    ///
    /// assert_eq!(Format::of_media_type("text/vcard; charset=utf-8"), Some(Format::Vcard));
    /// assert_eq!(Format::of_media_type("application/jscontact+json"), Some(Format::JsContact));
    /// assert_eq!(Format::of_media_type("image/png"), None);
    /// ```
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let known = [
            ("text/vcard", Self::Vcard),
            ("text/x-vcard", Self::Vcard),
            ("text/directory", Self::Vcard),
            ("text/csv", Self::Csv),
            ("application/jscontact+json", Self::JsContact),
            ("application/json", Self::JsContact),
        ];
        known.iter().find(|(name, _)| essence.eq_ignore_ascii_case(name)).map(|(_, format)| *format)
    }
}

/// How a file is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The region of phone numbers that are written without a country code.
    pub region: Option<Region>,
}

/// What was found in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The contacts, in the order of the file; never empty.
    pub contacts: Vec<Imported>,
    /// What was not understood, in the order of the file.
    pub problems: Vec<Problem>,
    /// How many rows or cards the file has: each is a contact or a skipped problem.
    pub rows: usize,
}

impl Parsed {
    /// How many rows or cards were skipped.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.problems.iter().filter(|problem| problem.skipped).count()
    }
}

/// A contact, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The line of the file on which its row or card begins; the first is 1.
    pub line: u64,
    /// The contact, normalised.
    pub contact: Contact,
}

/// Reads the contacts in `bytes`, the content of the file that messages call `source`.
///
/// UTF-8 and, by its byte order mark, UTF-16 are read as such; lines that are neither are read as
/// Windows-1252, with one warning.
///
/// # Errors
///
/// [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if nothing in the file can be
/// used: it is empty or binary, no column of its header is known, it has no rows, or all were skipped. The
/// message names file, line and reason, and says what to do.
///
/// # Examples
///
/// ```
/// use worktruck_agents::import::{Format, Options, parse};
/// use worktruck_core::{DerivedIds, Timestamp};
///
/// let file = "display_name,email,birthday\nAda,ada@example.org,1815-12-10\nBob,bob@example.org,1990-02-31\n";
/// let ids = DerivedIds::new("0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?, 1);
/// let format = Format::detect("people.csv", file.as_bytes());
/// let parsed = parse("people.csv", file.as_bytes(), format, &Options::default(), &ids, Timestamp::EPOCH)?;
///
/// assert_eq!(parsed.contacts[0].contact.dates[0].year, Some(1815));
/// assert_eq!(parsed.contacts[1].contact.metadata["birthday"], "1990-02-31");
/// assert_eq!(
///     parsed.problems[0].to_string(),
///     r#"people.csv:3: birthday "1990-02-31" is not a day of the calendar; kept in metadata"#
/// );
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn parse(
    source: &str,
    bytes: &[u8],
    format: Format,
    options: &Options,
    ids: &dyn IdSource,
    now: Timestamp,
) -> Result<Parsed> {
    let mut intake = Intake::new(source, *options, ids, now);
    let text = text::decode(bytes, &mut intake)?;
    read(&text, format, &mut intake)?;
    intake.finish()
}

/// The contact that is read in `text`, neither checked nor normalised; nothing if there is none.
///
/// This is how an export finds out what it must say besides.
pub(crate) fn read_back(format: Format, text: &str, ids: &dyn IdSource) -> Option<Contact> {
    let mut intake = Intake::trial(ids);
    read(text, format, &mut intake).ok()?;
    intake.finish().ok()?.contacts.pop().map(|imported| imported.contact)
}

fn read(text: &str, format: Format, intake: &mut Intake<'_>) -> Result<()> {
    match format {
        Format::Csv => csv::parse(text, intake),
        Format::Vcard => vcard::parse(text, intake),
        Format::JsContact => jscontact::parse(text, intake),
    }
}

/// An error about the whole file.
fn unusable(source: &str, line: u64, reason: impl fmt::Display) -> Error {
    Error::invalid(format!("{source}:{line}: {reason}"))
}

/// The object in `text`, without NUL characters, which no text of ours may have.
fn json_object(text: &str) -> Option<Map<String, Value>> {
    let mut object = serde_json::from_str(text).ok()?;
    without_nul(&mut object);
    Some(object)
}

/// Takes out NUL characters, which no text of ours may have.
fn without_nul(object: &mut Map<String, Value>) {
    fn clean(value: &mut Value) {
        match value {
            Value::String(text) if text.contains('\0') => *text = text.replace('\0', ""),
            Value::Array(items) => items.iter_mut().for_each(clean),
            Value::Object(object) => without_nul(object),
            _ => {}
        }
    }
    object.values_mut().for_each(clean);
    if object.keys().any(|key| key.contains('\0')) {
        let cleaned = std::mem::take(object).into_iter().map(|(key, value)| (key.replace('\0', ""), value));
        *object = cleaned.collect();
    }
}
