//! One note as a Markdown file, and back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::EntityId;
use crate::entity::note::{FrontMatter, Note, headings};

/// What the line with all that the text does not say begins with.
const MARK: &str = "worktruck: {";

/// What a file says of a note beside its text.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    title: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notebook_id: Option<EntityId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_url: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    is_pinned: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    is_archived: bool,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
    /// Whether the front matter is only there for this.
    #[serde(default, skip_serializing_if = "is_false")]
    added: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// The note as a Markdown file with front matter, which other programs can read.
///
/// The text is in it byte for byte. All else is in one line `worktruck: {…}` at the end of the front matter; where the
/// text has none, a front matter is added that also shows title and tags. Links and attachments are not in it.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::note::Note;
/// use worktruck_core::pim::notes::{from_markdown, to_markdown};
///
/// let note = Note { title: "Plan".to_owned(), body: "# Goals\r\n".to_owned(), ..Note::default() };
/// let file = to_markdown(&note);
/// assert!(file.starts_with("---\ntitle: \"Plan\"\n") && file.ends_with("---\n# Goals\r\n"));
/// assert_eq!(from_markdown(&file, "plan.md"), note);
/// ```
#[must_use]
pub fn to_markdown(note: &Note) -> String {
    let own = FrontMatter::read(&note.body);
    let named: BTreeSet<&String> = own.iter().flat_map(|found| found.members.keys()).collect();
    let metadata = note.metadata.iter().filter(|(name, _)| !named.contains(name));
    let line = Line {
        title: note.title.clone(),
        tags: note.tags.clone(),
        notebook_id: note.notebook_id,
        source_url: note.source_url.clone(),
        is_pinned: note.is_pinned,
        is_archived: note.is_archived,
        metadata: metadata.map(|(name, value)| (name.clone(), value.clone())).collect(),
        added: own.is_none(),
    };
    let line = format!("worktruck: {}\n", json(&line));
    match own {
        Some(found) => {
            let end = note.body.len() - found.rest.len();
            let at = fence(&note.body[..end]);
            [&note.body[..at], &line, &note.body[at..]].concat()
        }
        None => {
            let tags = if note.tags.is_empty() { String::new() } else { format!("tags: {}\n", json(&note.tags)) };
            ["---\ntitle: ", &json(&note.title), "\n", &tags, &line, "---\n", &note.body].concat()
        }
    }
}

/// The note that a Markdown file holds.
///
/// One that [`to_markdown`] wrote gives the same note; title and tags that another program has changed in it since
/// are taken over, and a front matter with more than these becomes part of the text. Of any other, the whole file is
/// the text; its title is the member `title` of its front matter, the first heading, or the name of the file without
/// its ending, and its tags are the member `tags` (or `tag`).
#[must_use]
pub fn from_markdown(text: &str, file_name: &str) -> Note {
    ours(text).unwrap_or_else(|| foreign(text, file_name))
}

fn ours(text: &str) -> Option<Note> {
    let end = front_matter_end(text)?;
    let at = fence(&text[..end]);
    let start = text[..at - 1].rfind('\n')? + 1;
    let found = text[start..at].strip_prefix("worktruck: ").filter(|_| text[start..].starts_with(MARK))?;
    let line: Line = serde_json::from_str(found).ok()?;
    let mut note = Note {
        title: line.title,
        body: if line.added { text[end..].to_owned() } else { [&text[..start], &text[at..]].concat() },
        notebook_id: line.notebook_id,
        is_pinned: line.is_pinned,
        is_archived: line.is_archived,
        source_url: line.source_url,
        tags: line.tags,
        metadata: line.metadata,
        ..Note::default()
    };
    if !line.added || to_markdown(&note) == text {
        return Some(note);
    }
    let shown = FrontMatter::read(text).map(|found| found.members);
    if let Some(members) = &shown {
        if let Some(title) = members.get("title").and_then(Value::as_str) {
            title.clone_into(&mut note.title);
        }
        note.tags = tags(members);
    }
    let is_ours = |name: &String| ["title", "tags", "worktruck"].contains(&name.as_str());
    if !shown.is_some_and(|members| members.keys().all(is_ours)) {
        // Somebody has made more of it, which is theirs.
        note.body = [&text[..start], &text[at..]].concat();
    }
    Some(note)
}

