//! The ownership query.

use futures_util::future::BoxFuture;
use sqlx::query;

use super::{
    decode::{Columns, json_list, scope_list, selected, tenant},
    engine::SqliteDatabase,
};
use crate::{
    error::Result,
    id::MediaId,
    ownership::{OwnershipQuestion, OwnershipStatus},
    store::db::OwnershipQueries,
};

/// Maximum number of ids per statement, so that no check holds a connection for long.
const CHUNK: usize = 1_024;

/// Looks up each id in one index, which holds its owner and scopes. The unary plus keeps SQLite from scanning
/// all media of the owner instead.
pub(super) const OWNED: &str = "
    SELECT json_group_array(asked.key) AS positions FROM json_each(?3) AS asked
    WHERE EXISTS (
        SELECT 1 FROM refs
        WHERE refs.media = asked.value
            AND +refs.owner = (SELECT number FROM owners WHERE tenant = ?1 AND subject = ?2)
    )
";

pub(super) const OWNED_IN_SCOPES: &str = "
    SELECT json_group_array(asked.key) AS positions FROM json_each(?3) AS asked
    WHERE EXISTS (
        SELECT 1 FROM refs
        WHERE refs.media = asked.value AND refs.scope IN (SELECT value FROM json_each(?4))
            AND +refs.owner = (SELECT number FROM owners WHERE tenant = ?1 AND subject = ?2)
    )
";

pub(super) const EXPLAIN: &str = "
    SELECT CASE
        WHEN media.number IS NULL THEN 'absent'
        WHEN media.owner IS NOT (SELECT number FROM owners WHERE tenant = ?1 AND subject = ?2)
            THEN 'foreign'
        WHEN ?4 IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM refs
            WHERE refs.media = asked.value AND refs.scope IN (SELECT value FROM json_each(?4))
        ) THEN 'wrong scope'
        ELSE 'owned'
    END AS status
    FROM json_each(?3) AS asked LEFT JOIN media ON media.id = asked.value
    ORDER BY asked.key
";

impl OwnershipQueries for SqliteDatabase {
    fn owned<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<MediaId>>> {
        Box::pin(async move {
            let owner = question.owner();
            let scopes = scope_list(question.scopes());
            let mut owned = Vec::new();
            for ids in question.candidates().chunks(CHUNK) {
                let statement = query(if scopes.is_some() { OWNED_IN_SCOPES } else { OWNED })
                    .bind(tenant(owner).to_owned())
                    .bind(owner.subject().to_owned())
                    .bind(json_list(ids));
                let statement = match &scopes {
                    Some(scopes) => statement.bind(scopes.clone()),
                    None => statement,
                };
                let row = self.checks.one(statement).await?;
                owned.append(&mut selected(&row, ids)?);
            }
            Ok(owned)
        })
    }

    fn explain<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<OwnershipStatus>>> {
        Box::pin(async move {
            let owner = question.owner();
            let scopes = scope_list(question.scopes());
            let mut statuses = Vec::with_capacity(question.candidates().len());
            for ids in question.candidates().chunks(CHUNK) {
                let statement = query(EXPLAIN)
                    .bind(tenant(owner).to_owned())
                    .bind(owner.subject().to_owned())
                    .bind(json_list(ids))
                    .bind(scopes.clone());
                for row in self.queries.all(statement).await? {
                    statuses.push(Columns(&row).ownership_status()?);
                }
            }
            Ok(statuses)
        })
    }
}
