//! Parameters and answers in the forms of SQLite.

use std::time::SystemTime;

use sqlx::sqlite::SqliteRow;

pub(super) use crate::store::db::decode::{
    Columns, each, exif_json, hash_bytes, optional, status, tenant, to_integer, to_millis,
};
use crate::{
    error::Result,
    owner::Scopes,
    store::db::{
        decode::{at_positions, engine_row},
        error::damaged,
    },
};

engine_row!(SqliteRow, super::error::database);

pub(super) fn now() -> i64 {
    to_millis(SystemTime::now())
}

/// A list of values as one parameter for `json_each`, so that one statement serves any number of values.
/// Hashes are hexadecimal text in it, for `unhex`.
pub(super) fn json_list<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).expect("strings and numbers serialize to JSON")
}

/// The scopes as a JSON list; `None` for any scope.
pub(super) fn scope_list(scopes: &Scopes) -> Option<String> {
    scopes.as_slice().map(json_list)
}

/// The values at the positions that `json_group_array` returned.
pub(super) fn selected<T: Clone>(row: &SqliteRow, asked: &[T]) -> Result<Vec<T>> {
    let positions: Vec<usize> =
        serde_json::from_str(Columns(row).text("positions")?).map_err(damaged)?;
    at_positions(&positions, asked)
}
