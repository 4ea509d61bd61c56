use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use worktruck_core::guardrail::{Rule, RuleKind};
use worktruck_core::model::{Block, Message, ModelRequest, UserBlock};

use crate::blueprint::Blueprint;
use crate::dedupe::{Band, Cluster};
use crate::providers::Policy;

const FIND: &str = "contacts_find_duplicates";
const PROPOSE: &str = "contacts_propose_merge";
/// How many groups the rules ask for, and propose, in one turn.
const PAGE: u64 = 50;

const PROMPT: &str = "\
You look for contacts that are recorded more than once, and propose merges for a person to decide. You never merge.

Work through the pages of contacts_find_duplicates, most likely groups first. If the input of the run has \
max_candidates, look at no more than that many groups.
- Propose every group in the band `propose` with contacts_propose_merge as it is: its contact_ids, survivor_id, score \
and reasons.
- For a group in the band `review`, read its contacts with contacts_get and decide. Two people of one household share \
address, phone and family name; twins also share the birthday. Propose the group only if you are convinced, with the \
score that you would give it and your reasons in short sentences.
- Call the tools for all groups of a page in one turn.
When there is nothing left, answer with one JSON object: {\"proposed\": number, \"reviewed\": number, \"note\": \
string}.";

/// `contact_deduper`: finds contacts that are recorded more than once and proposes merges.
#[must_use]
pub fn contact_deduper() -> Blueprint {
    let tools = ["contacts_search", "contacts_get", FIND, PROPOSE].map(str::to_owned).to_vec();
    Blueprint {
        name: "contact_deduper".to_owned(),
        version: 1,
        title: "Contact deduper".to_owned(),
        description: "Finds contacts that are recorded more than once and proposes merges, with reasons. Nothing is \
                      merged until a person accepts."
            .to_owned(),
        input_schema: json!({
            "type": "object",
            "properties": {
                "max_candidates": { "type": "integer", "minimum": 1, "maximum": 1_000_000,
                                    "description": "How many groups to look at; all if absent." }
            },
            "additionalProperties": false
        }),
        system_prompt: PROMPT.to_owned(),
        default_guardrails: vec![Rule {
            id: Some("deduper_tools".to_owned()),
            ..Rule::new(RuleKind::Allowlist, tools.clone())
        }],
        tools,
        default_model: "anthropic/claude-haiku-5-5".to_owned(),
        default_budget_cents: Some(100),
        default_deadline_seconds: 3_600,
        default_max_steps: 1_000_000,
        max_tokens: 16_000,
        policy: Some(Arc::new(ProposeAboveThreshold)),
    }
}

/// The rules that play the model: propose every group in the band `propose`, leave the others.
#[derive(Debug)]
struct ProposeAboveThreshold;

impl Policy for ProposeAboveThreshold {
    fn reply(&self, request: &ModelRequest) -> Result<Vec<Block>, String> {
        let mut blocks = Vec::new();
        let max = max_candidates(request)?;
        let seen = seen(request)?;
        match newest_page(request)? {
            None => blocks.push(find(0, max, None)),
            Some(page) => {
                for (n, cluster) in page.clusters.iter().enumerate().filter(|(_, c)| c.band == Band::Propose) {
                    blocks.push(propose(seen.turns, n, cluster));
                }
                // Groups come by falling score: after the first to review there is none to propose.
                let all_sure = page.clusters.iter().all(|cluster| cluster.band == Band::Propose);
                if let Some(cursor) = page.next_cursor.filter(|_| all_sure && seen.groups < max) {
                    blocks.push(find(seen.turns, max - seen.groups, Some(cursor)));
                }
            }
        }
        if blocks.is_empty() {
            let summary =
                json!({ "proposed": seen.proposed, "already_proposed": seen.already, "contacts": seen.contacts });
            blocks.push(Block::Text { text: summary.to_string() });
        }
        Ok(blocks)
    }
}

/// What the conversation has come to.
#[derive(Default)]
struct Seen {
    turns: usize,
    groups: u64,
    proposed: u64,
    already: u64,
    contacts: u64,
}

#[derive(Default)]
struct FoundPage {
    clusters: Vec<Cluster>,
    next_cursor: Option<String>,
}

fn seen(request: &ModelRequest) -> Result<Seen, String> {
    let mut seen = Seen::default();
    for message in &request.messages {
        match &**message {
            Message::Assistant { .. } => seen.turns += 1,
            Message::User { content } => {
                for block in content {
                    let UserBlock::ToolResult { output, is_error: false, .. } = block else { continue };
                    if let Some(groups) = output["data"].as_array() {
                        seen.groups += u64::try_from(groups.len()).unwrap_or(u64::MAX);
                        seen.contacts = output["contacts"].as_u64().unwrap_or(0);
                    } else if output["already_proposed"] == true {
                        seen.already += 1;
                    } else {
                        seen.proposed += 1;
                    }
                }
            }
        }
    }
    Ok(seen)
}

/// The page that the newest turn brought, or nothing in it; `None` before the first turn.
fn newest_page(request: &ModelRequest) -> Result<Option<FoundPage>, String> {
    let calls: BTreeMap<&str, &str> = match request.messages.iter().rev().find_map(|message| match &**message {
        Message::Assistant { content } => Some(content),
        Message::User { .. } => None,
    }) {
        None => return Ok(None),
        Some(content) => content
            .iter()
            .filter_map(|block| match block {
                Block::ToolCall { id, name, .. } => Some((id.as_str(), name.as_str())),
                Block::Text { .. } | Block::Opaque { .. } => None,
            })
            .collect(),
    };
    let Some(Message::User { content }) = request.messages.last().map(|message| &**message) else {
        return Err("the conversation does not end with results".to_owned());
    };
    for block in content {
        let UserBlock::ToolResult { call_id, output, is_error } = block else { continue };
        if calls.get(call_id.as_str()) != Some(&FIND) {
            continue;
        }
        if *is_error {
            return Err(format!("{FIND} failed: {}", output["error"].as_str().unwrap_or("no reason given")));
        }
        let clusters = serde_json::from_value(output["data"].clone())
            .map_err(|e| format!("the groups of {FIND} are not understood: {e}"))?;
        return Ok(Some(FoundPage { clusters, next_cursor: output["next_cursor"].as_str().map(str::to_owned) }));
    }
    Ok(Some(FoundPage::default()))
}

fn max_candidates(request: &ModelRequest) -> Result<u64, String> {
    let Some(Message::User { content }) = request.messages.first().map(|message| &**message) else {
        return Err("the conversation does not begin with the run's input".to_owned());
    };
    let text = content.iter().find_map(|block| match block {
        UserBlock::Text { text } => text.find('{').map(|at| &text[at..]),
        UserBlock::ToolResult { .. } => None,
    });
    let input: Value = text
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or("the first message does not hold the run's input as JSON")?;
    Ok(input["max_candidates"].as_u64().unwrap_or(u64::MAX))
}

fn find(turn: usize, at_most: u64, cursor: Option<String>) -> Block {
    let mut input = json!({ "limit": at_most.min(PAGE) });
    if let Some(cursor) = cursor {
        input["cursor"] = cursor.into();
    }
    Block::ToolCall { id: format!("find_{turn}"), name: FIND.to_owned(), input }
}

fn propose(turn: usize, n: usize, cluster: &Cluster) -> Block {
    let input = json!({
        "contact_ids": cluster.contact_ids,
        "survivor_id": cluster.survivor_id,
        "score": cluster.score,
        "reasons": cluster.reasons,
    });
    Block::ToolCall { id: format!("propose_{turn}_{n}"), name: PROPOSE.to_owned(), input }
}
