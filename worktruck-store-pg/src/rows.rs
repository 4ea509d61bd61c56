//! Between values of core and columns.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;
use worktruck_core::{Digest, Error, Result, Timestamp};

use crate::error::OrFailed as _;

/// How the tables write an open end of a period.
pub(crate) const OPEN: i64 = Timestamp::FOREVER.as_micros();

/// Reads columns as values of core.
pub(crate) trait Columns {
    /// An id.
    fn id(&self, column: &'static str) -> Result<Uuid>;
    /// A digest that may be absent.
    fn maybe_digest(&self, column: &'static str) -> Result<Option<Digest>>;
    /// A number, which is not negative.
    fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T>;
    /// A number that may be absent.
    fn maybe_number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>>;
    /// A moment.
    fn time(&self, column: &'static str) -> Result<Timestamp>;
    /// A moment that may be absent.
    fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>>;
    /// Whether something is so.
    fn flag(&self, column: &'static str) -> Result<bool>;
    /// A text.
    fn text(&self, column: &'static str) -> Result<&str>;
    /// A text that may be absent.
    fn maybe_text(&self, column: &'static str) -> Result<Option<&str>>;
    /// A JSON text, selected as `text`.
    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T>;
    /// A JSON text that may be absent.
    fn maybe_json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>>;
}

impl Columns for PgRow {
    fn id(&self, column: &'static str) -> Result<Uuid> {
        self.try_get(column).or_failed("read a row")
    }

    fn maybe_digest(&self, column: &'static str) -> Result<Option<Digest>> {
        let bytes: Option<&[u8]> = self.try_get(column).or_failed("read a row")?;
        let digest = |bytes: &[u8]| bytes.try_into().map(Digest::from_bytes).map_err(|_| damaged(column));
        bytes.map(digest).transpose()
    }

    fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T> {
        self.maybe_number(column)?.ok_or_else(|| damaged(column))
    }

    fn maybe_number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>> {
        let number: Option<i64> = self.try_get(column).or_failed("read a row")?;
        number.map(|number| T::try_from(number).map_err(|_| damaged(column))).transpose()
    }

    fn time(&self, column: &'static str) -> Result<Timestamp> {
        self.number(column).map(Timestamp::from_micros)
    }

    fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>> {
        Ok(self.maybe_number(column)?.map(Timestamp::from_micros))
    }

    fn flag(&self, column: &'static str) -> Result<bool> {
        self.try_get(column).or_failed("read a row")
    }

    fn text(&self, column: &'static str) -> Result<&str> {
        self.try_get(column).or_failed("read a row")
    }

    fn maybe_text(&self, column: &'static str) -> Result<Option<&str>> {
        self.try_get(column).or_failed("read a row")
    }

    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        self.maybe_json(column)?.ok_or_else(|| damaged(column))
    }

    fn maybe_json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>> {
        let text = self.maybe_text(column)?;
        text.map(|text| serde_json::from_str(text).map_err(|e| damaged(column).with_source(e))).transpose()
    }
}

/// The value as JSON text.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::invalid("value has no JSON form").with_source(e))
}

/// Checks a text at `pointer` of what was asked for that is to be kept in a column of texts.
pub(crate) fn check_kept(pointer: &str, text: &str) -> Result<()> {
    if is_kept(text) {
        return Ok(());
    }
    Err(Error::invalid("the text has a character that PostgreSQL cannot keep (NUL)").at(pointer))
}

/// Whether a column of texts can have this one: nothing is found by others.
pub(crate) fn is_kept(text: &str) -> bool {
    !text.contains('\0')
}

/// A count as a column has it.
pub(crate) fn number(count: impl TryInto<i64>) -> Result<i64> {
    count.try_into().map_err(|_| Error::internal("a number does not fit into the store"))
}

pub(crate) fn damaged(column: &str) -> Error {
    Error::internal(format!("the store holds a damaged {column}"))
}
