//! Single rows, lists and totals.

use futures_util::future::BoxFuture;
use sqlx::{PgConnection, query};

use super::{
    decode::{Columns, each, hash_bytes, optional, parse_token, records, scope_array, tenant},
    engine::PostgresDatabase,
    error::{self, DbError},
    search::search,
};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{ListOptions, MediaStats, SearchOptions},
    owner::Owner,
    store::db::{ListQueries, Listing, Matches, MediaRow, OwnerRow},
};

pub(super) const GET: &str = records!("WHERE id = $1");

pub(super) const FIND_BY_HASH: &str = records!("WHERE hash = $1 ORDER BY owner LIMIT 1");

pub(super) const OWNER: &str = "
    SELECT number, arrivals, count, bytes, ready FROM tower_media.owners
    WHERE tenant = $1 AND subject = $2
";

pub(super) const NEWEST: &str =
    records!("WHERE owner = $1 AND arrival < $2 ORDER BY arrival DESC LIMIT $3");

/// The newest of each scope, merged: reads at most one page for each scope.
pub(super) const NEWEST_IN_SCOPES: &str = records!(
    "WHERE owner = $1 AND arrival = ANY (ARRAY(
         SELECT DISTINCT newest.arrival FROM unnest($4::text[]) AS asked (scope)
         CROSS JOIN LATERAL (
             SELECT refs.arrival FROM tower_media.refs
             WHERE refs.owner = $1 AND refs.scope = asked.scope AND refs.arrival < $2
             ORDER BY refs.arrival DESC LIMIT $3
         ) AS newest
         ORDER BY newest.arrival DESC LIMIT $3
     ))
     ORDER BY arrival DESC LIMIT $3"
);

impl ListQueries for PostgresDatabase {
    fn get<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<Option<MediaRow>>> {
        Box::pin(async move {
            let statement = || query(GET).bind(id.as_str().to_owned());
            optional(&self.pool.lookup(statement).await?, Columns::media)
        })
    }

    fn find_by_hash(&self, hash: ContentHash) -> BoxFuture<'_, Result<Option<MediaRow>>> {
        Box::pin(self.pool.read(async move |conn| {
            let statement = query(FIND_BY_HASH).bind(hash_bytes(hash)).persistent(false);
            Ok(optional(&statement.fetch_optional(conn).await?, Columns::media)?)
        }))
    }

    fn list<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a ListOptions,
    ) -> BoxFuture<'a, Result<Listing>> {
        let (owner, options) = (owner.clone(), options.clone());
        Box::pin(self.pool.read(async move |conn| newest(conn, &owner, &options).await))
    }

    fn search<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a SearchOptions,
    ) -> BoxFuture<'a, Result<Matches>> {
        let (owner, options) = (owner.clone(), options.clone());
        Box::pin(self.pool.read(async move |conn| match find_owner(conn, &owner).await? {
            Some(owner) => search(conn, &owner, &options).await,
            None => Ok(Matches { rows: Vec::new(), total: 0 }),
        }))
    }

    fn stats<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<MediaStats>> {
        let owner = owner.clone();
        Box::pin(self.pool.read(async move |conn| {
            Ok(find_owner(conn, &owner).await?.map(|owner| owner.stats).unwrap_or_default())
        }))
    }
}

async fn newest(
    conn: &mut PgConnection,
    owner: &Owner,
    options: &ListOptions,
) -> Result<Listing, DbError> {
    let owner = find_owner(conn, owner).await?;
    let before = match options.after() {
        None => i64::MAX,
        Some(token) => owner
            .as_ref()
            .and_then(|owner| parse_token(owner, token))
            .ok_or_else(error::unknown_page_token)?,
    };
    let Some(owner) = owner else {
        return Ok(Listing { rows: Vec::new(), next: None });
    };
    let limit = options.limit();
    let scopes = scope_array(options.scopes());
    let statement = query(if scopes.is_some() { NEWEST_IN_SCOPES } else { NEWEST })
        .bind(owner.number)
        .bind(before)
        // One row more than the page shows whether there is a next page.
        .bind(limit as i64 + 1);
    let statement = match scopes {
        Some(scopes) => statement.bind(scopes),
        None => statement,
    };
    let rows = statement.persistent(false).fetch_all(conn).await?;
    let page = &rows[..limit.min(rows.len())];
    let next = match page.last() {
        Some(last) if rows.len() > limit => Some(Columns(last).integer("arrival")?.to_string()),
        _ => None,
    };
    Ok(Listing { rows: each(page, Columns::media)?, next })
}

async fn find_owner(conn: &mut PgConnection, owner: &Owner) -> Result<Option<OwnerRow>, DbError> {
    let statement = query(OWNER).bind(tenant(owner).to_owned()).bind(owner.subject().to_owned());
    let row = statement.persistent(false).fetch_optional(conn).await?;
    Ok(optional(&row, Columns::owner_row)?)
}
