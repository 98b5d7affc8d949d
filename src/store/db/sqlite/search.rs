//! Searches: filters, in any order, with a total.

use sqlx::query;

use super::{
    decode::{Columns, each, tenant, to_millis},
    ownership::scope_list,
    read_pool::{ReadPool, Statement},
};
use crate::{
    error::Result,
    media::{SearchOptions, SortBy, TypeFilter},
    owner::Owner,
    store::db::Matches,
};

/// Statement over the rows that pass the filters. `?3` is one MIME type, `?4` the prefix of several.
macro_rules! matching {
    ($select:literal $(, $order:literal)?) => {
        concat!(
            "SELECT ", $select, " FROM records
             WHERE owner = (SELECT number FROM owners WHERE tenant = ?1 AND subject = ?2)
                 AND status = 'ready'
                 AND (?3 IS NULL OR mime_type = ?3)
                 AND (?4 IS NULL OR substr(mime_type, 1, length(?4)) = ?4)
                 AND (?5 IS NULL OR created_at >= ?5)
                 AND (?6 IS NULL OR created_at <= ?6)
                 AND (NOT ?7
                     OR exif ->> '$.gpsLatitude' IS NOT NULL AND exif ->> '$.gpsLongitude' IS NOT NULL)
                 AND (?8 IS NULL OR arrival IN (
                     SELECT arrival FROM refs
                     WHERE refs.owner = records.owner AND scope IN (SELECT value FROM json_each(?8))
                 ))",
            $(" ORDER BY ", $order, " LIMIT ?9 OFFSET ?10",)?
        )
    };
}

pub(super) const COUNT: &str = matching!("count(*) AS total");

/// The page statement of each order; `true` is ascending.
pub(super) const PAGES: [(SortBy, bool, &str); 6] = [
    (SortBy::CreatedAt, true, matching!("*", "created_at, arrival")),
    (SortBy::CreatedAt, false, matching!("*", "created_at DESC, arrival DESC")),
    (SortBy::Size, true, matching!("*", "size, arrival")),
    (SortBy::Size, false, matching!("*", "size DESC, arrival DESC")),
    (SortBy::DateTaken, true, matching!("*", "coalesce(exif ->> '$.dateTaken', '~'), arrival")),
    (
        SortBy::DateTaken,
        false,
        matching!("*", "coalesce(exif ->> '$.dateTaken', '~') DESC, arrival DESC"),
    ),
];

pub(super) async fn search(
    readers: &ReadPool,
    owner: &Owner,
    options: &SearchOptions,
) -> Result<Matches> {
    let asked = (options.sort_by(), options.is_ascending());
    let page = PAGES.iter().find(|(by, ascending, _)| (*by, *ascending) == asked);
    let (.., page) = page.expect("every order has a statement");
    let page = filtered(page, owner, options)
        .bind(i64::try_from(options.limit()).unwrap_or(i64::MAX))
        .bind(i64::try_from(options.offset()).unwrap_or(i64::MAX));
    let rows = each(&readers.all(page).await?, Columns::media)?;
    let count = readers.one(filtered(COUNT, owner, options)).await?;
    Ok(Matches { rows, total: Columns(&count).unsigned("total")? })
}

fn filtered(sql: &'static str, owner: &Owner, options: &SearchOptions) -> Statement<'static> {
    let (asked, kind) = match options.type_filter() {
        None => (None, None),
        Some(TypeFilter::Exactly(asked)) => (Some(asked), None),
        Some(TypeFilter::Kind(kind)) => (None, Some(kind)),
    };
    query(sql)
        .bind(tenant(owner).to_owned())
        .bind(owner.subject().to_owned())
        .bind(asked.map(str::to_owned))
        .bind(kind.map(str::to_owned))
        .bind(options.from().map(to_millis))
        .bind(options.to().map(to_millis))
        .bind(options.has_location())
        .bind(scope_list(options.scopes()))
}
