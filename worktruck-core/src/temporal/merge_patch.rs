use serde_json::{Map, Value};

/// The result of applying the JSON merge patch `patch` (RFC 7396) to `target`.
///
/// A member of the patch that is `null` removes that member, an object is merged into it, and
/// anything else replaces it; arrays are replaced as a whole. A patch that is no object replaces
/// the target.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::temporal::merge_patch;
///
/// let target = json!({"name": "Ada", "address": {"city": "London", "street": "St James's Sq"}});
/// let patch = json!({"address": {"street": null, "city": "Paris"}, "tags": ["vip"]});
/// assert_eq!(
///     merge_patch(&target, &patch),
///     json!({"name": "Ada", "address": {"city": "Paris"}, "tags": ["vip"]})
/// );
/// ```
#[must_use]
pub fn merge_patch(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut merged = target.as_object().cloned().unwrap_or_else(Map::new);
    for (name, change) in patch {
        if change.is_null() {
            merged.remove(name);
        } else {
            let member = merge_patch(merged.get(name).unwrap_or(&Value::Null), change);
            merged.insert(name.clone(), member);
        }
    }
    Value::Object(merged)
}
