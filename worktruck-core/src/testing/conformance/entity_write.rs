//! What [`EntityStore::apply`](crate::store::EntityStore::apply) and `purge` promise.

use futures::FutureExt as _;
use serde_json::json;

use crate::entity::{Kind, Term};
use crate::store::{Changes, EntityKey, ListQuery, NextNumber, Operation, Provenance, Require};
use crate::temporal::{At, WriteOp};
use crate::{ErrorKind, TenantId};

use super::Stage;
use super::build::*;

/// If one write or requirement fails, nothing is written.
pub async fn apply_is_atomic(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;

    // Every way to fail, after two writes that would succeed.
    let good = || {
        Changes::none()
            .create(contact(2), named("Bob"))
            .write(contact(1), WriteOp::Patch(json!({ "display_name": "Changed" })))
    };
    let bad = [
        (good().require(Require::Version { key: contact(1), version: 7 }), ErrorKind::VersionMismatch),
        (good().require(Require::Absent { key: contact(1) }), ErrorKind::Conflict),
        (good().write(contact(3), WriteOp::Patch(json!({ "nickname": "Nobody" }))), ErrorKind::NotFound),
        (good().write(contact(3), WriteOp::Delete), ErrorKind::NotFound),
        (good().write(contact(3), WriteOp::Put(json!({ "display_name": 7 }))), ErrorKind::InvalidRequest),
    ];
    for (changes, kind) in bad {
        let refused = stage.store.apply(tenant, changes.clone(), person(), at(20)).await;
        assert_refused(refused, kind, "a commit with a part that fails");
        assert_eq!(stage.name(tenant, 1, At::NOW, at(30)).await.as_deref(), Some("Ada"), "{changes:?} left a write");
        assert_eq!(stage.name(tenant, 2, At::NOW, at(30)).await, None, "{changes:?} left a new contact");
        assert_eq!(stage.history(tenant, 1, 10).await.len(), 1, "{changes:?} left a row of history");
        assert_eq!(stage.feed(tenant).await.len(), 1, "{changes:?} left a commit");
    }

    // A refused commit uses up no number.
    assert_eq!(stage.apply(tenant, good(), at(40)).await.tx_id, 2, "the next commit gets the next number");
    let names = stage.walk(tenant, &ListQuery::new(Kind::Contact), 10, at(50)).await;
    assert_eq!(names, ["Changed", "Bob"], "a commit without a fault is written as a whole");
}

/// A required version must be the newest one.
pub async fn version_conflict_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    let rename = |name: &str, version| {
        Changes::none()
            .require(Require::Version { key: contact(1), version })
            .write(contact(1), WriteOp::Put(named(name)))
    };

    // The reader of version 1 writes first and wins.
    let applied = stage.apply(tenant, rename("Ada King", 1), at(20)).await;
    assert_eq!(applied.versions, [(contact(1), 2)]);

    // The other reader of version 1 is late.
    let late = stage.store.apply(tenant, rename("Augusta", 1), person(), at(30)).await;
    assert_refused(late, ErrorKind::VersionMismatch, "a write that rests on an old version");
    let early = stage.store.apply(tenant, rename("Augusta", 3), person(), at(30)).await;
    assert_refused(early, ErrorKind::VersionMismatch, "a write that rests on a version to come");
    assert_eq!(stage.name(tenant, 1, At::NOW, at(40)).await.as_deref(), Some("Ada King"));

    // What does not exist has no version.
    let nothing = Changes::none().require(Require::Version { key: contact(2), version: 1 });
    let nothing = stage.store.apply(tenant, nothing, person(), at(40)).await;
    assert_refused(nothing, ErrorKind::VersionMismatch, "a requirement on what was never written");
    stage.write(tenant, 1, WriteOp::Delete, at(50)).await;
    let deleted = stage.store.apply(tenant, rename("Augusta", 3), person(), at(60)).await;
    assert_refused(deleted, ErrorKind::VersionMismatch, "a requirement on what is deleted");
}

