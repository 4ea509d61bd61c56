use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::Result;
use crate::bench::Bench;
use worktruck_benches::cluster::run;

/// Rows of about 1 KB that the database itself inserts in a second, each in a commit, through so
/// many clients with prepared statements.
pub(crate) async fn inserts(bench: &Bench, clients: usize, time: Duration) -> Result<f64> {
    let database = bench.database().await?;
    let mut connection = PgConnection::connect(&database.url).await?;
    connection.execute("CREATE TABLE inserted (id uuid, seq int, body jsonb NOT NULL, PRIMARY KEY (id, seq))").await?;
    connection.close().await?;
    let script = bench.cluster.socket().join("insert.sql");
    std::fs::write(&script, "INSERT INTO inserted (id, seq, body) VALUES (gen_random_uuid(), 1, :body);\n")?;
    let body = serde_json::json!({ "input": "x".repeat(480), "output": "y".repeat(480) });
    let threads = clients.min(2).to_string();
    let mut pgbench = bench.cluster.program("pgbench");
    pgbench
        .args(["--no-vacuum", "--protocol=prepared", "--username=postgres"])
        .arg("--host")
        .arg(bench.cluster.socket())
        .args(["--client", &clients.to_string(), "--jobs", &threads, "--time", &time.as_secs().max(1).to_string()])
        .args(["--define", &format!("body={body}"), "--file"])
        .arg(&script)
        .arg(&database.name);
    let printed = run(&mut pgbench)?;
    let rate = printed.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.ok_or_else(|| format!("pgbench told no rate: {printed}").into())
}
