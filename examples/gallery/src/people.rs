//! Users and sessions. The login is a demonstration without a password; the sessions are those of
//! tower-sessions.

use axum::{
    Json,
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tower_media::{MediaId, MediaState, Owner, Result, media::ListOptions};
use tower_sessions::{Session, session};

/// The session key of the user.
const PERSON: &str = "person";

/// The users.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Person {
    Ana,
    Bob,
}

impl Person {
    pub(crate) const ALL: [Self; 2] = [Self::Ana, Self::Bob];

    pub(crate) fn owner(self) -> Owner {
        let subject = match self {
            Self::Ana => "ana",
            Self::Bob => "bob",
        };
        Owner::new(subject).expect("the subject is valid")
    }

    fn other(self) -> Self {
        match self {
            Self::Ana => Self::Bob,
            Self::Bob => Self::Ana,
        }
    }
}

/// Inserts the owner for the layers and handlers inside of it. tower-media needs nothing else.
pub(crate) async fn identify(
    session: Session,
    mut request: Request,
    next: Next,
) -> Result<Response, NoSession> {
    if let Some(person) = session.get::<Person>(PERSON).await? {
        request.extensions_mut().insert(person.owner());
    }
    Ok(next.run(request).await)
}

/// The user of a session.
#[derive(Serialize, Deserialize)]
pub(crate) struct SignedIn {
    person: Option<Person>,
}

pub(crate) async fn who(session: Session) -> Result<Json<SignedIn>, NoSession> {
    Ok(Json(SignedIn { person: session.get(PERSON).await? }))
}

pub(crate) async fn sign_in(
    session: Session,
    Json(asked): Json<SignedIn>,
) -> Result<Json<SignedIn>, NoSession> {
    // A new session id, because an attacker may know the old one (session fixation).
    session.cycle_id().await?;
    session.insert(PERSON, asked.person).await?;
    Ok(Json(asked))
}

pub(crate) async fn sign_out(session: Session) -> Result<StatusCode, NoSession> {
    session.flush().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the ids of the other user's pictures, in place of a leak through logs, links or screenshots.
/// An application has no such route.
pub(crate) async fn leaked(
    session: Session,
    media: MediaState,
) -> Result<Json<Vec<MediaId>>, Response> {
    let person = session.get::<Person>(PERSON).await.map_err(|e| NoSession(e).into_response())?;
    let person = person.ok_or_else(|| StatusCode::UNAUTHORIZED.into_response())?;
    let page = media.list(&person.other().owner(), &ListOptions::new()).await;
    let page = page.map_err(IntoResponse::into_response)?;
    Ok(Json(page.items.into_iter().map(|item| item.id).collect()))
}

/// The session store failed.
pub(crate) struct NoSession(session::Error);

impl From<session::Error> for NoSession {
    fn from(error: session::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for NoSession {
    fn into_response(self) -> Response {
        tracing::error!(
            error = &self.0 as &(dyn std::error::Error + 'static),
            "the session store failed"
        );
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