/// What a requirement names is what a read of the present returns, whatever is planned for later.
pub async fn required_version_is_that_of_the_present(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    stage.write_valid(tenant, 1, WriteOp::Put(named("Mrs King")), (at(500), None), at(20)).await;
    let require = async |version, now| {
        let changes = Changes::none().require(Require::Version { key: contact(1), version });
        stage.store.apply(tenant, changes, person(), now).await
    };

    let present = stage.read(tenant, 1, At::NOW, at(30)).await.expect("the contact exists").slice.version;
    assert_eq!(present, 1, "what holds now was written first");
    require(1, at(30)).await.expect("the version that was read");
    assert_refused(require(2, at(30)).await, ErrorKind::VersionMismatch, "a version that does not hold yet");
    require(2, at(500)).await.expect("the version that holds by then");
    assert_refused(require(1, at(500)).await, ErrorKind::VersionMismatch, "a version that holds no longer");
    assert_eq!(stage.feed(tenant).await.len(), 2, "a requirement alone is no commit");
}

/// The newest version is that of the last write, about whatever time it was.
pub async fn newest_version_is_that_of_all_times(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    let require = async |n, version, now| {
        let changes = Changes::none().require(Require::Newest { key: contact(n), version });
        stage.store.apply(tenant, changes, person(), now).await
    };
    require(1, 1, at(15)).await.expect("nobody has written since");
    stage.write_valid(tenant, 1, WriteOp::Put(named("Mrs King")), (at(500), None), at(20)).await;
    assert_refused(require(1, 1, at(30)).await, ErrorKind::VersionMismatch, "what was written to about later");
    require(1, 2, at(30)).await.expect("the newest version, which does not hold yet");
    stage.write_valid(tenant, 1, WriteOp::Put(named("Miss")), (at(1), Some(at(5))), at(40)).await;
    assert_refused(require(1, 2, at(50)).await, ErrorKind::VersionMismatch, "what was written to about earlier");
    require(1, 3, at(50)).await.expect("the newest version, which holds no more");
    stage.write(tenant, 1, WriteOp::Delete, at(60)).await;
    assert_refused(require(1, 3, at(70)).await, ErrorKind::VersionMismatch, "what was deleted since");
    require(1, 4, at(70)).await.expect("a deletion is a version");
    assert_refused(require(2, 1, at(70)).await, ErrorKind::VersionMismatch, "what was never written");
    stage.store.purge(tenant, contact(1), person(), at(80)).await.expect("a contact is erased");
    assert_refused(require(1, 4, at(90)).await, ErrorKind::VersionMismatch, "what was erased since");
}

/// What is required absent must not exist now.
pub async fn absent_is_checked(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;

    let again = Changes::none().create(contact(1), named("Impostor"));
    let again = stage.store.apply(tenant, again, person(), at(20)).await;
    assert_refused(again, ErrorKind::Conflict, "creating what exists");
    assert_eq!(stage.name(tenant, 1, At::NOW, at(30)).await.as_deref(), Some("Ada"));

    // What was deleted does not exist, and goes on with its own version numbers.
    stage.write(tenant, 1, WriteOp::Delete, at(40)).await;
    let back = stage.create(tenant, 1, named("Ada again"), at(50)).await;
    assert_eq!(back.versions, [(contact(1), 3)], "versions go on after a deletion");
    assert_eq!(stage.name(tenant, 1, At::NOW, at(60)).await.as_deref(), Some("Ada again"));
    assert_eq!(stage.name(tenant, 1, At::as_of(at(45)), at(60)).await, None, "it was deleted then");
}

/// A unique term is judged by what exists once every write of the commit is done.
pub async fn unique_term_is_checked_after_the_writes(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let vip = || Require::UniqueTerm { kind: Kind::Contact, term: Term::new("tag", "vip") };
    let untag = || WriteOp::Patch(json!({ "tags": [] }));

    // One may have it, a second may not.
    stage.apply(tenant, Changes::none().create(contact(1), tagged("Ada", "vip")).require(vip()), at(10)).await;
    let second = Changes::none().create(contact(2), tagged("Bob", "vip")).require(vip());
    let second = stage.store.apply(tenant, second, person(), at(20)).await;
    assert_refused(second, ErrorKind::Conflict, "a second holder of a unique term");
    assert_eq!(stage.name(tenant, 2, At::NOW, at(30)).await, None, "the second holder was not written");

    // The term is handed over within one commit.
    let handed = Changes::none().create(contact(2), tagged("Bob", "vip")).write(contact(1), untag()).require(vip());
    stage.apply(tenant, handed, at(30)).await;

    // Two that take it at once are one too many.
    stage.write(tenant, 2, untag(), at(40)).await;
    let both = Changes::none()
        .create(contact(3), tagged("Cleo", "vip"))
        .create(contact(4), tagged("Dan", "vip"))
        .require(vip());
    let both = stage.store.apply(tenant, both, person(), at(50)).await;
    assert_refused(both, ErrorKind::Conflict, "two new holders of a unique term");

    // What is deleted holds nothing, and nobody has to ask for uniqueness.
    stage.create(tenant, 5, tagged("Eve", "vip"), at(60)).await;
    stage.write(tenant, 5, WriteOp::Delete, at(70)).await;
    stage.apply(tenant, Changes::none().create(contact(6), tagged("Fay", "vip")).require(vip()), at(80)).await;
    stage.create(tenant, 7, tagged("Gus", "vip"), at(90)).await;
}

