//! Finding the contacts that are one person.
//!
//! [`analyse`] takes a list of contacts and returns clusters of those that are probably one person,
//! each with a survivor, a probability and reasons a person can read. It is a pure function: the same
//! contacts give the same clusters in whatever order they come.
//!
//! The way of a list through the modules: `record` folds every field, `blocking` finds the pairs
//! worth comparing, `compare` turns each into levels of agreement, `weights` estimates from the data
//! what each level is worth, `cluster` joins pairs as long as whole clusters agree, `reasons` puts the
//! evidence in words. Nothing is merged here.

use serde::{Deserialize, Serialize};
use worktruck_core::entity::contact::Contact;
use worktruck_core::{EntityId, Timestamp};

mod birth;
mod blocking;
mod cluster;
mod compare;
mod fold;
mod frequency;
mod levels;
mod nicknames;
mod reasons;
mod record;
mod score;
mod terms;
mod weights;

/// A contact to compare with the others.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Names it.
    pub id: EntityId,
    /// When it was first recorded; of two equally complete records the older one survives.
    pub created_at: Timestamp,
    /// What is known of it.
    pub contact: &'a Contact,
}

/// How sure one must be.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// From this probability on a cluster is proposed by rule alone; 0 to 1.
    pub propose: f64,
    /// From this probability on, below `propose`, a cluster is left to somebody's judgement; 0 to 1.
    pub review: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { propose: 0.6, review: 0.15 }
    }
}

/// What a list of contacts contains more than once.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Analysis {
    /// The clusters, by falling score, then by survivor.
    pub clusters: Vec<Cluster>,
    /// How many contacts were looked at.
    pub contacts: u64,
    /// How many pairs were worth comparing.
    pub pairs_compared: u64,
}

/// Contacts that are probably one person.
///
/// A contact is in one proposed cluster at most. A cluster to review names, for a cluster that is
/// proposed already, the survivor of that one only.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Cluster {
    /// The contacts, survivor first, the others by id.
    pub contact_ids: Vec<EntityId>,
    /// The most complete contact, of equal ones the oldest.
    pub survivor_id: EntityId,
    /// The probability of the weakest link that holds the cluster together; 0 to 1.
    pub score: f64,
    /// Where the score falls among the thresholds.
    pub band: Band,
    /// What speaks for it, strongest first, then what speaks against it.
    pub reasons: Vec<String>,
}

/// What should happen with a cluster.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Sure enough to be proposed by rule alone.
    Propose,
    /// Borderline: somebody should judge it.
    Review,
}

/// Finds the contacts that are probably one person.
///
/// Of two candidates with one id, the first in the list counts.
///
/// # Examples
///
/// ```
/// use worktruck_agents::dedupe::{Settings, analyse};
///
/// let analysis = analyse(&[], &Settings::default());
/// assert!(analysis.clusters.is_empty());
/// ```
#[must_use]
pub fn analyse(candidates: &[Candidate<'_>], settings: &Settings) -> Analysis {
    let list = score::List::of(candidates);
    let pairs = blocking::candidate_pairs(&list.records, &list.terms);
    let scored = score::Scored::new(list, &pairs);
    let clusters = cluster::clusters(&scored, settings);
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    Analysis { clusters, contacts: count(scored.list.records.len()), pairs_compared: count(pairs.len()) }
}

/// The pairs that [`analyse`] compares, the lower id first, sorted.
///
/// Whatever is not among them is found only through a third contact; measure the recall of blocking
/// with it.
#[must_use]
pub fn blocked_pairs(candidates: &[Candidate<'_>]) -> Vec<(EntityId, EntityId)> {
    let list = score::List::of(candidates);
    let id = |n: u32| list.records[n as usize].id;
    blocking::candidate_pairs(&list.records, &list.terms).into_iter().map(|(a, b)| (id(a), id(b))).collect()
}

#[cfg(test)]
mod tests;
