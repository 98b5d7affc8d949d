//! Searches: filters, in any order, with a total.

use sqlx::{PgConnection, query};

use super::{
    decode::{Columns, each, records, scope_array, to_millis},
    error::DbError,
    pool::Statement,
};
use crate::{
    error::Result,
    media::{SearchOptions, SortBy, TypeFilter},
    store::db::{Matches, OwnerRow},
};

/// The rows that pass the filters. `$2` is one MIME type, `$3` the prefix of several. The statements are not
/// prepared, so PostgreSQL plans them with their parameters, and a filter that is not set costs nothing.
macro_rules! matching {
    ($order:literal) => {
        concat!(
            "WHERE owner = $1 AND status = 'ready'
                 AND ($2::text IS NULL OR mime_type = $2)
                 AND ($3::text IS NULL OR starts_with(mime_type, $3))
                 AND created_at BETWEEN $4 AND $5
                 AND (NOT $6 OR has_location) ",
            $order
        )
    };
}

/// The filter by scope: the arrivals are read once, from the index of the scopes.
macro_rules! in_scopes {
    ($order:literal) => {
        concat!(
            " AND arrival IN (
                 SELECT refs.arrival FROM tower_media.refs
                 WHERE refs.owner = $1 AND refs.scope = ANY ($7)
             ) ",
            $order
        )
    };
}

/// The page statements of one order: without and with a filter by scope.
macro_rules! page {
    ($order:literal) => {
        [
            concat!(page!(@from), matching!(""), "ORDER BY ", $order, " LIMIT $7 OFFSET $8"),
            concat!(page!(@from), matching!(""), in_scopes!(""), "ORDER BY ", $order, " LIMIT $8 OFFSET $9"),
        ]
    };
    (@from) => {
        records!("")
    };
}

pub(super) const COUNT: &str =
    concat!("SELECT count(*) AS total FROM tower_media.media ", matching!(""));

/// Counts within scopes, at a cost that grows with the scopes and not with the library.
pub(super) const COUNT_IN_SCOPES: &str =
    concat!("SELECT count(*) AS total FROM tower_media.media ", matching!(""), in_scopes!(""));

/// The page statements of each order; `true` is ascending.
pub(super) const PAGES: [(SortBy, bool, [&str; 2]); 6] = [
    (SortBy::CreatedAt, true, page!("created_at, arrival")),
    (SortBy::CreatedAt, false, page!("created_at DESC, arrival DESC")),
    (SortBy::Size, true, page!("size, arrival")),
    (SortBy::Size, false, page!("size DESC, arrival DESC")),
    (SortBy::DateTaken, true, page!("date_taken, arrival")),
    (SortBy::DateTaken, false, page!("date_taken DESC, arrival DESC")),
];

pub(super) async fn search(
    conn: &mut PgConnection,
    owner: &OwnerRow,
    options: &SearchOptions,
) -> Result<Matches, DbError> {
    if options.mime_type().is_some_and(|mime_type| mime_type.contains('\0')) {
        // PostgreSQL has no such text.
        return Ok(Matches { rows: Vec::new(), total: 0 });
    }
    let order = (options.sort_by(), options.is_ascending());
    let page = PAGES.iter().find(|(by, ascending, _)| (*by, *ascending) == order);
    let (.., [page, page_in_scopes]) = page.expect("every order has a statement");
    let in_scopes = options.scopes().as_slice().is_some();
    let page = filtered(if in_scopes { page_in_scopes } else { page }, owner, options)
        .bind(i64::try_from(options.limit()).unwrap_or(i64::MAX))
        .bind(i64::try_from(options.offset()).unwrap_or(i64::MAX));
    let rows = each(&page.fetch_all(&mut *conn).await?, Columns::media)?;
    Ok(Matches { rows, total: total(conn, owner, options).await? })
}

async fn total(
    conn: &mut PgConnection,
    owner: &OwnerRow,
    options: &SearchOptions,
) -> Result<u64, DbError> {
    let has_filter = options.type_filter().is_some()
        || options.from().is_some()
        || options.to().is_some()
        || options.has_location();
    let in_scopes = options.scopes().as_slice().is_some();
    if !has_filter && !in_scopes {
        return Ok(owner.ready);
    }
    let count = if in_scopes { COUNT_IN_SCOPES } else { COUNT };
    let row = filtered(count, owner, options).fetch_one(conn).await?;
    Ok(Columns(&row).unsigned("total")?)
}

fn filtered(sql: &'static str, owner: &OwnerRow, options: &SearchOptions) -> Statement {
    let (exact, prefix) = match options.type_filter() {
        None => (None, None),
        Some(TypeFilter::Exactly(exact)) => (Some(exact), None),
        Some(TypeFilter::Kind(prefix)) => (None, Some(prefix)),
    };
    let statement = query(sql)
        .bind(owner.number)
        .bind(exact.map(str::to_owned))
        .bind(prefix.map(str::to_owned))
        .bind(options.from().map_or(i64::MIN, to_millis))
        .bind(options.to().map_or(i64::MAX, to_millis))
        .bind(options.has_location())
        .persistent(false);
    match scope_array(options.scopes()) {
        Some(scopes) => statement.bind(scopes),
        None => statement,
    }
}
