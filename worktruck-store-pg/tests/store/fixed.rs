//! What is asked of a fixed moment never changes, whoever writes meanwhile.

use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::{Changes, EntityStore, ListQuery, Sort, SortField};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{PageRequest, Timestamp};
use worktruck_store_pg::PgStore;

use crate::fixture::*;
use crate::wire::Wire;

const COUNT: u128 = 12;

/// Contacts with a tag, in order of their names.
async fn settle(store: &PgStore) {
    for n in 0..COUNT {
        let body = json!({ "display_name": format!("Ada {n:02}"), "tags": ["vip"] });
        store.apply(tenant(1), Changes::none().create(contact(n), body), user(), at(1)).await.unwrap();
    }
}

/// A commit that changes what every list shows: of four contacts one gets another name, one loses
/// the tag, one comes back and one goes.
async fn disturb(store: &PgStore, round: u128, now: Timestamp) {
    let body = json!({ "display_name": format!("Ada 00 {round}"), "tags": ["vip"] });
    let one = |place: u128| contact((round + place) % COUNT);
    let changes = Changes::none()
        .write(one(0), WriteOp::Put(body.clone()))
        .write(one(1), WriteOp::Put(named("Ada 03")))
        .write(one(2), WriteOp::Put(body))
        .write(one(3), WriteOp::Delete);
    store.apply(tenant(1), changes, user(), now).await.unwrap();
}

fn lists() -> Vec<ListQuery> {
    let vip = || vec![Term::new("tag", "vip")];
    let by_name = || SortField::Key("display_name".to_owned());
    let list = |field, descending, terms| {
        let page = PageRequest::new(5, None).unwrap();
        ListQuery { terms, sort: Sort { field, descending }, page, ..ListQuery::new(Kind::Contact) }
    };
    vec![
        list(SortField::CreatedAt, false, Vec::new()),
        list(SortField::CreatedAt, true, vip()),
        list(SortField::UpdatedAt, true, Vec::new()),
        list(by_name(), false, Vec::new()),
        list(by_name(), true, vip()),
    ]
}

/// All pages from the one that begins with `query` on, as they are found at `now`.
async fn walk(store: &PgStore, mut query: ListQuery, now: Timestamp) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let page = store.list(tenant(1), query.clone(), now).await.unwrap();
        names.extend(page.data.iter().map(|version| version.slice.body.clone().unwrap()["display_name"].to_string()));
        let Some(next) = page.next_cursor else { return names };
        query.page = PageRequest::new(5, Some(next)).unwrap();
    }
}

/// A commit is made after each answer of the server to a walk in turn: whatever statements a walk is
/// made of, it is about one moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_of_a_fixed_moment_sees_no_commit_that_is_made_meanwhile() {
    let database = Database::fresh().await;
    let wire = Wire::to(&database).await;
    let (store, other) = (database.open(wire.options().with_readers(1)).await, database.store().await);
    settle(&other).await;
    let mut round: u128 = 0;
    for list in lists() {
        let is_pinned = list.sort.field != SortField::CreatedAt;
        for passing in 0.. {
            round += 1;
            let now = at(1_000 * i64::try_from(round).unwrap());
            let then = now.after(Duration::from_micros(5));
            let fixed = ListQuery { at: if is_pinned { At::NOW } else { At::as_of(now) }, ..list.clone() };
            wire.hold_an_answer(passing);
            let mut walking = pin!(walk(&store, fixed, now));
            let (walked, is_over) = in_time("the end of a walk", async {
                tokio::select! {
                    walked = &mut walking => (walked, true),
                    () = wire.until_held() => {
                        disturb(&other, round, then).await;
                        wire.let_go();
                        (walking.await, false)
                    }
                }
            })
            .await;
            let quiet = |moment| {
                let page = PageRequest::largest(None);
                walk(&other, ListQuery { at: At::as_of(moment), page, ..list.clone() }, at(LATER))
            };
            let (before, after) = (quiet(now).await, quiet(then).await);
            // A walk that is about the present may have begun after the commit.
            let is_right = walked == before || (is_pinned && walked == after);
            assert!(is_right, "{list:?}, a commit after {passing} answers: {walked:?} and not {before:?}");
            if is_over {
                wire.let_go();
                assert!(passing > 2, "{passing} answers were held");
                break;
            }
        }
    }
}

const LATER: i64 = 1_000_000_000;
