//! Every list is answered by indexes, however much there is: the server tells how it was carried out.

use worktruck_core::entity::{Kind, Term};
use worktruck_core::run::RunStatus;
use worktruck_core::store::{
    Changes, EntityKey, EntityStore, ListPlan, ListQuery, Position, RunQuery, RunStore, Sort, SortField, SortKey,
    TenantHead,
};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{EntityId, PageRequest, TenantId};
use worktruck_store_pg::PgStore;

use crate::fixture::*;
use crate::people::{COPIES, FEW, LATER, NOW, settle, work};
use crate::plans::{Plan, Plans, tell};

const LIMIT: u16 = 50;
/// How many rows may be read for nothing, ten times a page.
const MOST: f64 = 500.0;
/// What the small tenant has.
const SMALL: f64 = 1_000.0;

/// How many a first page may pass over where no index has a term or words together with a name or the time of
/// the last write: the order is followed for as long as a page is thought to take, or what few have is put
/// in order, whichever is less.
const PASSED: f64 = 1_100.0;

/// A filter, and how many rows a page far into a list with it may read for nothing if they are more than
/// those: what few have is put in order again for each page, which passes over what came before.
struct Shape {
    terms: Vec<Term>,
    text: Option<&'static str>,
    deep: f64,
}

fn shapes() -> Vec<Shape> {
    let term = |name: &str, value: &str| Term::new(name, value);
    let shape = |terms, text, deep| Shape { terms, text, deep };
    vec![
        shape(Vec::new(), None, MOST),
        shape(vec![term("kind", "person")], None, MOST),
        shape(vec![term("kind", "organization")], None, 9_000.0),
        shape(vec![term("kind", "group")], None, MOST),
        shape(vec![term("tag", "all")], None, MOST),
        shape(vec![term("tag", "half")], None, MOST),
        shape(vec![term("tag", "tenth")], None, MOST),
        shape(vec![term("tag", "fiftieth")], None, 2_000.0),
        shape(vec![term("tag", "thousandth")], None, MOST),
        shape(vec![term("tag", "late")], None, 5_000.0),
        shape(vec![term("tag", "none")], None, MOST),
        shape(vec![term("channel:email", "ada.abel.0@example.org0")], None, MOST),
        shape(vec![term("channel:phone", "+49301000100")], None, MOST),
        shape(vec![term("channel:url", "https://example.org/0")], None, MOST),
        shape(vec![term("vcard_uid", "urn:uuid:8")], None, MOST),
        shape(vec![term("tag", "half"), term("tag", "fiftieth")], None, 2_000.0),
        shape(vec![term("kind", "group"), term("tag", "late")], None, MOST),
        shape(Vec::new(), Some("ada"), 5_000.0),
        shape(Vec::new(), Some("example"), MOST),
        shape(Vec::new(), Some("zorn"), 8_000.0),
        shape(Vec::new(), Some("word7"), 11_000.0),
        shape(Vec::new(), Some("nick7"), MOST),
        shape(Vec::new(), Some("unheard"), MOST),
        shape(vec![term("kind", "person")], Some("ada"), 5_000.0),
        shape(vec![term("tag", "thousandth")], Some("ada"), MOST),
    ]
}

fn sorts() -> Vec<Sort> {
    let fields = [SortField::CreatedAt, SortField::UpdatedAt, SortField::Key("display_name".into())];
    fields
        .into_iter()
        .flat_map(|field| [false, true].map(|descending| Sort { field: field.clone(), descending }))
        .collect()
}

/// The page of `query` that begins in the middle of the list.
fn deep(owner: TenantId, query: &ListQuery) -> ListQuery {
    let (n, k) = if owner == tenant(1) { (0, COPIES / 2) } else { (FEW / 2, 0) };
    let micros = i64::try_from(k).unwrap() * LATER + i64::try_from(n).unwrap();
    let key = match &query.sort.field {
        SortField::CreatedAt | SortField::UpdatedAt => SortKey::Time(at(micros)),
        SortField::Key(_) => SortKey::Text("karl".to_owned()),
    };
    let plan = ListPlan::new(owner, query, &mut TenantHead::default(), at(NOW)).unwrap();
    let position = Position { key, id: contact(n).id };
    let next = plan.page(vec![(position, ()); usize::from(LIMIT) + 1]).unwrap().next_cursor;
    ListQuery { page: PageRequest::new(LIMIT, next).unwrap(), ..query.clone() }
}

