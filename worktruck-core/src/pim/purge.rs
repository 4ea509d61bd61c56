//! Erasing an entity, so that nothing of it can be read at any moment.

use crate::store::{Changes, EntityKey, Provenance};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, ErrorKind, PageRequest, Result, Timestamp};

use super::write::part_of_no_other;
use super::{Operation, Record, Records, delete};

impl<E: Record> Records<E> {
    /// Ends an entity, and then erases every version of it, of what was only part of it, and of what was merged into
    /// it. What ended with it before is erased too. Each erasure leaves a commit that says so and nothing else.
    ///
    /// # Cancel safety
    ///
    /// What was erased by then stays erased; called again, it goes on.
    ///
    /// # Errors
    ///
    /// `NotFound` if it was never written or is erased already, `Conflict` if it is in use or was merged into another,
    /// and those of the store.
    pub async fn purge(&self, id: EntityId) -> Result<()> {
        let key = EntityKey::new(E::KIND, id);
        let operation = self.operation();
        let (mut gone, absorbed) = match operation.find_at::<E>(id, At::NOW).await? {
            Some(_) => self.end(id).await?,
            None => {
                part_of_no_other::<E>(&operation, id).await?;
                ended_with::<E>(&operation, id).await?
            }
        };
        for id in absorbed {
            gone.extend(ended_with::<E>(&operation, id).await?.0);
            gone.push(EntityKey::new(E::KIND, id));
        }
        // It comes last: while it is there, what is left of it is found again.
        for part in gone {
            match self.erase(part).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                done => done?,
            }
        }
        self.erase(key).await
    }

    /// Ends an entity, and gives what ended with it and what had become a part of it.
    async fn end(&self, id: EntityId) -> Result<(Vec<EntityKey>, Vec<EntityId>)> {
        let expected = self.expected;
        let run = |operation: Operation| async move {
            let absorbed = operation.find_at::<E>(id, At::NOW).await?.map(|old| old.data.absorbed().to_vec());
            let changes = delete::<E>(&operation, id, expected).await?;
            let parts = parts(&changes, EntityKey::new(E::KIND, id));
            Ok((changes, (parts, absorbed.unwrap_or_default())))
        };
        Ok(self.commit(run).await?.1)
    }

    async fn erase(&self, key: EntityKey) -> Result<()> {
        let operation = self.operation();
        let provenance = Provenance::new(&*operation.principal, "purge");
        self.pim.store().purge(self.tenant, key, provenance, operation.now()).await
    }
}

/// What ended with an entity that has ended, and what had become a part of it.
async fn ended_with<E: Record>(operation: &Operation, id: EntityId) -> Result<(Vec<EntityKey>, Vec<EntityId>)> {
    let nothing = (Vec::new(), Vec::new());
    let Some((known, held)) = last_moment(operation, EntityKey::new(E::KIND, id)).await? else { return Ok(nothing) };
    // What was known then is gone before the horizon; what is known now of the time before the end is not.
    for at in [At::as_of(known), At { as_of: None, valid_at: Some(held) }] {
        let view = operation.view.clone().about(at);
        let then = Operation { view, at: At::NOW, valid_from: None, valid_to: None, ..operation.clone() };
        let (old, changes) = match (then.find::<E>(id).await, delete::<E>(&then, id, None).await) {
            (Ok(Some(old)), Ok(changes)) => (old, changes),
            (Ok(None), _) => continue,
            (Err(error), _) | (_, Err(error)) => match error.kind() {
                ErrorKind::HistoryExpired | ErrorKind::NotFound | ErrorKind::Conflict => continue,
                _ => return Err(error),
            },
        };
        let mut gone = Vec::new();
        for part in parts(&changes, old.key()) {
            // What has come to belong to another is there.
            if operation.view.entity(part, At::NOW).await?.is_none() {
                gone.push(part);
            }
        }
        return Ok((gone, old.data.absorbed().to_vec()));
    }
    Ok(nothing)
}

/// The last moment at which an entity was not known to end, and the last at which it had not ended.
async fn last_moment(operation: &Operation, key: EntityKey) -> Result<Option<(Timestamp, Timestamp)>> {
    let mut cursor = None;
    loop {
        let page = operation.view.history(key, PageRequest::largest(cursor)).await?;
        if let Some(end) = page.data.iter().find(|version| version.slice.body.is_none()) {
            return Ok(Some((end.sys().from().previous(), end.valid().from().previous())));
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(None);
        }
    }
}

/// What changes end beside the entity itself.
fn parts(changes: &Changes, key: EntityKey) -> Vec<EntityKey> {
    let ends = changes.writes.iter().filter(|change| change.write.op == WriteOp::Delete);
    ends.map(|change| change.key).filter(|ended| *ended != key).collect()
}
