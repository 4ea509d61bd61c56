use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use worktruck_core::entity::Kind;
use worktruck_core::entity::contact::{Contact, ContactKind};
use worktruck_core::entity::merge_proposal::{MergeProposal, ProposalStatus};
use worktruck_core::store::{ListQuery, Version, View};
use worktruck_core::temporal::At;
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};
use worktruck_core::{Cursor, EntityId, PageRequest, TenantId, Timestamp};

use crate::dedupe::{Analysis, Candidate, Cluster, Settings, analyse};

use super::parse;

/// `contacts_find_duplicates`: contacts that are probably the same, with reasons, most likely first.
///
/// The first page fixes the moment whose contacts are compared, and the cursor carries it: later
/// pages, also in another process, go on in the same list.
#[derive(Debug)]
pub struct ContactsFindDuplicates {
    spec: Arc<ToolSpec>,
    settings: Settings,
    /// The newest analysis: the pages of a walk follow each other.
    newest: Mutex<Option<(TenantId, Timestamp, Arc<Analysis>)>>,
}

impl Default for ContactsFindDuplicates {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl ContactsFindDuplicates {
    /// The tool with thresholds of its own.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let spec = ToolSpec {
            name: "contacts_find_duplicates".to_owned(),
            title: "Find duplicate contacts".to_owned(),
            description: "Compares all contacts and returns groups that are probably one person or organization, most \
                          likely first, each with a score, reasons and a suggested survivor. Groups in the band \
                          propose are sure enough to be proposed as they are; those in the band review need a look at \
                          the contacts. Groups that were proposed before are left out. Pass next_cursor as cursor for \
                          the next page."
                .to_owned(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "min_score": { "type": "number", "minimum": 0, "maximum": 1 },
                    "limit": { "type": "integer", "minimum": 1, "maximum": 200, "default": 25 },
                    "cursor": { "type": "string" },
                    "as_of": { "type": "string", "format": "date-time",
                               "description": "Compare the contacts as they were at this moment." }
                },
                "additionalProperties": false
            }),
            effect: ToolEffect::Read,
            is_untrusted: false,
        };
        Self { spec: Arc::new(spec), settings, newest: Mutex::new(None) }
    }

    async fn analysis(&self, context: &ToolContext, as_of: Timestamp) -> Result<Arc<Analysis>, ToolError> {
        let cached = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((tenant, at, analysis)) = cached
            && (tenant, at) == (context.tenant, as_of)
        {
            return Ok(analysis);
        }
        let contacts = contacts(&context.view, as_of).await?;
        let settings = self.settings;
        let analysis = tokio::task::spawn_blocking(move || {
            let candidates: Vec<Candidate<'_>> = contacts
                .iter()
                .map(|(id, created_at, contact)| Candidate { id: *id, created_at: *created_at, contact })
                .collect();
            analyse(&candidates, &settings)
        });
        let mut analysis =
            analysis.await.map_err(|e| ToolError::new(format!("the comparison of contacts was broken off: {e}")))?;
        let decided = decided(&context.view, as_of).await?;
        analysis.clusters.retain(|cluster| !decided.contains(&sorted(&cluster.contact_ids)));
        let analysis = Arc::new(analysis);
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((context.tenant, as_of, Arc::clone(&analysis)));
        Ok(analysis)
    }
}

#[derive(Debug, Deserialize)]
struct Input {
    min_score: Option<f64>,
    limit: Option<u16>,
    cursor: Option<Cursor>,
    as_of: Option<Timestamp>,
}

/// What a cursor is bound to.
#[derive(Serialize)]
struct Scope {
    list: &'static str,
    tenant: TenantId,
    min_score: f64,
}

#[derive(Deserialize, Serialize)]
struct Position {
    as_of: Timestamp,
    offset: usize,
}

#[async_trait]
impl Tool for ContactsFindDuplicates {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let input: Input = parse(input)?;
        let min_score = input.min_score.unwrap_or(self.settings.review);
        let scope = Scope { list: "duplicates", tenant: context.tenant, min_score };
        let Position { as_of, offset } = match &input.cursor {
            Some(cursor) => cursor.open(&scope)?,
            None => Position { as_of: input.as_of.unwrap_or(context.now), offset: 0 },
        };
        let limit = usize::from(input.limit.unwrap_or(25));
        let analysis = self.analysis(&context, as_of).await?;
        let likely: Vec<&Cluster> = analysis.clusters.iter().filter(|cluster| cluster.score >= min_score).collect();
        let page: Vec<&Cluster> = likely.iter().skip(offset).take(limit).copied().collect();
        let end = offset + page.len();
        let next_cursor =
            if end < likely.len() { Some(Cursor::seal(&scope, &Position { as_of, offset: end })?) } else { None };
        Ok(ToolOutput::new(json!({
            "data": page,
            "next_cursor": next_cursor,
            "has_more": next_cursor.is_some(),
            "contacts": analysis.contacts,
            "as_of": as_of,
        })))
    }
}

/// All people and organizations as they were.
async fn contacts(view: &View, as_of: Timestamp) -> Result<Vec<(EntityId, Timestamp, Contact)>, ToolError> {
    let mut found = Vec::new();
    each(view, Kind::Contact, as_of, |version| {
        let contact: Contact = parse(version.slice.body.unwrap_or_default())?;
        if contact.kind != ContactKind::Group {
            found.push((version.key.id, version.created_at, contact));
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

/// The groups of contacts that somebody has to decide about, or has.
async fn decided(view: &View, as_of: Timestamp) -> Result<BTreeSet<Vec<EntityId>>, ToolError> {
    let mut found = BTreeSet::new();
    each(view, Kind::MergeProposal, as_of, |version| {
        let proposal: MergeProposal = parse(version.slice.body.unwrap_or_default())?;
        if proposal.status != ProposalStatus::Stale {
            found.insert(sorted(&proposal.contact_ids));
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

async fn each(
    view: &View,
    kind: Kind,
    as_of: Timestamp,
    mut take: impl FnMut(Version) -> Result<(), ToolError>,
) -> Result<(), ToolError> {
    let mut query = ListQuery::new(kind);
    query.at = At::as_of(as_of);
    query.page = PageRequest::largest(None);
    loop {
        let page = view.list(query.clone()).await?;
        page.data.into_iter().try_for_each(&mut take)?;
        let Some(cursor) = page.next_cursor else { return Ok(()) };
        query.page = PageRequest::largest(Some(cursor));
    }
}

fn sorted(ids: &[EntityId]) -> Vec<EntityId> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}
