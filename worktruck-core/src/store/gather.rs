use crate::entity;
use crate::{Page, Result};

use super::{ListPlan, Position, SortField, SortKey, Version};

/// The page of a list while a backend gathers it, where some of what it finds has only part of the
/// words that were asked for.
#[derive(Debug)]
pub struct Gathered<'a> {
    plan: &'a ListPlan,
    found: Vec<(Position, Version)>,
    after: Option<Position>,
}

impl ListPlan {
    /// A page with nothing in it yet.
    #[must_use]
    pub fn gather(&self) -> Gathered<'_> {
        Gathered { plan: self, found: Vec::new(), after: self.after.clone() }
    }

    /// Whether an entity has all words that the list asks for.
    fn has_words(&self, version: &Version) -> bool {
        if self.filter.words.is_empty() {
            return true;
        }
        let index = version.slice.body.as_ref().and_then(|body| entity::index(version.key.kind, body).ok());
        index.is_some_and(|index| self.filter.admits_index(version.key.id, &index))
    }
}

impl Gathered<'_> {
    /// The place after which to look next.
    #[must_use]
    pub const fn after(&self) -> Option<&Position> {
        self.after.as_ref()
    }

    /// Takes in what comes next, in order: one more than a page holds if there are so many. Says
    /// whether nothing else has to be looked for.
    pub fn take(&mut self, next: Vec<(Position, Version)>) -> bool {
        let is_last = next.len() <= self.plan.limit;
        if let Some((position, _)) = next.last() {
            self.after = Some(position.clone());
        }
        self.found.extend(next.into_iter().filter(|(_, version)| self.plan.has_words(version)));
        is_last || self.found.len() > self.plan.limit
    }

    /// The entities that the list shows.
    #[must_use]
    pub fn found(self) -> Vec<(Position, Version)> {
        self.found
    }

    /// The page.
    ///
    /// # Errors
    ///
    /// As for [`ListPlan::page`].
    pub fn page(self) -> Result<Page<Version>> {
        self.plan.page(self.found)
    }
}

impl Position {
    /// The place of `version` in a list sorted by `sort`, where its sort key has to be read only if
    /// that is what the list is sorted by.
    ///
    /// # Errors
    ///
    /// That of `value`, the sort key.
    pub fn with(version: &Version, sort: &SortField, value: impl FnOnce() -> Result<String>) -> Result<Self> {
        let key = match sort {
            SortField::CreatedAt => SortKey::Time(version.created_at),
            SortField::UpdatedAt => SortKey::Time(version.sys().from()),
            SortField::Key(_) => SortKey::Text(value()?),
        };
        Ok(Self { key, id: version.key.id })
    }
}
