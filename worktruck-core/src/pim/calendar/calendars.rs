use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::entity::calendar::Calendar;
use crate::entity::event::Event;
use crate::entity::{Entity as _, Kind, Term};
use crate::pim::{ByTime, Deleting, Filter, Operation, Record, Stored, Writing};
use crate::store::{ListQuery, Require};
use crate::temporal::WriteOp;
use crate::{Error, Result};

use super::parts;

/// What lists of calendars can be filtered by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct CalendarFilter {
    /// Whether it is shown.
    pub is_visible: Option<bool>,
    /// Whether it is the one that is meant when none is named.
    pub is_primary: Option<bool>,
}

#[async_trait]
impl Filter for CalendarFilter {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        Ok(query.with("visible", self.is_visible).with("primary", self.is_primary))
    }
}

/// One calendar of a tenant is the primary one: the first, until another is said to be.
#[async_trait]
impl Record for Calendar {
    type Filter = CalendarFilter;
    type Sort = ByTime;

    fn complete(body: &mut Value, old: Option<&Stored<Self>>, _: &Operation) -> Result<()> {
        if let (Some(members), Some(old)) = (body.as_object_mut(), old) {
            members.entry("is_primary").or_insert(Value::Bool(old.data.is_primary));
        }
        Ok(())
    }

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        let primary = writing.operation.first::<Self>(primary(true)).await?;
        match primary {
            None => writing.new.is_primary = true,
            Some(primary) if primary.id == writing.id => {
                if !writing.new.is_primary {
                    let message = "one calendar must be the primary one; make another the primary one instead";
                    return Err(Error::invalid(message).at("/is_primary"));
                }
            }
            Some(primary) if writing.new.is_primary => {
                let write = writing.operation.write(WriteOp::Patch(json!({ "is_primary": false })));
                writing.changes.writes.push(crate::store::Change { key: primary.key(), write });
                writing.require(parts::unchanged(&primary));
            }
            // It may be deleted meanwhile, and then this one is the primary one.
            Some(primary) => writing.require(Require::Exists { key: primary.key() }),
        }
        writing.require(Require::UniqueTerm { kind: Kind::Calendar, term: Term::new("primary", "true") });
        Ok(())
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let (operation, old) = (deleting.operation, deleting.old);
        if old.data.is_primary {
            match operation.first::<Self>(primary(false)).await? {
                Some(next) => {
                    let write = operation.write(WriteOp::Patch(json!({ "is_primary": true })));
                    deleting.changes.writes.push(crate::store::Change { key: next.key(), write });
                    deleting.changes.requires.push(parts::unchanged(&next));
                }
                None => deleting
                    .changes
                    .requires
                    .push(Require::NoTerm { kind: Kind::Calendar, term: Term::new("primary", "false") }),
            }
        }
        let of_calendar = Term::new("calendar_id", old.id.to_string());
        let query = ListQuery { terms: vec![of_calendar.clone()], ..ListQuery::new(Event::KIND) };
        let events = operation.all::<Event>(query).await?;
        let mut changes = parts::deleted(operation, &events).await?;
        changes.requires.push(Require::NoTerm { kind: Kind::Event, term: of_calendar });
        deleting.changes = std::mem::take(&mut deleting.changes).and(changes);
        Ok(())
    }
}

fn primary(is_primary: bool) -> ListQuery {
    ListQuery::new(Kind::Calendar).with("primary", Some(is_primary))
}
