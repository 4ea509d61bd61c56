//! What the plain form of a contact cannot say, as differences from what is read out of it.
//!
//! An export writes a contact plainly, reads that back and adds the differences; an import applies them.
//! Each names the value that it replaces, so that it does nothing where somebody has edited the plain
//! form since. Members of the object are
//! - for a field `[read, meant]`, where `null` is an absent one;
//! - for `channels`, `addresses`, `dates` and the kept lines the new list. In it `n` is the item `n` that was read,
//!   `[n, {field: [read, meant]}]` that item changed, `[n, null]` says that it is none, and `[null, item]` is a
//!   new one;
//! - for `metadata` such changes of its members.

use serde_json::{Map, Value, json};
use worktruck_core::ItemId;
use worktruck_core::entity::contact::Contact;

use super::vcard::KEPT;

const LISTS: [&str; 3] = ["channels", "addresses", "dates"];
const METADATA: &str = "metadata";
/// What an import makes anew.
const MADE: [&str; 2] = ["id", "canonical_value"];

/// What has to be applied to `read` to get `meant`; nothing if they are the same but for ids and metadata.
pub(crate) fn differences(read: &Contact, meant: &Contact) -> Map<String, Value> {
    let (was, is) = (plain(read), plain(meant));
    let mut more = changes(&was, &is);
    for list in LISTS {
        more.remove(list);
        insert_operations(&mut more, list, items(&was, list), items(&is, list));
    }
    if let Some(Value::Array(kept)) = meant.metadata.get(KEPT) {
        insert_operations(&mut more, KEPT, items(&read.metadata, KEPT), kept);
    }
    let unmeant = read.metadata.iter().filter(|(key, _)| !meant.metadata.contains_key(*key));
    let unmeant: Map<String, Value> = unmeant.map(|(key, value)| (key.clone(), json!([value, null]))).collect();
    if !unmeant.is_empty() {
        more.insert(METADATA.to_owned(), Value::Object(unmeant));
    }
    more
}

/// The metadata that is not read back otherwise.
pub(crate) fn unread_metadata(read: &Contact, meant: &Contact) -> Map<String, Value> {
    let is_read = |key: &str, value: &Value| {
        let is_list_of_lines = key == KEPT && value.as_array().is_some_and(|lines| !lines.is_empty());
        is_list_of_lines && read.metadata.contains_key(KEPT) || read.metadata.get(key) == Some(value)
    };
    let unread = meant.metadata.iter().filter(|(key, value)| !is_read(key, value));
    unread.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Applies differences; after an error the contact is as before.
pub(super) fn apply(
    contact: &mut Contact,
    more: &Map<String, Value>,
    mut id: impl FnMut() -> ItemId,
) -> Result<(), &'static str> {
    const UNKNOWN: &str = "is not written as an export writes it";
    let Ok(Value::Object(mut body)) = serde_json::to_value(&*contact) else { return Err(UNKNOWN) };
    for (field, change) in more {
        if field == KEPT {
            let lines = body.get_mut(METADATA).and_then(Value::as_object_mut).ok_or(UNKNOWN)?;
            let read = match lines.get(KEPT) {
                Some(Value::Array(read)) => read.as_slice(),
                _ => &[],
            };
            let meant = operate(read, change, |_| {}).ok_or(UNKNOWN)?;
            lines.insert(KEPT.to_owned(), Value::Array(meant));
        } else if field == METADATA {
            let metadata = body.get_mut(METADATA).and_then(Value::as_object_mut).ok_or(UNKNOWN)?;
            for (key, change) in change.as_object().ok_or(UNKNOWN)? {
                change_field(metadata, key, change).ok_or(UNKNOWN)?;
            }
        } else if LISTS.contains(&field.as_str()) {
            let with_id = |item: &mut Map<String, Value>| {
                item.insert("id".to_owned(), json!(id()));
            };
            let meant = operate(items(&body, field), change, with_id).ok_or(UNKNOWN)?;
            body.insert(field.clone(), Value::Array(meant));
        } else {
            change_field(&mut body, field, change).ok_or(UNKNOWN)?;
        }
    }
    *contact = serde_json::from_value(Value::Object(body)).map_err(|_| UNKNOWN)?;
    Ok(())
}

