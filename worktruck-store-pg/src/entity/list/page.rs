//! The parts of the statements of lists.

use worktruck_core::Result;
use worktruck_core::store::{Position, SortField, SortKey};

use crate::entity::index::{UPDATED_AT, hex_key, key_bytes, time_key};
use crate::entity::version::version_columns;
use crate::rows::number;
use crate::statement::Statement;

use super::List;
use super::source::{Asked, Source};

impl List<'_> {
    /// The statement whose part `page` is the page: of the heads those that held at the moment that the
    /// list is about, and of the slices, which are looked for by how they ceased to be heads or have
    /// not become ones yet.
    ///
    /// With a window, no more than that of the order and of the slices is looked at; then its part `seen`
    /// says how many heads were `found`, whether that `is_whole`, and whether all slices were looked at.
    pub(super) fn page(&self, source: Source, window: Option<i64>, after: Option<&Position>) -> Result<Statement> {
        let mut parts = Parts::new(self, after);
        let limit = parts.limit();
        let heads = parts.heads(source, window);
        let (key, id) = parts.order(source);
        let order = self.direction(&key, &id);
        let place = self.place("h");
        parts.statement.with(
            "among_heads",
            format!("SELECT h.*, 9223372036854775807 AS sys_to, {place} AS place FROM {heads} ORDER BY {order} LIMIT {limit}"),
        );
        let slices = parts.slices(window)?;
        parts.statement.with("among_slices", slices);
        if let Some(window) = window {
            let rest = parts.rest(source, window);
            let is_recent = parts.is_recent(window);
            parts.statement.with(
                "seen",
                format!(
                    "SELECT found, {is_recent} AS is_recent,
                         CASE WHEN found >= {limit} THEN TRUE ELSE NOT EXISTS ({rest}) END AS is_whole
                     FROM (SELECT count(*) AS found FROM among_heads) f"
                ),
            );
        }
        let order = self.direction("place", "id");
        parts.statement.with(
            "found",
            format!(
                "SELECT {COLUMNS}, provenance, place FROM among_heads
                 UNION ALL SELECT {COLUMNS}, NULL, place FROM among_slices
                 ORDER BY {order} LIMIT {limit}"
            ),
        );
        Ok(parts.finish())
    }

    /// What the list is sorted by, of a slice of the table given.
    pub(super) fn place(&self, table: &str) -> String {
        match &self.plan.sort.field {
            SortField::CreatedAt => format!("{table}.created_at"),
            SortField::UpdatedAt => format!("{table}.sys_from"),
            // Only names that kinds declare come this far.
            SortField::Key(name) => hex_key(&format!("coalesce({table}.sort ->> '{name}', '')")),
        }
    }
}

pub(super) const COLUMNS: &str =
    "kind, id, created_at, version, carried, tx_id, sys_from, sys_to, valid_from, valid_to, body, sort";

/// A statement of a list while it is made, and what its parts share.
pub(super) struct Parts<'a> {
    pub(super) list: &'a List<'a>,
    pub(super) after: Option<&'a Position>,
    pub(super) statement: Statement,
    /// The tenant and the kind, as values of the statement.
    pub(super) tenant: String,
    pub(super) kind: String,
    /// The two times that the list is about.
    pub(super) sys: String,
    pub(super) valid: String,
}

impl<'a> Parts<'a> {
    pub(super) fn new(list: &'a List<'a>, after: Option<&'a Position>) -> Self {
        let mut statement = Statement::default();
        let tenant = statement.bind(list.tenant.as_uuid());
        let kind = statement.bind(list.query.kind.as_str());
        let mut sys = statement.bind(list.plan.point.sys.as_micros());
        if !list.is_fixed {
            statement.with(
                "moment",
                format!("SELECT greatest({sys}, (SELECT floor FROM tenant_head WHERE tenant = {tenant})) AS present"),
            );
            sys = "(SELECT present FROM moment)".to_owned();
        }
        let is_apart = list.plan.point.valid != list.plan.point.sys || list.query.at.valid_at.is_some();
        let valid = if is_apart { statement.bind(list.plan.point.valid.as_micros()) } else { sys.clone() };
        Self { list, after, statement, tenant, kind, sys, valid }
    }

    pub(super) fn limit(&mut self) -> String {
        // Invariant: a page has at most 200 items.
        self.statement.bind(number(self.list.plan.limit + 1).unwrap_or(i64::MAX))
    }

