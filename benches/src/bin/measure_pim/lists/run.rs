use std::time::{Duration, Instant};

use worktruck_benches::Result;
use worktruck_benches::machine::progress;
use worktruck_core::{Cursor, Error, ErrorKind, Timestamp};

use super::asked::{Asked, Filter};
use super::ours::{Ours, Read};
use super::plain::{After, List, Plain};
use super::shape::{Shape, Timed, Which};

/// How a list is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// How long each list is read, by both systems together.
    pub(super) time: Duration,
    /// How often at most.
    pub(super) reads: usize,
}

/// How often a list is read at least, however long it takes.
const LEAST: usize = 3;
/// How often a list is read before it is measured: statements are planned anew the first five times.
const WARM: usize = 6;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many entities deep pages come after at most; half of the list if it has fewer than twice as many.
const DEPTH: usize = 2_000;
/// Of how many values deep pages are looked for.
const DEEP: usize = 4;

/// What is measured: the store and the plain tables.
#[derive(Debug)]
pub(super) struct Systems {
    pub(super) ours: Ours,
    pub(super) plain: Plain,
    pub(super) middle: Timestamp,
    pub(super) effort: Effort,
}

/// A page to be read.
struct Page<'a> {
    read: Read<'a>,
    list: List,
    after: Option<After>,
}

impl Systems {
    /// Measures all pages of the lists with a filter in one order.
    pub(super) async fn measure(&mut self, filter: &Filter, sort: &'static str) -> Result<Vec<Timed>> {
        let Some(first) = filter.values.first() else { return Ok(Vec::new()) };
        let drop = self.plain.prepare(filter.kind, first, sort).await?;
        let hits = self.hits(filter, sort).await?;
        let mut all = Vec::new();
        for (is_down, which) in
            [(false, Which::First), (true, Which::First), (false, Which::Deep), (false, Which::AsOf)]
        {
            let shape = Shape { kind: filter.kind, filter: filter.name.clone(), sort, is_down, which };
            let pages = match which {
                Which::Deep => match self.deep(filter, sort).await {
                    Err(error) if is_refused(&*error) => {
                        progress(&format!("{}: the cursor of its own page is refused", shape.name()));
                        Vec::new()
                    }
                    pages => pages?,
                },
                _ => filter.values.iter().map(|asked| self.first(filter, asked, &shape)).collect(),
            };
            if which == Which::First && filter.is_same {
                self.check(&pages, &shape).await?;
            }
            if !pages.is_empty() {
                let (ours, plain) = self.time(&pages, &shape).await?;
                all.push(Timed { shape, hits, ours, plain });
            }
        }
        self.plain.forget(drop).await?;
        Ok(all)
    }

    fn first<'a>(&self, filter: &Filter, asked: &'a Asked, shape: &Shape) -> Page<'a> {
        let as_of = (shape.which == Which::AsOf).then_some(self.middle);
        let read = read(asked, shape.sort);
        let list = List::new(filter.kind, asked, shape.sort);
        Page { read: Read { is_down: shape.is_down, as_of, ..read }, list, after: None }
    }

    /// How many entities the lists have, in the middle.
    async fn hits(&mut self, filter: &Filter, sort: &str) -> Result<usize> {
        let mut hits = Vec::new();
        for asked in filter.values.iter().take(9) {
            hits.push(self.plain.count(&List::new(filter.kind, asked, sort)).await?);
        }
        hits.sort_unstable();
        Ok(hits.get(hits.len() / 2).copied().unwrap_or_default())
    }

    /// Pages far into the lists, where there are some.
    async fn deep<'a>(&mut self, filter: &'a Filter, sort: &'static str) -> Result<Vec<Page<'a>>> {
        let mut pages = Vec::new();
        for asked in filter.values.iter().take(DEEP) {
            let list = List::new(filter.kind, asked, sort);
            let mut left = DEPTH.min(self.plain.count(&list).await? / 2);
            let (mut cursor, mut last): (Option<Cursor>, _) = (None, None);
            while left > 0 {
                let limit = u16::try_from(left.min(200))?;
                let read = Read { limit, cursor: cursor.take(), ..read(asked, sort) };
                let (ids, next) = self.ours.page(filter.kind, &read).await?;
                last = ids.last().copied();
                cursor = next;
                left = if cursor.is_some() { left.saturating_sub(200) } else { 0 };
            }
            if let Some((cursor, last)) = cursor.zip(last) {
                let read = Read { cursor: Some(cursor), ..read(asked, sort) };
                self.ours.page(filter.kind, &read).await?;
                let after = Some(self.plain.place(filter.kind, last, sort).await?);
                pages.push(Page { read, list, after });
            }
        }
        Ok(pages)
    }

    /// Fails unless both systems have the same first pages.
    async fn check(&mut self, pages: &[Page<'_>], shape: &Shape) -> Result<()> {
        for page in pages.iter().take(3) {
            let (ids, _) = self.ours.page(shape.kind, &page.read).await?;
            let rows = self.plain.page(&page.list, shape.is_down, None).await?;
            let is_same = ids.iter().map(|id| id.as_uuid().as_bytes().to_vec()).eq(rows.into_iter().take(50));
            if !is_same {
                return Err(format!("{}: the plain table has another page for {:?}", shape.name(), page.read).into());
            }
        }
        Ok(())
    }

    /// Milliseconds that each page took, of the store and of the plain table.
    async fn time(&mut self, pages: &[Page<'_>], shape: &Shape) -> Result<(Vec<f64>, Vec<f64>)> {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        let mut began = Instant::now();
        let mut warm = WARM;
        for page in pages.iter().cycle() {
            let is_over = began.elapsed() >= self.effort.time;
            if warm > 0 {
                // What takes seconds is not slow for being planned.
                warm = if began.elapsed() >= PATIENCE { 0 } else { warm - 1 };
            }
            if warm == 0 && ours.is_empty() {
                began = Instant::now();
            } else if ours.len() >= self.effort.reads || (is_over && ours.len() >= LEAST) {
                break;
            }
            let start = Instant::now();
            self.ours.page(shape.kind, &page.read).await?;
            let between = Instant::now();
            let rows = self.plain.page(&page.list, shape.is_down, page.after.as_ref()).await?;
            let end = Instant::now();
            std::hint::black_box(rows);
            if warm == 0 {
                ours.push((between - start).as_secs_f64() * 1_000.0);
                plain.push((end - between).as_secs_f64() * 1_000.0);
            }
        }
        Ok((ours, plain))
    }
}

fn read<'a>(asked: &'a Asked, sort: &'static str) -> Read<'a> {
    Read { filter: &asked.filter, sort, is_down: false, limit: 50, cursor: None, as_of: None }
}

/// Whether a list cannot be walked.
fn is_refused(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref::<Error>().is_some_and(|error| error.kind() == ErrorKind::InvalidCursor)
}
