//! Authentication: a bearer token names a user of a team.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    extract::{FromRef, FromRequestParts},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tower_media::{Owner, error::InvalidOwner};

/// The user and the team of each token.
#[derive(Clone, Default)]
pub struct Tokens(Arc<HashMap<String, (String, String)>>);

impl Tokens {
    /// Creates the table of tokens, each with its user and team.
    pub fn new<const N: usize>(tokens: [(&str, &str, &str); N]) -> Self {
        let tokens = tokens.map(|(token, user, team)| (token.into(), (user.into(), team.into())));
        Self(Arc::new(tokens.into()))
    }
}

/// The user of a request.
pub struct Session {
    pub user: String,
    pub team: String,
}

impl Session {
    pub fn owner(&self) -> Result<Owner, InvalidOwner> {
        Owner::new(&self.user)?.with_tenant(&self.team)
    }
}

impl<S> FromRequestParts<S> for Session
where
    S: Send + Sync,
    Tokens: FromRef<S>,
{
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotSignedIn> {
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|token| token.strip_prefix("Bearer ")).ok_or(NotSignedIn)?;
        let (user, team) = Tokens::from_ref(state).0.get(token).ok_or(NotSignedIn)?.clone();
        Ok(Self { user, team })
    }
}

/// The application's own response to a request without a valid token.
pub struct NotSignedIn;

impl IntoResponse for NotSignedIn {
    fn into_response(self) -> Response {
        (StatusCode::UNAUTHORIZED, Json(json!({ "error": "who are you?" }))).into_response()
    }
}
