//! What tenants are, and that nothing of one is visible to another: one scenario a method.

use serde_json::json;

use crate::entity::{Kind, Term};
use crate::run::{Lease, NewRun, Renewal, Signal, Transition};
use crate::store::{Changes, ListQuery, NewTenant, Plan, Require, RunQuery, Tenant, TenantPatch};
use crate::temporal::{At, WriteOp};
use crate::{Cursor, ErrorKind, TenantId};

use super::Stage;
use super::build::*;

fn new_tenant(n: u32, slug: &str) -> NewTenant {
    NewTenant {
        name: Some("Ada & Co \u{e9}".to_owned()),
        plan: Plan::Pro,
        timezone: "Europe/Paris".to_owned(),
        retention_days: Some(400),
        ..NewTenant::new(tenant_id(n), slug)
    }
}

/// A tenant is found by both its names.
pub async fn tenant_is_found_by_id_and_slug(stage: Stage) {
    let made = stage.store.create_tenant(new_tenant(1, "ada-co_1"), at(10)).await.expect("a tenant is made");
    let expected = Tenant {
        id: tenant_id(1),
        slug: "ada-co_1".to_owned(),
        name: Some("Ada & Co \u{e9}".to_owned()),
        plan: Plan::Pro,
        timezone: "Europe/Paris".to_owned(),
        retention_days: Some(400),
        created_at: at(10),
    };
    assert_eq!(made, expected);
    assert_eq!(stage.store.tenant(tenant_id(1)).await.expect("an answer"), Some(expected.clone()));
    assert_eq!(stage.store.tenant_by_slug("ada-co_1").await.expect("an answer"), Some(expected));
    assert_eq!(stage.store.tenant(tenant_id(2)).await.expect("an answer"), None);
    for slug in ["ada-co", "ADA-CO_1", "", "%"] {
        assert_eq!(stage.store.tenant_by_slug(slug).await.expect("an answer"), None, "{slug:?} is nobody's");
    }
}

/// Neither a slug nor an id is given twice.
pub async fn tenant_slug_is_unique(stage: Stage) {
    stage.store.create_tenant(new_tenant(1, "ada"), at(10)).await.expect("a tenant is made");
    for new in [new_tenant(2, "ada"), new_tenant(1, "bob")] {
        let refused = stage.store.create_tenant(new, at(20)).await;
        assert_refused(refused, ErrorKind::Conflict, "a second tenant of the same slug or id");
    }
    assert_eq!(stage.store.tenant(tenant_id(2)).await.expect("an answer"), None);
    assert_eq!(stage.store.tenant_by_slug("bob").await.expect("an answer"), None);
    assert_eq!(stage.store.tenant(tenant_id(1)).await.expect("an answer").map(|t| t.slug).as_deref(), Some("ada"));
}

/// A slug is short and plain.
pub async fn malformed_slug_is_refused(stage: Stage) {
    for slug in ["", "Ada", "a b", "a/b", "\u{e9}", &"a".repeat(65)] {
        let refused = stage.store.create_tenant(new_tenant(1, slug), at(10)).await;
        assert_refused(refused, ErrorKind::InvalidRequest, &format!("the slug {slug:?}"));
    }
    assert_eq!(stage.store.tenant(tenant_id(1)).await.expect("an answer"), None);
}

/// Every tenant is on one page of the walk, in order of ids, also one that is made meanwhile.
pub async fn tenants_are_walked_by_id(stage: Stage) {
    for n in [5, 1, 4, 2] {
        stage.tenant(n).await;
    }
    let first = stage.store.tenants(page(2, None)).await.expect("a page");
    assert_eq!(first.data.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), [1, 2].map(tenant_id));
    assert!(first.has_more, "there are more");
    stage.tenant(3).await;
    let second = stage.store.tenants(page(3, first.next_cursor)).await.expect("a page");
    assert_eq!(second.data.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), [3, 4, 5].map(tenant_id));
    assert_eq!((second.has_more, second.next_cursor), (false, None));
    let damaged = stage.store.tenants(page(2, Some(Cursor::from_text("damaged")))).await;
    assert_refused(damaged, ErrorKind::InvalidCursor, "a damaged cursor");
}

