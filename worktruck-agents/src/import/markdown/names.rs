//! What notebooks and notes are called in a folder.
//!
//! A name that came from a folder stays what it was as long as no system takes it for anything but the name of a
//! file. All others are made of titles.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;
use worktruck_core::entity::note::{FILE, Note};

/// What a note without a usable title is called.
const UNTITLED: &str = "Untitled";
/// The longest name of a file on usual systems, in bytes.
const MAX_NAME: usize = 255;
/// The longest name that is made of a title, so that a number and an ending have room behind it.
const MAX_STEM: usize = 180;
/// Names that some systems take for devices, whatever their ending.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Whether a file of this name is read as Markdown.
pub(crate) fn is_markdown(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ["md", "markdown"].iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// Whether every system takes this for the name of a file or folder, and for nothing else.
pub(crate) fn is_plain(name: &str) -> bool {
    let is_odd = |c: char| c.is_control() || "/\\:".contains(c) || (cfg!(windows) && "*?\"<>|".contains(c));
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('.')
        && !name.ends_with(['.', ' '])
        && !name.contains(is_odd)
        && !is_device(name)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let numbered = ["com", "lpt"].iter().filter_map(|port| stem.strip_prefix(port));
    let mut numbers = numbered.filter_map(|number| number.chars().next().filter(|c| c.len_utf8() == number.len()));
    DEVICES.contains(&stem.as_str()) || numbers.any(|number| number.is_ascii_digit() || "¹²³".contains(number))
}

/// A name made of a text.
fn safe(text: &str, most: usize) -> String {
    let odd = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let mut name: String = text.chars().map(|c| if odd(c) { '_' } else { c }).collect();
    if name.trim_start().starts_with('.') {
        name = name.trim_start().replacen('.', "_", 1);
    }
    let end = (0..=most.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name.truncate(end);
    let name = name.trim_end_matches(|c: char| c == '.' || c.is_whitespace()).trim_start();
    match name {
        "" => UNTITLED.to_owned(),
        name if is_device(name) => format!("_{name}"),
        name => name.to_owned(),
    }
}

/// The folder that a notebook of this name is written to, if no other is.
pub(crate) fn folder_of(notebook: &str) -> String {
    let parts = notebook.split('/').filter(|part| !part.is_empty());
    let parts: Vec<String> =
        parts.map(|part| if is_plain(part) { part.to_owned() } else { safe(part, MAX_STEM) }).collect();
    if parts.is_empty() { UNTITLED.to_owned() } else { parts.join("/") }
}

/// The name of the file that a note was read from, if it says any.
pub(crate) fn said_by(note: &Note) -> Option<&str> {
    note.metadata.get(FILE).and_then(Value::as_str)
}

/// The file that a note is written to, if no other in its folder is.
pub(crate) fn file_of(title: &str, said: Option<&str>) -> String {
    match said {
        Some(name) if is_plain(name) && is_markdown(name) => name.to_owned(),
        Some(name) => {
            let stem = if is_markdown(name) { name.rsplit_once('.').map_or(name, |(stem, _)| stem) } else { name };
            format!("{}.md", safe(stem, MAX_STEM))
        }
        None => format!("{}.md", safe(title, MAX_STEM)),
    }
}

/// Whether a note with this title might be written to a file of this name without saying so.
pub(crate) fn is_made_of(name: &str, title: &str) -> bool {
    let made = file_of(title, None);
    name == made || without_number(name) == Some(made)
}

/// The name of a file without the number before its ending.
fn without_number(name: &str) -> Option<String> {
    let (stem, ending) = name.rsplit_once('.')?;
    Some(format!("{}.{ending}", unnumbered(stem)?))
}

/// A name without the number behind it, if there is one.
fn unnumbered(stem: &str) -> Option<&str> {
    let (stem, number) = stem.strip_suffix(')')?.rsplit_once(" (")?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
    is_number.then_some(stem)
}

/// What sorts paths in the order in which notebooks and notes of one name had their numbers, each folder by itself.
pub(crate) fn order(path: &str) -> impl Ord + use<> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut plain_folder = folder;
    while let Some(shorter) = unnumbered(plain_folder) {
        plain_folder = shorter;
    }
    let mut plain = name.to_owned();
    while let Some(shorter) = without_number(&plain) {
        plain = shorter;
    }
    (plain_folder.to_owned(), folder.len(), folder.to_owned(), plain, name.len(), name.to_owned())
}

/// Gives every notebook a folder and every note a file, no two the same on any system.
///
/// Folders come before files, and names that were said before those that are made of titles: each takes what is
/// free, and else gets a number behind it.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Folders, and what is above them.
    folders: HashSet<String>,
    notebooks: HashSet<String>,
    files: HashSet<String>,
    /// The number to try next behind a name.
    next: HashMap<String, u32>,
}

