//! Members of groups.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Result};

use super::text::check_object;
use super::{Entity, Index, Kind, Locale, Term};

/// That a contact is in a group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupMember {
    /// The group.
    pub group_id: EntityId,
    /// The contact.
    pub contact_id: EntityId,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl GroupMember {
    /// The membership of a contact in a group.
    #[must_use]
    pub fn new(group_id: EntityId, contact_id: EntityId) -> Self {
        Self { group_id, contact_id, metadata: Map::new() }
    }

    /// The index term that no two memberships share.
    #[must_use]
    pub fn unique_term(&self) -> Term {
        Term::new("membership", format!("{}/{}", self.group_id, self.contact_id))
    }
}

impl Entity for GroupMember {
    const KIND: Kind = Kind::GroupMember;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        let mut index = Index::default().term("group_id", self.group_id).term("contact_id", self.contact_id);
        index.terms.push(self.unique_term());
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_is_of_one_contact_in_one_group() {
        let [one, two]: [EntityId; 2] =
            [1, 2].map(|n| format!("0194a8b3-7e5a-77c1-9d0f-00000000000{n}").parse().unwrap());
        let terms = GroupMember::new(one, two).index().unwrap().terms;
        assert_eq!(terms[..2], [Term::new("group_id", one.to_string()), Term::new("contact_id", two.to_string())]);
        assert_ne!(terms[2], GroupMember::new(two, one).unique_term());
    }
}
