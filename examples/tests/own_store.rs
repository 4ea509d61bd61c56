//! `09_own_store` as a program: every scenario passes, and reaches every method of the store.

use std::process::Command;

use worktruck_core::testing::conformance::SCENARIOS;

#[test]
fn store_passes_every_scenario() {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("examples/09_own_store");
    let output = Command::new(&program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let count = SCENARIOS.len();
    assert!(count >= 60, "{count}");
    assert!(text.starts_with(&format!("{count} of {count} scenarios passed.\n")), "{text}");
    let source = include_str!("../src/counting_store.rs");
    let methods = source.lines().filter_map(|line| line.strip_prefix("    async fn ")?.split('(').next());
    let methods: Vec<_> = methods.filter(|method| !method.starts_with("count")).collect();
    assert!(methods.len() >= 40, "{methods:?}");
    for method in methods {
        assert!(text.contains(&format!("\n  {method} ")), "nobody asks for {method}:\n{text}");
    }
}