/// A term that nobody may have is judged by what exists once every write of the commit is done.
pub async fn forbidden_term_is_checked_after_the_writes(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let no_vip = || Require::NoTerm { kind: Kind::Contact, term: Term::new("tag", "vip") };
    stage.create(tenant, 1, tagged("Ada", "vip"), at(10)).await;
    let used = Changes::none().create(contact(2), named("Bob")).require(no_vip());
    let used = stage.store.apply(tenant, used, person(), at(20)).await;
    assert_refused(used, ErrorKind::Conflict, "a term that somebody has");
    assert_eq!(stage.name(tenant, 2, At::NOW, at(30)).await, None, "nothing was written");
    let freed = Changes::none().write(contact(1), WriteOp::Patch(json!({ "tags": [] }))).require(no_vip());
    stage.apply(tenant, freed, at(40)).await;
    let taken = Changes::none().create(contact(3), tagged("Cleo", "vip")).require(no_vip());
    let taken = stage.store.apply(tenant, taken, person(), at(50)).await;
    assert_refused(taken, ErrorKind::Conflict, "a term that the commit itself gives");
    let other = stage.tenant(2).await;
    stage.create(other, 1, tagged("Ada", "vip"), at(60)).await;
    stage.apply(tenant, Changes::none().create(contact(4), named("Dan")).require(no_vip()), at(70)).await;
}

/// What is referred to must exist now.
pub async fn what_is_referred_to_must_exist(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    let referring = |n| Changes::none().create(contact(n), named("Bob")).require(Require::Exists { key: contact(1) });
    stage.apply(tenant, referring(2), at(20)).await;
    // A change of it does not matter; its end does.
    stage.write(tenant, 1, WriteOp::Put(named("Ada King")), at(30)).await;
    stage.apply(tenant, referring(3), at(40)).await;
    stage.write(tenant, 1, WriteOp::Delete, at(50)).await;
    let gone = stage.store.apply(tenant, referring(4), person(), at(60)).await;
    assert_refused(gone, ErrorKind::Conflict, "a reference to what was deleted");
    assert_eq!(stage.name(tenant, 4, At::NOW, at(70)).await, None, "nothing was written");
}

/// Numbers are given out without gap or repeat, however many ask at once and whatever fails.
pub async fn numbers_are_given_out_without_gap_or_repeat(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let counter = contact(900).id;
    let numbered = move |n: u32| {
        let next = NextNumber { counter, key: contact(n), field: "nickname".to_owned(), prefix: "API-".to_owned() };
        Changes::none().create(contact(n), named("Ada")).number(next)
    };
    let refused = numbered(99).require(Require::Exists { key: contact(98) });
    assert!(stage.store.apply(tenant, refused, person(), at(5)).await.is_err());
    stage
        .in_parallel(32, move |n, store| {
            Box::pin(async move {
                store.apply(tenant, numbered(n), person(), at(10)).await.expect("a number is given out");
            })
        })
        .await;
    let mut given = Vec::new();
    for n in 0..32 {
        let version = stage.read(tenant, n, At::NOW, at(20)).await.expect("it was created");
        given.push(version.slice.body.expect("it is there")["nickname"].as_str().expect("it is numbered").to_owned());
    }
    given.sort_by_key(|number| number[4..].parse::<u32>().expect("a number"));
    assert_eq!(given, (1..=32).map(|n| format!("API-{n}")).collect::<Vec<_>>());

    // Several in one commit, in their order, and another counter beside it.
    let mut changes = numbered(40).and(numbered(41));
    changes
        .numbers
        .extend(numbered(42).numbers.into_iter().map(|next| NextNumber { counter: contact(901).id, ..next }));
    changes = changes.create(contact(42), named("Ada"));
    stage.apply(tenant, changes, at(30)).await;
    for (n, number) in [(40, "API-33"), (41, "API-34"), (42, "API-1")] {
        let body = stage.read(tenant, n, At::NOW, at(40)).await.and_then(|version| version.slice.body);
        assert_eq!(body.expect("it was created")["nickname"], number);
    }
}