/// What is wrong with how something was answered.
fn faults(what: &str, most: f64, plans: Vec<Plan>) -> Vec<String> {
    assert!(!plans.is_empty(), "{what}: the server tells nothing");
    let is_small = |table: &String| ["tenant", "tenant_head", "turn", "erased"].contains(&table.as_str());
    let fault = |plan: Plan| {
        let scanned: Vec<&String> = plan.scanned.iter().filter(|table| !is_small(table)).collect();
        let is_wrong = !scanned.is_empty() || plan.removed > most;
        let begin: String = plan.statement.chars().take(60).collect();
        is_wrong.then(|| format!("{what}: {} removed, {} read, scanned {scanned:?}: {begin}", plan.removed, plan.read))
    };
    plans.into_iter().filter_map(fault).collect()
}

/// A store whose server tells how it carries out its statements.
async fn told(database: &Database) -> (PgStore, Plans) {
    tell(database).await;
    let plans = Plans::listen();
    let store = database.open(database.options().without_notifications().with_readers(1)).await;
    (store, plans)
}

#[tokio::test]
async fn lists_of_very_many_are_found_by_indexes() {
    let database = Database::fresh().await;
    let store = database.store().await;
    settle(&database, &store).await;
    work(&database, &store).await;
    store.close().await;
    let (store, plans) = told(&database).await;
    let mut wrong = lists_of_runs(&store, &plans).await;
    wrong.extend(histories(&database, &store, &plans).await);
    wrong.extend(lists_of_contacts(&store, &plans).await);
    wrong.extend(chosen(&store, &plans).await);
    wrong.extend(walks(&store, &plans).await);
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

async fn lists_of_contacts(store: &PgStore, plans: &Plans) -> Vec<String> {
    let mut wrong = Vec::new();
    let ask = async |owner: TenantId, query: ListQuery, most: f64| {
        drop(plans.take());
        let page = store.list(owner, query.clone(), at(NOW)).await.unwrap();
        let what = format!(
            "{:?} {:?} by {:?} {} {} {:?} of {}: {} found",
            query.terms.iter().map(|term| term.value.as_str()).collect::<Vec<_>>(),
            query.text,
            query.sort.field,
            if query.sort.descending { "down" } else { "up" },
            if query.page.cursor().is_some() { "deep" } else { "first" },
            query.at.as_of.map(|as_of| as_of.since(at(0))),
            if owner == tenant(1) { "large" } else { "small" },
            page.data.len(),
        );
        faults(&what, most, plans.take())
    };
    for owner in [tenant(1), tenant(2)] {
        for Shape { terms, text, deep: most } in shapes() {
            for sort in sorts() {
                let is_in_order = sort.field == SortField::CreatedAt && text.is_none() && terms.len() < 2;
                let is_indexed = is_in_order || (terms.is_empty() && text.is_none());
                let (first, most) = if is_indexed { (MOST, MOST) } else { (PASSED, most.max(PASSED)) };
                let query = ListQuery {
                    terms: terms.clone(),
                    text: text.map(str::to_owned),
                    sort,
                    page: PageRequest::new(LIMIT, None).unwrap(),
                    ..ListQuery::new(Kind::Contact)
                };
                wrong.extend(ask(owner, query.clone(), first).await);
                // All that the small tenant has is little.
                wrong.extend(ask(owner, deep(owner, &query), if owner == tenant(2) { SMALL } else { most }).await);
                if text.is_none() {
                    wrong.extend(ask(owner, ListQuery { at: At::as_of(at(NOW - 1)), ..query.clone() }, first).await);
                }
                if terms.is_empty() && is_in_order {
                    // Before a contact was written very often.
                    let past = ListQuery { at: At::as_of(at(NOW / 2 - 1)), ..query };
                    wrong.extend(ask(owner, deep(owner, &past), MOST).await);
                    wrong.extend(ask(owner, past, MOST).await);
                }
            }
        }
    }
    wrong
}

/// Lists by one of a set of terms, by ranges of a sort key and among chosen entities.
async fn chosen(store: &PgStore, plans: &Plans) -> Vec<String> {
    let contacts = || ListQuery::new(Kind::Contact);
    let within = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let shapes = [
        (contacts().with_any("tag", ["all", "none"]), MOST),
        (contacts().with_any("tag", ["thousandth", "none"]), MOST),
        // Each of two conditions passes over what the other would.
        (contacts().with_any("channel:phone", ["+49301000100", "+49301000101"]), PASSED),
        (contacts().with_any("tag", ["fiftieth", "thousandth"]), 2_000.0),
        (contacts().within("display_name", [within("a", "n")]), MOST),
        (contacts().within("display_name", [within("gus abel", "gus bach")]), MOST),
        (contacts().within("display_name", [within("ada abel 0000", "ada abel 0001"), within("zz", "zzz")]), MOST),
        (contacts().with("tag", Some("half")).within("display_name", [within("gus", "hana")]), 2_100.0),
        (contacts().among((0..60).map(|n| contact(n * 3).id)), MOST),
    ];
    let mut wrong = Vec::new();
    for owner in [tenant(1), tenant(2)] {
        for (query, most) in &shapes {
            for sort in sorts() {
                for at in [At::NOW, At::as_of(at(NOW - 1))] {
                    let query = ListQuery { sort: sort.clone(), at, ..query.clone() };
                    for query in [query.clone(), deep(owner, &query)] {
                        let most = if query.page.cursor().is_some() && owner == tenant(2) { SMALL } else { *most };
                        drop(plans.take());
                        let found = store.list(owner, query.clone(), self::at(NOW)).await.unwrap().data.len();
                        let what = format!(
                            "{:?} {:?} {:?} by {:?} as of {:?}: {found} found",
                            query.any, query.ranges, query.terms, query.sort, query.at.as_of
                        );
                        wrong.extend(faults(&what, most, plans.take()));
                    }
                }
            }
        }
    }
    wrong
}

/// The pages of a walk read no more of what there is because something was written after the first.
async fn walks(store: &PgStore, plans: &Plans) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut now = NOW;
    for sort in sorts() {
        let mut query =
            ListQuery { sort, page: PageRequest::new(LIMIT, None).unwrap(), ..ListQuery::new(Kind::Contact) };
        for pages in 0..4 {
            drop(plans.take());
            let page = store.list(tenant(1), query.clone(), at(now)).await.unwrap();
            for plan in plans.take() {
                if plan.read > 1_000.0 || plan.removed > MOST {
                    wrong.push(format!(
                        "{:?}, page {pages} of a walk: {} read, {} removed",
                        query.sort, plan.read, plan.removed
                    ));
                }
            }
            query.page = PageRequest::new(LIMIT, page.next_cursor).unwrap();
            now += 10;
            let renamed = page.data.iter().take(20).fold(Changes::none(), |changes, version| {
                changes.write(version.key, WriteOp::Put(named(&format!("Zoe {now}"))))
            });
            store.apply(tenant(1), renamed, user(), at(now)).await.unwrap();
        }
    }
    wrong
}

