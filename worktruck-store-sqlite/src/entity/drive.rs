//! Where a list begins to look, and what it asks of what it finds.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::{Filter, KeyRange};
use worktruck_core::{Result, TenantId};

use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, number, to_json};

use super::write::owner;

/// What a list is asked for.
pub(super) struct Scope<'a> {
    pub(super) tenant: TenantId,
    pub(super) kind: Kind,
    pub(super) filter: &'a Filter,
}

/// Where a list begins to look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Drive {
    /// At the entities in the order of the list: it soon has a page of what is frequent.
    Order,
    /// At those that have this term of the filter: they are few.
    Term(usize),
    /// At those that have one of this set of terms: they are few.
    Any(usize),
    /// At those whose sort key lies in this range: they are few.
    Range(usize),
    /// At those that the list chooses from.
    Among,
    /// At those that have the words: they are few.
    Words,
}

impl Drive {
    /// The way that finds fewest of what is asked for, and how many that are, as far as `most`. Nothing is
    /// asked for where the list has all in its order.
    pub(super) async fn fewest(tx: &mut SqliteConnection, scope: &Scope<'_>, most: usize) -> Result<(Self, usize)> {
        let filter = scope.filter;
        if let Some(among) = &filter.among {
            // Each of them is looked up by its key.
            return Ok((Self::Among, among.len().min(most)));
        }
        let terms = (0..filter.terms.len()).map(Self::Term);
        let ways = terms.chain((0..filter.any.len()).map(Self::Any)).chain((0..filter.ranges.len()).map(Self::Range));
        let ways = ways.chain((!filter.words.is_empty()).then_some(Self::Words));
        let mut best = (Self::Order, most);
        for way in ways {
            let mut sql = QueryBuilder::new("SELECT count(*) AS count FROM (SELECT 1 FROM ");
            way.ids(&mut sql, scope)?;
            sql.push(" LIMIT ").push_bind(number(best.1)?).push(")");
            let row = sql.build().fetch_one(&mut *tx).await.or_failed("list entities")?;
            let count = row.number("count")?;
            if count < best.1 {
                best = (way, count);
            }
        }
        Ok(best)
    }

    /// Adds a table with the ids that it finds, each once; of those that have words, their rows.
    pub(super) fn ids(self, sql: &mut QueryBuilder<Sqlite>, scope: &Scope<'_>) -> Result<()> {
        let filter = scope.filter;
        match self {
            Self::Order => {
                sql.push("(SELECT id FROM head d WHERE ");
                scope.own(sql, "d");
            }
            Self::Term(place) => {
                sql.push("(SELECT id FROM term d WHERE ");
                scope.has_term(sql, "d", &filter.terms[place]);
            }
            Self::Any(place) => {
                sql.push("(SELECT DISTINCT t.id AS id FROM ");
                scope.terms_of(sql, &filter.any[place])?;
            }
            Self::Range(place) => {
                let KeyRange { key, within, .. } = &filter.ranges[place];
                sql.push("(SELECT id FROM sort_key d WHERE ");
                scope.own(sql, "d");
                sql.push(" AND d.name = ").push_bind(key.clone()).push(" AND ");
                let value = |sql: &mut QueryBuilder<Sqlite>| {
                    sql.push("d.value");
                };
                lies_within(sql, value, within);
            }
            Self::Among => {
                sql.push("(SELECT unhex(value) AS id FROM json_each(").push_bind(scope.among()?).push(")");
            }
            Self::Words => {
                sql.push("(SELECT rowid AS id FROM search WHERE search MATCH ");
                sql.push_bind(scope.match_all());
            }
        }
        sql.push(")");
        Ok(())
    }
}

