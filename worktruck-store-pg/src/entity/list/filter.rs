//! What is asked of what a list shows.

use uuid::Uuid;
use worktruck_core::Result;
use worktruck_core::entity::Term;
use worktruck_core::store::KeyRange;

use crate::entity::index::{MORE, hex_key, key_bytes, mark, shorten};
use crate::rows::{is_kept, to_json};

use super::page::Parts;
use super::source::Asked;

impl Parts<'_> {
    /// The ids of the heads that have what is asked for.
    pub(super) fn having(&mut self, asked: Asked) -> String {
        let (tenant, kind) = (self.tenant.clone(), self.kind.clone());
        let filter = &self.list.plan.filter;
        match asked {
            Asked::Term(place) => {
                return format!("SELECT d.id FROM term d WHERE {}", self.has_term("d", &filter.terms[place]));
            }
            Asked::Any(place) => {
                let set = self.set(&filter.any[place]);
                return format!(
                    "SELECT DISTINCT d.id FROM {set} CROSS JOIN LATERAL (
                         SELECT t.id FROM term t WHERE t.tenant = {tenant} AND t.kind = {kind} AND t.name = w.name
                             AND t.value = w.value OFFSET 0) d"
                );
            }
            Asked::Range(place) => {
                let KeyRange { key, within, .. } = &filter.ranges[place];
                let name = self.statement.bind(key.clone());
                let stretches = within.iter().map(|(from, to)| {
                    let (from, to) = (self.statement.bind(key_bytes(from)), self.statement.bind(key_bytes(to)));
                    format!(
                        "SELECT d.id FROM sort_key d WHERE d.tenant = {tenant} AND d.kind = {kind} AND d.name = {name}
                             AND d.value >= {from} AND d.value < {to}"
                    )
                });
                let stretches = stretches.collect::<Vec<_>>().join(" UNION ALL ");
                return if within.is_empty() { "SELECT NULL::uuid AS id WHERE FALSE".to_owned() } else { stretches };
            }
            Asked::Among => {
                let ids = self.among();
                return format!("SELECT unnest({ids}::uuid[]) AS id");
            }
            Asked::Words => {}
        }
        // So written, the tenant is no key: the words alone are looked up, and have its mark.
        let words = self.words();
        format!(
            "SELECT d.id FROM search d WHERE d.words @@ {words} AND d.tenant IS NOT DISTINCT FROM {}
                 AND d.kind IS NOT DISTINCT FROM {}",
            self.tenant, self.kind
        )
    }

    pub(super) fn has_term(&mut self, table: &str, term: &Term) -> String {
        let (name, value) = (self.statement.bind(term.name.clone()), self.statement.bind(key_bytes(&term.value)));
        let (tenant, kind) = (&self.tenant, &self.kind);
        format!(
            "{table}.tenant = {tenant} AND {table}.kind = {kind} AND {table}.name = {name} AND {table}.value = {value}"
        )
    }

    /// What is asked of a slice beside words. The terms of a slice are compared as they are written, so
    /// that no text has to be decoded.
    pub(super) fn of_slice(&mut self, table: &str) -> Result<String> {
        let mut sql = String::new();
        let filter = &self.list.plan.filter;
        let sets = filter.terms.iter().map(std::slice::from_ref).chain(filter.any.iter().map(Vec::as_slice));
        for set in sets {
            let set: Vec<String> = set.iter().map(|term| to_json(&[&term.name, &term.value])).collect::<Result<_>>()?;
            let set = self.statement.bind(set);
            sql += &format!(
                " AND EXISTS (SELECT 1 FROM json_array_elements({table}.terms) t WHERE t.value::text = ANY({set}))"
            );
        }
        sql += &self.chosen(table);
        sql += &self.ranges(table);
        Ok(sql)
    }

    /// A table of terms.
    pub(super) fn set(&mut self, set: &[Term]) -> String {
        let (names, values): (Vec<String>, Vec<Vec<u8>>) = set
            .iter()
            .filter(|term| is_kept(&term.name))
            .map(|term| (term.name.clone(), key_bytes(&term.value)))
            .unzip();
        let (names, values) = (self.statement.bind(names), self.statement.bind(values));
        format!("unnest({names}::text[], {values}::bytea[]) AS w(name, value)")
    }

    fn among(&mut self) -> String {
        let ids: Vec<Uuid> = self.list.plan.filter.among.iter().flatten().map(|id| id.as_uuid()).collect();
        self.statement.bind(ids)
    }

    /// Whether what is listed is one of those that the list chooses from.
    pub(super) fn chosen(&mut self, table: &str) -> String {
        if self.list.plan.filter.among.is_none() {
            return String::new();
        }
        let ids = self.among();
        format!(" AND {table}.id = ANY({ids})")
    }

    /// Whether sort keys lie in the ranges that are asked for.
    pub(super) fn ranges(&mut self, table: &str) -> String {
        let mut sql = String::new();
        for KeyRange { key, within, .. } in &self.list.plan.filter.ranges {
            // Only names that kinds declare come this far.
            let value = hex_key(&format!("coalesce({table}.sort ->> '{key}', '')"));
            let stretches = within.iter().map(|(from, to)| {
                let (from, to) = (self.statement.bind(key_bytes(from)), self.statement.bind(key_bytes(to)));
                format!(" OR (v.key >= {from} AND v.key < {to})")
            });
            let stretches: String = stretches.collect();
            sql += &format!(" AND (SELECT FALSE{stretches} FROM (SELECT {value} AS key) v)");
        }
        sql
    }

    /// The first and the last of what is asked for of a sort key, for the entries `d` of its index.
    pub(super) fn bounds(&mut self, key: &str) -> String {
        let range = self.list.plan.filter.ranges.iter().find(|range| range.key == key);
        let Some(KeyRange { within, .. }) = range else { return String::new() };
        let (Some((from, _)), Some((_, to))) = (within.first(), within.last()) else { return " AND FALSE".to_owned() };
        let (from, to) = (self.statement.bind(key_bytes(from)), self.statement.bind(key_bytes(to)));
        format!(" AND d.value >= {from} AND d.value < {to}")
    }

    /// Of every set a word as the beginning of one, or a text of which not all words are kept. Folded words are
    /// letters and digits: in quotes they are never taken for operators.
    pub(super) fn words(&mut self) -> String {
        let mark = mark(self.list.tenant, self.list.query.kind);
        let one_of = |set: &Vec<String>| {
            let set: Vec<String> = set.iter().map(|word| format!("'{mark}{}':*", shorten(word))).collect();
            format!("({})", set.join(" | "))
        };
        let words: Vec<String> = self.list.plan.filter.words.iter().map(one_of).collect();
        let words = self.statement.bind(format!("({}) | '{mark}{MORE}'", words.join(" & ")));
        format!("{words}::tsquery")
    }
}
