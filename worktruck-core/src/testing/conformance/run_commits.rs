//! What [`EntityStore::commits_of`](crate::store::EntityStore::commits_of) promises.

use futures::FutureExt as _;

use crate::run::Transition;
use crate::store::{Changes, Provenance, TenantCommit};
use crate::temporal::WriteOp;
use crate::{ErrorKind, RunId, TenantId};

use super::Stage;
use super::build::*;

/// All commits of a run, page by page.
async fn commits(stage: &Stage, tenant: TenantId, run: RunId, limit: u16) -> Vec<TenantCommit> {
    walk_pages(limit, |page| {
        async move { stage.store.commits_of(tenant, run, page).await.expect("the commits of a run are read") }.boxed()
    })
    .await
}

fn numbers(commits: &[TenantCommit]) -> Vec<u64> {
    commits.iter().map(|commit| commit.tx_id).collect()
}

fn creates(n: u32) -> Done {
    Done::with(Changes::none().create(contact(n), named("Ada")))
}

/// The commits that name a run are found among all others, in order, as the feed has them.
pub async fn commits_of_a_run_are_found_in_order(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    assert_eq!(commits(&stage, tenant, run_id(1), 10).await, [], "it has written nothing");
    stage.create(tenant, 10, named("Bob"), at(11)).await;
    let commit = held.commit(vec![creates(1), Done::nothing("read"), creates(2)], Transition::Continue);
    held.send(&stage, commit, at(12)).await;
    stage.create(tenant, 11, named("Cleo"), at(13)).await;
    let commit = held.commit(vec![creates(3)], Transition::Continue);
    held.send(&stage, commit, at(14)).await;
    let other = Provenance::agent_run(BLUEPRINT, run_id(2), 1);
    let changes = Changes::none().create(contact(20), named("Dora"));
    stage.store.apply(tenant, changes, other, at(15)).await.expect("a contact is created");
    let back = Changes::none().write(contact(1), WriteOp::Delete);
    stage.store.apply(tenant, back, Provenance::revert("user:ada", run_id(1)), at(16)).await.expect("it is undone");

    let found = commits(&stage, tenant, run_id(1), 10).await;
    assert_eq!(numbers(&found), [2, 3, 5, 7]);
    let steps: Vec<_> = found.iter().map(|commit| commit.provenance.step_seq).collect();
    assert_eq!(steps, [Some(1), Some(3), Some(4), None], "each says of which step it is");
    let feed: Vec<_> = stage.feed(tenant).await.into_iter().filter(|it| numbers(&found).contains(&it.tx_id)).collect();
    assert_eq!(found, feed, "they are those of the feed");
    assert_eq!(commits(&stage, tenant, run_id(1), 1).await, found, "one by one");
    assert_eq!(commits(&stage, tenant, run_id(1), 2).await, found, "two by two");
    assert_eq!(numbers(&commits(&stage, tenant, run_id(2), 2).await), [6]);
    let first = stage.store.commits_of(tenant, run_id(1), page(1, None)).await.expect("a page");
    let foreign = stage.store.commits_of(tenant, run_id(2), page(1, first.next_cursor)).await;
    assert_refused(foreign, ErrorKind::InvalidCursor, "the cursor of another run");
}

/// Commits before the horizon are not shown, whether they have been removed by then or not.
pub async fn commits_of_a_run_end_at_the_horizon(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    for (n, second) in [(1, 12), (2, 14), (3, 16)] {
        let commit = held.commit(vec![creates(n)], Transition::Continue);
        held.send(&stage, commit, at(second)).await;
    }
    assert_eq!(numbers(&commits(&stage, tenant, run_id(1), 10).await), [1, 2, 3]);
    // The contacts of the first two are there still, and with them who made them.
    stage.store.expire(tenant, at(16), 1, at(100)).await.expect("a piece is removed");
    assert_eq!(numbers(&commits(&stage, tenant, run_id(1), 10).await), [3]);
    while stage.store.expire(tenant, at(16), 1, at(100)).await.expect("a piece is removed").has_more {}
    assert_eq!(numbers(&commits(&stage, tenant, run_id(1), 10).await), [3]);
    stage.store.expire(tenant, at(90), 10, at(100)).await.expect("the rest is removed");
    assert_eq!(commits(&stage, tenant, run_id(1), 10).await, []);
}

/// `commits_of` tells nothing of another tenant.
pub async fn commits_of_a_run_are_those_of_one_tenant(stage: Stage) {
    let [rich, poor] = stage.tenants().await;
    for n in 1..3 {
        let changes = Changes::none().create(contact(n), named("Ada"));
        let provenance = Provenance::agent_run(BLUEPRINT, run_id(1), n);
        stage.store.apply(rich, changes, provenance, at(10)).await.expect("a contact is created");
    }
    assert_eq!(commits(&stage, poor, run_id(1), 10).await, []);
    let cursor = stage.store.commits_of(rich, run_id(1), page(1, None)).await.expect("a page").next_cursor;
    let foreign = stage.store.commits_of(poor, run_id(1), page(1, cursor)).await;
    assert_refused(foreign, ErrorKind::InvalidCursor, "a foreign cursor");
}
