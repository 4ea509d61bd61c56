//! Attachments: files elsewhere that belong to a note.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result};

use super::text::{check_object, check_optional, check_url};
use super::{Entity, Index, Kind, Locale, Texts};

/// A file that belongs to a note. The file itself is kept elsewhere.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The note.
    pub note_id: EntityId,
    /// Where the file is.
    pub url: String,
    /// What to call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is, such as `image/png`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// How large it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Entity for Attachment {
    const KIND: Kind = Kind::Attachment;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_url("/url", Some(&self.url))?;
        check_optional("/name", self.name.as_deref())?;
        check_optional("/media_type", self.media_type.as_deref())?;
        if let Some(media_type) = &self.media_type
            && !media_type.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
        {
            let message = format!("{media_type:?} is not a media type; give one such as image/png");
            return Err(Error::invalid(message).at("/media_type"));
        }
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        Ok(Index::default().term("note_id", self.note_id))
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(self.name.as_deref().unwrap_or_default()).body([&*self.url])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let file = Attachment {
            note_id: "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse().unwrap(),
            url: "https://example.org/a.png".to_owned(),
            name: None,
            media_type: Some("image/png".to_owned()),
            size_bytes: Some(17),
            metadata: Map::new(),
        };
        file.clone().normalise(&Locale::default()).unwrap();
        for (mut wrong, pointer) in [
            (Attachment { url: "a.png".to_owned(), ..file.clone() }, "/url"),
            (Attachment { name: Some(String::new()), ..file.clone() }, "/name"),
            (Attachment { media_type: Some("png".to_owned()), ..file.clone() }, "/media_type"),
            (Attachment { media_type: Some("/png".to_owned()), ..file }, "/media_type"),
        ] {
            assert_eq!(wrong.normalise(&Locale::default()).unwrap_err().pointer(), Some(pointer));
        }
    }
}