fn foreign(text: &str, file_name: &str) -> Note {
    let found = FrontMatter::read(text);
    let rest = found.as_ref().map_or(text, |found| found.rest);
    let members = found.as_ref().map(|found| &found.members);
    let stem = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| if stem.is_empty() { file_name } else { stem });
    let of_front_matter = members.and_then(|members| members.get("title")).and_then(Value::as_str);
    let first = rest.lines().find(|line| !line.trim().is_empty()).filter(|line| line.starts_with("# "));
    let heading = first.and_then(|_| headings(rest).into_iter().next());
    let titles = [of_front_matter, heading, Some(stem)].into_iter().flatten().map(str::trim);
    let title = titles.into_iter().find(|title| !title.is_empty()).unwrap_or("Untitled");
    Note {
        title: title.chars().filter(|c| *c != '\0').take(512).collect(),
        body: text.to_owned(),
        tags: members.map(tags).unwrap_or_default(),
        ..Note::default()
    }
}

/// The tags that front matter names: a list, or a text with commas between them.
fn tags(members: &Map<String, Value>) -> Vec<String> {
    let found: Vec<&str> = match members.get("tags").or_else(|| members.get("tag")) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split(',').collect(),
        _ => Vec::new(),
    };
    let found = found.into_iter().map(|tag| tag.trim().trim_start_matches('#')).filter(|tag| !tag.is_empty());
    let tags: BTreeSet<String> = found.map(|tag| tag.chars().take(512).collect()).collect();
    tags.into_iter().collect()
}

/// Where the closing fence begins in a front matter.
fn fence(front_matter: &str) -> usize {
    let without_end = front_matter.strip_suffix('\n').unwrap_or(front_matter);
    without_end.rfind('\n').map_or(0, |end| end + 1)
}

/// Where a front matter ends, whatever is in it.
fn front_matter_end(text: &str) -> Option<usize> {
    let mut at = 0;
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let content = if n == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        at += line.len();
        match content.trim_end() {
            "---" if n == 0 => {}
            _ if n == 0 => return None,
            "---" | "..." => return Some(at),
            _ => {}
        }
    }
    None
}

