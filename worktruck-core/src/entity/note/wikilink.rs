//! The `[[wikilinks]]` of a Markdown text.

use std::collections::BTreeSet;

use crate::EntityId;
use crate::entity::contact::MAX_TEXT_CHARS;
use crate::entity::note_link::LinkTargetType;

use super::names::title_key;
use super::prose::prose;

/// How far behind its beginning a link ends at most, in bytes.
const MAX_LINK_BYTES: usize = 8 << 10;

/// A link as a text has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WikiLink {
    /// Where it leads.
    pub target: LinkTarget,
    /// What is shown in its place.
    pub alias: Option<String>,
    /// The heading, or `^` and a block, that it leads to there.
    pub heading: Option<String>,
}

/// Where a link in a text leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LinkTarget {
    /// To the note with a title.
    Title(String),
    /// To an entity.
    Entity(LinkTargetType, EntityId),
}

impl WikiLink {
    /// A link to the note with a title, and nothing else.
    pub fn to_title(title: impl Into<String>) -> Self {
        Self { target: LinkTarget::Title(title.into()), alias: None, heading: None }
    }

    /// Reads what stands between the brackets.
    fn read(inner: &str) -> Option<Self> {
        // In a table the bar must be escaped.
        let (place, alias) = match inner.split_once('|') {
            Some((place, alias)) => (place.strip_suffix('\\').unwrap_or(place), Some(alias)),
            None => (inner, None),
        };
        let (name, heading) = match place.split_once('#') {
            Some((name, heading)) => (name, Some(heading)),
            None => (place, None),
        };
        let name = name.trim();
        let part = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let (alias, heading) = (part(alias), part(heading));
        let is_long = |text: &str| text.chars().nth(MAX_TEXT_CHARS).is_some();
        let has_long = [Some(name), alias.as_deref(), heading.as_deref()].into_iter().flatten().any(is_long);
        if name.is_empty() || has_long {
            return None;
        }
        let target = entity(name).unwrap_or_else(|| LinkTarget::Title(name.to_owned()));
        Some(Self { target, alias, heading })
    }

    /// What two links share that are the same link, however the title is spelled.
    pub(crate) fn identity(&self) -> (String, Option<String>, Option<String>) {
        let target = match &self.target {
            LinkTarget::Title(title) => title_key(title),
            LinkTarget::Entity(kind, id) => format!("{}:{id}", kind.as_str()),
        };
        (target, self.alias.clone(), self.heading.clone())
    }
}

fn entity(name: &str) -> Option<LinkTarget> {
    let (kind, id) = name.split_once(':')?;
    let kind = LinkTargetType::ALL.into_iter().find(|known| known.as_str() == kind)?;
    // Only the usual form is an id: others would be titles that look strange.
    let id = Some(id.trim()).filter(|id| id.len() == 36)?.parse().ok()?;
    Some(LinkTarget::Entity(kind, id))
}

/// The links of a Markdown text, each once, in the order of the text.
///
/// What stands in code, or behind a backslash, is no link. Neither is what leads to a heading of the same text, has
/// more than 512 characters or goes over the end of a line. An embedded note is a link to it.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::note::{WikiLink, wikilinks};
///
/// let links = wikilinks("See [[Plan#Goals|the goals]], not `[[code]]` or \\[[that]].");
/// let (heading, alias) = (Some("Goals".to_owned()), Some("the goals".to_owned()));
/// assert_eq!(links, [WikiLink { heading, alias, ..WikiLink::to_title("Plan") }]);
/// ```
#[must_use]
pub fn wikilinks(text: &str) -> Vec<WikiLink> {
    let mut links = Vec::new();
    let mut known = BTreeSet::new();
    for part in prose(text) {
        for link in links_of(part) {
            if known.insert(link.identity()) {
                links.push(link);
            }
        }
    }
    links
}

