use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// One field that differs between two states of an entity.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldChange {
    /// The field as a JSON pointer (RFC 6901); empty for the entity itself.
    pub field: String,
    /// What it was; absent if it was absent, which is not the same as `null`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it is; absent if it is absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// What turns `from` into `to`, where `None` is an entity that does not exist.
///
/// Objects are compared member by member, in the order of their names; arrays and everything else
/// are one value. An entity that comes into being is an empty object first, and then gets its
/// fields; one that ceases loses its fields first. So every field of the entity is named in both
/// cases.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::temporal::{FieldChange, diff};
///
/// let from = json!({"display_name": "Ada", "metadata": {"a/b": 1, "c": 2}});
/// let to = json!({"display_name": "Ada", "metadata": {"a/b": 3}});
/// assert_eq!(
///     diff(Some(&from), Some(&to)),
///     [
///         FieldChange { field: "/metadata/a~1b".to_owned(), from: Some(json!(1)), to: Some(json!(3)) },
///         FieldChange { field: "/metadata/c".to_owned(), from: Some(json!(2)), to: None },
///     ]
/// );
/// ```
#[must_use]
pub fn diff(from: Option<&Value>, to: Option<&Value>) -> Vec<FieldChange> {
    let empty = Value::Object(Map::new());
    let mut changes = Vec::new();
    match (from, to) {
        (None, Some(Value::Object(_))) => {
            note("", None, Some(&empty), &mut changes);
            compare("", Some(&empty), to, &mut changes);
        }
        (Some(Value::Object(_)), None) => {
            compare("", from, Some(&empty), &mut changes);
            note("", Some(&empty), None, &mut changes);
        }
        _ => compare("", from, to, &mut changes),
    }
    changes
}

/// The state that `changes`, in order, make of `state`: what [`diff`] has taken apart.
///
/// # Errors
///
/// `Conflict` at the field if what is there is not what the change comes from.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::ErrorKind;
/// use worktruck_core::temporal::{apply_diff, diff};
///
/// let (from, to) = (json!({"tags": ["a"], "bio": "x"}), json!({"tags": ["a", "b"]}));
/// let changes = diff(Some(&from), Some(&to));
/// assert_eq!(apply_diff(Some(from), &changes)?, Some(to.clone()));
///
/// let error = apply_diff(Some(to), &changes).unwrap_err();
/// assert_eq!((error.kind(), error.pointer()), (ErrorKind::Conflict, Some("/bio")));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn apply_diff<'a>(
    mut state: Option<Value>,
    changes: impl IntoIterator<Item = &'a FieldChange>,
) -> Result<Option<Value>> {
    for change in changes {
        apply(&mut state, change)?;
    }
    Ok(state)
}

fn apply(state: &mut Option<Value>, change: &FieldChange) -> Result<()> {
    let FieldChange { field, from, to } = change;
    let unfit = || Error::conflict("what is there is not what the change comes from").at(field);
    let Some((parent, name)) = field.rsplit_once('/') else {
        if !field.is_empty() || state != from {
            return Err(unfit());
        }
        state.clone_from(to);
        return Ok(());
    };
    let parent = state.as_mut().and_then(|state| state.pointer_mut(parent)).and_then(Value::as_object_mut);
    let parent = parent.ok_or_else(unfit)?;
    let name = unescaped(name);
    if parent.get(&name) != from.as_ref() {
        return Err(unfit());
    }
    match to {
        Some(value) => parent.insert(name, value.clone()),
        None => parent.remove(&name),
    };
    Ok(())
}

fn compare(field: &str, from: Option<&Value>, to: Option<&Value>, changes: &mut Vec<FieldChange>) {
    match (from, to) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                compare(&format!("{field}/{}", escaped(name)), old.get(name), new.get(name), changes);
            }
        }
        _ if from == to => {}
        _ => note(field, from, to, changes),
    }
}

fn note(field: &str, from: Option<&Value>, to: Option<&Value>, changes: &mut Vec<FieldChange>) {
    changes.push(FieldChange { field: field.to_owned(), from: from.cloned(), to: to.cloned() });
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

/// Keeps a `null` that is written apart from a field that is not.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
