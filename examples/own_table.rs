//! Run with `cargo run --example own_table`: the application stores its pictures in its own table and uses
//! tower-media only for the check.
//!
//! In another terminal (`--json` needs curl 7.82):
//!
//! ```sh
//! LAKE=$(curl -s localhost:3000/pictures -H 'x-user: ana' -d 'stands for a lake')
//! HILL=$(curl -s localhost:3000/pictures -H 'x-user: ana' -d 'stands for a hill')
//! CAT=$(curl -s localhost:3000/pictures -H 'x-user: bob' -d 'stands for a cat')
//! curl -i localhost:3000/collage -H 'x-user: ana' --json "[\"$LAKE\",\"$HILL\"]"          # 200
//! curl -i localhost:3000/collage -H 'x-user: ana' --json "[\"$LAKE\",\"$CAT\",\"none\"]"  # 404: foreign and unknown
//! curl -i localhost:3000/collage                  --json "[\"$LAKE\"]"                    # 401
//! curl -i localhost:3000/collage -H 'x-user: ana' --json "[\"' OR ''='\"]"                # 422: invalid id
//! ```
//!
//! The address is the argument. Default: `127.0.0.1:3000`.

use std::error::Error;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::Response,
    routing::post,
};
use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
use tower_media::{
    ErrorKind, MediaId, MediaState, Owner, Ownership, OwnershipQuestion, Result, UnverifiedId,
    VerifiedMedia, VerifyMediaLayer,
};

/// Ids are text and compared byte by byte. A numeric column would accept `07` for `7`, but an id has one
/// spelling.
const TABLE: &str = "
    CREATE TABLE pictures (
        id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, album TEXT NOT NULL, bytes BLOB NOT NULL
    );
    CREATE INDEX pictures_by_owner ON pictures (owner);
";

/// Looks up each id of the query by the primary key. The unary plus keeps SQLite from scanning all pictures of
/// the owner instead. On PostgreSQL: `WHERE id = ANY($1) AND owner = $2`.
const OWNED: &str = "
    SELECT id FROM pictures
    WHERE id IN (SELECT value FROM json_each(?1)) AND +owner = ?2
        AND (?3 IS NULL OR album IN (SELECT value FROM json_each(?3)))
";

#[derive(Clone, Debug)]
struct Table(SqlitePool);

impl Ownership for Table {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        // A scope is an album; guards without `.scopes(..)` accept all albums. With tenants, the tenant would
        // be one more column to compare.
        let albums = question.scopes().as_slice().map(json);
        // The ids of the question are text of a client; those of the table are trusted.
        sqlx::query_scalar(OWNED)
            .bind(json(&question.ids().collect::<Vec<_>>()))
            .bind(question.owner().subject())
            .bind(albums)
            .fetch_all(&self.0)
            .await
            .map_err(unavailable)
    }
}

/// Binds a list as one JSON text, so one prepared statement serves any number of ids.
fn json(list: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(list).expect("a list of texts is JSON")
}

/// A failed query is not a denial: the caller gets 503.
fn unavailable(error: sqlx::Error) -> tower_media::Error {
    tower_media::Error::new(ErrorKind::Unavailable, "the query of the pictures table failed")
        .with_source(error)
}

/// Runs only if the caller owns every picture.
async fn collage(
    VerifiedMedia(_, owned): VerifiedMedia<Json<Vec<UnverifiedId>>>,
    State(pool): State<SqlitePool>,
) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for id in owned.ids() {
        let bytes: Vec<u8> = sqlx::query_scalar("SELECT bytes FROM pictures WHERE id = ?1")
            .bind(id)
            .fetch_one(&pool)
            .await
            .map_err(unavailable)?;
        all.extend(bytes);
        all.push(b'\n');
    }
    Ok(all)
}

/// Stores the body of the request and returns its id.
async fn upload(
    owner: Owner,
    State(pool): State<SqlitePool>,
    body: Bytes,
) -> Result<(StatusCode, String)> {
    let id: MediaId = sqlx::query_scalar(
        "INSERT INTO pictures VALUES (lower(hex(randomblob(16))), ?1, 'me', ?2) RETURNING id",
    )
    .bind(owner.subject())
    .bind(&body[..])
    .fetch_one(&pool)
    .await
    .map_err(unavailable)?;
    Ok((StatusCode::CREATED, id.to_string()))
}

/// In place of authentication: it trusts the header `x-user` of the client.
async fn demo_login(mut request: Request, next: Next) -> Response {
    let user = request.headers().get("x-user").and_then(|user| user.to_str().ok());
    if let Some(Ok(owner)) = user.map(Owner::new) {
        request.extensions_mut().insert(owner);
    }
    next.run(request).await
}

fn app(pool: SqlitePool) -> Router {
    let media = MediaState::with_ownership_only(Table(pool.clone()));
    let guard = VerifyMediaLayer::<Json<Vec<UnverifiedId>>>::new(media);
    Router::new()
        .route("/collage", post(collage).layer(guard))
        .route("/pictures", post(upload))
        .with_state(pool)
        .layer(from_fn(demo_login))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    // One connection that is never closed, because an in-memory database ends with it.
    let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = pool.connect("sqlite::memory:").await?;
    sqlx::raw_sql(TABLE).execute(&pool).await?;

    println!("the query plan of the ownership query:");
    for step in plan(&pool).await? {
        println!("  {step}");
    }
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}; pictures are kept in memory", listener.local_addr()?);
    Ok(axum::serve(listener, app(pool)).await?)
}

/// Returns the query plan. `SCAN pictures` in it would mean a read of the whole table for each request.
async fn plan(pool: &SqlitePool) -> Result<Vec<String>, sqlx::Error> {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {OWNED}"));
    let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(pool).await?;
    Ok(steps.into_iter().map(|(_, _, _, step)| step).collect())
}
