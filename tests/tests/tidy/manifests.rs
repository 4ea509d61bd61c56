//! Rules about the crates as Cargo sees them.

use std::process::Command;

use serde_json::Value;

use crate::source::root;

/// Crates of ours that a crate must never name, and why. `*` is every crate of ours.
const NEVER_OURS: &[(&str, &[&str], &str)] = &[
    ("worktruck-core", &["*"], "everything depends on core"),
    ("worktruck-store-", &["worktruck-agents", "worktruck-server"], "a store knows the ports, not the runtime"),
    (
        "worktruck-agents",
        &["worktruck-store-", "worktruck-server"],
        "the runtime works with every store, and without a server",
    ),
    ("worktruck-server", &["worktruck-store-"], "the server works with every store"),
];

/// What must not be anywhere below a crate, directly or not.
pub(crate) const NEVER_BELOW: &[(&str, &[&str])] = &[
    ("worktruck-core", &["tokio", "sqlx", "sqlx-core", "reqwest", "hyper", "rand"]),
    ("worktruck-agents", &["sqlx", "sqlx-core", "libsqlite3-sys", "axum"]),
    ("worktruck-server", &["sqlx", "sqlx-core", "libsqlite3-sys"]),
];

/// The members of the workspace, from `cargo metadata`.
pub(crate) fn members() -> Vec<Value> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version=1", "--no-deps"])).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The names of all crates below `package` in a build for this machine, its tests left out.
pub(crate) fn below(package: &str) -> Vec<String> {
    let tree = cargo(&["tree", "--package", package, "--edges=normal,build", "--prefix=none", "--format={p}"]);
    tree.lines().skip(1).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).args(["--locked", "--offline"]).current_dir(root()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A sentence for each crate of ours that the member names and must not.
pub(crate) fn wrong_ways(member: &Value) -> Vec<String> {
    let name = text(member, "name");
    let ours = normal(member).filter(|dependency| dependency.starts_with("worktruck-"));
    let rules = NEVER_OURS.iter().filter(|(who, ..)| name.starts_with(who));
    let pairs = ours.flat_map(|dependency| rules.clone().map(move |rule| (dependency, rule)));
    let broken =
        pairs.filter(|(dependency, (_, never, _))| never.iter().any(|n| *n == "*" || dependency.starts_with(n)));
    broken.map(|(dependency, (.., reason))| format!("{name} names {dependency}: {reason}")).collect()
}

/// A sentence for each crate of `found` that is forbidden below `package`.
pub(crate) fn forbidden(package: &str, never: &[&str], found: &[String]) -> Vec<String> {
    let wrong = found.iter().filter(|name| never.contains(&name.as_str()));
    wrong.map(|name| format!("{name} is below {package}")).collect()
}

/// What a registry would refuse or a reader would miss in a member that may be published.
pub(crate) fn unpublishable(member: &Value) -> Vec<String> {
    if member["publish"].as_array().is_some_and(Vec::is_empty) {
        return Vec::new();
    }
    let name = text(member, "name");
    let mut wrong = Vec::new();
    for field in ["description", "license", "repository", "rust_version", "readme"] {
        if text(member, field).is_empty() {
            wrong.push(format!("{name} has no {field}"));
        }
    }
    let keywords = member["keywords"].as_array().map_or(&[][..], Vec::as_slice);
    if !(1..=5).contains(&keywords.len()) || keywords.iter().any(|word| word.as_str().is_none_or(|w| w.len() > 20)) {
        wrong.push(format!("{name} needs 1 to 5 keywords of at most 20 characters"));
    }
    if !(1..=5).contains(&member["categories"].as_array().map_or(0, Vec::len)) {
        wrong.push(format!("{name} needs 1 to 5 categories"));
    }
    for dependency in dependencies(member).filter(|dependency| dependency["path"].is_string()) {
        if dependency["kind"] != "dev" && text(dependency, "req") == "*" {
            wrong.push(format!("{name} depends on {} without a version", text(dependency, "name")));
        }
    }
    wrong
}

fn normal(member: &Value) -> impl Iterator<Item = &str> {
    dependencies(member).filter(|dependency| dependency["kind"].is_null()).map(|dependency| text(dependency, "name"))
}

fn dependencies(member: &Value) -> impl Iterator<Item = &Value> {
    member["dependencies"].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn member(name: &str, dependency: &Value) -> Value {
        json!({
            "name": name, "publish": null, "description": "d", "license": "MIT", "repository": "r", "rust_version": "1",
            "readme": "README.md", "keywords": ["k"], "categories": ["c"], "dependencies": [dependency],
        })
    }

    #[test]
    fn a_dependency_against_the_direction_is_found() {
        let on = |name: &str| json!({"name": name, "kind": null, "req": "^1"});
        assert_eq!(wrong_ways(&member("worktruck-core", &on("worktruck-agents"))).len(), 1);
        assert_eq!(wrong_ways(&member("worktruck-store-pg", &on("worktruck-agents"))).len(), 1);
        assert_eq!(wrong_ways(&member("worktruck-agents", &on("worktruck-store-sqlite"))).len(), 1);
        assert_eq!(wrong_ways(&member("worktruck-agents", &on("worktruck-server"))).len(), 1);
        assert_eq!(wrong_ways(&member("worktruck-server", &on("worktruck-store-pg"))).len(), 1);
        assert!(wrong_ways(&member("worktruck-server", &on("worktruck-agents"))).is_empty());
        assert!(wrong_ways(&member("worktruck-agents", &on("worktruck-core"))).is_empty());
        let in_tests = json!({"name": "worktruck-store-sqlite", "kind": "dev", "req": "^1"});
        assert!(wrong_ways(&member("worktruck-agents", &in_tests)).is_empty());
    }

    #[test]
    fn what_is_forbidden_below_a_crate_is_found() {
        let found = ["serde".to_owned(), "tokio".to_owned()];
        assert_eq!(forbidden("worktruck-core", &["tokio", "sqlx"], &found), ["tokio is below worktruck-core"]);
    }

    #[test]
    fn a_member_that_a_registry_would_refuse_is_found() {
        let by_path = json!({"name": "b", "kind": null, "req": "*", "path": "/b"});
        let mut bad = member("a", &by_path);
        assert_eq!(unpublishable(&bad), ["a depends on b without a version"]);
        bad["license"] = Value::Null;
        bad["keywords"] = json!(["a keyword that is far too long"]);
        assert_eq!(unpublishable(&bad).len(), 3);
        bad["publish"] = json!([]);
        assert!(unpublishable(&bad).is_empty());
    }
}
