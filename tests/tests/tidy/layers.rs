//! Who may import whom inside a crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::Crate;

/// The rows of core from the ground up: a file imports only from its own row and the rows above it
/// in this list. A path stands for what begins with it; the longest that fits decides.
///
/// `ARCHITECTURE.md` gives the reasons. A new file needs a line here only if its folder has none.
pub(crate) const CORE: &[(&str, &[&str])] = &[
    ("basics", &["lib.rs", "error.rs", "time.rs", "id.rs", "digest.rs", "money.rs", "page.rs", "secret.rs"]),
    ("temporal", &["temporal/"]),
    ("recurrence", &["recurrence/"]),
    ("guardrail", &["guardrail/"]),
    ("run, as anybody sees it", &["run/"]),
    ("schedule", &["schedule/"]),
    ("what a tool is", &["tool/spec.rs"]),
    ("model", &["model.rs"]),
    ("pricing", &["pricing.rs", "pricing/"]),
    ("journal", &["journal/"]),
    ("backtest", &["backtest.rs"]),
    ("entity", &["entity/"]),
    ("schema", &["schema.rs"]),
    ("storage of entities", &["store/"]),
    ("operations over entities", &["pim/"]),
    ("tool", &["tool.rs"]),
    ("run, as a store keeps it", &["run/record.rs"]),
    ("storage of runs", &["store/mod.rs", "store/run.rs", "store/memory/"]),
    ("undo", &["undo/"]),
    ("executor", &["executor/"]),
    ("testing", &["testing/"]),
];

/// A sentence for each import that points the wrong way, each file without a row, and each path of
/// the list that no file has.
pub(crate) fn wrong_ways(rows: &[(&str, &[&str])], files: &Crate) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for file in files.files() {
        let Some((row, path)) = row_of(rows, file) else {
            wrong.push(format!("{file} belongs to no row"));
            continue;
        };
        used.insert(path);
        for (target, named) in files.imports(file) {
            if let Some((above, _)) = row_of(rows, &target).filter(|(target_row, _)| *target_row > row) {
                wrong.push(format!("{file} ({}) uses {named} of {target} ({})", rows[row].0, rows[above].0));
            }
        }
    }
    let listed = rows.iter().flat_map(|(_, paths)| paths.iter().copied());
    wrong.extend(listed.filter(|path| !used.contains(path)).map(|path| format!("no file begins with {path}")));
    wrong
}

fn row_of<'a>(rows: &[(&str, &[&'a str])], file: &str) -> Option<(usize, &'a str)> {
    let fitting = rows.iter().enumerate().flat_map(|(row, (_, paths))| paths.iter().map(move |path| (row, *path)));
    fitting.filter(|(_, path)| file.starts_with(path)).max_by_key(|(_, path)| path.len())
}

/// The top modules that import each other in a circle, as `a -> b -> a`; empty if there is none.
pub(crate) fn circles(files: &Crate) -> Vec<String> {
    let top = |file: &str| file.split('/').next().unwrap_or(file).trim_end_matches(".rs").to_owned();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.files() {
        let targets = files.imports(file).into_iter().map(|(target, _)| top(&target));
        edges.entry(top(file)).or_default().extend(targets.filter(|target| *target != top(file)));
    }
    let mut found = Vec::new();
    for start in edges.keys() {
        // Each circle is told from its first module on.
        if let Some(path) = way_back(&edges, start, &mut vec![start.clone()]) {
            found.push(path.join(" -> "));
        }
    }
    found
}

fn way_back(edges: &BTreeMap<String, BTreeSet<String>>, start: &String, path: &mut Vec<String>) -> Option<Vec<String>> {
    let last = path.last()?.clone();
    for next in edges.get(&last).into_iter().flatten().filter(|next| *next >= start) {
        if next == start {
            return Some([path.as_slice(), std::slice::from_ref(start)].concat());
        }
        if !path.contains(next) {
            path.push(next.clone());
            if let Some(found) = way_back(edges, start, path) {
                return Some(found);
            }
            path.pop();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn sample(files: &[(&str, &str)]) -> Crate {
        let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        Crate::new(&sources)
    }

    const ROWS: &[(&str, &[&str])] = &[("ground", &["lib.rs", "error.rs"]), ("roof", &["run/"])];

    #[test]
    fn an_import_upwards_is_found() {
        let files = sample(&[
            ("lib.rs", "mod error; pub mod run;"),
            ("error.rs", "use crate::run::Run;"),
            ("run/mod.rs", "use crate::error::Error;\npub struct Run;"),
        ]);
        assert_eq!(wrong_ways(ROWS, &files), ["error.rs (ground) uses crate::run::Run of run/mod.rs (roof)"]);
    }

    #[test]
    fn a_file_without_a_row_and_a_row_without_a_file_are_found() {
        let files = sample(&[("lib.rs", ""), ("error.rs", ""), ("other.rs", "")]);
        assert_eq!(wrong_ways(ROWS, &files), ["other.rs belongs to no row", "no file begins with run/"]);
    }

    #[test]
    fn a_circle_is_found_and_a_way_without_return_is_none() {
        let line = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::c::C;\npub struct B;"),
        ];
        let open = sample(&[line[0], line[1], line[2], ("c.rs", "pub struct C;")]);
        assert!(circles(&open).is_empty());
        let closed = sample(&[line[0], line[1], line[2], ("c.rs", "pub struct C; fn f(a: crate::a::A) {}")]);
        assert_eq!(circles(&closed), ["a -> b -> c -> a"]);
    }
}