/// How long a tenant keeps what it has is set when it is made, and later.
pub async fn retention_of_a_tenant_is_kept(stage: Stage) {
    let made = stage.store.create_tenant(new_tenant(1, "ada"), at(10)).await.expect("a tenant is made");
    assert_eq!(made.retention_days, Some(400));
    for days in [Some(1), None, Some(u32::MAX)] {
        let set = stage.store.update_tenant(made.id, TenantPatch::retention(days)).await.expect("the retention is set");
        assert_eq!(set, Tenant { retention_days: days, ..made.clone() });
        assert_eq!(stage.store.tenant(made.id).await.expect("an answer"), Some(set));
    }
    assert_refused(
        stage.store.update_tenant(made.id, TenantPatch::retention(Some(0))).await,
        ErrorKind::InvalidRequest,
        "no day",
    );
    assert_refused(
        stage.store.update_tenant(tenant_id(2), TenantPatch::retention(None)).await,
        ErrorKind::NotFound,
        "an unknown tenant",
    );
    let none = NewTenant { retention_days: Some(0), ..new_tenant(2, "bob") };
    assert_refused(stage.store.create_tenant(none, at(20)).await, ErrorKind::InvalidRequest, "a tenant of no day");
    let kept = stage.store.tenant(made.id).await.expect("an answer").and_then(|tenant| tenant.retention_days);
    assert_eq!(kept, Some(u32::MAX), "what is refused changes nothing");
}

/// What a patch names of a tenant changes, and nothing else.
pub async fn name_plan_and_zone_of_a_tenant_are_changed(stage: Stage) {
    let made = stage.store.create_tenant(new_tenant(1, "ada"), at(10)).await.expect("a tenant is made");
    let other = stage.tenant(2).await;
    let patches = [
        TenantPatch { timezone: Some("America/New_York".to_owned()), ..TenantPatch::default() },
        TenantPatch { name: Some(None), ..TenantPatch::default() },
        TenantPatch { plan: Some(Plan::Free), ..TenantPatch::default() },
        TenantPatch::default(),
        TenantPatch {
            name: Some(Some("Bob".to_owned())),
            plan: Some(Plan::Scale),
            timezone: Some("UTC".to_owned()),
            retention_days: Some(None),
        },
    ];
    let mut expected = made;
    for patch in patches {
        expected = patch.apply(expected);
        let changed = stage.store.update_tenant(expected.id, patch).await.expect("a tenant is changed");
        assert_eq!(changed, expected);
        assert_eq!(stage.store.tenant(expected.id).await.expect("an answer"), Some(expected.clone()));
    }
    for zone in ["Europe/Nowhere", "europe/paris", "", "+02:00"] {
        let patch = TenantPatch { timezone: Some(zone.to_owned()), name: Some(None), ..TenantPatch::default() };
        let refused = stage.store.update_tenant(expected.id, patch).await;
        assert_refused(refused, ErrorKind::InvalidRequest, &format!("the time zone {zone:?}"));
        let new = NewTenant { timezone: zone.to_owned(), ..NewTenant::new(tenant_id(3), "eve") };
        assert_refused(stage.store.create_tenant(new, at(20)).await, ErrorKind::InvalidRequest, "a tenant of no zone");
    }
    assert_eq!(stage.store.tenant(expected.id).await.expect("an answer"), Some(expected));
    let untouched = stage.store.tenant(other).await.expect("an answer").map(|tenant| (tenant.name, tenant.timezone));
    assert_eq!(untouched, Some((None, "UTC".to_owned())));
}

/// Two tenants: one with contacts and a run in hand, and one with nothing.
async fn rich_and_poor(stage: &Stage) -> (TenantId, TenantId, Held) {
    let (rich, poor) = (stage.tenant(1).await, stage.tenant(2).await);
    for n in 0..4 {
        stage.create(rich, n, tagged("Ada", "vip"), at(10)).await;
    }
    for n in 0..4 {
        stage.write(rich, n, WriteOp::Put(tagged("Ada King", "vip")), at(20)).await;
    }
    stage.enqueue(rich, 1, at(10)).await;
    let mut held = stage.take(at(10)).await;
    let commit = held.commit(vec![Done::nothing("secret")], Transition::Continue);
    held.send(stage, commit, at(12)).await;
    stage.enqueue(rich, 2, at(10)).await;
    (rich, poor, held)
}

