//! The feed of changes.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use worktruck_core::entity::Kind;
use worktruck_core::store::Commits;
use worktruck_core::{Cursor, Error};

use crate::answer::Plain;
use crate::call::Call;
use crate::route::Routes;
use crate::{Action, Domain, Failure, Scope};

/// The longest that a request may wait for a change, in seconds.
const MAX_WAIT: u64 = 60;
/// How often a waiting request looks.
const LOOK: Duration = Duration::from_millis(250);

/// The route of the feed.
pub(crate) fn routes() -> Routes {
    Routes::of(Domain::Admin)
        .plain("/changes", "Lists the commits of the tenant in order, and waits for the next one.", changes)
        .for_everybody()
        .waiting(Duration::from_secs(MAX_WAIT))
}

/// What of the feed is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Since {
    /// Behind this cursor; from the first commit that is kept if left out.
    since: Option<Cursor>,
    /// How long to wait if there is none yet, in seconds: up to 60.
    #[schemars(range(max = 60))]
    wait_secs: u64,
    /// How many at most: 1 to 200, 50 if left out.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
}

async fn changes(call: Call<Since>) -> Result<Plain<Commits>, Failure> {
    let Since { since, wait_secs, limit } = &call.query;
    if *wait_secs > MAX_WAIT {
        return Err(Error::invalid(format!("wait_secs must be at most {MAX_WAIT}")).at("/wait_secs").into());
    }
    let (pim, principal) = (call.context.service.pim(), &call.context.principal);
    let until = tokio::time::Instant::now() + Duration::from_secs(*wait_secs);
    loop {
        let limit = limit.unwrap_or(worktruck_core::PageRequest::DEFAULT_LIMIT);
        let mut found = pim.changes(principal.tenant, since.clone(), limit).await.map_err(at_since)?;
        if !found.data.is_empty() || tokio::time::Instant::now() >= until {
            for commit in &mut found.data {
                commit.entities.retain(|entity| {
                    let domain = domain_of(entity.kind);
                    domain.is_some_and(|domain| principal.scopes.allow(Scope::new(domain, Action::Read)))
                });
            }
            return Ok(Plain(found));
        }
        tokio::time::sleep_until(until.min(tokio::time::Instant::now() + LOOK)).await;
    }
}

/// A feed has its cursor in `since`.
fn at_since(error: Error) -> Error {
    if error.kind() == worktruck_core::ErrorKind::InvalidCursor { error.at("/since") } else { error }
}

/// Whose scope shows an entity; none if nobody is shown it.
const fn domain_of(kind: Kind) -> Option<Domain> {
    Some(match kind {
        Kind::Affiliation
        | Kind::Contact
        | Kind::Group
        | Kind::GroupMember
        | Kind::Interaction
        | Kind::MergeProposal
        | Kind::Relationship => Domain::Contacts,
        Kind::Deal | Kind::Pipeline | Kind::Stage | Kind::StageChange => Domain::Crm,
        Kind::Comment
        | Kind::Dependency
        | Kind::Label
        | Kind::Milestone
        | Kind::Project
        | Kind::ProjectMember
        | Kind::Section
        | Kind::Task
        | Kind::TaskLink
        | Kind::TaskStatus => Domain::Tasks,
        Kind::Attendee | Kind::Calendar | Kind::Event | Kind::EventLink => Domain::Calendar,
        Kind::Attachment | Kind::Note | Kind::NoteLink | Kind::NoteTag | Kind::Notebook => Domain::Notes,
        Kind::AgentBreaker | Kind::AgentConfig | Kind::AgentSchedule | Kind::ByokKey | Kind::IntegrationKey => {
            Domain::Agents
        }
        Kind::Webhook => Domain::Admin,
        // It keeps numbers for others.
        Kind::Counter => return None,
    })
}
