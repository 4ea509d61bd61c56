//! From bytes to text.

use worktruck_core::{Result, Timestamp};

use super::Problems;
use crate::clock::RandomIds;
use crate::import::intake::Intake;
use crate::import::{text, unusable};

/// The text of a file, without a byte order mark.
pub(super) fn decode(source: &str, bytes: &[u8], problems: &mut Problems) -> Result<String> {
    let advice = "give an iCalendar file (text/calendar) in UTF-8";
    if bytes.trim_ascii().is_empty() {
        return Err(unusable(source, 1, format_args!("the file is empty; {advice}")));
    }
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    if let Err(error) = str::from_utf8(bytes)
        && !is_utf16
    {
        let message = "the file is not UTF-8; from this line on, lines that are not are read as Windows-1252";
        problems.warn(line_of(bytes, error.valid_up_to()), None, message);
    }
    if let (Some(at), false) = (bytes.iter().position(|byte| *byte == 0), is_utf16) {
        let line = line_of(bytes, at);
        return Err(unusable(source, line, format_args!("the file has NUL bytes: it is binary, not text; {advice}")));
    }
    // Only its text is of interest: what it warns of was said above.
    let ids = RandomIds::new();
    let mut intake = Intake::new(source, crate::import::Options::default(), &ids, Timestamp::EPOCH);
    match text::decode(bytes, &mut intake) {
        Ok(text) => Ok(text),
        Err(_) => Err(unusable(source, 1, format_args!("the file is empty or binary, not text; {advice}"))),
    }
}

fn line_of(bytes: &[u8], at: usize) -> u64 {
    let before = bytes.get(..at).unwrap_or_default();
    1 + u64::try_from(before.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(0)
}
