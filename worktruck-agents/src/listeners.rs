//! Who wants to be told of what happens to runs, within this process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use worktruck_core::RunId;

/// Who wants to be told that something happened to a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners {
    runs: Arc<Mutex<HashMap<RunId, Told>>>,
}

#[derive(Debug, Default)]
struct Told {
    notify: Arc<Notify>,
    listeners: usize,
}

impl Listeners {
    /// Listens until the listener is dropped.
    pub(crate) fn listen(&self, run: RunId) -> Listener {
        let mut runs = self.runs();
        let told = runs.entry(run).or_default();
        told.listeners += 1;
        Listener { notify: Arc::clone(&told.notify), run, all: self.clone() }
    }

    /// Tells all who listen.
    pub(crate) fn tell(&self, run: RunId) {
        if let Some(told) = self.runs().get(&run) {
            told.notify.notify_waiters();
        }
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Told>> {
        // A panic elsewhere cannot leave the map half written.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who listens.
#[derive(Debug)]
pub(crate) struct Listener {
    notify: Arc<Notify>,
    run: RunId,
    all: Listeners,
}

impl Listener {
    /// Completes when something happens from now on.
    pub(crate) fn told(&self) -> Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Entry::Occupied(mut told) = self.all.runs().entry(self.run) {
            told.get_mut().listeners -= 1;
            if told.get().listeners == 0 {
                told.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_kept_who_no_longer_listens() {
        let (listeners, run) = (Listeners::default(), RunId::from_uuid(uuid::Uuid::from_u128(1)));
        let (first, second) = (listeners.listen(run), listeners.listen(run));
        drop(first);
        assert_eq!(listeners.runs().len(), 1);
        drop(second);
        assert!(listeners.runs().is_empty());
        listeners.tell(run);
    }

    #[tokio::test]
    async fn all_who_listen_are_told_and_nobody_else() {
        let listeners = Listeners::default();
        let [run, other] = [1, 2].map(|n| RunId::from_uuid(uuid::Uuid::from_u128(n)));
        let heard = [listeners.listen(run), listeners.listen(run), listeners.listen(other)];
        let mut told = heard.each_ref().map(|listener| Box::pin(listener.told()));
        for told in &mut told {
            assert!(!told.as_mut().enable(), "nobody has told anything");
        }
        listeners.tell(run);
        let told = told.map(|mut told| told.as_mut().enable());
        assert_eq!(told, [true, true, false]);
    }
}
