//! The architecture as tests: what `ARCHITECTURE.md` calls an invariant of the layout fails here
//! when it is broken. Every rule is a function that is also shown a bad sample.

#![expect(clippy::unwrap_used, reason = "a workspace that cannot be read fails the test")]

mod imports;
mod layers;
mod manifests;
mod rules;
mod source;

use std::fs;

use imports::Crate;
use source::{Source, root, rust_files};

/// Fails with every sentence that says what is wrong.
fn nothing(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The files of a crate's `src`, their paths beginning inside it.
fn sources_of(package: &str) -> Vec<Source> {
    let start = format!("{package}/src/");
    let inside = |file: Source| file.path.strip_prefix(&start).map(|path| Source::new(path, &file.text));
    let files: Vec<_> = rust_files().into_iter().filter_map(inside).collect();
    assert!(!files.is_empty(), "{package} has no sources");
    files
}

#[test]
fn crates_depend_in_one_direction() {
    let members = manifests::members();
    assert!(members.len() >= 5, "the workspace has its members");
    nothing(&members.iter().flat_map(manifests::wrong_ways).collect::<Vec<_>>());
}

#[test]
fn nothing_forbidden_is_below_a_crate() {
    for (package, never) in manifests::NEVER_BELOW {
        let below = manifests::below(package);
        assert!(below.iter().any(|name| name == "serde"), "the tree of {package} is read");
        nothing(&manifests::forbidden(package, never, &below));
    }
}

#[test]
fn no_file_of_core_imports_one_above_it() {
    nothing(&layers::wrong_ways(layers::CORE, &Crate::new(&sources_of("worktruck-core"))));
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    for package in ["worktruck-agents", "worktruck-server", "worktruck-store-sqlite"] {
        nothing(&layers::circles(&Crate::new(&sources_of(package))));
    }
}

#[test]
fn core_is_synchronous_but_for_its_ports() {
    let core = sources_of("worktruck-core");
    for (path, _) in rules::ASYNC_IN_CORE {
        assert!(core.iter().any(|file| file.path.starts_with(path)), "{path} is not there any more");
    }
    nothing(&core.iter().filter(|file| !file.path.contains("tests")).flat_map(rules::asynchronous).collect::<Vec<_>>());
}

#[test]
fn files_stay_short() {
    nothing(&rust_files().iter().flat_map(rules::too_long).collect::<Vec<_>>());
}

#[test]
fn nothing_is_ignored_or_left_for_later() {
    nothing(&rust_files().iter().flat_map(rules::unfinished).collect::<Vec<_>>());
}

#[test]
fn nothing_sleeps_on_a_thread() {
    nothing(&rust_files().iter().flat_map(rules::sleeps).collect::<Vec<_>>());
}

#[test]
fn every_member_takes_the_lints_of_the_workspace() {
    for member in manifests::members() {
        let manifest = member["manifest_path"].as_str().unwrap();
        assert!(rules::inherits_lints(&fs::read_to_string(manifest).unwrap()), "{manifest}");
    }
}

#[test]
fn members_are_ready_to_be_published() {
    nothing(&manifests::members().iter().flat_map(manifests::unpublishable).collect::<Vec<_>>());
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md"] {
        assert!(root().join(file).is_file(), "{file} is missing");
    }
}
