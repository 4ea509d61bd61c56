//! Notebooks: what notes are kept in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Result;

use super::text::{check_name, check_object, check_optional_text};
use super::{Entity, Index, Kind, Locale, Texts};

/// A place for notes that belong together. How many it has is counted when it is asked for.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Notebook {
    /// The name to show; never empty.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whatever the application keeps with it.
    pub metadata: Map<String, Value>,
}

impl Entity for Notebook {
    const KIND: Kind = Kind::Notebook;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_name("/name", &self.name)?;
        check_optional_text("/description", self.description.as_deref())?;
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        Ok(Index::default())
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(&self.name).body([self.description.as_deref()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let named = Notebook { name: "Work".to_owned(), ..Notebook::default() };
        let table = [
            (named.clone(), None),
            (Notebook::default(), Some("/name")),
            (Notebook { name: "x".repeat(513), ..named.clone() }, Some("/name")),
            (Notebook { description: Some("a\0".to_owned()), ..named.clone() }, Some("/description")),
        ];
        for (mut notebook, pointer) in table {
            let found = notebook.normalise(&Locale::default());
            assert_eq!(found.as_ref().err().and_then(Error::pointer), pointer, "{notebook:?}");
            assert_eq!(found.is_ok(), pointer.is_none());
        }
        assert_eq!(named.texts().joined(), "Work");
    }
}
