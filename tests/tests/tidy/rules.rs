//! Rules about one file each: functions of its path and text that answer with what is wrong.

use crate::source::{Source, code, shipped};

/// The longest a file may be.
pub(crate) const MAX_LINES: usize = 600;

/// Where core may be asynchronous, and why.
pub(crate) const ASYNC_IN_CORE: &[(&str, &str)] = &[
    ("model.rs", "the port to models"),
    ("tool.rs", "the port to tools"),
    ("store/entity.rs", "a port of storage"),
    ("store/run.rs", "a port of storage"),
    ("store/outbox.rs", "a port of storage"),
    ("store/api_key.rs", "a port of storage"),
    ("store/audit.rs", "a port of storage"),
    ("store/request.rs", "a port of storage"),
    ("store/usage.rs", "a port of storage"),
    ("store/retention.rs", "a port of storage"),
    ("store/secret.rs", "a port of storage"),
    ("store/tenant.rs", "a port of storage"),
    ("store/view.rs", "answers a tool's reads through the port of entities"),
    ("store/tried.rs", "tries changes on what the view answers"),
    ("pim/", "operations read through the view"),
    ("undo/", "reads what a run did, and undoes it, through the port of entities"),
    ("store/memory/", "implements the ports of storage"),
    ("testing/", "implements and exercises the ports of storage"),
];

/// Lines of core that are asynchronous where core must be a plain function of its arguments.
/// The path begins inside core's `src`.
pub(crate) fn asynchronous(file: &Source) -> Vec<String> {
    if ASYNC_IN_CORE.iter().any(|(path, _)| file.path.starts_with(path)) {
        return Vec::new();
    }
    let words = ["async", "await"];
    lines_with(&file.path, &shipped(&file.text), |line| words_of(line).any(|word| words.contains(&word)))
}

/// What is wrong with the length of a file.
pub(crate) fn too_long(file: &Source) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines > MAX_LINES { vec![format!("{}: {lines} lines", file.path)] } else { Vec::new() }
}

/// Tests that do not run, and code that is not there yet.
pub(crate) fn unfinished(file: &Source) -> Vec<String> {
    let text = code(&file.text);
    lines_with(&file.path, &text, |line| {
        let packed: String = line.split_whitespace().collect();
        let ignored = packed.contains("#[ignore") || packed.contains(",ignore)]") || packed.contains(",ignore=");
        ignored || packed.contains("todo!(") || packed.contains("unimplemented!(")
    })
}

/// Tests that wait for the clock: they are slow on a fast machine and fail on a slow one.
pub(crate) fn sleeps(file: &Source) -> Vec<String> {
    lines_with(&file.path, &code(&file.text), |line| line.contains("thread::sleep("))
}

/// Whether a manifest takes its lints from the workspace.
pub(crate) fn inherits_lints(manifest: &str) -> bool {
    let after = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    after.take_while(|line| !line.starts_with('[')).any(|line| line.replace(' ', "") == "workspace=true")
}

fn lines_with(path: &str, text: &str, bad: impl Fn(&str) -> bool) -> Vec<String> {
    let numbered = text.lines().enumerate().filter(|(_, line)| bad(line));
    numbered.map(|(n, line)| format!("{path}:{}: {}", n + 1, line.trim())).collect()
}

fn words_of(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asynchronous_code_is_found_where_it_must_not_be() {
        let text = "//! async words in a comment\npub async fn f() {}\nlet s = \"await\";\n#[cfg(test)]\nmod tests { async fn g() {} }";
        assert_eq!(asynchronous(&Source::new("executor/mod.rs", text)), ["executor/mod.rs:2: pub async fn f() {}"]);
        assert!(asynchronous(&Source::new("store/memory/run.rs", text)).is_empty());
    }

    #[test]
    fn a_file_is_too_long_from_the_first_line_above_the_limit() {
        let lines = |n: usize| Source::new("a.rs", &"x\n".repeat(n));
        assert!(too_long(&lines(MAX_LINES)).is_empty());
        assert_eq!(too_long(&lines(MAX_LINES + 1)), ["a.rs: 601 lines"]);
    }

    #[test]
    fn ignored_tests_and_missing_code_are_found() {
        for bad in
            ["#[ignore]", "#[ignore = \"slow\"]", "#[cfg_attr(unix, ignore)]", "todo!()", "unimplemented!(\"later\")"]
        {
            assert_eq!(unfinished(&Source::new("a.rs", bad)).len(), 1, "{bad}");
        }
        assert!(unfinished(&Source::new("a.rs", "// todo!()\nlet ignore = \"#[ignore]\";")).is_empty());
    }

    #[test]
    fn a_sleep_is_found() {
        assert_eq!(sleeps(&Source::new("a.rs", "std::thread::sleep(d);")).len(), 1);
        assert!(sleeps(&Source::new("a.rs", "// thread::sleep(d)")).is_empty());
    }

    #[test]
    fn lints_of_their_own_are_not_those_of_the_workspace() {
        assert!(inherits_lints("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints("[dependencies]\nworkspace = true\n"));
        assert!(!inherits_lints("[lints]\n[lints.rust]\nworkspace = true\n"));
    }
}
