//! Everything a store keeps in versions: its data, its validation, its index terms.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Result};

pub mod agent_config;
pub mod contact;
pub mod merge_proposal;
mod text;

/// What an entity is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// How a blueprint behaves for a tenant.
    AgentConfig,
    /// A person, an organization or a group.
    Contact,
    /// Contacts that may be the same.
    MergeProposal,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::AgentConfig, Self::Contact, Self::MergeProposal];

    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentConfig => "agent_config",
            Self::Contact => "contact",
            Self::MergeProposal => "merge_proposal",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| Error::invalid(format!("{text:?} is not a kind of entity")))
    }
}

/// A name and a value that an entity can be found by.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Term {
    /// Such as `tag` or `channel:email`.
    pub name: String,
    /// Such as `vip`.
    pub value: String,
}

impl Term {
    /// The term `name` = `value`.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// What a store indexes of an entity's body.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Index {
    /// What it can be found by.
    pub terms: Vec<Term>,
    /// What lists can be sorted by beside the times of its writes; compared byte by byte.
    pub sort: Vec<(&'static str, String)>,
    /// What a search for words looks at.
    pub text: String,
}

/// What a store indexes of `body`, an entity of `kind`; fails if it is not one.
///
/// # Errors
///
/// `InvalidRequest` saying what is wrong with the body.
pub fn index(kind: Kind, body: &Value) -> Result<Index> {
    match kind {
        Kind::AgentConfig => parse::<agent_config::AgentConfig>(kind, body)?.index(),
        Kind::Contact => Ok(parse::<contact::Contact>(kind, body)?.index()),
        Kind::MergeProposal => parse::<merge_proposal::MergeProposal>(kind, body)?.index(),
    }
}

/// The sort keys that lists of `kind` offer beside the times of writes.
#[must_use]
pub const fn sort_keys(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Contact => &["display_name"],
        Kind::AgentConfig | Kind::MergeProposal => &[],
    }
}

fn parse<T: DeserializeOwned>(kind: Kind, body: &Value) -> Result<T> {
    // A list of all fields in their order would be read too.
    if !body.is_object() {
        return Err(Error::invalid(format!("the body of a {kind} must be an object")));
    }
    T::deserialize(body).map_err(|e| Error::invalid(format!("body is not a {kind}: {e}")))
}
