//! How much work waits for a worker, as numbers.

use std::sync::Arc;
use std::time::Duration;

use worktruck_core::Result;

use crate::Runtime;
use crate::metrics::Measured;
use crate::runtime::Ports;

/// How often a worker looks how much work waits.
const PAUSE: Duration = Duration::from_secs(15);

/// Measures what waits again and again.
pub(crate) async fn measure(ports: Arc<Ports>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        if let Err(error) = ports.measure_queues().await {
            tracing::debug!(error = %error.chain(), "cannot look how much work waits");
        }
    }
}

impl Runtime {
    /// Measures now how much work waits of each blueprint that this runtime has. Its workers do so every 15 seconds.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn measure_queues(&self) -> Result<()> {
        self.ports.measure_queues().await
    }
}

impl Ports {
    async fn measure_queues(&self) -> Result<()> {
        let now = self.clock.now();
        let queues = self.store.queues(now).await?;
        for blueprint in self.blueprints.keys() {
            let found = queues.iter().find(|queue| queue.blueprint == *blueprint);
            let (depth, age) = found.map_or_else(Default::default, |queue| (queue.depth, now.since(queue.oldest)));
            self.metrics.record(Measured::Queued { blueprint, depth, age });
        }
        Ok(())
    }
}
