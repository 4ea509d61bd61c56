use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::entity::{Kind, Term, inner_fields};
use crate::temporal::{At, Slice};
use crate::{Cursor, EntityId, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp};

use super::{Changes, Commits, TenantCommit, TenantHead, Titled};

/// Names an entity within a tenant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct EntityKey {
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: EntityId,
}

impl EntityKey {
    /// The entity `id` of `kind`.
    #[must_use]
    pub const fn new(kind: Kind, id: EntityId) -> Self {
        Self { kind, id }
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

/// Who wrote something, and why.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Provenance {
    /// The principal.
    pub captured_by: String,
    /// Such as `user_edit`, `import` or `agent_run`.
    pub capture_reason: String,
    /// The run that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The step of that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_seq: Option<u32>,
    /// The request that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Provenance {
    /// Written by `captured_by` for `capture_reason`.
    pub fn new(captured_by: impl Into<String>, capture_reason: impl Into<String>) -> Self {
        Self {
            captured_by: captured_by.into(),
            capture_reason: capture_reason.into(),
            run_id: None,
            step_seq: None,
            request_id: None,
        }
    }

    /// Written by the step `seq` of `run`.
    #[must_use]
    pub fn agent_run(blueprint: &str, run: RunId, seq: u32) -> Self {
        Self { run_id: Some(run), step_seq: Some(seq), ..Self::new(format!("agent:{blueprint}"), "agent_run") }
    }

    /// Written by `captured_by`, who undoes what `run` wrote. It names the run and is no write of it: it has no step.
    pub fn revert(captured_by: impl Into<String>, run: RunId) -> Self {
        Self { run_id: Some(run), ..Self::new(captured_by, Self::REVERT) }
    }

    /// Why something was written that undoes what a run wrote.
    pub const REVERT: &'static str = "revert";
}

/// A slice of an entity as a store keeps and returns it.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Whose it is.
    pub tenant: TenantId,
    /// The entity.
    pub key: EntityKey,
    /// When the entity was first written.
    pub created_at: Timestamp,
    /// The data and its place on both axes.
    pub slice: Slice,
    /// Who wrote it, and why.
    pub provenance: Provenance,
}

impl Version {
    /// When it holds in the world.
    #[must_use]
    pub const fn valid(&self) -> Period {
        self.slice.valid
    }

    /// When the store held it for true.
    #[must_use]
    pub const fn sys(&self) -> Period {
        self.slice.sys
    }

    /// The entity as anybody may see it: its data with its id, tenant, times and version; `None` if
    /// it is deleted.
    #[must_use]
    pub fn resource(&self) -> Option<Value> {
        let mut body = self.slice.body.clone()?;
        let members = body.as_object_mut()?;
        for field in inner_fields(self.key.kind) {
            members.remove(*field);
        }
        members.extend(self.of_store());
        Some(body)
    }

    /// What anybody may see of an entity beside its data: its id, tenant, times and version.
    pub(crate) fn of_store(&self) -> Map<String, Value> {
        [
            ("id", json!(self.key.id)),
            ("tenant_id", json!(self.tenant)),
            ("created_at", json!(self.created_at)),
            ("updated_at", json!(self.slice.sys.from())),
            ("version", json!(self.slice.version)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

/// What a successful [`EntityStore::apply`] did.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The number of the commit, counted per tenant; that of the last one if nothing changed.
    pub tx_id: u64,
    /// Its system time.
    pub at: Timestamp,
    /// For each entity written, in order of its first write, the newest version number.
    pub versions: Vec<(EntityKey, u64)>,
}

/// What a list is sorted by; ties are broken by id.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SortField {
    /// When the entity was first written.
    #[default]
    CreatedAt,
    /// When the version was written.
    UpdatedAt,
    /// A sort key that the entity's kind declares, such as `display_name`.
    Key(String),
}

/// The order of a list.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sort {
    /// By what.
    pub field: SortField,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// Stretches of a sort key.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct KeyRange {
    /// The sort key, one that the kind declares.
    pub key: String,
    /// Whether it moves with the present: a cursor does not know such a range, which is another on the next page.
    pub moves: bool,
    /// The stretches, each from its first text up to, and not including, its second; compared byte by byte.
    pub within: Vec<(String, String)>,
}

/// Which entities of a kind are wanted.
///
/// What is left empty asks for nothing; an entity must have all that is asked for.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// The kind.
    pub kind: Kind,
    /// Index terms that an entity must have, all of them.
    pub terms: Vec<Term>,
    /// Sets of index terms, of each of which an entity must have at least one. No entity has one of an empty set.
    pub any: Vec<Vec<Term>>,
    /// Further sets like those of `any`, which stand for what was `asked` and may come to be others on the next page: a
    /// cursor does not know them, but for that of a walk whose moment is fixed.
    pub moving: Vec<Vec<Term>>,
    /// What a cursor is bound to beside: what `moving`, `among` and ranges that move stand for. It asks for nothing.
    pub asked: Vec<Term>,
    /// Ranges that its sort keys must lie in.
    pub ranges: Vec<KeyRange>,
    /// The entities to choose from; all of the kind if absent. A cursor does not know them: they may be others on
    /// the next page.
    pub among: Option<Vec<EntityId>>,
    /// Words that its text must have, all of them, each as the beginning of a word; case and
    /// accents do not matter, and the first 32 count. Not together with `as_of`.
    pub text: Option<String>,
    /// What is asked of its title. Not together with `as_of`.
    pub title: Option<Titled>,
    /// The order.
    pub sort: Sort,
    /// The two times.
    pub at: At,
    /// Which page.
    pub page: PageRequest,
}

