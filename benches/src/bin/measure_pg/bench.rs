use std::time::Duration;

use sqlx::{Connection as _, Executor as _};

use crate::Result;
use crate::peers::Peers;
use worktruck_benches::cluster::{Cluster, Database};

/// What every part measures on.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) cluster: Cluster,
    pub(crate) peers: Peers,
    pub(crate) size: Size,
    /// Of the steps, only what has this in its name is measured.
    pub(crate) only: Option<String>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// How often each thing is measured.
    pub(crate) rounds: usize,
    /// Whether it is for development only: a smaller number of everything.
    pub(crate) quick: bool,
    /// How many connections each system has.
    pub(crate) pool: u32,
    /// How long leases last where a worker is to lose them.
    pub(crate) lease: Duration,
}

impl Size {
    /// The first if it is quick, else the second.
    pub(crate) const fn pick(&self, quick: usize, full: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

impl Bench {
    /// Whether what has this name is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }

    /// A database with nothing in it.
    pub(crate) async fn database(&self) -> Result<Database> {
        self.cluster.database().await
    }

    /// Changes settings of the running server, and returns when new connections have them.
    pub(crate) async fn set(&self, settings: &[(&str, &str)]) -> Result<()> {
        let mut admin = self.cluster.admin().await?;
        for (name, value) in settings {
            admin.execute(sqlx::AssertSqlSafe(format!("ALTER SYSTEM SET {name} = {value}"))).await?;
        }
        admin.execute("SELECT pg_reload_conf()").await?;
        for (name, value) in settings {
            let is_set = || sqlx::query_scalar("SELECT current_setting($1) = $2").bind(*name).bind(*value);
            while !is_set().fetch_one(&mut admin).await? {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        admin.close().await?;
        Ok(())
    }
}
