use std::fmt;
use std::pin::Pin;

use crate::entity::Entity;
use crate::store::Sort;
use crate::{Cursor, Page, PageRequest, Result};

use super::record::{Filter as _, Record};
use super::{Operation, Records, Stored};

/// A list under way: awaiting it gives its first page, or the one that was asked for.
#[must_use = "a list does nothing until it is awaited"]
pub struct Listing<'a, E: Record> {
    records: &'a Records<E>,
    filter: E::Filter,
    text: Option<String>,
    sort: E::Sort,
    descending: bool,
    limit: u16,
    cursor: Option<Cursor>,
}

impl<'a, E: Record> Listing<'a, E> {
    pub(super) fn new(records: &'a Records<E>, filter: E::Filter) -> Self {
        let limit = PageRequest::DEFAULT_LIMIT;
        Self { records, filter, text: None, sort: E::Sort::default(), descending: false, limit, cursor: None }
    }

    /// Only what has all of these words, each as the beginning of one and the first 32 of them, in the order of the
    /// list; not together with `as_of`. See [`Records::search`] for the best first.
    pub fn search(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// In ascending order of `sort`.
    pub const fn sort(mut self, sort: E::Sort) -> Self {
        self.sort = sort;
        self
    }

    /// Backwards.
    pub const fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// At most `limit` on a page, 1 to 200; 50 if this is not said.
    pub const fn limit(mut self, limit: u16) -> Self {
        self.limit = limit;
        self
    }

    /// The page that begins at `cursor`.
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// All pages together, of one moment unless words are searched for.
    ///
    /// # Errors
    ///
    /// `Conflict` if they hold more than [`MOST_TOGETHER`](super::MOST_TOGETHER), and those of a page.
    pub async fn all(self) -> Result<Vec<Stored<E>>> {
        let operation = self.records.operation();
        let operation = if self.text.is_some() { operation } else { operation.fixed().await? };
        let query = self.query(&operation).await?;
        operation.all(query).await
    }

    async fn page(self) -> Result<Page<Stored<E>>> {
        let operation = self.records.operation();
        let page = PageRequest::new(self.limit, self.cursor.clone())?;
        let mut query = self.query(&operation).await?;
        query.page = page;
        operation.page(query).await
    }

    async fn query(&self, operation: &Operation) -> Result<crate::store::ListQuery> {
        let mut query = self.filter.apply(operation.query::<E>(), operation).await?;
        query.sort = Sort { field: self.sort.into(), descending: self.descending };
        if self.text.is_some() {
            query.text.clone_from(&self.text);
        }
        Ok(query)
    }
}

impl<'a, E: Record> IntoFuture for Listing<'a, E> {
    type Output = Result<Page<Stored<E>>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.page())
    }
}

impl<E: Record> fmt::Debug for Listing<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = <E as Entity>::KIND;
        f.debug_struct("Listing").field("kind", &kind).field("filter", &self.filter).finish_non_exhaustive()
    }
}
