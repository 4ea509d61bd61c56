//! The parameters that are the same for many routes.

/// The parameters that many routes share, and which of them a route knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Takes {
    /// `as_of` and `valid_at`.
    pub(crate) at: bool,
    /// `valid_from` and `valid_to`.
    pub(crate) valid: bool,
    /// `limit` and `cursor`.
    pub(crate) page: bool,
    /// `q`.
    pub(crate) search: bool,
    /// `sort`, and by what.
    pub(crate) sorts: Vec<String>,
}

/// Whether what the path has at `name` is an id.
pub(crate) fn is_id(name: &str) -> bool {
    name == "id" || name.ends_with("_id")
}

/// What `If-Match` asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Expected {
    /// This version.
    Version(u64),
    /// Something that is no version of ours, so that nothing is at it.
    Nothing,
}
