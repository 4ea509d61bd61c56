//! Searching for words: what is found, in which order, and what of it to show.
//!
//! A store finds what has all words of a query, each as the beginning of a word, in one of its
//! [texts](crate::entity::Texts). The order and what is shown are functions of these texts, so that every store gives
//! the same answers, and so that every kind of entity is searched in the same way.
//!
//! # What comes first
//!
//! Up to 200 matches are all ranked ([`rank()`]); of equals that comes first which was written last. Of more, those are
//! ranked that were created last, with a word of the query in their title, with all of them in it, with a title that
//! begins with the query, and with a title that is the query: of each 200 at most. So a title is found among any
//! number of texts that mention it. Behind what is ranked come all other matches, what was created last first: the
//! pages together have every match.

mod rank;
mod snippet;
mod words;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::{ListQuery, Sort, SortField, Titled};
use crate::{Cursor, EntityId, Error, Page, PageRequest, Result};

use super::{Filter as _, Operation, Record, Records, Stored};

pub(super) use snippet::around;

pub use rank::rank;
pub use snippet::{Match, Snippet, best_snippet, snippet};
pub use words::Words;

/// An entity that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit<E> {
    /// The entity.
    pub record: Stored<E>,
    /// How well it matches: greater is better.
    pub score: u64,
    /// Its title, with the words in it that match.
    pub title: Snippet,
    /// The part of its other texts that matches best; the beginning of its body if only the title does.
    pub snippet: Snippet,
}

impl<E: Record> Hit<E> {
    fn new(words: &Words, score: u64, record: Stored<E>) -> Self {
        let texts = record.data.texts();
        let (title, snippet) = (snippet(texts.title, words), best_snippet(&texts, words));
        Self { record, score, title, snippet }
    }
}

/// A page of the entities that have all of these words in their texts, each as the beginning of a word and the first 32
/// of them, the best first; see the [module](self) for what that means where very much matches.
///
/// Case, accents and punctuation do not matter, and there is no query language: any query is words. One without a word
/// finds nothing. A page may have fewer entities than it may have at most, also where another one follows.
///
/// # Errors
///
/// `InvalidRequest` at `/as_of` with an `as_of`, `InvalidCursor`, those of the filter and of the store.
pub async fn search<E: Record>(
    operation: &Operation,
    filter: &E::Filter,
    query: &str,
    page: PageRequest,
) -> Result<Page<Hit<E>>> {
    if operation.at.as_of.is_some() {
        return Err(Error::invalid("a search for words cannot be made with as_of").at("/as_of"));
    }
    let words = Words::of(query);
    let scope = ("search", E::KIND, operation.view.tenant(), &words, filter, operation.at);
    let place = page.cursor().map_or(Ok(Place::Ranked(0)), |cursor| cursor.open(&scope))?;
    if words.is_empty() {
        return Ok(Page::new(Vec::new(), None));
    }
    let matching = ListQuery {
        text: Some(words.text().to_owned()),
        sort: Sort { field: SortField::CreatedAt, descending: true },
        page: PageRequest::largest(None),
        ..filter.apply(operation.query::<E>(), operation).await?
    };
    let (data, next) = match place {
        Place::Ranked(skipped) => ranked(operation, matching, &words, skipped, page.limit()).await?,
        Place::Rest(after) => {
            let known = titled::<E>(operation, &matching, &words).await?;
            let rest = ListQuery { page: page.after(after), ..matching };
            let rest = operation.page::<E>(rest).await?;
            let data = rest.data.into_iter().filter(|record| !known.contains_key(&record.id));
            let data = data.map(|record| (rank(&words, &record.data.texts()), record)).collect();
            (data, rest.next_cursor.map(Place::Rest))
        }
    };
    let next = next.map(|place| Cursor::seal(&scope, &place)).transpose()?;
    Ok(Page::new(data.into_iter().map(|(score, record)| Hit::new(&words, score, record)).collect(), next))
}

/// Where a page begins.
#[derive(Deserialize, Serialize)]
enum Place {
    /// Behind so many of what is ranked.
    Ranked(usize),
    /// At this cursor of all that matches, behind what is ranked.
    Rest(Cursor),
}

/// A page of what is ranked, and where the next one begins.
async fn ranked<E: Record>(
    operation: &Operation,
    matching: ListQuery,
    words: &Words,
    skipped: usize,
    limit: usize,
) -> Result<(Vec<(u64, Stored<E>)>, Option<Place>)> {
    let newest = operation.page::<E>(matching.clone()).await?;
    let mut found = by_id(newest.data);
    if newest.next_cursor.is_some() {
        found.extend(titled(operation, &matching, words).await?);
    }
    let mut ranked: Vec<(u64, Stored<E>)> =
        found.into_values().map(|record| (rank(words, &record.data.texts()), record)).collect();
    ranked.sort_by_key(|(score, record)| Reverse((*score, record.updated_at(), record.id)));
    let is_last = ranked.len() <= skipped.saturating_add(limit);
    let data: Vec<_> = ranked.into_iter().skip(skipped).take(limit).collect();
    let next = if is_last { newest.next_cursor.map(Place::Rest) } else { Some(Place::Ranked(skipped + data.len())) };
    Ok((data, next))
}

/// What is ranked for its title where not all can be: the more of these there are, the better they have to be.
async fn titled<E: Record>(
    operation: &Operation,
    matching: &ListQuery,
    words: &Words,
) -> Result<BTreeMap<EntityId, Stored<E>>> {
    let mut found = BTreeMap::new();
    for asked in [Titled::WithSome, Titled::WithAll, Titled::Beginning, Titled::As] {
        let query = ListQuery { title: Some(asked(words.text().to_owned())), ..matching.clone() };
        let page = operation.page::<E>(query).await?;
        found.extend(by_id(page.data));
        if page.next_cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

fn by_id<E>(records: Vec<Stored<E>>) -> BTreeMap<EntityId, Stored<E>> {
    records.into_iter().map(|record| (record.id, record)).collect()
}

impl<E: Record> Records<E> {
    /// A page of the entities that have all of these words, each as the beginning of one, the best first.
    ///
    /// # Errors
    ///
    /// As for [`search()`].
    pub async fn search(&self, filter: &E::Filter, query: &str, page: PageRequest) -> Result<Page<Hit<E>>> {
        search(&self.operation(), filter, query, page).await
    }
}
