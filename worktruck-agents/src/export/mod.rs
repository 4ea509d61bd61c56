//! Contacts to files: vCard, CSV and JSContact.
//!
//! A contact that is exported and [imported](crate::import) again is the same, but for the ids of its items. Each
//! format says as much as it can in its own words, so that other programs understand it. The export reads its own
//! words back, and what they do not say is written beside them, in a place that our import knows:
//!
//! | | metadata | other differences |
//! |---|---|---|
//! | vCard | `X-WORKTRUCK-METADATA` | `X-WORKTRUCK-MORE` |
//! | CSV | the column `metadata` | the column `worktruck_more` |
//! | JSContact | `worktruck.github.io:metadata` | `worktruck.github.io:more` |
//!
//! A difference names the value that it replaces. Where another program has changed that value since, the change
//! wins. The lines of a vCard and the members of a Card that the import had no field for are written as they were, in
//! their own format; in the others they are metadata.
//!
//! In a vCard these stand for what its version has no word for: the properties `X-WORKTRUCK-CHANNEL` (a custom
//! channel) and, in version 3.0, `X-WORKTRUCK-LANGUAGE`; the parameters `X-WORKTRUCK-VERIFIED` and
//! `X-WORKTRUCK-ORDER` of a channel, `X-WORKTRUCK-LABEL` of a date and, in version 3.0, `X-WORKTRUCK-GEO` of an
//! address. Labels that are no types, country codes in version 3.0 and dates of other types are written as Apple does.
//!
//! Data is not altered to please a spreadsheet: a cell of a CSV file may begin with `=`, `+`, `-` or `@`, and a
//! program that takes such a cell for a formula must be told to read it as text.

mod claims;
mod csv;
pub mod icalendar;
mod jscontact;
pub mod markdown;
#[cfg(test)]
mod tests;
mod text;
mod vcard;

use std::borrow::Borrow;
use std::fmt;
use std::io::Write;
use std::str::FromStr;

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::{Builder, Uuid};
use worktruck_core::entity::contact::Contact;
use worktruck_core::{EntityId, Error, IdSource, Result, Timestamp};

use crate::import::more;

use self::vcard::Version;

/// What contacts are written as.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// vCard 3.0 (RFC 2426), which every address book reads.
    #[default]
    Vcard3,
    /// vCard 4.0 (RFC 6350).
    Vcard4,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// JSContact (RFC 9553): an array of Cards.
    JsContact,
}

impl Format {
    /// The media type.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_agents::export::Format;
    ///
    /// assert_eq!(Format::JsContact.media_type(), "application/jscontact+json");
    /// ```
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Vcard3 | Self::Vcard4 => "text/vcard; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsContact => "application/jscontact+json",
        }
    }

    /// What the name of a file ends with, without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Vcard3 | Self::Vcard4 => "vcf",
            Self::Csv => "csv",
            Self::JsContact => "json",
        }
    }

    /// What reads it again.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_agents::{export, import};
    ///
    /// assert_eq!(export::Format::Vcard4.read_as(), import::Format::Vcard);
    /// ```
    #[must_use]
    pub const fn read_as(self) -> crate::import::Format {
        match self {
            Self::Vcard3 | Self::Vcard4 => crate::import::Format::Vcard,
            Self::Csv => crate::import::Format::Csv,
            Self::JsContact => crate::import::Format::JsContact,
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    /// Reads `vcard` or `vcard3`, `vcard4`, `csv`, `jscontact`.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "vcard" | "vcard3" => Ok(Self::Vcard3),
            "vcard4" => Ok(Self::Vcard4),
            "csv" => Ok(Self::Csv),
            "jscontact" => Ok(Self::JsContact),
            _ => Err(Error::invalid(format!("{name:?} is no format; give vcard, vcard4, csv or jscontact"))),
        }
    }
}

