//! The same entities in tables without history.

use std::path::Path;

use worktruck_benches::Result;
use worktruck_core::EntityId;
use worktruck_core::entity::{Index, Kind, index};

use super::asked::Asked;
use super::bodies::{body, stage_type};
use super::ours::Written;
use super::world::{KINDS, World, versions_of};

mod link;
mod list;
mod table;

pub(super) use list::{After, List};

use link::{Link, Value};
use table::{Table, column};

/// The plain tables.
#[derive(Debug)]
pub(super) struct Plain {
    link: Link,
}

/// How many rows one statement inserts.
const BATCH: usize = 400;

impl Plain {
    /// Writes the newest version of every entity into a new file.
    pub(super) async fn in_file(path: &Path, world: &World, written: &Written) -> Result<Self> {
        Self { link: Link::sqlite(path).await? }.loaded(world, written).await
    }

    /// Writes the newest version of every entity into a database.
    pub(super) async fn in_database(url: &str, world: &World, written: &Written) -> Result<Self> {
        Self { link: Link::pg(url).await? }.loaded(world, written).await
    }

    async fn loaded(mut self, world: &World, written: &Written) -> Result<Self> {
        let (text, bytes, json) = match self.link {
            Link::Sqlite(_) => ("TEXT", "BLOB", "TEXT"),
            Link::Pg(_) => ("text COLLATE \"C\"", "bytea", "json"),
        };
        self.link.run("BEGIN".to_owned()).await?;
        for kind in KINDS {
            let table = Table::of(kind);
            self.link.run(table.create(text, bytes, json)).await?;
            let mut rows = Rows::new(&table, matches!(self.link, Link::Pg(_)));
            for n in 0..world.count {
                rows.add(world, written, n)?;
                if rows.count == BATCH || n + 1 == world.count {
                    rows.write(&mut self.link).await?;
                }
            }
        }
        self.link.run("COMMIT".to_owned()).await?;
        self.link.run("ANALYZE".to_owned()).await?;
        Ok(self)
    }

    /// Makes the indexes for a list; gives what drops them.
    pub(super) async fn prepare(&mut self, kind: Kind, asked: &Asked, sort: &str) -> Result<String> {
        let (create, drop) = List::new(kind, asked, sort).indexes();
        self.link.run(create).await?;
        Ok(drop)
    }

    /// Drops the indexes for a list.
    pub(super) async fn forget(&mut self, drop: String) -> Result<()> {
        self.link.run(drop).await
    }

    /// The ids of the page of a list that begins after a place, and one more.
    pub(super) async fn page(&mut self, list: &List, is_down: bool, after: Option<&After>) -> Result<Vec<Vec<u8>>> {
        let body = if matches!(self.link, Link::Pg(_)) { "p.body::text" } else { "p.body" };
        let (sql, values) = list.page(body, is_down, after);
        self.link.list(sql, &values).await
    }

    /// How many entities a list has.
    pub(super) async fn count(&mut self, list: &List) -> Result<usize> {
        let (sql, values) = list.count();
        Ok(usize::try_from(self.link.number(sql, values).await?)?)
    }

    /// The place of an entity in lists that are sorted so.
    pub(super) async fn place(&mut self, kind: Kind, id: EntityId, sort: &str) -> Result<After> {
        let sql = format!("SELECT {} FROM {} WHERE id = $1", column(sort), Table::of(kind).name());
        let id = id.as_uuid().as_bytes().to_vec();
        let values = [Value::Bytes(id.clone())];
        let key = match sort {
            "created_at" | "updated_at" => Value::Number(self.link.number(sql, &values).await?),
            _ => Value::Text(self.link.text(sql, &values).await?),
        };
        Ok(After { key, id })
    }

    pub(super) async fn close(self) -> Result<()> {
        self.link.close().await
    }
}

/// Rows of a table and those beside it, on their way into the database.
struct Rows<'a> {
    table: &'a Table,
    count: usize,
    values: Vec<Value>,
    /// For each of what may be there several times.
    many: Vec<Vec<Value>>,
    is_json: bool,
}

