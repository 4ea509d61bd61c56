use serde_json::{Map, Value, json};
use sqlx::{Connection as _, Row as _};
use worktruck_benches::machine::machine;

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
    let mut settings = machine();
    for (name, value) in [
        ("peer", json!(bench.peers.version())),
        ("connections_each", json!(bench.size.pool)),
        ("rounds", json!(bench.size.rounds)),
        ("quick", json!(bench.size.quick)),
        ("server", Value::Object(server)),
    ] {
        settings[name] = value;
    }
    Ok(settings)
}
