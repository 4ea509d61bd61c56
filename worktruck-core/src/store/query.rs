//! What every backend does the same way when it answers a list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::entity::{self, Index, Kind, Term};
use crate::run::NewRun;
use crate::temporal::{At, Point, RowOp};
use crate::{Cursor, Digest, EntityId, Error, ErrorKind, Page, Result, TenantId, Timestamp};

use super::words::{MAX_WORDS, Titled, fold, searched};
use super::{EntityKey, EntityPlan, Horizon, KeyRange, ListQuery, Require, Sort, SortField, TenantHead, Version};

/// What a list is sorted by, for one entity.
///
/// All keys of a list are of one variant; texts are compared byte by byte.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SortKey {
    /// When the entity was first written, or when the slice began to hold in system time.
    Time(#[serde(with = "micros")] Timestamp),
    /// A sort key of the entity's kind.
    Text(String),
}

/// The place of an entity in a list: ascending by key, then id; a descending list is the same
/// order backwards.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Position {
    /// What the list is sorted by.
    pub key: SortKey,
    /// The entity, which breaks ties.
    pub id: EntityId,
}

impl Position {
    /// The place of `version`, whose body is indexed as `index`, in a list sorted by `sort`.
    #[must_use]
    pub fn of(version: &Version, index: &Index, sort: &SortField) -> Self {
        Self::new(version.key.id, version.created_at, version.slice.sys.from(), index, sort)
    }

    /// The place of an entity by what a list may be sorted by.
    #[must_use]
    pub fn new(id: EntityId, created_at: Timestamp, updated_at: Timestamp, index: &Index, sort: &SortField) -> Self {
        let key = match sort {
            SortField::CreatedAt => SortKey::Time(created_at),
            SortField::UpdatedAt => SortKey::Time(updated_at),
            SortField::Key(name) => {
                let value = index.sort.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
                SortKey::Text(value.unwrap_or_default())
            }
        };
        Self { key, id }
    }

    /// Whether a list in the direction of `sort` shows this place after `other`.
    #[must_use]
    pub fn is_after(&self, other: &Self, sort: &Sort) -> bool {
        if sort.descending { self < other } else { self > other }
    }
}

/// Which entities a list shows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// Terms that an entity must have, all of them; sorted, each once.
    pub terms: Vec<Term>,
    /// Sets of terms, of each of which an entity must have at least one; sorted, each once.
    pub any: Vec<Vec<Term>>,
    /// Ranges that its sort keys must lie in; sorted, each once, each of stretches that do not meet.
    pub ranges: Vec<KeyRange>,
    /// The entities to choose from, if not from all; sorted, each once.
    pub among: Option<Vec<EntityId>>,
    /// Sets of [words](super::searched), of each of which it must have at least one, as the beginning of a word;
    /// sorted, each once.
    pub words: Vec<Vec<String>>,
}

impl Filter {
    /// The filter of `query`. Text without a letter or digit asks for no word; of others the first 32 words count. A set
    /// of one term asks for that term.
    #[must_use]
    pub fn of(query: &ListQuery) -> Self {
        let text = fold(query.text.as_deref().unwrap_or_default());
        let words = text.split_whitespace().take(MAX_WORDS).map(|word| vec![word.to_owned()]);
        let of_title = query.title.iter().flat_map(Titled::sets);
        let sets = sets(query.any.iter().chain(&query.moving));
        let (single, any): (Vec<_>, Vec<_>) = sets.into_iter().partition(|set| set.len() == 1);
        Self {
            terms: sorted(query.terms.iter().cloned().chain(single.into_iter().flatten()).collect()),
            any,
            ranges: sorted(query.ranges.iter().map(KeyRange::apart).collect()),
            among: query.among.clone().map(sorted),
            words: sorted(words.chain(of_title).collect()),
        }
    }

    /// Whether it shows everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the list shows an entity with these terms, sort keys and [words](super::searched).
    #[must_use]
    pub fn admits<'a>(
        &self,
        id: EntityId,
        terms: &[Term],
        key: impl Fn(&str) -> Option<&'a str>,
        searched: &str,
    ) -> bool {
        let lies_in = |range: &KeyRange| {
            let value = key(&range.key).unwrap_or_default();
            range.within.iter().any(|(from, to)| from.as_str() <= value && value < to.as_str())
        };
        self.among.as_ref().is_none_or(|among| among.binary_search(&id).is_ok())
            && self.terms.iter().all(|term| terms.contains(term))
            && self.any.iter().all(|set| set.iter().any(|term| terms.contains(term)))
            && self.ranges.iter().all(lies_in)
            && self.words.iter().all(|set| searched.split(' ').any(|has| set.iter().any(|word| has.starts_with(word))))
    }

    /// Whether the list shows an entity that is indexed so.
    #[must_use]
    pub fn admits_index(&self, id: EntityId, index: &Index) -> bool {
        let key = |name: &str| index.sort.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        self.admits(id, &index.terms, key, &searched(index))
    }
}