/// The links of a stretch of text without code.
pub(super) fn links_of(text: &str) -> impl Iterator<Item = WikiLink> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            match bytes[at] {
                b'\\' => at += 2,
                // Of more than two brackets the last two count.
                b'[' if bytes[at + 1..].starts_with(b"[") && !bytes[at + 1..].starts_with(b"[[") => {
                    let start = at + 2;
                    at = end_of_link(bytes, start);
                    if bytes[at..].starts_with(b"]]") {
                        let inner = text.get(start..at);
                        at += 2;
                        if let Some(link) = inner.and_then(WikiLink::read) {
                            return Some(link);
                        }
                    }
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// Where what begins at `start` ends: at closing brackets, or where it turns out to be no link.
fn end_of_link(bytes: &[u8], start: usize) -> usize {
    let limit = bytes.len().min(start.saturating_add(MAX_LINK_BYTES));
    let mut at = start;
    while at < limit {
        let rest = &bytes[at..];
        if rest.starts_with(b"]]") || rest.starts_with(b"[[") || bytes[at] == b'\n' {
            return at;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d";

    fn told(text: &str) -> Vec<String> {
        let tell = |link: WikiLink| {
            let target = match link.target {
                LinkTarget::Title(title) => title,
                LinkTarget::Entity(kind, _) => format!("<{}>", kind.as_str()),
            };
            [target, link.heading.unwrap_or_default(), link.alias.unwrap_or_default()].join("/")
        };
        wikilinks(text).into_iter().map(tell).collect()
    }

    #[test]
    fn links_are_read_in_all_their_forms() {
        for (text, links) in [
            ("[[A]] and [[B|b]] and [[C#h]] and [[D#h|d]]", vec!["A//", "B//b", "C/h/", "D/h/d"]),
            ("[[ A  b ]]![[E]]", vec!["A  b//", "E//"]),
            ("[[A]] [[a]] [[A|x]] [[A|x]]", vec!["A//", "A//x"]),
            ("[[A#^block]] [[A#one#two]] [[A|b|c]]", vec!["A/^block/", "A/one#two/", "A//b|c"]),
            ("| [[A\\|b]] |", vec!["A//b"]),
            ("[[]] [[ ]] [[#h]] [[|x]] [[A|]] [[A#]]", vec!["A//"]),
            ("[[a\nb]] [[x", vec![]),
            ("[[[A]]] [[a [[b]] [[c]", vec!["A//", "b//"]),
            ("\\[[A]] \\\\[[B]] [\\[C]]", vec!["B//"]),
            ("[[contact:Ada]] [[robot:x]]", vec!["contact:Ada//", "robot:x//"]),
            ("[[é|ü]] [[漢字]]", vec!["é//ü", "漢字//"]),
        ] {
            assert_eq!(told(text), links, "{text}");
        }
    }

    #[test]
    fn entities_are_named_by_kind_and_id() {
        for kind in LinkTargetType::ALL {
            let name = kind.as_str();
            assert_eq!(told(&format!("[[{name}:{ID}|x]]")), [format!("<{name}>//x")]);
            let expected = LinkTarget::Entity(kind, ID.parse().unwrap());
            assert_eq!(wikilinks(&format!("[[{name}:{}#h]]", ID.to_uppercase()))[0].target, expected);
        }
        assert_eq!(told(&format!("[[person:{ID}]]")), [format!("person:{ID}//")]);
        assert_eq!(told(&format!("[[note:{}]]", ID.replace('-', ""))).len(), 1);
    }

    #[test]
    fn what_is_too_long_is_no_link() {
        assert_eq!(told(&format!("[[{}]]", "x".repeat(512))).len(), 1);
        assert!(told(&format!("[[{}]]", "x".repeat(513))).is_empty());
        assert!(told(&format!("[[a|{}]]", "x".repeat(513))).is_empty());
        assert!(told(&format!("[[{}]]", "x".repeat(1 << 20))).is_empty());
    }

    #[test]
    fn a_hostile_text_takes_no_time() {
        for text in ["[[", "[[a", "[[a]", "]]", "\\", "`", "`` ``` ", "[[`", "> ", "- ", "\n    "] {
            let _ = wikilinks(&text.repeat((1 << 20) / text.len()));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]|#\\\\`~a é\n\t>-]{0,80}") {
            let _ = wikilinks(&text);
        }
    }
}
