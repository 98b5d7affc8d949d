//! Run with `cargo run -p sessions`: the owner comes from a session of the crate `tower-sessions`.
//!
//! In another terminal, where `-c` keeps cookies in a file and `-b` sends them (`--json` needs curl 7.82):
//!
//! ```sh
//! curl -i -c ana localhost:3000/session --json '"ana"'                      # 204: signed in
//! curl -i -c bob localhost:3000/session --json '"bob"'                      # 204
//! ID=$(curl -s -b ana localhost:3000/pictures -d 'stands for a picture')
//! curl -i -b ana localhost:3000/pictures/$ID                                # 200
//! curl -i -b bob localhost:3000/pictures/$ID                                # 404
//! curl -i localhost:3000/pictures/$ID                                       # 401: no session
//! curl -i -b id=made-up localhost:3000/pictures/$ID                         # 401: unknown session
//! curl -i -b ana -X DELETE localhost:3000/account                           # 204
//! curl -i -b ana localhost:3000/pictures/$ID                                # 401: deleted account
//! ```
//!
//! The address is the argument. Default: `127.0.0.1:3000`.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{delete, get, post},
};
use tower_media::{
    MediaState, Owner, Rendition, Result, UnverifiedId, Upload, VerifiedMedia, VerifyMediaLayer,
    media::Download,
};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer, session};

/// The session key of the account number.
const ACCOUNT: &str = "account";

/// In place of a table of accounts: the name per number, `None` for a deleted account.
#[derive(Clone, Default)]
struct Accounts(Arc<Mutex<Vec<Option<String>>>>);

impl Accounts {
    fn names(&self) -> MutexGuard<'_, Vec<Option<String>>> {
        self.0.lock().expect("no code panics while it holds the lock")
    }

    fn exists(&self, account: usize) -> bool {
        self.names().get(account).is_some_and(Option::is_some)
    }

    fn find_or_open(&self, name: &str) -> usize {
        let mut names = self.names();
        let known = names.iter().position(|known| known.as_deref() == Some(name));
        known.unwrap_or_else(|| {
            names.push(Some(name.to_owned()));
            names.len() - 1
        })
    }

    fn delete(&self, account: usize) {
        self.names()[account] = None;
    }
}

/// Inserts the owner for the guards and handlers inside of it. tower-media needs nothing else.
async fn identify(
    State(accounts): State<Accounts>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let account = session.get::<usize>(ACCOUNT).await.map_err(broken)?;
    // A session can outlive its account, so each request looks the account up.
    if let Some(account) = account.filter(|account| accounts.exists(*account)) {
        // The number, because a name can belong to another account later.
        let owner = Owner::new(account.to_string()).expect("a number is a subject");
        request.extensions_mut().insert(owner);
    }
    Ok(next.run(request).await)
}

/// In place of a login: it needs no password, and opens an account for each new name.
async fn demo_sign_in(
    State(accounts): State<Accounts>,
    session: Session,
    Json(name): Json<String>,
) -> Result<StatusCode, StatusCode> {
    // A new session id, because an attacker may know the old one (session fixation).
    session.cycle_id().await.map_err(broken)?;
    session.insert(ACCOUNT, accounts.find_or_open(&name)).await.map_err(broken)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_out(session: Session) -> Result<StatusCode, StatusCode> {
    session.flush().await.map_err(broken)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Closes the caller's account, and keeps the session. An application also deletes the account's media.
async fn close_account(owner: Owner, State(accounts): State<Accounts>) -> StatusCode {
    let account = owner.subject().parse().expect("`identify` builds it from a number");
    accounts.delete(account);
    StatusCode::NO_CONTENT
}

/// The session store failed, so the caller is unknown: 500, and neither 401 nor another user.
fn broken(error: session::Error) -> StatusCode {
    eprintln!("the session store failed: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}

/// Delivers a picture to its owner.
async fn picture(
    VerifiedMedia(Path(id), owned): VerifiedMedia<Path<UnverifiedId>>,
    media: MediaState,
) -> Result<Download> {
    media.download(&owned[&id], Rendition::Original).await
}

/// Stores the body of the request and returns its id.
async fn upload(owner: Owner, media: MediaState, body: Bytes) -> Result<(StatusCode, String)> {
    let stored = media.upload(&owner, Upload::new(body).scope("me")).await?;
    Ok((StatusCode::CREATED, stored.id.to_string()))
}

fn app(media: &MediaState) -> Router {
    let accounts = Accounts::default();
    let guard = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone());
    Router::new()
        .route("/pictures/{id}", get(picture).layer(guard))
        .route("/pictures", post(upload))
        .route("/account", delete(close_account))
        .route("/session", post(demo_sign_in).delete(sign_out))
        .with_state(accounts.clone())
        .layer(media.layer())
        .layer(from_fn_with_state(accounts, identify))
        // Outermost, because `identify` needs the session. The cookie is `SameSite=Strict`. It is not
        // `Secure`, because the demonstration has no TLS.
        .layer(SessionManagerLayer::new(MemoryStore::default()).with_secure(false))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}; pictures are kept in memory only", listener.local_addr()?);
    Ok(axum::serve(listener, app(&MediaState::in_memory())).await?)
}
