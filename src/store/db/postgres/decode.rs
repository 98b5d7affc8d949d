//! Parameters and answers in the forms of PostgreSQL.

use std::time::SystemTime;

use sqlx::{Row as _, postgres::PgRow};

pub(super) use crate::store::db::decode::{
    Columns, each, exif_json, hash_bytes, optional, parse_token, status, tenant, to_integer,
    to_millis,
};
use crate::{
    error::Result,
    id::MediaId,
    owner::Scopes,
    store::db::{
        BlobId,
        decode::{at_positions, engine_row},
        error::damaged,
    },
};

/// The columns of a media row by name, because a later version may add some to the view.
macro_rules! records {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, subject, arrival, hash, generation, size, mime_type, file_name, status, failure_reason,
                 width, height, format, has_alpha, exif, created_at
             FROM tower_media.records ",
            $rest
        )
    };
}
pub(super) use records;

engine_row!(PgRow, super::error::database);

/// The scopes as an array; `None` for any scope.
pub(super) fn scope_array(scopes: &Scopes) -> Option<Vec<String>> {
    let scopes = scopes.as_slice()?;
    Some(scopes.iter().map(|scope| scope.as_str().to_owned()).collect())
}

pub(super) fn id_array(ids: &[MediaId]) -> Vec<String> {
    ids.iter().map(|id| id.as_str().to_owned()).collect()
}

/// Hashes and generations, as two arrays of equal length.
pub(super) fn blob_arrays(blobs: &[BlobId]) -> (Vec<Vec<u8>>, Vec<i64>) {
    blobs.iter().map(|blob| (hash_bytes(blob.hash), blob.generation.number())).unzip()
}

/// A time as its distance from now, so that the clock of the database decides.
pub(super) fn millis_from_now(time: SystemTime) -> i64 {
    to_millis(time).saturating_sub(to_millis(SystemTime::now()))
}

/// The values at the positions, counted from 1, in an array column.
///
/// No other statement of this crate has a column of this name: behind a pooler that confuses prepared
/// statements, the answer of another statement is an error and never a verdict.
pub(super) fn selected<T: Clone>(row: &PgRow, asked: &[T]) -> Result<Vec<T>> {
    let positions: Vec<i64> = row.try_get("owned_positions").map_err(super::error::database)?;
    let positions = positions.into_iter().map(|position| usize::try_from(position - 1));
    at_positions(&positions.collect::<Result<Vec<_>, _>>().map_err(damaged)?, asked)
}
