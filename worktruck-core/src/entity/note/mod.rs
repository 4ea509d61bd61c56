//! Notes: Markdown texts with links, tags and front matter.

mod front_matter;
mod names;
mod prose;
#[cfg(test)]
mod tests;
mod wikilink;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result};

use super::text::{check_name, check_object, check_text, check_url};
use super::{Entity, Index, Kind, Locale, Term, Texts};

pub use front_matter::FrontMatter;
pub use names::title_key;
pub use prose::headings;
pub use wikilink::{LinkTarget, WikiLink, wikilinks};

/// How many links the text of a note has at most, each counted once.
pub const MAX_LINKS: usize = 2_000;

/// How many aliases of a note count at most.
pub const MAX_ALIASES: usize = 64;

/// The member of a note's metadata that names the file of a folder which it was read from, without the folder.
pub const FILE: &str = "worktruck_file";

/// A Markdown text with a title.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::note::Note;
/// use worktruck_core::entity::{Entity as _, Locale};
///
/// let body = "---\naliases: [Map]\n---\nSee [[Plan]].".to_owned();
/// let mut note = Note { title: "Road".to_owned(), body, ..Note::default() };
/// note.normalise(&Locale::default())?;
/// assert_eq!((note.word_count, note.aliases()), (2, vec!["Map"]));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Note {
    /// The title; never empty. Several notes may share it.
    pub title: String,
    /// The text, kept byte for byte.
    pub body: String,
    /// The notebook that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notebook_id: Option<EntityId>,
    /// Whether it is to be shown before others.
    pub is_pinned: bool,
    /// Whether it is put away.
    pub is_archived: bool,
    /// Where it was taken from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    /// How many words the text has behind its front matter; computed.
    pub word_count: u64,
    /// Labels, sorted, each once.
    pub tags: Vec<String>,
    /// What the front matter says, and whatever else the application keeps with it.
    pub metadata: Map<String, Value>,
}

impl Note {
    /// The front matter of the text, if it has any that can be read.
    #[must_use]
    pub fn front_matter(&self) -> Option<FrontMatter<'_>> {
        FrontMatter::read(&self.body)
    }

    /// The other titles that links may name it by: the member `aliases` (or `alias`) of its metadata, a text or a
    /// list of texts, and the name of the [`FILE`] that it was read from, without its ending. The first 64 count.
    #[must_use]
    pub fn aliases(&self) -> Vec<&str> {
        let named = ["aliases", "alias"].into_iter().filter_map(|name| self.metadata.get(name));
        let texts = named.flat_map(|value| match value {
            Value::Array(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        });
        let file = self.metadata.get(FILE).and_then(Value::as_str);
        let stem = file.map(|name| name.rsplit_once('.').map_or(name, |(stem, _)| stem));
        let texts = texts.filter_map(Value::as_str).chain(stem.filter(|stem| *stem != self.title));
        texts.filter(|text| !text.trim().is_empty()).take(MAX_ALIASES).collect()
    }

    /// The links that the text has, each once: those of its front matter first.
    #[must_use]
    pub fn links(&self) -> Vec<WikiLink> {
        let found = self.front_matter();
        let mut links = Vec::new();
        let rest = found.as_ref().map_or(&*self.body, |found| found.rest);
        if let Some(found) = &found {
            found.members.values().for_each(|value| links_in(value, &mut links));
        }
        links.extend(wikilinks(rest));
        let mut known = std::collections::BTreeSet::new();
        links.retain(|link| known.insert(link.identity()));
        links
    }

    /// Takes out of the metadata what the front matter of `old` had put there and this one no longer says.
    pub(crate) fn forget_front_matter_of(&mut self, old: &Self) {
        let Some(before) = old.front_matter() else { return };
        let after = self.front_matter().map(|found| found.members).unwrap_or_default();
        for (name, value) in before.members {
            // Another value than that of the front matter was set by somebody else.
            if !after.contains_key(&name) && self.metadata.get(&name) == Some(&value) {
                self.metadata.remove(&name);
            }
        }
    }

    /// The index term of the notes with a title.
    pub(crate) fn title_term(key: &str) -> Term {
        Term::new("title_key", key)
    }

    /// The index term of the notes with an alias.
    pub(crate) fn alias_term(key: &str) -> Term {
        Term::new("alias_key", key)
    }
}

fn links_in(value: &Value, links: &mut Vec<WikiLink>) {
    match value {
        Value::String(text) => links.extend(wikilink::links_of(text)),
        Value::Array(items) => items.iter().for_each(|item| links_in(item, links)),
        Value::Object(members) => members.values().for_each(|value| links_in(value, links)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Entity for Note {
    const KIND: Kind = Kind::Note;
    const SORT_KEYS: &'static [&'static str] = &["title"];

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_name("/title", &self.title)?;
        check_text("/body", &self.body)?;
        check_url("/source_url", self.source_url.as_deref())?;
        for (index, tag) in self.tags.iter_mut().enumerate() {
            *tag = tag.trim().to_owned();
            check_name(&format!("/tags/{index}"), tag)?;
        }
        self.tags.sort_unstable();
        self.tags.dedup();
        if self.links().len() > MAX_LINKS {
            return Err(Error::invalid(format!("the text has more than {MAX_LINKS} links")).at("/body"));
        }
        let found = FrontMatter::read(&self.body);
        let rest = found.as_ref().map_or(&*self.body, |found| found.rest);
        let words = rest.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
        self.word_count = u64::try_from(words).unwrap_or(u64::MAX);
        if let Some(found) = found {
            self.metadata.extend(found.members);
        }
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        let aliases = self.aliases();
        let mut keys: Vec<String> = aliases.iter().map(|alias| title_key(alias)).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut index = Index::default()
            .terms("tag", &self.tags)
            .terms("notebook_id", self.notebook_id)
            .term("pinned", self.is_pinned)
            .term("archived", self.is_archived)
            .key("title", self.title.to_lowercase());
        index.terms.push(Self::title_term(&title_key(&self.title)));
        index.terms.extend(keys.iter().map(|key| Self::alias_term(key)));
        Ok(index)
    }

    fn texts(&self) -> Texts<'_> {
        let (front, text) = match self.front_matter() {
            Some(found) => (Some(found.yaml), found.rest),
            None => (None, &*self.body),
        };
        let names = self.aliases().into_iter().chain(headings(text));
        Texts::titled(&self.title).heading(names).body([Some(text), front])
    }
}
