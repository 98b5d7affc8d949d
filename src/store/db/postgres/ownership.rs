//! The ownership query.

use futures_util::future::BoxFuture;
use sqlx::query;

use super::{
    decode::{Columns, id_array, scope_array, selected, tenant},
    engine::PostgresDatabase,
    error::damaged,
};
use crate::{
    error::Result,
    id::MediaId,
    ownership::{OwnershipQuestion, OwnershipStatus},
    store::db::OwnershipQueries,
};

/// Maximum number of ids per statement, so that no check holds a connection for long.
const CHUNK: usize = 1_024;

/// Looks up each id in one index, which holds its owner and scopes. The lateral join keeps PostgreSQL from
/// scanning all media of the owner instead.
macro_rules! owned {
    ($in_scope:literal) => {
        concat!(
            "SELECT coalesce(array_agg(asked.position), '{}') AS owned_positions
             FROM unnest($3::text[]) WITH ORDINALITY AS asked (id, position)
             CROSS JOIN LATERAL (
                 SELECT 1 FROM tower_media.refs
                 WHERE refs.media = asked.id AND refs.owner = (
                     SELECT number FROM tower_media.owners WHERE tenant = $1 AND subject = $2
                 )",
            $in_scope,
            " LIMIT 1
             ) AS held"
        )
    };
}

pub(super) const OWNED: &str = owned!("");

pub(super) const OWNED_IN_SCOPES: &str = owned!(" AND refs.scope = ANY ($4)");

pub(super) const EXPLAIN: &str = "
    SELECT CASE
        WHEN media.number IS NULL THEN 'absent'
        WHEN media.owner IS DISTINCT FROM (
            SELECT number FROM tower_media.owners WHERE tenant = $1 AND subject = $2
        ) THEN 'foreign'
        WHEN $4::text[] IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM tower_media.refs WHERE refs.media = asked.id AND refs.scope = ANY ($4)
        ) THEN 'wrong scope'
        ELSE 'owned'
    END AS status
    FROM unnest($3::text[]) WITH ORDINALITY AS asked (id, position)
    LEFT JOIN tower_media.media ON media.id = asked.id
    ORDER BY asked.position
";

impl OwnershipQueries for PostgresDatabase {
    fn owned<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<MediaId>>> {
        Box::pin(async move {
            let owner = question.owner();
            let scopes = scope_array(question.scopes());
            let mut owned = Vec::new();
            for ids in question.candidates().chunks(CHUNK) {
                let statement = || {
                    let statement = query(if scopes.is_some() { OWNED_IN_SCOPES } else { OWNED })
                        .bind(tenant(owner).to_owned())
                        .bind(owner.subject().to_owned())
                        .bind(id_array(ids));
                    match &scopes {
                        Some(scopes) => statement.bind(scopes.clone()),
                        None => statement,
                    }
                };
                let row = self.pool.lookup(statement).await?;
                owned.append(&mut selected(&row.ok_or_else(|| damaged("no row"))?, ids)?);
            }
            Ok(owned)
        })
    }

    fn explain<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<OwnershipStatus>>> {
        let (owner, candidates) = (question.owner().clone(), question.candidates().to_vec());
        let scopes = scope_array(question.scopes());
        Box::pin(self.pool.read(async move |conn| {
            let mut statuses = Vec::with_capacity(candidates.len());
            for ids in candidates.chunks(CHUNK) {
                let rows = query(EXPLAIN)
                    .bind(tenant(&owner).to_owned())
                    .bind(owner.subject().to_owned())
                    .bind(id_array(ids))
                    .bind(scopes.clone())
                    .persistent(false)
                    .fetch_all(&mut *conn)
                    .await?;
                for row in &rows {
                    statuses.push(Columns(row).ownership_status()?);
                }
            }
            Ok(statuses)
        }))
    }
}
