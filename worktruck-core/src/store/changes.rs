use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::EntityId;
use crate::entity::{Kind, Term};
use crate::temporal::{Write, WriteOp};

use super::{AuditEntry, EntityKey, News, RequestMark};

/// A write to one entity, as part of [`Changes`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Change {
    /// The entity.
    pub key: EntityKey,
    /// What to do to it.
    pub write: Write,
}

/// Something that must hold when changes are committed, or nothing is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// The entity exists now, and what holds now was written by this version: the one that a read
    /// of the present returns.
    Version {
        /// The entity.
        key: EntityKey,
        /// Its version.
        version: u64,
    },
    /// The newest write to the entity, about whatever part of valid time, is this version: nobody has written to it
    /// since.
    Newest {
        /// The entity.
        key: EntityKey,
        /// Its version.
        version: u64,
    },
    /// The entity exists now.
    Exists {
        /// The entity.
        key: EntityKey,
    },
    /// The entity does not exist now.
    Absent {
        /// The entity.
        key: EntityKey,
    },
    /// After the commit, at most one entity of the kind that exists now has the index term.
    UniqueTerm {
        /// The kind.
        kind: Kind,
        /// The term.
        term: Term,
    },
    /// After the commit, no entity of the kind that exists now has the index term.
    NoTerm {
        /// The kind.
        kind: Kind,
        /// The term.
        term: Term,
    },
}

/// A number that an entity gets at its commit: the next one of a counter, which counts without gap
/// or repeat however many count at once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NextNumber {
    /// The counter, an entity of the kind [`Kind::Counter`]; one that does not exist begins at 1.
    pub counter: EntityId,
    /// The entity that is numbered, which the same changes create.
    pub key: EntityKey,
    /// The field of its body that becomes the number, as text behind `prefix`.
    pub field: String,
    /// What is written before the number.
    pub prefix: String,
}

/// Writes that take effect together, and what they rest on.
///
/// Operations make changes; whoever called the operation commits them. Requirements are checked
/// in the same transaction, so that a decision taken on old data is never committed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Changes {
    /// The writes, in order; several to one entity make one version.
    pub writes: Vec<Change>,
    /// What must hold.
    pub requires: Vec<Require>,
    /// The numbers that are given out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<NextNumber>,
    /// What webhooks are told of if anything is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub news: Vec<News>,
    /// What the audit log says if anything is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit: Vec<AuditEntry>,
    /// The request that they are for: they are committed by the attempt at it that is under way, and once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<RequestMark>>,
}

impl Changes {
    /// No changes.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether there is nothing to commit and nothing to check.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.requires.is_empty()
    }

    /// Adds an entity that must not exist yet.
    #[must_use]
    pub fn create(mut self, key: EntityKey, body: Value) -> Self {
        self.requires.push(Require::Absent { key });
        self.write(key, WriteOp::Put(body))
    }

    /// Adds a write from the moment of the commit on.
    #[must_use]
    pub fn write(self, key: EntityKey, op: WriteOp) -> Self {
        self.write_valid(key, Write { op, valid_from: None, valid_to: None })
    }

    /// Adds a write over its own part of the valid axis.
    #[must_use]
    pub fn write_valid(mut self, key: EntityKey, write: Write) -> Self {
        self.writes.push(Change { key, write });
        self
    }

    /// Adds a requirement.
    #[must_use]
    pub fn require(mut self, require: Require) -> Self {
        self.requires.push(require);
        self
    }

    /// Adds a number to be given out.
    #[must_use]
    pub fn number(mut self, next: NextNumber) -> Self {
        self.numbers.push(next);
        self
    }

    /// Adds something that webhooks are told of.
    #[must_use]
    pub fn tell(mut self, event_type: &str, data: Value) -> Self {
        self.news.push(News { event_type: event_type.to_owned(), data });
        self
    }

    /// Adds an entry of the audit log.
    #[must_use]
    pub fn audited(mut self, entry: AuditEntry) -> Self {
        self.audit.push(entry);
        self
    }

    /// Adds all of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.news.extend(other.news);
        self.audit.extend(other.audit);
        self.request = self.request.or(other.request);
        self.writes.extend(other.writes);
        self.requires.extend(other.requires);
        self.numbers.extend(other.numbers);
        self
    }
}
