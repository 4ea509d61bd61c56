//! How the examples show a run: its steps, its proposals, its totals.

use std::collections::HashMap;
use std::io::Write as _;

use serde_json::{Value, json};
use worktruck_agents::import::Problem;
use worktruck_core::entity::Kind;
use worktruck_core::entity::merge_proposal::{MergeProposal, ProposalStatus};
use worktruck_core::journal::{Journal, Step, verify};
use worktruck_core::run::{Cost, Run};
use worktruck_core::store::{ListQuery, Store, Version};
use worktruck_core::{EntityId, Error, PageRequest, Result, TenantId, Timestamp};

/// What came of a deduplication, read back from the store.
#[derive(Debug)]
pub struct Report {
    run: Run,
    model: String,
    journal: Journal,
    contacts: HashMap<EntityId, (String, String)>,
    proposals: Vec<MergeProposal>,
}

impl Report {
    /// Reads the journal, verifies its chain, and reads the proposals that nobody has decided.
    ///
    /// # Errors
    ///
    /// `Internal` if the journal is not as it was written.
    pub async fn read(store: &dyn Store, tenant: TenantId, run: Run, now: Timestamp) -> Result<Self> {
        let journal = store.journal(tenant, run.id).await?.unwrap_or_default();
        let verified = verify(tenant, run.id, &run.input, &journal)?;
        if let Some(seq) = verified.first_bad_seq {
            return Err(Error::internal(format!("step {seq} of the journal is not as it was written")));
        }
        let mut contacts = HashMap::new();
        for version in all(store, tenant, Kind::Contact, now).await? {
            let body = version.slice.body.unwrap_or_default();
            let text = |name: &str| body[name].as_str().map(str::to_owned);
            let uid = text("vcard_uid").unwrap_or_else(|| version.key.id.to_string());
            contacts.insert(version.key.id, (uid, text("display_name").unwrap_or_default()));
        }
        let mut proposals = Vec::new();
        for version in all(store, tenant, Kind::MergeProposal, now).await? {
            let proposal: MergeProposal = serde_json::from_value(version.slice.body.unwrap_or_default())
                .map_err(|e| Error::internal("a proposal is unreadable").with_source(e))?;
            if proposal.status == ProposalStatus::Pending {
                proposals.push(proposal);
            }
        }
        proposals.sort_by(|a, b| b.score.total_cmp(&a.score));
        let model = journal.snapshot.as_ref().map_or_else(String::new, |snapshot| snapshot.model.clone());
        Ok(Self { run, model, journal, contacts, proposals })
    }

    /// The report for a program.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let clusters: Vec<Value> = self
            .proposals
            .iter()
            .map(|proposal| {
                json!({
                    "score": proposal.score,
                    "uids": proposal.contact_ids.iter().map(|id| self.uid(id)).collect::<Vec<_>>(),
                    "survivor_uid": self.uid(&proposal.survivor_id),
                    "reasons": proposal.reasons,
                })
            })
            .collect();
        json!({
            "run_id": self.run.id,
            "status": self.run.status,
            "model": self.model,
            "steps": self.journal.steps.len(),
            "cost_usd_cents": self.run.cost.0.cents(),
            "contacts": self.contacts.len(),
            "clusters": clusters,
        })
    }

    /// The report for a person: the steps, the proposals, the totals.
    #[must_use]
    pub fn to_text(&self, steps_at_most: usize) -> String {
        let mut lines = timeline(&self.journal.steps, steps_at_most);
        lines.push(String::new());
        for proposal in &self.proposals {
            let names: Vec<&str> = proposal.contact_ids.iter().map(|id| self.name(id)).collect();
            lines.push(format!("{:3.0} %  {}", 100.0 * proposal.score, names.join(" = ")));
            lines.push(format!("       {}", proposal.reasons.join("; ")));
        }
        lines.push(String::new());
        lines.push(format!(
            "run {} {} with {}: {} contacts, {} steps (chain verified), {} proposals, cost {}",
            self.run.id,
            self.run.status,
            self.model,
            self.contacts.len(),
            self.journal.steps.len(),
            self.proposals.len(),
            self.run.cost.0
        ));
        lines.join("\n")
    }

    fn uid(&self, id: &EntityId) -> String {
        self.contacts.get(id).map_or_else(|| id.to_string(), |(uid, _)| uid.clone())
    }

    fn name(&self, id: &EntityId) -> &str {
        self.contacts.get(id).map_or("(gone)", |(_, name)| name)
    }
}

/// Prints a text, unless nobody reads it any more.
///
/// # Errors
///
/// `Unavailable` if it cannot be written.
pub fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::unavailable("cannot print the report").with_source(error))
        }
        _ => Ok(()),
    }
}

/// Tells what was not understood in a file, and how many rows were left out.
#[expect(clippy::print_stderr, reason = "stdout is for the report")]
pub fn print_problems(source: &str, problems: &[Problem]) {
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    let skipped = problems.iter().filter(|problem| problem.skipped).count();
    if skipped > 0 {
        eprintln!("{source}: {skipped} rows skipped");
    }
}

/// The steps as lines of a table: number, kind, name, outcome, time, tokens, cost.
#[must_use]
pub fn timeline(steps: &[Step], at_most: usize) -> Vec<String> {
    let mut lines = vec![format!(
        "{:>5}  {:4}  {:28} {:7} {:>9}  {:>13}  {:>10}",
        "step", "kind", "name", "outcome", "ms", "tokens in/out", "cost ¢"
    )];
    let last = at_most / 4;
    let first = if steps.len() > at_most { at_most - last } else { steps.len() };
    lines.extend(steps[..first].iter().map(line));
    if first < steps.len() {
        lines.push(format!("    …  {} more steps", steps.len() - first - last));
        lines.extend(steps[steps.len() - last..].iter().map(line));
    }
    lines
}

fn line(step: &Step) -> String {
    let took = step.completed_at.map_or(0, |at| at.since(step.started_at).as_micros());
    let tokens =
        step.usage.map_or_else(String::new, |usage| format!("{}/{}", usage.prompt_tokens(), usage.output_tokens));
    let Cost(cost) = step.cost;
    format!(
        "{:>5}  {:4}  {:28} {:7} {:>5}.{:03}  {:>13}  {:>10}",
        step.seq,
        step.kind.as_str(),
        step.name,
        step.outcome.as_str(),
        took / 1_000,
        took % 1_000,
        tokens,
        cost.cents().to_string()
    )
}

async fn all(store: &dyn Store, tenant: TenantId, kind: Kind, now: Timestamp) -> Result<Vec<Version>> {
    let mut query = ListQuery::new(kind);
    query.page = PageRequest::largest(None);
    let mut found = Vec::new();
    loop {
        let page = store.list(tenant, query.clone(), now).await?;
        found.extend(page.data);
        let Some(cursor) = page.next_cursor else { return Ok(found) };
        query.page = PageRequest::largest(Some(cursor));
    }
}