impl<'a> Rows<'a> {
    fn new(table: &'a Table, is_json: bool) -> Self {
        Self { table, count: 0, values: Vec::new(), many: vec![Vec::new(); table.many.len()], is_json }
    }

    fn add(&mut self, world: &World, written: &Written, n: usize) -> Result<()> {
        let kind = self.table.kind;
        let body = body(world, kind, n, versions_of(n) - 1);
        let found_by = index(kind, &body)?;
        let id = Value::Bytes(world.id(kind, n).as_uuid().as_bytes().to_vec());
        let (created_at, updated_at) = written.times(kind, n);
        let keys: Vec<Value> = self.table.keys.iter().map(|key| Value::Text(sort_key(&found_by, key))).collect();
        self.values.extend([id.clone(), Value::Number(created_at), Value::Number(updated_at)]);
        self.values.push(Value::Text(body.to_string()));
        for term in self.table.terms {
            let value = values_of(world, kind, n, &found_by, term).pop();
            self.values.push(Value::Text(value.unwrap_or_default()));
        }
        self.values.extend(keys.iter().cloned());
        for (term, rows) in self.table.many.iter().zip(&mut self.many) {
            for value in values_of(world, kind, n, &found_by, term) {
                rows.extend([Value::Text(value), id.clone(), Value::Number(created_at), Value::Number(updated_at)]);
                rows.extend(keys.iter().cloned());
            }
        }
        self.count += 1;
        Ok(())
    }

    async fn write(&mut self, link: &mut Link) -> Result<()> {
        let keys = self.table.keys.len();
        let width = 4 + self.table.terms.len() + keys;
        insert(link, &self.table.name(), width, &self.values, self.is_json.then_some(3)).await?;
        for (term, rows) in self.table.many.iter().zip(&self.many) {
            insert(link, &self.table.side(term), 4 + keys, rows, None).await?;
        }
        *self = Self::new(self.table, self.is_json);
        Ok(())
    }
}

/// Inserts rows of so many columns, of which one may be JSON.
async fn insert(link: &mut Link, into: &str, width: usize, values: &[Value], json: Option<usize>) -> Result<()> {
    for values in values.chunks(width * BATCH) {
        let place = |n: usize| {
            let cast = if json == Some(n % width) { "::json" } else { "" };
            format!("${}{cast}", n + 1)
        };
        let rows = (0..values.len() / width).map(|row| {
            let places: Vec<String> = (row * width..(row + 1) * width).map(place).collect();
            format!("({})", places.join(", "))
        });
        let rows: Vec<String> = rows.collect();
        link.write(format!("INSERT INTO {into} VALUES {}", rows.join(", ")), values).await?;
    }
    Ok(())
}

/// What an entity says under the name of a column or of a table beside its own.
fn values_of(world: &World, kind: Kind, n: usize, found_by: &Index, name: &str) -> Vec<String> {
    let term = |name: &str| {
        let of_name = found_by.terms.iter().filter(|term| term.name == name);
        of_name.map(|term| term.value.clone()).collect::<Vec<_>>()
    };
    match (kind, name) {
        (Kind::Contact, "group_id") => world.groups_of(n).iter().map(ToString::to_string).collect(),
        (Kind::Contact, "organization_id") => world.organization_of(n).iter().map(ToString::to_string).collect(),
        (Kind::Deal, "stage_type") => {
            let stage = |id: &String| world.stages.iter().position(|stage| stage.to_string() == *id);
            term("stage_id").iter().filter_map(stage).map(|stage| stage_type(stage).to_owned()).collect()
        }
        _ => term(name),
    }
}

/// What an entity is sorted by or cut by.
fn sort_key(found_by: &Index, name: &str) -> String {
    let key = |name: &str| found_by.sort.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    match name {
        // As it is sorted by, where it is still to be done.
        "open_due" if key(name).unwrap_or_default().is_empty() => String::new(),
        "open_due" => key("due").unwrap_or_default(),
        _ => key(name).unwrap_or_default(),
    }
}
