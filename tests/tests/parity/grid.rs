//! Every list of a set of entities: all filters, orders, moments and sizes of pages.

use serde_json::{Value, json};
use worktruck_core::entity::Kind;
use worktruck_core::entity::agent_config::{AgentConfig, BLUEPRINT_TERM};
use worktruck_core::entity::merge_proposal::MergeProposal;
use worktruck_core::store::{Changes, EntityStore as _, ListQuery, Sort, SortField};
use worktruck_core::temporal::{At, Write, WriteOp};
use worktruck_core::{TenantId, Timestamp};

use crate::draw::entity;
use crate::watched::Watched;
use crate::world::{BLUEPRINTS, at, begin, page, person, tenants};

/// What is written. A store keeps all kinds alike, so that these stand for the others too.
const KINDS: [Kind; 3] = [Kind::AgentConfig, Kind::Contact, Kind::MergeProposal];

/// Later than everything that the script writes.
const END: Timestamp = at(10_000);

pub(crate) async fn script(store: &Watched) {
    begin(store).await;
    let tenant = tenants()[0];
    write(store, tenant).await;
    for query in KINDS.into_iter().flat_map(filters) {
        for (moment, sort) in
            moments().into_iter().flat_map(|moment| sorts().into_iter().map(move |sort| (moment, sort)))
        {
            walk(store, tenant, ListQuery { sort, at: moment, ..query.clone() }).await;
        }
    }
}

/// Writes of every kind: new ones, corrections, what is scheduled or ends, deletions and purges.
async fn write(store: &Watched, tenant: TenantId) {
    for n in 0..7 {
        for kind in KINDS {
            let changes = Changes::none().create(entity(kind, n), body(kind, n));
            drop(store.apply(tenant, changes, person(), at(100 * n)).await);
        }
    }
    let named = |name: &str| WriteOp::Patch(json!({ "display_name": name }));
    let writes = [
        (0, named("Corrected"), Some(at(20)), Some(at(60))),
        (1, named("Scheduled"), Some(at(5_000)), None),
        (2, WriteOp::Delete, None, None),
        (3, WriteOp::Delete, Some(at(400)), Some(at(500))),
        (4, WriteOp::Delete, Some(at(6_000)), None),
        (5, named("For a while"), None, Some(at(3_000))),
        (5, named("Within it"), Some(at(1_500)), Some(at(2_000))),
    ];
    for (moment, (n, op, valid_from, valid_to)) in (1_000..).step_by(50).zip(writes) {
        let write = Write { op, valid_from, valid_to };
        let changes = Changes::none().write_valid(entity(Kind::Contact, n), write);
        drop(store.apply(tenant, changes, person(), at(moment)).await);
    }
    for kind in KINDS {
        drop(store.purge(tenant, entity(kind, 6), person(), at(1_900)).await);
    }
    let again = Changes::none().create(entity(Kind::Contact, 6), body(Kind::Contact, 8));
    drop(store.apply(tenant, again, person(), at(1_950)).await);
}

fn body(kind: Kind, n: i64) -> Value {
    match kind {
        Kind::AgentConfig => json!(AgentConfig::new(if n % 2 == 0 { BLUEPRINTS[0] } else { BLUEPRINTS[1] })),
        Kind::Contact => json!({
            "display_name": if n % 3 == 0 { "Ada King".to_owned() } else { format!("Zoë {n}") },
            "tags": if n % 2 == 0 { ["even"] } else { ["odd"] },
            "bio": "Plays chess in Łódź",
        }),
        Kind::MergeProposal => {
            let ids = [n, n + 1].map(|n| entity(Kind::Contact, n).id);
            json!(MergeProposal::new(ids.to_vec(), ids[0], 0.9, vec!["same phone".to_owned()]))
        }
        _ => unreachable!("{kind} is not one of KINDS"),
    }
}

fn filters(kind: Kind) -> Vec<ListQuery> {
    let all = || ListQuery::new(kind);
    let with = |name: &str, value: &str| all().with(name, Some(value));
    let search = |text: &str, query: ListQuery| ListQuery { text: Some(text.to_owned()), ..query };
    let within = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let mut filters = vec![all()];
    match kind {
        Kind::AgentConfig => filters.push(with(BLUEPRINT_TERM, BLUEPRINTS[0])),
        Kind::MergeProposal => filters.push(with("status", "pending")),
        _ => filters.extend([
            with("tag", "even"),
            with("tag", "even").with("kind", Some("person")),
            with("tag", "even").with("tag", Some("odd")),
            search("zoe", all()),
            search("lodz CH", with("tag", "even")),
            all().with_any("tag", ["even", "odd"]),
            with("kind", "person").with_any("tag", ["odd", "none"]),
            all().within("display_name", [within("a", "b"), within("scheduled", "zoë 2")]),
            with("tag", "odd").within("display_name", [within("z", "zz")]),
            all().among([1, 2, 4, 9].map(|n| entity(kind, n).id)),
        ]),
    }
    filters
}

fn moments() -> [At; 7] {
    let known = |sys| At::as_of(at(sys));
    [
        At::NOW,
        known(350),
        known(1_325),
        At { valid_at: Some(at(450)), ..known(1_000) },
        At { as_of: None, valid_at: Some(at(40)) },
        At { as_of: None, valid_at: Some(at(5_500)) },
        // Nobody may know yet what will be known.
        known(20_000),
    ]
}

fn sorts() -> Vec<Sort> {
    let fields = [SortField::CreatedAt, SortField::UpdatedAt, SortField::Key("display_name".to_owned())];
    fields
        .into_iter()
        .flat_map(|field| [false, true].map(|descending| Sort { field: field.clone(), descending }))
        .collect()
}

async fn walk(store: &Watched, tenant: TenantId, query: ListQuery) {
    for limit in [1, 3, 50] {
        let mut cursor = None;
        loop {
            let asked = ListQuery { page: page(limit, cursor), ..query.clone() };
            let Ok(found) = store.list(tenant, asked, END).await else { return };
            cursor = found.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
}
