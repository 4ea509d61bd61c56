//! What reads of one entity and of its history promise.

use serde_json::json;

use crate::entity::Kind;
use crate::store::{ListQuery, TenantHead, Version};
use crate::temporal::{At, WriteOp};
use crate::{ErrorKind, Period};

use super::Stage;
use super::build::*;

/// A correction changes what is known now and not what was known then.
pub async fn correction_keeps_the_old_belief(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let since = (at(0), None);
    let first = stage.write_valid(tenant, 1, WriteOp::Put(named("Ada")), since, at(100)).await;
    let second = stage.write_valid(tenant, 1, WriteOp::Put(named("Augusta")), since, at(200)).await;

    let expected = [
        (valid_at(at(50)), Some("Augusta")),
        (known_at(at(150), at(50)), Some("Ada")),
        (known_at(first.at, at(50)), Some("Ada")),
        (known_at(just_before(second.at), at(50)), Some("Ada")),
        (known_at(second.at, at(50)), Some("Augusta")),
        (known_at(just_before(first.at), at(50)), None),
        (At::as_of(at(150)), Some("Ada")),
        (At::NOW, Some("Augusta")),
        (valid_at(just_before(at(0))), None),
    ];
    for (when, expected) in expected {
        assert_eq!(stage.name(tenant, 1, when, at(300)).await.as_deref(), expected, "{when:?}");
    }
}

/// What is deleted was there before, and was known to be.
pub async fn deletion_keeps_the_past(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(100)).await;
    let deleted = stage.write(tenant, 1, WriteOp::Delete, at(200)).await;
    assert_eq!(deleted.versions, [(contact(1), 2)], "a deletion is a version");

    let expected = [
        (At::NOW, None),
        (At::as_of(at(150)), Some("Ada")),
        (At::as_of(deleted.at), None),
        (valid_at(at(150)), Some("Ada")),
        (known_at(at(150), at(250)), Some("Ada")),
        (valid_at(at(250)), None),
    ];
    for (when, expected) in expected {
        assert_eq!(stage.name(tenant, 1, when, at(300)).await.as_deref(), expected, "{when:?}");
    }
}

/// A retraction says that something never was; that it was once believed stays known.
pub async fn retraction_keeps_the_old_belief(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(100)).await;
    stage.write_valid(tenant, 1, WriteOp::Delete, (at(0), None), at(200)).await;
    for moment in [100, 150, 250] {
        assert_eq!(stage.name(tenant, 1, valid_at(at(moment)), at(300)).await, None, "it never was");
    }
    assert_eq!(stage.name(tenant, 1, known_at(at(150), at(120)), at(300)).await.as_deref(), Some("Ada"));
}

/// Reads as of the head see what was committed by then, fix nothing anew, and never see what is committed later.
pub async fn reads_as_of_the_head_are_of_one_moment(stage: Stage) {
    let (tenant, other) = (stage.tenant(1).await, stage.tenant(2).await);
    let head = async || stage.store.head(tenant).await.expect("the head is read");
    assert_eq!(head().await, TenantHead::default(), "nothing was committed");
    stage.create(other, 1, named("Bob"), at(500)).await;
    let created = stage.create(tenant, 1, named("Ada"), at(100)).await;
    let first = head().await;
    assert_eq!((first.tx_id, first.floor), (created.tx_id, created.at));
    let seen = async |n| stage.name(tenant, n, known_at(first.floor, at(900)), at(900)).await;
    assert_eq!(seen(1).await.as_deref(), Some("Ada"));
    assert_eq!(head().await, first, "such a read fixes nothing");
    stage.write(tenant, 1, WriteOp::Put(named("Augusta")), at(50)).await;
    stage.create(tenant, 2, named("Cyd"), at(50)).await;
    assert_eq!((seen(1).await.as_deref(), seen(2).await), (Some("Ada"), None));
    assert_eq!(head().await.tx_id, 3);
    // What is fixed is before what is committed next.
    stage.read(tenant, 1, At::as_of(at(200)), at(900)).await;
    assert_eq!(head().await, TenantHead { tx_id: 3, floor: at(200), ..first });
}

