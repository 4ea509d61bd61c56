//! Project members: who works on a project, and as what.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Result};

use super::text::{check_name, check_object};
use super::{Entity, Index, Kind, Locale, Term};

/// Who works on a project, and as what. A contact is a member of a project once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProjectMember {
    /// The project.
    pub project_id: EntityId,
    /// Who it is.
    pub contact_id: EntityId,
    /// As what, such as `lead`.
    pub role: String,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl ProjectMember {
    /// A member of a project.
    pub fn new(project_id: EntityId, contact_id: EntityId, role: impl Into<String>) -> Self {
        Self { project_id, contact_id, role: role.into(), metadata: Map::new() }
    }

    /// The index term that only this contact in this project has.
    #[must_use]
    pub fn member_term(&self) -> Term {
        Term::new("member", format!("{}:{}", self.project_id, self.contact_id))
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_name("/role", &self.role)?;
        check_object("/metadata", &self.metadata)
    }
}

impl Entity for ProjectMember {
    const KIND: Kind = Kind::ProjectMember;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        let mut index = Index::default().term("project_id", self.project_id).term("contact_id", self.contact_id);
        index.terms.push(self.member_term());
        Ok(index)
    }
}
