//! The same random script on SQLite and on the reference store gives the same answers.

use std::fmt::Debug;

use serde_json::{Value, json};
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::{Changes, EntityStore, ListQuery, MemoryStore, Require, Sort, SortField, Version};
use worktruck_core::temporal::{At, Write, WriteOp};
use worktruck_core::{Cursor, Page, PageRequest, Result, Timestamp};
use worktruck_store_sqlite::SqliteStore;

use crate::fixture::*;

/// A small generator of numbers (splitmix64): a failure is found again by its seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % sides.unsigned_abs()).unwrap_or(0)
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.place(of.len())]
    }

    pub(crate) fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.roll(i64::try_from(len).unwrap_or(1))).unwrap_or(0)
    }

    pub(crate) fn maybe<T>(&mut self, one_in: i64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.roll(one_in) == 0).then(|| make(self))
    }

    fn key(&mut self) -> worktruck_core::store::EntityKey {
        contact(u128::from(self.roll(6).unsigned_abs()))
    }

    fn body(&mut self) -> Value {
        let name = self.pick(&["Ada King", "ada b", "Bob", "Łukasz", "Zoë", ""]);
        let tags = self.pick(&[&["vip"][..], &["vip", "new"], &[]]);
        json!({ "display_name": if name.is_empty() { "-" } else { name }, "tags": tags })
    }

    fn changes(&mut self, now: i64) -> Changes {
        let mut changes = Changes::none();
        for _ in 0..=self.roll(2) {
            let key = self.key();
            let op = match self.roll(5) {
                0 => WriteOp::Delete,
                1 => WriteOp::Patch(json!({ "tags": self.pick(&[&["vip"][..], &["new"], &[]]) })),
                _ => WriteOp::Put(self.body()),
            };
            let valid_from = self.maybe(3, |dice| at(now - 40 + dice.roll(80)));
            let valid_to = self.maybe(4, |dice| at(now + dice.roll(60)));
            changes = changes.write_valid(key, Write { op, valid_from, valid_to });
        }
        if self.roll(4) == 0 {
            let unique = Require::UniqueTerm { kind: Kind::Contact, term: Term::new("tag", "new") };
            changes = changes.require(unique);
        }
        if self.roll(6) == 0 {
            changes = changes.require(Require::Absent { key: self.key() });
        }
        if self.roll(6) == 0 {
            let version = self.roll(4).unsigned_abs();
            changes = changes.require(Require::Version { key: self.key(), version });
        }
        changes
    }

    fn at(&mut self, now: i64) -> At {
        let as_of = self.maybe(3, |dice| at(now - dice.roll(60)));
        At { as_of, valid_at: self.maybe(3, |dice| at(now - 50 + dice.roll(100))) }
    }

    fn query(&mut self, now: i64) -> ListQuery {
        let field = match self.roll(3) {
            0 => SortField::CreatedAt,
            1 => SortField::UpdatedAt,
            _ => SortField::Key("display_name".into()),
        };
        ListQuery {
            terms: self.maybe(2, |dice| Term::new("tag", dice.pick(&["vip", "new"]))).into_iter().collect(),
            text: self.maybe(3, |dice| dice.pick(&["ada", "luk", "zoe", "k", "?"]).to_owned()),
            sort: Sort { field, descending: self.roll(2) == 0 },
            at: self.at(now),
            ..ListQuery::new(Kind::Contact)
        }
    }
}

/// Both answers, where errors are compared by kind.
pub(crate) fn same<T: Debug + PartialEq>(sqlite: Result<T>, memory: Result<T>, what: &dyn Debug) -> Option<T> {
    match (sqlite, memory) {
        (Ok(sqlite), Ok(memory)) => {
            assert_eq!(sqlite, memory, "{what:?}");
            Some(sqlite)
        }
        (Err(sqlite), Err(memory)) => {
            assert_eq!((sqlite.kind(), sqlite.to_string()), (memory.kind(), memory.to_string()), "{what:?}");
            None
        }
        (sqlite, memory) => panic!("{what:?}: SQLite says {sqlite:?}, the reference {memory:?}"),
    }
}

/// Walks a list to its end on both, with writes between the pages.
async fn walk(sqlite: &SqliteStore, memory: &MemoryStore, dice: &mut Dice, query: ListQuery, now: &mut i64) {
    let mut cursor: Option<Cursor> = None;
    loop {
        let query = ListQuery { page: PageRequest::new(2, cursor).expect("2 is a limit"), ..query.clone() };
        let sql = sqlite.list(tenant(1), query.clone(), at(*now)).await;
        let reference = memory.list(tenant(1), query.clone(), at(*now)).await;
        let page: Option<Page<Version>> = same(sql, reference, &(&query, *now));
        cursor = page.and_then(|page| page.next_cursor);
        if cursor.is_none() {
            return;
        }
        *now += dice.roll(5);
        write(sqlite, memory, dice, *now).await;
    }
}

async fn write(sqlite: &SqliteStore, memory: &MemoryStore, dice: &mut Dice, now: i64) {
    let changes = dice.changes(now);
    let sql = sqlite.apply(tenant(1), changes.clone(), user(), at(now)).await;
    let reference = memory.apply(tenant(1), changes.clone(), user(), at(now)).await;
    same(sql, reference, &(&changes, now));
}

/// Runs one script, and says how many commits it made.
async fn script(seed: u64) -> usize {
    let (sqlite, _folder) = fresh().await;
    let memory = MemoryStore::default();
    let mut dice = Dice(seed);
    let mut now: i64 = 100;
    for _ in 0..60 {
        // Mostly forward, sometimes back: clocks do that.
        now += dice.roll(30) - 4;
        let moment: Timestamp = at(now);
        match dice.roll(10) {
            0..4 => write(&sqlite, &memory, &mut dice, now).await,
            4 => {
                let key = dice.key();
                let sql = sqlite.purge(tenant(1), key, user(), moment).await;
                same(sql, memory.purge(tenant(1), key, user(), moment).await, &(key, now));
            }
            5 => {
                let (key, when) = (dice.key(), dice.at(now));
                let sql = sqlite.entity(tenant(1), key, when, moment).await;
                same(sql, memory.entity(tenant(1), key, when, moment).await, &(key, when, now));
            }
            6 => {
                let key = dice.key();
                let page = PageRequest::new(3, None).expect("3 is a limit");
                let sql = sqlite.history(tenant(1), key, page.clone()).await.map(|page| (page.data, page.has_more));
                let reference = memory.history(tenant(1), key, page).await.map(|page| (page.data, page.has_more));
                same(sql, reference, &key);
            }
            _ => {
                let query = dice.query(now);
                walk(&sqlite, &memory, &mut dice, query, &mut now).await;
            }
        }
    }
    let sql = sqlite.changes(tenant(1), None, PageRequest::largest(None)).await.map(|feed| feed.data);
    let feed =
        same(sql, memory.changes(tenant(1), None, PageRequest::largest(None)).await.map(|feed| feed.data), &seed);
    feed.map_or(0, |feed| feed.len())
}

const SEEDS: u64 = 24;

#[tokio::test(flavor = "multi_thread")]
async fn random_scripts_have_the_answers_of_the_reference() {
    let mut commits = 0;
    for seed in 0..SEEDS {
        commits += script(seed).await;
    }
    assert!(commits > 10 * usize::try_from(SEEDS).unwrap(), "the scripts write: {commits}");
}