/// Several writes to one entity are one version, and a commit names each entity once.
pub async fn writes_to_one_entity_make_one_version(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let changes = Changes::none()
        .write_valid(contact(2), valid(WriteOp::Put(named("Early")), at(0), Some(at(100))))
        .write(contact(1), WriteOp::Put(named("Ada")))
        .write_valid(contact(2), valid(WriteOp::Put(named("Late")), at(100), None));
    let applied = stage.apply(tenant, changes, at(10)).await;
    assert_eq!(applied.versions, [(contact(2), 1), (contact(1), 1)], "in order of the first write to each");

    let rows = stage.history(tenant, 2, 10).await;
    assert_eq!(rows.len(), 2, "a row for each slice");
    assert!(rows.iter().all(|row| row.slice.version == 1), "all of one version: {rows:?}");
    assert_eq!(stage.name(tenant, 2, valid_at(at(99)), at(20)).await.as_deref(), Some("Early"));
    assert_eq!(stage.name(tenant, 2, valid_at(at(100)), at(20)).await.as_deref(), Some("Late"));

    // The later write of a commit sees the earlier one.
    let twice = Changes::none()
        .write(contact(1), WriteOp::Patch(json!({ "nickname": "A" })))
        .write(contact(1), WriteOp::Patch(json!({ "bio": "poet's daughter" })));
    assert_eq!(stage.apply(tenant, twice, at(30)).await.versions, [(contact(1), 2)]);
    let body = stage.read(tenant, 1, At::NOW, at(40)).await.and_then(|v| v.slice.body).expect("the contact exists");
    assert_eq!((&body["nickname"], &body["bio"]), (&json!("A"), &json!("poet's daughter")), "both are in {body}");
}

/// A put leaves nothing of the body before it; a patch leaves what it does not name.
pub async fn put_replaces_the_whole_body(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let full = json!({ "display_name": "Ada", "nickname": "A", "metadata": { "a": 1, "b": { "c": [1, 2] } } });
    stage.create(tenant, 1, full, at(10)).await;
    let body = |version: Option<crate::store::Version>| version.and_then(|v| v.slice.body).expect("it exists");

    let patch = json!({ "nickname": null, "metadata": { "a": null, "b": { "d": true } } });
    stage.write(tenant, 1, WriteOp::Patch(patch), at(20)).await;
    let patched = body(stage.read(tenant, 1, At::NOW, at(30)).await);
    assert_eq!(patched["display_name"], "Ada", "what a patch does not name stays");
    assert!(patched.get("nickname").is_none(), "null in a patch takes away: {patched}");
    assert_eq!(patched["metadata"], json!({ "b": { "c": [1, 2], "d": true } }), "objects are merged");

    stage.write(tenant, 1, WriteOp::Put(named("Ada King")), at(40)).await;
    let put = body(stage.read(tenant, 1, At::NOW, at(50)).await);
    assert_eq!(put["display_name"], "Ada King");
    assert!(put.get("metadata").is_none_or(|m| m == &json!({})), "nothing of the body before is left: {put}");
}

