use proptest::prelude::*;
use serde_json::{Value, json};

use crate::temporal::{FieldChange, apply_diff, diff, merge_patch};

/// JSON whose parts collide often, with names that need escaping.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        "[ab]{0,1}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(
                prop::sample::select(vec!["", "a", "b", "0", "/", "~", "~1", "a/~b"]),
                inner,
                0..4
            )
            .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn diff_applied_to_one_end_gives_the_other(
        from in prop::option::of(any_json()),
        to in prop::option::of(any_json()),
    ) {
        let changes = diff(from.as_ref(), to.as_ref());
        prop_assert_eq!(changes.is_empty(), from == to);
        for change in &changes {
            prop_assert_ne!(&change.from, &change.to);
        }
        let text = serde_json::to_string(&changes).unwrap();
        let read: Vec<FieldChange> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &changes, "JSON keeps null and absence apart");
        prop_assert_eq!(apply_diff(from, &read).unwrap(), to);
    }

    #[test]
    fn merge_patch_is_idempotent_and_leaves_no_member_that_it_removes(target in any_json(), patch in any_json()) {
        let once = merge_patch(&target, &patch);
        prop_assert_eq!(&merge_patch(&once, &patch), &once);
        for (name, value) in patch.as_object().into_iter().flatten() {
            prop_assert_eq!(value.is_null(), once.get(name).is_none());
        }
    }
}

/// The test cases of RFC 7396, appendix A.
#[test]
fn merge_patch_does_what_the_rfc_shows() {
    let cases = [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a": "b"}), json!(["c"]), json!(["c"])),
        (json!({"a": "foo"}), json!(null), json!(null)),
        (json!({"a": "foo"}), json!("bar"), json!("bar")),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ];
    for (target, patch, expected) in cases {
        assert_eq!(merge_patch(&target, &patch), expected, "{patch} on {target}");
    }
}

#[test]
fn fields_are_named_where_they_differ() {
    let from = json!({"name": "Ada", "tags": ["a"], "address": {"city": "London", "zip": null}});
    let to = json!({"name": "Ada", "tags": ["a", "b"], "address": {"city": "Paris"}, "bio": "x"});
    let fields = |from: Option<&Value>, to: Option<&Value>| {
        diff(from, to).into_iter().map(|change| change.field).collect::<Vec<_>>()
    };
    assert_eq!(fields(Some(&from), Some(&to)), ["/address/city", "/address/zip", "/bio", "/tags"]);
    assert_eq!(fields(None, Some(&to)), ["", "/address", "/bio", "/name", "/tags"]);
    assert_eq!(fields(Some(&to), None), ["/address", "/bio", "/name", "/tags", ""]);
    assert_eq!(fields(Some(&to), Some(&json!(3))), [""]);
    assert_eq!(fields(None, None), [""; 0]);
}

#[test]
fn change_that_does_not_fit_is_refused() {
    let change = |field: &str| FieldChange { field: field.to_owned(), from: Some(json!(1)), to: None };
    let state = json!({"a": 1, "list": [1]});
    assert_eq!(apply_diff(Some(state.clone()), &[change("/a")]).unwrap(), Some(json!({"list": [1]})));
    for field in ["", "a", "/b", "/list", "/list/0", "/a/b", "/b/a"] {
        assert!(apply_diff(Some(state.clone()), &[change(field)]).is_err(), "{field}");
        assert!(apply_diff(None, &[change(field)]).is_err(), "{field} of nothing");
    }
}
