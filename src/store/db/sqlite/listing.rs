//! Single rows, lists and counts.

use sqlx::query;

use super::{
    decode::{Columns, each, tenant},
    ownership::scope_list,
    read_pool::Readers,
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    media::{ListOptions, MediaStats},
    owner::Owner,
    store::db::records::{Listing, Row},
};

pub(super) const GET: &str = "SELECT * FROM records WHERE id = ?1";

pub(super) const ANY_OF: &str = "SELECT * FROM records WHERE hash = ?1 ORDER BY owner LIMIT 1";

pub(super) const OWNER: &str =
    "SELECT number, arrivals, count, bytes FROM owners WHERE tenant = ?1 AND subject = ?2";

pub(super) const NEWEST: &str = "
    SELECT * FROM records WHERE owner = ?1 AND arrival < ?2 ORDER BY arrival DESC LIMIT ?3
";

/// The newest of every scope, and of these the newest: reads no more than a page for each scope.
pub(super) const NEWEST_IN_SCOPES: &str = "
    SELECT * FROM records WHERE owner = ?1 AND arrival IN (
        SELECT newest.value
        FROM json_each(?4) AS asked CROSS JOIN json_each((
            SELECT json_group_array(arrival) FROM (
                SELECT arrival FROM refs
                WHERE owner = ?1 AND scope = asked.value AND arrival < ?2
                ORDER BY arrival DESC LIMIT ?3
            )
        )) AS newest
    )
    ORDER BY arrival DESC LIMIT ?3
";

pub(super) const PROCESSING: &str =
    "SELECT id FROM media WHERE status = 'processing' ORDER BY number LIMIT ?1";

/// An owner's line in the books.
struct Library {
    number: i64,
    arrivals: i64,
    stats: MediaStats,
}

pub(super) async fn get(readers: &Readers, id: &MediaId) -> Result<Option<Row>> {
    let row = readers.one(query(GET).bind(id.as_str().to_owned())).await?;
    row.map(|row| Columns(&row).record()).transpose()
}

pub(super) async fn find_by_hash(readers: &Readers, hash: ContentHash) -> Result<Option<Row>> {
    let row = readers.one(query(ANY_OF).bind(hash.as_bytes().to_vec())).await?;
    row.map(|row| Columns(&row).record()).transpose()
}

pub(super) async fn list(
    readers: &Readers,
    owner: &Owner,
    options: &ListOptions,
) -> Result<Listing> {
    let library = library(readers, owner).await?;
    let before = match options.after() {
        None => i64::MAX,
        Some(next) => library
            .as_ref()
            .and_then(|library| library.arrival(next))
            .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "no page ended with that"))?,
    };
    let Some(library) = library else {
        return Ok(Listing { rows: Vec::new(), next: None });
    };
    let limit = options.limit();
    let scopes = scope_list(options.scopes());
    let statement = query(if scopes.is_some() { NEWEST_IN_SCOPES } else { NEWEST })
        .bind(library.number)
        .bind(before)
        // One more than asked for tells whether there is a next page.
        .bind(limit as i64 + 1);
    let statement = match scopes {
        Some(scopes) => statement.bind(scopes),
        None => statement,
    };
    let rows = readers.all(statement).await?;
    let page = &rows[..limit.min(rows.len())];
    let next = match page.last() {
        Some(last) if rows.len() > limit => Some(Columns(last).get::<i64>("arrival")?.to_string()),
        _ => None,
    };
    Ok(Listing { rows: each(page, Columns::record)?, next })
}

pub(super) async fn stats(readers: &Readers, owner: &Owner) -> Result<MediaStats> {
    Ok(library(readers, owner).await?.map(|library| library.stats).unwrap_or_default())
}

pub(super) async fn processing(readers: &Readers, limit: usize) -> Result<Vec<MediaId>> {
    let rows = readers.all(query(PROCESSING).bind(limit as i64)).await?;
    each(&rows, |row| row.id("id"))
}

async fn library(readers: &Readers, owner: &Owner) -> Result<Option<Library>> {
    let statement = query(OWNER).bind(tenant(owner).to_owned()).bind(owner.subject().to_owned());
    let Some(row) = readers.one(statement).await? else { return Ok(None) };
    let row = Columns(&row);
    let stats = MediaStats::new(row.unsigned("count")?, row.unsigned("bytes")?);
    Ok(Some(Library { number: row.get("number")?, arrivals: row.get("arrivals")?, stats }))
}

impl Library {
    /// The arrival that a page token stands for, if there ever was one with exactly that token.
    fn arrival(&self, token: &str) -> Option<i64> {
        let arrival = token.parse().ok()?;
        ((1..=self.arrivals).contains(&arrival) && arrival.to_string() == token).then_some(arrival)
    }
}
