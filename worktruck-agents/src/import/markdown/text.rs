//! A note and its file.

use serde_json::Value;
use worktruck_core::entity::note::{FILE, FrontMatter, Note};
use worktruck_core::entity::{Entity as _, Locale};
use worktruck_core::pim::notes::{from_markdown, to_markdown};
use worktruck_core::{Error, Result};

use super::names;

/// The longest file that is read, in bytes: the longest text of a note, and what an export writes before it.
pub(crate) const MAX_BYTES: u64 = 2 << 20;

/// What a file says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Read {
    /// The note, normalised, in no notebook.
    pub(crate) note: Note,
    /// Whether the file says everything of its note, as one does that an export wrote.
    pub(crate) is_ours: bool,
}

/// The text of a file, or the line where it is none and what is wrong there.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, (u64, &'static str)> {
    let line_of = |at: usize| {
        let before = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        u64::try_from(before).map_or(u64::MAX, |before| before.saturating_add(1))
    };
    // Of two faults the first is told.
    let (valid, fault) = match str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => (str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(), Some(error.valid_up_to())),
    };
    match (valid.find('\0'), fault) {
        (Some(at), _) => Err((line_of(at), "the file has NUL characters")),
        (None, Some(at)) => Err((line_of(at), "the file is not UTF-8")),
        (None, None) => Ok(valid),
    }
}

/// The note in a file of this name.
///
/// # Errors
///
/// `InvalidRequest` if it is none that can be kept.
pub(crate) fn read(name: &str, text: &str) -> Result<Read> {
    let mut note = from_markdown(text, name);
    let is_ours = note.body != text;
    // The folder says it.
    note.notebook_id = None;
    if FrontMatter::read(&note.body).is_some_and(|found| found.members.contains_key(FILE)) {
        return Err(Error::invalid(format!(
            "the front matter has the member {FILE}, which an import needs for itself"
        )));
    }
    if !is_ours || note.metadata.contains_key(FILE) || !names::is_made_of(name, &note.title) {
        note.metadata.insert(FILE.to_owned(), Value::from(name));
    }
    note.normalise(&Locale::default())?;
    Ok(Read { note, is_ours })
}

/// The file of this name that holds a note, whatever notebook that is in.
///
/// A note that came from a file and is still all that this says is written as it was, to the last byte.
pub(crate) fn text_of(name: &str, note: &Note) -> String {
    let mut alone = Note { notebook_id: None, ..note.clone() };
    if names::said_by(note).is_some() {
        alone.metadata.insert(FILE.to_owned(), Value::from(name));
        if read(name, &note.body).is_ok_and(|found| found.note == alone) {
            return alone.body;
        }
    }
    to_markdown(&alone)
}

/// What a note becomes by a file that was read again; nothing if that changes nothing.
///
/// A file that an export wrote says everything. Any other says what its text is, and its title and tags as far as
/// they differ from what the text before said: what somebody else has called or tagged the note since stays.
pub(crate) fn joined(name: &str, old: &Note, found: Read) -> Option<Note> {
    let Read { note: mut new, is_ours } = found;
    if is_ours {
        new.notebook_id = old.notebook_id;
    } else if new.body == old.body {
        return None;
    } else {
        let before = read(name, &old.body).map(|before| before.note).unwrap_or_default();
        let added = old.tags.iter().filter(|tag| !before.tags.contains(tag)).cloned();
        let tags = new.tags.into_iter().chain(added).collect();
        let title = if new.title == before.title { old.title.clone() } else { new.title };
        let mut metadata = old.metadata.clone();
        metadata.retain(|name, value| before.metadata.get(name) != Some(value));
        metadata.extend(new.metadata);
        new = Note { title, tags, metadata, body: new.body, ..old.clone() };
    }
    match old.metadata.get(FILE) {
        Some(said) => new.metadata.insert(FILE.to_owned(), said.clone()),
        None => new.metadata.remove(FILE),
    };
    // It was valid in both of its parts; if it is not together, the write says so.
    let _ = new.normalise(&Locale::default());
    (new != *old).then_some(new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_fault_of_a_file_is_told_with_its_line() {
        for (bytes, fault) in [
            (&b"a\nb"[..], Ok("a\nb")),
            (b"", Ok("")),
            (b"a\n\nb\xff\0", Err((3, "the file is not UTF-8"))),
            (b"\xe9", Err((1, "the file is not UTF-8"))),
            (b"a\0\n\xff", Err((1, "the file has NUL characters"))),
            (b"\xff\xfea\0", Err((1, "the file is not UTF-8"))),
        ] {
            assert_eq!(decode(bytes), fault, "{bytes:?}");
        }
    }

    #[test]
    fn a_name_is_kept_where_the_title_does_not_say_it() {
        let note = Note { title: "Plan".to_owned(), ..Note::default() };
        let ours = to_markdown(&note);
        for (name, text, said) in [
            ("Plan.md", "text", Some("Plan.md")),
            ("Plan.md", ours.as_str(), None),
            ("Plan (2).md", &ours, None),
            ("Other.md", &ours, Some("Other.md")),
        ] {
            assert_eq!(names::said_by(&read(name, text).unwrap().note), said, "{name} {text}");
        }
        assert!(read("x.md", "---\nworktruck_file: x\n---\n").is_err());
        assert!(read("x.md", &to_markdown(&Note { title: String::new(), ..note })).is_err());
    }

    proptest! {
        #[test]
        fn a_file_is_written_as_it_was_and_read_as_it_was(
            text in "(---\n(title: [a-c]\n|tags: \\[[a-c], b\\]\n|a: 1\n|worktruck: \\{\"title\":\"[a-c]\"\\}\n){0,4}---\n)?[-a#\n\r \u{feff}]{0,20}",
            name in "[a-c]{1,2}( \\([0-9]\\))?\\.md",
        ) {
            let Ok(found) = read(&name, &text) else { return Ok(()) };
            let written = text_of(&name, &found.note);
            prop_assert!(found.is_ours || written == text, "{}", written);
            let again = read(&name, &written).unwrap();
            prop_assert_eq!(&again.note, &found.note);
            prop_assert_eq!(text_of(&name, &again.note), written);
            prop_assert_eq!(joined(&name, &found.note, again), None);
        }
    }
}
