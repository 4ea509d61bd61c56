use std::collections::BTreeMap;

use crate::entity;
use crate::temporal::{At, Slice, Stamp, Write, WriteOp};
use crate::{Period, Result, Timestamp};

use super::plan::numbered;
use super::{Change, Changes, EntityKey, ListQuery, View, keys, most_with_term, plan_changes, too_many_with_term};

impl View {
    /// What a commit would make of the changes on top of what the view shows: the same, with the numbers that they get,
    /// if they rest on nothing that is not so.
    ///
    /// Of writes over a part of the valid axis only the bodies are looked at.
    ///
    /// # Errors
    ///
    /// As for [`EntityStore::apply`](super::EntityStore::apply), and those of reading.
    pub async fn tried(&self, changes: Changes) -> Result<Changes> {
        let mut open = BTreeMap::new();
        for key in keys(&changes) {
            let seen = self.entity(key, At::NOW).await?;
            // It may have been replaced since, but not for this view.
            open.extend(seen.map(|seen| (key, vec![Slice { sys: Period::starting(seen.sys().from()), ..seen.slice }])));
        }
        let sys = open.values().flatten().map(|slice: &Slice| slice.sys.from().next()).max();
        let sys = sys.unwrap_or(Timestamp::EPOCH).max(self.after_pending());
        let changes = with_numbers(changes, &open, sys)?;
        let (now, elsewhere): (Vec<_>, Vec<_>) =
            changes.writes.iter().cloned().partition(|change| is_now(&change.write));
        let about_now = Changes { writes: now, requires: changes.requires.clone(), ..Changes::none() };
        plan_changes(&about_now, &open, Stamp { sys, tx_id: 1 })?;
        for Change { key, write } in elsewhere {
            if let WriteOp::Put(body) = &write.op {
                entity::index(key.kind, body)?;
            }
        }
        let after = self.clone().and_pending(changes.clone());
        for require in &changes.requires {
            let Some((kind, term, most)) = most_with_term(require) else { continue };
            let query = ListQuery { terms: vec![term.clone()], ..ListQuery::new(kind) };
            if after.list(query).await?.data.len() > most {
                return Err(too_many_with_term(kind, term, most));
            }
        }
        Ok(changes)
    }
}

const fn is_now(write: &Write) -> bool {
    write.valid_from.is_none() && write.valid_to.is_none()
}

/// The changes with the numbers of counters that stand at what is `open`.
fn with_numbers(changes: Changes, open: &BTreeMap<EntityKey, Vec<Slice>>, sys: Timestamp) -> Result<Changes> {
    if changes.numbers.is_empty() {
        return Ok(changes);
    }
    let slices = |key: &EntityKey| open.get(key).map_or(&[][..], Vec::as_slice);
    let mut writes = Vec::new();
    for (key, of_key) in numbered(&changes, slices, sys)? {
        writes.extend(of_key.into_iter().map(|write| Change { key, write: write.into_owned() }));
    }
    Ok(Changes { writes, numbers: Vec::new(), ..changes })
}
