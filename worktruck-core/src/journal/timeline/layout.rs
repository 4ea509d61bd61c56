//! How a timeline is set: offsets, durations, counts, lines.

use std::fmt;
use std::time::Duration;

/// How long a line gets, unless a word is longer.
const WIDTH: usize = 100;
/// No text on one line has such a space.
const GLUED: &str = "\u{a0}¢";

/// How long after the beginning something was: hours, minutes, seconds.
pub(super) fn offset(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    format!("+{}:{:02}:{:02}.{millis:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// How long something took.
pub(super) fn duration(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// `1 token`, `1,000 tokens`.
pub(super) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

/// A number with a comma before every third digit from its end.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text on one line: whoever wrote parts of it can neither break the line nor move a terminal's cursor.
pub(super) fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes `text`, one line, after `lead`: broken between words, but not before a unit of money. What follows stands below
/// the text.
pub(super) fn wrapped(f: &mut fmt::Formatter<'_>, lead: &str, text: &str) -> fmt::Result {
    f.write_str(lead)?;
    let indent = lead.chars().count().max(2);
    let (mut column, mut is_first) = (lead.chars().count(), true);
    for word in text.replace(" ¢", GLUED).split(' ') {
        let length = word.chars().count();
        if is_first {
            is_first = false;
        } else if column + 1 + length > WIDTH {
            write!(f, "\n{:indent$}", "")?;
            column = indent;
        } else {
            f.write_str(" ")?;
            column += 1;
        }
        f.write_str(&word.replace(GLUED, " ¢"))?;
        column += length;
    }
    Ok(())
}
