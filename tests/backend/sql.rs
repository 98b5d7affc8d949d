//! The feature `sqlx`: ids, scopes and the parts of an owner in the application's own database.

use sqlx::{
    SqlitePool,
    sqlite::{SqlitePoolOptions, SqliteQueryResult},
};
use tower_media::{
    Error, ErrorKind, MediaId, MediaState, Owner, Ownership, OwnershipQuestion, Result, Scope,
    Scopes, UnverifiedId,
};

#[derive(Debug)]
struct Table(SqlitePool);

type Row = (MediaId, Option<Scope>, String, Option<String>);

impl Table {
    async fn new() -> Self {
        let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await;
        let table = Self(pool.unwrap());
        let create =
            "CREATE TABLE pictures (id TEXT PRIMARY KEY, scope TEXT, subject TEXT, tenant TEXT)";
        sqlx::query(create).execute(&table.0).await.unwrap();
        table
    }

    async fn insert(&self, id: &MediaId, scope: Option<Scope>, owner: &Owner) -> SqliteQueryResult {
        sqlx::query("INSERT INTO pictures VALUES (?, ?, ?, ?)")
            .bind(id)
            .bind(scope)
            .bind(owner.subject())
            .bind(owner.tenant())
            .execute(&self.0)
            .await
            .unwrap()
    }

    async fn rows(&self) -> sqlx::Result<Vec<Row>> {
        sqlx::query_as("SELECT * FROM pictures").fetch_all(&self.0).await
    }
}

impl Ownership for Table {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        let sql = "SELECT id FROM pictures WHERE subject = ? AND tenant IS ? AND id IN \
                   (SELECT value FROM json_each(?))";
        sqlx::query_scalar(sql)
            .bind(question.owner().subject())
            .bind(question.owner().tenant())
            .bind(serde_json::to_string(&question.ids().collect::<Vec<_>>()).unwrap())
            .fetch_all(&self.0)
            .await
            .map_err(|error| Error::new(ErrorKind::Unavailable, "the table").with_source(error))
    }
}

#[tokio::test]
async fn rows_encode_and_decode_ids_scopes_and_owners() {
    let table = Table::new().await;
    let ana = Owner::new("ana").unwrap().with_tenant("acme").unwrap();
    let (id, scope) = (MediaId::random(), Scope::new("wardrobe").unwrap());
    table.insert(&id, Some(scope.clone()), &ana).await;
    let bare = MediaId::from_trusted("a:b~c").unwrap();
    table.insert(&bare, None, &Owner::new("bob").unwrap()).await;

    let rows = table.rows().await.unwrap();
    let text = str::to_owned;
    assert_eq!(rows[0], (id.clone(), Some(scope), text("ana"), Some(text("acme"))));
    assert_eq!(rows[1], (bare, None, text("bob"), None));
    let stored: String = sqlx::query_scalar("SELECT id FROM pictures WHERE scope IS NOT NULL")
        .fetch_one(&table.0)
        .await
        .unwrap();
    assert_eq!(stored, id.as_str());
}

#[tokio::test]
async fn ownership_of_a_table_answers_with_its_rows() {
    let table = Table::new().await;
    let ana = Owner::new("ana").unwrap();
    let (own, foreign) = (MediaId::random(), MediaId::random());
    table.insert(&own, None, &ana).await;
    table.insert(&foreign, None, &ana.clone().with_tenant("acme").unwrap()).await;
    let media = MediaState::with_ownership_only(table);
    let unverified = |id: &MediaId| UnverifiedId::parse(id).unwrap();

    let owned = media.verify(&ana, Scopes::any(), [unverified(&own)]).await.unwrap();
    assert_eq!(owned.ids(), [own]);
    let refused = media.verify(&ana, Scopes::any(), [unverified(&foreign)]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotOwned);
}

#[tokio::test]
async fn g10_row_with_an_invalid_id_or_scope_is_an_error() {
    for (id, scope) in [("../passwd", "me"), ("", "me"), ("m-1", "a,b")] {
        let table = Table::new().await;
        let insert = "INSERT INTO pictures VALUES (?, ?, 'ana', NULL)";
        sqlx::query(insert).bind(id).bind(scope).execute(&table.0).await.unwrap();
        assert!(table.rows().await.is_err(), "{id:?} in {scope:?}");
    }
}
