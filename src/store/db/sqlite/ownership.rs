//! Who owns what.

use sqlx::query;

use super::{
    decode::{Columns, list, places, tenant},
    error,
    read_pool::Readers,
};
use crate::{
    error::Result,
    id::MediaId,
    owner::{Scope, Scopes},
    ownership::{OwnershipQuestion, OwnershipStatus},
};

/// How many ids one statement asks about, so that nobody keeps a connection for long.
const CHUNK: usize = 1_024;

/// Seeks every id asked about in one index, which tells the owner and the scopes. The plus keeps SQLite
/// from looking through all that the owner has instead.
pub(super) const OWNED: &str = "
    SELECT json_group_array(asked.key) AS places FROM json_each(?3) AS asked
    WHERE EXISTS (
        SELECT 1 FROM refs
        WHERE refs.media = asked.value
            AND +refs.owner = (SELECT number FROM owners WHERE tenant = ?1 AND subject = ?2)
    )
";

pub(super) const OWNED_IN_SCOPES: &str = "
    SELECT json_group_array(asked.key) AS places FROM json_each(?3) AS asked
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
    END AS standing
    FROM json_each(?3) AS asked LEFT JOIN media ON media.id = asked.value
    ORDER BY asked.key
";

pub(super) async fn owned(
    readers: &Readers,
    question: &OwnershipQuestion<'_>,
) -> Result<Vec<MediaId>> {
    let owner = question.owner();
    let scopes = scope_list(question.scopes());
    let mut owned = Vec::new();
    for ids in question.candidates().chunks(CHUNK) {
        let statement = query(if scopes.is_some() { OWNED_IN_SCOPES } else { OWNED })
            .bind(tenant(owner).to_owned())
            .bind(owner.subject().to_owned())
            .bind(list(ids));
        let statement = match &scopes {
            Some(scopes) => statement.bind(scopes.clone()),
            None => statement,
        };
        let row = readers.one(statement).await?;
        let row = row.ok_or_else(|| error::damaged("a sum of nothing"))?;
        owned.append(&mut places(&row, ids)?);
    }
    Ok(owned)
}

pub(super) async fn explain(
    readers: &Readers,
    question: &OwnershipQuestion<'_>,
) -> Result<Vec<OwnershipStatus>> {
    let owner = question.owner();
    let scopes = scope_list(question.scopes());
    let mut standings = Vec::with_capacity(question.candidates().len());
    for ids in question.candidates().chunks(CHUNK) {
        let statement = query(EXPLAIN)
            .bind(tenant(owner).to_owned())
            .bind(owner.subject().to_owned())
            .bind(list(ids))
            .bind(scopes.clone());
        for row in readers.all(statement).await? {
            standings.push(standing(Columns(&row).get("standing")?)?);
        }
    }
    Ok(standings)
}

fn standing(text: &str) -> Result<OwnershipStatus> {
    match text {
        "owned" => Ok(OwnershipStatus::Owned),
        "wrong scope" => Ok(OwnershipStatus::WrongScope),
        "foreign" => Ok(OwnershipStatus::Foreign),
        "absent" => Ok(OwnershipStatus::Absent),
        _ => Err(error::damaged("a standing that there is not")),
    }
}

/// The scopes as a JSON list; `None` for any.
pub(super) fn scope_list(scopes: &Scopes) -> Option<String> {
    scopes.as_slice().map(|scopes: &[Scope]| list(scopes))
}
