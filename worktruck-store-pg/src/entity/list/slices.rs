//! What a list shows of the slices: what the heads do not have, or have no more.

use worktruck_core::Result;

use super::page::Parts;

impl Parts<'_> {
    /// The slices that the list shows. At most moments there are none, or few: those whose time has
    /// come since the newest commit and, of what was, those that ended or were replaced since; no more than
    /// the window of each.
    ///
    /// Each way has an index of its own, which is chosen before anything else is asked.
    pub(super) fn slices(&mut self, window: Option<i64>) -> Result<String> {
        let (written, shown) = (self.written(), self.at_point("s", false));
        let chosen = self.chosen("s");
        let place = self.list.place("s");
        let follow = self.follow(&place, "s.id", false);
        let terms = self.of_slice("s")?;
        // However often one entity was written, no more is read than a window.
        let among = match window.map(|window| self.statement.bind(window)) {
            Some(most) => format!("{written} LIMIT {most}) s WHERE {shown}{chosen} AND"),
            None => format!("{written} AND {shown}{chosen} OFFSET 0) s WHERE"),
        };
        let parts = self.ways().into_iter().map(|way| {
            format!("SELECT s.*, {place} AS place FROM (SELECT * FROM slice s WHERE {way} AND {among} {follow}{terms}")
        });
        Ok(parts.collect::<Vec<_>>().join(" UNION ALL "))
    }

    /// Whether no more slices than a window are in question.
    pub(super) fn is_recent(&mut self, window: i64) -> String {
        let written = self.written();
        let window = self.statement.bind(window);
        let ways = self
            .ways()
            .into_iter()
            .map(|way| format!("NOT EXISTS (SELECT FROM slice s WHERE {way} AND {written} OFFSET {window} LIMIT 1)"));
        ways.collect::<Vec<_>>().join(" AND ")
    }

    fn ways(&self) -> Vec<String> {
        let (sys, valid) = (&self.sys, &self.valid);
        let mut ways = vec![format!("s.scheduled AND s.valid_from <= {valid}")];
        if self.list.is_fixed || self.list.query.at.valid_at.is_some() {
            ways.push(format!("s.sys_to = 9223372036854775807 AND NOT s.scheduled AND s.valid_to > {valid}"));
        }
        if self.list.is_fixed {
            ways.push(format!("s.sys_to < 9223372036854775807 AND s.sys_to > {sys}"));
        }
        ways
    }

    fn written(&self) -> String {
        format!("s.tenant = {} AND s.kind = {} AND s.body IS NOT NULL", self.tenant, self.kind)
    }
}
