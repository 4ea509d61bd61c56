//! Where a list looks for its entities.

use sqlx::{PgConnection, Row as _};
use worktruck_core::store::{Position, SortField};
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

/// How many pages are looked through for one, and a little less than that.
const PAGES: usize = 9;
/// How far is counted what many have.
const MANY: i64 = 10_000;

impl List<'_> {
    /// Where to look; nothing if not among the heads, because too much was written since.
    ///
    /// What it rests on may change before the list is found: then it is right all the same, and
    /// takes longer.
    pub(super) async fn source(
        &self,
        connection: &mut PgConnection,
        after: Option<&Position>,
    ) -> Result<Option<Source>> {
        let filter = &self.plan.filter;
        let is_by_creation = self.plan.sort.field == SortField::CreatedAt;
        if filter.among.is_some() {
            // Each of them is looked up by its key.
            return Ok(Some(Source::All(Asked::Among)));
        }
        if filter.is_empty() {
            return Ok((!is_by_creation || !self.is_past()).then_some(Source::InOrder(None)));
        }
        // Terms are kept in order of creation.
        let in_order = Source::InOrder((is_by_creation && !filter.terms.is_empty()).then_some(0));
        let is_one = filter.terms.len() == 1 && filter.any.is_empty() && filter.ranges.is_empty();
        let is_all = is_by_creation && is_one && filter.words.is_empty();
        if is_all && !self.is_past() {
            return Ok(Some(in_order));
        }
        let seen = self.look(connection, in_order, after).await?;
        if is_by_creation && seen.is_long_past {
            return Ok(None);
        }
        Ok(Some(if is_all || seen.is_soon { in_order } else { Source::All(seen.rarest) }))
    }

    /// Looks at a few pages of the order.
    async fn look(&self, connection: &mut PgConnection, in_order: Source, after: Option<&Position>) -> Result<Seen> {
        let mut parts = Parts::new(self, after);
        let window = number(PAGES * self.plan.limit)?;
        let filter = &self.plan.filter;
        let terms = (0..filter.terms.len()).map(Asked::Term);
        let sets = (0..filter.any.len()).map(Asked::Any).chain((0..filter.ranges.len()).map(Asked::Range));
        let words = (!filter.words.is_empty()).then_some(Asked::Words);
        let asked: Vec<Asked> = terms.chain(sets).chain(words).collect();
        let heads = parts.heads(in_order, Some(window));
        parts.statement.with("soon", format!("SELECT count(*) AS count FROM {heads}"));
        let counts = (0..).zip(&asked).map(|(place, asked): (i32, _)| {
            let having = parts.having(*asked);
            format!("SELECT {place} AS place, count(*) AS count FROM ({having} LIMIT {MANY}) d")
        });
        let counts = counts.collect::<Vec<_>>().join(" UNION ALL ");
        let since = if self.is_past() { parts.since(window) } else { "0::bigint".to_owned() };
        let (most, limit) = (parts.statement.bind(window), parts.limit());
        let seen = format!(
            "SELECT {since} >= {most} AS is_long_past, count >= {limit} AS is_soon,
                     CASE WHEN count < {limit} AND {several} THEN (
                         SELECT place FROM ({counts}) c ORDER BY c.count, place LIMIT 1) ELSE 0 END AS rarest
                 FROM soon",
            several = asked.len() > 1,
        );
        let rows = parts.statement.fetch(connection, &seen).await.or_failed("list entities")?;
        let row = rows.first().ok_or_else(|| Error::internal("the store did not answer a list"))?;
        let rarest: i32 = row.try_get("rarest").or_failed("list entities")?;
        let rarest = usize::try_from(rarest).ok().and_then(|place| asked.get(place).copied());
        Ok(Seen {
            is_soon: row.flag("is_soon")?,
            rarest: rarest.unwrap_or(Asked::Words),
            is_long_past: row.flag("is_long_past")?,
        })
    }
}

/// What a look at a list says.
struct Seen {
    /// Whether a page is found soon in the order of the list.
    is_soon: bool,
    /// If not, what the fewest have of all that is asked for.
    rarest: Asked,
    /// Whether more than a few pages were written since the moment that the list is about.
    is_long_past: bool,
}
