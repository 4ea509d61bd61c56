//! Tags of notes, where they have more than a name.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Result;

use super::text::{check_name, check_object, check_optional, check_optional_text};
use super::{Entity, Index, Kind, Locale, Term, Texts};

/// What is known of a tag. A note may have a tag of which nothing is known.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct NoteTag {
    /// What notes name it by; no two tags share it.
    pub name: String,
    /// The colour to show it in, however the application writes colours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whatever the application keeps with it.
    pub metadata: Map<String, Value>,
}

impl NoteTag {
    /// The index term that only this tag has.
    pub(crate) fn name_term(name: &str) -> Term {
        Term::new("name", name)
    }
}

impl Entity for NoteTag {
    const KIND: Kind = Kind::NoteTag;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.name = self.name.trim().to_owned();
        check_name("/name", &self.name)?;
        check_optional("/color", self.color.as_deref())?;
        check_optional_text("/description", self.description.as_deref())?;
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        let mut index = Index::default();
        index.terms.push(Self::name_term(&self.name));
        Ok(index)
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(&self.name).body([self.description.as_deref()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_by_its_trimmed_name() {
        let mut tag = NoteTag { name: " ideas ".to_owned(), ..NoteTag::default() };
        tag.normalise(&Locale::default()).unwrap();
        assert_eq!(tag.index().unwrap().terms, [Term::new("name", "ideas")]);
        for (mut tag, pointer) in [
            (NoteTag::default(), "/name"),
            (NoteTag { color: Some(" ".to_owned()), ..tag.clone() }, "/color"),
            (NoteTag { description: Some("\0".to_owned()), ..tag.clone() }, "/description"),
        ] {
            assert_eq!(tag.normalise(&Locale::default()).unwrap_err().pointer(), Some(pointer));
        }
    }
}