impl KeyRange {
    /// The same range in order and in as few stretches as it takes.
    fn apart(&self) -> Self {
        let mut within: Vec<(String, String)> = Vec::new();
        for (from, to) in sorted(self.within.iter().filter(|(from, to)| from < to).cloned().collect::<Vec<_>>()) {
            match within.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(std::mem::take(end)),
                _ => within.push((from, to)),
            }
        }
        Self { key: self.key.clone(), moves: self.moves, within }
    }
}

/// The sets in order, each once, and so are the terms of each.
fn sets<'a>(sets: impl Iterator<Item = &'a Vec<Term>>) -> Vec<Vec<Term>> {
    sorted(sets.map(|set| sorted(set.clone())).collect())
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}

/// A list query, checked and resolved: what is left for a backend is to find the entities.
#[derive(Clone, Debug)]
pub struct ListPlan {
    /// The point that the list is about.
    pub point: Point,
    /// Which entities.
    pub filter: Filter,
    /// The order.
    pub sort: Sort,
    /// The list goes on after this place.
    pub after: Option<Position>,
    /// How many items a page has at most; a backend fetches one more to see whether it is the last.
    pub limit: usize,
    scope: ListScope,
    pin: Option<Timestamp>,
}

impl ListPlan {
    /// Checks `query` and opens its cursor.
    ///
    /// The head is that of `tenant`; where it is raised, it must be kept before the answer is given.
    /// A list in an order that changes, at the present, is pinned: from its first page on it
    /// is about one moment, which its cursor carries.
    ///
    /// # Errors
    ///
    /// - `InvalidCursor`: the cursor is damaged or belongs to another list.
    /// - `InvalidRequest`: the kind has no such sort key, `text` is used with `as_of`, or `as_of`
    ///   is later than `now`.
    /// - `HistoryExpired`: the moment that the list is about lies before the horizon.
    pub fn new(tenant: TenantId, query: &ListQuery, head: &mut TenantHead, now: Timestamp) -> Result<Self> {
        check(query)?;
        let filter = Filter::of(query);
        let scope = ListScope::new(tenant, query, &filter);
        let opened = query.page.cursor().map(|cursor| cursor.open::<Sealed>(&scope)).transpose()?;
        let point = head.read(query.at, now)?;
        let pinned = is_pinned(query);
        let (pin, after) = match opened {
            Some(sealed) => {
                if !sealed.fits(pinned, &query.sort.field, point.sys) {
                    return Err(Error::new(ErrorKind::InvalidCursor, "cursor does not belong to this list"));
                }
                (sealed.pin, Some(sealed.position))
            }
            None if pinned => (Some(head.pin(now)), None),
            None => (None, None),
        };
        let point = match pin {
            Some(sys) => Point { sys, valid: query.at.valid_at.unwrap_or(sys) },
            None => point,
        };
        let plan = Self { point, filter, sort: query.sort.clone(), after, limit: query.page.limit(), scope, pin };
        plan.check(head.horizon)?;
        Ok(plan)
    }

    /// Checks that what the list is about is still there. A backend whose reads of a list are of
    /// different moments does so again when it has read, with the horizon as it is by then.
    ///
    /// # Errors
    ///
    /// `HistoryExpired` if the moment that the list is about lies before the horizon.
    pub fn check(&self, horizon: Horizon) -> Result<()> {
        let fixed = if self.scope.at.as_of.is_some() { Some(self.point.sys) } else { self.pin };
        fixed.map_or(Ok(()), |moment| horizon.admit(moment))
    }

    /// The page of `found`: the entities after [`after`](Self::after) in the order of the list,
    /// one more than fits if there are so many.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the query has no JSON form, which no query from JSON is.
    pub fn page<T>(&self, mut found: Vec<(Position, T)>) -> Result<Page<T>> {
        let has_more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = match found.last() {
            Some((position, _)) if has_more => {
                Some(Cursor::seal(&self.scope, &Sealed { pin: self.pin, position: position.clone() })?)
            }
            _ => None,
        };
        Ok(Page::new(found.into_iter().map(|(_, item)| item).collect(), next))
    }
}

/// The error of a term that is required to be unique and is not.
#[must_use]
pub fn not_unique(kind: Kind, term: &Term) -> Error {
    Error::conflict(format!("another {kind} has the {} {:?}", term.name, term.value))
}

/// How many entities may have a term after a commit, for what is required of terms.
#[must_use]
pub const fn most_with_term(require: &Require) -> Option<(Kind, &Term, usize)> {
    match require {
        Require::UniqueTerm { kind, term } => Some((*kind, term, 1)),
        Require::NoTerm { kind, term } => Some((*kind, term, 0)),
        Require::Version { .. } | Require::Newest { .. } | Require::Exists { .. } | Require::Absent { .. } => None,
    }
}