impl ListQuery {
    /// The first page of all entities of `kind` that exist now, in order of creation.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            terms: Vec::new(),
            any: Vec::new(),
            moving: Vec::new(),
            asked: Vec::new(),
            ranges: Vec::new(),
            among: None,
            text: None,
            title: None,
            sort: Sort::default(),
            at: At::NOW,
            page: PageRequest::default(),
        }
    }

    /// Asks for the term `name` with a value; for nothing if there is no value.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        self.terms.extend(value.map(|value| Term::new(name, value.to_string())));
        self
    }

    /// Asks for one of the terms `name` with these values.
    #[must_use]
    pub fn with_any(mut self, name: &str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        self.any.push(values.into_iter().map(|value| Term::new(name, value.to_string())).collect());
        self
    }

    /// Asks for one of the terms `name` with these values, which stand for what was [asked](Self::asked) for and may be
    /// others on the next page.
    #[must_use]
    pub fn with_moving(mut self, name: &str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        self.moving.push(values.into_iter().map(|value| Term::new(name, value.to_string())).collect());
        self
    }

    /// Binds cursors to `name` with this value, beside what the query asks for.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "an id or a flag is handed over as it comes")]
    pub fn asked(mut self, name: &str, value: impl ToString) -> Self {
        self.asked.push(Term::new(name, value.to_string()));
        self
    }

    /// Asks for a sort key in one of the stretches.
    #[must_use]
    pub fn within(mut self, key: &str, within: impl Into<Vec<(String, String)>>) -> Self {
        self.ranges.push(KeyRange { key: key.to_owned(), moves: false, within: within.into() });
        self
    }

    /// Asks for a sort key in one of the stretches, which move with the present.
    #[must_use]
    pub fn within_moving(mut self, key: &str, within: impl Into<Vec<(String, String)>>) -> Self {
        self.ranges.push(KeyRange { key: key.to_owned(), moves: true, within: within.into() });
        self
    }

    /// Asks for one of these entities, and of those that were asked for before.
    #[must_use]
    pub fn among(mut self, ids: impl IntoIterator<Item = EntityId>) -> Self {
        let ids = ids.into_iter();
        self.among = Some(match self.among.take() {
            Some(known) => ids.filter(|id| known.contains(id)).collect(),
            None => ids.collect(),
        });
        self
    }
}

