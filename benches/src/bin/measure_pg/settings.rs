use serde_json::{Map, Value, json};
use sqlx::{Connection as _, Row as _};

use crate::Result;
use crate::bench::Bench;

/// Settings of the server that matter, as it has them.
const NAMES: &[&str] = &[
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "autovacuum",
    "shared_buffers",
    "max_wal_size",
    "checkpoint_timeout",
    "max_connections",
    "jit",
];

/// What the figures depend on: the machine, the server and how it is set, the versions of what is
/// measured.
pub(crate) async fn read(bench: &Bench) -> Result<Value> {
    let mut admin = bench.cluster.admin().await?;
    let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    let rows = sqlx::query("SELECT name, current_setting(name) FROM unnest($1::text[]) AS name")
        .bind(&names)
        .fetch_all(&mut admin)
        .await?;
    admin.close().await?;
    let server: Map<String, Value> =
        rows.iter().map(|row| Ok((row.try_get(0)?, Value::String(row.try_get(1)?)))).collect::<sqlx::Result<_>>()?;
    let cores = std::thread::available_parallelism()?.get();
    Ok(json!({
        "worktruck": env!("CARGO_PKG_VERSION"),
        "peer": bench.peers.version(),
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "cores": cores,
        "memory_kb": memory_kb(),
        "connections_each": bench.size.pool,
        "rounds": bench.size.rounds,
        "quick": bench.size.quick,
        "server": server,
    }))
}

fn memory_kb() -> Option<u64> {
    let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim().parse().ok()
}