fn json<T: Serialize>(value: &T) -> String {
    // Lines of JSON are lines of YAML; what has no JSON form is not in a note.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::entity::{Entity as _, Locale};

    fn there_and_back(mut note: Note) {
        note.normalise(&Locale::default()).unwrap();
        let file = to_markdown(&note);
        let mut back = from_markdown(&file, "other.md");
        assert_eq!(back.body, note.body, "{file}");
        back.normalise(&Locale::default()).unwrap();
        assert_eq!(back, note, "{file}");
    }

    fn full(body: &str) -> Note {
        Note {
            title: "Plan: \"A\" – é".to_owned(),
            body: body.to_owned(),
            notebook_id: Some("0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse().unwrap()),
            is_pinned: true,
            is_archived: true,
            source_url: Some("https://example.org/?a=b#c".to_owned()),
            tags: vec!["a, b".to_owned(), "x/y".to_owned()],
            metadata: json!({"own": {"deep": [1, null]}, "line": "a\n---\nb\u{2028}"}).as_object().unwrap().clone(),
            ..Note::default()
        }
    }

    #[test]
    fn every_text_comes_back_byte_for_byte() {
        for body in [
            "",
            "text",
            "text\r\n\r\n",
            "---\na: 1\n---\ntext",
            "---\r\na: 1\r\n...\r\ntext\r\n",
            "---\na: 1\n---",
            "---\n---\n",
            "\u{feff}---\na: 1\n---\n",
            "\u{feff}text",
            "---\na: [\n---\nbroken",
            "---\nno end",
            "---\ntitle: Other\ntags: [z]\n---\n# Heading",
            "---\nworktruck: {\"title\": \"Mine\"}\n---\n",
            "---\nworktruck: 1\n---\n",
            "\n\n---\n",
            "---\n---\n---\n",
        ] {
            there_and_back(Note { title: "t".to_owned(), body: body.to_owned(), ..Note::default() });
            there_and_back(full(body));
        }
        let own = to_markdown(&full("---\na: 1\n---\n"));
        there_and_back(full(&own));
        there_and_back(full(&to_markdown(&full("text"))));
    }

    #[test]
    fn what_another_program_changed_is_taken_over() {
        let file = to_markdown(&full("text"));
        let found = FrontMatter::read(&file).unwrap();
        assert_eq!((&found.members["title"], found.rest), (&json!("Plan: \"A\" – é"), "text"), "others can read it");
        let mut changed = file.replacen("title: \"Plan: \\\"A\\\" – é\"", "title: New", 1);
        changed = changed.replacen("tags: [", "tags: [new, ", 1);
        let note = from_markdown(&changed, "x.md");
        assert_eq!(
            (note.title.as_str(), note.tags.as_slice()),
            ("New", &["a, b", "new", "x/y"].map(str::to_owned)[..])
        );
        let own = to_markdown(&full("---\naliases: [A]\n---\ntext"));
        assert_eq!(FrontMatter::read(&own).unwrap().members["aliases"], json!(["A"]));
    }

    #[test]
    fn what_another_program_added_to_the_front_matter_stays() {
        let file = to_markdown(&full("text"));
        for added in ["aliases: [Map]\n", "title: twice\n"] {
            let changed = file.replacen("---\n", &format!("---\n{added}"), 1);
            let note = from_markdown(&changed, "x.md");
            assert_eq!(note.title, full("").title);
            assert!(note.body.starts_with(&format!("---\n{added}title: ")) && note.body.ends_with("\n---\ntext"));
            assert!(!note.body.contains("worktruck") && note.is_pinned, "{}", note.body);
        }
        there_and_back(Note { title: "\u{7f}\u{9f}\u{2028}".to_owned(), ..full("text") });
        there_and_back(Note { title: "\u{fffe}".repeat(500), tags: vec!["x".repeat(500); 200], ..full("text") });
    }

    #[test]
    fn a_foreign_file_has_a_title_and_tags() {
        for (text, name, title, tags) in [
            ("text", "dir/Road map.md", "Road map", vec![]),
            ("\n# Heading #\ntext", "x.md", "Heading", vec![]),
            ("text\n# Heading", "x.md", "x", vec![]),
            ("---\ntitle: Front\ntags: [b, a, '#c', 7]\n---\n# Heading", "x.md", "Front", vec!["a", "b", "c"]),
            ("---\ntitle: ' '\ntags: 'x, y'\n---\n", "C:\\notes\\w.txt", "w", vec!["x", "y"]),
            ("", ".md", ".md", vec![]),
            ("", "", "Untitled", vec![]),
            ("---\nworktruck: {\"x\": 1}\n---\n", "v1.2.md", "v1.2", vec![]),
        ] {
            let note = from_markdown(text, name);
            assert_eq!(
                (note.title.as_str(), note.tags, note.body.as_str()),
                (title, tags.into_iter().map(str::to_owned).collect(), text)
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(body in "(---\n)?[-a:{}\n\r \u{feff}]{0,30}(\n---\n)?[-a\n]{0,10}") {
            let note = Note { title: "t".to_owned(), body, ..Note::default() };
            prop_assert_eq!(from_markdown(&to_markdown(&note), "x").body, note.body);
        }
    }
}
