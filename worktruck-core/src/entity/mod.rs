//! Everything a store keeps in versions: its data, its validation, its index terms.

pub mod contact;

/// What a store needs to know of a body in order to find it again, without understanding it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Index {
    /// What it can be looked up by; sorted, each once.
    pub terms: Vec<Term>,
    /// What lists can be ordered by: the field's name and the key that stands for its value.
    pub sort: Vec<(&'static str, String)>,
    /// What full-text search looks in.
    pub text: String,
}

/// One exact value that a body can be looked up by.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Term {
    /// What the value is, such as `tag` or `channel:email`.
    pub name: String,
    /// The value, in its canonical form.
    pub value: String,
}

impl Term {
    /// The term `name` = `value`.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}
