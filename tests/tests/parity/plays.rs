//! Whole runs of agents, by the scripts that the executor is tested with.

use std::sync::Arc;

use worktruck_core::store::{MemoryStore, Store};
use worktruck_core::testing::script::{Stage, scripts};

use crate::watched::Watched;

/// The names of all plays.
pub(crate) fn names() -> Vec<&'static str> {
    scripts::all().into_iter().map(|(name, _)| name).collect()
}

/// In the middle of a play: the worker crashes there, and another one takes over.
pub(crate) fn middle(name: &str) -> usize {
    let mut stage = stage(name, Arc::new(MemoryStore::default()));
    play(&mut stage);
    stage.points() / 2
}

/// Plays a script, with a crash at this point.
pub(crate) async fn script(store: Arc<Watched>, name: &'static str, crash: Option<usize>) {
    let play = move || {
        let mut stage = stage(name, Arc::clone(&store) as Arc<dyn Store>);
        if let Some(point) = crash {
            stage.crash_at(point);
        }
        play(&mut stage);
        stage.journal_in(&*store).expect("the chain verifies");
        stage.contacts_in(&*store).expect("the contacts are listed");
    };
    // The stage waits for the store as a function does.
    tokio::task::spawn_blocking(play).await.expect("the play ends");
}

fn stage(name: &str, store: Arc<dyn Store>) -> Stage {
    let (_, script) = scripts::all().into_iter().find(|(of, _)| *of == name).expect("there is such a script");
    Stage::new(script, store)
}

fn play(stage: &mut Stage) {
    stage.prepare().and_then(|()| stage.play()).unwrap_or_else(|error| panic!("{}", error.chain()));
}
