//! The lines of a vCard file: which cards they belong to, and where folded ones end.

/// A card, or what stands where one should.
#[derive(Debug)]
pub(super) struct Card<'a> {
    /// The line of its BEGIN.
    pub(super) line: u64,
    /// Its properties, without BEGIN and END.
    pub(super) lines: Vec<Line<'a>>,
    /// Whether its END was found.
    pub(super) is_whole: bool,
}

/// A logical line: one property.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) number: u64,
    /// As in the file, folds included, without the last line end.
    pub(super) text: &'a str,
}

impl Line<'_> {
    /// The line in one piece.
    pub(super) fn unfolded(&self) -> String {
        let is_quoted_printable = is_quoted_printable(self.text);
        let mut unfolded = String::with_capacity(self.text.len());
        for part in self.text.split('\n').map(|part| part.strip_suffix('\r').unwrap_or(part)) {
            if unfolded.is_empty() {
                unfolded.push_str(part);
            } else if is_quoted_printable && unfolded.ends_with('=') {
                unfolded.pop();
                unfolded.push_str(part);
            } else {
                unfolded.push_str(part.strip_prefix([' ', '\t']).unwrap_or(part));
            }
        }
        unfolded
    }
}

/// Splits a file into cards; `stray` is told of each block of lines that belongs to none.
pub(super) fn cards<'a>(text: &'a str, mut stray: impl FnMut(u64)) -> Vec<Card<'a>> {
    let mut cards = Vec::new();
    let mut open: Option<Card<'a>> = None;
    let mut is_stray = false;
    for line in logical(text) {
        let content = line.text.trim();
        if content.eq_ignore_ascii_case("BEGIN:VCARD") {
            cards.extend(open.replace(Card { line: line.number, lines: Vec::new(), is_whole: false }));
            is_stray = false;
        } else if content.eq_ignore_ascii_case("END:VCARD") && open.is_some() {
            cards.extend(open.take().map(|card| Card { is_whole: true, ..card }));
        } else if let Some(card) = &mut open {
            if !content.is_empty() {
                card.lines.push(line);
            }
        } else if !content.is_empty() && !is_stray {
            is_stray = true;
            stray(line.number);
        }
    }
    cards.extend(open);
    cards
}

fn logical(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut rest = text;
    let mut number = 1;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = rest;
        let first = number;
        let mut end = physical_end(whole);
        number += 1;
        let (quoted_printable, base64) = (is_quoted_printable(&whole[..end]), is_base64(&whole[..end]));
        while end < whole.len() {
            let next = &whole[end..];
            let length = physical_end(next);
            let is_continued = next.starts_with([' ', '\t'])
                || quoted_printable && whole[..end].trim_end_matches(['\r', '\n']).ends_with('=')
                || base64 && is_base64_text(next[..length].trim());
            if !is_continued {
                break;
            }
            end += length;
            number += 1;
        }
        rest = &whole[end..];
        Some(Line { number: first, text: whole[..end].trim_end_matches(['\r', '\n']) })
    })
}

fn physical_end(text: &str) -> usize {
    text.find('\n').map_or(text.len(), |at| at + 1)
}

/// Whether what stands before the value has one of these in it, which are in upper case.
fn has_parameter(line: &str, wanted: &[&str]) -> bool {
    let parameters = line.split(':').next().unwrap_or_default().as_bytes();
    let is_there =
        |wanted: &&str| parameters.windows(wanted.len()).any(|at| at.eq_ignore_ascii_case(wanted.as_bytes()));
    wanted.iter().any(is_there)
}

fn is_quoted_printable(line: &str) -> bool {
    has_parameter(line, &["QUOTED-PRINTABLE"])
}

fn is_base64(line: &str) -> bool {
    has_parameter(line, &["BASE64", "ENCODING=B"])
}

fn is_base64_text(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}
