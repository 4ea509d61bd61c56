//! How far a search reaches, and what it takes.

use std::collections::BTreeSet;

use crate::entity::Kind;
use crate::entity::group::Group;
use crate::pim::Everything;
use crate::pim::contacts::ContactFilter;
use crate::pim::notes::NoteFilter;
use crate::store::{Changes, EntityKey, Provenance};
use crate::testing::CountingIds;
use crate::{Clock as _, EntityId, ErrorKind};

use super::*;

/// Pages of a search are one list, and a cursor is one of its search alone.
pub async fn pages_of_a_search_are_one_list(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    write::<Contact>(&desk, (0..7).map(|n| json!({ "display_name": format!("Ada {n}") }))).await;
    write::<Group>(&desk, [json!({ "name": "Ada" })]).await;
    let whole = found(&contacts, "ada").await;
    assert_eq!(whole.len(), 7);
    let all = ContactFilter::default();
    let page = contacts.search(&all, "ada", PageRequest::new(4, None).unwrap()).await.unwrap();
    let next = PageRequest::new(4, page.next_cursor.clone()).unwrap();
    let rest = contacts.search(&all, "ada", next.clone()).await.unwrap();
    assert_eq!((page.has_more, rest.has_more), (true, false));
    let both: Vec<_> = page.data.into_iter().chain(rest.data).collect();
    assert_eq!(both, whole);
    assert_eq!(refusal(contacts.search(&all, "other", next.clone()).await).0, ErrorKind::InvalidCursor);
    let tagged = ContactFilter { tag: Some("x".to_owned()), ..all.clone() };
    assert_eq!(refusal(contacts.search(&tagged, "ada", next.clone()).await).0, ErrorKind::InvalidCursor);
    let groups = desk.of::<Group>().search(&Everything {}, "ada", next.clone()).await;
    assert_eq!(refusal(groups).0, ErrorKind::InvalidCursor);
    let others = Desk::of_tenant(&stage, 2).of::<Contact>();
    assert_eq!(refusal(others.search(&all, "ada", next).await).0, ErrorKind::InvalidCursor);
    assert!(found(&others, "ada").await.is_empty());
    assert_eq!(titles(&found(&desk.of::<Group>(), "ada").await), ["[Ada]"]);
}

/// Titles are found among very many texts that were written later, and every match is on some page once.
pub async fn search_finds_titles_first_and_then_all(stage: Stage) {
    let desk = Desk::new(&stage);
    let notes = desk.of::<Note>();
    let old = [
        ("The second quarterly report", ""),
        ("Quarterly reporting", ""),
        ("Report", "quarterly"),
        ("Quarterly Report", ""),
    ];
    write::<Note>(&desk, old.map(|(title, body)| json!({ "title": title, "body": body }))).await;
    many(&desk, Kind::Note, 450, |n| json!({ "title": format!("n{n}"), "body": "the quarterly report" })).await;
    let hits = found(&notes, "quarterly report").await;
    let expected = ["[Quarterly] [Report]", "[Quarterly] [reporting]", "The second [quarterly] [report]", "[Report]"];
    assert_eq!(titles(&hits)[..4], expected);
    let (mut ids, mut names, mut cursor) = (BTreeSet::new(), Vec::new(), None);
    for page in 0..40 {
        let request = PageRequest::new(40, cursor).unwrap();
        let found = notes.search(&NoteFilter::default(), "quarterly report", request).await.unwrap();
        assert!(found.data.iter().all(|hit| ids.insert(hit.record.id)), "page {page} repeats");
        names.extend(found.data.into_iter().map(|hit| hit.record.data.title));
        cursor = found.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert!(cursor.is_none());
    assert_eq!(names.len(), 454);
    assert_eq!(names.last().map(String::as_str), Some("n0"), "the oldest comes last");
}

/// The title that is the query is found among very many that begin with it.
pub async fn search_finds_the_exact_title(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    write::<Contact>(&desk, [json!({ "display_name": "Ann" }), json!({ "display_name": "Jo Ann" })]).await;
    many(&desk, Kind::Contact, 210, |n| json!({ "display_name": format!("Änne Ann {n}") })).await;
    assert_eq!(titles(&found(&contacts, "ann").await)[0], "[Ann]");
}

/// A query of any kind finds something sensible or nothing.
pub async fn search_takes_any_query(stage: Stage) {
    let desk = Desk::new(&stage);
    write::<Note>(&desk, [json!({ "title": "Ends with 🎉", "body": "a:b NOT \"quoted\" c++ 漢字" })]).await;
    write::<Contact>(&desk, [json!({ "display_name": "Ends with 🎉", "bio": "a:b NOT \"quoted\" c++ 漢字" })]).await;
    let long = "x".repeat(10_000);
    let many: String = (0..5_000).map(|n| format!("w{n} ")).collect();
    let repeated = format!("{} unheard", "quoted ".repeat(40));
    for (query, is_found) in [
        ("", false),
        (" ", false),
        ("🎉", false),
        ("\0", false),
        ("'\"*:()-^", false),
        ("\"quoted", true),
        ("not\0", true),
        ("a:b", true),
        ("quoted OR nothing", false),
        ("quoted*", true),
        ("ends -with", true),
        ("漢", true),
        ("%", false),
        ("þends", false),
        (&long, false),
        (&many, false),
        // Of very many words the first count.
        (&repeated, true),
    ] {
        let name: String = query.chars().take(20).collect();
        assert_eq!(found(&desk.of::<Note>(), query).await.len(), usize::from(is_found), "{name:?}");
        assert_eq!(found(&desk.of::<Contact>(), query).await.len(), usize::from(is_found), "{name:?}");
    }
}

/// Creates many entities, fifty in a commit, the last one last.
async fn many(desk: &Desk, kind: Kind, count: u32, body: impl Fn(u32) -> Value) {
    let ids = CountingIds::new(7_000);
    let numbers: Vec<u32> = (0..count).collect();
    for numbers in numbers.chunks(50) {
        let create = |changes: Changes, n: &u32| {
            changes.create(EntityKey::new(kind, EntityId::new(&ids, desk.clock.now())), body(*n))
        };
        let changes = numbers.iter().fold(Changes::none(), create);
        let store = desk.pim.store();
        store.apply(desk.tenant, changes, Provenance::new("user", "import"), desk.clock.now()).await.unwrap();
        desk.wait(1);
    }
}
