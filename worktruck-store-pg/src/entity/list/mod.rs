//! Lists of entities. Whatever a list shows is found by one statement, so that it is of one moment.

mod filter;
mod page;
mod past;
mod slices;
mod source;

use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use worktruck_core::store::{ListPlan, ListQuery, Position, SortField, TenantHead, Version};
use worktruck_core::{Page, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, is_kept};

use super::index::text_of;
use super::read::fix;
use super::version;

/// A page of entities.
pub(super) async fn list(
    store: &PgStore,
    tenant: TenantId,
    query: &ListQuery,
    now: Timestamp,
) -> Result<Page<Version>> {
    let is_pinned = query.at.as_of.is_none() && query.sort.field != SortField::CreatedAt;
    let is_fixed = is_pinned || query.at.as_of.is_some();
    let mut head = TenantHead::default();
    if is_fixed {
        let is_first = query.page.cursor().is_none();
        let fixed = query.at.as_of.or_else(|| is_first.then_some(now));
        if fixed.is_some() {
            // What cannot be asked fixes nothing.
            ListPlan::new(tenant, query, &mut TenantHead::default(), now)?;
        }
        head = fix(store, tenant, fixed).await?;
    }
    let plan = ListPlan::new(tenant, query, &mut head, now)?;
    // Nothing has a term of a name that cannot be kept.
    if plan.filter.terms.iter().any(|term| !is_kept(&term.name)) {
        return plan.page(Vec::new());
    }
    let list = List { tenant, query, plan: &plan, is_fixed };
    let mut connection = store.readers.acquire().await.or_failed("list entities")?;
    let mut gathered = plan.gather();
    loop {
        let rows = list.find(&mut connection, gathered.after()).await?;
        if gathered.take(rows) {
            break;
        }
    }
    drop(connection);
    if is_fixed {
        // What was replaced since may have been removed since.
        plan.check(fix(store, tenant, None).await?.horizon)?;
    }
    gathered.page()
}

/// A list to be found.
struct List<'a> {
    tenant: TenantId,
    query: &'a ListQuery,
    plan: &'a ListPlan,
    /// Whether it is about the system time of its plan. Otherwise it is about the present, which is
    /// the floor if that is later.
    is_fixed: bool,
}

impl List<'_> {
    /// The entities after a place, in order, one more than a page holds if there are so many. Of the
    /// words that were asked for they have those that are kept.
    async fn find(&self, connection: &mut PgConnection, after: Option<&Position>) -> Result<Vec<(Position, Version)>> {
        let statement = match self.source(connection, after).await? {
            Some(source) => self.page(source, after)?,
            None => self.past(after)?,
        };
        let order = self.direction("place", "id");
        let rows = statement.fetch(connection, &format!("SELECT * FROM page ORDER BY {order}")).await;
        rows.or_failed("list entities")?.iter().map(|row| self.read(row)).collect()
    }

    fn read(&self, row: &PgRow) -> Result<(Position, Version)> {
        let version = version::read(row, self.tenant)?;
        let value = || text_of(row.text("sort_value")?);
        Ok((Position::with(&version, &self.plan.sort.field, value)?, version))
    }

    /// The order of the list, by what it is sorted by and the id.
    fn direction(&self, key: &str, id: &str) -> String {
        let direction = if self.plan.sort.descending { " DESC" } else { "" };
        format!("{key}{direction}, {id}{direction}")
    }

    /// Whether it is about what was, or was known.
    fn is_past(&self) -> bool {
        self.is_fixed || self.plan.point.valid < self.plan.point.sys
    }
}