async fn lists_of_runs(store: &PgStore, plans: &Plans) -> Vec<String> {
    let mut wrong = Vec::new();
    let statuses = [
        None,
        Some(RunStatus::Queued),
        Some(RunStatus::Running),
        Some(RunStatus::Waiting),
        Some(RunStatus::Succeeded),
        Some(RunStatus::Failed),
        Some(RunStatus::Cancelled),
    ];
    for owner in [tenant(1), tenant(2)] {
        for status in statuses {
            for blueprint in [None, Some("echo"), Some("rare"), Some("unknown")] {
                let mut page = PageRequest::new(LIMIT, None).unwrap();
                // As often as a statement is carried out before a plan for all values is made.
                for pages in 0..8 {
                    drop(plans.take());
                    let query = RunQuery { status, blueprint: blueprint.map(str::to_owned), page: page.clone() };
                    let found = store.runs(owner, query).await.unwrap();
                    wrong.extend(faults(&format!("runs {status:?} {blueprint:?}, page {pages}"), MOST, plans.take()));
                    page = PageRequest::new(LIMIT, found.next_cursor).unwrap();
                }
            }
        }
    }
    wrong
}

async fn histories(database: &Database, store: &PgStore, plans: &Plans) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut page = PageRequest::new(LIMIT, None).unwrap();
    let often = EntityKey::new(Kind::Contact, often(database).await);
    for pages in 0..100 {
        drop(plans.take());
        let found = store.history(tenant(1), often, page.clone()).await.unwrap();
        wrong.extend(faults(&format!("history, page {pages}"), MOST, plans.take()));
        if found.next_cursor.is_none() {
            assert!(pages > 90, "the history has only {pages} pages");
            break;
        }
        page = PageRequest::new(LIMIT, found.next_cursor).unwrap();
    }
    let mut since = None;
    for pages in 0..10 {
        drop(plans.take());
        let found = store.changes(tenant(1), since, PageRequest::new(LIMIT, None).unwrap()).await.unwrap();
        wrong.extend(faults(&format!("changes, page {pages}"), MOST, plans.take()));
        since = Some(found.next_cursor);
    }
    wrong
}

async fn often(database: &Database) -> EntityId {
    let id = "SELECT id FROM slice WHERE version = 5000 AND NOT carried";
    EntityId::from_uuid(sqlx::query_scalar(id).fetch_one(&mut database.connect().await).await.unwrap())
}
