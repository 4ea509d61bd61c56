use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use durare::{DurableEngine, PostgresProvider, Result, WorkflowQueue};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// The queue that queued runs go through.
pub(crate) const QUEUE: &str = "bench";

/// Where durare works.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The database.
    #[arg(long)]
    url: String,
    /// How many connections.
    #[arg(long, default_value_t = 20)]
    pool: u32,
    /// How long the queue waits between two looks, in milliseconds.
    #[arg(long, default_value_t = 20)]
    poll: u64,
}

impl Place {
    /// An engine over a pool whose connections are all open, with a queue for `at_once` runs.
    pub(crate) async fn open(&self, at_once: usize) -> Result<(DurableEngine, PgPool)> {
        let options = PgConnectOptions::from_str(&self.url)?.options([("search_path", "dbos")]);
        let pool = PgPoolOptions::new().max_connections(self.pool).min_connections(self.pool);
        let pool = pool.test_before_acquire(false).connect_with(options).await?;
        let provider = PostgresProvider::from_pool_with_schema(pool.clone(), "dbos")?;
        let mut engine = DurableEngine::new(Arc::new(provider)).await?;
        let poll = Duration::from_millis(self.poll);
        engine.register_queue(
            WorkflowQueue::new(QUEUE)
                .worker_concurrency(at_once)
                .base_polling_interval(poll)
                .max_polling_interval(poll),
        );
        crate::workload::prepare(&pool).await?;
        Ok((engine, pool))
    }
}