/// The contact without what an import makes anew or takes from elsewhere.
fn plain(contact: &Contact) -> Map<String, Value> {
    let Ok(Value::Object(mut body)) = serde_json::to_value(contact) else { return Map::new() };
    body.remove("merged_ids");
    body.remove(METADATA);
    for list in LISTS {
        for item in body.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(item) = item {
                MADE.iter().for_each(|field| drop(item.remove(*field)));
            }
        }
    }
    body
}

fn items<'a>(body: &'a Map<String, Value>, list: &str) -> &'a [Value] {
    body.get(list).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn changes(was: &Map<String, Value>, is: &Map<String, Value>) -> Map<String, Value> {
    let mut changes = Map::new();
    for field in was.keys().chain(is.keys()) {
        let (before, after) = (was.get(field), is.get(field));
        if before != after {
            changes.insert(field.clone(), json!([before, after]));
        }
    }
    changes
}

fn insert_operations(more: &mut Map<String, Value>, list: &str, was: &[Value], is: &[Value]) {
    if was != is {
        more.insert(list.to_owned(), Value::Array(operations(was, is)));
    }
}

/// How `is` is made of the items of `was`.
fn operations(was: &[Value], is: &[Value]) -> Vec<Value> {
    let mut free: Vec<bool> = vec![true; was.len()];
    let mut found: Vec<Option<usize>> = Vec::with_capacity(is.len());
    for (place, item) in is.iter().enumerate() {
        let is_same = |at: &usize| free.get(*at) == Some(&true) && was.get(*at) == Some(item);
        let at = Some(place).filter(is_same).or_else(|| (0..was.len()).find(is_same));
        if let Some(at) = at {
            free[at] = false;
        }
        found.push(at);
    }
    let mut operations = Vec::with_capacity(is.len());
    for (item, same) in is.iter().zip(found) {
        let similar =
            || (0..was.len()).filter(|at| free[*at]).max_by_key(|at| (likeness(&was[*at], item), usize::MAX - at));
        let operation = match (same, item) {
            (Some(at), _) => json!(at),
            (None, Value::Object(after)) => match similar().map(|at| (at, &was[at])) {
                Some((at, Value::Object(before))) if before.get("type") == after.get("type") => {
                    free[at] = false;
                    json!([at, changes(before, after)])
                }
                _ => json!([null, item]),
            },
            (None, _) => json!([null, item]),
        };
        operations.push(operation);
    }
    operations.extend((0..was.len()).filter(|at| free[*at]).map(|at| json!([at, null])));
    operations
}

/// How many fields are the same; the type of a channel counts more than all others.
fn likeness(one: &Value, other: &Value) -> usize {
    let (Value::Object(one), Value::Object(other)) = (one, other) else { return 0 };
    let same = one.iter().filter(|(field, value)| other.get(*field) == Some(value)).count();
    if one.get("type") == other.get("type") { same + 100 } else { same }
}

/// The list that `operations` make of what was read; nothing if they are not understood.
fn operate(read: &[Value], operations: &Value, mut with_id: impl FnMut(&mut Map<String, Value>)) -> Option<Vec<Value>> {
    let mut free: Vec<Option<&Value>> = read.iter().map(Some).collect();
    let mut take = |at: &Value| -> Option<Option<Value>> {
        let at = usize::try_from(at.as_u64()?).ok()?;
        // Somebody may have removed it.
        Some(free.get_mut(at).and_then(Option::take).cloned())
    };
    let mut meant = Vec::new();
    for operation in operations.as_array()? {
        match operation.as_array().map(Vec::as_slice) {
            None => meant.extend(take(operation)?),
            Some([Value::Null, item]) => {
                let mut item = item.clone();
                if let Value::Object(item) = &mut item {
                    with_id(item);
                }
                meant.push(item);
            }
            Some([at, Value::Null]) => drop(take(at)?),
            Some([at, Value::Object(changes)]) => {
                let Some(mut item) = take(at)? else { continue };
                for (field, change) in changes {
                    change_field(item.as_object_mut()?, field, change)?;
                }
                meant.push(item);
            }
            Some(_) => return None,
        }
    }
    // What is not mentioned was added since.
    meant.extend(free.into_iter().flatten().cloned());
    Some(meant)
}

fn change_field(body: &mut Map<String, Value>, field: &str, change: &Value) -> Option<()> {
    let [before, after] = change.as_array()?.as_slice() else { return None };
    if body.get(field).unwrap_or(&Value::Null) == before {
        match after {
            Value::Null => drop(body.remove(field)),
            after => drop(body.insert(field.to_owned(), after.clone())),
        }
    }
    Some(())
}