impl Names {
    /// A folder for a notebook.
    pub(crate) fn folder(&mut self, notebook: &str) -> String {
        let wanted = folder_of(notebook);
        let found = self.free(&wanted, "", |names, key| !names.notebooks.contains(key));
        let ends = found.match_indices('/').map(|(at, _)| at).chain([found.len()]);
        self.folders.extend(ends.map(|end| key(&found[..end])));
        self.notebooks.insert(key(&found));
        found
    }

    /// A file for a note, with the folder before it.
    pub(crate) fn file(&mut self, folder: Option<&str>, wanted: &str) -> String {
        let path = folder.map_or_else(|| wanted.to_owned(), |folder| format!("{folder}/{wanted}"));
        let (stem, ending) = path.rsplit_once('.').unwrap_or((&path, ""));
        let ending = if ending.is_empty() { String::new() } else { format!(".{ending}") };
        let found = self.free(stem, &ending, |names, key| !names.files.contains(key) && !names.folders.contains(key));
        self.files.insert(key(&found));
        found
    }

    fn free(&mut self, stem: &str, ending: &str, is_free: impl Fn(&Self, &str) -> bool) -> String {
        let plain = format!("{stem}{ending}");
        if is_free(self, &key(&plain)) {
            return plain;
        }
        let start = stem.rfind('/').map_or(0, |at| at + 1);
        let most = stem.len().min(start + MAX_STEM + 20);
        let end = (0..=most).rev().find(|end| stem.is_char_boundary(*end)).unwrap_or(0);
        let counted = key(&plain);
        let mut number = self.next.get(&counted).copied().unwrap_or(2);
        loop {
            let name = format!("{} ({number}){ending}", &stem[..end]);
            number = number.saturating_add(1);
            if is_free(self, &key(&name)) {
                self.next.insert(counted, number);
                return name;
            }
        }
    }
}

