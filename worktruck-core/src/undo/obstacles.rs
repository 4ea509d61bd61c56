//! What stands in the way of undoing a run.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::entity::Term;
use crate::store::Version;
use crate::{Error, Result, RunId, Timestamp};

use super::Named;

/// A write by somebody else than the run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Edit {
    /// The version of the entity that it made.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub captured_by: String,
    /// Why.
    pub capture_reason: String,
    /// The run that wrote it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

impl Edit {
    pub(super) fn of(version: &Version) -> Self {
        Self {
            version: version.slice.version,
            at: version.slice.sys.from(),
            captured_by: version.provenance.captured_by.clone(),
            capture_reason: version.provenance.capture_reason.clone(),
            run_id: version.provenance.run_id,
        }
    }
}

/// An entity that others have written to since the run did.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EditedSince {
    /// The entity.
    pub entity: Named,
    /// What they wrote, oldest first.
    pub edits: Vec<Edit>,
}

/// An entity that would refer to one that does not exist.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Dangling {
    /// The entity that refers.
    pub entity: Named,
    /// What it refers to.
    pub refers_to: Named,
}

/// Something that only one entity may have, and that another one has.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Taken {
    /// The entity that had it before the run.
    pub entity: Named,
    /// Who has it now.
    pub by: Named,
    /// What.
    pub term: Term,
}

/// All that stands in the way of undoing a run: the `details` of the `Conflict`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Obstacles {
    /// What others have written to; may be forced.
    pub edited: Vec<EditedSince>,
    /// What would refer to nothing: end it, or let it refer to something else, first.
    pub dangling: Vec<Dangling>,
    /// What others have taken: give it back first.
    pub taken: Vec<Taken>,
}

impl Obstacles {
    /// Whether nothing stands in the way.
    ///
    /// # Errors
    ///
    /// `Conflict` that says in words what does, with all of it as its details.
    pub(super) fn check(self) -> Result<()> {
        let mut reasons = Vec::new();
        if let Some(EditedSince { entity, edits }) = self.edited.first() {
            let who = edits.last().map_or("somebody", |edit| &edit.captured_by);
            let more = more(self.edited.len());
            reasons.push(format!("{} {} was edited since by {who}{more}", entity.kind, entity.id));
        }
        if let Some(Dangling { entity, refers_to }) = self.dangling.first() {
            let more = more(self.dangling.len());
            let (kind, id) = (refers_to.kind, refers_to.id);
            reasons.push(format!("{} {} refers to {kind} {id}, which would not exist{more}", entity.kind, entity.id));
        }
        if let Some(Taken { entity, by, term }) = self.taken.first() {
            let more = more(self.taken.len());
            let (kind, id, name) = (entity.kind, entity.id, &term.name);
            reasons.push(format!("the {name} of {kind} {id} is that of {} {} now{more}", by.kind, by.id));
        }
        if reasons.is_empty() {
            return Ok(());
        }
        let message = format!("the run cannot be undone: {}", reasons.join("; "));
        Err(Error::conflict(message).with_details(json!(self)))
    }
}

fn more(count: usize) -> String {
    if count > 1 { format!(", and so on ({count} in all)") } else { String::new() }
}
