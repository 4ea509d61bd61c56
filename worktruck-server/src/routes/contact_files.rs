//! Files of contacts.

use std::io::{self, Write};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use futures::TryStreamExt as _;
use futures::stream::{self, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worktruck_agents::export::{Format as ExportFormat, Writer};
use worktruck_agents::import::{self, Format, Options, Report, Target};
use worktruck_core::entity::contact::Contact;
use worktruck_core::pim::contacts::ContactFilter;
use worktruck_core::pim::{Records, Stored};
use worktruck_core::{Page, PageRequest};

use crate::Failure;
use crate::answer::{Download, Plain};
use crate::body::{File, FileTypes};
use crate::call::Call;

/// Files of contacts.
#[derive(Debug)]
pub(crate) struct ContactFiles;

impl FileTypes for ContactFiles {
    const TYPES: &'static [&'static str] = &["text/vcard", "text/csv", "application/jscontact+json"];
}

/// What an import did.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Imported {
    /// What is new.
    created: usize,
    /// What was there and has changed.
    updated: usize,
    /// What was left out, and what was there unchanged.
    skipped: usize,
    /// What was not understood, left out, or could not be written.
    errors: Vec<Misunderstood>,
}

/// Something in a file that was not understood.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Misunderstood {
    /// The line of the file; the first is 1.
    line: u64,
    /// What is wrong and what became of it.
    message: String,
}

impl From<Report> for Imported {
    fn from(report: Report) -> Self {
        let Report { created, updated, skipped, errors } = report;
        let told = |problem: import::Problem| Misunderstood { line: problem.line, message: problem.message };
        Self { created, updated, skipped, errors: errors.into_iter().map(told).collect() }
    }
}

/// What a file is called in messages.
pub(crate) const SOURCE: &str = "the file";

/// Does work that takes the processor for long, away from the threads that answer.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> worktruck_core::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::internal())?.map_err(Failure::from)
}

pub(crate) async fn import(call: Call<(), File<ContactFiles>>) -> Result<Plain<Imported>, Failure> {
    let File { media_type, bytes, .. } = call.body;
    let format = Format::of_media_type(&media_type).ok_or_else(|| Failure::unsupported(ContactFiles::TYPES))?;
    let service = call.context.service;
    let (ids, now) = (Arc::clone(service.ids()), service.clock().now());
    let options = Options { region: call.context.locale.region };
    let parsed = aside(move || import::parse(SOURCE, &bytes, format, &options, &*ids, now)).await?;
    let principal = call.context.principal;
    let target = Target {
        store: &**service.pim().store(),
        tenant: principal.tenant,
        ids: &**service.ids(),
        clock: &**service.clock(),
        captured_by: &principal.actor,
    };
    Ok(Plain(import::load(target, parsed, |_| {}).await?.into()))
}

/// What contacts are written as.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Written {
    /// vCard 4.0.
    #[default]
    Vcard,
    /// Comma-separated values with a header.
    Csv,
    /// JSContact.
    Jscontact,
}

/// Which file is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Exported {
    /// What contacts are written as.
    format: Written,
}

pub(crate) async fn export(call: Call<Exported>) -> Result<Download<ContactFiles>, Failure> {
    let format = match call.query.format {
        Written::Vcard => ExportFormat::Vcard4,
        Written::Csv => ExportFormat::Csv,
        Written::Jscontact => ExportFormat::JsContact,
    };
    let records = call.records::<Contact>();
    // What cannot be read at all is said while there is still a status to say it with.
    let first = page(&records, None).await?;
    let body = Body::from_stream(pieces(records, first, format)?);
    Ok(Download { media_type: format.media_type(), body, kind: PhantomData })
}

async fn page(
    records: &Records<Contact>,
    cursor: Option<worktruck_core::Cursor>,
) -> worktruck_core::Result<Page<Stored<Contact>>> {
    let list = records.list(ContactFilter::default()).limit(PageRequest::MAX_LIMIT);
    match cursor {
        Some(cursor) => list.after(cursor).await,
        None => list.await,
    }
}

/// A file piece by piece: each page of contacts is read when the one before is sent.
fn pieces(
    records: Records<Contact>,
    first: Page<Stored<Contact>>,
    format: ExportFormat,
) -> Result<impl Stream<Item = io::Result<Bytes>>, Failure> {
    let buffer = Buffer::default();
    let writer = Writer::new(format, buffer.clone())?;
    let state = Some((writer, first));
    let stream = stream::try_unfold(state, move |state| {
        let (records, buffer) = (records.clone(), buffer.clone());
        async move {
            let Some((mut writer, page_now)) = state else { return Ok(None) };
            for stored in &page_now.data {
                writer.write(stored.id, &stored.data)?;
            }
            let next = match page_now.next_cursor {
                Some(cursor) => Some((writer, page(&records, Some(cursor)).await?)),
                None => writer.finish().map(|_| None)?,
            };
            Ok::<_, worktruck_core::Error>(Some((buffer.take(), next)))
        }
    });
    Ok(stream.map_err(io::Error::other))
}

/// What is written and not yet sent.
#[derive(Clone, Debug, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