/// A patch changes each slice in its part by itself, and nothing outside it.
pub async fn patch_is_applied_slice_by_slice(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let slices = Changes::none()
        .write_valid(contact(1), valid(WriteOp::Put(named("Miss Byron")), at(0), Some(at(100))))
        .write_valid(contact(1), valid(WriteOp::Put(named("Mrs King")), at(100), Some(at(200))))
        .write_valid(contact(1), valid(WriteOp::Put(named("Lady Lovelace")), at(300), None));
    stage.apply(tenant, slices, at(10)).await;

    // From the middle of the first slice over a gap into the middle of the last.
    let patch = WriteOp::Patch(json!({ "nickname": "Ada" }));
    stage.write_valid(tenant, 1, patch, (at(50), Some(at(350))), at(20)).await;

    let expected = [
        (49, Some(("Miss Byron", None))),
        (50, Some(("Miss Byron", Some("Ada")))),
        (100, Some(("Mrs King", Some("Ada")))),
        (199, Some(("Mrs King", Some("Ada")))),
        (200, None),
        (299, None),
        (300, Some(("Lady Lovelace", Some("Ada")))),
        (349, Some(("Lady Lovelace", Some("Ada")))),
        (350, Some(("Lady Lovelace", None))),
    ];
    for (moment, expected) in expected {
        let body = stage.read(tenant, 1, valid_at(at(moment)), at(30)).await.and_then(|v| v.slice.body);
        let seen = body.as_ref().map(|b| (b["display_name"].as_str().unwrap_or(""), b["nickname"].as_str()));
        assert_eq!(seen, expected, "about second {moment}");
    }
}

/// A patch that changes nothing is no commit.
pub async fn patch_without_effect_makes_no_version(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    let patch = WriteOp::Patch(json!({ "display_name": "Ada", "nickname": null }));
    let applied = stage.write(tenant, 1, patch, at(20)).await;
    assert_eq!(applied.tx_id, 1, "the answer names the last commit");
    assert_eq!(applied.versions, [(contact(1), 1)], "the newest version is the old one");
    assert_eq!(stage.history(tenant, 1, 10).await.len(), 1, "no row was written");
    assert_eq!(stage.feed(tenant).await.len(), 1, "no commit was made");

    // Together with a write that has an effect only that one is in the commit.
    let changes = Changes::none()
        .write(contact(1), WriteOp::Patch(json!({ "display_name": "Ada" })))
        .create(contact(2), named("Bob"));
    assert_eq!(stage.apply(tenant, changes, at(30)).await.tx_id, 2);
    let commit = stage.feed(tenant).await.pop().expect("there is a commit");
    let ids: Vec<_> = commit.entities.iter().map(|entity| entity.id).collect();
    assert_eq!(ids, [contact(2).id], "what did not change is not in the feed");
}

/// System time is `max(now, floor + 1 µs)`, so a clock that goes back turns nothing round.
pub async fn system_time_grows_when_the_clock_goes_back(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let first = stage.create(tenant, 1, named("first"), at(100)).await;
    assert_eq!(first.at, at(100), "a clock that is ahead is believed");

    // Back, still, and forward to where it was: each commit is later than the one before.
    let mut last = first.at;
    for (now, name) in [(at(50), "second"), (at(50), "third"), (at(100), "fourth")] {
        let all = (at(0), None);
        let next = stage.write_valid(tenant, 1, WriteOp::Put(named(name)), all, now).await;
        assert_eq!(next.at, last.next(), "the commit of {name:?} is one microsecond after the one before");
        assert_eq!(stage.name(tenant, 1, valid_at(at(100)), at(200)).await.as_deref(), Some(name));
        last = next.at;
    }
    assert_eq!(stage.name(tenant, 1, At::as_of(first.at), at(200)).await.as_deref(), Some("first"));
    let stamps: Vec<_> = stage.feed(tenant).await.iter().map(|commit| commit.committed_at).collect();
    assert!(stamps.is_sorted_by(|a, b| a < b), "the feed is in order of system time: {stamps:?}");

    let caught_up = stage.write(tenant, 1, WriteOp::Put(named("fifth")), at(300)).await;
    assert_eq!(caught_up.at, at(300), "a clock that has caught up is believed again");
}

/// Commits are counted per tenant, from 1.
pub async fn commits_are_numbered_per_tenant(stage: Stage) {
    let (one, two) = (stage.tenant(1).await, stage.tenant(2).await);
    let mut numbers = Vec::new();
    for (n, tenant) in (1..).zip([one, one, two, one, two]) {
        numbers.push(stage.create(tenant, n, named("Ada"), at(10)).await.tx_id);
    }
    assert_eq!(numbers, [1, 2, 1, 3, 2]);

    // One tenant's clock does not push another's.
    stage.create(one, 10, named("Ada"), at(500)).await;
    assert_eq!(stage.create(two, 10, named("Ada"), at(20)).await.at, at(20));
}

