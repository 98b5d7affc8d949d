//! Run with `cargo run -p sessions`: a session of the crate `tower-sessions` says who is asking.
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
//! curl -i -b id=made-up localhost:3000/pictures/$ID                         # 401: none of ours
//! curl -i -b ana -X DELETE localhost:3000/account                           # 204
//! curl -i -b ana localhost:3000/pictures/$ID                                # 401: nobody's any more
//! ```
//!
//! Another address than `127.0.0.1:3000` can be given as an argument.

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

/// Under which key a session keeps the number of the account.
const ACCOUNT: &str = "account";

/// Stands for the table of accounts: names by number, and `None` for the deleted.
#[derive(Clone, Default)]
struct Accounts(Arc<Mutex<Vec<Option<String>>>>);

impl Accounts {
    fn names(&self) -> MutexGuard<'_, Vec<Option<String>>> {
        self.0.lock().expect("nothing panics while it is held")
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

/// Tells the guards and handlers inside of it whose session this is: all that tower-media needs.
async fn identify(
    State(accounts): State<Accounts>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let account = session.get::<usize>(ACCOUNT).await.map_err(broken)?;
    // A session can outlive its account, so it is asked for with each request.
    if let Some(account) = account.filter(|account| accounts.exists(*account)) {
        // The number, not the name: a name may be somebody else's later, pictures must not be.
        let owner = Owner::new(account.to_string()).expect("a number is a subject");
        request.extensions_mut().insert(owner);
    }
    Ok(next.run(request).await)
}

/// Stands for a real login: it asks for no password, and opens accounts for new names.
async fn demo_sign_in(
    State(accounts): State<Accounts>,
    session: Session,
    Json(name): Json<String>,
) -> Result<StatusCode, StatusCode> {
    // An id from before the login must not be worth anything after it.
    session.cycle_id().await.map_err(broken)?;
    session.insert(ACCOUNT, accounts.find_or_open(&name)).await.map_err(broken)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_out(session: Session) -> Result<StatusCode, StatusCode> {
    session.flush().await.map_err(broken)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Closes the caller's account, and leaves the session as it is. A real one removes the pictures too.
async fn close_account(owner: Owner, State(accounts): State<Accounts>) -> StatusCode {
    let account = owner.subject().parse().expect("`identify` made it from a number");
    accounts.delete(account);
    StatusCode::NO_CONTENT
}

/// The store of sessions failed, which says nothing of who is asking: neither 401 nor anybody.
fn broken(error: session::Error) -> StatusCode {
    eprintln!("no session: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}

/// Delivers a picture to its owner.
async fn picture(
    VerifiedMedia(Path(id), owned): VerifiedMedia<Path<UnverifiedId>>,
    media: MediaState,
) -> Result<Download> {
    media.download(&owned[&id], Rendition::Original).await
}

/// Stores the body of the request and answers its id.
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
        // Outermost, for `identify` needs the session. Its cookie is not sent from other sites
        // (`SameSite=Strict`); sent by TLS only it cannot be in a demonstration on loopback.
        .layer(SessionManagerLayer::new(MemoryStore::default()).with_secure(false))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}; pictures are forgotten at the end", listener.local_addr()?);
    Ok(axum::serve(listener, app(&MediaState::in_memory())).await?)
}
