//! Every list of a set of entities: all filters, orders, moments and sizes of pages.

use serde_json::{Value, json};
use worktruck_core::entity::agent_config::{AgentConfig, BLUEPRINT_TERM};
use worktruck_core::entity::merge_proposal::MergeProposal;
use worktruck_core::entity::{Kind, Term};
use worktruck_core::store::{Changes, EntityStore as _, ListQuery, Sort, SortField};
use worktruck_core::temporal::{At, Write, WriteOp};
use worktruck_core::{TenantId, Timestamp};

use crate::draw::entity;
use crate::watched::Watched;
use crate::world::{BLUEPRINTS, at, begin, page, person, tenants};

/// Later than everything that the script writes.
const END: Timestamp = at(10_000);

pub(crate) async fn script(store: &Watched) {
    begin(store).await;
    let tenant = tenants()[0];
    write(store, tenant).await;
    for kind in Kind::ALL.iter().copied() {
        for (filter, moment) in filters(kind).iter().flat_map(|filter| moments().map(move |moment| (filter, moment))) {
            for sort in sorts() {
                let (terms, text) = filter.clone();
                walk(store, tenant, ListQuery { terms, text, sort, at: moment, ..ListQuery::new(kind) }).await;
            }
        }
    }
}

/// Writes of every kind: new ones, corrections, what is scheduled or ends, deletions and purges.
async fn write(store: &Watched, tenant: TenantId) {
    for n in 0..7 {
        for kind in Kind::ALL.iter().copied() {
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
    for kind in Kind::ALL.iter().copied() {
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
    }
}

fn filters(kind: Kind) -> Vec<(Vec<Term>, Option<String>)> {
    let even = Term::new("tag", "even");
    let mut filters = vec![(Vec::new(), None)];
    match kind {
        Kind::AgentConfig => filters.push((vec![Term::new(BLUEPRINT_TERM, BLUEPRINTS[0])], None)),
        Kind::MergeProposal => filters.push((vec![Term::new("status", "pending")], None)),
        Kind::Contact => filters.extend([
            (vec![even.clone()], None),
            (vec![even.clone(), Term::new("kind", "person")], None),
            (vec![even.clone(), Term::new("tag", "odd")], None),
            (Vec::new(), Some("zoe".to_owned())),
            (vec![even], Some("lodz CH".to_owned())),
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
