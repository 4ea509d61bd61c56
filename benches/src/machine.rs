//! What figures depend on beside what is measured, and how people are told of it.

use serde_json::{Value, json};

/// The machine: its kernel, how many cores it has, and how much memory.
#[must_use]
pub fn machine() -> Value {
    json!({
        "worktruck": env!("CARGO_PKG_VERSION"),
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_kb": memory_kb(),
    })
}

fn memory_kb() -> Option<u64> {
    let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Says on standard error what is being measured: a whole run takes many minutes.
#[expect(clippy::print_stderr, reason = "progress is for people, and standard output for figures")]
pub fn progress(text: &str) {
    eprintln!("… {text}");
}
