//! Run with `cargo run -p axum_login`: the owner is the user of the crate `axum-login`.
//!
//! In another terminal, where `-c` keeps cookies in a file and `-b` sends them (`--json` needs curl 7.82):
//!
//! ```sh
//! curl -i localhost:3000/session --json '{"name":"ana","password":"guess"}'     # 401
//! curl -i -c ana localhost:3000/session --json '{"name":"ana","password":"demo-of-ana"}'   # 204
//! curl -i -c bob localhost:3000/session --json '{"name":"bob","password":"demo-of-bob"}'   # 204
//! ID=$(curl -s -b ana localhost:3000/pictures -d 'stands for a picture')
//! curl -i -b ana localhost:3000/pictures/$ID                                    # 200
//! curl -i -b bob localhost:3000/pictures/$ID                                    # 404
//! curl -i localhost:3000/pictures/$ID                                           # 401
//! curl -i -b ana -X DELETE localhost:3000/account                               # 204
//! curl -i -b ana localhost:3000/pictures/$ID                                    # 401: deleted user
//! ```
//!
//! The address is the argument. Default: `127.0.0.1:3000`.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::Path,
    http::StatusCode,
    response,
    routing::{delete, get, post},
};
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend};
use tower_media::{
    MediaState, Owner, Rendition, Result, UnverifiedId, Upload, VerifiedMedia, VerifyMediaLayer,
    error::InvalidOwner, media::Download,
};
use tower_sessions::{MemoryStore, SessionManagerLayer};

type AuthSession = axum_login::AuthSession<Users>;

/// Returns the owner for a session. It is the only connection between axum-login and tower-media.
fn owner(session: AuthSession) -> Result<Owner, InvalidOwner> {
    let user = session.user.ok_or(InvalidOwner)?;
    // The number, because a name can belong to another user later.
    Owner::new(user.number.to_string())
}

#[derive(Clone, Debug)]
struct User {
    number: u64,
    name: &'static str,
    /// In plain text, for the demonstration only. An application stores an argon2 hash.
    password: &'static str,
}

impl AuthUser for User {
    type Id = u64;

    fn id(&self) -> u64 {
        self.number
    }

    /// Ends a user's sessions if the password changes.
    fn session_auth_hash(&self) -> &[u8] {
        self.password.as_bytes()
    }
}

/// In place of a table of users.
#[derive(Clone, Debug)]
struct Users(Arc<Mutex<Vec<User>>>);

#[derive(Clone, serde::Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

impl AuthnBackend for Users {
    type User = User;
    type Credentials = Credentials;
    type Error = Infallible;

    async fn authenticate(&self, given: Credentials) -> Result<Option<User>, Infallible> {
        Ok(self.find(|user| user.name == given.name && user.password == given.password))
    }

    /// Runs for each request with a session, so a deleted user is unauthenticated at once.
    async fn get_user(&self, number: &u64) -> Result<Option<User>, Infallible> {
        Ok(self.find(|user| user.number == *number))
    }
}

impl Users {
    fn demo() -> Self {
        let ana = User { number: 1, name: "ana", password: "demo-of-ana" };
        let bob = User { number: 2, name: "bob", password: "demo-of-bob" };
        Self(Arc::new(Mutex::new(vec![ana, bob])))
    }

    fn all(&self) -> MutexGuard<'_, Vec<User>> {
        self.0.lock().expect("no code panics while it holds the lock")
    }

    fn find(&self, matches: impl Fn(&User) -> bool) -> Option<User> {
        self.all().iter().find(|user| matches(user)).cloned()
    }

    fn delete(&self, number: u64) {
        self.all().retain(|user| user.number != number);
    }
}

/// Delivers a picture to its owner.
async fn picture(
    VerifiedMedia(Path(id), owned): VerifiedMedia<Path<UnverifiedId>>,
    media: MediaState,
) -> Result<Download> {
    media.download(&owned[&id], Rendition::Original).await
}

/// Stores the body of the request and returns its id.
async fn upload(
    session: AuthSession,
    media: MediaState,
    body: Bytes,
) -> response::Result<(StatusCode, String)> {
    let owner = owner(session).map_err(|_| StatusCode::UNAUTHORIZED)?;
    let stored = media.upload(&owner, Upload::new(body).scope("me")).await?;
    Ok((StatusCode::CREATED, stored.id.to_string()))
}

async fn sign_in(
    mut session: AuthSession,
    Json(given): Json<Credentials>,
) -> Result<StatusCode, StatusCode> {
    let user = session.authenticate(given).await.map_err(broken)?;
    let user = user.ok_or(StatusCode::UNAUTHORIZED)?;
    session.login(&user).await.map_err(broken)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_out(mut session: AuthSession) -> Result<StatusCode, StatusCode> {
    session.logout().await.map_err(broken)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Closes the caller's account, and keeps the session. An application also deletes the account's media.
async fn close_account(session: AuthSession) -> Result<StatusCode, StatusCode> {
    let user = session.user.ok_or(StatusCode::UNAUTHORIZED)?;
    session.backend.delete(user.number);
    Ok(StatusCode::NO_CONTENT)
}

/// The session store failed, so the caller is unknown: 500, not 401.
fn broken(error: axum_login::Error<Users>) -> StatusCode {
    eprintln!("the session store failed: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}

fn app(media: &MediaState) -> Router {
    let guard = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone()).owner_from(owner);
    // `Secure` cookies need TLS, which the demonstration does not have.
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    Router::new()
        .route("/pictures/{id}", get(picture).layer(guard))
        .route("/pictures", post(upload))
        .route("/account", delete(close_account))
        .route("/session", post(sign_in).delete(sign_out))
        .layer(media.layer())
        // Outside of the guards, which read the owner from the session.
        .layer(AuthManagerLayerBuilder::new(Users::demo(), sessions).build())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}; pictures are kept in memory only", listener.local_addr()?);
    Ok(axum::serve(listener, app(&MediaState::in_memory())).await?)
}