/// What two names share that some system takes for the same.
fn key(path: &str) -> String {
    path.nfc().flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn titles_become_names_that_every_system_takes() {
        for (title, name) in [
            ("Road map", "Road map.md"),
            ("a/b\\c:d*e?f\"g<h>i|j", "a_b_c_d_e_f_g_h_i_j.md"),
            ("..", "_.md"),
            ("../../etc/passwd", "_._.._etc_passwd.md"),
            (".hidden", "_hidden.md"),
            (" . ", "_.md"),
            ("end. . ", "end.md"),
            ("line\nbreak\u{0}", "line_break_.md"),
            ("", "Untitled.md"),
            ("CON", "_CON.md"),
            ("con .x", "_con .x.md"),
            ("Lpt9.a.b", "_Lpt9.a.b.md"),
            ("com²", "_com².md"),
            ("com", "com.md"),
            ("com10", "com10.md"),
            ("console", "console.md"),
            ("naïve 漢字 🎉", "naïve 漢字 🎉.md"),
        ] {
            assert_eq!(file_of(title, None), name, "{title:?}");
        }
        assert_eq!(file_of(&"é".repeat(512), None), format!("{}.md", "é".repeat(90)));
    }

    #[test]
    fn a_name_that_was_said_stays_unless_it_is_none() {
        for (said, name) in [
            ("Plan.md", "Plan.md"),
            ("Plan.v2.MARKDOWN", "Plan.v2.MARKDOWN"),
            ("  two  spaces .md", "  two  spaces .md"),
            ("../x.md", "_._x.md"),
            ("/etc/passwd", "_etc_passwd.md"),
            ("a\\b.md", "a_b.md"),
            ("c:x.md", "c_x.md"),
            ("run.exe", "run.exe.md"),
            ("NUL.md", "_NUL.md"),
            (".md", "Untitled.md"),
            ("", "Untitled.md"),
        ] {
            assert_eq!(file_of("title", Some(said)), name, "{said:?}");
        }
        for (name, folder) in [
            ("Work", "Work"),
            ("Work/2026/April", "Work/2026/April"),
            ("/Work//x/", "Work/x"),
            ("../..", "_/_"),
            ("aux/.git", "_aux/_git"),
            ("//", "Untitled"),
        ] {
            assert_eq!(folder_of(name), folder, "{name:?}");
        }
    }

    #[test]
    fn what_would_be_the_same_gets_a_number() {
        let mut names = Names::default();
        assert_eq!(names.folder("Work"), "Work");
        assert_eq!(names.folder("work"), "work (2)");
        assert_eq!(names.folder("Work/a.md"), "Work/a.md");
        assert_eq!(names.folder("Work (2)"), "Work (2) (2)");
        assert_eq!(names.file(None, "work"), "work (3)");
        assert_eq!(names.file(Some("Work"), "A.md"), "Work/A (2).md");
        assert_eq!(names.file(Some("Work"), "a.md"), "Work/a (3).md");
        assert_eq!(names.file(Some("Work"), "a (2).md"), "Work/a (2) (2).md");
        assert_eq!(names.file(Some("work (2)"), "a.md"), "work (2)/a.md");
        assert_eq!(names.file(None, "\u{e9}.md"), "\u{e9}.md");
        assert_eq!(names.file(None, "E\u{301}.md"), "E\u{301} (2).md");
        assert_eq!(without_number("a (20).md"), Some("a.md".to_owned()));
        for none in ["a (02).md", "a(2).md", "a (x).md", "a ().md", "a (2)"] {
            assert_eq!(without_number(none), None);
        }
        assert!(is_made_of("a_b (12).md", "a/b") && is_made_of("x (2).md", "x (2)") && !is_made_of("b.md", "a"));
    }

    #[test]
    fn numbers_are_in_their_order() {
        let mut paths =
            ["b.md", "W (2)/a.md", "W/a (10).md", "W/a (2) (2).md", "W/a (9).md", "W/a.md", "W/.about", "W/B.md"];
        paths.sort_by_cached_key(|path| order(path));
        let sorted =
            ["b.md", "W/.about", "W/B.md", "W/a.md", "W/a (9).md", "W/a (10).md", "W/a (2) (2).md", "W (2)/a.md"];
        assert_eq!(paths, sorted);
    }

    proptest! {
        #[test]
        fn no_title_makes_a_name_that_is_none(title in any::<String>(), said in any::<Option<String>>()) {
            let name = file_of(&title, said.as_deref());
            prop_assert!(is_plain(&name) && is_markdown(&name), "{:?}", name);
            prop_assert!(folder_of(&title).split('/').all(is_plain));
            let mut names = Names::default();
            let both = [names.file(Some("f"), &name), names.file(Some("f"), &name)];
            prop_assert!(both.iter().all(|path| is_plain(path.strip_prefix("f/").unwrap())));
            prop_assert_ne!(&both[0], &both[1]);
        }
    }
}
