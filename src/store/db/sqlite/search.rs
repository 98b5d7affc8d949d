//! Searches: filters, in any order, with a total.

use sqlx::query;

use super::{
    decode::{Columns, each, scope_list, to_millis},
    read_pool::{ReadPool, Statement},
};
use crate::{
    error::Result,
    media::{SearchOptions, SortBy, TypeFilter},
    store::db::{Matches, OwnerRow},
};

/// Statement over the rows that pass the filters. `?2` is one MIME type, `?3` the prefix of several.
///
/// A unary plus in `$status` or `$date` keeps SQLite from using an index of that column.
macro_rules! matching {
    ($select:literal, $status:literal, $date:literal, $arrival:literal $(, $order:literal)?) => {
        concat!(
            "SELECT ", $select, " FROM records
             WHERE owner = ?1 AND ", $status, " = 'ready'
                 AND (?2 IS NULL OR mime_type = ?2)
                 AND (?3 IS NULL OR substr(mime_type, 1, length(?3)) = ?3)
                 AND ", $date, " BETWEEN ?4 AND ?5
                 AND (NOT ?6
                     OR exif ->> '$.gpsLatitude' IS NOT NULL AND exif ->> '$.gpsLongitude' IS NOT NULL)
                 AND ", $arrival,
            $(" ORDER BY ", $order, " LIMIT ?8 OFFSET ?9",)?
        )
    };
}

/// The filter by scope of a page: the arrivals are read once, from the index of the scopes.
macro_rules! page {
    ($date:literal, $order:literal) => {
        matching!(
            "*",
            "status",
            $date,
            "(?7 IS NULL OR arrival IN (
                 SELECT arrival FROM refs WHERE owner = ?1 AND scope IN (SELECT value FROM json_each(?7))
             ))",
            $order
        )
    };
}

pub(super) const COUNT: &str = matching!("count(*) AS total", "status", "created_at", "?7 IS NULL");

/// Counts within scopes, at a cost that grows with the scopes and not with the library.
pub(super) const COUNT_IN_SCOPES: &str = matching!(
    "count(*) AS total",
    "+status",
    "+created_at",
    "arrival IN (
         SELECT arrival FROM refs WHERE owner = ?1 AND scope IN (SELECT value FROM json_each(?7))
     )"
);

/// The page statement of each order; `true` is ascending.
pub(super) const PAGES: [(SortBy, bool, &str); 6] = [
    (SortBy::CreatedAt, true, page!("created_at", "created_at, arrival")),
    (SortBy::CreatedAt, false, page!("created_at", "created_at DESC, arrival DESC")),
    (SortBy::Size, true, page!("+created_at", "size, arrival")),
    (SortBy::Size, false, page!("+created_at", "size DESC, arrival DESC")),
    (
        SortBy::DateTaken,
        true,
        page!("+created_at", "coalesce(exif ->> '$.dateTaken', '~'), arrival"),
    ),
    (
        SortBy::DateTaken,
        false,
        page!("+created_at", "coalesce(exif ->> '$.dateTaken', '~') DESC, arrival DESC"),
    ),
];

pub(super) async fn search(
    pool: &ReadPool,
    owner: &OwnerRow,
    options: &SearchOptions,
) -> Result<Matches> {
    let order = (options.sort_by(), options.is_ascending());
    let page = PAGES.iter().find(|(by, ascending, _)| (*by, *ascending) == order);
    let (.., page) = page.expect("every order has a statement");
    let page = filtered(page, owner, options)
        .bind(i64::try_from(options.limit()).unwrap_or(i64::MAX))
        .bind(i64::try_from(options.offset()).unwrap_or(i64::MAX));
    let rows = each(&pool.all(page).await?, Columns::media)?;
    Ok(Matches { rows, total: total(pool, owner, options).await? })
}

async fn total(pool: &ReadPool, owner: &OwnerRow, options: &SearchOptions) -> Result<u64> {
    let has_filter = options.type_filter().is_some()
        || options.from().is_some()
        || options.to().is_some()
        || options.has_location();
    let in_scopes = options.scopes().as_slice().is_some();
    if !has_filter && !in_scopes {
        return Ok(owner.ready);
    }
    let count = if in_scopes { COUNT_IN_SCOPES } else { COUNT };
    let row = pool.one(filtered(count, owner, options)).await?;
    Columns(&row).unsigned("total")
}

fn filtered(sql: &'static str, owner: &OwnerRow, options: &SearchOptions) -> Statement<'static> {
    let (exact, prefix) = match options.type_filter() {
        None => (None, None),
        Some(TypeFilter::Exactly(exact)) => (Some(exact), None),
        Some(TypeFilter::Kind(prefix)) => (None, Some(prefix)),
    };
    query(sql)
        .bind(owner.number)
        .bind(exact.map(str::to_owned))
        .bind(prefix.map(str::to_owned))
        .bind(options.from().map_or(i64::MIN, to_millis))
        .bind(options.to().map_or(i64::MAX, to_millis))
        .bind(options.has_location())
        .bind(scope_list(options.scopes()))
}
