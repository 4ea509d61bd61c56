use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::{ListQuery, Version};
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};
use worktruck_core::{Cursor, PageRequest, Timestamp};

use super::{at, parse};

/// `contacts_search`: a page of contacts by words, tag or kind.
#[derive(Debug)]
pub struct ContactsSearch {
    spec: Arc<ToolSpec>,
}

impl Default for ContactsSearch {
    fn default() -> Self {
        let spec = ToolSpec {
            name: "contacts_search".to_owned(),
            title: "Search contacts".to_owned(),
            description: "Finds contacts by words in their names, channels and notes, by tag, or by kind; without \
                          any of these it lists all. Returns a page; pass next_cursor as cursor for the next one."
                .to_owned(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "q": { "type": "string", "description": "Words, each as the beginning of a word in the contact." },
                    "tag": { "type": "string" },
                    "kind": { "enum": ["person", "organization", "group"] },
                    "limit": { "type": "integer", "minimum": 1, "maximum": 200, "default": 20 },
                    "cursor": { "type": "string" },
                    "as_of": { "type": "string", "format": "date-time",
                               "description": "Contacts as they were at this moment. Not together with q." }
                },
                "additionalProperties": false
            }),
            effect: ToolEffect::Read,
            is_untrusted: false,
        };
        Self { spec: Arc::new(spec) }
    }
}

#[derive(Debug, Deserialize)]
struct Input {
    q: Option<String>,
    tag: Option<String>,
    kind: Option<String>,
    limit: Option<u16>,
    cursor: Option<Cursor>,
    as_of: Option<Timestamp>,
}

#[async_trait]
impl Tool for ContactsSearch {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let input: Input = parse(input)?;
        let mut query = ListQuery::new(Kind::Contact);
        query.terms.extend(input.tag.map(|tag| Term::new("tag", tag)));
        query.terms.extend(input.kind.map(|kind| Term::new("kind", kind)));
        query.text = input.q;
        query.at = at(input.as_of);
        query.page = PageRequest::new(input.limit.unwrap_or(20), input.cursor)?;
        let page = context.view.list(query).await?;
        let contacts: Vec<Value> = page.data.iter().filter_map(Version::resource).collect();
        Ok(ToolOutput::new(json!({ "data": contacts, "next_cursor": page.next_cursor, "has_more": page.has_more })))
    }
}