impl Scope<'_> {
    /// Adds what is asked of a head `e` beside what its way to it says.
    pub(super) fn conditions(&self, sql: &mut QueryBuilder<Sqlite>, way: Drive) -> Result<()> {
        let filter = self.filter;
        for (_, term) in filter.terms.iter().enumerate().filter(|(place, _)| way != Drive::Term(*place)) {
            sql.push(" AND EXISTS (SELECT 1 FROM term t WHERE ");
            self.has_term(sql, "t", term);
            sql.push(" AND t.id = e.id)");
        }
        for (_, set) in filter.any.iter().enumerate().filter(|(place, _)| way != Drive::Any(*place)) {
            sql.push(" AND EXISTS (SELECT 1 FROM ");
            self.terms_of(sql, set)?;
            sql.push(" AND t.id = e.id)");
        }
        self.ranges(sql);
        if way != Drive::Among {
            self.chosen(sql)?;
        }
        if !filter.words.is_empty() {
            sql.push(match way {
                Drive::Words => " AND d.search MATCH ",
                _ => " AND e.rid IN (SELECT rowid FROM search WHERE search MATCH ",
            });
            sql.push_bind(self.match_all());
            sql.push(if way == Drive::Words { "" } else { ")" });
        }
        Ok(())
    }

    /// Adds what is asked of a slice or a head `e` by what it keeps of itself, but for words.
    pub(super) fn conditions_of_slices(&self, sql: &mut QueryBuilder<Sqlite>) -> Result<()> {
        for term in &self.filter.terms {
            sql.push(" AND EXISTS (SELECT 1 FROM json_each(e.terms) WHERE json(value) = ");
            sql.push_bind(to_json(&[&term.name, &term.value])?).push(")");
        }
        for set in &self.filter.any {
            let set: Vec<_> = set.iter().map(|term| [&term.name, &term.value]).collect();
            sql.push(" AND EXISTS (SELECT 1 FROM json_each(e.terms) t JOIN json_each(").push_bind(to_json(&set)?);
            sql.push(") w ON json(w.value) = json(t.value))");
        }
        self.ranges(sql);
        self.chosen(sql)
    }

    /// The bounds of all stretches that the list asks for of this sort key.
    pub(super) fn bounds(&self, name: &str) -> Option<(String, String)> {
        let within = &self.filter.ranges.iter().find(|range| range.key == name)?.within;
        Some((within.first()?.0.clone(), within.last()?.1.clone()))
    }

    fn ranges(&self, sql: &mut QueryBuilder<Sqlite>) {
        for KeyRange { key, within, .. } in &self.filter.ranges {
            sql.push(" AND ");
            let value = |sql: &mut QueryBuilder<Sqlite>| {
                sql.push("coalesce(e.sort ->> ").push_bind(key.clone()).push(", '')");
            };
            lies_within(sql, value, within);
        }
    }

    fn chosen(&self, sql: &mut QueryBuilder<Sqlite>) -> Result<()> {
        if self.filter.among.is_some() {
            sql.push(" AND e.id IN (SELECT unhex(value) FROM json_each(").push_bind(self.among()?).push("))");
        }
        Ok(())
    }

    fn among(&self) -> Result<String> {
        let ids: Vec<String> = self.filter.among.iter().flatten().map(|id| id.hex()).collect();
        to_json(&ids)
    }

    /// Adds the rows `t` of terms that are one of `set`.
    fn terms_of(&self, sql: &mut QueryBuilder<Sqlite>, set: &[Term]) -> Result<()> {
        let set: Vec<_> = set.iter().map(|term| [&term.name, &term.value]).collect();
        sql.push("json_each(").push_bind(to_json(&set)?).push(") w CROSS JOIN term t WHERE ");
        self.own(sql, "t");
        sql.push(" AND t.name = w.value ->> 0 AND t.value = w.value ->> 1");
        Ok(())
    }

    fn has_term(&self, sql: &mut QueryBuilder<Sqlite>, table: &str, term: &Term) {
        self.own(sql, table);
        sql.push(" AND ").push(table).push(".name = ").push_bind(term.name.clone());
        sql.push(" AND ").push(table).push(".value = ").push_bind(term.value.clone());
    }

    pub(super) fn own(&self, sql: &mut QueryBuilder<Sqlite>, table: &str) {
        sql.push(table).push(".tenant = ").push_bind(self.tenant.bytes());
        sql.push(" AND ").push(table).push(".kind = ").push_bind(self.kind.as_str());
    }

    /// Of every set a word as the beginning of one. Folded words are letters and digits: in quotes they
    /// are never taken for operators.
    fn match_all(&self) -> String {
        let mut all = format!("\"{}\"", owner(self.tenant, self.kind));
        for set in &self.filter.words {
            let any: Vec<String> = set.iter().map(|word| format!("\"{word}\" *")).collect();
            all += &format!(" AND ({})", any.join(" OR "));
        }
        all
    }
}

/// Adds that `value` lies in one of the stretches.
fn lies_within(sql: &mut QueryBuilder<Sqlite>, value: impl Fn(&mut QueryBuilder<Sqlite>), within: &[(String, String)]) {
    sql.push("(FALSE");
    for (from, to) in within {
        sql.push(" OR (");
        value(sql);
        sql.push(" >= ").push_bind(from.clone()).push(" AND ");
        value(sql);
        sql.push(" < ").push_bind(to.clone()).push(")");
    }
    sql.push(")");
}
