//! CSV with a header.

mod columns;
mod layout;

use worktruck_core::Result;

use self::columns::column;
use self::layout::Layout;
use super::intake::Intake;
use super::rows::Rows;
use super::unusable;

/// The name of a column of our own exports: metadata, as a JSON object.
pub(crate) const METADATA_COLUMN: &str = "metadata";
/// The name of a column of our own exports: differences from what the other cells say, as a JSON object.
pub(crate) const MORE_COLUMN: &str = "worktruck_more";

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

pub(super) fn parse(text: &str, intake: &mut Intake<'_>) -> Result<()> {
    let mut cells = Vec::new();
    let mut rows = Rows::new(text, delimiter(text));
    let Some((mut line, mut is_read)) = rows.next(&mut cells) else { return Ok(()) };
    if declared_delimiter(text).is_some() {
        let Some(next) = rows.next(&mut cells) else { return Ok(()) };
        (line, is_read) = next;
    }
    if let Err(reason) = is_read {
        return Err(unusable(intake.source(), line, format_args!("the header cannot be read: {reason}")));
    }
    let layout = Layout::new(&cells, line, intake)?;
    let slashes = layout.slash_order(&rows);
    let mut has_rows = false;
    while let Some((line, is_read)) = rows.next(&mut cells) {
        has_rows = true;
        let (found, expected) = (cells.len(), layout.width());
        match is_read {
            Err(reason) => intake.skip(line, reason),
            Ok(()) if found != expected => {
                intake.skip(line, format_args!("the row has {found} cells and the header has {expected}"));
            }
            Ok(()) => match layout.contact(&cells, line, slashes, intake) {
                Some(contact) => intake.accept(line, contact),
                None => intake.skip(line, "the row has no name and nothing else to call the contact by"),
            },
        }
    }
    if has_rows {
        Ok(())
    } else {
        Err(unusable(intake.source(), line, "the file has a header and no rows; add one row for each contact"))
    }
}

/// The delimiter with which most of the header is understood.
fn delimiter(text: &str) -> u8 {
    if let Some(declared) = declared_delimiter(text) {
        return declared;
    }
    let mut cells = Vec::new();
    let mut best = (0, 0, DELIMITERS[0]);
    for delimiter in DELIMITERS {
        let _ = Rows::new(text, delimiter).next(&mut cells);
        let known = cells.iter().filter(|cell| column(cell).is_some()).count();
        if (known, cells.len()) > (best.0, best.1) {
            best = (known, cells.len(), delimiter);
        }
    }
    best.2
}

/// The delimiter that spreadsheets write into a first line such as `sep=;`.
fn declared_delimiter(text: &str) -> Option<u8> {
    let first = text.trim_start().lines().next()?.trim_matches(['"', '\r']);
    match first.as_bytes() {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] => {
            DELIMITERS.contains(delimiter).then_some(*delimiter)
        }
        _ => None,
    }
}
