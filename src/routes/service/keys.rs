//! Authentication of the service's callers.

use std::fmt;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::error::ServiceError;
use crate::error::{Error, ErrorKind, Result};

/// The header that carries a key, as an alternative to `Authorization: Bearer`.
const SERVICE_KEY: HeaderName = HeaderName::from_static("x-service-key");

/// The keys of the [service routes](super::ServiceRoutes). A caller with a key may read and delete the media
/// of all users.
///
/// A caller sends its key as `Authorization: Bearer` or as `X-Service-Key`. Keys are compared in constant time.
///
/// ```
/// use tower_media::routes::ServiceKeys;
///
/// // Both keys are accepted during a key rotation.
/// let keys = ServiceKeys::new("the-next-key-0123456789")?.or("the-last-key-0123456789")?;
/// assert!(ServiceKeys::new("short").is_err());
/// # Ok::<_, tower_media::Error>(())
/// ```
#[derive(Clone)]
pub struct ServiceKeys {
    // Digests have equal lengths, so a comparison does not reveal the length of a key.
    digests: Option<Vec<[u8; 32]>>,
}

impl ServiceKeys {
    /// The minimum length of a key in bytes.
    const MIN: usize = 16;

    /// Accepts one key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] unless the key is at least 16 bytes of visible ASCII.
    pub fn new(key: impl AsRef<str>) -> Result<Self> {
        Self { digests: Some(Vec::new()) }.or(key)
    }

    /// Accepts another key as well, for key rotation without downtime.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new); also for [`insecure_without_key`](Self::insecure_without_key).
    pub fn or(mut self, key: impl AsRef<str>) -> Result<Self> {
        let invalid = |what| Error::new(ErrorKind::InvalidInput, what);
        let key = key.as_ref().as_bytes();
        if key.len() < Self::MIN || !key.iter().all(u8::is_ascii_graphic) {
            return Err(invalid(
                "the service key is not valid: use at least 16 bytes of visible ASCII",
            ));
        }
        let digests = self.digests.as_mut();
        let digests =
            digests.ok_or_else(|| invalid("a service without a key cannot have a second key"))?;
        digests.push(Sha256::digest(key).into());
        Ok(self)
    }

    /// Accepts every request: all clients that can reach the port may read and delete the media of all users.
    ///
    /// For a port that only trusted callers can reach, such as one on the loopback interface.
    pub fn insecure_without_key() -> Self {
        Self { digests: None }
    }

    fn accept(&self, headers: &HeaderMap) -> bool {
        let Some(digests) = &self.digests else { return true };
        let given = headers.get_all(SERVICE_KEY).iter().map(HeaderValue::as_bytes);
        let bearers = headers.get_all(header::AUTHORIZATION).iter().filter_map(bearer);
        let mut accepted = Choice::from(0);
        for key in given.chain(bearers) {
            let key: [u8; 32] = Sha256::digest(key).into();
            for digest in digests {
                accepted |= key.ct_eq(digest);
            }
        }
        accepted.into()
    }
}

/// Returns the token of a `Bearer` credential (RFC 6750, section 2.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii_start())
}

impl fmt::Debug for ServiceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.digests.as_ref().map(Vec::len);
        f.debug_struct("ServiceKeys").field("count", &count).finish_non_exhaustive()
    }
}

/// Refuses a request without a key before any other part of the request is read (promise G14).
pub(super) async fn require_key(
    State(keys): State<ServiceKeys>,
    request: Request,
    next: Next,
) -> Response {
    if keys.accept(request.headers()) {
        return next.run(request).await;
    }
    let text = "A service key is required";
    let mut response = ServiceError::new(StatusCode::UNAUTHORIZED, text).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
