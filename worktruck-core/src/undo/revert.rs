use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::store::{Applied, Changes, EntityKey, Provenance, Require};
use crate::temporal::undo;
use crate::{Error, ErrorKind, Result, RunId, TenantId, Timestamp};

use super::examine::Examined;
use super::obstacles::{EditedSince, Obstacles};
use super::relations::Turn;
use super::written::Commit;
use super::{Named, Undo};

/// How often it is decided anew what to undo because others wrote meanwhile.
const ATTEMPTS: usize = 16;

/// How many entities are given back at once at most.
const MOST_TOGETHER: usize = 10_000;

/// Which entities are given back although others have written to them since.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// These.
    Entities(BTreeSet<Named>),
}

impl Force {
    fn covers(&self, key: EntityKey) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Entities(entities) => entities.contains(&key.into()),
        }
    }
}

/// `all`, or entities as `type:id,…`; empty for none.
///
/// # Examples
///
/// ```
/// use worktruck_core::undo::Force;
///
/// assert_eq!("all".parse::<Force>()?, Force::All);
/// assert_eq!("".parse::<Force>()?, Force::None);
/// let one: Force = "contact:0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// assert!(matches!(one, Force::Entities(entities) if entities.len() == 1));
/// assert!("contact".parse::<Force>().is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
impl FromStr for Force {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "" => return Ok(Self::None),
            "all" => return Ok(Self::All),
            _ => {}
        }
        let named = |part: &str| {
            let (kind, id) = part.split_once(':').ok_or_else(|| {
                Error::invalid(format!("{part:?} is not the type of an entity and its id with a colon between them"))
            })?;
            Ok(Named { kind: kind.parse()?, id: id.parse()? })
        };
        text.split(',').map(named).collect::<Result<_>>().map(Self::Entities).map_err(|e| e.at("/force"))
    }
}

/// What undoing a run came to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Reverted {
    /// The commit that undid it, counted per tenant; absent if there was nothing to undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_id: Option<u64>,
    /// Its system time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What was given back.
    pub entities: Vec<RevertedEntity>,
}

/// An entity that is what it was before a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RevertedEntity {
    /// The entity.
    pub entity: Named,
    /// The version that gave it back.
    pub version: u64,
}

impl Undo {
    /// Undoes what a run wrote, in one commit by `captured_by`: over each stretch of valid time that the run wrote to, an
    /// entity is again what it was before the run's first write to it. What did not exist is not there any more, and what
    /// the run ended is there again.
    ///
    /// Where others have written to an entity since, and not come back to what the run had left, nothing at all is
    /// written, unless that entity is forced. Forced, what they wrote over what the run wrote goes too; what they wrote
    /// about other times stays. What would refer to nothing, or be there twice, cannot be forced.
    ///
    /// Undone again, a run has nothing left to undo. A counter keeps counting: a number that was given out is not given
    /// out again. Of an entity that was erased since, nothing comes back.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such run.
    /// - `Conflict`: the run has not ended, or something stands in the way, [all of which](super::Obstacles) the error's
    ///   details name.
    /// - `InvalidRequest` at `/force`: an entity is forced that the run did not write to.
    /// - `HistoryExpired`: the run began before what the tenant keeps.
    /// - `VersionMismatch` if others were faster every time, and those of the store.
    pub async fn revert(&self, tenant: TenantId, run: RunId, force: &Force, captured_by: &str) -> Result<Reverted> {
        let known = self.known(tenant, run).await?;
        if !known.status.is_terminal() {
            let message = format!("run {run} has not ended, and may write more; cancel it or wait for its end");
            return Err(Error::conflict(message));
        }
        // What a run wrote stays the same once it has ended.
        let written = self.written(tenant, run).await?;
        if let Force::Entities(entities) = force
            && let Some(other) = entities.iter().find(|named| !written.contains_key(&EntityKey::from(**named)))
        {
            let message = format!("run {run} did not write to {} {}", other.kind, other.id);
            return Err(Error::invalid(message).at("/force"));
        }
        let mut attempt = 1;
        loop {
            let changes = self.plan(tenant, run, &written, force).await?;
            if changes.writes.is_empty() {
                return Ok(Reverted { tx_id: None, at: None, entities: Vec::new() });
            }
            let provenance = Provenance::revert(captured_by, run);
            match self.store.apply(tenant, changes, provenance, self.clock.now()).await {
                Ok(Applied { tx_id, at, versions }) => {
                    let entities = versions.into_iter();
                    let entities = entities.map(|(key, version)| RevertedEntity { entity: key.into(), version });
                    return Ok(Reverted { tx_id: Some(tx_id), at: Some(at), entities: entities.collect() });
                }
                // Others wrote between the look and the commit.
                Err(error) if attempt < ATTEMPTS && is_overtaken(&error) => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// What undoes a run as things are, and what that rests on.
    async fn plan(
        &self,
        tenant: TenantId,
        run: RunId,
        written: &BTreeMap<EntityKey, Vec<Commit>>,
        force: &Force,
    ) -> Result<Changes> {
        let mut obstacles = Obstacles::default();
        let mut undone = Vec::new();
        for (key, writes) in written {
            let Some(examined) = self.examine(tenant, run, *key, writes).await? else { continue };
            if !examined.edits.is_empty() && !force.covers(*key) {
                obstacles.edited.push(EditedSince { entity: (*key).into(), edits: examined.edits.clone() });
            }
            undone.push(examined);
            if undone.len() > MOST_TOGETHER {
                let message =
                    format!("run {run} wrote to more than {MOST_TOGETHER} entities, too many to undo at once");
                return Err(Error::conflict(message));
            }
        }
        let moment = self.clock.now().max(self.store.head(tenant).await?.floor);
        let mut turns = Vec::new();
        for examined in &undone {
            let Some(stretch) = examined.at(moment) else { continue };
            let Some((_, first_at)) = written.get(&examined.key).and_then(|writes| writes.first()) else { continue };
            turns.push(Turn {
                key: examined.key,
                now: stretch.after.as_ref(),
                then: stretch.before.as_ref(),
                before: first_at.previous(),
            });
        }
        let requires = self.relations(tenant, &turns, &mut obstacles).await?;
        obstacles.check()?;
        let mut changes = Changes::none();
        for Examined { key, newest, stretches, .. } in &undone {
            changes = changes.require(Require::Newest { key: *key, version: *newest });
            for write in undo(stretches) {
                changes = changes.write_valid(*key, write);
            }
        }
        changes.requires.extend(requires);
        Ok(changes)
    }
}

fn is_overtaken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::VersionMismatch | ErrorKind::Conflict)
}
