//! Lists of entities. Whatever a list shows is found by one statement, so that it is of one moment.

mod filter;
mod page;
mod past;
mod slices;
mod source;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _, ValueRef as _};
use worktruck_core::store::{ListPlan, ListQuery, Position, SortField, TenantHead, Version};
use worktruck_core::{Error, Page, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, is_kept, number};
use crate::statement::Statement;

use super::index::text_of;
use super::read::fix;
use super::version;

use source::Source;

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
    ///
    /// What few have is put in order. Otherwise a page is looked for in a window of the order, and among what
    /// was written lately; most are found there.
    async fn find(&self, connection: &mut PgConnection, after: Option<&Position>) -> Result<Vec<(Position, Version)>> {
        let is_past_by_creation = self.is_by_creation() && self.is_past();
        if is_past_by_creation && self.plan.filter.is_empty() {
            return self.fetch(connection, self.past(after)?).await;
        }
        let known = self.known_source();
        if let Some(source) = known.filter(|_| !is_past_by_creation) {
            return self.fetch(connection, self.page(source, None, after)?).await;
        }
        let window = self.plan.window();
        let source = match known {
            Some(source) => source,
            None => match self.rarest(connection, window).await? {
                (rarest, count) if count < window => Source::All(rarest),
                _ => self.in_order(),
            },
        };
        let statement = self.page(source, Some(number(window)?), after)?;
        let order = self.direction("place", "id");
        let sql = format!("SELECT s.*, p.* FROM seen s LEFT JOIN page p ON TRUE ORDER BY {order}");
        let rows = statement.fetch(connection, &sql).await.or_failed("list entities")?;
        let seen = rows.first().ok_or_else(|| Error::internal("the store did not answer a list"))?;
        let (is_recent, is_whole) = (seen.flag("is_recent")?, seen.flag("is_whole")?);
        if is_recent && is_whole {
            let is_found = |row: &&PgRow| !row.try_get_raw("id").is_ok_and(|id| id.is_null());
            return rows.iter().filter(is_found).map(|row| self.read(row)).collect();
        }
        if is_past_by_creation && !is_recent {
            return self.fetch(connection, self.past(after)?).await;
        }
        let source = if is_whole || known.is_some() {
            source
        } else {
            let (rarest, count) = self.rarest(connection, self.plan.counted()).await?;
            if self.plan.is_walked(seen.number("found")?, count) { self.in_order() } else { Source::All(rarest) }
        };
        self.fetch(connection, self.page(source, None, after)?).await
    }

    async fn fetch(&self, connection: &mut PgConnection, page: Statement) -> Result<Vec<(Position, Version)>> {
        let order = self.direction("place", "id");
        let rows = page.fetch(connection, &format!("SELECT * FROM page ORDER BY {order}")).await;
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
