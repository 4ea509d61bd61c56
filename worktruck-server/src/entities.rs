//! The routes that every kind of entity has.

use schemars::JsonSchema;
use serde::Deserialize;
use worktruck_core::pim::{Difference, FieldEntry, HistoryEntry, Records, Stored};
use worktruck_core::{EntityId, Page, Timestamp};

use crate::answer::{Created, Many, Nothing, One, Pages, Plain, Versions};
use crate::body::{New, Patch};
use crate::call::Call;
use crate::route::Routes;
use crate::shown::Shown;
use crate::{Action, Domain, Failure, Scope};

/// What entities of a kind are called, in the singular with its article and in the plural.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called(pub(crate) &'static str, pub(crate) &'static str);

impl Routes {
    /// All that an entity has: to list, create, read, change and delete it, and its history.
    pub(crate) fn entity<E: Shown>(self, path: &str, called: Called) -> Self {
        let item = format!("{path}/{{id}}");
        self.lists::<E>(path, called)
            .creates::<E>(path, called)
            .reads::<E>(&item, called)
            .updates::<E>(&item, called)
            .deletes::<E>(&item, called)
            .travels::<E>(&item, "history")
    }

    pub(crate) fn lists<E: Shown>(self, path: &str, Called(_, many): Called) -> Self {
        let routes = self.list(path, &format!("Lists {many}."), list::<E>).sorted::<E::Sort>();
        if E::IS_SEARCHED { routes.searched() } else { routes }
    }

    pub(crate) fn creates<E: Shown>(self, path: &str, Called(one, _): Called) -> Self {
        self.post(path, &format!("Creates {one}."), create::<E>)
    }

    pub(crate) fn reads<E: Shown>(self, item: &str, Called(one, _): Called) -> Self {
        self.get(item, &format!("Reads {one}."), read::<E>)
    }

    pub(crate) fn updates<E: Shown>(self, item: &str, Called(one, _): Called) -> Self {
        self.patch(item, &format!("Changes {one} by a merge patch."), update::<E>)
    }

    pub(crate) fn deletes<E: Shown>(self, item: &str, Called(one, _): Called) -> Self {
        self.delete(item, &format!("Deletes {one}, or erases it."), delete::<E>)
    }

    /// What was known of an entity and when; `history` is what the list of its versions is called.
    pub(crate) fn travels<E: Shown>(self, item: &str, history: &str) -> Self {
        let own = |call: Call<Window>| versions::<E>(call, "id");
        self.page(&format!("{item}/{history}"), "Lists the versions, newest first.", own)
            .plain(&format!("{item}/diff"), "Compares two moments.", |call| difference::<E>(call, "id"))
            .page(&format!("{item}/timeline"), "Lists the changes of fields, oldest first.", |call| {
                timeline::<E>(call, "id")
            })
    }
}

/// The page, with what every answer adds.
pub(crate) async fn shown<E: Shown>(records: &Records<E>, page: Page<Stored<E>>) -> Result<Many<E>, Failure> {
    let mut data = Vec::with_capacity(page.data.len());
    for stored in page.data {
        data.push(E::listed(records, stored).await?);
    }
    Ok(Many::new(Page::new(data, page.next_cursor)))
}

/// One entity as the answer to a write.
pub(crate) async fn written<E: Shown>(records: &Records<E>, stored: Stored<E>) -> Result<One<E>, Failure> {
    let version = stored.version();
    Ok(One::new(E::listed(records, stored).await?, version))
}

async fn list<E: Shown>(call: Call<E::Filter>) -> Result<Many<E>, Failure> {
    list_of(&call, call.query.clone()).await
}

