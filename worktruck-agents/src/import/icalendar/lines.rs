//! The lines of an iCalendar file: where folded ones end, and which component they belong to.

/// A logical line: one property.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The line of the file on which it begins.
    pub(super) number: u64,
    /// The line in one piece.
    pub(super) text: String,
}

/// An event, a time zone or another part of a calendar.
#[derive(Debug)]
pub(super) struct Block {
    /// The line of its BEGIN.
    pub(super) line: u64,
    /// Its name in upper case.
    pub(super) name: String,
    /// Its lines without its own BEGIN and END; those of its parts are among them with theirs.
    pub(super) lines: Vec<Line>,
    /// Whether its END was found.
    pub(super) is_whole: bool,
}

/// What a file consists of.
#[derive(Debug, Default)]
pub(super) struct File {
    /// The properties of the calendar itself.
    pub(super) calendar: Vec<Line>,
    /// Its parts.
    pub(super) blocks: Vec<Block>,
    /// Lines that belong to nothing, the first of each stretch.
    pub(super) stray: Vec<u64>,
    /// Whether it has a BEGIN:VCALENDAR.
    pub(super) is_calendar: bool,
}

const CALENDAR: &str = "VCALENDAR";

/// Splits a file into its parts. Parts without a calendar around them are read too.
pub(super) fn split(text: &str) -> File {
    let mut file = File::default();
    let mut is_inside = false;
    let mut was_stray = false;
    let mut open: Option<Block> = None;
    // The names of the parts of the open block that are open.
    let mut inner: Vec<String> = Vec::new();
    for line in logical(text) {
        let frame = frame(&line.text);
        if let Some(block) = &mut open {
            match frame {
                Some((true, name)) if name == block.name || name == CALENDAR => {
                    file.blocks.extend(open.take());
                    inner.clear();
                    open = begin(&mut file, &mut is_inside, line.number, name);
                }
                Some((false, name)) if name == block.name && !inner.contains(&name) => {
                    block.is_whole = true;
                    file.blocks.extend(open.take());
                    inner.clear();
                }
                Some((false, name)) if name == CALENDAR => {
                    file.blocks.extend(open.take());
                    inner.clear();
                    is_inside = false;
                }
                Some((true, name)) => {
                    inner.push(name);
                    block.lines.push(line);
                }
                Some((false, name)) => {
                    // An END closes what was left open inside.
                    if let Some(at) = inner.iter().rposition(|open| *open == name) {
                        inner.truncate(at);
                    }
                    block.lines.push(line);
                }
                None => block.lines.push(line),
            }
            was_stray = false;
            continue;
        }
        match frame {
            Some((true, name)) => {
                open = begin(&mut file, &mut is_inside, line.number, name);
                was_stray = false;
            }
            Some((false, name)) if name == CALENDAR && is_inside => {
                is_inside = false;
                was_stray = false;
            }
            None if is_inside => file.calendar.push(line),
            _ => {
                if !was_stray {
                    file.stray.push(line.number);
                }
                was_stray = true;
            }
        }
    }
    file.blocks.extend(open);
    file
}

fn begin(file: &mut File, is_inside: &mut bool, line: u64, name: String) -> Option<Block> {
    if name == CALENDAR {
        file.is_calendar = true;
        *is_inside = true;
        return None;
    }
    Some(Block { line, name, lines: Vec::new(), is_whole: false })
}

/// Whether the line is a BEGIN (true) or an END, and of what.
pub(super) fn frame(line: &str) -> Option<(bool, String)> {
    let (word, name) = line.split_once(':')?;
    let is_begin = match word.trim() {
        word if word.eq_ignore_ascii_case("BEGIN") => true,
        word if word.eq_ignore_ascii_case("END") => false,
        _ => return None,
    };
    Some((is_begin, name.trim().to_ascii_uppercase()))
}

/// The lines of a file in one piece each, without blank ones.
fn logical(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut is_open = false;
    for (physical, number) in text.split('\n').zip(1..) {
        let physical = physical.strip_suffix('\r').unwrap_or(physical);
        let last = lines.last_mut().filter(|_| is_open);
        match (physical.strip_prefix([' ', '\t']), last) {
            (Some(rest), Some(line)) => line.text.push_str(rest),
            (_, Some(line)) if goes_on(&line.text) => {
                line.text.pop();
                line.text.push_str(physical);
            }
            _ if physical.trim().is_empty() => is_open = false,
            _ => {
                lines.push(Line { number, text: physical.to_owned() });
                is_open = true;
            }
        }
    }
    lines
}

/// Whether the line is quoted-printable, as vCalendar 1.0 has it, and not at its end.
fn goes_on(line: &str) -> bool {
    let parameters = line.split(':').next().unwrap_or_default();
    line.ends_with('=') && parameters.to_ascii_uppercase().contains("QUOTED-PRINTABLE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_lines_are_put_together_whatever_ends_them() {
        for end in ["\n", "\r\n"] {
            let text = ["BEGIN:VCALENDAR", "X-A:one", "  two", "\tthree", "", "X-B:2", ""].join(end);
            let file = split(&text);
            let lines: Vec<(u64, &str)> = file.calendar.iter().map(|line| (line.number, line.text.as_str())).collect();
            assert_eq!(lines, [(2, "X-A:one twothree"), (6, "X-B:2")]);
        }
    }

    #[test]
    fn a_part_that_does_not_end_spoils_no_other() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nBEGIN:VALARM\nUID:1\nBEGIN:VEVENT\nUID:2\nEND:VEVENT\nBEGIN:VTODO\n";
        let file = split(&text.replace("END:VCALENDAR", ""));
        let blocks: Vec<(u64, &str, bool)> =
            file.blocks.iter().map(|block| (block.line, block.name.as_str(), block.is_whole)).collect();
        assert_eq!(blocks, [(2, "VEVENT", false), (5, "VEVENT", true), (8, "VTODO", false)]);
    }
}