/// Writes contacts one after the other.
///
/// Only the contact that is being written is in memory.
///
/// # Examples
///
/// ```
/// use worktruck_agents::export::{Format, Writer};
/// use worktruck_core::entity::contact::Contact;
///
/// let ada = Contact { display_name: "Ada, Countess".to_owned(), ..Contact::default() };
/// let mut writer = Writer::new(Format::Vcard4, Vec::new())?;
/// writer.write("0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?, &ada)?;
/// let file = String::from_utf8(writer.finish()?).expect("it is text");
///
/// assert_eq!(
///     file,
///     "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada\\, Countess\r\nN:;;;;\r\n\
///      UID:urn:uuid:0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d\r\nEND:VCARD\r\n"
/// );
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<W> {
    format: Format,
    out: W,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](worktruck_core::ErrorKind::Unavailable) if `out` cannot be written to.
    pub fn new(format: Format, out: W) -> Result<Self> {
        let mut writer = Self { format, out, written: 0 };
        match format {
            Format::Vcard3 | Format::Vcard4 => {}
            Format::Csv => writer.put(&csv::header()?)?,
            Format::JsContact => writer.put("[")?,
        }
        Ok(writer)
    }

    /// Writes a contact; `id` becomes its UID if it has none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](worktruck_core::ErrorKind::Unavailable) if the file cannot be written to; what has
    /// been written by then is no whole file.
    pub fn write(&mut self, id: EntityId, contact: &Contact) -> Result<()> {
        let mut contact = contact.clone();
        contact.vcard_uid.get_or_insert_with(|| format!("urn:uuid:{}", id.as_uuid()));
        let text = match self.format {
            Format::Vcard3 => vcard::card(&contact, Version::V3),
            Format::Vcard4 => vcard::card(&contact, Version::V4),
            Format::Csv => csv::row(&contact)?,
            Format::JsContact => {
                let separator = if self.written == 0 { "\n" } else { ",\n" };
                format!("{separator}{}", jscontact::card(&contact))
            }
        };
        self.put(&text)?;
        self.written += 1;
        Ok(())
    }

    /// How many contacts have been written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](worktruck_core::ErrorKind::Unavailable) if the file cannot be written to.
    pub fn finish(mut self) -> Result<W> {
        if self.format == Format::JsContact {
            self.put("\n]\n")?;
        }
        self.out.flush().map_err(unwritten)?;
        Ok(self.out)
    }

    fn put(&mut self, text: &str) -> Result<()> {
        self.out.write_all(text.as_bytes()).map_err(unwritten)
    }
}

/// Writes contacts, each with its id, to `out`, and answers with how many they were.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](worktruck_core::ErrorKind::Unavailable) if `out` cannot be written to.
///
/// # Examples
///
/// ```
/// use worktruck_agents::clock::RandomIds;
/// use worktruck_agents::export::{self, Format};
/// use worktruck_agents::import::{self, Options};
/// use worktruck_core::entity::contact::Contact;
/// use worktruck_core::{EntityId, Timestamp};
///
/// let ids = RandomIds::new();
/// let ada = Contact { display_name: " Ada\n".to_owned(), tags: vec!["a;b".to_owned()], ..Contact::default() };
/// for format in [Format::Vcard3, Format::Vcard4, Format::Csv, Format::JsContact] {
///     let mut file = Vec::new();
///     export::write(format, [(EntityId::new(&ids, Timestamp::EPOCH), &ada)], &mut file)?;
///     let parsed = import::parse("a", &file, format.read_as(), &Options::default(), &ids, Timestamp::EPOCH)?;
///     assert_eq!(parsed.contacts[0].contact.display_name, ada.display_name);
///     assert_eq!(parsed.contacts[0].contact.tags, ada.tags);
/// }
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn write<C: Borrow<Contact>>(
    format: Format,
    contacts: impl IntoIterator<Item = (EntityId, C)>,
    out: impl Write,
) -> Result<u64> {
    let mut writer = Writer::new(format, out)?;
    for (id, contact) in contacts {
        writer.write(id, contact.borrow())?;
    }
    let written = writer.written();
    writer.finish()?;
    Ok(written)
}

fn unwritten(error: std::io::Error) -> Error {
    Error::unavailable("the export cannot be written; see that there is room for it").with_source(error)
}

/// What the words of a format do not say of a contact.
struct Rest {
    metadata: Map<String, Value>,
    more: Map<String, Value>,
}

/// Reads `plain` back, as an import will, and finds out what is missing.
fn rest(format: Format, plain: &str, contact: &Contact) -> Rest {
    let mut read = read_back(format, plain);
    let metadata = more::unread_metadata(&read, contact);
    read.metadata.extend(metadata.clone());
    let more = more::differences(&read, contact);
    Rest { metadata, more }
}

fn read_back(format: Format, plain: &str) -> Contact {
    crate::import::read_back(format.read_as(), plain, &NoIds).unwrap_or_default()
}

/// Ids of items that are only looked at.
struct NoIds;

impl fmt::Debug for NoIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoIds")
    }
}

impl IdSource for NoIds {
    fn next_uuid(&self, now: Timestamp) -> Uuid {
        let _ = now;
        Builder::from_unix_timestamp_millis(0, &[0; 10]).into_uuid()
    }
}