/// The error of a commit after which more than `most` entities would have a term.
#[must_use]
pub fn too_many_with_term(kind: Kind, term: &Term, most: usize) -> Error {
    if most > 0 {
        return not_unique(kind, term);
    }
    Error::conflict(format!("a {kind} has the {} {:?}, so that it is still in use", term.name, term.value))
}

/// Numbers the first versions of entities that were erased: they go on after the old numbers,
/// so that a version that somebody still remembers never names a new one.
///
/// `erased` holds, for the entities that were erased and not written since, the number that the
/// erasure took in the feed, which is the one after that of the last version.
pub fn number_after_erasure(
    plans: &mut [EntityPlan],
    versions: &mut [(EntityKey, u64)],
    erased: &BTreeMap<EntityKey, u64>,
) {
    for plan in plans {
        let Some(last) = erased.get(&plan.key) else { continue };
        plan.version += last;
        for op in &mut plan.ops {
            if let RowOp::Insert(slice) = op {
                slice.version += last;
            }
        }
    }
    for (key, version) in versions {
        *version += erased.get(key).copied().unwrap_or(0);
    }
}

/// What must be the same when a run is accepted again under its idempotency key: all of it but
/// its id.
///
/// # Errors
///
/// `InvalidRequest` if the run has no canonical JSON form.
pub fn run_content(run: &NewRun) -> Result<Digest> {
    let mut content = serde_json::to_value(run).map_err(|e| Error::invalid("run has no JSON form").with_source(e))?;
    if let Some(members) = content.as_object_mut() {
        members.remove("id");
    }
    Digest::of_json(&content)
}

/// What a cursor of a list is bound to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ListScope {
    list: &'static str,
    tenant: TenantId,
    kind: Kind,
    terms: Vec<Term>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    any: Vec<Vec<Term>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asked: Vec<Term>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ranges: Vec<KeyRange>,
    words: Vec<Vec<String>>,
    sort: Sort,
    at: At,
}

impl ListScope {
    pub(super) fn new(tenant: TenantId, query: &ListQuery, filter: &Filter) -> Self {
        Self {
            list: "entities",
            tenant,
            kind: query.kind,
            terms: sorted(query.terms.clone()),
            any: sets(query.any.iter().chain(query.moving.iter().filter(|_| is_pinned(query)))),
            asked: sorted(query.asked.clone()),
            ranges: filter.ranges.iter().filter(|range| !range.moves).cloned().collect(),
            words: filter.words.clone(),
            sort: query.sort.clone(),
            at: query.at,
        }
    }

    pub(super) fn of_view(self) -> Self {
        Self { list: "view", ..self }
    }
}

#[derive(Deserialize, Serialize)]
struct Sealed {
    #[serde(with = "pin_micros")]
    pin: Option<Timestamp>,
    position: Position,
}

impl Sealed {
    /// A cursor's check sum has no secret: one that was made up must not break anything, such as
    /// raise the floor into the future.
    fn fits(&self, pinned: bool, field: &SortField, present: Timestamp) -> bool {
        let key_fits = matches!(
            (&self.position.key, field),
            (SortKey::Time(_), SortField::CreatedAt | SortField::UpdatedAt) | (SortKey::Text(_), SortField::Key(_))
        );
        key_fits && self.pin.is_some() == pinned && self.pin.is_none_or(|pin| pin <= present)
    }
}

/// Whether a walk fixes its moment: it is about the present, in an order that changes.
fn is_pinned(query: &ListQuery) -> bool {
    query.at.as_of.is_none() && query.sort.field != SortField::CreatedAt
}

fn check(query: &ListQuery) -> Result<()> {
    let sets = query.any.iter().chain(&query.moving).flatten();
    if let Some(term) = query.terms.iter().chain(sets).find(|term| term.value.contains('\0')) {
        return Err(Error::invalid("the text contains a NUL character").at(format!("/{}", term.name)));
    }
    if (query.text.is_some() || query.title.is_some()) && query.at.as_of.is_some() {
        return Err(Error::invalid("a search for words cannot be made with as_of").at("/as_of"));
    }
    if let Some(range) = query.ranges.iter().find(|range| !entity::sort_keys(query.kind).contains(&range.key.as_str()))
    {
        return Err(Error::invalid(format!("a {} has no {:?} to be cut to a range of", query.kind, range.key)));
    }
    match &query.sort.field {
        SortField::Key(name) if !entity::sort_keys(query.kind).contains(&name.as_str()) => {
            Err(Error::invalid(format!("a {} cannot be sorted by {name:?}", query.kind)).at("/sort"))
        }
        _ => Ok(()),
    }
}

mod micros {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_micros)
    }
}

mod pin_micros {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Timestamp::as_micros).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(Timestamp::from_micros))
    }
}

#[cfg(test)]
mod tests;