/// `entity` tells nothing of another tenant.
pub async fn entity_of_another_tenant_is_not_read(stage: Stage) {
    let (_, poor, _) = rich_and_poor(&stage).await;
    for when in [At::NOW, At::as_of(at(15)), valid_at(at(15)), known_at(at(25), at(15))] {
        assert_eq!(stage.read(poor, 1, when, at(30)).await, None, "{when:?}");
    }
}

/// `list` tells nothing of another tenant, with and without filters.
pub async fn list_shows_nothing_of_another_tenant(stage: Stage) {
    let (rich, poor, _) = rich_and_poor(&stage).await;
    let all = ListQuery::new(Kind::Contact);
    let queries = [
        all.clone(),
        ListQuery { terms: vec![Term::new("tag", "vip")], ..all.clone() },
        ListQuery { text: Some("ada".to_owned()), ..all.clone() },
        ListQuery { at: At::as_of(at(15)), ..all.clone() },
    ];
    for query in queries {
        assert_eq!(stage.walk(poor, &query, 10, at(30)).await, Vec::<String>::new(), "{query:?}");
        assert_eq!(stage.walk(rich, &query, 10, at(30)).await.len(), 4, "{query:?} of the owner");
    }

    let first = stage.list(rich, ListQuery { page: page(2, None), ..all.clone() }, at(30)).await;
    let query = ListQuery { page: page(2, first.next_cursor), ..all };
    assert_refused(stage.store.list(poor, query, at(30)).await, ErrorKind::InvalidCursor, "a foreign cursor");
}

/// `history` tells nothing of another tenant.
pub async fn history_shows_nothing_of_another_tenant(stage: Stage) {
    let (rich, poor, _) = rich_and_poor(&stage).await;
    assert_eq!(stage.history(poor, 1, 10).await, []);
    let cursor = stage.store.history(rich, contact(1), page(1, None)).await.expect("a page").next_cursor;
    let foreign = stage.store.history(poor, contact(1), page(1, cursor)).await;
    assert_refused(foreign, ErrorKind::InvalidCursor, "a foreign cursor");
}

/// `changes` tells nothing of another tenant.
pub async fn feed_shows_nothing_of_another_tenant(stage: Stage) {
    let (rich, poor, _) = rich_and_poor(&stage).await;
    let feed = stage.store.changes(poor, None, page(10, None)).await.expect("the feed is read");
    assert_eq!((feed.data, feed.has_more), (Vec::new(), false));
    let cursor = stage.store.changes(rich, None, page(2, None)).await.expect("the feed is read").next_cursor;
    let foreign = stage.store.changes(poor, Some(cursor), page(2, None)).await;
    assert_refused(foreign, ErrorKind::InvalidCursor, "a foreign cursor");
}

/// `apply` neither sees nor touches what is another tenant's under the same key.
pub async fn same_key_of_two_tenants_is_two_entities(stage: Stage) {
    let (rich, poor, _) = rich_and_poor(&stage).await;
    let unique = Require::UniqueTerm { kind: Kind::Contact, term: Term::new("tag", "vip") };
    let changes = Changes::none().create(contact(1), tagged("Bob", "vip")).require(unique);
    let applied = stage.apply(poor, changes, at(30)).await;
    assert_eq!((applied.tx_id, &applied.versions[..]), (1, &[(contact(1), 1)][..]), "as if it were alone");
    assert_eq!(stage.name(rich, 1, At::NOW, at(40)).await.as_deref(), Some("Ada King"));
    assert_eq!(stage.name(poor, 1, At::NOW, at(40)).await.as_deref(), Some("Bob"));

    let changes = Changes::none().write(contact(2), WriteOp::Patch(json!({ "nickname": "mine" })));
    let refused = stage.store.apply(poor, changes, person(), at(40)).await;
    assert_refused(refused, ErrorKind::NotFound, "a patch of another tenant's contact");
    let changes = Changes::none().require(Require::Version { key: contact(2), version: 2 });
    let refused = stage.store.apply(poor, changes, person(), at(40)).await;
    assert_refused(refused, ErrorKind::VersionMismatch, "a requirement on another tenant's contact");
}

/// `purge` erases nothing of another tenant.
pub async fn purge_erases_nothing_of_another_tenant(stage: Stage) {
    let (rich, poor, _) = rich_and_poor(&stage).await;
    let refused = stage.store.purge(poor, contact(1), person(), at(30)).await;
    assert_refused(refused, ErrorKind::NotFound, "a purge of another tenant's contact");
    assert_eq!(stage.history(rich, 1, 10).await.len(), 2, "nothing was erased");
}

