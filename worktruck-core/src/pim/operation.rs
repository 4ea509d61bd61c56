use std::sync::Arc;

use crate::entity::{Entity, Kind, Locale};
use crate::store::{EntityKey, ListQuery, Require, View};
use crate::temporal::{At, Write, WriteOp};
use crate::{EntityId, Error, IdSource, Page, PageRequest, Result, Timestamp};

use super::{Stored, contacts};

/// How many entities an operation reads or writes together at most.
pub const MOST_TOGETHER: usize = 10_000;

/// What an operation may use: what it reads through, where new ids come from, and what part of time it is about.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What it sees.
    pub view: View,
    /// Where ids of new entities come from.
    pub ids: Arc<dyn IdSource>,
    /// Where the tenant is at home.
    pub locale: Locale,
    /// Who asks: what a write is captured by.
    pub principal: Arc<str>,
    /// The two times that reads are about.
    pub at: At,
    /// The first moment that writes hold for; that of the commit if absent.
    pub valid_from: Option<Timestamp>,
    /// The first moment that writes no longer hold for; open if absent.
    pub valid_to: Option<Timestamp>,
}

impl Operation {
    /// An operation about the present.
    #[must_use]
    pub fn new(view: View, ids: Arc<dyn IdSource>, principal: &str) -> Self {
        Self {
            view,
            ids,
            locale: Locale::default(),
            principal: Arc::from(principal),
            at: At::NOW,
            valid_from: None,
            valid_to: None,
        }
    }

    /// The moment that it takes for the present.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.view.now()
    }

    /// The moment in the world that its reads are about.
    #[must_use]
    pub fn moment(&self) -> Timestamp {
        self.at.valid_at.or(self.at.as_of).unwrap_or_else(|| self.now())
    }

    /// The same operation where all reads are of one moment: none sees what others commit after now.
    ///
    /// A search for words always is about the present, and the cursors of lists lead on in this operation only.
    ///
    /// # Errors
    ///
    /// Those of [`View::fixed`].
    pub async fn fixed(&self) -> Result<Self> {
        if self.at.as_of.is_some() {
            return Ok(self.clone());
        }
        Ok(Self { view: self.view.clone().fixed().await?, ..self.clone() })
    }

    /// An id for a new entity.
    #[must_use]
    pub fn new_id(&self) -> EntityId {
        EntityId::new(&*self.ids, self.now())
    }

    /// The entity, if it exists.
    ///
    /// # Errors
    ///
    /// As for [`View::entity`].
    pub async fn find<E: Entity>(&self, id: EntityId) -> Result<Option<Stored<E>>> {
        self.find_at(id, self.at).await
    }

    /// The entity as it was at `at`, if it existed.
    ///
    /// # Errors
    ///
    /// As for [`View::entity`].
    pub async fn find_at<E: Entity>(&self, id: EntityId, at: At) -> Result<Option<Stored<E>>> {
        let found = self.view.entity(EntityKey::new(E::KIND, id), at).await?;
        Ok(found.map(Stored::read).transpose()?.flatten().map(|found: Stored<E>| found.about(at, self.now())))
    }

    /// The entity.
    ///
    /// # Errors
    ///
    /// `NotFound` if it does not exist, and those of [`View::entity`].
    pub async fn expect<E: Entity>(&self, id: EntityId) -> Result<Stored<E>> {
        self.find(id).await?.ok_or_else(|| Error::not_found(EntityKey::new(E::KIND, id)))
    }

    /// What must hold for an entity to be referred to from `pointer`: it exists, and does so still at the commit.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `pointer` if it does not exist, `Conflict` there if it is a contact that was merged.
    pub async fn refer(&self, pointer: &str, kind: Kind, id: EntityId) -> Result<Require> {
        if kind == Kind::Contact {
            let key = contacts::referred(self, pointer, id).await?.key();
            return Ok(Require::Exists { key });
        }
        let key = EntityKey::new(kind, id);
        match self.view.entity(key, At::NOW).await? {
            Some(_) => Ok(Require::Exists { key }),
            None => Err(Error::invalid(format!("{key} does not exist")).at(pointer)),
        }
    }

    /// A query for entities of this kind, at the two times of the operation.
    #[must_use]
    pub fn query<E: Entity>(&self) -> ListQuery {
        ListQuery { at: self.at, ..ListQuery::new(E::KIND) }
    }

    /// A page of entities.
    ///
    /// # Errors
    ///
    /// As for [`View::list`].
    pub async fn page<E: Entity>(&self, query: ListQuery) -> Result<Page<Stored<E>>> {
        let at = query.at;
        let page = self.view.list(query).await?;
        let data: Vec<Option<Stored<E>>> = page.data.into_iter().map(Stored::read).collect::<Result<_>>()?;
        let data = data.into_iter().flatten().map(|found| found.about(at, self.now())).collect();
        Ok(Page::new(data, page.next_cursor))
    }

    /// The first entity that a query asks for.
    ///
    /// # Errors
    ///
    /// As for [`View::list`].
    pub async fn first<E: Entity>(&self, query: ListQuery) -> Result<Option<Stored<E>>> {
        let query = ListQuery { page: PageRequest::new(1, None)?, ..query };
        Ok(self.page(query).await?.data.pop())
    }

    /// All entities that a query asks for.
    ///
    /// # Errors
    ///
    /// `Conflict` if they are more than [`MOST_TOGETHER`], and those of [`View::list`].
    pub async fn all<E: Entity>(&self, query: ListQuery) -> Result<Vec<Stored<E>>> {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.page(ListQuery { page: PageRequest::largest(cursor), ..query.clone() }).await?;
            found.extend(page.data);
            if found.len() > MOST_TOGETHER {
                let message = format!("more than {MOST_TOGETHER} entities of kind {} are concerned", query.kind);
                return Err(Error::conflict(message));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }

    /// `op` over the part of the valid axis that the operation is about.
    #[must_use]
    pub const fn write(&self, op: WriteOp) -> Write {
        Write { op, valid_from: self.valid_from, valid_to: self.valid_to }
    }
}
