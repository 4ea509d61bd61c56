use worktruck_core::entity::Kind;

/// A plain table of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) kind: Kind,
    /// The terms that are there at most once, each a column.
    pub(super) terms: &'static [&'static str],
    /// The terms that may be there several times, each a table.
    pub(super) many: &'static [&'static str],
    /// What is compared as text, each a column.
    pub(super) keys: &'static [&'static str],
}

impl Table {
    /// The table of one of the kinds that are measured.
    pub(super) const fn of(kind: Kind) -> Self {
        let (terms, many, keys): (&[&str], &[&str], &[&str]) = match kind {
            Kind::Deal => (
                &["pipeline_id", "stage_id", "organization_id", "stage_type"],
                &["contact_id"],
                &["amount", "expected_close_date"],
            ),
            Kind::Task => (
                &["project_id", "status_id", "status_category", "assignee_id", "parent_id"],
                &["label"],
                &["position", "priority", "due", "open_due"],
            ),
            Kind::Event => (&["calendar_id", "series_id", "ical_uid", "status"], &[], &["start", "begins", "ends"]),
            Kind::Note => (&["notebook_id", "pinned", "archived"], &["tag"], &["title"]),
            _ => (&["kind"], &["tag", "group_id", "organization_id"], &["display_name"]),
        };
        Self { kind, terms, many, keys }
    }

    pub(super) fn name(&self) -> String {
        format!("plain_{}", self.kind)
    }

    /// The table of a term that may be there several times.
    pub(super) fn side(&self, term: &str) -> String {
        format!("plain_{}_{term}", self.kind)
    }

    /// Statements that make the table and those beside it, with columns of these types.
    pub(super) fn create(&self, text: &str, bytes: &str, json: &str) -> String {
        let columns = |names: &[&str], null: &str| {
            names.iter().map(|name| format!(", {} {text}{null}", column(name))).collect::<String>()
        };
        let keys = columns(self.keys, " NOT NULL");
        let times = "c_created_at bigint NOT NULL, c_updated_at bigint NOT NULL";
        let mut sql = format!(
            "CREATE TABLE {} (id {bytes} NOT NULL PRIMARY KEY, {times}, body {json} NOT NULL{}{keys});",
            self.name(),
            columns(self.terms, ""),
        );
        for term in self.many {
            sql += &format!(
                "CREATE TABLE {} (value {text} NOT NULL, id {bytes} NOT NULL, {times}{keys}, PRIMARY KEY (value, id));",
                self.side(term),
            );
        }
        sql
    }
}

/// The column of what has this name.
pub(super) fn column(name: &str) -> String {
    format!("c_{name}")
}