/// A read with a fixed `as_of` pushes later commits behind it, whatever their clock says.
pub async fn read_as_of_never_changes(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(100)).await;
    let seen = async |n, sys| {
        let version = stage.read(tenant, n, At::as_of(at(sys)), at(900)).await;
        version.map(|v: Version| (name_of(&v), v.slice.version, v.slice.tx_id, v.sys().from(), v.valid()))
    };

    // An answer, also that there is nothing, is not changed by a commit whose clock is behind it.
    let (ada, nobody) = (seen(1, 200).await, seen(2, 300).await);
    assert_eq!((ada.is_some(), nobody.is_some()), (true, false));
    for (name, now) in [("late", 150), ("later", 200), ("latest", 300)] {
        let all = (at(0), None);
        let applied = stage.write_valid(tenant, 1, WriteOp::Put(named(name)), all, at(now)).await;
        assert!(applied.at > at(300), "the commit of {name:?} is stamped {}, before a read", applied.at);
    }
    stage.write_valid(tenant, 2, WriteOp::Put(named("Bob")), (at(0), None), at(250)).await;
    assert_eq!(seen(1, 200).await, ada, "the read of a contact changed");
    assert_eq!(seen(2, 300).await, nobody, "the read of nothing changed");

    // A list is a read like any other.
    let query = ListQuery { at: At::as_of(at(500)), ..ListQuery::new(Kind::Contact) };
    let before = stage.walk(tenant, &query, 10, at(500)).await;
    assert_eq!(before, ["latest", "Bob"]);
    let late = stage.write_valid(tenant, 3, WriteOp::Put(named("Cleo")), (at(0), None), at(400)).await;
    assert!(late.at > at(500), "the commit is stamped {}, before a list", late.at);
    assert_eq!(stage.walk(tenant, &query, 10, at(900)).await, before, "the list changed");
}

/// What will be known is not known yet.
pub async fn read_of_the_future_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    let future = At::as_of(at(101));
    let read = stage.store.entity(tenant, contact(1), future, at(100)).await;
    assert_refused(read, ErrorKind::InvalidRequest, "a read as of the future");
    let list = stage.store.list(tenant, ListQuery { at: future, ..ListQuery::new(Kind::Contact) }, at(100)).await;
    assert_refused(list, ErrorKind::InvalidRequest, "a list as of the future");

    // A refused read moves nothing.
    assert_eq!(stage.create(tenant, 2, named("Bob"), at(50)).await.at, at(50));
    assert_eq!(stage.name(tenant, 1, At::as_of(at(100)), at(100)).await.as_deref(), Some("Ada"));
}

/// A reader whose clock runs behind sees what was just written.
pub async fn reader_with_a_late_clock_sees_the_newest_commit(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(100)).await;
    assert_eq!(stage.name(tenant, 1, At::NOW, at(50)).await.as_deref(), Some("Ada"));
    assert_eq!(stage.walk(tenant, &ListQuery::new(Kind::Contact), 10, at(50)).await, ["Ada"]);
}

