#![expect(clippy::too_many_arguments, reason = "rows are pushed column by column")]

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;
use worktruck_core::Result;
use worktruck_core::store::draft::{DraftRows, HeadRow, IndexRow, Indexed};
use worktruck_core::store::{EntityKey, Provenance, TenantHead};
use worktruck_core::temporal::Slice;
use worktruck_core::{TenantId, Timestamp};

use crate::audit::Audit;
use crate::request::Effects;
use crate::rows::{number, to_json};
use crate::run::{Batch, Locked, Messages, write_messages};
use crate::statement::{Rows as _, Statement, columns};

use super::index::{UPDATED_AT, key_bytes, lexemes, mark, time_key, to_hex};
use super::load::Old;

columns! {
    /// Rows of `tenant_head` that are written over.
    Moves {
        tenant: Uuid = "uuid", was: i64 = "bigint", first: i64 = "bigint", tx_id: i64 = "bigint", floor: i64 = "bigint",
    }
}

columns! {
    /// Rows of `head`, new or written over.
    Heads {
        tenant: Uuid = "uuid", id: Uuid = "uuid", kind: &'static str = "text", created_at: i64 = "bigint",
        version: i64 = "bigint", newest: i64 = "bigint", tx_id: i64 = "bigint", sys_from: i64 = "bigint",
        valid_from: i64 = "bigint", valid_to: i64 = "bigint", carried: bool = "boolean", body: String = "text",
        terms: String = "text", sort: String = "text", provenance: Option<String> = "text",
    }
}

