use worktruck_core::entity::Kind;

use super::link::Value;
use super::table::{Table, column};
use crate::lists::asked::{Asked, Condition};

/// A statement that reads a list of a plain table, and the indexes that are made for it alone.
#[derive(Debug)]
pub(in crate::lists) struct List {
    /// What the rows are found in, behind FROM.
    from: String,
    conditions: Vec<String>,
    values: Vec<Value>,
    /// What the rows are sorted by, and their ids.
    order: (String, String),
    /// Tables, and the columns of an index of each.
    indexes: Vec<(String, Vec<String>)>,
}

/// Where a page begins.
#[derive(Clone, Debug)]
pub(in crate::lists) struct After {
    pub(in crate::lists) key: Value,
    pub(in crate::lists) id: Vec<u8>,
}

impl List {
    pub(in crate::lists) fn new(kind: Kind, asked: &Asked, sort: &str) -> Self {
        let (table, by) = (Table::of(kind), column(sort));
        let side = asked.conditions.iter().find_map(|condition| match condition {
            Condition::Has(name, _) => Some(table.side(name)),
            _ => None,
        });
        // What may be there several times has its own table, with all that lists are sorted by.
        let first = if side.is_some() { "t" } else { "p" };
        let from = match &side {
            Some(side) => format!("{side} t JOIN {} p ON p.id = t.id", table.name()),
            None => format!("{} p", table.name()),
        };
        let order = (format!("{first}.{by}"), format!("{first}.id"));
        let mut list = Self { from, conditions: Vec::new(), values: Vec::new(), order, indexes: Vec::new() };
        let (mut equal, mut ranges, mut is_first) = (Vec::new(), Vec::new(), true);
        for condition in &asked.conditions {
            match condition {
                Condition::Is(name, value) => {
                    let value = list.bind(Value::Text(value.clone()));
                    list.conditions.push(format!("p.{} = {value}", column(name)));
                    equal.push(column(name));
                }
                Condition::Has(name, value) => {
                    let value = list.bind(Value::Text(value.clone()));
                    list.conditions.push(if std::mem::take(&mut is_first) {
                        format!("t.value = {value}")
                    } else {
                        let other = table.side(name);
                        format!("EXISTS (SELECT 1 FROM {other} o WHERE o.value = {value} AND o.id = p.id)")
                    });
                }
                Condition::Below(name, value) => {
                    let (name, value) = (column(name), list.bind(Value::Text(value.clone())));
                    list.conditions.push(format!("p.{name} > '' AND p.{name} < {value}"));
                    ranges.push(name);
                }
                Condition::Above(name, value) => {
                    let (name, value) = (column(name), list.bind(Value::Text(value.clone())));
                    list.conditions.push(format!("p.{name} > {value}"));
                    ranges.push(name);
                }
                Condition::NotBelow(name, value) => {
                    let (name, value) = (column(name), list.bind(Value::Text(value.clone())));
                    list.conditions.push(format!("(p.{name} = '' OR p.{name} >= {value})"));
                }
            }
        }
        let key = |before: &[String]| [before, &[by.clone(), "id".to_owned()]].concat();
        match side {
            Some(side) => list.indexes.push((side, key(&["value".to_owned()]))),
            None => {
                ranges.dedup();
                list.indexes.push((table.name(), key(&equal)));
                for range in ranges.into_iter().filter(|range| *range != by) {
                    list.indexes.push((table.name(), [&equal[..], &[range]].concat()));
                }
            }
        }
        list
    }

    /// Statements that make the indexes, and such that drop them.
    pub(in crate::lists) fn indexes(&self) -> (String, String) {
        let named = (0..).zip(&self.indexes).map(|(n, (table, columns)): (i32, _)| {
            let create = format!("CREATE INDEX plain_for_list_{n} ON {table} ({});", columns.join(", "));
            (create, format!("DROP INDEX plain_for_list_{n};"))
        });
        named.unzip()
    }

    /// The statement of a page, and its parameters.
    pub(in crate::lists) fn page(&self, body: &str, is_down: bool, after: Option<&After>) -> (String, Vec<Value>) {
        let (key, id) = &self.order;
        let (direction, sign) = if is_down { (" DESC", "<") } else { ("", ">") };
        let (mut conditions, mut values) = (self.conditions.clone(), self.values.clone());
        if let Some(after) = after {
            values.push(after.key.clone());
            values.push(Value::Bytes(after.id.clone()));
            conditions.push(format!("({key}, {id}) {sign} (${}, ${})", values.len() - 1, values.len()));
        }
        let sql = format!(
            "SELECT p.id, p.c_created_at, p.c_updated_at, {body} FROM {}{} ORDER BY {key}{direction}, {id}{direction} LIMIT 51",
            self.from,
            such_as(&conditions),
        );
        (sql, values)
    }

    /// The statement that counts all that the list has, and its parameters.
    pub(in crate::lists) fn count(&self) -> (String, &[Value]) {
        (format!("SELECT count(*) FROM {}{}", self.from, such_as(&self.conditions)), &self.values)
    }

    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }
}

fn such_as(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(conditions: Vec<Condition>) -> Asked {
        Asked { conditions, ..Asked::default() }
    }

    #[test]
    fn a_list_has_an_index_for_exactly_its_filter_and_order() {
        let asked = asked(vec![Condition::Is("status", "a".to_owned()), Condition::Above("ends", "b".to_owned())]);
        let list = List::new(Kind::Event, &asked, "start");
        let indexes = list.indexes().0;
        assert!(indexes.contains("ON plain_event (c_status, c_start, id)"), "{indexes}");
        assert!(indexes.contains("ON plain_event (c_status, c_ends)"), "{indexes}");
        let (sql, values) = list.page("body", true, Some(&After { key: Value::Number(1), id: vec![2] }));
        assert!(sql.ends_with("AND (p.c_start, p.id) < ($3, $4) ORDER BY p.c_start DESC, p.id DESC LIMIT 51"), "{sql}");
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn what_may_be_there_several_times_is_looked_up_in_order() {
        let asked = asked(vec![Condition::Has("tag", "a".to_owned()), Condition::Has("group_id", "b".to_owned())]);
        let list = List::new(Kind::Contact, &asked, "created_at");
        assert!(list.indexes().0.contains("ON plain_contact_tag (value, c_created_at, id)"));
        let sql = list.count().0;
        assert!(
            sql.contains("FROM plain_contact_tag t JOIN plain_contact p ON p.id = t.id WHERE t.value = $1"),
            "{sql}"
        );
        assert!(
            sql.contains("EXISTS (SELECT 1 FROM plain_contact_group_id o WHERE o.value = $2 AND o.id = p.id)"),
            "{sql}"
        );
    }
}
