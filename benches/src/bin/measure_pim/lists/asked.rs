use serde_json::{Map, Value, json};
use worktruck_core::entity::Kind;

/// A filter with a value: as lists of the store take it, and as a plain table does.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) filter: Map<String, Value>,
    pub(super) conditions: Vec<Condition>,
}

/// What a plain table is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Condition {
    /// A column that says this.
    Is(&'static str, String),
    /// A row in the table of what may be there several times.
    Has(&'static str, String),
    /// A column that says something less.
    Below(&'static str, String),
    /// A column that says something greater.
    Above(&'static str, String),
    /// A column that says nothing, or this or something greater.
    NotBelow(&'static str, String),
}

/// Filters of one sort, with the values that they are measured with.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) values: Vec<Asked>,
    /// Whether the plain table finds the same, in the same order.
    pub(super) is_same: bool,
}

impl Asked {
    /// A field of the filter, and what it asks of the plain table.
    pub(super) fn of(field: &str, value: impl Into<Value>, conditions: impl Into<Vec<Condition>>) -> Self {
        Self { filter: Map::from_iter([(field.to_owned(), value.into())]), conditions: conditions.into() }
    }

    /// What both ask for.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.filter.extend(other.filter.clone());
        both.conditions.extend(other.conditions.iter().cloned());
        both
    }
}

/// The filter by a field that a column says.
pub(super) fn is<T: ToString>(field: &'static str, values: impl IntoIterator<Item = T>) -> Vec<Asked> {
    let asked = |value: T| Asked::of(field, value.to_string(), [Condition::Is(field, value.to_string())]);
    values.into_iter().map(asked).collect()
}

/// The filter by a field that is a flag, which a column of the same name says.
pub(super) fn flag(field: &'static str, value: bool) -> Vec<Asked> {
    vec![Asked::of(field, json!(value), [Condition::Is(field, value.to_string())])]
}

/// The filter by a field that may have several values.
pub(super) fn has<T: ToString>(field: &'static str, values: impl IntoIterator<Item = T>) -> Vec<Asked> {
    let asked = |value: T| Asked::of(field, value.to_string(), [Condition::Has(field, value.to_string())]);
    values.into_iter().map(asked).collect()
}

/// Both filters: as many pairs of values as the longer one has values.
pub(super) fn both(one: &[Asked], other: &[Asked]) -> Vec<Asked> {
    let pair = |(one, other): (&Asked, &Asked)| one.and(other);
    one.iter().cycle().zip(other.iter().cycle()).take(one.len().max(other.len())).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_filters_are_asked_for_with_every_value_of_the_longer_one() {
        let both = both(&is("status", ["a", "b", "c"]), &has("tag", ["x", "y"]));
        let tags: Vec<_> = both.iter().map(|asked| &asked.filter["tag"]).collect();
        assert_eq!(tags, ["x", "y", "x"]);
        let conditions = [Condition::Is("status", "c".to_owned()), Condition::Has("tag", "x".to_owned())];
        assert_eq!(both[2].conditions, conditions);
    }
}