/// Keeps entities over both times.
///
/// A backend knows versions, index terms and sort keys; what they mean is declared by
/// [`crate::entity::index`], which it calls for every body it writes.
///
/// # Contract
///
/// - Every commit that changes entities gets the tenant's next commit number and a system time of
///   `max(now, floor + 1 µs)`, where the floor is that of the last commit or of the latest read.
/// - A read with an `as_of` above the floor raises the floor to it first, so that the answer to a
///   read with a fixed `as_of` never changes.
/// - Nothing of one tenant is visible in any answer to another.
#[async_trait]
pub trait EntityStore: fmt::Debug + Send + Sync + 'static {
    /// Commits changes: all of them, or none.
    ///
    /// # Contract
    ///
    /// - `apply_is_atomic`: if one write or requirement fails, nothing is written.
    /// - `newest_version_is_that_of_all_times`
    /// - `version_conflict_is_refused`, `absent_is_checked`, `unique_term_is_checked_after_the_writes`
    /// - `writes_to_one_entity_make_one_version`
    /// - `patch_is_applied_slice_by_slice`, `patch_without_effect_makes_no_version`
    /// - `system_time_grows_when_the_clock_goes_back`
    ///
    /// # Errors
    ///
    /// - `VersionMismatch`: a required version is not the one that a read of the present returns.
    /// - `Conflict`: something required absent exists, or a term is not unique.
    /// - `NotFound`: a patch or a deletion finds nothing in its part of the valid axis.
    /// - `InvalidRequest`: a body is not one of its kind, or a period is empty.
    async fn apply(
        &self,
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied>;

    /// The entity as it was at `at`, or `None` if it did not exist then.
    ///
    /// # Contract
    ///
    /// - `read_at_both_times_for_every_relation_of_two_periods`
    /// - `correction_keeps_the_old_belief`, `deletion_keeps_the_past`
    /// - `read_as_of_never_changes`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: `as_of` is later than `now`.
    /// - `HistoryExpired`: `as_of` lies before the tenant's [horizon](super::Horizon).
    async fn entity(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>>;

    /// How far the tenant's commits have come; the default where there is none.
    ///
    /// What a read as of its floor shows is what is committed by then, and such a read raises the floor no further:
    /// this is how several reads are of one moment.
    ///
    /// # Contract
    ///
    /// - `reads_as_of_the_head_are_of_one_moment`
    async fn head(&self, tenant: TenantId) -> Result<TenantHead>;

    /// A page of the entities that the query asks for.
    ///
    /// A walk in order of creation, or at a fixed `as_of`, returns every entity that existed
    /// throughout it exactly once. A walk over a field that changes fixes its moment on the first
    /// page and keeps it in the cursor.
    ///
    /// # Contract
    ///
    /// - `walk_returns_each_entity_once_under_writes`, `walk_over_a_changing_field_is_stable`
    /// - `cursor_of_another_list_is_refused`, `damaged_cursor_is_refused`
    /// - `list_filters_by_every_term`, `list_searches_words_without_case_and_accents`
    /// - `list_as_of_filters_as_it_was`
    ///
    /// # Errors
    ///
    /// - `InvalidCursor`: the cursor is damaged or belongs to another list.
    /// - `InvalidRequest`: the kind has no such sort key, `text` is used with `as_of`, or `as_of`
    ///   is later than `now`.
    /// - `HistoryExpired`: `as_of`, or the moment that a cursor carries, lies before the tenant's
    ///   [horizon](super::Horizon).
    async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>>;

    /// The writes to an entity, newest first: a row for each slice of valid time that a write
    /// touched, and none for what it left of older ones. Deletions are rows without a body. A slice
    /// that was no longer believed at the tenant's [horizon](super::Horizon) is not shown.
    ///
    /// # Contract
    ///
    /// - `history_is_newest_first_and_complete`
    ///
    /// # Errors
    ///
    /// `InvalidCursor` as for [`list`](Self::list).
    async fn history(&self, tenant: TenantId, key: EntityKey, page: PageRequest) -> Result<Page<Version>>;

    /// What an entity is over a stretch of valid time, as known at `as_of`, or now: its slices that have a part in it, in
    /// order. Deletions are slices without a body; where it never was there is none.
    ///
    /// # Contract
    ///
    /// - `slices_show_an_entity_over_all_of_valid_time`, `slices_are_those_of_the_moment`
    /// - `slices_show_nothing_of_another_tenant`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: `as_of` is later than `now`.
    /// - `HistoryExpired`: `as_of` lies before the tenant's [horizon](super::Horizon).
    async fn slices(
        &self,
        tenant: TenantId,
        key: EntityKey,
        valid: Period,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Version>>;

    /// The tenant's commits whose provenance names `run`, in order: those of its steps, and those that undo them.
    /// Commits before the tenant's [horizon](super::Horizon) are not shown.
    ///
    /// # Contract
    ///
    /// - `commits_of_a_run_are_found_in_order`, `commits_of_a_run_end_at_the_horizon`
    /// - `commits_of_a_run_are_those_of_one_tenant`
    ///
    /// # Errors
    ///
    /// `InvalidCursor` as for [`list`](Self::list).
    async fn commits_of(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<TenantCommit>>;

    /// The tenant's commits after `since`, or from the first that is not before its
    /// [horizon](super::Horizon), in order.
    ///
    /// # Contract
    ///
    /// - `feed_misses_and_repeats_no_commit`
    ///
    /// # Errors
    ///
    /// - `InvalidCursor`: `since` is damaged or another tenant's.
    /// - `HistoryExpired`: a commit after `since` lies before the tenant's horizon.
    async fn changes(&self, tenant: TenantId, since: Option<Cursor>, limit: PageRequest) -> Result<Commits>;

    /// Erases every version of an entity, and leaves one commit that says so.
    ///
    /// # Contract
    ///
    /// - `purge_erases_every_version`
    ///
    /// # Errors
    ///
    /// `NotFound` if the entity was never written or is already erased.
    async fn purge(&self, tenant: TenantId, key: EntityKey, provenance: Provenance, now: Timestamp) -> Result<()>;
}
