use sqlx::postgres::PgRow;
use worktruck_core::store::Version;
use worktruck_core::temporal::Slice;
use worktruck_core::{Period, Result, TenantId};

use crate::rows::Columns as _;

use super::load::key;

/// The columns that [`read`] reads: those of a slice, under the name given and with the end of its
/// system time, and the provenance of its commit, which a head or the commit `c` has.
macro_rules! version_columns {
    ($slice:literal, $sys_to:literal, $provenance:literal) => {
        concat!(
            $slice,
            ".kind, ",
            $slice,
            ".id, ",
            $slice,
            ".created_at, ",
            $slice,
            ".version, ",
            $slice,
            ".carried, ",
            $slice,
            ".tx_id, ",
            $slice,
            ".sys_from, ",
            $sys_to,
            " AS sys_to, ",
            $slice,
            ".valid_from, ",
            $slice,
            ".valid_to, ",
            $slice,
            ".body::text AS body, ",
            $provenance,
            ".provenance::text AS provenance"
        )
    };
}
pub(super) use version_columns;

/// The version that a row is.
pub(super) fn read(row: &PgRow, tenant: TenantId) -> Result<Version> {
    Ok(Version {
        tenant,
        key: key(row)?,
        created_at: row.time("created_at")?,
        slice: Slice {
            version: row.number("version")?,
            body: row.maybe_json("body")?,
            sys: Period::new(row.time("sys_from")?, row.time("sys_to")?)?,
            valid: Period::new(row.time("valid_from")?, row.time("valid_to")?)?,
            carried: row.flag("carried")?,
            tx_id: row.number("tx_id")?,
        },
        provenance: row.json("provenance")?,
    })
}
