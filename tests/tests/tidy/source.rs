//! Reading the workspace: its files, and of a file the code alone.

use std::fs;
use std::path::{Path, PathBuf};

/// A file: its path from the root of the workspace, with `/` between the parts, and its text.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }
}

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file of the workspace, in order of path.
pub(crate) fn rust_files() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root(), &root(), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(root, &path, found);
        } else if name.ends_with(".rs") {
            let from_root = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source { path: from_root, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

/// The text with comments and the insides of literals blanked, line by line as before.
pub(crate) fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = at + skipped(&text[at..], at.checked_sub(1).map(|before| bytes[before]));
        if end == at {
            let c = text[at..].chars().next().unwrap();
            out.push(c);
            at += c.len_utf8();
        } else {
            out.extend(text[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// The code without the items that only tests see.
pub(crate) fn shipped(text: &str) -> String {
    const TEST_ONLY: &str = "#[cfg(test)]";
    let mut code = code(text);
    while let Some(start) = code.find(TEST_ONLY) {
        let after = start + TEST_ONLY.len();
        let end = after + item_length(&code[after..]);
        let blank: String = code[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(start..end, &blank);
    }
    code
}

/// How long the item at the start is: to its `;`, or to the end of its braces.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// How many bytes at the start are a comment or a literal; `before` is the byte ahead of it.
fn skipped(rest: &str, before: Option<u8>) -> usize {
    let to = |end: Option<usize>| end.unwrap_or(rest.len());
    let in_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    if rest.starts_with("//") {
        return to(rest.find('\n'));
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    if !in_word && let Some(hashes) = raw_string(rest) {
        let close = format!("\"{}", "#".repeat(hashes));
        let open = rest.find('"').unwrap_or(0) + 1;
        return to(rest[open..].find(&close).map(|end| open + end + close.len()));
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        let mut inside = inside.chars();
        let (first, second) = (inside.next(), inside.next());
        // What is no character in quotes is a lifetime or a label.
        if first == Some('\\') || second == Some('\'') {
            return quoted(rest, '\'');
        }
    }
    0
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The number of `#` of a raw string at the start.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.bytes().take_while(|b| *b == b'#').count();
    after[hashes..].starts_with('"').then_some(hashes)
}

#[test]
fn comments_and_literals_are_blanked_and_lines_kept() {
    let text = "let a = \"use crate::x; \\\" //\"; // async\n/* a /* b */ c */ let b = r#\"todo \" \"#; let c = '\"'; fn d<'a>() {}";
    let code = code(text);
    assert_eq!(code.lines().count(), 2);
    assert!(!code.contains("crate") && !code.contains("async") && !code.contains("todo"), "{code}");
    assert!(code.contains("let b =") && code.contains("fn d<'a>() {}"), "{code}");
}

#[test]
fn what_only_tests_see_is_not_shipped() {
    let text = "#[cfg(test)]\nuse a::B;\nfn kept() { let x = 1; }\n#[cfg(test)]\nmod tests {\n fn gone() { { } }\n}\nfn also_kept() {}";
    let shipped = shipped(text);
    assert!(shipped.contains("fn kept()") && shipped.contains("fn also_kept()"), "{shipped}");
    assert!(!shipped.contains("gone") && !shipped.contains("a::B"), "{shipped}");
}
