//! What all scripts are about: a few tenants and blueprints, and a zero of time.

use worktruck_core::store::{NewTenant, Provenance, TenantStore as _};
use worktruck_core::testing::CountingIds;
use worktruck_core::{Cursor, PageRequest, TenantId, Timestamp};

use crate::watched::Watched;

pub(crate) const BLUEPRINTS: [&str; 2] = ["sweep", "brief"];

const TENANTS: u16 = 3;

/// So many microseconds after the zero of scripts.
pub(crate) const fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

pub(crate) fn tenants() -> Vec<TenantId> {
    (1..=TENANTS).map(|n| TenantId::new(&CountingIds::new(n), at(0))).collect()
}

pub(crate) fn person() -> Provenance {
    Provenance::new("user:1", "user_edit")
}

pub(crate) fn page(limit: u16, cursor: Option<Cursor>) -> PageRequest {
    PageRequest::new(limit, cursor).expect("scripts ask for legal pages")
}

/// Makes the tenants, and asks for some that there are not.
pub(crate) async fn begin(store: &Watched) {
    for (n, id) in tenants().into_iter().enumerate() {
        let name = (n > 0).then(|| format!("Number {n} \u{1f600}"));
        let new =
            NewTenant { name, retention_days: (n > 0).then_some(30), ..NewTenant::new(id, format!("tenant-{n}")) };
        for new in [new.clone(), new.clone(), NewTenant { slug: "No Slug".to_owned(), ..new }] {
            drop(store.create_tenant(new, at(0)).await);
        }
        drop(store.tenant(id).await);
        drop(store.tenant_by_slug(&format!("tenant-{}", n + 1)).await);
    }
}