/// Numbers have no gaps and agree with system time however many write at once.
pub async fn commits_of_many_tasks_are_numbered_without_gaps(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut applied = stage
        .in_parallel(32, move |n, store| {
            async move {
                let changes = Changes::none().create(contact(n), named("Ada"));
                let applied = store.apply(tenant, changes, person(), at(10)).await.expect("a contact is created");
                (applied.tx_id, applied.at)
            }
            .boxed()
        })
        .await;
    applied.sort_unstable();
    let numbers: Vec<_> = applied.iter().map(|(tx_id, _)| *tx_id).collect();
    assert_eq!(numbers, (1..=32).collect::<Vec<u64>>());
    assert!(applied.is_sorted_by(|a, b| a.1 < b.1), "later numbers have later system times: {applied:?}");
}

/// Of many that rest on the same version one wins.
pub async fn one_of_many_writers_of_a_version_wins(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    let results = stage
        .in_parallel(16, move |n, store| {
            async move {
                let changes = Changes::none()
                    .require(Require::Version { key: contact(1), version: 1 })
                    .write(contact(1), WriteOp::Put(named(&format!("Ada {n}"))));
                store.apply(tenant, changes, person(), at(20)).await.map_err(|error| error.kind())
            }
            .boxed()
        })
        .await;
    let won = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(won, 1, "one writer wins: {results:?}");
    let lost = results.iter().filter(|result| matches!(result, Err(ErrorKind::VersionMismatch))).count();
    assert_eq!(lost, 15, "the others are told of the version: {results:?}");
    assert_eq!(stage.history(tenant, 1, 50).await.len(), 2, "one write was added");
}

/// A body that is not one of its kind is refused, also when a patch makes it so.
pub async fn body_of_another_kind_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    let bad = [
        Changes::none().create(contact(2), json!({ "display_name": 7 })),
        Changes::none().create(contact(2), json!("Ada")),
        Changes::none().create(EntityKey::new(Kind::MergeProposal, contact(2).id), named("Ada")),
        Changes::none().write(contact(1), WriteOp::Patch(json!({ "display_name": ["Ada"] }))),
        Changes::none().write(contact(1), WriteOp::Patch(json!({ "no_such_field": 1 }))),
    ];
    for changes in bad {
        let what = format!("{changes:?}");
        let refused = stage.store.apply(tenant, changes, person(), at(20)).await;
        assert_refused(refused, ErrorKind::InvalidRequest, &what);
    }
    assert_eq!(stage.feed(tenant).await.len(), 1, "nothing was written");
}

/// A valid period must hold at least one moment.
pub async fn empty_valid_period_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    for (from, to) in [(at(50), at(50)), (at(50), at(40))] {
        for op in [WriteOp::Put(named("Never")), WriteOp::Patch(json!({ "nickname": "N" })), WriteOp::Delete] {
            let changes = Changes::none().write_valid(contact(1), valid(op, from, Some(to)));
            let refused = stage.store.apply(tenant, changes, person(), at(20)).await;
            assert_refused(refused, ErrorKind::InvalidRequest, "a period without a moment");
        }
    }
    assert_eq!(stage.history(tenant, 1, 10).await.len(), 1, "nothing was written");
}

/// A patch or a deletion needs something in its part of the valid axis.
pub async fn change_of_nothing_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let refuse = async |n, from, to, why: &str| {
        for op in [WriteOp::Patch(json!({ "nickname": "N" })), WriteOp::Delete] {
            let changes = Changes::none().write_valid(contact(n), valid(op, from, to));
            let refused = stage.store.apply(tenant, changes, person(), at(50)).await;
            assert_refused(refused, ErrorKind::NotFound, why);
        }
    };
    refuse(1, at(0), None, "a change of what was never written").await;
    stage.write_valid(tenant, 1, WriteOp::Put(named("Ada")), (at(100), Some(at(200))), at(10)).await;
    refuse(1, at(0), Some(at(100)), "a change before the entity begins").await;
    refuse(1, at(200), None, "a change after the entity ends").await;
    stage.write_valid(tenant, 1, WriteOp::Delete, (at(100), Some(at(150))), at(20)).await;
    refuse(1, at(100), Some(at(150)), "a change of what is deleted").await;
}