/// What a list has of a kind: the best come first where words are searched for, unless an order is asked for.
pub(crate) async fn list_of<E: Shown, Q>(call: &Call<Q>, filter: E::Filter) -> Result<Many<E>, Failure> {
    let records = call.records::<E>();
    call.refuse_words_of_the_past()?;
    let Some(words) = call.words().filter(|_| !call.is_sorted()) else {
        let page = call.ordered(records.list(filter))?.await?;
        return shown(&records, page).await;
    };
    let Page { data: found, next_cursor, .. } = records.search(&filter, words, call.page()?).await?;
    let mut data = Vec::with_capacity(found.len());
    for hit in found {
        let mut shown = E::listed(&records, hit.record).await?;
        if let Some(members) = shown.as_object_mut().filter(|_| E::HAS_SNIPPET) {
            members.insert("snippet".to_owned(), hit.snippet.text.into());
        }
        data.push(shown);
    }
    Ok(Many::new(Page::new(data, next_cursor)))
}

async fn create<E: Shown>(call: Call<(), New<E>>) -> Result<Created<E>, Failure> {
    let (records, place) = (call.records::<E>(), call.context.place.clone());
    let stored = records.create_from(call.body.0).await?;
    Ok(Created::at(&place, stored.id, written(&records, stored).await?))
}

async fn read<E: Shown>(call: Call) -> Result<One<E>, Failure> {
    let (body, version) = E::single(&call.records(), call.id()?).await?;
    Ok(One::new(body, version))
}

async fn update<E: Shown>(call: Call<(), Patch<E>>) -> Result<One<E>, Failure> {
    let (records, id) = (call.records::<E>(), call.id()?);
    let stored = records.update(id, call.body.0).await?;
    written(&records, stored).await
}

/// How something is deleted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Deletion {
    /// Whether every version is erased; needs the scope `admin:write`.
    pub(crate) purge: bool,
}

async fn delete<E: Shown>(call: Call<Deletion>) -> Result<Nothing, Failure> {
    if call.query.purge {
        return erase::<E, _, _>(&call).await;
    }
    call.records::<E>().delete(call.id()?).await?;
    Ok(Nothing)
}

/// Erases every version of an entity.
pub(crate) async fn erase<E: Shown, Q, B>(call: &Call<Q, B>) -> Result<Nothing, Failure> {
    call.require(Scope::new(Domain::Admin, Action::Write))?;
    call.records::<E>().purge(call.id()?).await?;
    Ok(Nothing)
}

/// A stretch of system time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Window {
    /// Only what was learned from then on.
    from: Option<Timestamp>,
    /// Only what was learned before then.
    to: Option<Timestamp>,
}

/// Two moments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moments {
    /// The first.
    from: Timestamp,
    /// The second.
    to: Timestamp,
}

/// What of a timeline is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TimelineOf {
    /// Only what was learned from then on.
    from: Option<Timestamp>,
    /// Only what was learned before then.
    to: Option<Timestamp>,
    /// Only these fields, as names or JSON pointers with commas between them.
    fields: Option<String>,
}

pub(crate) async fn versions<E: Shown>(call: Call<Window>, name: &str) -> Result<Versions<E>, Failure> {
    let Window { from, to } = call.query;
    let found: Page<HistoryEntry<E>> = call.records::<E>().history(call.named(name)?, (from, to), call.page()?).await?;
    Many::of(found).map(Versions)
}

pub(crate) async fn difference<E: Shown>(call: Call<Moments>, name: &str) -> Result<Plain<Difference>, Failure> {
    let Moments { from, to } = call.query;
    Ok(Plain(call.records::<E>().diff(call.named(name)?, from, to).await?))
}

pub(crate) async fn timeline<E: Shown>(call: Call<TimelineOf>, name: &str) -> Result<Pages<FieldEntry>, Failure> {
    let TimelineOf { from, to, fields } = &call.query;
    let fields: Vec<String> = fields.iter().flat_map(|fields| fields.split(',')).map(pointer).collect();
    let id: EntityId = call.named(name)?;
    Ok(Pages(call.records::<E>().timeline(id, (*from, *to), &fields, call.page()?).await?))
}

/// A field by its name or its pointer.
fn pointer(field: &str) -> String {
    if field.is_empty() || field.starts_with('/') { field.to_owned() } else { format!("/{field}") }
}