/// `run` tells nothing of another tenant.
pub async fn run_of_another_tenant_is_not_read(stage: Stage) {
    let (_, poor, _) = rich_and_poor(&stage).await;
    assert_eq!(stage.store.run(poor, run_id(1)).await.expect("an answer"), None);
}

/// `runs` tells nothing of another tenant.
pub async fn runs_show_nothing_of_another_tenant(stage: Stage) {
    let (rich, poor, _) = rich_and_poor(&stage).await;
    assert_eq!(stage.run_ids(poor, RunQuery::default()).await, []);
    let filtered = RunQuery { blueprint: Some(BLUEPRINT.to_owned()), ..RunQuery::default() };
    assert_eq!(stage.run_ids(poor, filtered).await, []);
    let first = RunQuery { page: page(1, None), ..RunQuery::default() };
    let cursor = stage.store.runs(rich, first).await.expect("a page").next_cursor;
    let query = RunQuery { page: page(1, cursor), ..RunQuery::default() };
    assert_refused(stage.store.runs(poor, query).await, ErrorKind::InvalidCursor, "a foreign cursor");
}

/// `journal` tells nothing of another tenant.
pub async fn journal_of_another_tenant_is_not_read(stage: Stage) {
    let (_, poor, _) = rich_and_poor(&stage).await;
    assert_eq!(stage.store.journal(poor, run_id(1)).await.expect("an answer"), None);
}

/// `events` tells nothing of another tenant.
pub async fn events_of_another_tenant_are_not_read(stage: Stage) {
    let (_, poor, _) = rich_and_poor(&stage).await;
    let events = stage.store.events(poor, run_id(1), page(10, None)).await;
    assert_refused(events, ErrorKind::NotFound, "the events of another tenant's run");
}

/// `signal` reaches no run of another tenant.
pub async fn signal_does_not_reach_another_tenant(stage: Stage) {
    let (rich, poor, _) = rich_and_poor(&stage).await;
    for n in [1, 2] {
        let before = stage.run(rich, run_id(n)).await;
        let refused = stage.store.signal(poor, run_id(n), Signal::Cancel { actor: None }, at(20)).await;
        assert_refused(refused, ErrorKind::NotFound, "a cancellation of another tenant's run");
        assert_eq!(stage.run(rich, run_id(n)).await, before, "the run is untouched");
    }
}

/// `renew` and `commit` take a lease only with the tenant it was given for.
pub async fn lease_under_another_tenant_is_worth_nothing(stage: Stage) {
    let (rich, poor, held) = rich_and_poor(&stage).await;
    let forged = Lease::new(poor, run_id(1), held.lease.fence(), held.lease.expires_at());
    let renewed = stage.store.renew(std::slice::from_ref(&forged), LEASE, at(20)).await.expect("an answer");
    assert_eq!(renewed, [Renewal::Lost(run_id(1))]);
    let before = (stage.run(rich, run_id(1)).await, stage.journal(rich, run_id(1)).await);
    let create = Changes::none().create(contact(9), named("Mallory"));
    let commit = held.commit(vec![Done::with(create)], Transition::Continue);
    assert_refused(stage.store.commit(&forged, commit, at(20)).await, ErrorKind::NotFound, "a forged lease");
    assert_eq!((stage.run(rich, run_id(1)).await, stage.journal(rich, run_id(1)).await), before);
    for tenant in [rich, poor] {
        assert_eq!(stage.read(tenant, 9, At::NOW, at(30)).await, None, "nothing was written");
    }
}

/// `enqueue` keeps idempotency keys apart.
pub async fn idempotency_keys_are_kept_per_tenant(stage: Stage) {
    let (one, two) = (stage.tenant(1).await, stage.tenant(2).await);
    let keyed = |n, input: &str| NewRun { input: json!(input), idempotency_key: Some("key".to_owned()), ..new_run(n) };
    stage.accept(one, keyed(1, "same"), at(10)).await;
    let run = stage.accept(two, keyed(2, "same"), at(10)).await;
    assert_eq!((run.id, run.tenant_id), (run_id(2), two), "the same key and content of another tenant");
    let three = stage.tenant(3).await;
    assert_eq!(stage.accept(three, keyed(3, "other"), at(10)).await.id, run_id(3), "other content");
}
