use std::pin::pin;
use std::sync::Arc;

use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, join_all, select};
use futures::{FutureExt as _, poll};

use crate::store::Store;

/// Work that a stage runs for a scenario.
pub type Task = BoxFuture<'static, ()>;

/// What a scenario runs on: a store that nobody else uses, tasks, and patience.
///
/// Core has neither a runtime nor a clock, so whoever runs a scenario lends it both.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The store.
    pub store: Arc<dyn Store>,
    spawn: fn(Task) -> Task,
    patience: fn() -> Task,
}

impl Stage {
    /// A stage with `store` on it.
    ///
    /// `spawn` starts a task at once, on another thread where there is one, and returns a future
    /// that ends with it and panics if it did. `patience` returns a future that ends when something
    /// that should have happened by now never will.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, spawn: fn(Task) -> Task, patience: fn() -> Task) -> Self {
        Self { store, spawn, patience }
    }

    /// Runs `count` tasks at the same time and returns their answers in the order of their numbers.
    pub(super) async fn in_parallel<T: Send + 'static>(
        &self,
        count: u32,
        work: impl Fn(u32, Arc<dyn Store>) -> BoxFuture<'static, T>,
    ) -> Vec<T> {
        let (tasks, answers): (Vec<_>, Vec<_>) = (0..count)
            .map(|n| {
                let (send, receive) = oneshot::channel();
                let work = work(n, Arc::clone(&self.store));
                let task = (self.spawn)(
                    async move {
                        // The receiver outlives the task: it is read below.
                        let _ = send.send(work.await);
                    }
                    .boxed(),
                );
                (task, receive)
            })
            .unzip();
        join_all(tasks).await;
        join_all(answers).await.into_iter().map(|answer| answer.expect("a task ended without an answer")).collect()
    }

    /// The answer of `work`, or a panic saying that `what` did not happen.
    pub(super) async fn in_time<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        match select(pin!(work), (self.patience)()).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => panic!("{what} did not happen in time"),
        }
    }
}

/// Lets other tasks of the thread run first.
pub(super) async fn step_aside() {
    let (send, receive) = oneshot::channel();
    let mut receive = pin!(receive);
    // The first look registers the waker, so that the answer puts this task at the end of the queue.
    let _ = poll!(&mut receive);
    let _ = send.send(());
    futures::pending!();
    let _ = receive.await;
}