/// Who wrote a slice stays with it, also when a later write cuts it.
pub async fn provenance_stays_with_what_was_written(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let importer = Provenance { request_id: Some("req-1".to_owned()), ..Provenance::new("user:imp", "import") };
    let first = Changes::none().write_valid(contact(1), valid(WriteOp::Put(named("Ada")), at(0), None));
    let first = stage.store.apply(tenant, first, importer.clone(), at(10)).await.expect("a contact is created");
    let second = stage.write_valid(tenant, 1, WriteOp::Put(named("A. L.")), (at(100), Some(at(200))), at(20)).await;

    for (moment, version, by, applied) in
        [(99, 1, &importer, &first), (100, 2, &person(), &second), (200, 1, &importer, &first)]
    {
        let seen = stage.read(tenant, 1, valid_at(at(moment)), at(30)).await.expect("the contact exists");
        assert_eq!(seen.slice.version, version, "the version that holds at second {moment}");
        assert_eq!(&seen.provenance, by, "who wrote what holds at second {moment}");
        assert_eq!(seen.slice.tx_id, applied.tx_id, "the commit that wrote what holds at second {moment}");
        assert_eq!(seen.created_at, first.at, "the entity was made by its first write");
        assert_eq!((seen.tenant, seen.key), (tenant, contact(1)));
        assert!(seen.valid().contains(at(moment)), "the slice read holds at second {moment}: {}", seen.valid());
    }
    let feed = stage.feed(tenant).await;
    assert_eq!(feed[0].provenance, importer, "the feed says who");
}

/// Bodies come back exactly, whatever JSON they hold.
pub async fn bodies_come_back_exactly(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let metadata = json!({
        "small": 1e-7, "float": 0.1, "large": 1.5e300, "max": u64::MAX, "min": i64::MIN, "whole": 3.0,
        "text": "quote \" backslash \\ newline \n tab \t 'single' %_ \u{1F600} e\u{301}",
        "": { "empty key": [] }, "nested": [[[{}]], null, true, false], "z": 1, "a": 2,
    });
    let body = json!({ "display_name": "Zo\u{eb} \u{4e2d}\u{6587}", "metadata": metadata });
    stage.create(tenant, 1, body.clone(), at(10)).await;
    let seen = stage.read(tenant, 1, At::NOW, at(20)).await.and_then(|v| v.slice.body).expect("it exists");
    assert_eq!(seen["metadata"], body["metadata"]);
    assert_eq!(seen["display_name"], body["display_name"]);
}

/// After a purge nothing of the entity can be read at any time, and the feed says so once.
pub async fn purge_erases_every_version(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, tagged("Ada", "vip"), at(10)).await;
    stage.create(tenant, 2, tagged("Bob", "vip"), at(11)).await;
    stage.write(tenant, 1, WriteOp::Put(tagged("Ada King", "vip")), at(20)).await;
    stage.write(tenant, 1, WriteOp::Delete, at(30)).await;
    stage.store.purge(tenant, contact(1), person(), at(40)).await.expect("a deleted contact is purged");

    for when in [At::NOW, At::as_of(at(15)), At::as_of(at(25)), valid_at(at(15)), known_at(at(25), at(15))] {
        assert_eq!(stage.read(tenant, 1, when, at(50)).await, None, "{when:?} reads what was erased");
    }
    assert_eq!(stage.history(tenant, 1, 10).await, [], "the history is erased");
    let query = ListQuery { at: At::as_of(at(25)), ..ListQuery::new(Kind::Contact) };
    assert_eq!(stage.walk(tenant, &query, 10, at(50)).await, ["Bob"], "lists of the past are erased");

    let purge = stage.feed(tenant).await.pop().expect("there is a commit");
    assert_eq!(purge.tx_id, 5, "the purge has the next number");
    let purged: Vec<_> = purge.entities.iter().map(|entity| (entity.id, entity.operation)).collect();
    assert_eq!(purged, [(contact(1).id, Operation::Purged)]);

    refuse_purge(&stage, tenant, 1, "a purge of what is purged").await;
    refuse_purge(&stage, tenant, 3, "a purge of what was never written").await;
    assert_eq!(stage.feed(tenant).await.len(), 5, "a refused purge makes no commit");
    assert_eq!(stage.name(tenant, 2, At::NOW, at(60)).await.as_deref(), Some("Bob"), "the neighbour is untouched");
}

async fn refuse_purge(stage: &Stage, tenant: TenantId, n: u32, why: &str) {
    let refused = stage.store.purge(tenant, contact(n), person(), at(50)).await;
    assert_refused(refused, ErrorKind::NotFound, why);
}
