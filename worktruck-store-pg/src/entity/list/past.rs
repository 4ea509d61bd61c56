//! Lists of what was, in order of creation.

use uuid::Uuid;
use worktruck_core::Result;
use worktruck_core::store::Position;

use crate::statement::Statement;

use super::List;
use super::page::{COLUMNS, Parts};

impl List<'_> {
    /// The statement whose part `page` is the page, in order of creation and with words left out,
    /// however much was written since.
    ///
    /// What an entity was is looked up for one entity after the other, along the heads. Entities
    /// without a head, such as deleted ones, are found among the slices, no further than the heads
    /// went: otherwise a page would have to pass over all slices of all entities that have one.
    pub(super) fn past(&self, after: Option<&Position>) -> Result<Statement> {
        let mut parts = Parts::new(self, after);
        let limit = parts.limit();
        let (tenant, kind, sys) = (parts.tenant.clone(), parts.kind.clone(), parts.sys.clone());
        let (was_head, was) = (parts.at_point("h", false), parts.at_point("s", true));
        let (terms, order, follow) =
            (parts.of_slice("v")?, self.direction("h.created_at", "h.id"), parts.follow("h.created_at", "h.id", false));
        parts.statement.with(
            "living",
            format!(
                "SELECT v.* FROM head h CROSS JOIN LATERAL (
                     (SELECT h.kind, h.id, h.created_at, h.version, h.carried, h.tx_id, h.sys_from,
                          9223372036854775807 AS sys_to, h.valid_from, h.valid_to, h.body, h.sort, h.provenance,
                          h.terms WHERE {was_head})
                     UNION ALL
                     (SELECT {COLUMNS}, NULL, terms FROM slice s WHERE s.tenant = {tenant} AND s.kind = {kind} AND s.id = h.id
                          AND s.body IS NOT NULL AND {was})
                     LIMIT 1) v
                 WHERE h.tenant = {tenant} AND h.kind = {kind} AND h.created_at <= {sys} AND {follow}{terms}
                 ORDER BY {order} LIMIT {limit}"
            ),
        );
        let (end, last_id, backwards, within) = if self.plan.sort.descending {
            (i64::MIN, Uuid::nil(), "", ">=")
        } else {
            (i64::MAX, Uuid::max(), " DESC", "<=")
        };
        let (end, last_id) = (parts.statement.bind(end), parts.statement.bind(last_id));
        parts.statement.with(
            "bound",
            format!(
                "SELECT created_at, id FROM living WHERE (SELECT count(*) FROM living) >= {limit}
                 ORDER BY created_at{backwards}, id{backwards} LIMIT 1"
            ),
        );
        let (terms, order, follow) =
            (parts.of_slice("s")?, self.direction("s.created_at", "s.id"), parts.follow("s.created_at", "s.id", false));
        parts.statement.with(
            "gone",
            format!(
                "SELECT {COLUMNS} FROM slice s WHERE s.tenant = {tenant} AND s.kind = {kind} AND s.body IS NOT NULL
                     AND {was} AND {follow}{terms} AND (s.created_at, s.id) {within} (
                         coalesce((SELECT created_at FROM bound), {end}), coalesce((SELECT id FROM bound), {last_id}))
                     AND NOT EXISTS (
                         SELECT FROM head h WHERE h.tenant = {tenant} AND h.kind = {kind} AND h.id = s.id OFFSET 0)
                 ORDER BY {order} LIMIT {limit}"
            ),
        );
        let order = self.direction("place", "id");
        parts.statement.with(
            "found",
            format!(
                "SELECT {COLUMNS}, provenance, created_at AS place FROM living
                 UNION ALL SELECT {COLUMNS}, NULL, created_at FROM gone
                 ORDER BY {order} LIMIT {limit}"
            ),
        );
        Ok(parts.finish())
    }
}
