//! Where a list looks for its entities.

use sqlx::{PgConnection, Row as _};
use worktruck_core::Result;
use worktruck_core::store::{Position, SortField};

use crate::error::OrFailed as _;
use crate::rows::number;

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
    /// The words.
    Words,
}

/// How many pages are looked through for one.
const PAGES: usize = 10;
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
        if filter.terms.is_empty() && filter.words.is_empty() {
            return Ok((!is_by_creation || !self.is_past()).then_some(Source::InOrder(None)));
        }
        // Terms are kept in order of creation.
        let in_order = Source::InOrder((is_by_creation && !filter.terms.is_empty()).then_some(0));
        let is_in_order = is_by_creation && filter.terms.len() == 1 && filter.words.is_empty();
        if is_in_order && !self.is_past() {
            return Ok(Some(in_order));
        }
        let window = number(PAGES * self.plan.limit)?;
        let (few, rarest, soon, since) = self.look(connection, in_order, window, after).await?;
        if is_by_creation && since >= window {
            return Ok(None);
        }
        let is_soon = is_in_order || (few >= window && soon > number(self.plan.limit)?);
        Ok(Some(if is_soon { in_order } else { Source::All(rarest) }))
    }

    /// How many have what is rarest of all that is asked for, and what that is; if these are many, how
    /// many of a window of the order have it all; and how much was written since the moment that the
    /// list is about: none of them counted to the end.
    async fn look(
        &self,
        connection: &mut PgConnection,
        in_order: Source,
        window: i64,
        after: Option<&Position>,
    ) -> Result<(i64, Asked, i64, i64)> {
        let mut parts = Parts::new(self, after);
        let terms = (0..self.plan.filter.terms.len()).map(Asked::Term);
        let words = (!self.plan.filter.words.is_empty()).then_some(Asked::Words);
        let asked: Vec<Asked> = terms.chain(words).collect();
        let counts: Vec<String> = (0..)
            .zip(&asked)
            .map(|(place, asked): (i32, _)| {
                let having = parts.having(*asked);
                format!("SELECT {place} AS place, count(*) AS count FROM ({having} LIMIT {MANY}) d")
            })
            .collect();
        parts.statement.with("counted", counts.join(" UNION ALL "));
        let heads = parts.heads(in_order, Some(window));
        let since = if self.is_past() { parts.since(window) } else { "0::bigint".to_owned() };
        let most = parts.statement.bind(window);
        let rows = parts
            .statement
            .fetch(
                connection,
                &format!(
                    "SELECT c.count, c.place, {since} AS since,
                         CASE WHEN c.count >= {most} THEN (SELECT count(*) FROM {heads}) ELSE 0 END AS soon
                     FROM counted c ORDER BY c.count, c.place LIMIT 1"
                ),
            )
            .await
            .or_failed("list entities")?;
        let read = |row: &sqlx::postgres::PgRow| -> sqlx::Result<(i64, i32, i64, i64)> {
            Ok((row.try_get("count")?, row.try_get("place")?, row.try_get("soon")?, row.try_get("since")?))
        };
        let (few, place, soon, since) = rows.first().map_or(Ok((0, 0, 0, 0)), read).or_failed("list entities")?;
        let rarest = usize::try_from(place).ok().and_then(|place| asked.get(place).copied());
        Ok((few, rarest.unwrap_or(Asked::Words), soon, since))
    }
}
