//! The middleware that refuses untrusted callers.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tower_http::csrf::CsrfLayer;

use super::{
    ServiceKeys,
    error::ServiceError,
    keys::{Credential, Refusal},
};
use crate::routes::upload::check_origin;

/// The callers that are trusted.
#[derive(Debug, Clone)]
pub(super) struct Callers {
    pub(super) keys: ServiceKeys,
    /// The origins whose pages may send requests without a key.
    pub(super) origins: CsrfLayer,
}

/// Refuses a request without a credential before any other part of the request is read (promise G14).
pub(super) async fn authenticate(
    State(callers): State<Arc<Callers>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let refusal = match callers.keys.check(&parts.headers, &parts.extensions) {
        Ok(Credential::Key) => None,
        Ok(Credential::Address) => match check_origin(&callers.origins, &parts).await {
            Ok(()) => None,
            Err(_) => {
                let text = "Without a key, requests from pages of this origin are not allowed";
                Some(ServiceError::new(StatusCode::FORBIDDEN, text))
            }
        },
        Err(Refusal::NoCredential) => return unauthorized(),
        Err(Refusal::NoPeerAddress) => {
            tracing::error!(
                "the service has trusted networks, but no peer addresses: serve the application with \
                 `into_make_service_with_connect_info::<SocketAddr>()`"
            );
            let text = "The service cannot determine the address of its clients";
            Some(ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, text))
        }
    };
    match refusal {
        None => next.run(Request::from_parts(parts, body)).await,
        Some(refusal) => refusal.into_response(),
    }
}

fn unauthorized() -> Response {
    let text = "A service key is required";
    let mut response = ServiceError::new(StatusCode::UNAUTHORIZED, text).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
