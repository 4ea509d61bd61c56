//! The rows of a CSV file (RFC 4180), of which broken ones do not swallow their neighbours.

use std::borrow::Cow;

/// A quoted cell that is longer than this was not meant to be one. Metadata may hold a picture.
const LONGEST_CELL: usize = 1 << 24;

/// Splits a text into rows and cells.
///
/// Where quoting is broken, the row's first line is given up and the next line begins a new row: a quote that
/// is never closed costs one row, not the rest of the file.
#[derive(Clone, Debug)]
pub(super) struct Rows<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    delimiter: u8,
}

impl<'a> Rows<'a> {
    /// The rows of `text`, whose cells are separated by `delimiter`, an ASCII character.
    pub(super) fn new(text: &'a str, delimiter: u8) -> Self {
        Self { text, at: 0, line: 1, delimiter }
    }

    /// Goes on to the next row that is not blank and puts its cells into `cells`.
    ///
    /// Answers with the line on which the row begins and, if its quoting is broken, the reason.
    pub(super) fn next(&mut self, cells: &mut Vec<Cow<'a, str>>) -> Option<(u64, Result<(), &'static str>)> {
        loop {
            if self.at >= self.text.len() {
                return None;
            }
            cells.clear();
            let (start, line) = (self.at, self.line);
            let is_read = self.row(cells);
            if is_read.is_err() {
                self.at = self.text[start..].find('\n').map_or(self.text.len(), |end| start + end + 1);
                self.line = line + 1;
            }
            let is_blank = is_read.is_ok() && matches!(cells.as_slice(), [only] if only.trim().is_empty());
            if !is_blank {
                return Some((line, is_read));
            }
        }
    }

    fn row(&mut self, cells: &mut Vec<Cow<'a, str>>) -> Result<(), &'static str> {
        loop {
            cells.push(self.cell()?);
            match self.text.as_bytes().get(self.at) {
                Some(byte) if *byte == self.delimiter => self.at += 1,
                Some(_) => {
                    self.at += 1;
                    self.line += 1;
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    /// Reads a cell and stops at the delimiter, the line feed or the end behind it.
    fn cell(&mut self) -> Result<Cow<'a, str>, &'static str> {
        let rest = &self.text[self.at..];
        if let Some(inner) = self.without_spaces(rest).strip_prefix('"') {
            return self.quoted(inner);
        }
        let end = rest.bytes().position(|b| b == self.delimiter || b == b'\n').unwrap_or(rest.len());
        self.at += end;
        let cell = &rest[..end];
        let is_last = rest.as_bytes().get(end) != Some(&self.delimiter);
        Ok(Cow::Borrowed(if is_last { cell.strip_suffix('\r').unwrap_or(cell) } else { cell }))
    }

    /// Reads on behind the opening quote.
    fn quoted(&mut self, inner: &'a str) -> Result<Cow<'a, str>, &'static str> {
        let mut cell = Cow::Borrowed("");
        let mut rest = inner;
        loop {
            let end =
                rest.bytes().take(LONGEST_CELL).position(|b| b == b'"').ok_or("a quote is opened and never closed")?;
            let (part, behind) = (&rest[..end], &rest[end + 1..]);
            if cell.is_empty() {
                cell = Cow::Borrowed(part)
            } else {
                cell.to_mut().push_str(part)
            }
            if cell.len() > LONGEST_CELL {
                return Err("a quote is opened and not closed within 16 megabytes");
            }
            match behind.strip_prefix('"') {
                Some(more) => {
                    cell.to_mut().push('"');
                    rest = more;
                }
                None => {
                    let behind = self.without_spaces(behind);
                    let behind = match behind.strip_prefix('\r') {
                        Some(more) if more.is_empty() || more.starts_with('\n') => more,
                        _ => behind,
                    };
                    if !matches!(behind.as_bytes().first(), None | Some(b'\n'))
                        && !behind.as_bytes().starts_with(&[self.delimiter])
                    {
                        return Err("text follows a closing quote");
                    }
                    self.line += u64::try_from(cell.matches('\n').count()).unwrap_or(0);
                    self.at = self.text.len() - behind.len();
                    return Ok(cell);
                }
            }
        }
    }

    fn without_spaces<'t>(&self, text: &'t str) -> &'t str {
        text.trim_start_matches(|c| c == ' ' || (c == '\t' && self.delimiter != b'\t'))
    }
}
