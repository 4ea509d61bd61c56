//! Merge proposals: contacts that may be the same, for a person to decide.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Digest, EntityId, Error, Result, RunId};

use super::text::{check_object, check_text};
use super::{Entity, Index, Kind, Locale, Term};

/// Contacts that may be the same, and why. Nothing is merged until somebody accepts it.
///
/// # Examples
///
/// ```
/// use worktruck_core::EntityId;
/// use worktruck_core::entity::merge_proposal::MergeProposal;
///
/// let one: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let two: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5e".parse()?;
/// let proposal = MergeProposal::new(vec![two, one], one, 0.93, vec!["same phone".to_owned()]);
/// proposal.check()?;
/// assert!(MergeProposal { score: 1.5, ..proposal }.check().is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MergeProposal {
    /// The contacts, at least two, each once.
    pub contact_ids: Vec<EntityId>,
    /// The one of them that would remain.
    pub survivor_id: EntityId,
    /// How likely it is that all are the same, 0 to 1.
    pub score: f64,
    /// Why, for a person to read.
    pub reasons: Vec<String>,
    /// What has become of it.
    #[serde(default)]
    pub status: ProposalStatus,
    /// The run that proposed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// What has become of a merge proposal.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProposalStatus {
    /// Nobody has decided.
    #[default]
    Pending,
    /// The contacts were merged.
    Accepted,
    /// The contacts are not the same.
    Rejected,
    /// A contact has changed or gone, so that it no longer stands.
    Stale,
}

impl ProposalStatus {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Stale => "stale",
        }
    }
}

/// The index term that says which contacts a proposal is about.
pub const CONTACTS_TERM: &str = "contacts";

impl MergeProposal {
    /// A pending proposal.
    #[must_use]
    pub fn new(contact_ids: Vec<EntityId>, survivor_id: EntityId, score: f64, reasons: Vec<String>) -> Self {
        Self {
            contact_ids,
            survivor_id,
            score,
            reasons,
            status: ProposalStatus::Pending,
            run_id: None,
            metadata: Map::new(),
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        let distinct: BTreeSet<_> = self.contact_ids.iter().collect();
        if distinct.len() < 2 || distinct.len() != self.contact_ids.len() {
            return Err(Error::invalid("contact_ids must name at least two contacts, each once").at("/contact_ids"));
        }
        if !distinct.contains(&self.survivor_id) {
            return Err(Error::invalid("survivor_id must be one of contact_ids").at("/survivor_id"));
        }
        if !(0.0..=1.0).contains(&self.score) {
            return Err(Error::invalid("score must be between 0 and 1").at("/score"));
        }
        for (index, reason) in self.reasons.iter().enumerate() {
            check_text(&format!("/reasons/{index}"), reason)?;
        }
        check_object("/metadata", &self.metadata)
    }

    /// The index term that all proposals about the same contacts share, and no others. A stale
    /// proposal does not have it: the same contacts may be proposed anew.
    ///
    /// # Errors
    ///
    /// `Internal` if the ids have no JSON form, which cannot happen.
    pub fn contacts_term(contact_ids: &[EntityId]) -> Result<Term> {
        let distinct: BTreeSet<_> = contact_ids.iter().collect();
        Ok(Term::new(CONTACTS_TERM, Digest::of_json(&distinct)?.to_string()))
    }
}

impl Entity for MergeProposal {
    const KIND: Kind = Kind::MergeProposal;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        let mut terms = vec![Term::new("status", self.status.as_str())];
        if self.status != ProposalStatus::Stale {
            terms.push(Self::contacts_term(&self.contact_ids)?);
        }
        terms.extend(self.contact_ids.iter().map(|id| Term::new("contact_id", id.to_string())));
        terms.extend(self.run_id.map(|id| Term::new("run_id", id.to_string())));
        Ok(Index { terms, ..Index::default() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::index;

    fn id(n: u8) -> String {
        format!("0194a8b3-7e5a-77c1-9d0f-0000000000{n:02x}")
    }

    fn proposal(fields: &Value) -> Value {
        let mut body =
            json!({"contact_ids": [id(1), id(2)], "survivor_id": id(1), "score": 0.9, "reasons": ["same phone"]});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    }

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let table = [
            (json!({}), None),
            (json!({"contact_ids": [id(3), id(2), id(1)], "survivor_id": id(2)}), None),
            (json!({"contact_ids": []}), Some("/contact_ids")),
            (json!({"contact_ids": [id(1)]}), Some("/contact_ids")),
            (json!({"contact_ids": [id(1), id(1)]}), Some("/contact_ids")),
            (json!({"contact_ids": [id(1), id(2), id(1)]}), Some("/contact_ids")),
            (json!({"survivor_id": id(3)}), Some("/survivor_id")),
            (json!({"score": 0}), None),
            (json!({"score": 1.0}), None),
            (json!({"score": 1.000_001}), Some("/score")),
            (json!({"score": -0.1}), Some("/score")),
            (json!({"reasons": []}), None),
            (json!({"reasons": ["a", "\0"]}), Some("/reasons/1")),
            (json!({"metadata": {"a": "\0"}}), Some("/metadata/a")),
        ];
        for (fields, expected) in table {
            let found = index(Kind::MergeProposal, &proposal(&fields));
            assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{fields}");
            assert_eq!(found.is_ok(), expected.is_none(), "{fields}");
        }
    }

    #[test]
    fn what_is_no_proposal_is_refused() {
        for fields in [
            json!({"contact_ids": "x"}),
            json!({"survivor_id": "x"}),
            json!({"score": null}),
            json!({"status": "done"}),
            json!({"reason": "x"}),
            json!({"run_id": 1}),
        ] {
            assert!(index(Kind::MergeProposal, &proposal(&fields)).is_err(), "{fields}");
        }
    }

    #[test]
    fn a_proposal_is_found_by_status_contacts_and_run() {
        let found = index(Kind::MergeProposal, &proposal(&json!({"run_id": id(9), "status": "rejected"}))).unwrap();
        let ids = [id(1), id(2)].map(|id| id.parse().unwrap());
        let expected = [
            Term::new("status", "rejected"),
            MergeProposal::contacts_term(&ids).unwrap(),
            Term::new("contact_id", id(1)),
            Term::new("contact_id", id(2)),
            Term::new("run_id", id(9)),
        ];
        assert_eq!(found.terms, expected);
    }

    #[test]
    fn a_stale_proposal_leaves_its_contacts_to_a_new_one() {
        let found = index(Kind::MergeProposal, &proposal(&json!({"status": "stale"}))).unwrap();
        assert!(found.terms.iter().all(|term| term.name != CONTACTS_TERM), "{:?}", found.terms);
    }

    #[test]
    fn the_same_contacts_share_a_term_in_any_order() {
        let [one, two, three]: [EntityId; 3] = [id(1), id(2), id(3)].map(|id| id.parse().unwrap());
        let term = |ids: &[EntityId]| MergeProposal::contacts_term(ids).unwrap();
        assert_eq!(term(&[one, two]), term(&[two, one]));
        assert_ne!(term(&[one, two]), term(&[one, three]));
        assert_ne!(term(&[one, two]), term(&[one, two, three]));
    }
}
