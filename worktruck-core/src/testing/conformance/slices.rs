//! What [`EntityStore::slices`](crate::store::EntityStore::slices) promises.

use serde_json::json;

use crate::store::Version;
use crate::temporal::WriteOp;
use crate::{ErrorKind, Period, TenantId, Timestamp};

use super::Stage;
use super::build::*;

/// All of valid time.
fn always() -> Period {
    Period::starting(at(-1_000))
}

/// The slices of contact 1, as name, begin and end; a deletion has no name.
async fn slices(
    stage: &Stage,
    tenant: TenantId,
    valid: Period,
    as_of: Option<Timestamp>,
) -> Vec<(Option<String>, Timestamp, Timestamp)> {
    let found = stage.store.slices(tenant, contact(1), valid, as_of, at(900)).await.expect("slices are read");
    let name = |version: &Version| version.slice.body.as_ref().map(|_| name_of(version));
    found.iter().map(|version| (name(version), version.valid().from(), version.valid().to())).collect()
}

fn slice(name: &str, from: i64, to: i64) -> (Option<String>, Timestamp, Timestamp) {
    (Some(name.to_owned()), at(from), at(to))
}

/// What an entity is is told stretch by stretch: what was written, what is left of older writes, and that it ended.
pub async fn slices_show_an_entity_over_all_of_valid_time(stage: Stage) {
    let tenant = stage.tenant(1).await;
    assert_eq!(slices(&stage, tenant, always(), None).await, [], "what was never written has none");
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    stage.write_valid(tenant, 1, WriteOp::Put(named("Ada on tour")), (at(300), Some(at(400))), at(20)).await;
    stage.write_valid(tenant, 1, WriteOp::Delete, (at(600), Some(at(700))), at(30)).await;
    stage.write_valid(tenant, 1, WriteOp::Patch(json!({ "display_name": "Mrs King" })), (at(800), None), at(40)).await;
    let forever = Timestamp::FOREVER;
    let all = [
        slice("Ada", 10, 300),
        slice("Ada on tour", 300, 400),
        slice("Ada", 400, 600),
        (None, at(600), at(700)),
        slice("Ada", 700, 800),
        (Some("Mrs King".to_owned()), at(800), forever),
    ];
    assert_eq!(slices(&stage, tenant, always(), None).await, all);

    // Those that have a part in a stretch come whole, and their neighbours do not.
    let some = Period::new(at(350), at(601)).expect("a period");
    assert_eq!(slices(&stage, tenant, some, None).await, all[1..4]);
    let some = Period::new(at(400), at(600)).expect("a period");
    assert_eq!(slices(&stage, tenant, some, None).await, all[2..3]);
    let before = Period::new(at(0), at(10)).expect("a period");
    assert_eq!(slices(&stage, tenant, before, None).await, [], "where it never was there is none");

    // Each says which write it is of.
    let found = stage.store.slices(tenant, contact(1), always(), None, at(900)).await.expect("slices are read");
    let versions: Vec<u64> = found.iter().map(|version| version.slice.version).collect();
    assert_eq!(versions, [1, 2, 1, 3, 1, 4]);
    assert!(found.iter().all(|version| version.provenance == person() && version.created_at == at(10)));
}

/// What was known at a moment is told again, whatever was written since.
pub async fn slices_are_those_of_the_moment(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    stage.write_valid(tenant, 1, WriteOp::Put(named("Ada King")), (at(15), None), at(20)).await;
    stage.write(tenant, 1, WriteOp::Delete, at(30)).await;
    let forever = Timestamp::FOREVER;
    assert_eq!(slices(&stage, tenant, always(), Some(at(9))).await, []);
    assert_eq!(slices(&stage, tenant, always(), Some(at(10))).await, [(Some("Ada".to_owned()), at(10), forever)]);
    let cut = [slice("Ada", 10, 15), (Some("Ada King".to_owned()), at(15), forever)];
    assert_eq!(slices(&stage, tenant, always(), Some(at(29))).await, cut);
    let ended = [slice("Ada", 10, 15), slice("Ada King", 15, 30), (None, at(30), forever)];
    assert_eq!(slices(&stage, tenant, always(), Some(at(30))).await, ended);
    assert_eq!(slices(&stage, tenant, always(), None).await, ended);

    // No commit comes before a moment that was read.
    assert_eq!(slices(&stage, tenant, always(), Some(at(500))).await, ended);
    let late = stage.write(tenant, 1, WriteOp::Put(named("Ada again")), at(400)).await;
    assert!(late.at > at(500), "{}", late.at);
    assert_eq!(slices(&stage, tenant, always(), Some(at(500))).await, ended);

    let future = stage.store.slices(tenant, contact(1), always(), Some(at(901)), at(900)).await;
    assert_refused(future, ErrorKind::InvalidRequest, "slices of the future");
    stage.store.expire(tenant, at(30), 100, at(900)).await.expect("what is old is removed");
    let old = stage.store.slices(tenant, contact(1), always(), Some(at(29)), at(900)).await;
    assert_refused(old, ErrorKind::HistoryExpired, "slices before the horizon");
    assert_eq!(slices(&stage, tenant, always(), Some(at(30))).await, ended, "what was believed then stays");
}

/// `slices` tells nothing of another tenant.
pub async fn slices_show_nothing_of_another_tenant(stage: Stage) {
    let [rich, poor] = stage.tenants().await;
    stage.create(rich, 1, named("Ada"), at(10)).await;
    assert_eq!(slices(&stage, rich, always(), None).await.len(), 1);
    assert_eq!(slices(&stage, poor, always(), None).await, []);
    assert_eq!(slices(&stage, poor, always(), Some(at(20))).await, []);
}