/// A write for a later time shows when its time has come, and at once to who asks about it.
pub async fn scheduled_slice_shows_when_its_time_comes(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    stage.write_valid(tenant, 1, WriteOp::Put(named("Mrs King")), (at(500), None), at(20)).await;
    stage.write_valid(tenant, 2, WriteOp::Put(named("Byron")), (at(500), Some(at(600))), at(20)).await;

    let query = ListQuery::new(Kind::Contact);
    for (now, names) in [(100, vec!["Ada"]), (500, vec!["Mrs King", "Byron"]), (600, vec!["Mrs King"])] {
        assert_eq!(stage.name(tenant, 1, At::NOW, at(now)).await.as_deref(), Some(names[0]), "at second {now}");
        let second = stage.name(tenant, 2, At::NOW, at(now)).await;
        assert_eq!(second.as_deref(), names.get(1).copied(), "the second contact at second {now}");
        assert_eq!(stage.walk(tenant, &query, 10, at(now)).await, names, "the list at second {now}");
    }
    assert_eq!(stage.name(tenant, 1, valid_at(at(500)), at(600)).await.as_deref(), Some("Mrs King"));
    assert_eq!(stage.name(tenant, 1, valid_at(at(499)), at(600)).await.as_deref(), Some("Ada"));
}

/// What was never written is nothing: no version, no rows.
pub async fn unknown_entity_reads_as_nothing(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    for when in [At::NOW, At::as_of(at(5)), valid_at(at(500))] {
        assert_eq!(stage.read(tenant, 2, when, at(20)).await, None, "{when:?}");
    }
    assert_eq!(stage.history(tenant, 2, 10).await, []);

    // The same id of another kind is another entity.
    let other = crate::store::EntityKey::new(Kind::AgentConfig, contact(1).id);
    let other = stage.store.entity(tenant, other, At::NOW, at(20)).await.expect("a config is read");
    assert_eq!(other, None);
}

/// Every write has a row for each slice it touched, newest first, and its leftovers have none.
pub async fn history_is_newest_first_and_complete(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut stamps = vec![stage.create(tenant, 1, named("Ada"), at(100)).await.at];
    let trip = (at(300), Some(at(400)));
    stamps.push(stage.write_valid(tenant, 1, WriteOp::Put(named("Ada on tour")), trip, at(150)).await.at);
    let patch = WriteOp::Patch(json!({ "nickname": "A" }));
    stamps.push(stage.write(tenant, 1, patch, at(200)).await.at);
    stamps.push(stage.write(tenant, 1, WriteOp::Delete, at(500)).await.at);

    let rows = stage.history(tenant, 1, 200).await;
    let versions: Vec<u64> = rows.iter().map(|row| row.slice.version).collect();
    assert_eq!(versions, [4, 3, 3, 3, 2, 1], "a row for each slice, newest first");
    for row in &rows {
        let write = usize::try_from(row.slice.version - 1).expect("a small number");
        assert_eq!(row.sys().from(), stamps[write], "rows begin with their write");
        assert_eq!(row.slice.tx_id, row.slice.version, "rows name their commit");
        assert!(!row.slice.carried, "leftovers are no rows: {row:?}");
        assert_eq!(row.slice.body.is_none(), row.slice.version == 4, "only the deletion has no body");
    }
    assert_eq!(rows[0].valid(), Period::starting(stamps[3]), "the deletion holds from its commit on");
    let mut patched: Vec<_> = rows[1..4].iter().map(|row| (row.valid().from(), name_of(row))).collect();
    patched.sort();
    let names: Vec<_> = patched.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["Ada", "Ada on tour", "Ada"], "the patch touched three slices");
    assert_eq!(rows[4].sys().to(), stamps[2], "a row that was replaced ends with the write that did it");

    // A walk in small pages gives the same.
    for limit in [1, 2, 3, 6] {
        assert_eq!(stage.history(tenant, 1, limit).await, rows, "in pages of {limit}");
    }

    // A write during a walk neither repeats nor drops an older row.
    let first = stage.store.history(tenant, contact(1), page(2, None)).await.expect("a page");
    stage.write(tenant, 1, WriteOp::Put(named("Ada again")), at(600)).await;
    let rest = page(200, first.next_cursor);
    let rest = stage.store.history(tenant, contact(1), rest).await.expect("a page").data;
    let walked: Vec<u64> = first.data.iter().chain(&rest).map(|row| row.slice.version).collect();
    assert_eq!(walked, versions, "a write during the walk");
}
