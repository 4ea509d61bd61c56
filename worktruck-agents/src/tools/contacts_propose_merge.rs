use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use worktruck_core::EntityId;
use worktruck_core::entity::Kind;
use worktruck_core::entity::merge_proposal::MergeProposal;
use worktruck_core::pim::contacts::proposed;
use worktruck_core::store::{Changes, EntityKey, ListQuery, Require, Version};
use worktruck_core::temporal::At;
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};

use super::parse;

/// `contacts_propose_merge`: proposes that contacts are the same. It never merges them.
#[derive(Debug)]
pub struct ContactsProposeMerge {
    spec: Arc<ToolSpec>,
}

impl Default for ContactsProposeMerge {
    fn default() -> Self {
        let spec = ToolSpec {
            name: "contacts_propose_merge".to_owned(),
            title: "Propose a merge".to_owned(),
            description: "Proposes that contacts are one and the same, for a person to accept or reject; nothing is \
                          merged. Proposing the same contacts again returns the first proposal with already_proposed."
                .to_owned(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "contact_ids": { "type": "array", "items": { "type": "string", "format": "uuid" },
                                     "minItems": 2, "maxItems": 200, "uniqueItems": true },
                    "survivor_id": { "type": "string", "format": "uuid",
                                     "description": "The one of contact_ids that would remain." },
                    "score": { "type": "number", "minimum": 0, "maximum": 1,
                               "description": "How likely it is that all are the same." },
                    "reasons": { "type": "array", "items": { "type": "string", "maxLength": 512 },
                                 "minItems": 1, "maxItems": 50,
                                 "description": "Why, for the person who decides." }
                },
                "required": ["contact_ids", "survivor_id", "score", "reasons"],
                "additionalProperties": false
            }),
            effect: ToolEffect::Write,
            is_untrusted: false,
        };
        Self { spec: Arc::new(spec) }
    }
}

#[derive(Debug, Deserialize)]
struct Input {
    contact_ids: Vec<EntityId>,
    survivor_id: EntityId,
    score: f64,
    reasons: Vec<String>,
}

#[async_trait]
impl Tool for ContactsProposeMerge {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let Input { contact_ids, survivor_id, score, reasons } = parse(input)?;
        for id in &contact_ids {
            if context.view.entity(EntityKey::new(Kind::Contact, *id), At::NOW).await?.is_none() {
                return Err(ToolError::new(format!("contact {id} does not exist, so nothing was proposed")));
            }
        }
        let term = MergeProposal::contacts_term(&contact_ids)?;
        let mut same = ListQuery::new(Kind::MergeProposal);
        same.terms.push(term.clone());
        if let Some(first) = context.view.list(same).await?.data.first().and_then(Version::resource) {
            return Ok(ToolOutput::new(
                json!({ "id": first["id"], "status": first["status"], "already_proposed": true }),
            ));
        }
        let mut proposal = MergeProposal::new(contact_ids, survivor_id, score, reasons);
        proposal.run_id = Some(context.run);
        proposal.check()?;
        let id = EntityId::new(&context.ids, context.now);
        let body = serde_json::to_value(&proposal)
            .map_err(|e| ToolError::new(format!("the proposal has no JSON form: {e}")))?;
        let mut changes = Changes::none()
            .create(EntityKey::new(Kind::MergeProposal, id), body)
            .require(Require::UniqueTerm { kind: Kind::MergeProposal, term });
        changes.news.push(proposed(id, &proposal));
        let output = json!({ "id": id, "status": proposal.status, "already_proposed": false });
        Ok(ToolOutput::new(output).with_changes(changes))
    }
}
