//! Scenarios of the search for words, which is the same for every kind.

#![expect(clippy::unwrap_used, reason = "a scenario is a test that other crates run")]

mod kinds;
mod reach;

pub use kinds::*;
pub use reach::*;

use serde_json::{Value, json};

use crate::PageRequest;
use crate::entity::calendar::Calendar;
use crate::entity::contact::Contact;
use crate::entity::deal::Deal;
use crate::entity::event::Event;
use crate::entity::note::Note;
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::Stage as DealStage;
use crate::entity::task::Task;
use crate::pim::search::{Hit, Snippet};
use crate::pim::{Record, Records};

use super::Stage;
use super::desk::{Desk, refusal};

/// The first page of what is found of everything.
async fn found<E: Record>(records: &Records<E>, query: &str) -> Vec<Hit<E>> {
    records.search(&E::Filter::default(), query, PageRequest::default()).await.unwrap().data
}

/// Makes an entity of each of these, a second apart.
async fn write<E: Record>(desk: &Desk, bodies: impl IntoIterator<Item = Value>) {
    for body in bodies {
        desk.create::<E>(body).await;
        desk.wait(1);
    }
}

/// The titles of what was found, each with its snippet, where matches stand in brackets.
fn shown<E>(hits: &[Hit<E>]) -> Vec<(String, String)> {
    hits.iter().map(|hit| (marked(&hit.title), marked(&hit.snippet))).collect()
}

/// The titles of what was found, where matches stand in brackets.
fn titles<E>(hits: &[Hit<E>]) -> Vec<String> {
    hits.iter().map(|hit| marked(&hit.title)).collect()
}

fn marked(snippet: &Snippet) -> String {
    let mut marked = String::new();
    for (at, c) in snippet.text.chars().enumerate() {
        marked.extend(snippet.matches.iter().filter(|place| place.from == at).map(|_| '['));
        marked.push(c);
        marked.extend(snippet.matches.iter().filter(|place| place.to == at + 1).map(|_| ']'));
    }
    marked
}

/// Texts for [`shown`] to be compared with.
fn pairs(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    texts.iter().map(|(title, snippet)| ((*title).to_owned(), (*snippet).to_owned())).collect()
}
