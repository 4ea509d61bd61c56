//! What of a Markdown text is prose, and what is code (CommonMark, as far as that matters for links).

use std::collections::BTreeMap;
use std::ops::Range;

/// The stretches of a text that are no code, in order.
///
/// Code is what stands in fences, between backticks, or indented by four columns where no list is open.
pub(super) fn prose(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for block in blocks(text) {
        inline(&text[block], &mut found);
    }
    found
}

/// The headings of a Markdown text that begin with `#`, without their marks.
#[must_use]
pub fn headings(text: &str) -> Vec<&str> {
    let lines = blocks(text).into_iter().flat_map(|block| text[block].lines());
    lines.filter_map(heading).filter(|heading| !heading.is_empty()).collect()
}

/// Blocks of prose, such as paragraphs; a span of code does not go from one into the next.
fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut walk = Walk::default();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        walk.line(line, at..at + line.len());
        at += line.len();
    }
    walk.blocks
}

/// A fence that is open.
struct Fence {
    mark: char,
    length: usize,
    quotes: usize,
}

#[derive(Default)]
struct Walk {
    blocks: Vec<Range<usize>>,
    fence: Option<Fence>,
    quotes: usize,
    in_list: bool,
    /// Whether the block that the last line belongs to goes on.
    in_block: bool,
}

impl Walk {
    fn line(&mut self, line: &str, range: Range<usize>) {
        let (quotes, content) = unquoted(line);
        let (columns, content) = unindented(content);
        if let Some(fence) = &self.fence {
            if quotes >= fence.quotes {
                let run = content.trim_end();
                if run.len() >= fence.length && run.chars().all(|c| c == fence.mark) {
                    self.fence = None;
                }
                return;
            }
            // The quotation ends, and with it the fence.
            self.fence = None;
        }
        if quotes != self.quotes {
            self.in_block = false;
            self.quotes = quotes;
        }
        if content.trim_end().is_empty() {
            self.in_block = false;
            return;
        }
        let item = after_marker(content);
        if columns >= 4 && !self.in_list && !self.in_block {
            return;
        }
        let is_heading = heading(content).is_some();
        match item {
            Some(_) => self.in_list = true,
            None if columns == 0 && (!self.in_block || is_heading) => self.in_list = false,
            None => {}
        }
        if let Some((mark, length)) = fence(item.unwrap_or(content)).filter(|_| columns < 4 || self.in_list) {
            self.fence = Some(Fence { mark, length, quotes });
            self.in_block = false;
            return;
        }
        match self.blocks.last_mut() {
            Some(block) if self.in_block && item.is_none() && !is_heading => block.end = range.end,
            _ => self.blocks.push(range),
        }
        self.in_block = !is_heading;
    }
}

/// How many marks of quotation a line begins with, and what follows them.
fn unquoted(line: &str) -> (usize, &str) {
    let (mut quotes, mut rest) = (0, line);
    loop {
        let (columns, content) = unindented(rest);
        match content.strip_prefix('>') {
            Some(content) if columns < 4 => {
                quotes += 1;
                rest = content.strip_prefix(' ').unwrap_or(content);
            }
            _ => return (quotes, rest),
        }
    }
}

/// How many columns a line is indented by, and what follows.
fn unindented(line: &str) -> (usize, &str) {
    let mut columns = 0;
    for (at, c) in line.char_indices() {
        match c {
            ' ' => columns += 1,
            '\t' => columns += 4 - columns % 4,
            _ => return (columns, &line[at..]),
        }
    }
    (columns, "")
}

/// What follows the mark of an item of a list.
fn after_marker(content: &str) -> Option<&str> {
    let rest = match content.strip_prefix(['-', '+', '*']) {
        Some(rest) => rest,
        None => {
            let rest = content.trim_start_matches(|c: char| c.is_ascii_digit());
            (1..=9).contains(&(content.len() - rest.len())).then_some(rest)?.strip_prefix(['.', ')'])?
        }
    };
    rest.starts_with([' ', '\t', '\n', '\r']).then(|| rest.trim_start())
}

/// The mark and the length of the fence that a line opens.
fn fence(content: &str) -> Option<(char, usize)> {
    let mark = content.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = content.trim_start_matches(mark);
    let length = content.len() - info.len();
    (length >= 3 && (mark == '~' || !info.contains('`'))).then_some((mark, length))
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches(' ').trim_start_matches('#');
    let marks = line.trim_start_matches(' ').len() - text.len();
    let is_heading = (1..=6).contains(&marks) && (text.trim_end().is_empty() || text.starts_with([' ', '\t']));
    is_heading.then(|| text.trim().trim_end_matches('#').trim_end())
}

/// The stretches of a block that do not stand between backticks.
fn inline<'a>(block: &'a str, found: &mut Vec<&'a str>) {
    let bytes = block.as_bytes();
    let mut runs: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = ticks(bytes, at);
        if length > 0 {
            runs.entry(length).or_default().push(at);
        }
        at += length.max(1);
    }
    let (mut start, mut at) = (0, 0);
    while at < bytes.len() {
        let length = ticks(bytes, at);
        if length == 0 {
            at += if bytes[at] == b'\\' { 2 } else { 1 };
            continue;
        }
        let closing = runs.get(&length).and_then(|runs| runs.get(runs.partition_point(|run| *run < at + length)));
        if let Some(closing) = closing {
            found.push(&block[start..at]);
            start = closing + length;
            at = start;
        } else {
            at += length;
        }
    }
    found.push(&block[start..]);
}

/// How many backticks there are from `at` on.
fn ticks(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().take_while(|byte| **byte == b'`').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The letters of the prose.
    fn letters(text: &str) -> String {
        prose(text).concat().chars().filter(|c| c.is_ascii_uppercase()).collect()
    }

    #[test]
    fn code_is_told_from_prose() {
        for (text, expected) in [
            ("A `B` C", "AC"),
            ("A ``B ` C`` D", "AD"),
            ("A ` B", "AB"),
            ("A ` B\n\nC ` D", "ABCD"),
            ("A `B\nC` D", "AD"),
            ("A \\`B` C", "ABC"),
            ("A `B\\` C", "AC"),
            ("```\nA\n```\nB", "B"),
            ("```rust\nA\n~~~\nB\n```` \nC", "C"),
            ("~~~ `x`\nA\n~~~\nB", "B"),
            ("````\nA\n```\nB\n````\nC", "C"),
            ("A\n```\nB", "A"),
            ("``` A ``` B", "B"),
            ("A\n\n    B\n    C\n\nD", "AD"),
            ("A\n    B", "AB"),
            ("    A\n\n\tB\nC", "C"),
            ("- A\n\n    B\n    - C\n\nD\n\n    E", "ABCD"),
            ("1. A\n   ```\n   B\n   ```\n   C", "AC"),
            ("- ```\n  A\n  ```\n- B", "B"),
            ("> A\n> ```\n> B\n> ```\n> C", "AC"),
            ("> ```\n> A\nB", "B"),
            ("> A `\n\nB `", "AB"),
            ("# A `\nB `", "AB"),
            ("- A `\n- B `", "AB"),
            ("2026) A\n\n    B", "AB"),
            ("Ä `é` A\r\n\r\n```\r\nB\r\n```\r\nC", "AC"),
        ] {
            assert_eq!(letters(text), expected, "{text}");
        }
    }

    #[test]
    fn headings_are_found_outside_of_code() {
        let text = "# One #\ntext\n```\n# no\n```\n##\tTwo\n####### no\n#no\n  ### Three\n#\n";
        assert_eq!(headings(text), ["One", "Two", "Three"]);
    }
}
