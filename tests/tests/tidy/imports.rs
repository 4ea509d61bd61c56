//! Which files a file of a crate imports from, found by its paths that begin inside the crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, shipped};

/// The files of one crate's `src`, by module.
#[derive(Debug)]
pub(crate) struct Crate {
    /// The path of a module such as `run::record`, empty for the root, to the file that holds it.
    modules: BTreeMap<Vec<String>, String>,
    /// The code of each file without what only tests see.
    code: BTreeMap<String, String>,
}

impl Crate {
    /// The crate whose files these are, their paths beginning inside `src`. Files of tests are left out.
    pub(crate) fn new(files: &[Source]) -> Self {
        let shipped_files = files.iter().filter(|file| !is_test(&file.path));
        let code: BTreeMap<_, _> = shipped_files.map(|file| (file.path.clone(), shipped(&file.text))).collect();
        let modules = code.keys().map(|path| (module(path), path.clone())).collect();
        Self { modules, code }
    }

    /// The files of the crate.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.code.keys().map(String::as_str)
    }

    /// The files from which `file` takes something, each with the path that says so.
    ///
    /// What a parent merely passes on (`pub use child::Name`) is no import: it is what makes the
    /// public names of a module independent of the files behind them.
    pub(crate) fn imports(&self, file: &str) -> BTreeSet<(String, String)> {
        let code = &self.code[file];
        let here = module(file);
        let mut found = BTreeSet::new();
        for path in uses(code).into_iter().chain(inline(code)) {
            if let Some(target) = self.target(&here, &path).filter(|target| target != file) {
                found.insert((target, path.join("::")));
            }
        }
        found
    }

    fn target(&self, here: &[String], path: &[String]) -> Option<String> {
        let mut base = here.to_vec();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            // A path that begins with a child module; anything else is outside the crate.
            first => {
                base.push(first.to_owned());
                self.modules.get(&base)?;
                rest = &rest[1..];
            }
        }
        Some(self.resolve(base, rest))
    }

    /// The file that holds what `rest` names inside the module `base`.
    fn resolve(&self, mut base: Vec<String>, rest: &[String]) -> String {
        let mut rest = rest.iter().map(String::as_str).filter(|part| *part != "self");
        let mut part = rest.next();
        while let Some(name) = part {
            base.push(name.to_owned());
            if !self.modules.contains_key(&base) {
                base.pop();
                return match self.passed_on(&base, name) {
                    Some(mut onwards) => {
                        onwards.extend(rest.map(str::to_owned));
                        self.resolve(base, &onwards)
                    }
                    None => self.modules[&base].clone(),
                };
            }
            part = rest.next();
        }
        self.modules[&base].clone()
    }

    /// The path behind `name` where the module re-exports it from one of its children.
    fn passed_on(&self, base: &[String], name: &str) -> Option<Vec<String>> {
        let code = &self.code[&self.modules[base]];
        let passed = statements(code, "use ").into_iter().filter(|(is_public, _)| *is_public);
        let mut paths = passed.flat_map(|(_, tree)| expand(&tree));
        paths.find(|path| {
            let child: Vec<_> = base.iter().chain(path.first()).cloned().collect();
            path.len() > 1 && path.last().is_some_and(|last| last == name) && self.modules.contains_key(&child)
        })
    }
}

fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

fn module(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let mut parts: Vec<_> = stem.split('/').map(str::to_owned).collect();
    parts.pop_if(|last| matches!(last.as_str(), "mod" | "lib"));
    parts
}

/// The paths of the `use` statements, those that only pass on left out.
fn uses(code: &str) -> Vec<Vec<String>> {
    let own = statements(code, "use ").into_iter().filter(|(is_public, tree)| {
        !is_public || ["crate", "super"].iter().any(|start| tree.trim_start().starts_with(start))
    });
    own.flat_map(|(_, tree)| expand(&tree)).collect()
}

/// The paths such as `crate::journal::call_digest` that stand inside expressions.
fn inline(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].trim_end();
            if before.ends_with("use") || code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c)) {
                continue;
            }
            let end =
                code[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(code.len() - at);
            let path = code[at..at + end].trim_end_matches(':');
            found.push(path.split("::").map(str::to_owned).collect());
        }
    }
    found
}

/// What follows a keyword up to its `;`, and whether `pub` stands before it.
fn statements(code: &str, keyword: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(keyword) {
        let line = &code[code[..at].rfind('\n').map_or(0, |newline| newline + 1)..at];
        let before = line.trim();
        if before.is_empty() || before == "pub" || (before.starts_with("pub(") && before.ends_with(')')) {
            let rest = &code[at + keyword.len()..];
            found.push((!before.is_empty(), rest[..rest.find(';').unwrap_or(rest.len())].to_owned()));
        }
    }
    found
}

/// The paths of a use tree: `a::{b, c::D as E}` is `a::b` and `a::c::D`.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        return vec![path.split("::").map(|part| part.trim().to_owned()).collect()];
    };
    let prefix: Vec<_> =
        tree[..open].split("::").map(|part| part.trim().to_owned()).filter(|p| !p.is_empty()).collect();
    let inside = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let mut paths = Vec::new();
    for branch in branches(inside) {
        paths.extend(expand(branch).into_iter().map(|path| [prefix.clone(), path].concat()));
    }
    paths
}

fn branches(inside: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&inside[start..]);
    found.retain(|branch| !branch.trim().is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(file: &str, files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        Crate::new(&sources).imports(file).into_iter().map(|(target, _)| target).collect()
    }

    #[test]
    fn names_are_followed_to_the_file_that_holds_them() {
        let files = [
            ("lib.rs", "mod error;\npub mod run;\npub mod store;\npub use error::{Error, Result};"),
            ("error.rs", "pub struct Error;"),
            ("run/mod.rs", "mod record;\npub use record::RunRecord;\npub struct Run;"),
            ("run/record.rs", "use super::Run;\nuse crate::{Error, store::Changes as C};"),
            ("store/mod.rs", "pub struct Changes;\nfn f(run: crate::run::RunRecord) {}"),
        ];
        assert_eq!(imports("run/record.rs", &files), ["error.rs", "run/mod.rs", "store/mod.rs"]);
        assert_eq!(imports("store/mod.rs", &files), ["run/record.rs"]);
        assert!(imports("run/mod.rs", &files).is_empty(), "passing a name on is no import");
    }

    #[test]
    fn the_use_of_a_child_is_an_import_and_that_of_another_crate_is_none() {
        let files =
            [("a/mod.rs", "mod b;\nuse b::C;\nuse std::fmt;"), ("a/b.rs", "pub struct C;"), ("lib.rs", "mod a;")];
        assert_eq!(imports("a/mod.rs", &files), ["a/b.rs"]);
    }

    #[test]
    fn tests_and_comments_import_nothing() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "// use crate::b::B;\n#[cfg(test)]\nmod tests { use crate::b::B; }"),
            ("b.rs", "pub struct B;"),
        ];
        assert!(imports("a.rs", &files).is_empty());
    }
}
