use std::collections::BTreeMap;

use crate::entity::note::{FrontMatter, Note, headings, title_words};
use crate::pim::search::{Snippet, Words, rank, snippet};
use crate::pim::{Filter as _, Operation, Stored};
use crate::store::{ListQuery, Sort, SortField};
use crate::{Cursor, EntityId, Error, Page, PageRequest, Result};

use super::NoteFilter;

/// A note that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct NoteHit {
    /// The note.
    pub note: Stored<Note>,
    /// How well it matches: greater is better.
    pub score: u64,
    /// The part of its text that matches best; its beginning if only the title does.
    pub snippet: Snippet,
}

/// A page of the notes that have all of these words in title, aliases or text, each as the beginning of a word, the
/// best first ([`rank`]); of equals the one that was written last.
///
/// Up to 200 matches are ranked all. Of more, those are ranked that were written last, that begin with the query, that
/// have all of its words in their title, and that have one of them in it: of each 200 at most. There are no pages
/// behind those. A query without a word finds nothing.
///
/// # Errors
///
/// `InvalidRequest` at `/as_of` with an `as_of`, `InvalidCursor`, and those of the store.
pub async fn search(
    operation: &Operation,
    filter: &NoteFilter,
    query: &str,
    page: PageRequest,
) -> Result<Page<NoteHit>> {
    if operation.at.as_of.is_some() {
        return Err(Error::invalid("a search for words cannot be made with as_of").at("/as_of"));
    }
    let words = Words::of(query);
    let scope = ("search of notes", operation.view.tenant(), &words, filter, operation.at);
    let skipped: usize = page.cursor().map_or(Ok(0), |cursor| cursor.open(&scope))?;
    if words.is_empty() {
        return Ok(Page::new(Vec::new(), None));
    }
    let mut ranked: Vec<(u64, Stored<Note>)> = candidates(operation, filter, query, &words)
        .await?
        .into_values()
        .map(|note| (score(&words, &note.data), note))
        .collect();
    ranked.sort_by_key(|(score, note)| std::cmp::Reverse((*score, note.updated_at(), note.id)));
    let mut rest = ranked.into_iter().skip(skipped);
    let data: Vec<NoteHit> = rest.by_ref().take(page.limit()).map(|(score, note)| hit(&words, score, note)).collect();
    let next = match rest.next() {
        Some(_) => Some(Cursor::seal(&scope, &(skipped + data.len()))?),
        None => None,
    };
    Ok(Page::new(data, next))
}

/// The notes that are ranked.
async fn candidates(
    operation: &Operation,
    filter: &NoteFilter,
    query: &str,
    words: &Words,
) -> Result<BTreeMap<EntityId, Stored<Note>>> {
    let all = ListQuery {
        text: Some(words.text()),
        sort: Sort { field: SortField::UpdatedAt, descending: true },
        page: PageRequest::largest(None),
        ..filter.apply(operation.query::<Note>(), operation).await?
    };
    let newest = operation.page::<Note>(all.clone()).await?;
    let mut found: BTreeMap<EntityId, Stored<Note>> = newest.data.into_iter().map(|note| (note.id, note)).collect();
    if newest.next_cursor.is_some() {
        let in_title: Vec<String> = title_words(query).into_iter().take(32).collect();
        let beginning: String = query.trim().to_lowercase().chars().filter(|c| *c != '\0').take(200).collect();
        let end = format!("{beginning}\u{10ffff}");
        let of_all = in_title.iter().fold(all.clone(), |all, word| all.with("title_word", Some(word)));
        let of_some = all.clone().with_any("title_word", &in_title);
        for query in [of_all, all.within("title", [(beginning, end)]), of_some] {
            found.extend(operation.page::<Note>(query).await?.data.into_iter().map(|note| (note.id, note)));
        }
    }
    Ok(found)
}

fn score(words: &Words, note: &Note) -> u64 {
    let text = FrontMatter::read(&note.body).map_or(&*note.body, |found| found.rest);
    let names: Vec<&str> = note.aliases().into_iter().chain(headings(text)).collect();
    rank(words, &note.title, &names, text)
}

fn hit(words: &Words, score: u64, note: Stored<Note>) -> NoteHit {
    let text = FrontMatter::read(&note.data.body).map_or(&*note.data.body, |found| found.rest);
    let snippet = snippet(text.trim_start(), words);
    NoteHit { note, score, snippet }
}
