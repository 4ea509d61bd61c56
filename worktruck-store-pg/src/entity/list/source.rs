//! Where a list looks for its entities.

use sqlx::{PgConnection, Row as _};
use worktruck_core::store::SortField;
use worktruck_core::{Error, Result};

use crate::error::OrFailed as _;
use crate::rows::{Columns as _, number};

use super::List;
use super::page::Parts;

/// Which heads a list looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// Those that come next in the order of the list, or those of them that have this term.
    InOrder(Option<usize>),
    /// All that have what few have, which are put in order.
    All(Asked),
}

/// What an entity is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asked {
    /// This term of the filter.
    Term(usize),
    /// One of this set of terms.
    Any(usize),
    /// A sort key in this range.
    Range(usize),
    /// To be one of those that the list chooses from.
    Among,
    /// The words.
    Words,
}

impl List<'_> {
    /// The source that is known to be the best, if one is.
    pub(super) fn known_source(&self) -> Option<Source> {
        let filter = &self.plan.filter;
        if filter.among.is_some() {
            // Each of them is looked up by its key.
            return Some(Source::All(Asked::Among));
        }
        let is_one = filter.terms.len() == 1 && filter.any.is_empty() && filter.ranges.is_empty();
        let is_in_order = filter.is_empty() || (self.is_by_creation() && is_one && filter.words.is_empty());
        is_in_order.then(|| self.in_order())
    }

    /// The order of the list. Terms are kept in order of creation.
    pub(super) fn in_order(&self) -> Source {
        Source::InOrder((self.is_by_creation() && !self.plan.filter.terms.is_empty()).then_some(0))
    }

    pub(super) fn is_by_creation(&self) -> bool {
        self.plan.sort.field == SortField::CreatedAt
    }

    /// What the fewest have of all that is asked for, and how many that are, as far as `most`.
    ///
    /// This may change before the list is found: then it is right all the same, and takes longer.
    pub(super) async fn rarest(&self, connection: &mut PgConnection, most: usize) -> Result<(Asked, usize)> {
        let mut parts = Parts::new(self, None);
        let filter = &self.plan.filter;
        let terms = (0..filter.terms.len()).map(Asked::Term);
        let sets = (0..filter.any.len()).map(Asked::Any).chain((0..filter.ranges.len()).map(Asked::Range));
        let words = (!filter.words.is_empty()).then_some(Asked::Words);
        let asked: Vec<Asked> = terms.chain(sets).chain(words).collect();
        let most = parts.statement.bind(number(most)?);
        let counts = (0..).zip(&asked).map(|(place, asked): (i32, _)| {
            let having = parts.having(*asked);
            format!("SELECT {place} AS place, count(*) AS count FROM ({having} LIMIT {most}) d")
        });
        let counts = counts.collect::<Vec<_>>().join(" UNION ALL ");
        let rarest = format!("SELECT place, count FROM ({counts}) c ORDER BY count, place LIMIT 1");
        let rows = parts.statement.fetch(connection, &rarest).await.or_failed("list entities")?;
        let row = rows.first().ok_or_else(|| Error::internal("the store did not answer a list"))?;
        let place: i32 = row.try_get("place").or_failed("list entities")?;
        let rarest = usize::try_from(place).ok().and_then(|place| asked.get(place).copied());
        Ok((rarest.unwrap_or(Asked::Words), row.number("count")?))
    }
}
