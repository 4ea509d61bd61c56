//! Pages of lists, and the cursors between them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Digest, Error, ErrorKind, Result};

/// One page of a list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub data: Vec<T>,
    /// Where the next page begins.
    pub next_cursor: Option<Cursor>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// A page of `data`, which goes on at `next_cursor`.
    #[must_use]
    pub const fn new(data: Vec<T>, next_cursor: Option<Cursor>) -> Self {
        Self { data, has_more: next_cursor.is_some(), next_cursor }
    }

    /// The page of the first `limit` of what was `found`, which is one more if there is a next page; `cursor` leads on
    /// behind an item.
    ///
    /// # Errors
    ///
    /// Those of `cursor`.
    pub fn cut(mut found: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> Result<Cursor>) -> Result<Self> {
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(cursor).transpose()?;
        Ok(Self::new(found, next))
    }

    /// The same page with every item changed by `f`.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(f).collect(), next_cursor: self.next_cursor, has_more: self.has_more }
    }
}

/// Which page of a list is wanted.
///
/// # Examples
///
/// ```
/// use worktruck_core::PageRequest;
///
/// assert_eq!(PageRequest::default().limit(), 50);
/// assert!(PageRequest::new(201, None).is_err());
/// ```
#[derive(Clone, Debug)]
pub struct PageRequest {
    limit: u16,
    cursor: Option<Cursor>,
}

impl PageRequest {
    /// The largest page.
    pub const MAX_LIMIT: u16 = 200;
    /// The size of a page when none is asked for.
    pub const DEFAULT_LIMIT: u16 = 50;

    /// At most `limit` items, from `cursor` on or from the start.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] if `limit` is not in 1..=200.
    pub fn new(limit: u16, cursor: Option<Cursor>) -> Result<Self> {
        if (1..=Self::MAX_LIMIT).contains(&limit) {
            Ok(Self { limit, cursor })
        } else {
            Err(Error::invalid(format!("limit must be between 1 and {}, not {limit}", Self::MAX_LIMIT)).at("/limit"))
        }
    }

    /// The largest page, from `cursor` on or from the start.
    #[must_use]
    pub const fn largest(cursor: Option<Cursor>) -> Self {
        Self { limit: Self::MAX_LIMIT, cursor }
    }

    /// The page of the same size that begins at `cursor`.
    #[must_use]
    pub fn after(self, cursor: Cursor) -> Self {
        Self { cursor: Some(cursor), ..self }
    }

    /// How many items at most.
    #[must_use]
    pub fn limit(&self) -> usize {
        usize::from(self.limit)
    }

    /// Where the page begins.
    #[must_use]
    pub const fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: Self::DEFAULT_LIMIT, cursor: None }
    }
}

/// A position in a list, opaque to whoever carries it.
///
/// A cursor is bound to the scope it was made for (the tenant, the list, its filters and its
/// order). Elsewhere, or damaged, it is refused, so that it never yields a wrong page.
///
/// # Examples
///
/// ```
/// use worktruck_core::Cursor;
///
/// let cursor = Cursor::seal(&"contacts of a", &17)?;
/// assert_eq!(cursor.open::<u32>(&"contacts of a")?, 17);
/// assert!(cursor.open::<u32>(&"contacts of b").is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Cursor(String);

const CHECK_BYTES: usize = 12;

impl Cursor {
    /// The cursor that stands for `position` in the list that `scope` describes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] if either has no JSON form.
    pub fn seal<S: Serialize + ?Sized, P: Serialize + ?Sized>(scope: &S, position: &P) -> Result<Self> {
        let position =
            serde_json::to_vec(position).map_err(|e| Error::invalid("position has no JSON form").with_source(e))?;
        let mut bytes = check(scope, &position)?.to_vec();
        bytes.extend_from_slice(&position);
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The position that the cursor stands for in the list that `scope` describes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidCursor`] if it is damaged or was made for another scope.
    pub fn open<P: DeserializeOwned>(&self, scope: &(impl Serialize + ?Sized)) -> Result<P> {
        let wrong =
            || Error::new(ErrorKind::InvalidCursor, "cursor does not belong to this list; start again without one");
        let bytes = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| wrong())?;
        let (found, position) = bytes.split_at_checked(CHECK_BYTES).ok_or_else(wrong)?;
        if found != check(scope, position)? {
            return Err(wrong());
        }
        serde_json::from_slice(position).map_err(|_| wrong())
    }

    /// The cursor with this text, unchecked until it is opened.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check<S: Serialize + ?Sized>(scope: &S, position: &[u8]) -> Result<[u8; CHECK_BYTES]> {
    let mut bytes = Digest::of_json(scope)?.as_bytes().to_vec();
    bytes.extend_from_slice(position);
    let digest = Digest::of_bytes(&bytes);
    let mut short = [0; CHECK_BYTES];
    short.copy_from_slice(&digest.as_bytes()[..CHECK_BYTES]);
    Ok(short)
}
