//! Single rows, lists and totals.

use futures_util::future::BoxFuture;
use sqlx::query;

use super::{
    decode::{Columns, each, hash_bytes, optional, scope_list, tenant},
    engine::SqliteDatabase,
    error,
    search::search,
};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{ListOptions, MediaStats, SearchOptions},
    owner::Owner,
    store::db::{ListQueries, Listing, Matches, MediaRow, OwnerRow, decode::parse_token},
};

pub(super) const GET: &str = "SELECT * FROM records WHERE id = ?1";

pub(super) const FIND_BY_HASH: &str =
    "SELECT * FROM records WHERE hash = ?1 ORDER BY owner LIMIT 1";

pub(super) const OWNER: &str =
    "SELECT number, arrivals, count, bytes, ready FROM owners WHERE tenant = ?1 AND subject = ?2";

pub(super) const NEWEST: &str = "
    SELECT * FROM records WHERE owner = ?1 AND arrival < ?2 ORDER BY arrival DESC LIMIT ?3
";

/// The newest of each scope, merged: reads at most one page for each scope.
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

impl ListQueries for SqliteDatabase {
    fn get<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<Option<MediaRow>>> {
        Box::pin(async move {
            let statement = query(GET).bind(id.as_str().to_owned());
            optional(&self.checks.optional(statement).await?, Columns::media)
        })
    }

    fn find_by_hash(&self, hash: ContentHash) -> BoxFuture<'_, Result<Option<MediaRow>>> {
        Box::pin(async move {
            let statement = query(FIND_BY_HASH).bind(hash_bytes(hash));
            optional(&self.checks.optional(statement).await?, Columns::media)
        })
    }

    fn list<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a ListOptions,
    ) -> BoxFuture<'a, Result<Listing>> {
        Box::pin(self.newest(owner, options))
    }

    fn search<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a SearchOptions,
    ) -> BoxFuture<'a, Result<Matches>> {
        Box::pin(async move {
            match self.owner(owner).await? {
                Some(owner) => search(&self.queries, &owner, options).await,
                None => Ok(Matches { rows: Vec::new(), total: 0 }),
            }
        })
    }

    fn stats<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<MediaStats>> {
        Box::pin(async move {
            Ok(self.owner(owner).await?.map(|owner| owner.stats).unwrap_or_default())
        })
    }
}

impl SqliteDatabase {
    async fn newest(&self, owner: &Owner, options: &ListOptions) -> Result<Listing> {
        let owner = self.owner(owner).await?;
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
        let scopes = scope_list(options.scopes());
        let statement = query(if scopes.is_some() { NEWEST_IN_SCOPES } else { NEWEST })
            .bind(owner.number)
            .bind(before)
            // One row more than the page shows whether there is a next page.
            .bind(limit as i64 + 1);
        let statement = match scopes {
            Some(scopes) => statement.bind(scopes),
            None => statement,
        };
        let rows = self.queries.all(statement).await?;
        let page = &rows[..limit.min(rows.len())];
        let next = match page.last() {
            Some(last) if rows.len() > limit => Some(Columns(last).integer("arrival")?.to_string()),
            _ => None,
        };
        Ok(Listing { rows: each(page, Columns::media)?, next })
    }

    async fn owner(&self, owner: &Owner) -> Result<Option<OwnerRow>> {
        let statement =
            query(OWNER).bind(tenant(owner).to_owned()).bind(owner.subject().to_owned());
        optional(&self.queries.optional(statement).await?, Columns::owner_row)
    }
}