    /// The statement with the part `page`, made of `found`. The commit of each slice is looked up by
    /// itself; heads know theirs.
    pub(super) fn finish(mut self) -> Statement {
        let value = match &self.list.plan.sort.field {
            SortField::Key(name) => format!(", coalesce(e.sort ->> '{name}', '') AS sort_value"),
            SortField::CreatedAt | SortField::UpdatedAt => String::new(),
        };
        self.statement.with(
            "page",
            format!(
                "SELECT {}, e.place{value} FROM found e CROSS JOIN LATERAL (
                     SELECT coalesce(e.provenance, (
                         SELECT provenance FROM entity_commit c WHERE c.tenant = {} AND c.tx_id = e.tx_id LIMIT 1)
                     ) AS provenance) c",
                version_columns!("e", "e.sys_to", "c"),
                self.tenant,
            ),
        );
        self.statement
    }

    /// What the source has of the index in the order of the list, from its place on; or, of what few
    /// have, all.
    fn entries(&mut self, source: Source) -> String {
        let Source::InOrder(term) = source else {
            let Source::All(asked) = source else { return String::new() };
            return self.having(asked);
        };
        let (tenant, kind) = (self.tenant.clone(), self.kind.clone());
        let (key, id) = self.order(source);
        let table = if key == "h.created_at" { "h" } else { "d" };
        let of = match (term.and_then(|place| self.list.plan.filter.terms.get(place)), &self.list.plan.sort.field) {
            (Some(term), _) => format!("term d WHERE {}", self.has_term("d", term)),
            (None, SortField::CreatedAt) => format!("head h WHERE h.tenant = {tenant} AND h.kind = {kind}"),
            (None, field) => {
                let key = if let SortField::Key(name) = field { name } else { UPDATED_AT };
                let name = self.statement.bind(key.to_owned());
                let bounds = self.bounds(key);
                format!("sort_key d WHERE d.tenant = {tenant} AND d.kind = {kind} AND d.name = {name}{bounds}")
            }
        };
        format!("SELECT {table}.* FROM {of} AND {}", self.follow(&key, &id, key == "d.value"))
    }

    /// What comes in the order of the list after a window of it.
    fn rest(&mut self, source: Source, window: i64) -> String {
        if matches!(source, Source::All(_)) {
            return "SELECT WHERE FALSE".to_owned();
        }
        let (key, id) = self.order(source);
        let entries = self.entries(source);
        let (order, window) = (self.list.direction(&key, &id), self.statement.bind(window));
        format!("{entries} ORDER BY {order} OFFSET {window} LIMIT 1")
    }

    /// Of the source the heads `h` that the list shows, from its place on, of no more of the order than
    /// the window. Each head is looked up by itself, whatever the planner thinks of how many there are.
    fn heads(&mut self, source: Source, window: Option<i64>) -> String {
        let (tenant, kind) = (self.tenant.clone(), self.kind.clone());
        let (key, id) = self.order(source);
        let mut entries = self.entries(source);
        if let (Some(window), Source::InOrder(_)) = (window, source) {
            let order = self.list.direction(&key, &id);
            let window = self.statement.bind(window);
            entries = format!("{entries} ORDER BY {order} LIMIT {window}");
        }
        let from = if key == "h.created_at" && matches!(source, Source::InOrder(_)) {
            format!("({entries}) h")
        } else {
            format!(
                "({entries}) d CROSS JOIN LATERAL (
                     SELECT * FROM head h WHERE h.tenant = {tenant} AND h.kind = {kind} AND h.id = d.id LIMIT 1) h"
            )
        };
        let mut sql = format!("{from} WHERE {}", self.at_point("h", false));
        if matches!(source, Source::All(_)) {
            sql += " AND ";
            sql += &self.follow(&key, &id, false);
        }
        let filter = &self.list.plan.filter;
        for (place, term) in filter.terms.iter().enumerate() {
            if source != Source::InOrder(Some(place)) && source != Source::All(Asked::Term(place)) {
                let has_term = self.has_term("t", term);
                sql += &format!(
                    " AND (SELECT TRUE FROM term t WHERE {has_term} AND t.created_at = h.created_at AND t.id = h.id)"
                );
            }
        }
        for (place, set) in filter.any.iter().enumerate() {
            if source != Source::All(Asked::Any(place)) {
                let set = self.set(set);
                sql += &format!(
                    " AND (SELECT TRUE FROM {set} CROSS JOIN LATERAL (
                         SELECT FROM term t WHERE t.tenant = {tenant} AND t.kind = {kind} AND t.name = w.name
                             AND t.value = w.value AND t.created_at = h.created_at AND t.id = h.id LIMIT 1) t LIMIT 1)"
                );
            }
        }
        if source != Source::All(Asked::Among) {
            sql += &self.chosen("h");
        }
        sql += &self.ranges("h");
        if !filter.words.is_empty() && source != Source::All(Asked::Words) {
            let words = self.words();
            sql += &format!(
                " AND (SELECT w.words @@ {words} FROM search w WHERE w.tenant = {tenant} AND w.kind = {kind} AND w.id = h.id)"
            );
        }
        sql
    }

    /// What the heads of a source are in order of, or are put in order by.
    fn order(&self, source: Source) -> (String, String) {
        let (key, id) = match (source, &self.list.plan.sort.field) {
            (Source::InOrder(Some(_)), _) => ("d.created_at", "d.id"),
            (Source::InOrder(None), SortField::CreatedAt) => ("h.created_at", "h.id"),
            (Source::InOrder(None), SortField::UpdatedAt | SortField::Key(_)) => ("d.value", "d.id"),
            (Source::All(_), _) => return (self.list.place("h"), "h.id".to_owned()),
        };
        (key.to_owned(), id.to_owned())
    }

    pub(super) fn at_point(&self, table: &str, ends: bool) -> String {
        let (sys, valid) = (&self.sys, &self.valid);
        let ends = if ends { format!("{table}.sys_to > {sys} AND ") } else { String::new() };
        format!("{ends}{table}.sys_from <= {sys} AND {table}.valid_from <= {valid} AND {table}.valid_to > {valid}")
    }

    /// Leaves out what is not after the place in the order of the list.
    pub(super) fn follow(&mut self, key: &str, id: &str, is_key: bool) -> String {
        let Some(Position { key: last, id: last_id }) = self.after else { return "TRUE".to_owned() };
        let last = match last {
            SortKey::Time(at) if is_key => self.statement.bind(time_key(*at)),
            SortKey::Time(at) => self.statement.bind(at.as_micros()),
            SortKey::Text(text) => self.statement.bind(key_bytes(text)),
        };
        let last_id = self.statement.bind(last_id.as_uuid());
        let after = if self.list.plan.sort.descending { "<" } else { ">" };
        format!("({key}, {id}) {after} ({last}, {last_id})")
    }
}
