//! What a list shows of the slices: what the heads do not have, or have no more.

use worktruck_core::Result;

use super::page::Parts;

impl Parts<'_> {
    /// The slices that the list shows. At most moments there are none, or few: those whose time has
    /// come since the newest commit and, of what was, those that ended or were replaced since.
    ///
    /// Each way has an index of its own, which is chosen before anything else is asked.
    pub(super) fn slices(&mut self) -> Result<String> {
        let (tenant, kind, valid) = (&self.tenant, &self.kind, &self.valid);
        let mut ways = vec![format!("s.scheduled AND s.valid_from <= {valid}")];
        if self.list.is_fixed || self.list.query.at.valid_at.is_some() {
            ways.push(self.over());
        }
        if self.list.is_fixed {
            ways.push(self.replaced());
        }
        let shown =
            format!("s.tenant = {tenant} AND s.kind = {kind} AND s.body IS NOT NULL AND {}", self.at_point("s", false));
        let chosen = self.chosen("s");
        let place = self.list.place("s");
        let follow = self.follow(&place, "s.id", false);
        let terms = self.of_slice("s")?;
        let parts = ways.iter().map(|way| {
            format!(
                "SELECT s.*, {place} AS place FROM (SELECT * FROM slice s WHERE {way} AND {shown}{chosen} OFFSET 0) s
                 WHERE {follow}{terms}"
            )
        });
        Ok(parts.collect::<Vec<_>>().join(" UNION ALL "))
    }

    /// The slices that are still believed and whose time was over later than the list is about.
    fn over(&self) -> String {
        format!("s.sys_to = 9223372036854775807 AND NOT s.scheduled AND s.valid_to > {}", self.valid)
    }

    /// The slices that were replaced later than the list is about.
    fn replaced(&self) -> String {
        format!("s.sys_to < 9223372036854775807 AND s.sys_to > {}", self.sys)
    }

    /// How many slices were replaced since the moment that the list is about, counted to `most`.
    pub(super) fn since(&mut self, most: i64) -> String {
        let of = format!("s.tenant = {} AND s.kind = {} AND s.body IS NOT NULL", self.tenant, self.kind);
        let (over, replaced, most) = (self.over(), self.replaced(), self.statement.bind(most));
        format!(
            "(SELECT count(*) FROM (
                 SELECT FROM slice s WHERE {over} AND {of} UNION ALL SELECT FROM slice s WHERE {replaced} AND {of}
                 LIMIT {most}) since)"
        )
    }
}