columns! {
    /// Rows of `head` whose entity has a newer version elsewhere.
    Kept { tenant: Uuid = "uuid", kind: &'static str = "text", id: Uuid = "uuid", newest: i64 = "bigint" }
}

columns! {
    /// Entities.
    Keys { tenant: Uuid = "uuid", kind: &'static str = "text", id: Uuid = "uuid" }
}

columns! {
    /// New rows of `slice`.
    Slices {
        tenant: Uuid = "uuid", id: Uuid = "uuid", kind: &'static str = "text", created_at: i64 = "bigint",
        version: i64 = "bigint", tx_id: i64 = "bigint", sys_from: i64 = "bigint", sys_to: i64 = "bigint",
        valid_from: i64 = "bigint", valid_to: i64 = "bigint", carried: bool = "boolean", scheduled: bool = "boolean",
        body: Option<String> = "text", terms: Option<String> = "text", sort: Option<String> = "text",
    }
}

columns! {
    /// Open rows of `slice`, and the ends of their system time.
    Ended {
        tenant: Uuid = "uuid", kind: &'static str = "text", id: Uuid = "uuid", sys_from: i64 = "bigint",
        valid_from: i64 = "bigint", sys_to: i64 = "bigint",
    }
}

columns! {
    /// Open rows of `slice`.
    Stored {
        tenant: Uuid = "uuid", kind: &'static str = "text", id: Uuid = "uuid", sys_from: i64 = "bigint",
        valid_from: i64 = "bigint",
    }
}

columns! {
    /// Rows of `term`.
    Terms {
        tenant: Uuid = "uuid", kind: &'static str = "text", name: String = "text", value: Vec<u8> = "bytea",
        created_at: i64 = "bigint", id: Uuid = "uuid",
    }
}

columns! {
    /// Rows of `sort_key`.
    Sorts {
        tenant: Uuid = "uuid", kind: &'static str = "text", name: String = "text", value: Vec<u8> = "bytea",
        id: Uuid = "uuid",
    }
}

columns! {
    /// Rows of `sort_key` that get another value.
    Moved {
        tenant: Uuid = "uuid", kind: &'static str = "text", id: Uuid = "uuid", old: Vec<u8> = "bytea",
        new: Vec<u8> = "bytea",
    }
}

columns! {
    /// Rows of `search`.
    Words { tenant: Uuid = "uuid", kind: &'static str = "text", id: Uuid = "uuid", words: String = "text" }
}

columns! {
    /// New rows of `entity_commit`.
    Commits {
        tenant: Uuid = "uuid", tx_id: i64 = "bigint", at: i64 = "bigint", provenance: String = "text",
        entities: String = "text",
    }
}

/// Rows that the commits of several tenants come to, to be written together.
#[derive(Debug, Default)]
pub(crate) struct EntityBatch {
    tenants: i64,
    moves: Moves,
    heads: Heads,
    kept: Kept,
    old_heads: Keys,
    new_slices: Slices,
    ended: Ended,
    unscheduled: Stored,
    promoted: Stored,
    old_terms: Terms,
    new_terms: Terms,
    old_sorts: Sorts,
    new_sorts: Sorts,
    moved: Moved,
    new_words: Words,
    other_words: Words,
    commits: Commits,
    forgotten: Keys,
    messages: Messages,
    audit: Audit,
    effects: Effects,
}

impl EntityBatch {
    /// Whether nothing is to be written.
    pub(crate) const fn is_empty(&self) -> bool {
        self.tenants == 0
    }

    /// Adds what the commits of one tenant come to, whose head was `was` when they were planned.
    pub(super) fn push(&mut self, was: TenantHead, rows: DraftRows<Old>) -> Result<()> {
        let tenant = rows.tenant.as_uuid();
        let first = rows.commits.first().map_or(rows.head.floor, |commit| commit.committed_at);
        self.tenants += 1;
        self.moves.push(
            tenant,
            number(was.tx_id)?,
            first.as_micros(),
            number(rows.head.tx_id)?,
            rows.head.floor.as_micros(),
        );
        let created: HashMap<EntityKey, i64> = self.push_heads(rows.tenant, &rows)?;
        self.push_slices(tenant, &rows)?;
        for row in rows.old_terms {
            push_term(&mut self.old_terms, tenant, row, &created);
        }
        for row in rows.new_terms {
            push_term(&mut self.new_terms, tenant, row, &created);
        }
        for row in rows.old_sort {
            push_sort(&mut self.old_sorts, tenant, row);
        }
        for row in rows.new_sort {
            push_sort(&mut self.new_sorts, tenant, row);
        }
        for commit in &rows.commits {
            self.commits.push(
                tenant,
                number(commit.tx_id)?,
                commit.committed_at.as_micros(),
                to_json(&commit.provenance)?,
                to_json(&commit.entities)?,
            );
        }
        for message in rows.beside.messages {
            self.messages.add(None, tenant, message)?;
        }
        for record in rows.beside.audit {
            self.audit.add(&record)?;
        }
        for effect in rows.beside.effects {
            self.effects.add(tenant, effect)?;
        }
        for key in rows.forgotten {
            self.forgotten.push(tenant, key.kind.as_str(), key.id.as_uuid());
        }
        Ok(())
    }

    /// Gives when the entities whose heads change were made.
    fn push_heads(&mut self, tenant: TenantId, rows: &DraftRows<Old>) -> Result<HashMap<EntityKey, i64>> {
        let mut created = HashMap::new();
        let mut marks = BTreeMap::new();
        let written: BTreeMap<u64, &Provenance> =
            rows.commits.iter().map(|commit| (commit.tx_id, &commit.provenance)).collect();
        for row in &rows.new_heads {
            let HeadRow { replaces, key, created_at, slice, index, words, newest_version } = row;
            created.insert(*key, created_at.as_micros());
            let mark = marks.entry(key.kind).or_insert_with(|| mark(tenant, key.kind));
            let words = lexemes(mark, words);
            let (kind, id, tenant) = (key.kind.as_str(), key.id.as_uuid(), tenant.as_uuid());
            let updated_at = time_key(slice.sys.from());
            match replaces {
                Some(old) => {
                    let was = time_key(Timestamp::from_micros(old.sys_from));
                    self.moved.push(tenant, kind, id, was, updated_at);
                    self.other_words.push(tenant, kind, id, words);
                }
                None => {
                    self.new_sorts.push(tenant, kind, UPDATED_AT.to_owned(), updated_at, id);
                    self.new_words.push(tenant, kind, id, words);
                }
            }
            self.heads.push(
                tenant,
                id,
                kind,
                created_at.as_micros(),
                number(slice.version)?,
                number(*newest_version)?,
                number(slice.tx_id)?,
                slice.sys.from().as_micros(),
                slice.valid.from().as_micros(),
                slice.valid.to().as_micros(),
                slice.carried,
                to_json(&slice.body)?,
                terms(index)?,
                to_json(&to_hex(&index.sort))?,
                // A slice that has come due was written by an older commit.
                written.get(&slice.tx_id).map(to_json).transpose()?,
            );
        }
        for row in &rows.old_heads {
            created.insert(row.key, row.row.created_at);
            let (kind, id) = (row.key.kind.as_str(), row.key.id.as_uuid());
            self.old_heads.push(tenant.as_uuid(), kind, id);
            let was = time_key(Timestamp::from_micros(row.row.sys_from));
            self.old_sorts.push(tenant.as_uuid(), kind, UPDATED_AT.to_owned(), was, id);
        }
        for row in &rows.kept_heads {
            let key = row.head.key;
            self.kept.push(tenant.as_uuid(), key.kind.as_str(), key.id.as_uuid(), number(row.newest_version)?);
        }
        Ok(created)
    }

    /// Adds the removal of a head with all that it is found by.
    pub(super) fn push_erased(&mut self, tenant: TenantId, key: EntityKey, old: Old, index: &Indexed) {
        let (tenant, kind, id) = (tenant.as_uuid(), key.kind.as_str(), key.id.as_uuid());
        self.old_heads.push(tenant, kind, id);
        for term in &index.terms {
            self.old_terms.push(tenant, kind, term.name.clone(), key_bytes(&term.value), old.created_at, id);
        }
        for (name, value) in &index.sort {
            self.old_sorts.push(tenant, kind, name.clone(), key_bytes(value), id);
        }
        let updated_at = time_key(Timestamp::from_micros(old.sys_from));
        self.old_sorts.push(tenant, kind, UPDATED_AT.to_owned(), updated_at, id);
    }

    fn push_slices(&mut self, tenant: Uuid, rows: &DraftRows<Old>) -> Result<()> {
        for row in &rows.new_slices {
            let Slice { version, body, sys, valid, carried, tx_id } = &row.slice;
            self.new_slices.push(
                tenant,
                row.key.id.as_uuid(),
                row.key.kind.as_str(),
                row.created_at.as_micros(),
                number(*version)?,
                number(*tx_id)?,
                sys.from().as_micros(),
                sys.to().as_micros(),
                valid.from().as_micros(),
                valid.to().as_micros(),
                *carried,
                row.scheduled,
                body.as_ref().map(to_json).transpose()?,
                row.index.as_deref().map(terms).transpose()?,
                row.index.as_deref().map(|index| to_json(&to_hex(&index.sort))).transpose()?,
            );
        }
        for row in &rows.ended {
            let slice = &row.slice;
            let (sys_from, valid_from) = (slice.sys_from.as_micros(), slice.valid_from.as_micros());
            let (kind, id) = (slice.key.kind.as_str(), slice.key.id.as_uuid());
            self.ended.push(tenant, kind, id, sys_from, valid_from, row.sys_to.as_micros());
        }
        for (stored, into) in [(&rows.unscheduled, &mut self.unscheduled), (&rows.promoted, &mut self.promoted)] {
            for slice in stored {
                let (sys_from, valid_from) = (slice.sys_from.as_micros(), slice.valid_from.as_micros());
                into.push(tenant, slice.key.kind.as_str(), slice.key.id.as_uuid(), sys_from, valid_from);
            }
        }
        Ok(())
    }

    /// Adds the part `guard`, whose `holds` says whether nothing has changed that was decided on:
    /// what the runs of `batch`, requests and the tenants were. It locks them, the tenants last.
    pub(crate) fn guard(&self, statement: &mut Statement, batch: &Batch) {
        let runs = batch.lock(statement, Locked::Awaited);
        let requests = self.effects.lock(statement);
        let moves = self.moves.clone().bind(statement, "m");
        statement.with("moves", format!("SELECT * FROM {moves}"));
        statement.with(
            "tenants",
            format!(
                "SELECT h.tenant FROM moves m JOIN tenant_head h ON h.tenant = m.tenant AND h.tx_id = m.was
                     AND h.floor < m.first
                 WHERE (SELECT count(*) FROM runs) = {runs} AND (SELECT count(*) FROM requests) = {requests}
                 ORDER BY h.tenant FOR UPDATE OF h"
            ),
        );
        statement.with("guard", format!("SELECT (SELECT count(*) FROM tenants) = {} AS holds", self.tenants));
    }

    /// Adds the parts that write the rows, if the guard holds.
    pub(crate) fn write(self, statement: &mut Statement) {
        statement.with(
            "moved_on",
            format!(
                "UPDATE tenant_head h SET tx_id = c.tx_id, committed_at = c.floor, floor = c.floor FROM moves c
                 WHERE h.tenant = c.tenant AND {HOLDS}"
            ),
        );
        let commits = self.commits.bind(statement, "c");
        statement.with(
            "committed",
            format!(
                "INSERT INTO entity_commit (tenant, tx_id, at, provenance, entities)
                 SELECT tenant, tx_id, at, provenance::json, entities::json FROM {commits} WHERE {HOLDS}"
            ),
        );
        write_heads(self.heads, self.kept, self.old_heads, statement);
        write_slices(self.new_slices, self.ended, self.unscheduled, self.promoted, statement);
        write_terms(self.old_terms, self.new_terms, statement);
        write_sorts(self.old_sorts, self.new_sorts, self.moved, statement);
        write_words(self.new_words, self.other_words, statement);
        write_messages(self.messages, "news", HOLDS, statement);
        self.audit.write(HOLDS, statement);
        self.effects.write(HOLDS, statement);
        if !self.forgotten.is_empty() {
            let rows = self.forgotten.bind(statement, "c");
            statement.with("forgotten", format!("DELETE FROM erased o USING {rows} WHERE {SAME_ENTITY} AND {HOLDS}"));
        }
    }
}

const HOLDS: &str = "(SELECT holds FROM guard)";
const SAME_ENTITY: &str = "o.tenant = c.tenant AND o.kind = c.kind AND o.id = c.id";
const SAME_SLICE: &str = "o.tenant = c.tenant AND o.kind = c.kind AND o.id = c.id AND o.sys_from = c.sys_from
     AND o.valid_from = c.valid_from AND o.sys_to = 9223372036854775807";

fn write_heads(heads: Heads, kept: Kept, old: Keys, statement: &mut Statement) {
    if !heads.is_empty() {
        let rows = heads.bind(statement, "c");
        statement.with(
            "headed",
            format!(
                "INSERT INTO head AS o (tenant, id, kind, created_at, version, newest, tx_id, sys_from, valid_from,
                     valid_to, carried, body, terms, sort, provenance)
                 SELECT tenant, id, kind, created_at, version, newest, tx_id, sys_from, valid_from, valid_to, carried,
                     body::json, terms::json, sort::json, coalesce(provenance::json, (
                         SELECT e.provenance FROM entity_commit e WHERE e.tenant = c.tenant AND e.tx_id = c.tx_id))
                 FROM {rows} WHERE {HOLDS}
                 ON CONFLICT (tenant, kind, id) DO UPDATE SET version = excluded.version, newest = excluded.newest,
                     tx_id = excluded.tx_id, sys_from = excluded.sys_from, valid_from = excluded.valid_from,
                     valid_to = excluded.valid_to, carried = excluded.carried, body = excluded.body,
                     terms = excluded.terms, sort = excluded.sort, provenance = excluded.provenance"
            ),
        );
    }
    if !kept.is_empty() {
        let rows = kept.bind(statement, "c");
        statement
            .with("kept", format!("UPDATE head o SET newest = c.newest FROM {rows} WHERE {SAME_ENTITY} AND {HOLDS}"));
    }
    if !old.is_empty() {
        let rows = old.bind(statement, "c");
        statement.with(
            "beheaded",
            format!("DELETE FROM head o USING {rows} WHERE {SAME_ENTITY} AND {HOLDS} RETURNING o.tenant, o.kind, o.id"),
        );
        statement.with("unfound", format!("DELETE FROM search o USING beheaded c WHERE {SAME_ENTITY}"));
    }
}

fn write_slices(new: Slices, ended: Ended, unscheduled: Stored, promoted: Stored, statement: &mut Statement) {
    if !ended.is_empty() {
        let rows = ended.bind(statement, "c");
        statement.with(
            "ended",
            format!(
                "UPDATE slice o SET sys_to = c.sys_to, scheduled = FALSE FROM {rows} WHERE {SAME_SLICE} AND {HOLDS}"
            ),
        );
    }
    if !unscheduled.is_empty() {
        let rows = unscheduled.bind(statement, "c");
        statement.with(
            "unscheduled",
            format!("UPDATE slice o SET scheduled = FALSE FROM {rows} WHERE {SAME_SLICE} AND {HOLDS}"),
        );
    }
    if !promoted.is_empty() {
        let rows = promoted.bind(statement, "c");
        statement.with("promoted", format!("DELETE FROM slice o USING {rows} WHERE {SAME_SLICE} AND {HOLDS}"));
    }
    if !new.is_empty() {
        let rows = new.bind(statement, "c");
        statement.with(
            "sliced",
            format!(
                "INSERT INTO slice (tenant, id, kind, created_at, version, tx_id, sys_from, sys_to, valid_from,
                     valid_to, carried, scheduled, body, terms, sort)
                 SELECT tenant, id, kind, created_at, version, tx_id, sys_from, sys_to, valid_from, valid_to, carried,
                     scheduled, body::json, terms::json, sort::json FROM {rows} WHERE {HOLDS}"
            ),
        );
    }
}

fn write_terms(old: Terms, new: Terms, statement: &mut Statement) {
    if !old.is_empty() {
        let rows = old.bind(statement, "c");
        statement.with(
            "old_terms",
            format!(
                "DELETE FROM term o USING {rows} WHERE {SAME_ENTITY} AND o.name = c.name AND o.value = c.value
                     AND o.created_at = c.created_at AND {HOLDS}"
            ),
        );
    }
    if !new.is_empty() {
        let rows = new.bind(statement, "c");
        statement.with(
            "new_terms",
            format!(
                "INSERT INTO term (tenant, kind, name, value, created_at, id)
                 SELECT tenant, kind, name, value, created_at, id FROM {rows} WHERE {HOLDS}"
            ),
        );
    }
}

fn write_sorts(old: Sorts, new: Sorts, moved: Moved, statement: &mut Statement) {
    if !old.is_empty() {
        let rows = old.bind(statement, "c");
        statement.with(
            "old_sorts",
            format!(
                "DELETE FROM sort_key o USING {rows}
                 WHERE {SAME_ENTITY} AND o.name = c.name AND o.value = c.value AND {HOLDS}"
            ),
        );
    }
    if !new.is_empty() {
        let rows = new.bind(statement, "c");
        statement.with(
            "new_sorts",
            format!(
                "INSERT INTO sort_key (tenant, kind, name, value, id)
                 SELECT tenant, kind, name, value, id FROM {rows} WHERE {HOLDS}"
            ),
        );
    }
    if !moved.is_empty() {
        let rows = moved.bind(statement, "c");
        statement.with(
            "moved_sorts",
            format!(
                "UPDATE sort_key o SET value = c.new FROM {rows}
                 WHERE {SAME_ENTITY} AND o.name = '{UPDATED_AT}' AND o.value = c.old AND {HOLDS}"
            ),
        );
    }
}

fn write_words(new: Words, other: Words, statement: &mut Statement) {
    const LEXEMES: &str = "array_to_tsvector(array_remove(string_to_array(c.words, ' '), ''))";
    if !new.is_empty() {
        let rows = new.bind(statement, "c");
        statement.with(
            "new_words",
            format!(
                "INSERT INTO search (tenant, kind, id, words)
                 SELECT tenant, kind, id, {LEXEMES} FROM {rows} WHERE {HOLDS}"
            ),
        );
    }
    if !other.is_empty() {
        let rows = other.bind(statement, "c");
        statement.with(
            "other_words",
            format!(
                "UPDATE search o SET words = {LEXEMES} FROM {rows}
                 WHERE {SAME_ENTITY} AND o.words <> {LEXEMES} AND {HOLDS}"
            ),
        );
    }
}

fn push_term(into: &mut Terms, tenant: Uuid, row: IndexRow, created: &HashMap<EntityKey, i64>) {
    // Invariant: terms change only with a head.
    let created_at = created.get(&row.key).copied().unwrap_or(0);
    let (kind, id) = (row.key.kind.as_str(), row.key.id.as_uuid());
    into.push(tenant, kind, row.name, key_bytes(&row.value), created_at, id);
}

fn push_sort(into: &mut Sorts, tenant: Uuid, row: IndexRow) {
    let (kind, id) = (row.key.kind.as_str(), row.key.id.as_uuid());
    into.push(tenant, kind, row.name, key_bytes(&row.value), id);
}

fn terms(index: &Indexed) -> Result<String> {
    let terms: Vec<(&str, &str)> = index.terms.iter().map(|term| (term.name.as_str(), term.value.as_str())).collect();
    to_json(&terms)
}
