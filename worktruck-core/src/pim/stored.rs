use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::entity::{Entity, parse};
use crate::store::{EntityKey, Version};
use crate::temporal::{At, Point};
use crate::{EntityId, Error, Result, RunId, TenantId, Timestamp};

/// An entity as it is stored: its data, and what the store knows of it.
///
/// Its JSON is [`resource`](Self::resource).
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<E> {
    /// Which one.
    pub id: EntityId,
    /// The data.
    pub data: E,
    /// The version, as the store returned it.
    pub stored: Version,
    /// Where it stands on both axes, if it was asked for at another moment than now.
    pub temporal: Option<Temporal>,
}

impl<E: Entity> Stored<E> {
    /// Reads a version; `None` if it says that the entity is deleted.
    ///
    /// # Errors
    ///
    /// `Internal` if what is stored is not an entity of its kind.
    pub fn read(stored: Version) -> Result<Option<Self>> {
        let Some(body) = &stored.slice.body else { return Ok(None) };
        let data =
            parse(body).map_err(|e| Error::internal(format!("{} is stored damaged", stored.key)).with_source(e))?;
        Ok(Some(Self { id: stored.key.id, data, stored, temporal: None }))
    }

    /// The same in an answer about `at`, given at `now`.
    pub(super) fn about(mut self, at: At, now: Timestamp) -> Self {
        if at != At::NOW {
            // What is known now was known when it was written.
            let sys = at.as_of.unwrap_or_else(|| now.max(self.updated_at()));
            let point = Point { sys, valid: at.valid_at.unwrap_or(sys) };
            // As of that moment it was held for true: the answer stays the same when it no longer is.
            self.temporal = Some(Temporal { sys_to: None, ..Temporal::of(&self.stored, point) });
        }
        self
    }

    /// Names it.
    #[must_use]
    pub const fn key(&self) -> EntityKey {
        self.stored.key
    }

    /// Whose it is.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.stored.tenant
    }

    /// The number of the write that made it what it is, from 1.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.stored.slice.version
    }

    /// When it was first written.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.stored.created_at
    }

    /// When it became what it is.
    #[must_use]
    pub const fn updated_at(&self) -> Timestamp {
        self.stored.slice.sys.from()
    }

    /// The entity as anybody may see it: its data with its id, tenant, times and version, and a member `_temporal` if
    /// it was asked for at another moment than now.
    #[must_use]
    pub fn resource(&self) -> Value {
        let mut resource = self.stored.resource().unwrap_or_default();
        if let (Some(members), Some(temporal)) = (resource.as_object_mut(), &self.temporal) {
            members.insert("_temporal".to_owned(), json!(temporal));
        }
        resource
    }
}

impl<E: Entity> Serialize for Stored<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.resource().serialize(serializer)
    }
}

/// Where an answer about the past stands on both axes, and who wrote it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Temporal {
    /// What was known at this moment.
    pub as_of: Timestamp,
    /// About this moment.
    pub valid_at: Timestamp,
    /// When the store began to hold it for true.
    pub sys_from: Timestamp,
    /// When it ceased to; only in a history, as an answer about a moment does not know what came later.
    pub sys_to: Option<Timestamp>,
    /// When it begins to hold in the world.
    pub valid_from: Timestamp,
    /// When it ceases to.
    pub valid_to: Option<Timestamp>,
    /// The principal.
    pub captured_by: String,
    /// Why.
    pub capture_reason: String,
    /// The run that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

impl Temporal {
    /// That of `version` at `point`, with all that is known of it now.
    #[must_use]
    pub fn of(version: &Version, point: Point) -> Self {
        let end = |at: Timestamp| (at != Timestamp::FOREVER).then_some(at);
        let (sys, valid) = (version.slice.sys, version.slice.valid);
        Self {
            as_of: point.sys,
            valid_at: point.valid,
            sys_from: sys.from(),
            sys_to: end(sys.to()),
            valid_from: valid.from(),
            valid_to: end(valid.to()),
            captured_by: version.provenance.captured_by.clone(),
            capture_reason: version.provenance.capture_reason.clone(),
            run_id: version.provenance.run_id,
        }
    }
}
