//! Run with `cargo run -p axum_login`: the user of the crate `axum-login` is who is asking.
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
//! curl -i -b ana localhost:3000/pictures/$ID                                    # 401: there is no such user
//! ```
//!
//! Another address than `127.0.0.1:3000` can be given as an argument.

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

/// The owner of what the signed-in user uploads: all that connects axum-login to tower-media.
fn owner(session: AuthSession) -> Result<Owner, InvalidOwner> {
    let user = session.user.ok_or(InvalidOwner)?;
    // The number, not the name: a name may be somebody else's later, pictures must not be.
    Owner::new(user.number.to_string())
}

#[derive(Clone, Debug)]
struct User {
    number: u64,
    name: &'static str,
    /// In plain, for it is a demonstration's. A real one is kept as a hash by argon2, and its crate
    /// compares it.
    password: &'static str,
}

impl AuthUser for User {
    type Id = u64;

    fn id(&self) -> u64 {
        self.number
    }

    /// A new password ends the sessions of the old one.
    fn session_auth_hash(&self) -> &[u8] {
        self.password.as_bytes()
    }
}

/// Stands for the table of users.
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

    /// Asked with each request that has a session, so a user who is gone is nobody at once.
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
        self.0.lock().expect("nothing panics while it is held")
    }

    fn find(&self, is_meant: impl Fn(&User) -> bool) -> Option<User> {
        self.all().iter().find(|user| is_meant(user)).cloned()
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

/// Stores the body of the request and answers its id.
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

/// Closes the caller's account, and leaves the session as it is. A real one removes the pictures too.
async fn close_account(session: AuthSession) -> Result<StatusCode, StatusCode> {
    let user = session.user.ok_or(StatusCode::UNAUTHORIZED)?;
    session.backend.delete(user.number);
    Ok(StatusCode::NO_CONTENT)
}

/// The store of sessions failed, which says nothing of who is asking.
fn broken(error: axum_login::Error<Users>) -> StatusCode {
    eprintln!("no session: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}

fn app(media: &MediaState) -> Router {
    let guard = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone()).owner_from(owner);
    // Secure cookies need TLS, which a demonstration on loopback has not.
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    Router::new()
        .route("/pictures/{id}", get(picture).layer(guard))
        .route("/pictures", post(upload))
        .route("/account", delete(close_account))
        .route("/session", post(sign_in).delete(sign_out))
        .layer(media.layer())
        // Outside of the guards, which take their owner from it.
        .layer(AuthManagerLayerBuilder::new(Users::demo(), sessions).build())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}; pictures are forgotten at the end", listener.local_addr()?);
    Ok(axum::serve(listener, app(&MediaState::in_memory())).await?)
}
