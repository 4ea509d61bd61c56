//! From bytes to text.

use worktruck_core::{Error, Result};

use super::intake::Intake;
use super::unusable;

/// What 0x80 to 0x9f are in Windows-1252; the five that are nothing there stay what they are in Latin-1.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];
/// Text has fewer control characters than one in this many characters.
const CONTROL_SHARE: usize = 20;

/// The text of a file, without a byte order mark and with `\n` or `\r\n` at the end of lines.
pub(super) fn decode(bytes: &[u8], intake: &mut Intake<'_>) -> Result<String> {
    let mut text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8_or_latin(rest, intake),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => utf8_or_latin(bytes, intake),
    };
    if text.trim().is_empty() {
        return Err(unusable(intake.source(), 1, "the file is empty; give a CSV file with a header, or a vCard file"));
    }
    if let Some(at) = text.find('\0') {
        return Err(binary(intake, &text[..at], "has NUL bytes"));
    }
    let is_control = |c: &char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1a}');
    let controls = text.chars().filter(is_control).count();
    if controls > text.chars().count() / CONTROL_SHARE {
        let before = text.find(|c| is_control(&c)).unwrap_or(0);
        return Err(binary(intake, &text[..before], "is full of control characters"));
    }
    if !text.contains('\n') {
        text = text.replace('\r', "\n");
    }
    Ok(text)
}

fn binary(intake: &Intake<'_>, before: &str, what: &str) -> Error {
    let line = 1 + u64::try_from(before.matches('\n').count()).unwrap_or(0);
    let advice = "it is binary, not text; export the contacts as CSV or vCard in UTF-8";
    unusable(intake.source(), line, format_args!("the file {what}: {advice}"))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Line by line, because files that were put together from several have lines of both sorts.
fn utf8_or_latin(bytes: &[u8], intake: &mut Intake<'_>) -> String {
    if let Ok(text) = str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    let mut first = None;
    for (line, number) in bytes.split_inclusive(|b| *b == b'\n').zip(1..) {
        match str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            Err(_) => {
                first.get_or_insert(number);
                text.extend(line.iter().map(|byte| windows_1252(*byte)));
            }
        }
    }
    if let Some(line) = first {
        intake.warn(
            line,
            None,
            "the file is not UTF-8; from this line on, lines that are not are read as Windows-1252",
        );
    }
    text
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}
